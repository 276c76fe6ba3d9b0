"""Discrete Fourier transforms by PyTorch's names.

In all of them `n` (or `s`) is the length of the signal, which is cut or filled with zeros to it, `dim` the dimension, and `norm`
says where the factor 1/n goes: "backward" (the default) to the inverse, "forward" to the forward transform, "ortho" its root to both.
They raise a RuntimeError for half precision, for a length below 1 and for a `norm` that does not exist, an IndexError for a `dim`
that the input does not have. Complex results have the precision of the input; integers count as the default float.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .autograd.node import Tensor
from .dtypes import get_default_dtype, to_numpy_dtype
from .errors import DtypeError, RangeError, ShapeError
from .ops._autocast import autocasting
from .ops._dims import dim_of, dims_of, sizes_of
from .ops._keywords import keyed
from .ops._refuse import tensors, type_name
from .ops.complex import conj
from .ops.pad import constant_pad_nd
from .ops.ranges import _spaced
from .ops.shape import roll
from .ops.spectral import ADJOINT, fft_c2c, fft_c2r, fft_r2c

__all__ = [
    "fft", "fft2", "fftfreq", "fftn", "fftshift", "hfft", "hfft2", "hfftn", "ifft", "ifft2", "ifftn", "ifftshift", "ihfft", "ihfft2",
    "ihfftn", "irfft", "irfft2", "irfftn", "rfft", "rfft2", "rfftfreq", "rfftn",
]  # fmt: skip


def _signal(where: str, input: Tensor, norm: str | None, real: bool) -> tuple[Tensor, str]:
    """The input in a type that transforms take, and the norm by its full name."""
    tensors(where, input=input)
    dtype = input._a.dtype
    if real and dtype.kind == "c":
        raise DtypeError(where, f"expects a real input tensor, but got {type_name(dtype)}", "", "take .real, or a complex transform")
    if dtype.kind not in "iubc" and dtype.itemsize == 2:
        raise DtypeError(where, f"Unsupported dtype {type_name(dtype)}", "expected float32, float64 or complex", "convert with .float()")
    if norm not in (None, *ADJOINT):
        raise ShapeError(where, f'Invalid normalization mode: "{norm}"', f"expected one of {', '.join(ADJOINT)}")
    return input.to(get_default_dtype()) if dtype.kind in "iub" else input, norm or "backward"


def _dims(where: str, input: Tensor, s: Any, dim: Any) -> tuple[tuple[int, ...], list[int]]:
    """The dimensions to transform, from the front, and their lengths; -1 stands for the input's own."""
    shape = input._a.shape
    sizes = None if s is None else list(sizes_of(where, (s if isinstance(s, tuple | list) else [s],), "s"))
    if dim is not None:
        dims = dims_of(where, dim, len(shape)) if shape or dim in ((), []) else None
        if dims is None:
            raise RangeError(where, f"Dimension specified as {dim} but tensor has no dimensions")
        if sizes is not None and len(sizes) != len(dims):
            raise ShapeError(where, "When given, dim and shape arguments must have the same length", f"got {len(dims)} and {len(sizes)}")
    else:
        if sizes is not None and len(sizes) > len(shape):
            raise ShapeError(where, f"Got shape with {len(sizes)} values but input tensor only has {len(shape)} dimensions.")
        dims = tuple(range(len(shape) - len(shape if sizes is None else sizes), len(shape)))
    return dims, [-1] * len(dims) if sizes is None else sizes


def _fitted(where: str, input: Tensor, dims: tuple[int, ...], sizes: list[int], half: bool = False) -> tuple[Tensor, int]:
    """The input cut or filled to the lengths, and the last length; of a `half` spectrum, that of the whole signal."""
    shape = input._a.shape
    lengths = [shape[d] if n == -1 else n for d, n in zip(dims, sizes)]
    if half:
        lengths[-1] = 2 * (shape[dims[-1]] - 1) if sizes[-1] == -1 else sizes[-1]
    for n in lengths:
        if n < 1:
            raise ShapeError(where, f"Invalid number of data points ({n}) specified")
    last = lengths[-1] if dims else 0
    if half:
        lengths[-1] = last // 2 + 1
    grow = dict(zip(dims, (n - shape[d] for d, n in zip(dims, lengths))))
    if any(grow.values()):
        input = constant_pad_nd(input, tuple((0, grow.get(d, 0)) for d in range(len(shape))), 0)
    return input, last


