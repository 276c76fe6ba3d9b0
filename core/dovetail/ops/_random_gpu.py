"""The streams of GPUs, one each: seeded as ``manual_seed`` says, set aside and taken up again."""

from __future__ import annotations

import numpy as np

from dovetail_numerics.streams.gpu import Stream

from ..device import cupy
from ..generator import default_generator

__all__ = ["fork", "restore", "seed", "stream"]

_STREAMS: dict[int, Stream] = {}
_SEEDS: dict[int | None, int] = {}  # by device; None: those that have none of their own


def seed(value: int, index: int | None = None) -> None:
    """Restart the streams of all GPUs, or of one, at a seed; they are made when they are first drawn from."""
    if index is None:
        _STREAMS.clear()
        _SEEDS.clear()
    _STREAMS.pop(index, None)  # type: ignore[arg-type]
    _SEEDS[index] = value


def stream(index: int | None = None) -> Stream:
    """The stream of one GPU (the present one by default), seeded as ``manual_seed`` was last told."""
    if index is None:
        index = int(cupy().cuda.runtime.getDevice())
    found = _STREAMS.get(index)
    if found is None:
        start = _SEEDS.get(index, _SEEDS.get(None, default_generator.initial_seed()))
        found = _STREAMS[index] = Stream(cupy(), index, start)
    return found


def fork() -> tuple[dict[int, Stream], dict[int | None, int]]:
    """Set the streams aside, for ``restore``, and go on with others (CuPy cannot copy a generator's state)."""
    kept = dict(_STREAMS), dict(_SEEDS)
    seed(int(np.random.SeedSequence(default_generator.initial_seed()).generate_state(1)[0]))
    return kept


def restore(kept: tuple[dict[int, Stream], dict[int | None, int]]) -> None:
    """Continue with the streams that ``fork`` set aside."""
    for table, before in zip((_STREAMS, _SEEDS), kept, strict=True):
        table.clear()
        table.update(before)
