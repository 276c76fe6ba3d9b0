"""What a training is continued from: random states, the place in the data, and the checkpoints on disk."""

from __future__ import annotations

import errno
import itertools
import math
import os
import random
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import dovetail as dv
from dovetail.errors import FormatError, ValueRangeError

from .checkpoint import Checkpointer, rng_state, set_rng
from .evaluation import watched

__all__ = ["Checkpoints", "Position", "ReadOnly", "seed_all"]


def seed_all(seed: int) -> None:
    """Seed Dovetail, Python's ``random`` and NumPy's global generator, from which transforms may draw."""
    dv.manual_seed(seed)
    random.seed(seed)
    np.random.seed(seed % 2**32)


class Position:
    """The place in the data: what the loader says of itself, or the random states with which this epoch began and a count of batches.

    A loader that knows its place is asked where that is exact: it loads nothing again. Otherwise the epoch is begun as it was begun, and
    what is done of it passed by.
    """

    def __init__(self) -> None:
        self._start: dict[str, Any] | None = None
        self._now: dict[str, Any] | None = None  # the random states to go on with behind the batches that are done
        self._loader: dict[str, Any] | None = None  # what the loader said

    def begin(self, loader: Any, epoch: int, done: int) -> Iterator[Any]:
        """Iterate over a pass; after `load_state_dict`, over what is left of it behind the first ``done`` batches."""
        if hasattr(loader, "set_epoch"):
            loader.set_epoch(epoch)
        if self._now is None:
            self._start = rng_state()
            return iter(loader)
        now, self._now = self._now, None
        set_rng(self._start)  # type: ignore[arg-type]
        if self._loader is not None and _knows(loader):
            loader.load_state_dict(self._loader)
            batches = iter(loader)
        else:
            batches = iter(loader)
            passed = sum(1 for _ in itertools.islice(batches, done))
            if passed < done:
                what = f"the checkpoint has {done} batches of this epoch behind it, the data now has {passed}"
                raise ValueRangeError("Trainer.fit", what, "expected the data that the training began with")
        set_rng(now)
        return batches

    def state_dict(self, loader: Any) -> dict[str, Any]:
        """For a checkpoint."""
        return {"start": self._start, "now": rng_state(), "loader": loader.state_dict() if _knows(loader) else None}

    def load_state_dict(self, state: dict[str, Any], *, within: bool) -> None:
        """Take a checkpoint's; ``within`` says whether an epoch is to be continued, or a new one begins."""
        self._start, self._now, self._loader = state["start"], state["now"] if within else None, state["loader"]
        set_rng(state["now"])


def _knows(loader: Any) -> bool:
    """Whether a loader can go on from its place exactly: in line, or where a sample's random numbers are a function of its index."""
    exact = getattr(loader, "sample_seed", None) is not None or getattr(loader, "num_workers", 0) == 0
    return exact and hasattr(loader, "state_dict") and hasattr(loader, "load_state_dict")


class Checkpoints:
    """A folder of checkpoints that a Checkpointer writes while the training goes on: the last ``keep`` and the best one.

    ``best`` names the number among an epoch's results that says which is best, the smallest with ``mode="min"``. The folder is made by the
    first `save`, so that looking leaves no trace.
    """

    def __init__(self, folder: str | os.PathLike[str], keep: int = 3, best: str = "", mode: str = "min") -> None:
        if Path(folder).is_file():
            raise ValueRangeError("Checkpoints", f"{str(folder)!r} is a file", "expected a folder")
        self.folder, self.keep, self.best, self.mode = Path(folder), keep, best, mode
        self._writer: Checkpointer | None = None
        self._saved: deque[Path] = deque()

    def _checkpointer(self) -> Checkpointer:
        if self._writer is None:
            told = lambda path, state: self._saved.append(path)  # noqa: E731
            self._writer = Checkpointer(self.folder, keep=self.keep, best=self.best or None, mode=self.mode, on_saved=told)
        return self._writer

    def save(self, step: int, value: dict[str, Any], results: dict[str, Any] | None = None) -> None:
        """Begin to write a checkpoint; with an epoch's ``results`` it may become the best one."""
        rated = {self.best: watched(self.best, results)} if results and self.best else {}
        self._checkpointer().save(value, step=step, metrics={name: one for name, one in rated.items() if math.isfinite(one)})

    def saved(self, *, wait: bool = False) -> list[Path]:
        """Those that came to be on disk since this was asked last; ``wait`` for what is under way. Raises what writing met."""
        if wait and self._writer is not None:
            self._writer.wait()
        return [self._saved.popleft() for _ in range(len(self._saved))]

    def all(self) -> list[Path]:
        """Those that are complete, the oldest first."""
        return self._checkpointer().paths() if self.folder.is_dir() else []

    def latest(self) -> Path | None:
        """The newest, or None."""
        return next(reversed(self.all()), None)

    def best_path(self) -> Path | None:
        """The best one, or None."""
        return self._checkpointer().best() if self.best and self.folder.is_dir() else None

    def forget_after(self, path: Path) -> None:
        """Remove those behind one, when a training goes back to it."""
        found = self.all()
        names = [one.name for one in found]
        for later in found[names.index(path.name) + 1 :] if path.name in names else ():
            later.unlink(missing_ok=True)

    def load(self, path: Path) -> dict[str, Any]:
        """Read one; FormatError for a file that is damaged or is no checkpoint of a training."""
        if not path.is_file():
            raise FileNotFoundError(errno.ENOENT, "there is no such checkpoint", str(path))
        try:
            value = Checkpointer(path.parent).restore(path=path, rng=False) or {}
        except FormatError as error:
            others = [str(one) for one in self.all() if one != path]
            more = f"; an earlier one is {others[-1]}" if others else ""
            raise FormatError(path, error.offset, f"{error.reason}{more}") from error
        if value.get("kind") != "dovetail-train":
            raise FormatError(path, None, "is no checkpoint of a training; expected one that a Trainer wrote")
        return value


class ReadOnly(Checkpoints):
    """The same folder where another process writes it."""

    def save(self, step: int, value: dict[str, Any], results: dict[str, Any] | None = None) -> None:
        """Nothing: the first process does."""

    def forget_after(self, path: Path) -> None:
        """Nothing."""