def _full(where: str, input: Tensor, s: Any, dim: Any, norm: Any, inverse: bool) -> Tensor:
    input, norm = _signal(where, input, norm, False)
    dims, sizes = _dims(where, input, s, dim)
    if not dims:
        return input if input.is_complex() else input.to(input.dtype.to_complex())
    return fft_c2c(_fitted(where, input, dims, sizes)[0], dims, norm, inverse)


def _half(where: str, input: Tensor, s: Any, dim: Any, norm: Any, hermitian: bool = False) -> Tensor:
    input, norm = _signal(where, input, norm, True)
    dims, sizes = _dims(where, input, s, dim)
    if not dims:
        raise ShapeError(where, "must transform at least one axis")
    input = _fitted(where, input, dims, sizes)[0]
    return conj(fft_r2c(input, dims, ADJOINT[norm])) if hermitian else fft_r2c(input, dims, norm)


def _real(where: str, input: Tensor, s: Any, dim: Any, norm: Any, hermitian: bool = False) -> Tensor:
    input, norm = _signal(where, input, norm, False)
    dims, sizes = _dims(where, input, s, dim)
    if not dims:
        raise ShapeError(where, "must transform at least one axis")
    input, n = _fitted(where, input, dims, sizes, True)
    return fft_c2r(conj(input), dims, ADJOINT[norm], n) if hermitian else fft_c2r(input, dims, norm, n)


def _one(where: str, n: Any) -> Any:
    """The length of a signal of one dimension, which is at least 1."""
    if n is None:
        return None
    (n,) = sizes_of(where, ([n],), "n")
    if n < 1:
        raise ShapeError(where, f"Invalid number of data points ({n}) specified")
    return (n,)


def fft(input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None) -> Tensor:
    """The transform of one dimension: ``Y[k] = Σ input[n] exp(-2πi kn/N)``, complex.

    >>> import dovetail as dv
    >>> dv.fft.fft(dv.tensor([1., 0., 2., 0.]))
    tensor([ 3.+0.j, -1.+0.j,  3.+0.j, -1.+0.j])
    """
    return _full("fft.fft", input, _one("fft.fft", n), (dim,), norm, False)


def ifft(input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None) -> Tensor:
    """The inverse of :func:`fft`: ``y[n] = 1/N Σ input[k] exp(2πi kn/N)``, complex.

    >>> import dovetail as dv
    >>> dv.fft.ifft(dv.tensor([3., -1., 3., -1.]))
    tensor([1.+0.j, 0.+0.j, 2.+0.j, 0.+0.j])
    """
    return _full("fft.ifft", input, _one("fft.ifft", n), (dim,), norm, True)


def rfft(input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None) -> Tensor:
    """The first ``N // 2 + 1`` elements of :func:`fft` of a real signal; the others are their mirror image.

    >>> import dovetail as dv
    >>> dv.fft.rfft(dv.tensor([1., 0., 2., 0.]))
    tensor([ 3.+0.j, -1.+0.j,  3.+0.j])
    """
    return _half("fft.rfft", input, _one("fft.rfft", n), (dim,), norm)


def irfft(input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None) -> Tensor:
    """The inverse of :func:`rfft`: a real signal of length `n`, by default ``2 (N - 1)``, which is even.

    >>> import dovetail as dv
    >>> dv.fft.irfft(dv.tensor([3., -1., 3.]))
    tensor([1., 0., 2., 0.])
    """
    return _real("fft.irfft", input, _one("fft.irfft", n), (dim,), norm)


def hfft(input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None) -> Tensor:
    """The transform of a signal that is Hermitian in time, given by its half: real, of length `n`, by default ``2 (N - 1)``.

    >>> import dovetail as dv
    >>> dv.fft.hfft(dv.tensor([1., 2., 1.]))
    tensor([ 6.,  0., -2.,  0.])
    """
    return _real("fft.hfft", input, _one("fft.hfft", n), (dim,), norm, True)


def ihfft(input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None) -> Tensor:
    """The inverse of :func:`hfft`: the half of the inverse transform of a real signal.

    >>> import dovetail as dv
    >>> dv.fft.ihfft(dv.tensor([6., 0., -2., 0.]))
    tensor([1.-0.j, 2.-0.j, 1.-0.j])
    """
    return _half("fft.ihfft", input, _one("fft.ihfft", n), (dim,), norm, True)


