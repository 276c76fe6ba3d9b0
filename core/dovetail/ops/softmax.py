"""Softmax and its logarithm, each with its gradient fused into one op."""

from __future__ import annotations

import warnings
from typing import Any

from dovetail_numerics.sums import total

from ..autograd.node import Tensor
from ..dtypes import to_numpy_dtype
from ..errors import TypeMismatch
from ._dims import dim_of
from ._op import Array, op, xp
from .arithmetic import mul, neg, sub
from .memory import cast
from .reduce import sum

__all__ = ["log_softmax", "softmax"]
FUNCTIONAL = ("log_softmax", "softmax", "softmin")


@op(dtypes="floating", autocast="float32", name="softmax", contiguous=True)
def _softmax(input: Array, dim: int) -> Array:
    """``exp(input) / sum(exp(input))`` along one dimension."""
    out = _below_zero("softmax", input, dim)
    xp(out).exp(out, out=out)
    out /= total(out, (dim % out.ndim,), True)
    return out if input.ndim else out.reshape(())


def _below_zero(where: str, a: Any, dim: int) -> Any:
    """An array less its largest along a dimension, so that exponentials cannot overflow; a number counts as of one dimension."""
    dim, a = dim_of(where, dim, a.ndim), a if a.ndim else a.reshape(1)
    return a - a.max(axis=dim, keepdims=True) if a.size else a.copy()


_softmax.vjp(lambda g, out, dim: softmax_grad(g, out, dim))


@op
def softmax_grad(grad: Array, y: Array, dim: int) -> Array:
    """The gradient of softmax by its result y: ``(grad - sum(grad y)) y``."""
    if not grad.ndim:
        return grad - grad
    out = grad * y
    out -= y * total(out, (dim % grad.ndim,), True)
    return out


softmax_grad.vjp(0)(lambda g, y, dim: softmax_grad(g, y, dim))
softmax_grad.vjp(1)(lambda g, grad, y, dim: sub(mul(g, sub(grad, sum(mul(grad, y), dim, True))), mul(grad, sum(mul(g, y), dim, True))))


@op(dtypes="floating", autocast="float32", name="log_softmax", contiguous=True)
def _log_softmax(input: Array, dim: int) -> Array:
    """``input - log(sum(exp(input)))`` along one dimension."""
    out = _below_zero("log_softmax", input, dim)
    out -= xp(out).log(total(xp(out).exp(out), (dim % out.ndim,), True))
    return out if input.ndim else out.reshape(())


_log_softmax.vjp(lambda g, out, dim: log_softmax_grad(g, out, dim))


@op
def log_softmax_grad(grad: Array, y: Array, dim: int) -> Array:
    """The gradient of log_softmax by its result y: ``grad - exp(y) sum(grad)``."""
    if not grad.ndim:
        return grad - grad
    out = xp(y).exp(y)
    out *= total(grad, (dim % grad.ndim,), True)
    xp(y).subtract(grad, out, out=out)
    return out


log_softmax_grad.vjp(0)(lambda g, y, dim: sub(g, sum(mul(g, y.exp()), dim, True)))
log_softmax_grad.vjp(1)(lambda g, grad, y, dim: neg(mul(mul(g, y.exp()), sum(grad, dim, True))))


def _implicit(name: str, ndim: int) -> int:
    """The dimension that PyTorch assumes where none is given, with its warning."""
    dim = 0 if ndim in (0, 1, 3) else 1
    what = f"{name}: Implicit dimension choice has been deprecated. Change the call to include dim=X as an argument."
    warnings.warn(f"{what} dim={dim} was taken; scores of classes in the last dimension want dim=-1", stacklevel=4)
    return dim


def softmax(input: Tensor, dim: int | None = None, dtype: Any = None, *, axis: int | None = None, out: Any = None) -> Tensor:
    """``exp(input) / sum(exp(input))`` along `dim`, without overflow; `dtype` casts the input first.

    >>> import dovetail as dv
    >>> dv.softmax(dv.tensor([0., 0.]), 0)
    tensor([0.5000, 0.5000])
    """
    given = _arguments(input, dim, dtype, axis, "softmax", False)
    return _softmax(*given) if out is None else _softmax(*given, out=out)


def functional_softmax(
    input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None, *, axis: int | None = None
) -> Tensor:
    """``exp(input) / sum(exp(input))`` along `dim`; without it along a dimension that PyTorch chose long ago, with a warning.

    >>> import dovetail as dv
    >>> dv.nn.functional.softmax(dv.tensor([0., 0.]), 0)
    tensor([0.5000, 0.5000])
    """
    return _softmax(*_arguments(input, dim, dtype, axis, "softmax"))


def log_softmax(input: Tensor, dim: int | None = None, dtype: Any = None, *, axis: int | None = None, out: Any = None) -> Tensor:
    """``input - log(sum(exp(input)))`` along `dim`, without overflow; `dtype` casts the input first.

    >>> import dovetail as dv
    >>> dv.log_softmax(dv.tensor([0., 0.]), 0)
    tensor([-0.6931, -0.6931])
    """
    given = _arguments(input, dim, dtype, axis, "log_softmax", False)
    return _log_softmax(*given) if out is None else _log_softmax(*given, out=out)


def functional_log_softmax(
    input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None, *, axis: int | None = None
) -> Tensor:
    """``input - log(sum(exp(input)))`` along `dim`; without it along a dimension that PyTorch chose long ago, with a warning.

    >>> import dovetail as dv
    >>> dv.nn.functional.log_softmax(dv.tensor([0., 0.]), 0)
    tensor([-0.6931, -0.6931])
    """
    return _log_softmax(*_arguments(input, dim, dtype, axis, "log_softmax"))


def softmin(input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Tensor:
    """Softmax of ``-input``.

    >>> import dovetail as dv
    >>> dv.nn.functional.softmin(dv.tensor([0., 0.]), dim=0)
    tensor([0.5000, 0.5000])
    """
    return _softmax(*_arguments(neg(input), dim, dtype, None, "softmin"))  # negated as it is: uint8 wraps


def _arguments(input: Tensor, dim: Any, dtype: Any, axis: Any, name: str, implicit: bool = True) -> tuple[Tensor, int]:
    """The input in its type, and the dimension."""
    dim = axis if dim is None else dim
    if dim is None and not implicit:
        raise TypeMismatch(f"{name}()", "missing 1 required positional arguments: 'dim'")
    if dim is None:
        dim = _implicit(name, input._a.ndim)
    return input if dtype is None else cast(input, to_numpy_dtype(dtype)), dim
