"""Square brackets: reading is a view for integers, slices, None and Ellipsis, and a copy for masks and index arrays.

An index is first parsed into two steps: a basic one, which NumPy does without copying, and an advanced one on its
result. So integers beside index arrays act first, as in PyTorch (NumPy would treat them as index arrays).
"""

from __future__ import annotations

from typing import Any

from ..autograd.modes import GRAD, STATE
from ..autograd.node import ASKED, CLASSES, Tensor
from ..device import xp
from ..errors import RangeError, ShapeError, TypeMismatch
from ._arrays import scatter_add
from ._call import dispatch
from ._dims import _index, dim_of
from ._op import Array, Fixed, op
from ._override import overridden
from ._parse import outside, parse
from ._viewing import view_of

__all__ = ["narrow", "select"]
METHODS = ("__getitem__", "narrow", "select")

_EXACT = (int, type(None), type(Ellipsis))


@op(dtypes=None, alias="always", name="getitem")
def basic(input: Array, at: Any) -> Array:
    """The view that integers, slices, None and Ellipsis address."""
    return input[at]


basic.vjp(lambda g, input_shape, at: getitem_grad(g, input_shape, at))


@op(dtypes=None, contiguous=True)
def index(input: Array, at: Any, indices: Fixed) -> Array:
    """The copy that masks and index arrays address, after the basic step `at` (or None)."""
    a, last = input if at is None else input[at], indices[-1]
    try:
        if a.flags.c_contiguous and last.dtype.kind != "b" and (len(indices) == 1 or all(i.__class__ is slice for i in indices[:-1])):
            return a.take(last, axis=len(indices) - 1)
        return a[indices]
    except IndexError as error:
        raise outside(a, indices, error) from None


index.vjp(lambda g, input_shape, at, indices: getitem_grad(g, input_shape, at, indices))


@op(dtypes=None)
def getitem_grad(grad: Array, shape: Any, at: Any, indices: Fixed = None) -> Array:
    """Zeros of a shape with `grad` added where the two steps of an index picked."""
    out = xp(grad).zeros(shape, grad.dtype)
    region = out if at is None else out[at]
    if indices is None:
        region[...] = grad
    elif lone_mask(indices):
        region[indices] = grad  # picks no element twice
    else:
        scatter_add(region, indices, grad)
    return out


getitem_grad.vjp(lambda g, at, indices: basic(g, at) if indices is None else index(g, at, indices))


def slices(dim: int, index: Any) -> tuple[Any, ...]:
    """The index of one dimension."""
    return (slice(None),) * dim + (index,)


def lone_mask(indices: Any) -> bool:
    """Whether a mask is the only part of an index that is no full slice."""
    *before, last = indices
    return getattr(last, "_a", last).dtype.kind == "b" and all(i.__class__ is slice for i in before)


def getitem(input: Tensor, at: Any) -> Tensor:
    """``input[at]``: a view for integers, slices, None and Ellipsis, a copy for masks and index tensors.

    Raises a RangeError (IndexError) outside a dimension, a ValueRangeError (ValueError) for a negative step.

    >>> import dovetail as dv
    >>> x = dv.arange(6).reshape(2, 3)
    >>> x[1, 1:], x[:, [2, 0]], x[x > 3]
    (tensor([4, 5]), tensor([[2, 0],
            [5, 3]]), tensor([4, 5]))
    """
    plain = plain_index(at)
    word = STATE.word
    if plain is not None and input.__class__ in CLASSES:
        if word > GRAD:
            return dispatch(basic.op, (input, plain))
        try:
            return view_of(basic.op, input, (plain,), input._a[plain], word)
        except (IndexError, ValueError, TypeError):
            pass  # `parse` says what is wrong
    if input.__class__ in ASKED:
        return overridden(Tensor.__getitem__, TypeMismatch("getitem()", "the argument does not answer"), (input, at), {})
    if input.__class__ not in CLASSES:  # what calls this asks sparse tensors
        raise TypeMismatch("getitem()", f"argument 'input' (position 1) must be Tensor, not {type(input).__name__}")
    if is_ready(input._a, at):
        return index(input, None, (at,))
    first, then = parse(input._a, at)
    if then is not None:
        return index(input, first, then)
    return dispatch(basic.op, (input, first)) if word > GRAD else view_of(basic.op, input, (first,), input._a[first], word)


def plain_index(at: Any) -> Any:
    """The index for NumPy if it is made of integers, slices without a step, None and Ellipsis; else None.

    Ends with an Ellipsis, without which NumPy would return a number for an element.
    """
    kind = at.__class__
    if kind is int:
        return (at, ...)
    if kind is slice:
        return at if at.step is None else None
    if kind is not tuple:
        return (at, ...) if at is None else None
    dots = False
    for part in at:
        kind = part.__class__
        if kind is slice:
            if part.step is not None:
                return None
        elif kind not in _EXACT:
            return None
        elif part is ...:
            if dots:
                return None
            dots = True
    return at if dots else (*at, ...)


def is_ready(a: Any, at: Any) -> bool:
    """Whether an index is a single index tensor or mask that needs no parsing."""
    if at.__class__ not in CLASSES:
        return False
    i = at._a
    return i.ndim > 0 and a.ndim > 0 and i.__class__ is a.__class__ and (i.dtype == "int64" or (i.dtype == "bool" and i.shape == a.shape))


__getitem__ = getitem


def select(input: Tensor, dim: int, index: int) -> Tensor:
    """One slice of a dimension, as a view without it: ``input[:, index]`` for dim 1.

    Raises a RangeError (IndexError) outside the dimension.

    >>> import dovetail as dv
    >>> dv.arange(6).reshape(2, 3).select(1, 2)
    tensor([2, 5])
    """
    a = input._a
    if a.ndim == 0:
        raise RangeError("select()", "cannot be applied to a 0-dim tensor")
    d = dim_of("select", dim, a.ndim)
    if not -a.shape[d] <= index < a.shape[d]:
        raise RangeError("select()", f"index {index} out of range for tensor of size {list(a.shape)} at dimension {d}")
    return getitem(input, slices(d, _index("select", "index", index)))


def narrow(input: Tensor, dim: int, start: Any, length: int) -> Tensor:
    """``length`` slices of a dimension from ``start`` on, as a view.

    Raises a RangeError (IndexError) for a start outside, a ShapeError (RuntimeError) where the slices end outside.

    >>> import dovetail as dv
    >>> dv.arange(5).narrow(0, 1, 3)
    tensor([1, 2, 3])
    """
    if start.__class__ in CLASSES and (start._a.ndim or start._a.dtype.kind not in "iu"):
        raise ShapeError("narrow()", f"start must be an 0-dim integral Tensor. (got {start.dtype}, shape {tuple(start._a.shape)})")
    a, start = input._a, int(start)
    if a.ndim == 0:
        raise ShapeError("narrow()", "cannot be applied to a 0-dim tensor.")
    if length < 0:
        raise ShapeError("narrow()", f"length must be non-negative (got {length})")
    d = dim_of("narrow", dim, a.ndim)
    n = a.shape[d]
    if not -n <= start <= n:
        raise RangeError("narrow", f"start out of range (expected to be in range of [{-n}, {n}], but got {start})")
    start += n if start < 0 else 0
    if start + length > n:
        raise ShapeError("narrow", f"start ({start}) + length ({length}) exceeds dimension size ({n}).")
    return getitem(input, slices(d, slice(start, start + length)))
