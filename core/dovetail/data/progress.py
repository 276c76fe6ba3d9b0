"""Where a pass over the data is, so that another can go on from there: order, batches given, and where streams are."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..errors import TypeMismatch, ValueRangeError
from ..generator import Generator, current, thread_generator
from ..ops.create import from_numpy
from .fetch import seed_of
from .sampler import draw_seed

__all__ = ["Progress", "begin", "parts"]


@dataclass
class Progress:
    """One pass: its number, the seed of its workers, the generators' states at its start, and what came out of it so far."""

    epoch: int
    workers: int
    seed: int = 0
    drew: bool = True  # the seed was drawn for this pass: workers that stay keep theirs
    given: int = 0
    turn: int = 0  # the worker whose batch is next
    generators: list[np.ndarray] = field(default_factory=list)
    streams: list[Any] = field(default_factory=list)  # where the stream of each worker was after its last batch
    done: bool = False

    def count(self, worker: int, state: Any) -> None:
        """A batch of this worker was handed out, and its stream was there."""
        self.given += 1
        self.turn = (worker + 1) % max(self.workers, 1)
        if state is not None:
            self.streams = self.streams or [None] * max(self.workers, 1)
            self.streams[worker] = state

    def state_dict(self) -> dict[str, Any]:
        """Plain values and tensors."""
        if self.done:
            return {"epoch": self.epoch + 1, "given": 0, "seed": self.seed}
        return vars(self) | {"generators": [from_numpy(g.copy()) for g in self.generators], "streams": list(self.streams)}

    @staticmethod
    def of(state: Any, loader: Any) -> Progress:
        """The pass that `state_dict` wrote down, for this loader to go on with."""
        if not isinstance(state, dict) or not {"epoch", "given"} <= state.keys():
            raise TypeMismatch("load_state_dict", f"state_dict is {type(state).__name__}", "expected what DataLoader.state_dict returned")
        made = Progress(**{**state, "workers": state.get("workers", loader.num_workers)})
        made.generators = [np.asarray(g) for g in made.generators]
        if loader._iterable and made.given and max(made.workers, 1) != max(loader.num_workers, 1):
            what = f"the state is of {made.workers} workers, the loader has num_workers={loader.num_workers}"
            raise ValueRangeError("load_state_dict", what, "a stream is shared among as many as there were", "use the same num_workers")
        return made


def parts(loader: Any) -> list[Any]:
    """The samplers that a loader asks, from the outside in."""
    outer = loader._index_sampler
    return [outer, outer.sampler] if hasattr(outer, "sampler") else [outer]


def begin(loader: Any, resumed: Progress | None, seed: int | None) -> tuple[Progress, Iterator[Any]]:
    """Begin a pass, or go on with one: what is known of it, and the requests that are left. `seed` is that of workers that run already."""
    mentioned = [loader.generator, *(getattr(part, "generator", None) for part in parts(loader))]
    sources = list(dict.fromkeys([current(), *(g for g in mentioned if g is not None)]))
    if resumed is None or not resumed.generators:
        progress = resumed or Progress(loader._epoch, loader.num_workers)
        progress.generators = [source._get_state_array() for source in sources]
        steps = _steps(loader, progress.epoch)
        seed = seed or (resumed.seed if resumed and loader.persistent_workers else 0)  # workers of the run that stopped would have stayed
        progress.drew = not seed or loader.sample_seed is not None  # with it one number is drawn for a pass, however that is loaded
        progress.seed = draw_seed(loader.generator) if progress.drew else seed
        return progress, steps
    if len(sources) != len(resumed.generators):
        what = f"the state has {len(resumed.generators)} generators, the loader has {len(sources)}"
        raise ValueRangeError("load_state_dict", what, "", "make the loader with the same sampler and generator")
    kept = sources[0]._get_state_array()  # of the program's generator, which the program restores itself
    try:
        for source, state in zip(sources, resumed.generators, strict=True):
            source._set_state_array(state)
        steps = _steps(loader, resumed.epoch)
        if resumed.drew:
            draw_seed(loader.generator)
        again = 0 if loader._iterable else sum(1 for _ in itertools.islice(steps, resumed.given))
    finally:
        sources[0]._set_state_array(kept)
    if not loader._iterable and again < resumed.given:
        what = f"the state is of a pass with {resumed.given} batches given, this one has {again}"
        raise ValueRangeError("load_state_dict", what, "", "use the same dataset and batch_size")
    resumed.workers = loader.num_workers
    return resumed, steps


def _steps(loader: Any, epoch: int) -> Iterator[Any]:
    """The requests of one pass; with sample_seed, what samplers draw is a function of it and the epoch."""
    if loader.sample_seed is None:
        return iter(loader._index_sampler)
    for part in parts(loader):
        if hasattr(part, "set_epoch"):
            part.set_epoch(epoch)
    return _seeded(loader._index_sampler, seed_of(loader.sample_seed, epoch, "order", 0))


def _seeded(sampler: Any, seed: int) -> Iterator[Any]:
    own, end = Generator().manual_seed(seed), object()
    with thread_generator(own):
        steps = iter(sampler)
    while True:
        with thread_generator(own):
            request = next(steps, end)
        if request is end:
            return
        yield request
