"""Checkpoints of long runs: written in the background, kept by number and by a metric, and restored to the same training, bit for bit.

Under ``dovetail.io.checkpoint``.
"""

from __future__ import annotations

import errno
import math
import mmap
import os
import random
import re
import sys
import threading
import time
import warnings
import weakref
from collections.abc import Callable, Mapping
from contextlib import suppress
from itertools import accumulate, chain
from pathlib import Path
from typing import Any

import numpy as np

from dovetail import get_num_threads, get_rng_state, load, set_rng_state
from dovetail.device import move, to_device
from dovetail.errors import FormatError, TypeMismatch, ValueRangeError
from dovetail.graph.raw import wrap
from dovetail.io.atomic import fcntl, replacing, sync_folder
from dovetail.io.container import HEADER_LIMIT, read_header
from dovetail.io.store import gather, write_gathered
from dovetail.io.tree import unpack

__all__ = ["Checkpointer", "about", "give_back", "rng_state", "set_rng"]

_NAME = re.compile(r"(\d{6,})-step-(\d+)\.dvt")


def rng_state() -> dict[str, Any]:
    """The states of Dovetail's random numbers on the CPU, of the module ``random``, and of NumPy's global ones if they were ever used."""
    version, words, gauss = random.getstate()
    found = {"dovetail": get_rng_state(), "python": [version, wrap(np.array(words, np.uint32)), gauss]}
    state = sys.modules["numpy.random"].get_state() if "numpy.random" in sys.modules else None
    if isinstance(state, tuple):
        found["numpy"] = [state[0], wrap(np.array(state[1])), *state[2:]]
    return found


def set_rng(state: Mapping[str, Any]) -> None:
    """Continue with the random numbers of `rng_state`."""
    set_rng_state(state["dovetail"])
    version, words, gauss = state["python"]
    random.setstate((version, tuple(words.tolist()), gauss))
    if "numpy" in state:
        kind, key, *rest = state["numpy"]
        np.random.set_state((kind, key.numpy(), *rest))


def give_back(target: Any, state: Any) -> None:
    """``target.load_state_dict(state)``, but NAdam's ``mu_product``, which PyTorch casts to its parameter's type, is as it was saved."""
    target.load_state_dict(state)
    if hasattr(target, "param_groups") and isinstance(state, Mapping) and state.keys() >= {"param_groups", "state"}:
        numbers, params = (chain.from_iterable(g["params"] for g in groups) for groups in (state["param_groups"], target.param_groups))
        for number, p in zip(numbers, params, strict=True):
            if "mu_product" in state["state"].get(number, ()):
                target.state[p]["mu_product"] = state["state"][number]["mu_product"]


