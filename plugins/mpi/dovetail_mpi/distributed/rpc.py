"""``torch.distributed.rpc``, which is not there: the module can be imported, as in a build of PyTorch's without it, and says so."""

from __future__ import annotations

from typing import NoReturn

__all__ = ["is_available"]


def is_available() -> bool:
    """False."""
    return False


def __getattr__(name: str) -> NoReturn:
    raise AttributeError(f"torch.distributed.rpc.{name}: there are no remote calls; use the collectives of distributed")
