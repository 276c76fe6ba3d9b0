"""Complex numbers, which ONNX does not have, as pairs of real values; and Fourier transforms of them, by DFT."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import dovetail as dv

from ..exporter.builder import Pair
from ..exporter.sizes import FreeSize
from ._common import product, refuse
from .arithmetic import atan2

__all__: list[str] = []

#: Ops that do to the real parts, and to the imaginary parts, what they do to real numbers.
PARTED = set(
    """add add_scaled alias border_pad cat clone constant_pad_nd copy diagonal expand_to flip gather getitem index index_select move neg
    permute repeat reshape roll split squeeze stack sub transpose tril triu unbind unfold_dim unsqueeze view where""".split()
)


def view_as_real(g: Any, input: Any) -> Any:
    return g.Concat(g.Unsqueeze(input.re, [-1]), g.Unsqueeze(input.im, [-1]), axis=-1)


def view_as_complex(g: Any, input: Any) -> Any:
    return Pair(*(g.Gather(input, np.int64(k), axis=-1) for k in (0, 1)))


def complex(g: Any, real: Any, imag: Any) -> Any:
    if list(real.shape) != list(imag.shape):
        whole = g.Shape(g.Add(real, imag))
        real, imag = g.Expand(real, whole), g.Expand(imag, whole)
    return Pair(real, imag)


def real(g: Any, input: Any) -> Any:
    return input.re if isinstance(input, Pair) else input


def imag(g: Any, input: Any) -> Any:
    return input.im


def conj(g: Any, input: Any) -> Any:
    return Pair(input.re, g.Neg(input.im))


def abs(g: Any, input: Any) -> Any:
    return g.Sqrt(_squares(g, input))


def angle(g: Any, input: Any) -> Any:
    return atan2(g, input.im, input.re)


def _squares(g: Any, x: Any) -> Any:
    return g.Add(g.Mul(x.re, x.re), g.Mul(x.im, x.im))


def mul(g: Any, input: Any, other: Any) -> Any:
    a, b = input, other
    return Pair(g.Sub(g.Mul(a.re, b.re), g.Mul(a.im, b.im)), g.Add(g.Mul(a.re, b.im), g.Mul(a.im, b.re)))


def div(g: Any, input: Any, other: Any) -> Any:
    top, below = mul(g, input, conj(g, other)), _squares(g, other)
    return Pair(g.Div(top.re, below), g.Div(top.im, below))


def exp(g: Any, input: Any) -> Any:
    size = g.Exp(input.re)
    return Pair(g.Mul(size, g.Cos(input.im)), g.Mul(size, g.Sin(input.im)))


def _dft(g: Any, x: Any, dim: int, inverse: bool, onesided: bool = False) -> Any:
    """One transform, as numpy's of norm "backward"; a batch of one is put in front, which older definitions ask for."""
    if g.opset < 17:
        raise refuse(g, f"Fourier transforms need opset 17, got {g.opset}", "export with a newer opset")
    lines = g.Unsqueeze(view_as_real(g, x) if isinstance(x, Pair) else g.Unsqueeze(x, [-1]), [0])
    how = {"inverse": int(inverse), "onesided": int(onesided)}
    out = g.DFT(lines, None, np.int64(dim + 1), **how) if g.opset >= 20 else g.DFT(lines, None, axis=dim + 1, **how)
    return view_as_complex(g, g.Squeeze(out, [0]))


def _scaled(g: Any, x: Any, count: Any, norm: str, inverse: bool) -> Any:
    """By what a norm differs from "backward", over so many elements."""
    if norm == "backward":
        return x
    power = (0.5 if norm == "ortho" else 1) * (1 if inverse else -1)
    if isinstance(count, FreeSize):
        by = g.cast(g.Pow(g.floats(count), power), x.re.dtype)
    else:
        by = g.const(math.pow(count, power), x.re.dtype)
    return Pair(g.Mul(x.re, by), g.Mul(x.im, by))


def fft_c2c(g: Any, input: Any, dims: Any, norm: str, inverse: bool) -> Any:
    out = input
    for dim in dims:
        out = _dft(g, out, dim % input.ndim, inverse)
    return _scaled(g, out, product([input.shape[d] for d in dims]), norm, inverse)


def fft_r2c(g: Any, input: Any, dims: Any, norm: str) -> Any:
    out = _dft(g, input, dims[-1] % input.ndim, False, True)
    for dim in dims[:-1]:
        out = _dft(g, out, dim % input.ndim, False)
    return _scaled(g, out, product([input.shape[d] for d in dims]), norm, False)


def fft_c2r(g: Any, input: Any, dims: Any, norm: str, n: Any) -> Any:
    """The other half is the mirror image of this one, conjugated."""
    last, half = dims[-1] % input.ndim, input.shape[dims[-1]]
    if isinstance(n, FreeSize) or isinstance(half, FreeSize) or half != n // 2 + 1:
        raise refuse(g, f"a transform of {half} frequencies to {n} real numbers", "fix the size, and give n // 2 + 1 frequencies")
    out = as_pair(g, input, dv.complex128 if input.dtype in (dv.float64, dv.complex128) else dv.complex64)
    for dim in dims[:-1]:
        out = _dft(g, out, dim % input.ndim, True)
    mirror = np.arange(n - half, 0, -1)
    free = np.array([0 < k < n - k for k in range(half)]).reshape([-1, *(1,) * (input.ndim - 1 - last)])
    own = g.Where(g.const(free), out.im, g.const(0, out.im.dtype))  # a frequency that is its own mirror image counts as real
    whole = [g.Concat(x, g.Gather(y, g.const(mirror), axis=last), axis=last) for x, y in ((out.re, out.re), (own, g.Neg(own)))]
    sizes = [input.shape[d] for d in dims[:-1]] + [n]
    return _scaled(g, _dft(g, Pair(*whole), last, True), product(sizes), norm, True).re


#: What complex arguments make of ops that real ones have too.
COMPLEX = {"abs": abs, "angle": angle, "conj": conj, "div": div, "exp": exp, "imag": imag, "mul": mul, "real": real}


def parted(g: Any, function: Any, args: dict[str, Any]) -> Any:
    """A function of real values on the real parts and on the imaginary ones."""
    found = [function(g, **{name: _part(x, part) for name, x in args.items()}) for part in ("re", "im")]
    if isinstance(found[0], tuple | list):
        return [Pair(*both) for both in zip(*found, strict=True)]
    return Pair(*found)


def _part(x: Any, part: str) -> Any:
    if isinstance(x, Pair):
        return getattr(x, part)
    if isinstance(x, list | tuple):
        parts = [_part(v, part) for v in x]
        return type(x)(*parts) if hasattr(x, "_fields") else type(x)(parts)
    return x


def as_pair(g: Any, x: Any, kind: Any) -> Any:
    """A value or number as a pair of this complex type."""
    if isinstance(x, Pair):
        return x
    plain = dv.float64 if kind is dv.complex128 else dv.float32
    if hasattr(x, "dtype") and not isinstance(x, np.ndarray | np.generic):
        return Pair(g.cast(x, plain), g.Expand(g.const(0, plain), g.Shape(x)))
    return Pair(*(g.const(part, plain) for part in (np.real(x), np.imag(x))))
