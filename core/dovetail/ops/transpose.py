"""Views with the dimensions in another order."""

from __future__ import annotations

import warnings
from typing import Any

from ..autograd.node import Tensor, titled
from ..errors import ShapeError, TypeMismatch
from ._dims import dim_of, dims_of, sizes_of
from ._op import Array, op
from ._reseat import reseating
from ._viewing import viewing
from .memory import alias

__all__ = ["adjoint", "moveaxis", "movedim", "permute", "swapaxes", "swapdims", "t", "transpose"]
METHODS = (
    "H", "T", "adjoint", "mH", "mT", "moveaxis", "movedim", "permute", "swapaxes", "swapaxes_", "swapdims", "swapdims_", "t", "t_",
    "transpose", "transpose_",
)  # fmt: skip


@viewing
@op(dtypes=None, alias="always")
def transpose(input: Array, dim0: Any, dim1: Any) -> Array:
    """Swap two dimensions, as a view.

    >>> import dovetail as dv
    >>> dv.transpose(dv.tensor([[1, 2], [3, 4]]), 0, 1)
    tensor([[1, 3],
            [2, 4]])
    """
    try:
        return input.swapaxes(dim0, dim1)
    except ValueError:
        dim_of("transpose", dim0, input.ndim), dim_of("transpose", dim1, input.ndim)
        return input.view()  # a number, which counts as of one dimension


transpose.vjp(lambda g, dim0, dim1: transpose(g, dim0, dim1))


def swapaxes(input: Tensor, axis0: int, axis1: int) -> Tensor:
    """:func:`transpose` by NumPy's name.

    >>> import dovetail as dv
    >>> dv.swapaxes(dv.ones(2, 3, 4), 0, 2).shape
    dovetail.Size([4, 3, 2])
    """
    return transpose(input, axis0, axis1)


def swapdims(input: Tensor, dim0: int, dim1: int) -> Tensor:
    """:func:`transpose` by another name.

    >>> import dovetail as dv
    >>> dv.swapdims(dv.ones(2, 3, 4), 0, 2).shape
    dovetail.Size([4, 3, 2])
    """
    return transpose(input, dim0, dim1)


def t(input: Tensor) -> Tensor:
    """The transpose of a matrix; vectors and numbers stay as they are.

    Raises a ShapeError (RuntimeError) for more dimensions.

    >>> import dovetail as dv
    >>> dv.ones(2, 3).t().shape
    dovetail.Size([3, 2])
    """
    n = input._a.ndim
    if n > 2:
        raise ShapeError("t()", f"expects a tensor with <= 2 dimensions, but self is {n}D", "", "use mT or transpose")
    return titled("T0", transpose(input, 0, 1) if n == 2 else alias(input))


@viewing
@op(dtypes=None, alias="always", name="permute")
def _permute(input: Array, dims: Any) -> Array:
    """The dimensions in another order."""
    return input.transpose(dims)


_permute.vjp(lambda g, dims: _permute(g, tuple(sorted(range(len(dims)), key=dims.__getitem__))))


def permute(input: Tensor, *args: Any, dims: Any = None) -> Tensor:
    """The dimensions in another order, as a view.

    Raises a ShapeError (RuntimeError) unless every dimension is named once.

    >>> import dovetail as dv
    >>> dv.ones(2, 3, 4).permute(2, 0, 1).shape
    dovetail.Size([4, 2, 3])
    """
    order, n = sizes_of("permute", args if dims is None else (dims,), "dims"), input._a.ndim
    if len(order) != n:
        text = "number of dimensions in the tensor input does not match the length of the desired ordering of dimensions"
        raise ShapeError("permute", text, f"input.dim() = {n} is not equal to len(dims) = {len(order)}")
    order = tuple(dim_of("permute", d, n) for d in order)
    if len(set(order)) != n:
        raise ShapeError("permute()", "duplicate dims are not allowed.", f"got {order}")
    return _permute(input, order)


def movedim(input: Tensor, source: Any, destination: Any) -> Tensor:
    """Move dimensions to other places; the others keep their order. A view.

    >>> import dovetail as dv
    >>> dv.ones(2, 3, 4).movedim(0, -1).shape
    dovetail.Size([3, 4, 2])
    """
    n = input._a.ndim
    if isinstance(source, tuple | list) != isinstance(destination, tuple | list):
        raise TypeMismatch("movedim()", f"received an invalid combination of arguments - got ({source!r}, {destination!r})")
    pair = [tuple(x) if isinstance(x, tuple | list) else (x,) for x in (source, destination)]
    if len(pair[0]) != len(pair[1]):
        text = f"Invalid source or destination dims: source ({list(pair[0])} dims) should contain the same number of dims as destination"
        text += f" ({list(pair[1])} dims)"
        raise ShapeError("movedim", text)
    src, dst = (dims_of("movedim", x, n) for x in pair)
    if not n:
        return alias(input)
    order = [d for d in range(n) if d not in src]
    for to, d in sorted(zip(dst, src, strict=True)):
        order.insert(to, d)
    return _permute(input, tuple(order))


def moveaxis(input: Tensor, source: Any, destination: Any) -> Tensor:
    """:func:`movedim` by NumPy's name.

    >>> import dovetail as dv
    >>> dv.moveaxis(dv.ones(2, 3, 4), 0, 2).shape
    dovetail.Size([3, 4, 2])
    """
    return movedim(input, source, destination)


def _transposed(name: str, input: Tensor, conjugated: bool = False) -> Tensor:
    n = input._a.ndim
    if n == 1 and name != "H":
        raise ShapeError(name, f"tensor.{name} is only supported on matrices or batches of matrices. Got {n}-D tensor.")
    if name == "H" and n not in (0, 2):
        raise ShapeError(name, f"tensor.H is only supported on matrices (2-D tensors). Got {n}-D tensor.", "", "use mH")
    out: Any = transpose(input, -2, -1) if n else input
    return out.conj() if conjugated and out._a.dtype.kind == "c" else out


def _all_reversed(input: Tensor) -> Tensor:
    n = input._a.ndim
    if n not in (0, 2):
        text = "The use of `x.T` on tensors of dimension other than 2 to reverse their shape is deprecated; use x.mT, or x.permute(...)"
        warnings.warn(text, UserWarning, stacklevel=2)
    return _permute(input, tuple(range(n))[::-1])


def adjoint(input: Tensor) -> Tensor:
    """The last two dimensions swapped, and complex numbers conjugated.

    >>> import dovetail as dv
    >>> dv.ones(2, 3).adjoint().shape
    dovetail.Size([3, 2])
    """
    return _transposed("adjoint", input, True)


T = property(_all_reversed, doc="The dimensions in reverse order.")
mT = property(lambda input: _transposed("mT", input), doc="The last two dimensions swapped.")
H = property(lambda input: _transposed("H", input, True), doc="A matrix transposed and conjugated.")
mH = property(adjoint, doc="The last two dimensions swapped, and complex numbers conjugated.")
transpose_, swapaxes_ = reseating(transpose), reseating(swapaxes)
swapdims_, t_ = reseating(swapdims), reseating(t)
