"""ShardedCheckpointer: as `dovetail.io.checkpoint.Checkpointer`, with the work and the bytes divided among the ranks."""

from __future__ import annotations

import os
import re
import secrets
import threading
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import dovetail as dv
from dovetail.errors import TypeMismatch, ValueRangeError
from dovetail.io.checkpoint import rng_state, set_rng

from . import shards
from .group import is_initialized, member
from .objects import broadcast_object_list

__all__ = ["ShardedCheckpointer"]

_NAME = re.compile(r"(\d{6,})-step-(\d+)")


class ShardedCheckpointer:
    """Save what all ranks train into numbered checkpoints of a folder that they share, while they go on.

    Every rank calls `save` with the same ``state``: its tensors are dealt out, each rank copies and writes its share in a thread, and rank
    0 writes the manifest when all parts are on disk. A kill at any moment leaves every checkpoint before, and the new one whole or
    absent. What differs between ranks is not lost: each saves its random numbers, the state of ``local`` (a loader …), and its share of a
    ZeroRedundancyOptimizer. Any number of ranks restores it; rank r of more or fewer then has the random numbers and ``local`` of
    rank r modulo the old number. The newest ``keep`` stay (None: all).

    >>> import tempfile
    >>> model = dv.nn.Linear(2, 1)
    >>> with tempfile.TemporaryDirectory() as folder, ShardedCheckpointer(folder) as checkpoints:
    ...     _ = checkpoints.save({"model": model, "epoch": 1}, step=7)
    ...     checkpoints.wait()
    ...     checkpoints.latest().name, checkpoints.restore({"model": model})
    ('000001-step-7', {'epoch': 1, 'step': 7, 'metrics': {}})
    """

    def __init__(self, dir: str | os.PathLike[str], *, keep: int | None = 3, group: Any = None, timeout: float = 600.0) -> None:
        if keep is not None and (keep.__class__ is not int or keep < 1):
            raise ValueRangeError("ShardedCheckpointer", f"keep is {keep!r}", "expected at least 1, or None for all")
        self.dir, self.keep, self.timeout = Path(dir), keep, timeout
        self.group = member(group) if group is not None or is_initialized() else None
        self.rank, self.ranks = (0, 1) if self.group is None else (self.group.rank(), self.group.size())
        self.dir.mkdir(parents=True, exist_ok=True)
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None

    def __enter__(self) -> ShardedCheckpointer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def paths(self) -> list[Path]:
        """The complete checkpoints, the oldest first, without their endings."""
        with os.scandir(self.dir) as entries:
            names = [e.name.removesuffix(".json") for e in entries if e.name.endswith(".json")]
        return [self.dir / name for name in sorted(filter(_NAME.fullmatch, names), key=lambda n: int(n.partition("-")[0]))]

    def latest(self) -> Path | None:
        """The newest complete checkpoint, or None."""
        return next(reversed(self.paths()), None)

    def _agreed(self, value: Any) -> Any:
        """Rank 0's value, at every rank."""
        if self.group is None:
            return value
        values = [value]
        broadcast_object_list(values, group=self.group, group_src=0)
        return values[0]

    def save(
        self, state: Mapping[str, Any], *, step: int | None = None, metrics: Mapping[str, float] | None = None,
        local: Mapping[str, Any] | None = None, wait: bool = False,
    ) -> Path:  # fmt: skip
        """Copy this rank's share of ``state`` and begin to write it; return the path, which is there once rank 0 has written the manifest.

        Every rank calls it. The call waits for this rank's write before it, and raises what that met.
        """
        shards.refuse("ShardedCheckpointer.save", state)
        self.wait()
        last = self.latest() if self.rank == 0 else None
        number, mark = self._agreed([int(_NAME.fullmatch(last.name)[1]) + 1 if last else 1, secrets.token_hex(4)])  # type: ignore[index]
        step = number if step is None else int(step)
        stem = self.dir / f"{number:06d}-step-{step}"
        tree, divided = {}, {}
        for name, value in state.items():
            if hasattr(value, "share"):  # each rank has a part of it
                divided[name] = {str(place): slots for place, slots in value.share().items()}
                groups = [{k: v for k, v in one.items() if k != "params"} for one in value.param_groups]
                tree[name] = {"groups": groups, "counts": [len(one["params"]) for one in value.param_groups]}
            else:
                tree[name] = value.state_dict() if hasattr(value, "state_dict") else value
        bare, tensors = shards.deal(tree, self.ranks)
        own = {name: value.state_dict() if hasattr(value, "state_dict") else value for name, value in (local or {}).items()}
        content = {
            "tree": bare if self.rank == 0 else None, "rng": rng_state(), "local": own, "divided": divided,
            "tensors": {str(i): t for i, (t, owner) in enumerate(tensors) if owner == self.rank},
        }  # fmt: skip
        content = _copied(content)
        about = {"step": step, "metrics": {k: float(v) for k, v in (metrics or {}).items()}, "divided": sorted(divided)}
        self._thread = threading.Thread(target=self._write, args=(stem, mark, content, about), name="dovetail checkpoint")
        self._thread.start()
        if wait:
            self.wait()
        return stem

    def _write(self, stem: Path, mark: str, content: dict[str, Any], about: dict[str, Any]) -> None:
        try:
            shards.write(stem, mark, self.rank, self.ranks, content)
            if self.rank == 0:
                shards.commit(stem, mark, self.ranks, about, self.timeout)
                self._rotate(stem, mark)
        except BaseException as error:
            error.add_note(f"while {stem} was written")
            self._error = error

    def _rotate(self, newest: Path, mark: str) -> None:
        """Remove what is older than the newest few, and what writers that were killed left behind."""
        kept = self.paths()
        for old in [] if self.keep is None else kept[: -self.keep]:
            shards.remove(old)
        names = {path.name for path in self.paths()}
        with os.scandir(self.dir) as entries:
            found = {e.name.partition(".")[0] for e in entries if e.name.endswith(".dvt")}
        for name in found - names:
            if (m := _NAME.fullmatch(name)) and int(m[1]) <= int(_NAME.fullmatch(newest.name)[1]):  # type: ignore[index]
                for path in list(shards.leftovers(self.dir / name)):
                    path.unlink(missing_ok=True)
        for path in list(shards.leftovers(newest, mark)):
            path.unlink(missing_ok=True)

    def wait(self) -> None:
        """Return when this rank writes nothing (rank 0: when the manifest is there); raises what the thread met."""
        if self._thread is not None:
            self._thread.join()
        error, self._error = self._error, None
        if error is not None:
            raise error

    def close(self) -> None:
        """Wait for the last write."""
        self.wait()

    def restore(
        self, state: Mapping[str, Any] | None = None, path: str | os.PathLike[str] | None = None, *, local: Mapping[str, Any] | None = None,
        rng: bool = True,
    ) -> dict[str, Any] | None:  # fmt: skip
        """Give the objects in ``state`` and ``local`` what they had, by default in the newest checkpoint; return the other values.

        Every rank calls it, with the same path. None where there is no checkpoint. A rank reads what it needs: of the others' random
        numbers, ``local`` and shares of a ZeroRedundancyOptimizer nothing. All that is read is checked before anything changes. Raises a
        FormatError for a damaged one, which names the file; a KeyError for names that are not in it.
        """
        self.wait()
        newest = self._agreed(None if self.rank or path is not None else (found := self.latest()) and found.name)
        if path is None and newest is None:
            return None
        stem = self.dir / newest if path is None else Path(path)
        about, tree, parts = shards.opened(stem)
        for name in about["divided"]:
            target = (state or {}).get(name)
            wanted = target.places() if hasattr(target, "places") else None
            tree[name] = _united(tree[name], [one["divided"][name] for one in parts], wanted)
        mine = parts[self.rank % len(parts)]
        targets = ((state or {}, tree), (local or {}, {name: mine["local"][name] for name in local or {} if name in mine["local"]}))
        for objects, values in targets:
            if missing := [name for name in objects if name not in values]:
                raise KeyError(
                    f"ShardedCheckpointer.restore: {stem} has no {', '.join(map(repr, missing))}; it has {', '.join(map(repr, values))}"
                )
            for name, target in objects.items():
                if not hasattr(target, "load_state_dict"):
                    raise TypeMismatch("ShardedCheckpointer.restore", f"{name!r} is {type(target).__name__}", "expected a load_state_dict")
        tree, own, numbers = shards.filled((tree, targets[1][1], mine["rng"] if rng else None))
        for objects, values in ((state or {}, tree), (local or {}, own)):
            for name, target in objects.items():
                target.load_state_dict(values.pop(name))
        if rng:
            set_rng(numbers)
        return {**tree, "step": about["step"], "metrics": about["metrics"]}


def _copied(value: Any) -> Any:
    """The same containers with copies of the tensors, in the host's memory."""
    return shards.mapped(value, lambda v: isinstance(v, dv.Tensor), lambda t: t.detach().cpu().clone())


def _united(common: dict[str, Any], divided: list[dict[str, Any]], wanted: Collection[int] | None = None) -> dict[str, Any]:
    """The state dict of the plain optimizer, from the shares of all ranks; with ``wanted`` the state of those parameters only."""
    state = {int(place): slots for one in divided for place, slots in one.items() if wanted is None or int(place) in wanted}
    ends = [sum(common["counts"][: i + 1]) for i in range(len(common["counts"]))]
    groups = [
        {**group, "params": list(range(end - count, end))}
        for group, end, count in zip(common["groups"], ends, common["counts"], strict=True)
    ]
    return {"state": dict(sorted(state.items())), "param_groups": groups}