def fft2(input: Tensor, s: Any = None, dim: Any = (-2, -1), norm: str | None = None) -> Tensor:
    """The transform of the last two dimensions.

    >>> import dovetail as dv
    >>> dv.fft.fft2(dv.eye(2))
    tensor([[2.+0.j, 0.+0.j],
            [0.+0.j, 2.+0.j]])
    """
    return fftn(input, s, dim, norm)


def ifft2(input: Tensor, s: Any = None, dim: Any = (-2, -1), norm: str | None = None) -> Tensor:
    """The inverse of :func:`fft2`.

    >>> import dovetail as dv
    >>> dv.fft.ifft2(dv.eye(2))
    tensor([[0.5000+0.j, 0.0000+0.j],
            [0.0000+0.j, 0.5000+0.j]])
    """
    return ifftn(input, s, dim, norm)


def rfft2(input: Tensor, s: Any = None, dim: Any = (-2, -1), norm: str | None = None) -> Tensor:
    """The half of :func:`fft2` of a real signal: the last of `dim` is ``N // 2 + 1`` long.

    >>> import dovetail as dv
    >>> dv.fft.rfft2(dv.eye(2))
    tensor([[2.+0.j, 0.+0.j],
            [0.+0.j, 2.+0.j]])
    """
    return rfftn(input, s, dim, norm)


def irfft2(input: Tensor, s: Any = None, dim: Any = (-2, -1), norm: str | None = None) -> Tensor:
    """The inverse of :func:`rfft2`, real.

    >>> import dovetail as dv
    >>> dv.fft.irfft2(dv.eye(2), s=(2, 2))
    tensor([[0.5000, 0.0000],
            [0.0000, 0.5000]])
    """
    return irfftn(input, s, dim, norm)


def fftn(input: Tensor, s: Any = None, dim: Any = None, norm: str | None = None) -> Tensor:
    """The transform of the dimensions `dim`: all, or the last ones when only `s` is given.

    >>> import dovetail as dv
    >>> dv.fft.fftn(dv.eye(2))
    tensor([[2.+0.j, 0.+0.j],
            [0.+0.j, 2.+0.j]])
    """
    return _full("fft.fftn", input, s, dim, norm, False)


def ifftn(input: Tensor, s: Any = None, dim: Any = None, norm: str | None = None) -> Tensor:
    """The inverse of :func:`fftn`.

    >>> import dovetail as dv
    >>> dv.fft.ifftn(dv.eye(2))
    tensor([[0.5000+0.j, 0.0000+0.j],
            [0.0000+0.j, 0.5000+0.j]])
    """
    return _full("fft.ifftn", input, s, dim, norm, True)


def rfftn(input: Tensor, s: Any = None, dim: Any = None, norm: str | None = None) -> Tensor:
    """The half of :func:`fftn` of a real signal: the last of `dim` is ``N // 2 + 1`` long.

    >>> import dovetail as dv
    >>> dv.fft.rfftn(dv.eye(2))
    tensor([[2.+0.j, 0.+0.j],
            [0.+0.j, 2.+0.j]])
    """
    return _half("fft.rfftn", input, s, dim, norm)


def irfftn(input: Tensor, s: Any = None, dim: Any = None, norm: str | None = None) -> Tensor:
    """The inverse of :func:`rfftn`, real; the last of `dim` is by default ``2 (N - 1)`` long.

    >>> import dovetail as dv
    >>> dv.fft.irfftn(dv.ones(2, 2))
    tensor([[1., 0.],
            [0., 0.]])
    """
    return _real("fft.irfftn", input, s, dim, norm)


def hfft2(input: Tensor, s: Any = None, dim: Any = (-2, -1), norm: str | None = None) -> Tensor:
    """The transform of the last two dimensions of a Hermitian signal, given by its half: real.

    >>> import dovetail as dv
    >>> dv.fft.hfft2(dv.ones(2, 2))
    tensor([[4., 0.],
            [0., 0.]])
    """
    return hfftn(input, s, dim, norm)


def ihfft2(input: Tensor, s: Any = None, dim: Any = (-2, -1), norm: str | None = None) -> Tensor:
    """The inverse of :func:`hfft2`.

    >>> import dovetail as dv
    >>> dv.fft.ihfft2(dv.eye(2)).real
    tensor([[0.5000, 0.0000],
            [0.0000, 0.5000]])
    """
    return ihfftn(input, s, dim, norm)


