"""Writing in square brackets: only what is addressed is touched, and both value and past keep their gradients."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..autograd.modes import GRAD, STATE
from ..autograd.node import CLASSES, Tensor, changed
from ..device import device_of
from ..errors import DtypeError, ShapeError, TypeMismatch
from ._arrays import scatter_add
from ._op import Array, Fixed, op
from ._parse import outside, parse
from ._prepare import NUMBERS
from ._refuse import type_name
from ._stored import stored, stores
from .index import basic, getitem, index, is_ready, one_mask, plain_index
from .inplace import _caller as caller
from .inplace import write
from .memory import move

__all__ = ["index_put"]
INPLACE = ("index_put",)


@op(dtypes=None, name="setitem")
def set_at(input: Array, value: Array, at: Any, indices: Fixed) -> Array:
    """A copy of `input` with `value` where the index points."""
    return stored(set_at, input, value, at, indices)


@set_at.vjp
def _(g: Any, needs: Any, at: Any, indices: Any, value_shape: Any) -> Any:
    past = set_at(g, 0, at, indices) if needs[0] else None
    return past, (_region(g, at, indices, len(value_shape)) if needs[1] else None)


def _region(g: Tensor, at: Any, indices: Any, ndim: int) -> Any:
    """What a value receives, with as many dimensions as it has at least."""
    out = basic(g, ... if at is None else at) if indices is None else index(g, at, indices)
    return out if out._a.ndim >= ndim else basic(out, (None,) * (ndim - out._a.ndim) + (...,))


@stores(set_at)
def _(a: Any, value: Any, at: Any, indices: Any) -> None:
    """Write into the raw array."""
    if getattr(value, "dtype", a.dtype).kind == "c" and a.dtype.kind != "c":
        value = value.real
    region = a if at is None else a[at]
    if indices is not None and getattr(value, "ndim", 0) > 1 and len(indices) == 1 and max(value.shape[:-1]) == 1:
        value = value.reshape(value.shape[-1]) if indices[0].ndim == region.ndim and indices[0].dtype.kind == "b" else value
    try:
        region[... if indices is None else indices] = value
    except ValueError as error:
        raise _misfit(region, value, indices) from error
    except IndexError as error:
        raise outside(region, indices or (), error) from None


def _misfit(region: Any, value: Any, indices: Any) -> Exception:
    """What PyTorch says of a value that does not broadcast to the place it should go to."""
    have = list(getattr(value, "shape", ()))
    if indices is not None:
        want = list(region[indices].shape)
        text = f"shape mismatch: value tensor of shape {have} cannot be broadcast to indexing result of shape {want}"
        return ShapeError("setitem", text)
    want = list(region.shape)
    while len(have) > len(want) and have[0] == 1:
        have = have[1:]
    if len(have) > len(want):
        text = f"the number of sizes provided ({len(want)}) must be greater or equal to the number of dimensions in the tensor"
        text += f" ({len(have)})"
        return ShapeError("setitem", text, f"value {have}, place {want}")
    ahead = len(want) - len(have)
    d = next((i for i, n in enumerate(have) if n not in (1, want[i + ahead])), 0)
    text = f"The expanded size of the tensor ({want[d + ahead]}) must match the existing size ({have[d]})"
    text += f" at non-singleton dimension {d + ahead}"
    return ShapeError("setitem", text, f"Target sizes: {want}.  Tensor sizes: {have}")


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
        value = _fitting(input, value, then)
    elif not isinstance(value, NUMBERS):
        kind = type_name(input._a.dtype)
        raise TypeMismatch("setitem", f"can't assign a {type(value).__name__} to a dovetail.{kind}Tensor", "expected a Tensor or a number")
    elif value.__class__ is complex and input._a.dtype.kind != "c":
        raise DtypeError("setitem", f"value cannot be converted to type {input.dtype.name} without overflow", f"got {value}")
    if then is None and 0 in input._a.strides:
        input, first = getitem(input, first), (...,)  # what is written may be there once, though the whole is expanded
    try:
        write(set_at.op, [input, value, first, then])
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
    except (ValueError, IndexError):
        return False  # which then says what is wrong
    changed(input._v, caller(set_at.op))
    return True


_NEVER = float("inf")


def _fitting(input: Tensor, value: Tensor, then: Any) -> Tensor:
    """The value on the device of the target; index arrays want the type of the target too, as in PyTorch."""
    where = device_of(input._a)
    if (value._a.ndim and device_of(value._a) != where) or device_of(value._a).type != where.type:
        value = move(value, where)
    if then is not None and value._a.dtype != input._a.dtype:
        mask = one_mask(then) and any(i.__class__ is not slice and getattr(i, "_a", i).dtype.kind == "b" for i in then)
        if not mask or value._a.size != 1:
            _same_type("Index put", input, value)
    return value


def _same_type(what: str, input: Any, value: Any) -> None:
    names = [type_name(t._a.dtype) for t in (input, value)]
    text = f"{what} requires the source and destination dtypes match, got {names[0]} for the destination and {names[1]} for the source"
    raise DtypeError("setitem", text, "", "convert the value with .to(dtype)")


@op(dtypes=None, name="index_put_add")
def _index_add_at(input: Array, value: Array, at: Any, indices: Fixed) -> Array:
    """A copy of `input` with `value` added where the index points, as often as it points there."""
    return stored(_index_add_at, input, value, at, indices)


_index_add_at.vjp(lambda g, at, indices, value_shape: (g, _region(g, at, indices, len(value_shape))))


@stores(_index_add_at)
def _(a: Any, value: Any, at: Any, indices: Any) -> None:
    """Add in the raw array."""
    region = a if at is None else a[at]
    if indices is None:
        region[...] += value
        return
    try:
        scatter_add(region, indices, value)
    except ValueError as error:
        raise _misfit(region, value, indices) from error


def _put_parts(input: Tensor, indices: Any, values: Tensor) -> tuple[Any, Any, Tensor]:
    if not isinstance(indices, tuple | list):
        raise TypeMismatch("index_put_()", f"argument 'indices' must be tuple of Tensors, not {type(indices).__name__}")
    if any(i is not None and i.__class__ not in CLASSES for i in indices):
        raise TypeMismatch("index_put_()", "argument 'indices' must be tuple of Tensors or None")
    first, then = parse(input._a, tuple(slice(None) if i is None else i for i in indices), select=False)
    if values._a.dtype != input._a.dtype:
        _same_type("Index put", input, values)
    return first, then, values


def index_put(input: Tensor, indices: Any, values: Tensor, accumulate: bool = False) -> Tensor:
    """A copy with ``values`` at the index tensors: ``out[indices] = values``, or added there with ``accumulate``.

    Raises a DtypeError (RuntimeError) for values of another type.

    >>> import dovetail as dv
    >>> dv.zeros(3).index_put((dv.tensor([0, 0]),), dv.ones(2), accumulate=True)
    tensor([2., 0., 0.])
    """
    first, then, values = _put_parts(input, indices, values)
    return (_index_add_at if accumulate else set_at)(input, values, first, then)


def index_put_(input: Tensor, indices: Any, values: Tensor, accumulate: bool = False) -> Tensor:
    """In-place form of :func:`index_put`."""
    first, then, values = _put_parts(input, indices, values)
    return write((_index_add_at if accumulate else set_at).op, [input, values, first, then])
