"""What happens when: a training tells the world outside how it is getting on, where DOVETAIL_TRAIN_STATUS names a file.

One object of JSON, replaced whole at the start, every five seconds, at each epoch, at each checkpoint and at the end: for a cluster's
liveness probe, or a page that watches many trainings. It works for every program that uses a Trainer.
"""

from __future__ import annotations

import json
import os
import time
from typing import Any

from dovetail.hooks import hookimpl
from dovetail.io.atomic import replacing

__all__ = ["train_checkpoint_saved", "train_epoch_end", "train_fit_end", "train_fit_start", "train_step_end"]

_PERIOD = 5.0  # seconds
_next = 0.0
_checkpoint = ""


def _write(state: Any) -> None:
    global _next
    path = os.environ.get("DOVETAIL_TRAIN_STATUS")
    if not path:
        _next = float("inf")  # until a training begins again
        return
    _next = time.monotonic() + _PERIOD
    told = {
        "pid": os.getpid(), "time": time.time(), "epoch": state.epoch, "epochs": state.epochs, "step": state.step,
        "samples": state.samples, "train_loss": state.train_loss, "metrics": state.metrics, "checkpoint": _checkpoint, "ended": state.ended,
    }  # fmt: skip
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(told) + "\n", encoding="utf-8")


@hookimpl
def train_fit_start(state: Any) -> None:
    """Say that it begins."""
    global _checkpoint
    _checkpoint = ""
    _write(state)


@hookimpl
def train_step_end(state: Any) -> None:
    """Say where it is, when five seconds have passed."""
    if time.monotonic() >= _next:
        _write(state)


@hookimpl
def train_epoch_end(state: Any) -> None:
    """Say what the epoch gave."""
    _write(state)


@hookimpl
def train_checkpoint_saved(path: str, state: Any) -> None:
    """Say from where it can go on."""
    global _checkpoint
    _checkpoint = path
    _write(state)


@hookimpl
def train_fit_end(state: Any) -> None:
    """Say why it is over."""
    _write(state)