def hfftn(input: Tensor, s: Any = None, dim: Any = None, norm: str | None = None) -> Tensor:
    """The transform of a Hermitian signal in several dimensions, given by its half: real, the last of `dim` by default ``2 (N - 1)`` long.

    >>> import dovetail as dv
    >>> dv.fft.hfftn(dv.ones(2, 2))
    tensor([[4., 0.],
            [0., 0.]])
    """
    return _real("fft.hfftn", input, s, dim, norm, True)


def ihfftn(input: Tensor, s: Any = None, dim: Any = None, norm: str | None = None) -> Tensor:
    """The inverse of :func:`hfftn`: the half of the inverse transform of a real signal.

    >>> import dovetail as dv
    >>> dv.fft.ihfftn(dv.eye(2)).real
    tensor([[0.5000, 0.0000],
            [0.0000, 0.5000]])
    """
    return _half("fft.ihfftn", input, s, dim, norm, True)


def _frequencies(where: str, n: int, d: float, count: int, wrap: bool, dtype: Any, options: dict[str, Any]) -> Tensor:
    kind = to_numpy_dtype(dtype or (get_default_dtype() if options.get("out") is None else options["out"].dtype))
    if kind.kind not in "fcV":
        raise DtypeError(where, "requires a floating point or complex dtype", f"got {type_name(kind)}")
    if count < 0:
        raise ShapeError(where, f"Trying to create tensor with negative dimension {count}: [{count}]")
    step = kind.type(1 / (n * d) if n * d else math.inf)
    with np.errstate(invalid="ignore"):  # of length 0 the step is infinite, and 0 · ∞ is PyTorch's NaN too
        return _spaced(where, count, lambda i: (i - n * (i >= (n + 1) // 2) if wrap else i).astype(kind) * step, kind, options)


def fftfreq(n: int, d: float = 1.0, *, dtype: Any = None, **options: Any) -> Tensor:
    """The frequencies of the elements of :func:`fft`, in cycles per unit of the spacing `d`: ``[0, 1, … -2, -1] / (n d)``.

    >>> import dovetail as dv
    >>> dv.fft.fftfreq(4)
    tensor([ 0.0000,  0.2500, -0.5000, -0.2500])
    """
    (n,) = sizes_of("fft.fftfreq", ([n],), "n")
    return _frequencies("fft.fftfreq", n, d, n, True, dtype, options)


def rfftfreq(n: int, d: float = 1.0, *, dtype: Any = None, **options: Any) -> Tensor:
    """The frequencies of the elements of :func:`rfft`: ``[0, 1, … n // 2] / (n d)``.

    >>> import dovetail as dv
    >>> dv.fft.rfftfreq(4)
    tensor([0.0000, 0.2500, 0.5000])
    """
    (n,) = sizes_of("fft.rfftfreq", ([n],), "n")
    return _frequencies("fft.rfftfreq", n, d, int(n / 2) + 1, False, dtype, options)


def _shifted(where: str, input: Tensor, dim: Any, extra: int) -> Tensor:
    tensors(where, input=input)
    shape = input._a.shape
    dims = range(len(shape)) if dim is None else dim if isinstance(dim, tuple | list) else (dim,)
    dims = [dim_of(where, d, len(shape)) for d in dims]
    return roll(input, [((shape or (1,))[d] + extra) // 2 for d in dims], dims)


def fftshift(input: Tensor, dim: Any = None) -> Tensor:
    """Move frequency 0 to the middle, along `dim` (by default all).

    >>> import dovetail as dv
    >>> dv.fft.fftshift(dv.fft.fftfreq(4))
    tensor([-0.5000, -0.2500,  0.0000,  0.2500])
    """
    return _shifted("fft.fftshift", input, dim, 0)


def ifftshift(input: Tensor, dim: Any = None) -> Tensor:
    """Undo :func:`fftshift`.

    >>> import dovetail as dv
    >>> dv.fft.ifftshift(dv.tensor([-2, -1, 0, 1, 2]))
    tensor([ 0,  1,  2, -2, -1])
    """
    return _shifted("fft.ifftshift", input, dim, 1)


for _name in __all__:
    globals()[_name] = autocasting(keyed(_name, globals()[_name]))
