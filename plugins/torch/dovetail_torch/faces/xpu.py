"""Intel's GPUs, of which none is used: PyTorch's questions, answered as its build without them does."""

from __future__ import annotations

from dovetail.absent import answers

__all__, __getattr__, __dir__ = answers("dovetail.xpu", home=__name__)
