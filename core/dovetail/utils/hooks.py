"""The handle of a registered hook under PyTorch's path."""

from __future__ import annotations

from ..absent import answers
from ..autograd.node import Handle as RemovableHandle

_NAMES, __getattr__, __dir__ = answers(__name__)
__all__ = ["RemovableHandle", *_NAMES]  # noqa: PLE0604
