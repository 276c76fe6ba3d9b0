"""Where a training stands: what callbacks and hooks are given."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

__all__ = ["State"]


@dataclass
class State:
    """Where a training stands. Callbacks and hooks read it, and may set ``stop``; numbers count what is done.

    ``train_loss`` is that of the last step, ``metrics`` holds what the last epoch gave, ``history`` that of every epoch. ``ended`` says why
    the training is over, once it is: ``"done"``, ``"stopped"`` (``stop`` was set), a signal's name such as ``"SIGTERM"``, or ``"error"``.

    >>> state = State(model=None, optimizer=None, epochs=3)
    >>> state.epoch, state.step, state.ended
    (0, 0, '')
    """

    model: Any
    optimizer: Any
    scheduler: Any = None
    epochs: int = 1
    epoch: int = 0  # passes over the data that are done
    step: int = 0  # optimizer steps
    batch: int = 0  # batches of this epoch
    steps_per_epoch: int | None = None
    samples: int = 0  # that were learned from, in all epochs
    train_loss: float = float("nan")
    loss_sum: float = 0.0  # of this epoch, times samples
    loss_samples: int = 0
    metrics: dict[str, Any] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    epoch_over: bool = False  # all batches of this epoch are done, its evaluation is not
    stop: bool = False
    ended: str = ""

    #: What a checkpoint keeps.
    KEPT = ("epoch", "step", "batch", "samples", "train_loss", "loss_sum", "loss_samples", "metrics", "history", "epoch_over")

    @property
    def lr(self) -> float:
        """The learning rate of the optimizer's first group."""
        return float(self.optimizer.param_groups[0]["lr"])

    def state_dict(self) -> dict[str, Any]:
        """The counters, for a checkpoint."""
        return {name: getattr(self, name) for name in self.KEPT}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take the counters of a checkpoint."""
        for name in self.KEPT:
            setattr(self, name, state[name])
