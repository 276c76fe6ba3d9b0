"""PyTorch's inner module of groups and collectives, which some programs import from: the same names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..group import ProcessGroup, member

__all__: list[str] = []


def _get_default_group() -> ProcessGroup:
    """The world. Raises a ValueError where there is none."""
    return member()


if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        from dovetail import distributed

        return getattr(distributed, name)
