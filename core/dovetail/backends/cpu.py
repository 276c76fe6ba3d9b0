"""``backends.cpu``: what the processor offers to native kernels, and how they convolve."""

from __future__ import annotations

__all__ = ["winograd"]

#: "auto" lets kernels of float32 3x3 convolutions use Winograd's transforms where those pay (fewer products; rounding errors near
#: 1e-5 of the largest result instead of 1e-6), "off" forbids it. The NumPy reference never uses them.
winograd = "auto"
