"""Apple's GPUs, of which none is used: PyTorch's questions, answered as its build without them does."""

from __future__ import annotations

from dovetail.absent import answers

__all__, __getattr__, __dir__ = answers("dovetail.mps", home=__name__)
