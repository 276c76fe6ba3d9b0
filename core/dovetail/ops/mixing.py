"""Sums with a product or a quotient, and linear interpolation."""

from __future__ import annotations

from typing import Any

from .. import dtypes as dt
from ..autograd.node import CLASSES, Tensor
from ..errors import DtypeError
from ._op import Array, op, xp
from ._prepare import number
from ._refuse import floats_only, no_bools, tensors
from .arithmetic import _div, _sub, held, mul, neg
from .inplace import write

__all__ = ["addcdiv", "addcmul", "lerp"]
INPLACE = ("addcdiv", "addcmul", "lerp")


@op
def addcmul(input: Array, tensor1: Array, tensor2: Array, value: Any = 1) -> Array:
    """Add a product: ``input + value * tensor1 * tensor2``, broadcast.

    >>> import dovetail as dv
    >>> dv.addcmul(dv.tensor([1.]), dv.tensor([2.]), dv.tensor([3.]), value=10)
    tensor([61.])
    """
    product = tensor1 * tensor2
    out = input + (product if value == 1 else product * number(value, dt.from_numpy_dtype(product.dtype)))
    no_bools("addcmul", out)
    return out


addcmul.vjp(
    lambda g: g,
    lambda g, tensor2, value: mul(mul(g, held(tensor2)), held(value)),
    lambda g, tensor1, value: mul(mul(g, held(tensor1)), held(value)),
)


@op
def addcdiv(input: Array, tensor1: Array, tensor2: Array, value: Any = 1) -> Array:
    """Add a quotient: ``input + value * tensor1 / tensor2``, broadcast. Raises a DtypeError (RuntimeError) for integers.

    >>> import dovetail as dv
    >>> dv.addcdiv(dv.tensor([1.]), dv.tensor([1.]), dv.tensor([4.]), value=2)
    tensor([1.5000])
    """
    if tensor1.dtype.kind in "iub":
        raise DtypeError(
            "addcdiv", "Integer division with addcdiv is no longer supported", "expected floating-point tensors", "use .float()"
        )
    quotient = tensor1 / tensor2
    return input + (quotient if value == 1 else quotient * value)


addcdiv.vjp(
    lambda g: g,
    lambda g, tensor2, value: mul(_div(g, held(tensor2)), held(value)),
    lambda g, tensor1, tensor2, value: neg(mul(g, held(_div(mul(tensor1, value), mul(tensor2, tensor2))))),
)


@op(name="lerp", dtypes="floating")
def _lerp(input: Array, end: Array, weight: Array) -> Array:
    step = end - input
    if not hasattr(weight, "dtype"):
        return input + weight * step if -0.5 < weight < 0.5 else end - step * (1 - weight)
    near = xp(weight).abs(weight) < 0.5  # from the nearer end, so that weight 1 gives `end` exactly
    return xp(weight).where(near, input + weight * step, end - step * (1 - weight))


_lerp.vjp(
    lambda g, weight: mul(g, held(_sub(1, weight) if weight.__class__ in CLASSES else 1 - weight)),
    lambda g, weight: mul(g, held(weight)),
    lambda g, input, end: mul(g, held(_sub(end, input))),
)


def _one_type(input: Tensor, end: Tensor, weight: Any) -> list[Any]:
    tensors("lerp", input=input, end=end)
    for t, name in ((end, "end"), (weight, "weight")):
        if t.__class__ in CLASSES and t._a.dtype != input._a.dtype:
            raise DtypeError("lerp", f"expected dtype {input._a.dtype} for `{name}` but got dtype {t._a.dtype}", "", "convert one")
    floats_only("lerp", input._a)
    return [input, end, weight]


def lerp(input: Tensor, end: Tensor, weight: Any) -> Tensor:
    """Interpolate linearly: ``input + weight * (end - input)``; the tensors have one type.

    >>> import dovetail as dv
    >>> dv.lerp(dv.tensor([0., 10.]), dv.tensor([10., 20.]), 0.25)
    tensor([ 2.5000, 12.5000])
    """
    return _lerp(*_one_type(input, end, weight))


def lerp_(input: Tensor, end: Tensor, weight: Any) -> Tensor:
    """In-place form of :func:`lerp`."""
    return write(_lerp.op, _one_type(input, end, weight))
