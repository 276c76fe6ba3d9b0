"""Activations made of straight pieces: hardtanh and relu6, hardswish, hardsigmoid, the shrinkers, threshold."""

from __future__ import annotations

from typing import Any

from ..autograd.node import Tensor
from ..errors import DtypeError, ValueRangeError
from ._blockwise import in_blocks, masked
from ._op import Array, op, xp
from ._refuse import no_bools
from .activation import apply
from .arithmetic import _add, mul
from .select import masked_out

__all__ = ["hardshrink", "threshold", "threshold_"]
METHODS = tuple(n for n in __all__ if n not in ("threshold", "threshold_"))
FUNCTIONAL = (
    "hardshrink", "hardsigmoid", "hardswish", "hardtanh", "hardtanh_", "relu6", "softshrink", "threshold", "threshold_",
)  # fmt: skip


@op(name="hardtanh")
def _hardtanh(input: Array, min_val: float, max_val: float) -> Array:
    kind = input.dtype.kind
    if kind == "b":
        raise DtypeError("hardtanh", "Bool inputs not supported for hardtanh")
    if kind in "iu":
        min_val, max_val = int(min_val), int(max_val)
        if kind == "u" and min_val < 0:
            raise DtypeError("hardtanh", f"cannot do hardtanh on an unsigned type with negative limits (min_val {min_val})")
    return input.clip(min_val, max_val)


_hardtanh.vjp(lambda g, input, min_val, max_val: masked_out(g, (input > min_val) & (input < max_val), False))


def hardtanh(input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> Tensor:
    """The identity cut off at two bounds; the gradient at a bound is 0.

    >>> import dovetail.nn.functional as F, dovetail as dv
    >>> F.hardtanh(dv.tensor([-2., 0.5]))
    tensor([-1.0000,  0.5000])
    """
    if min_val > max_val:
        raise ValueRangeError("hardtanh", f"min_val cannot be greater than max_val (got {min_val} and {max_val})")
    return apply(_hardtanh, inplace, input, min_val, max_val)


def hardtanh_(input: Tensor, min_val: float = -1.0, max_val: float = 1.0) -> Tensor:
    """In-place form of :func:`hardtanh`."""
    return hardtanh(input, min_val, max_val, True)


def relu6(input: Tensor, inplace: bool = False) -> Tensor:
    """The rectifier cut off at 6: ``min(max(0, x), 6)``.

    >>> import dovetail.nn.functional as F, dovetail as dv
    >>> F.relu6(dv.tensor([-2., 8.]))
    tensor([0., 6.])
    """
    return apply(_hardtanh, inplace, input, 0.0, 6.0)


@in_blocks
@op(name="hardswish", dtypes="floating")
def _hardswish(input: Array) -> Array:
    gate = (input + 3).clip(0, 6)
    gate *= input
    gate /= 6
    return gate


@_hardswish.vjp
def _(g: Any, input: Any) -> Any:
    slope = _add(mul(input, 1 / 3), 0.5).masked_fill(~(input < 3), 1.0)
    return mul(g, masked_out(slope, input <= -3, True))


def hardswish(input: Tensor, inplace: bool = False) -> Tensor:
    """A piecewise swish: ``x · relu6(x + 3) / 6`` (Howard et al. 2019).

    >>> import dovetail.nn.functional as F, dovetail as dv
    >>> F.hardswish(dv.tensor([-4., 1.]))
    tensor([-0.0000, 0.6667])
    """
    return apply(_hardswish, inplace, input)


@op(name="hardsigmoid", dtypes="floating")
def _hardsigmoid(input: Array) -> Array:
    return (input + 3).clip(0, 6) / 6


_hardsigmoid.vjp(lambda g, input: masked_out(mul(g, 1 / 6), (input > -3) & (input < 3), False))


def hardsigmoid(input: Tensor, inplace: bool = False) -> Tensor:
    """A piecewise sigmoid: ``relu6(x + 3) / 6``.

    >>> import dovetail.nn.functional as F, dovetail as dv
    >>> F.hardsigmoid(dv.tensor([-4., 0.]))
    tensor([0.0000, 0.5000])
    """
    return apply(_hardsigmoid, inplace, input)


@op(dtypes="floating")
def hardshrink(input: Array, lambd: float = 0.5) -> Array:
    """0 where ``|x| <= lambd``, x elsewhere.

    >>> import dovetail as dv
    >>> dv.hardshrink(dv.tensor([0.2, 2.]))
    tensor([0., 2.])
    """
    return masked(input, (input >= -lambd) & (input <= lambd))


hardshrink.vjp(lambda g, input, lambd: masked_out(g, (input < -lambd) | (input > lambd), False))


@op(dtypes="floating")
def softshrink(input: Array, lambd: float = 0.5) -> Array:
    """x moved towards 0 by `lambd`: ``sign(x) · max(|x| − lambd, 0)``. Raises a DtypeError (RuntimeError) for a negative one.

    >>> import dovetail.nn.functional as F, dovetail as dv
    >>> F.softshrink(dv.tensor([0.2, 2.]))
    tensor([0.0000, 1.5000])
    """
    if lambd < 0:
        raise DtypeError("softshrink", f"lambda must be in range [0, inf), but found {lambd}")
    m = xp(input)
    return m.where(input > lambd, input - lambd, m.where(input < -lambd, input + lambd, input * 0))


softshrink.vjp(lambda g, input, lambd: masked_out(g, (input < -lambd) | (input > lambd), False))


@op(name="threshold")
def _threshold(input: Array, threshold: float, value: float) -> Array:
    no_bools("threshold", input)
    return xp(input).where(input <= threshold, input.dtype.type(value), input)


_threshold.vjp(lambda g, input, threshold: masked_out(g, input <= threshold, True))


def threshold(input: Tensor, threshold: float, value: float, inplace: bool = False) -> Tensor:
    """x where it exceeds the threshold, else `value`.

    >>> import dovetail as dv
    >>> dv.threshold(dv.tensor([0., 2.]), 1., 9.)
    tensor([9., 2.])
    """
    return apply(_threshold, inplace, input, threshold, value)


def threshold_(input: Tensor, threshold: float, value: float) -> Tensor:
    """In-place form of :func:`threshold`."""
    return apply(_threshold, True, input, threshold, value)
