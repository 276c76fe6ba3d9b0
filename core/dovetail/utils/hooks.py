"""The handle of a registered hook under PyTorch's path."""

from __future__ import annotations

from ..autograd.node import Handle as RemovableHandle

__all__ = ["RemovableHandle"]
