"""How many floating-point operations PyTorch counts for its operators, by the shapes of what they take and give."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import wraps
from math import prod
from typing import Any

from dovetail.errors import GradError, ValueRangeError

__all__ = ["FORMULAS", "Name", "attention_flop", "of_shapes", "register_flop_formula"]

Shape = Any
FORMULAS: dict[str, Callable[..., int]] = {}


class Name(str):
    """PyTorch's name of an operator, such as ``aten.mm``: equal to the same text."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<OpOverloadPacket(op={str(self)!r})>"


def _shape(value: Any) -> Any:
    """The shape of a tensor, also inside lists and tuples; anything else as it is."""
    if isinstance(value, list | tuple) and type(value) in (list, tuple):
        return type(value)(map(_shape, value))
    return getattr(value, "shape", value)


def of_shapes(formula: Callable[..., int]) -> Callable[..., int]:
    """A formula of shapes as one of arguments: tensors become their shapes, and the result's is ``out_shape``."""

    @wraps(formula)
    def counted(*args: Any, out_val: Any = None, **kwargs: Any) -> int:
        return formula(*_shape(args), out_shape=_shape(out_val), **{name: _shape(value) for name, value in kwargs.items()})

    return counted


def named(target: Any) -> str:
    """The name by which calls of a target are counted: PyTorch's of its operators, else the op's own.

    Raises a ValueRangeError (ValueError) for what is neither text nor an op.
    """
    if isinstance(target, str):
        return Name(target)
    if hasattr(target, "op") and hasattr(target.op, "name"):
        return Name(target.op.name)
    what = f"register_flop_formula(targets): expected each target to be an op of dovetail.extend or a name, got {target!r}"
    raise ValueRangeError("flop_counter", f"{what} which is of type {type(target)}", "", 'PyTorch\'s operators go by name: "aten.mm"')


def register_flop_formula(targets: Any, get_raw: bool = False) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """Count the calls of ops by a formula: of shapes and ``out_shape``, or with `get_raw` of tensors and ``out_val``; a decorator.

    A target is an op made with ``dovetail.extend.op``, the name of an op, or PyTorch's name of an operator (``"aten.mv"``); or several.
    Raises a ValueError for another target, a RuntimeError for one that has a formula.

    >>> from dovetail.extend import Array, op
    >>> @op(name="example/twice")
    ... def twice(input: Array) -> Array:
    ...     return input * 2
    >>> @register_flop_formula(twice)
    ... def _(input_shape, out_shape=None, **kwargs):
    ...     return input_shape.numel()
    >>> import dovetail as dv
    >>> with dv.train.FlopCounterMode(display=False) as counter:
    ...     _ = twice(dv.ones(3, 4))
    >>> counter.get_total_flops()
    12
    """

    def register(formula: Callable[..., int]) -> Callable[..., int]:
        counted = formula if get_raw else of_shapes(formula)
        for target in targets if isinstance(targets, Iterable) and not isinstance(targets, str) else [targets]:
            name = named(target)
            if name in FORMULAS:
                raise GradError("register_flop_formula", f"duplicate registrations for {name}")
            FORMULAS[name] = counted
        return counted

    return register


@register_flop_formula("aten.mm")
def mm_flop(a: Shape, b: Shape, *args: Any, **kwargs: Any) -> int:
    """``2 m k n`` for (m, k) times (k, n)."""
    return 2 * a[0] * a[1] * b[1]


@register_flop_formula("aten.addmm")
def addmm_flop(bias: Shape, a: Shape, b: Shape, **kwargs: Any) -> int:
    """That of the product; the sum is not counted."""
    return 2 * a[0] * a[1] * b[1]


@register_flop_formula("aten.bmm")
def bmm_flop(a: Shape, b: Shape, **kwargs: Any) -> int:
    """``2 m k n`` for each pair of matrices."""
    return 2 * a[0] * a[1] * a[2] * b[2]


@register_flop_formula("aten.baddbmm")
def baddbmm_flop(bias: Shape, a: Shape, b: Shape, **kwargs: Any) -> int:
    """That of the products."""
    return 2 * a[0] * a[1] * a[2] * b[2]


def _conv(x: Shape, w: Shape, out: Shape, transposed: bool) -> int:
    """Each place of the output (of the input, where it is transposed) meets each weight once; padding is not left out."""
    return 2 * x[0] * prod((x if transposed else out)[2:]) * prod(w)


@register_flop_formula("aten.convolution")
def conv_flop(
    x: Shape, w: Shape, bias: Any, stride: Any, padding: Any, dilation: Any, transposed: bool, *args: Any, out_shape: Any = None, **kw: Any
) -> int:
    """By :func:`_conv`."""
    return _conv(x, w, out_shape, transposed)


@register_flop_formula("aten.convolution_backward")
def conv_backward_flop(
    grad: Shape, x: Shape, w: Shape, bias: Any, stride: Any, padding: Any, dilation: Any, transposed: bool, output_padding: Any,
    groups: int, mask: Any, out_shape: Any = None, **kwargs: Any,
) -> int:  # fmt: skip
    """The gradients that the mask asks for, each as the convolution that it is: of the input, and of the weight."""
    total = _conv(grad, w, out_shape[0], not transposed) if mask[0] else 0
    if mask[1]:
        moved, over = (grad, x) if transposed else (x, grad)  # channels take the place of the batch
        total += 2 * moved[1] * prod(out_shape[1][2:]) * over[1] * over[0] * prod(over[2:])
    return total


def attention_flop(query: Shape, key: Shape, value: Shape, *args: Any, **kwargs: Any) -> int:
    """Both products of fused attention, without regard to a mask: the formula for `custom_mapping`.

    >>> attention_flop((1, 2, 5, 8), (1, 2, 7, 8), (1, 2, 7, 8))
    2240
    """
    return 2 * prod(query[:-1]) * key[-2] * (query[-1] + value[-1])