def about(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The step, the metrics and the number of tensors of a checkpoint, from its header alone."""
    import json

    with open(path, "rb") as file:
        entries, metadata, _ = read_header(os.fspath(path), file)
    try:
        tree = json.loads(metadata["dovetail"])["tree"]
        return {"step": int(tree["step"]), "metrics": dict(unpack(tree["metrics"], lambda *_: None)), "tensors": len(entries)}
    except (ValueError, KeyError, TypeError, RecursionError):  # another program's header, or a tree without step and metrics
        held = "1 tensor" if len(entries) == 1 else f"{len(entries)} tensors"
        raise FormatError(path, None, f"is no checkpoint of a Checkpointer (it holds {held}); read it with dovetail.load") from None


class _Image:
    """One copy of every array, one after the other as in the file, in memory that the next save uses again."""

    def __init__(self) -> None:
        self.memory = np.empty(0, np.uint8)

    def take(self, arrays: Mapping[str, Any]) -> dict[str, Any]:
        """Copy in as many threads as ops use (one processor does not fill what the memory carries); return the copies by name."""
        order = sorted(arrays.items(), key=lambda item: -min(item[1].itemsize, 8))  # as `write` has them; complex128 is two float64
        ends = [0, *accumulate(a.nbytes for _, a in order)]
        size = max(-(-ends[-1] // _BLOCK), 1) * _BLOCK
        if size != len(self.memory):
            self.memory = np.empty(0, np.uint8)  # there is no time at which both are held
            self.memory = _pages(size)
        copies, due = {}, []
        for (name, a), start, end in zip(order, ends, ends[1:], strict=False):
            to = copies[name] = self.memory[start:end].view(a.dtype.newbyteorder("=")).reshape(a.shape)
            if a.flags.c_contiguous:
                pairs, step = (to.reshape(-1), a.reshape(-1)), _PIECE // a.itemsize
                due += [(pairs[0][i : i + step], pairs[1][i : i + step]) for i in range(0, a.size, step)]
            else:
                due.append((to, a))
        left = iter(due)

        def work() -> None:
            for to, a in left:
                np.copyto(to, a)

        others = [threading.Thread(target=work) for _ in range(1, min(get_num_threads(), size // _PIECE))]
        for thread in others:
            thread.start()
        work()
        for thread in others:
            thread.join()
        return copies

    def put(self, file: Any, arrays: dict[str, Any], text: str) -> None:
        """Write the copies to a file past the system's cache: to fill that, and to let go of it, would take time from the training.

        A system that cannot do without its cache uses it.
        """
        parts = _Parts()
        write_gathered(parts, arrays, text, align=_BLOCK)
        where = np.cumsum([self.memory.ctypes.data, *(len(a) for a in parts.arrays)])
        if any(a.ctypes.data != at for a, at in zip(parts.arrays, where, strict=False)):
            raise AssertionError("the copies do not lie in the order of the file")
        head = _pages(len(parts.head))
        head[:] = np.frombuffer(parts.head, np.uint8)
        direct = False
        with suppress(AttributeError, OSError):
            direct = fcntl.fcntl(file.fileno(), fcntl.F_SETFL, os.O_DIRECT) == 0
        for left in (head.data, self.memory.data):
            while left:
                try:
                    left = left[file.write(left[:_PIECE]) :]
                except OSError as error:
                    if error.errno != errno.EINVAL or not direct:
                        raise
                    direct = fcntl.fcntl(file.fileno(), fcntl.F_SETFL, 0) != 0  # it wants larger blocks
        file.truncate(len(parts.head) + sum(map(len, parts.arrays)))


_BLOCK, _PIECE = 4096, 1 << 22  # bytes: what a disk takes at a time, and what a thread copies or writes at a time


class _Parts:
    """What would be written to a file: the header, and where the arrays lie."""

    def __init__(self) -> None:
        self.head, self.arrays = bytearray(), []  # type: bytearray, list[Any]

    def write(self, data: Any) -> None:
        if isinstance(data, bytes):
            self.head += data
        else:
            self.arrays.append(np.frombuffer(data, np.uint8))


def _pages(size: int) -> Any:
    """Memory that begins where a page does, in large pages where the system has them."""
    memory = mmap.mmap(-1, size)
    with suppress(AttributeError, OSError):
        memory.madvise(mmap.MADV_HUGEPAGE)
    return np.frombuffer(memory, np.uint8)


def _tell(unseen: list[str]) -> None:
    """Say what no call was there to raise, when the Checkpointer or the program ends."""
    for text in unseen:
        warnings.warn(f"Checkpointer: {text}; wait() or close() at the end would have raised it", stacklevel=1)


class Checkpointer:
    """Save what a training consists of into numbered files of a folder, while it goes on.

    ``save`` copies the state (one copy, into memory that is used again) and returns; a thread writes it with checksums, crash-safe: a kill
    at any moment leaves every earlier checkpoint, and the new one whole or absent. The newest ``keep`` stay (None: all), and the one whose
    metric ``best`` is the smallest (``mode="max"``: the largest). ``on_saved(path, state)`` is called in that thread once the file is safe
    on disk. An error of the thread is raised by the next `save`, `wait` or `close`.
    Use it as a context manager, or call `close` at the end.

    >>> import dovetail as dv, tempfile
    >>> model = dv.nn.Linear(2, 1)
    >>> with tempfile.TemporaryDirectory() as folder, Checkpointer(folder, keep=2, best="loss") as checkpoints:
    ...     for step, loss in enumerate([0.9, 0.2, 0.5, 0.4]):
    ...         _ = checkpoints.save({"model": model, "epoch": 1}, step=step, metrics={"loss": loss})
    ...     checkpoints.wait()
    ...     [path.name for path in checkpoints.paths()], checkpoints.best().name
    ...     checkpoints.restore({"model": model})
    (['000002-step-1.dvt', '000003-step-2.dvt', '000004-step-3.dvt'], '000002-step-1.dvt')
    {'epoch': 1, 'step': 3, 'metrics': {'loss': 0.4}}
    """

    def __init__(
        self, dir: str | os.PathLike[str], *, keep: int | None = 3, best: str | None = None, mode: str = "min",
        on_saved: Callable[[Path, Mapping[str, Any]], Any] | None = None,
    ) -> None:  # fmt: skip
        if mode not in ("min", "max"):
            raise ValueRangeError("Checkpointer", f"mode is {mode!r}", "expected 'min' or 'max'")
        if keep is not None and (keep.__class__ is not int or keep < 1):
            raise ValueRangeError("Checkpointer", f"keep is {keep!r}", "expected at least 1, or None for all")
        self.dir, self.keep, self.metric, self.sign, self.on_saved = Path(dir), keep, best, 1 if mode == "min" else -1, on_saved
        self.dir.mkdir(parents=True, exist_ok=True)
        self._image, self._thread, self._error = _Image(), None, None  # type: _Image, threading.Thread | None, BaseException | None
        self._metrics, self._unseen = {}, []  # type: dict[Path, float], list[str]
        weakref.finalize(self, _tell, self._unseen)

    def __enter__(self) -> Checkpointer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def paths(self) -> list[Path]:
        """The checkpoints in the folder that are complete, the oldest first."""
        found = ((int(m[1]), Path(entry)) for entry in os.scandir(self.dir) if (m := _NAME.fullmatch(entry.name)))
        return [path for _, path in sorted(found)]

    def latest(self) -> Path | None:
        """The newest complete checkpoint, or None."""
        return next(reversed(self.paths()), None)

    def best(self) -> Path | None:
        """The complete checkpoint with the best metric, or None; of equals the oldest."""
        rated = [(self._rating(path), path) for path in self.paths()]
        return min((r for r in rated if math.isfinite(r[0])), key=lambda r: r[0], default=(0, None))[1]

    def _rating(self, path: Path) -> float:
        """The metric, the smaller the better; of an unreadable file, or without one, infinite."""
        if self.metric is not None and path not in self._metrics:
            try:
                self._metrics[path] = self.sign * float(about(path)["metrics"].get(self.metric, math.inf))
            except (OSError, FormatError, TypeError, ValueError):
                self._metrics[path] = math.inf
        return self._metrics.get(path, math.inf)

    def save(
        self, state: Mapping[str, Any], *, step: int | None = None, metrics: Mapping[str, float] | None = None, wait: bool = False
    ) -> Path:
        """Copy ``state`` and begin to write it; return the path that it will have.

        What has a ``state_dict`` (module, optimizer, scheduler, loader …) is saved by it, all else as `dovetail.save` does; the random
        numbers are saved too. The call waits for the write before it. Raises a TypeError that names a value that cannot be saved, and what
        the write before it raised. With ``wait`` the file is on disk when the call returns.
        """
        if not isinstance(state, Mapping) or not all(isinstance(name, str) for name in state):
            raise TypeMismatch("Checkpointer.save", f"state is {type(state).__name__}", "expected a dict of names", "as {'model': model}")
        self.wait()
        last = self.latest()
        number = int(_NAME.fullmatch(last.name)[1]) + 1 if last else 1  # type: ignore[index]
        step = number if step is None else int(step)
        if step < 0:
            raise ValueRangeError("Checkpointer.save", f"step is {step}", "expected 0 or more")
        tree = {name: value.state_dict() if hasattr(value, "state_dict") else value for name, value in state.items()}
        whole = {"step": step, "metrics": {k: float(v) for k, v in (metrics or {}).items()}, "state": tree, "rng": rng_state()}
        arrays, text = gather(whole, lambda a: move(a, to_device("cpu")))
        arrays = self._image.take(arrays)
        path = self.dir / f"{number:06d}-step-{step}.dvt"
        self._thread = threading.Thread(target=self._write, args=(path, arrays, text, state), name="dovetail checkpoint")
        self._thread.start()
        if wait:
            self.wait()
        return path

    def _write(self, path: Path, arrays: dict[str, Any], text: str, state: Mapping[str, Any]) -> None:
        time.sleep(0.001)  # start() returns once this thread lets the caller run
        try:
            with replacing(path, "checkpoint") as temporary, open(temporary, "wb", 0) as file:
                self._image.put(file, arrays, text)
            self._rotate()
            if self.on_saved is not None:
                self.on_saved(path, state)
        except BaseException as error:
            error.add_note(f"while {path} was written")
            self._error = error
            self._unseen.append(f"{type(error).__name__}: {error} ({error.__notes__[-1]})")

    def _rotate(self) -> None:
        """Remove the checkpoints that are neither new nor best."""
        found = self.paths()
        old = [] if self.keep is None else found[: -self.keep]
        best = self.best() if old else None
        for path in old:
            if path != best:
                path.unlink(missing_ok=True)
                self._metrics.pop(path, None)
        if old:
            sync_folder(self.dir)

    def wait(self) -> None:
        """Return when nothing is being written; raises what the thread met."""
        if self._thread is not None:
            self._thread.join()
        error, self._error = self._error, None
        self._unseen.clear()
        if error is not None:
            raise error

    def close(self) -> None:
        """Wait for the last write, and let go of the memory."""
        try:
            self.wait()
        finally:
            self._image = _Image()

    def restore(
        self, state: Mapping[str, Any] | None = None, path: str | os.PathLike[str] | None = None, *,
        map_location: Any = None, rng: bool = True,
    ) -> dict[str, Any] | None:  # fmt: skip
        """Give the objects in ``state`` what they had in a checkpoint, by default the newest; return its other values, step and metrics.

        Returns None where there is no checkpoint. The file is read and checked as a whole before anything changes. Raises a FormatError
        for a damaged one (older ones are tried by passing their path, never in silence), a KeyError for names that are not in it.
        """
        self.wait()
        path = self.latest() if path is None else Path(path)
        if path is None:
            return None
        found = load(path, map_location, max_header=HEADER_LIMIT)
        try:
            values, step, metrics, numbers = dict(found["state"]), found["step"], found["metrics"], found["rng"]
        except (TypeError, KeyError, ValueError):
            raise FormatError(path, None, "is no checkpoint of a Checkpointer; read it with dovetail.load") from None
        objects = state or {}
        if missing := [name for name in objects if name not in values]:
            raise KeyError(f"Checkpointer.restore: {path} has no {', '.join(map(repr, missing))}; it has {', '.join(map(repr, values))}")
        for name, target in objects.items():
            if not hasattr(target, "load_state_dict"):
                raise TypeMismatch("Checkpointer.restore", f"{name!r} is {type(target).__name__}", "expected what has a load_state_dict")
        for name, target in objects.items():
            give_back(target, values.pop(name))
        if rng:
            set_rng(numbers)
        return {**values, "step": step, "metrics": metrics}
