"""``backends.cpu``: what the processor can do is NumPy's to find out; how native kernels convolve is said here.

`winograd` is "auto" or "off". With "auto", kernels of float32 3x3 convolutions use Winograd's transforms where those pay: fewer
products, with rounding errors near 1e-5 of the largest result instead of 1e-6. The NumPy reference never uses them.
"""

from __future__ import annotations

from ..absent import answers

_names, __getattr__, __dir__ = answers(__name__)
__all__ = [*_names, "winograd"]  # noqa: PLE0604

winograd = "auto"
