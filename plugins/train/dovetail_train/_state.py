"""What a training is continued from: random states, the place in the data, and the checkpoints on disk."""

from __future__ import annotations

import itertools
import math
import os
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import dovetail as dv
from dovetail.errors import FormatError, ValueRangeError

from .evaluation import watched

__all__ = ["Checkpoints", "Position", "rng_state", "seed_all", "set_rng_state"]

_NAME = re.compile(r"step-(\d{9,})\.dvt")


def seed_all(seed: int) -> None:
    """Seed Dovetail, Python's ``random`` and NumPy's global generator, from which transforms may draw."""
    dv.manual_seed(seed)
    random.seed(seed)
    np.random.seed(seed % 2**32)


def rng_state() -> dict[str, Any]:
    """The states of these three; that of a GPU's generator cannot be read."""
    version, words, gauss = random.getstate()
    kind, keys, place, has, cached = np.random.get_state(legacy=True)
    ours = {"words": dv.tensor(words, dtype=dv.int64), "version": version, "gauss": gauss}
    theirs = {
        "kind": str(kind),
        "keys": dv.tensor(np.asarray(keys, np.int64)),
        "place": int(place),
        "has": int(has),
        "cached": float(cached),
    }
    return {"dovetail": dv.get_rng_state(), "python": ours, "numpy": theirs}


def set_rng_state(state: dict[str, Any]) -> None:
    """Set what `rng_state` gave."""
    dv.set_rng_state(state["dovetail"])
    ours, theirs = state["python"], state["numpy"]
    random.setstate((ours["version"], tuple(ours["words"].tolist()), ours["gauss"]))
    keys = theirs["keys"].numpy().astype(np.uint32)
    np.random.set_state((theirs["kind"], keys, theirs["place"], theirs["has"], theirs["cached"]))


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
        set_rng_state(self._start)  # type: ignore[arg-type]
        if self._loader is not None and _knows(loader):
            loader.load_state_dict(self._loader)
            batches = iter(loader)
        else:
            batches = iter(loader)
            passed = sum(1 for _ in itertools.islice(batches, done))
            if passed < done:
                what = f"the checkpoint has {done} batches of this epoch behind it, the data now has {passed}"
                raise ValueRangeError("Trainer.fit", what, "expected the data that the training began with")
        set_rng_state(now)
        return batches

    def state_dict(self, loader: Any) -> dict[str, Any]:
        """For a checkpoint."""
        return {"start": self._start, "now": rng_state(), "loader": loader.state_dict() if _knows(loader) else None}

    def load_state_dict(self, state: dict[str, Any], *, within: bool) -> None:
        """Take a checkpoint's; ``within`` says whether an epoch is to be continued, or a new one begins."""
        self._start, self._now, self._loader = state["start"], state["now"] if within else None, state["loader"]
        set_rng_state(state["now"])


def _knows(loader: Any) -> bool:
    """Whether a loader can go on from its place exactly: in line, or where a sample's random numbers are a function of its index."""
    exact = getattr(loader, "sample_seed", None) is not None or getattr(loader, "num_workers", 0) == 0
    return exact and hasattr(loader, "state_dict") and hasattr(loader, "load_state_dict")


class Checkpoints:
    """A folder of checkpoints, the last ``keep`` and the best one; each is written whole or not at all.

    ``best`` names the number among an epoch's results that says which is best, the smallest with ``mode="min"``. A Trainer uses `save`,
    `saved`, `latest`, `best_path`, `load` and `forget_after`; `save` may return before a checkpoint is on disk, `saved` says when it is.
    """

    def __init__(self, folder: str | os.PathLike[str], keep: int = 3, best: str = "", mode: str = "min") -> None:
        if keep < 1 or mode not in ("min", "max"):
            raise ValueRangeError("Checkpoints", f"keep is {keep} and mode {mode!r}", 'expected at least 1, and "min" or "max"')
        if Path(folder).is_file():
            raise ValueRangeError("Checkpoints", f"{str(folder)!r} is a file", "expected a folder")
        self.folder, self.keep, self.best, self.mode = Path(folder), keep, best, mode
        self.best_value: float | None = None
        self._saved: list[Path] = []

    def save(self, step: int, value: dict[str, Any], results: dict[str, Any] | None = None) -> None:
        """Write a checkpoint; with an epoch's ``results`` it may become the best one."""
        self.folder.mkdir(parents=True, exist_ok=True)
        better = self._better(results or {})
        if better is not None:
            self.best_value = better
        value = {**value, "best": self.best_value}
        path = self.folder / f"step-{step:09d}.dvt"
        dv.save(value, path)
        if better is not None:
            dv.save(value, self.folder / "best.dvt")
        for old in self.all()[: -self.keep]:
            old.unlink(missing_ok=True)
        self._saved.append(path)

    def saved(self, *, wait: bool = False) -> list[Path]:
        """Those that came to be on disk since this was asked last; ``wait`` for what is under way."""
        found, self._saved = self._saved, []
        return found

    def _better(self, results: dict[str, Any]) -> float | None:
        if not results:
            return None
        value = watched(self.best, results)
        if math.isnan(value):
            return None
        if self.best_value is None or (value < self.best_value if self.mode == "min" else value > self.best_value):
            return value
        return None

    def all(self) -> list[Path]:
        """Those there are, the oldest first."""
        if not self.folder.is_dir():
            return []
        found = {int(match[1]): path for path in self.folder.iterdir() if (match := _NAME.fullmatch(path.name))}
        return [found[step] for step in sorted(found)]

    def latest(self) -> Path | None:
        """The newest, or None."""
        found = self.all()
        return found[-1] if found else None

    def best_path(self) -> Path | None:
        """The best one, or None."""
        path = self.folder / "best.dvt"
        return path if path.exists() else None

    def forget_after(self, step: int) -> None:
        """Remove those of later steps, when a training goes back to an earlier one."""
        for path in self.all():
            if int(_NAME.fullmatch(path.name)[1]) > step:  # type: ignore[index]
                path.unlink(missing_ok=True)

    def load(self, path: Path) -> dict[str, Any]:
        """Read one; FormatError for a file that is damaged or is no checkpoint of a training."""
        try:
            value = dv.load(path)
        except FormatError as error:
            others = [str(one) for one in self.all() if one != path]
            more = f"; an earlier one is {others[-1]}" if others else ""
            raise FormatError(path, error.offset, f"{error.reason}{more}") from error
        if not isinstance(value, dict) or value.get("kind") != "dovetail-train":
            raise FormatError(path, None, "is no checkpoint of a training; expected one that a Trainer wrote")
        self.best_value = value["best"]
        return value
