"""`Stateful`: what `save` and `load` take for an object with a state, by PyTorch's path."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

__all__ = ["Stateful"]


@runtime_checkable
class Stateful(Protocol):
    """An object with a state_dict and a load_state_dict.

    >>> import dovetail as dv
    >>> isinstance(dv.nn.Linear(1, 1), Stateful)
    True
    """

    def state_dict(self) -> dict[str, Any]:
        """The state, as it is saved."""
        ...

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take a state that was loaded."""
        ...
