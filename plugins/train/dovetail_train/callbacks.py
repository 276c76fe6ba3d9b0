"""Callbacks that come with the trainer: a metrics file, TensorBoard, curves, progress, and an end before the last epoch."""

from __future__ import annotations

import json
import math
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from dovetail.errors import ValueRangeError

from .evaluation import watched

__all__ = ["Curves", "EarlyStopping", "MetricsFile", "Progress", "TensorBoard"]


class MetricsFile:
    """Write a file of JSON lines: ``{"kind": "step", …}`` every ``every`` steps, and ``{"kind": "epoch", …}`` for each epoch.

    All numbers are the same for the same training, but for ``seconds``. A training that is continued goes on behind the last line that its
    checkpoint knows of: what an interrupted one wrote later is cut off, so no line is there twice. JSON has no NaN and no infinity: they
    are the strings ``"nan"``, ``"inf"`` and ``"-inf"``.
    """

    def __init__(self, path: str | os.PathLike[str], every: int = 20) -> None:
        if every < 1:
            raise ValueRangeError("MetricsFile", f"every is {every}", "expected a number of steps from 1 on")
        self.path, self.every = Path(path), every
        self._size: int | None = None
        self._file: TextIO | None = None
        self._began = 0.0

    def fit_start(self, state: Any) -> None:
        """Open the file, behind what is kept of it."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file = open(self.path, "a+" if self._size is not None else "w", encoding="utf-8")  # noqa: SIM115
        if self._size is not None:
            self._file.truncate(min(self._size, os.path.getsize(self.path)))
            self._size = None
        self._began = time.perf_counter()

    def step_end(self, state: Any) -> None:
        """Write a line, every so many steps."""
        if state.step % self.every == 0:
            self._write({"kind": "step", "step": state.step, "epoch": state.epoch + 1, "train_loss": state.train_loss, "lr": state.lr})

    def epoch_end(self, state: Any) -> None:
        """Write the epoch's line."""
        self._write({"kind": "epoch", **state.history[-1]})

    def fit_end(self, state: Any) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def state_dict(self) -> dict[str, Any]:
        """How long the file is, once it is on disk."""
        if self._file is None:
            return {"size": self._size or 0}
        self._file.flush()
        os.fsync(self._file.fileno())
        return {"size": os.fstat(self._file.fileno()).st_size}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take the length up to which the file counts."""
        self._size = state["size"]

    def _write(self, row: dict[str, Any]) -> None:
        if self._file is not None:
            row = {**row, "seconds": round(time.perf_counter() - self._began, 3)}
            self._file.write(json.dumps(_finite(row), allow_nan=False) + "\n")
            self._file.flush()


class TensorBoard:
    """Write for TensorBoard into a folder: ``step/train_loss`` and ``step/lr`` every ``every`` steps, and the results of each epoch.

    All of them are over the number of steps. Results that are lists are written number by number (``name/0``). A training that is
    continued goes on in the same folder, and what an interrupted one wrote after its checkpoint is hidden. It writes through
    `SummaryWriter`; where tensorboardX is missing a ModuleNotFoundError says so (``pip install "dovetail-train[tensorboard]"``).
    """

    def __init__(self, log_dir: str | os.PathLike[str], every: int = 20) -> None:
        if every < 1:
            raise ValueRangeError("TensorBoard", f"every is {every}", "expected a number of steps from 1 on")
        from .tensorboard import SummaryWriter

        self.log_dir, self.every, self._make = Path(log_dir), every, SummaryWriter
        self._writer: Any = None

    def fit_start(self, state: Any) -> None:
        """Begin a file of events; of a training that goes on, from its step."""
        self._writer = self._make(self.log_dir, purge_step=state.step + 1 if state.step else None)

    def step_end(self, state: Any) -> None:
        """Write loss and learning rate, every so many steps."""
        if state.step % self.every == 0:
            self._writer.add_scalar("step/train_loss", state.train_loss, state.step)
            self._writer.add_scalar("step/lr", state.lr, state.step)

    def epoch_end(self, state: Any) -> None:
        """Write what the epoch gave."""
        for result in state.metrics:
            for name, value in _numbers(result, state.metrics[result]):
                self._writer.add_scalar(name, value, state.step)

    def checkpoint_saved(self, path: Any, state: Any) -> None:
        """What the checkpoint follows is on disk with it."""
        self._writer.flush()

    def fit_end(self, state: Any) -> None:
        """Close the file."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None


def _numbers(name: str, value: Any) -> Iterator[tuple[str, float]]:
    """The numbers in a result, each with its name."""
    if isinstance(value, list):
        for index, part in enumerate(value):
            yield from _numbers(f"{name}/{index}", part)
    else:
        yield name, float(value)


