"""Writing in square brackets: only what is addressed is touched, and both value and past keep their gradients."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..autograd.modes import GRAD, STATE
from ..autograd.node import CLASSES, Tensor, changed
from ..device import device_of
from ..errors import DtypeError, ShapeError, TypeMismatch
from ._arrays import same_type, scatter_add
from ._dims import dim_of, misfit
from ._op import Array, Fixed
from ._parse import outside, parse
from ._prepare import NUMBERS
from ._refuse import fits, type_name
from ._stored import storing
from .index import basic, getitem, index, is_ready, lone_mask, plain_index, slices
from .inplace import _caller as caller
from .inplace import write
from .memory import move

__all__ = ["index_put", "select_scatter", "slice_scatter"]
INPLACE_FUNCTIONS = ("index_put",)


@storing("setitem", preserve=True)
def set_at(input: Array, value: Array, at: Any, indices: Fixed, adding: bool = False) -> None:
    """A copy of `input` with `value` where the index points, or added as often as it points there."""
    if getattr(value, "dtype", input.dtype).kind == "c" and input.dtype.kind != "c":
        value = value.real
    elif input.dtype.kind in "iu" and not hasattr(value, "dtype"):
        value = fits("index_put_", value, input.dtype)
    region = input if at is None else input[at]
    if indices is not None and getattr(value, "ndim", 0) > 1 and len(indices) == 1 and max(value.shape[:-1]) == 1:
        value = value.reshape(value.shape[-1]) if indices[0].ndim == region.ndim and indices[0].dtype.kind == "b" else value
    try:
        if not adding:
            region[... if indices is None else indices] = value
        elif indices is None:
            region[...] += value
        else:
            scatter_add(region, indices, value)
    except ValueError as error:
        raise _misfit(region, value, indices) from error
    except TypeError as error:  # NumPy's of a mask and a value of several dimensions
        raise (_misfit(region, value, indices) if getattr(value, "ndim", 0) > 1 else error) from error
    except IndexError as error:
        raise outside(region, indices or (), error) from None


set_at.vjp(0)(lambda g, at, indices, adding: g if adding else set_at(g, 0, at, indices))
set_at.vjp(1)(lambda g, at, indices, value_shape: _region(g, at, indices, len(value_shape)))


def _region(g: Tensor, at: Any, indices: Any, ndim: int) -> Any:
    """What a value receives, with as many dimensions as it has at least."""
    out = basic(g, ... if at is None else at) if indices is None else index(g, at, indices)
    return out if out._a.ndim >= ndim else basic(out, (None,) * (ndim - out._a.ndim) + (...,))


def _misfit(region: Any, value: Any, indices: Any) -> Exception:
    """What PyTorch says of a value that does not broadcast to the place it should go to."""
    have = list(getattr(value, "shape", ()))
    if indices is not None:
        want = list(region[indices].shape)
        return ShapeError("setitem", f"shape mismatch: value tensor of shape {have} cannot be broadcast to indexing result of shape {want}")
    while len(have) > region.ndim and have[0] == 1:
        have = have[1:]
    what, sizes = misfit(have, region.shape)
    return ShapeError("setitem", what, sizes or f"value {have}, place {list(region.shape)}")


def setitem(input: Tensor, at: Any, value: Any) -> None:
    """``input[at] = value`` for a number or a tensor, which is broadcast and cast.

    Raises a TypeMismatch (TypeError) for other values, a ShapeError (RuntimeError) for one that does not fit.

    >>> import dovetail as dv
    >>> x = dv.zeros(2, 2)
    >>> x[0] = dv.tensor([1., 2.]); x[x == 0] = -1
    >>> x
    tensor([[ 1.,  2.],
            [-1., -1.]])
    """
    first, then = plain_index(at), None
    if first is None:
        first, then = (None, (at,)) if is_ready(input._a, at) else parse(input._a, at)
    elif _set_quickly(input, first, value):
        return
    if value.__class__ in CLASSES:
        value = _fitting(input, value if input._a.dtype.kind in "fcV" else value.detach(), then)
    elif not isinstance(value, (NUMBERS, np.integer)):
        kind = type_name(input._a.dtype)
        raise TypeMismatch("setitem", f"can't assign a {type(value).__name__} to a dovetail.{kind}Tensor", "expected a Tensor or a number")
    elif input._a.dtype.kind != "c" and (value.__class__ is complex or (input._a.dtype.kind in "iu" and not abs(value) < float("inf"))):
        raise DtypeError("setitem", f"value cannot be converted to type {input.dtype.name} without overflow", f"got {value}")
    if then is None and 0 in input._a.strides:
        input, first = getitem(input, first), (...,)  # what is written may be there once, though the whole is expanded
    try:
        write(set_at.op, [input, value, first, then, False])
    except IndexError:
        parse(input._a, at)
        raise


def _set_quickly(input: Tensor, at: Any, value: Any) -> bool:
    """Write without further ado where no gradient is concerned; False where more has to be looked at."""
    word, a = STATE.word, input._a
    if word > GRAD or input._n is not None or 0 in a.strides or a.__class__ is not np.ndarray or not a.flags.writeable:
        return False
    if value.__class__ in CLASSES:
        b = value._a
        if b.dtype != a.dtype or b.__class__ is not np.ndarray or (word and value._n is not None):
            return False
    elif (value.__class__ is not float and value.__class__ is not int) or a.dtype.kind != "f":
        return False
    else:
        b = value
    root = input
    while getattr(root, "_b", None) is not None:
        root = root._b[0]
    if root._n is not None or input._v[0] == _NEVER:
        return False
    try:
        a[at] = b
    except (ValueError, IndexError, TypeError):
        return False  # which then says what is wrong
    changed(input._v, caller(set_at.op))
    return True


_NEVER = float("inf")


def _fitting(input: Tensor, value: Tensor, then: Any) -> Tensor:
    """The value on the device of the target; index arrays want the type of the target too, as in PyTorch."""
    where = device_of(input._a)
    if (value._a.ndim and device_of(value._a) != where) or device_of(value._a).type != where.type:
        value = move(value, where)
    if then is not None and not (lone_mask(then) and value._a.size == 1):
        same_type("setitem", _DIFFER, input._a, value._a)
    return value


_DIFFER = (
    "Index put requires the source and destination dtypes match, got {} for the destination and {} for the source; "
    "convert the value with .to(dtype)"
)


def _put_parts(input: Tensor, indices: Any, values: Tensor, accumulate: bool) -> list[Any]:
    if not isinstance(indices, tuple | list):
        raise TypeMismatch("index_put_()", f"argument 'indices' must be tuple of Tensors, not {type(indices).__name__}")
    if any(i is not None and i.__class__ not in CLASSES for i in indices):
        raise TypeMismatch("index_put_()", "argument 'indices' must be tuple of Tensors or None")
    at = parse(input._a, tuple(slice(None) if i is None else i for i in indices), select=False)
    same_type("setitem", _DIFFER, input._a, values._a)
    return [input, values, *at, accumulate]


def index_put(input: Tensor, indices: Any, values: Tensor, accumulate: bool = False) -> Tensor:
    """A copy with ``values`` at the index tensors: ``out[indices] = values``, or added there with ``accumulate``.

    Raises a DtypeError (RuntimeError) for values of another type.

    >>> import dovetail as dv
    >>> dv.zeros(3).index_put((dv.tensor([0, 0]),), dv.ones(2), accumulate=True)
    tensor([2., 0., 0.])
    """
    return set_at(*_put_parts(input, indices, values, accumulate))


def index_put_(input: Tensor, indices: Any, values: Tensor, accumulate: bool = False) -> Tensor:
    """In-place form of :func:`index_put`."""
    return write(set_at.op, _put_parts(input, indices, values, accumulate))


def select_scatter(input: Tensor, src: Tensor, dim: int, index: int) -> Tensor:
    """A copy with ``src`` in place of one slice: ``out[:, index] = src`` for dim 1.

    Raises a ShapeError (RuntimeError) for a ``src`` of another shape than the slice.

    >>> import dovetail as dv
    >>> dv.select_scatter(dv.zeros(2, 2), dv.ones(2), 0, 1)
    tensor([[0., 0.],
            [1., 1.]])
    """
    return _placed("select_scatter", input, src, (*slices(dim_of("select_scatter", dim, input._a.ndim), int(index)), ...))


def slice_scatter(input: Tensor, src: Tensor, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1) -> Tensor:
    """A copy with ``src`` in place of a range of slices: ``out[:, start:end:step] = src`` for dim 1.

    Raises a ShapeError (RuntimeError) for a ``src`` of another shape than the range.

    >>> import dovetail as dv
    >>> dv.slice_scatter(dv.zeros(3), dv.ones(2), 0, 1)
    tensor([0., 1., 1.])
    """
    return _placed("slice_scatter", input, src, slices(dim_of("slice_scatter", dim, input._a.ndim), slice(start, end, step)))


def _placed(where: str, input: Tensor, src: Tensor, at: Any) -> Tensor:
    same_shape(where, "slice", src, getitem(input, at))
    return set_at(input, src, at, None)


def same_shape(where: str, what: str, src: Tensor, place: Tensor) -> None:
    """Refuse a `src` of another shape than its place, a slice or a diagonal."""
    have, want = list(src._a.shape), list(place._a.shape)
    if have != want:
        text = f"expected src to have a size equal to the {what} of self. src size = {have}, {what} size = {want}"
        raise ShapeError(where, text)
