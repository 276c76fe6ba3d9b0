"""Discrete Fourier transforms: complex, of real input, and back to real output; each is the others' gradient.

Y[k] = s · Σ X[n] exp(∓2πi kn/N) over each of `dims`. `norm` says s as NumPy does, seen from the direction: the adjoint of a
transform is the opposite one with the opposite norm.
"""

from __future__ import annotations

from typing import Any

from ..autograd.node import wrap
from ._op import Array, op, xp
from .arithmetic import mul

__all__: list[str] = []

ADJOINT = {"backward": "forward", "forward": "backward", "ortho": "ortho"}


@op(dtypes=None)
def fft_c2c(input: Array, dims: tuple[int, ...], norm: str, inverse: bool) -> Array:
    """The transform over `dims` of complex (or real) input."""
    return (xp(input).fft.ifftn if inverse else xp(input).fft.fftn)(input, axes=dims, norm=norm)


fft_c2c.vjp(lambda g, dims, norm, inverse: fft_c2c(g, dims, ADJOINT[norm], not inverse))


@op(dtypes=None)
def fft_r2c(input: Array, dims: tuple[int, ...], norm: str) -> Array:
    """The forward transform of real input, with the half of the last of `dims` that decides the rest: n → n // 2 + 1."""
    return xp(input).fft.rfftn(input, axes=dims, norm=norm)


@op(dtypes=None)
def fft_c2r(input: Array, dims: tuple[int, ...], norm: str, n: int) -> Array:
    """The inverse transform of such a half to real output, the last of `dims` n long."""
    return xp(input).fft.irfftn(input, s=[*(input.shape[d] for d in dims[:-1]), n], axes=dims, norm=norm)


def _weighted(half: Any, dim: int, n: int, weight: float) -> Any:
    """A half spectrum with `weight` on every frequency whose mirror image is not in it."""
    a = half._a
    w = xp(a).full(a.shape[dim], weight, a.real.dtype)
    w[0] = 1
    if n % 2 == 0:
        w[-1] = 1
    return mul(half, wrap(w.reshape([-1 if d == dim else 1 for d in range(a.ndim)])))


@fft_r2c.vjp
def _(g: Any, input_shape: Any, dims: Any, norm: Any) -> Any:
    n = input_shape[dims[-1]]
    return fft_c2r(_weighted(g, dims[-1], n, 0.5), dims, ADJOINT[norm], n)


fft_c2r.vjp(lambda g, dims, norm, n: _weighted(fft_r2c(g, dims, ADJOINT[norm]), dims[-1], n, 2.0))
