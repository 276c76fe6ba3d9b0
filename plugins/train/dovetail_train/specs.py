"""The hooks that this plugin publishes: what any plugin may do while a model is trained.

In the other plugin's manifest ``hooks = { module = "dovetail_tones.hooks", implements = ["train/step_end"] }``, and in that module

    @hookimpl
    def train_step_end(state): ...

A plugin that raises is left out for the rest of the training, which goes on and says so; with ``Trainer(strict=True)`` or
``DOVETAIL_STRICT_PLUGINS=1`` the exception ends it. Answers are not looked at. Which plugins implement a hook is looked up once,
when a training begins.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dovetail.hooks import hookspec

if TYPE_CHECKING:
    from .state import State

__all__ = ["EVENTS", "ON_ERROR", "checkpoint_saved", "epoch_end", "fit_end", "fit_start", "step_end"]

#: The hooks, which are also the names of a callback's methods, with the arguments of each.
EVENTS = {
    "fit_start": ("state",),
    "step_end": ("state",),
    "epoch_end": ("state",),
    "fit_end": ("state",),
    "checkpoint_saved": ("path", "state"),
}

#: What happens when an implementation raises.
ON_ERROR = "the plugin is left out for the rest of the training, which goes on and says so; with `strict=True` the exception ends it"


@hookspec
def fit_start(state: State) -> None:
    """A training begins, or goes on from a checkpoint: ``state`` says where it stands."""


@hookspec
def step_end(state: State) -> None:
    """The optimizer has made a step; ``state.train_loss`` is its loss."""


@hookspec
def epoch_end(state: State) -> None:
    """All data was seen once more, and the model was evaluated; ``state.metrics`` holds what came out."""


@hookspec
def fit_end(state: State) -> None:
    """The training is over; ``state.ended`` says why. Called after an error too."""


@hookspec
def checkpoint_saved(path: str, state: State) -> None:
    """A checkpoint is whole and on disk at ``path``."""