def _finite(value: Any) -> Any:
    """The same with NaN and infinities as strings."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {name: _finite(part) for name, part in value.items()}
    return [_finite(part) for part in value] if isinstance(value, list) else value


class EarlyStopping:
    """End the training when the result named ``monitor`` was not better for ``patience`` epochs.

    >>> stopping = EarlyStopping("valid_loss", patience=2)
    >>> from dovetail_train import State
    >>> state = State(None, None)
    >>> for loss in (3.0, 2.0, 2.5, 2.1):
    ...     state.metrics = {"valid_loss": loss}
    ...     stopping.epoch_end(state)
    >>> state.stop
    True
    """

    def __init__(self, monitor: str = "valid_loss", patience: int = 5, mode: str = "min") -> None:
        if patience < 1 or mode not in ("min", "max"):
            raise ValueRangeError("EarlyStopping", f"patience is {patience} and mode {mode!r}", 'expected at least 1, and "min" or "max"')
        self.monitor, self.patience, self.mode = monitor, patience, mode
        self.best, self.waited = math.nan, 0

    def fit_start(self, state: Any) -> None:
        """A training that had ended so does not go on."""
        state.stop = state.stop or self.waited >= self.patience

    def epoch_end(self, state: Any) -> None:
        """Compare the epoch's result with the best one."""
        value = watched(self.monitor, state.metrics)
        first = math.isnan(self.best) and not math.isnan(value)
        better = first or (value < self.best if self.mode == "min" else value > self.best)
        self.best, self.waited = (value, 0) if better else (self.best, self.waited + 1)
        state.stop = state.stop or self.waited >= self.patience

    def state_dict(self) -> dict[str, Any]:
        """The best result, and how long ago it was."""
        return {"best": self.best, "waited": self.waited}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take what `state_dict` gave."""
        self.best, self.waited = state["best"], state["waited"]


class Progress:
    """A bar on a terminal, and a line for each epoch."""

    def __init__(self, file: TextIO | None = None) -> None:
        self.file = file if file is not None else sys.stderr
        self._bar: Any = None
        self._epoch, self._since, self._samples = -1, 0.0, 0

    def fit_start(self, state: Any) -> None:
        """Note when it begins."""
        self._since, self._samples = time.perf_counter(), state.samples

    def step_end(self, state: Any) -> None:
        """Move the bar."""
        if self._epoch != state.epoch:
            from tqdm import tqdm

            self._epoch = state.epoch
            what = f"epoch {state.epoch + 1}/{state.epochs}"
            at = state.step - 1 - state.epoch * (state.steps_per_epoch or 0) if state.steps_per_epoch else 0
            self._bar = tqdm(desc=what, total=state.steps_per_epoch, initial=max(at, 0), leave=False, disable=None, file=self.file)
        if not self._bar.disable:
            self._bar.set_postfix(loss=f"{state.train_loss:.4f}", refresh=False)
            self._bar.update(1)

    def epoch_end(self, state: Any) -> None:
        """Say what the epoch gave."""
        self._close()
        seconds = max(time.perf_counter() - self._since, 1e-9)
        said = "  ".join(f"{name} {value:.4g}" for name, value in state.metrics.items() if isinstance(value, float))
        rate = (state.samples - self._samples) / seconds
        print(f"epoch {state.epoch:{len(str(state.epochs))}}/{state.epochs}  {said}  {rate:,.0f} samples/s", file=self.file, flush=True)
        self._since, self._samples = time.perf_counter(), state.samples

    def fit_end(self, state: Any) -> None:
        """Take the bar away."""
        self._close()

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
        self._bar, self._epoch = None, -1


class Curves:
    """Draw the results of all epochs as a PNG, after each one; needs matplotlib (``pip install "dovetail-train[curves]"``)."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        import matplotlib.figure

        self.path, self._figure = Path(path), matplotlib.figure.Figure

    def epoch_end(self, state: Any) -> None:
        """Draw what there is so far."""
        from dovetail.io.atomic import replacing

        names = [name for name, value in state.history[-1].items() if isinstance(value, float) and name not in ("epoch", "step")]
        losses = [name for name in names if name.endswith("_loss")]
        groups = [losses, *([name] for name in names if name not in losses)]
        figure = self._figure(figsize=(4.2 * len(groups), 3.2), layout="constrained")
        for axes, group in zip(figure.subplots(1, len(groups), squeeze=False)[0], groups, strict=True):
            for name in group:
                axes.plot(
                    [row["epoch"] for row in state.history], [row.get(name, math.nan) for row in state.history], label=name, marker="."
                )
            axes.set_xlabel("epoch")
            axes.legend(frameon=False)
        with replacing(self.path) as temporary:
            figure.savefig(temporary, format="png", dpi=120)
