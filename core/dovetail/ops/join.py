"""Joining tensors and taking them apart: copies one way, views the other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..autograd.node import CLASSES, Tensor
from ..device import xp
from ..dtypes import result_dtype
from ..errors import RangeError, ShapeError, TypeMismatch, ValueRangeError
from ._dims import dim_of, sizes_of, tuple_of
from ._op import Array, Arrays, op
from .index import getitem
from .memory import cast

__all__ = [
    "cat", "chunk", "concat", "concatenate", "dsplit", "hsplit", "split", "split_with_sizes", "stack", "tensor_split", "unbind",
    "vsplit",
]  # fmt: skip
METHODS = ("chunk", "dsplit", "hsplit", "split", "split_with_sizes", "tensor_split", "unbind", "vsplit")


def listed(where: str, tensors: Any, alike: bool = True) -> list[Any]:
    """The tensors of a list argument, cast to their common type unless that is to wait."""
    if not isinstance(tensors, tuple | list):
        raise TypeMismatch(f"{where}()", f"argument 'tensors' (position 1) must be tuple of Tensors, not {type(tensors).__name__}")
    for k, one in enumerate(tensors):
        if not isinstance(one, Tensor):
            raise TypeMismatch(f"{where}()", f"expected Tensor as element {k} in argument 0, but got {type(one).__name__}")
    kinds = {one._a.dtype for one in tensors}
    if alike and len(kinds) > 1:
        common = result_dtype([one._a for one in tensors]).np
        return [one if one._a.dtype == common else cast(one, common) for one in tensors]
    return list(tensors)


def _even(tensors: Any) -> bool:
    """Whether these are tensors of one shape and type: the usual case, which needs no further look."""
    if (tensors.__class__ is not list and tensors.__class__ is not tuple) or not tensors or tensors[0].__class__ not in CLASSES:
        return False
    a = tensors[0]._a
    shape, kind = a.shape, a.dtype
    return all(t.__class__ in CLASSES and t._a.shape == shape and t._a.dtype is kind for t in tensors)


@op(dtypes=None, name="cat", contiguous="or channels last")
def _cat(tensors: Arrays, dim: Any) -> Array:
    """Join along a dimension."""
    return xp(tensors[0]).concatenate(tensors, axis=dim)


@_cat.vjp
def _(g: Any, tensors_shape: Any, dim: Any) -> Any:
    return [getitem(g, at) for at in _spans([shape[dim] for shape in tensors_shape], dim)]


def _spans(sizes: Any, dim: int) -> Iterator[Any]:
    """The indices of parts of these sizes, which lie one after the other along a dimension."""
    at, ahead = 0, (slice(None),) * dim
    for n in sizes:
        yield (*ahead, slice(at, at + n))
        at += n


def cat(tensors: Any, dim: int = 0) -> Tensor:
    """Join tensors along a dimension; their other sizes are equal. Empty ``(0,)`` tensors are left out.

    Raises a ShapeError (RuntimeError) for sizes that differ, a ValueRangeError (ValueError) for an empty list.

    >>> import dovetail as dv
    >>> dv.cat([dv.ones(1, 2), dv.zeros(1, 2)])
    tensor([[1., 1.],
            [0., 0.]])
    """
    if _even(tensors) and tensors[0]._a.ndim:
        return _cat(tensors, dim_of("cat", dim, tensors[0]._a.ndim))
    given = listed("cat", tensors)
    if not given:
        raise ValueRangeError("cat()", "expected a non-empty list of Tensors")
    for k, one in enumerate(given):
        if one._a.ndim == 0:
            raise ShapeError("cat", f"zero-dimensional tensor (at position {k}) cannot be concatenated", "", "use stack")
    flat = all(one._a.ndim == 1 for one in given)  # then empty ones, too, are joined: an export is to see them
    parts = given if flat else [one for one in given if one._a.shape != (0,)]
    first = parts[0]._a.shape
    d = dim_of("cat", dim, len(first))
    for k, one in enumerate(parts):
        shape = one._a.shape
        if len(shape) != len(first):
            raise ShapeError("cat", f"Tensors must have same number of dimensions: got {len(first)} and {len(shape)}")
        at = next((i for i, n in enumerate(first) if n != shape[i] and i != d), None)
        if at is not None:
            text = f"Sizes of tensors must match except in dimension {d}. Expected size {first[at]} but got size {shape[at]}"
            shapes = f"Shapes {tuple(first)} and {tuple(shape)}"
            raise ShapeError("cat", f"{text} for tensor number {k} in the list.", shapes, f"is dim meant to be {at}?")
    return _cat(parts, d)


def concat(tensors: Any, dim: int = 0) -> Tensor:
    """:func:`cat` by another name.

    >>> import dovetail as dv
    >>> dv.concat([dv.tensor([1]), dv.tensor([2, 3])])
    tensor([1, 2, 3])
    """
    return cat(tensors, dim)


def concatenate(tensors: Any, dim: int = 0, axis: int | None = None) -> Tensor:
    """:func:`cat` by NumPy's name.

    >>> import dovetail as dv
    >>> dv.concatenate([dv.tensor([1]), dv.tensor([2, 3])])
    tensor([1, 2, 3])
    """
    return cat(tensors, dim if axis is None else axis)


@op(dtypes=None, name="stack", contiguous=True)
def _stack(tensors: Arrays, dim: Any) -> Array:
    """Join along a new dimension."""
    return xp(tensors[0]).stack(tensors, axis=dim)


_stack.vjp(lambda g, dim: [getitem(g, (slice(None),) * dim + (i,)) for i in range(g._a.shape[dim])])


def stack(tensors: Any, dim: int = 0) -> Tensor:
    """Join tensors of one shape along a new dimension.

    Raises a ShapeError (RuntimeError) for shapes that differ or an empty list.

    >>> import dovetail as dv
    >>> dv.stack([dv.tensor([1, 2]), dv.tensor([3, 4])], dim=1)
    tensor([[1, 3],
            [2, 4]])
    """
    if _even(tensors):
        return _stack(tensors, dim_of("stack", dim, tensors[0]._a.ndim + 1))
    given = listed("stack", tensors)
    if not given:
        raise ShapeError("stack", "expects a non-empty TensorList")
    first = given[0]._a.shape
    for k, one in enumerate(given):
        if one._a.shape != first:
            text = f"expects each tensor to be equal size, but got {list(first)} at entry 0 and {list(one._a.shape)} at entry {k}"
            raise ShapeError("stack", text, "", "pad or cut them to one shape, or join them with cat")
    return _stack(given, dim_of("stack", dim, len(first) + 1))


@op(dtypes=None, outputs="many", alias="always", name="split")
def _split(input: Array, sizes: Any, dim: Any) -> Array:
    """Views of these sizes, one after the other."""
    return [input[at] for at in _spans(sizes, dim)]


def _whole(g: Any, shapes: Any) -> list[Any]:
    """The gradients of several results, zeros where one was not used."""
    some = next(one for one in g if one is not None)
    return [some.new_zeros(shape) if one is None else one for one, shape in zip(g, shapes, strict=True)]


@_split.vjp
def _(g: Any, input_shape: Any, sizes: Any, dim: Any) -> Any:
    return _cat(_whole(g, [(*input_shape[:dim], n, *input_shape[dim + 1 :]) for n in sizes]), dim)


def _length(where: str, input: Tensor, dim: int) -> tuple[int, int]:
    """A dimension counted from the front, and its size."""
    if not input._a.ndim:
        raise ShapeError(where, "expects at least a 1-dimensional tensor")
    d = dim_of(where, dim, input._a.ndim)
    return d, input._a.shape[d]


def split_with_sizes(input: Tensor, split_sizes: Any, dim: int = 0) -> tuple[Tensor, ...]:
    """Views of these sizes along a dimension.

    Raises a ShapeError (RuntimeError) unless the sizes add up to the dimension.

    >>> import dovetail as dv
    >>> dv.arange(5).split_with_sizes([2, 3])
    (tensor([0, 1]), tensor([2, 3, 4]))
    """
    d, n = _length("split_with_sizes", input, dim)
    tuple_of("split_with_sizes", "split_sizes", split_sizes, 1)
    sizes = sizes_of("split_with_sizes", (split_sizes,), "split_sizes")
    if min(sizes, default=0) < 0:
        raise ShapeError("split_with_sizes", f"expects split_sizes have only non-negative entries, but got split_sizes={list(sizes)}")
    if sum(sizes) != n:
        text = f"expects split_sizes to sum exactly to {n} (input tensor's size at dimension {d}), but got split_sizes={list(sizes)}"
        raise ShapeError("split_with_sizes", text)
    return _split(input, sizes, d)


def split(tensor: Tensor, split_size_or_sections: Any = None, dim: int = 0, *, split_size: Any = None) -> tuple[Tensor, ...]:
    """Views of ``split_size`` along a dimension, the last one with what is left; or of the sizes in a list.

    Raises a ShapeError (RuntimeError) for a negative size, or one of 0.

    >>> import dovetail as dv
    >>> dv.arange(5).split(2)
    (tensor([0, 1]), tensor([2, 3]), tensor([4]))
    """
    size = split_size_or_sections if split_size is None else split_size
    if isinstance(size, tuple | list):
        return split_with_sizes(tensor, size, dim)
    d, n = _length("split", tensor, dim)
    size = sizes_of("split", (size,), "split_size")[0]
    if size < 0:
        raise ShapeError("split", f"expects split_size be non-negative, but got split_size={size}")
    if size == 0 and n:
        raise ShapeError("split", f"split_size can only be 0 if dimension size is 0, but got dimension size of {n}")
    count = max((n + size - 1) // size, 1) if size else 1
    return _split(tensor, (size,) * (count - 1) + (n - size * (count - 1),), d)


def chunk(input: Tensor, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """At most ``chunks`` views of equal size along a dimension, the last one with what is left.

    Raises a ShapeError (RuntimeError) for fewer than one chunk.

    >>> import dovetail as dv
    >>> dv.arange(5).chunk(2)
    (tensor([0, 1, 2]), tensor([3, 4]))
    """
    d, n = _length("chunk", input, dim)
    if chunks < 1:
        raise ShapeError("chunk", f"expects `chunks` to be greater than 0, got: {chunks}")
    if n == 0:
        return split_with_sizes(input, [0] * chunks, d)
    return split(input, (n + chunks - 1) // chunks, d)


def tensor_split(input: Tensor, indices_or_sections: Any = None, dim: int = 0, *, indices: Any = None, sections: Any = None) -> Any:
    """Views of nearly equal size (for a number), or cut before these indices (for a list).

    Raises a ShapeError (RuntimeError) for fewer than one section.

    >>> import dovetail as dv
    >>> dv.arange(5).tensor_split(3)
    (tensor([0, 1]), tensor([2, 3]), tensor([4]))
    """
    how = next(x for x in (indices_or_sections, indices, sections) if x is not None)
    if how.__class__ in CLASSES:
        if how._a.dtype != "int64":
            raise ShapeError("tensor_split", f"expected tensor_indices_or_sections to have dtype of long, but got {how.dtype}")
        if how._a.ndim > 1:
            what = "expected tensor_indices_or_sections to be a zero-dimensional or one-dimensional tensor"
            raise ShapeError("tensor_split", f"{what}, but got a tensor with {how._a.ndim} dims")
        how = how.tolist()
    if not input._a.ndim:
        raise ShapeError("tensor_split", "expected at least a 1-dimensional tensor, but got a tensor with 0 dims")
    d = dim_of("tensor_split", dim, input._a.ndim)
    n = input._a.shape[d]
    if not isinstance(how, tuple | list):
        if how <= 0:
            raise ShapeError("tensor_split", f"number of sections must be larger than 0, got {how}")
        how = [n // how * i + min(i, n % how) for i in range(1, how)]
    cuts = [slice(*pair).indices(n)[:2] for pair in zip([0, *how], [*how, n], strict=True)]
    return tuple(getitem(input, (slice(None),) * d + (slice(a, max(a, b)),)) for a, b in cuts)


def _cut(where: str, input: Tensor, either: Any, dim: int, least: int) -> Any:
    how = next(x for x in either if x is not None)
    if input._a.ndim < least:
        text = f"requires a tensor with at least {least} dimension{'s' if least > 1 else ''}"
        raise ShapeError(f"torch.{where}", f"{text}, but got a tensor with {input._a.ndim} dimensions!")
    n = input._a.shape[dim]
    if isinstance(how, int) and (how <= 0 or n % how):
        text = f"attempted to split along dimension {dim}, but the size of the dimension {n} is not divisible by the split_size {how}!"
        raise ShapeError(f"torch.{where}", text)
    return tensor_split(input, how, dim)


def hsplit(input: Tensor, indices_or_sections: Any = None, *, indices: Any = None, sections: Any = None) -> Any:
    """:func:`tensor_split` along dimension 1 (0 for vectors), into equal parts.

    >>> import dovetail as dv
    >>> dv.hsplit(dv.tensor([1, 2, 3, 4]), 2)
    (tensor([1, 2]), tensor([3, 4]))
    """
    return _cut("hsplit", input, (indices_or_sections, indices, sections), 0 if input._a.ndim == 1 else 1, 1)


def vsplit(input: Tensor, indices_or_sections: Any = None, *, indices: Any = None, sections: Any = None) -> Any:
    """:func:`tensor_split` along dimension 0, into equal parts.

    >>> import dovetail as dv
    >>> dv.vsplit(dv.tensor([[1, 2], [3, 4]]), 2)
    (tensor([[1, 2]]), tensor([[3, 4]]))
    """
    return _cut("vsplit", input, (indices_or_sections, indices, sections), 0, 2)


def dsplit(input: Tensor, indices_or_sections: Any = None, *, indices: Any = None, sections: Any = None) -> Any:
    """:func:`tensor_split` along dimension 2, into equal parts.

    >>> import dovetail as dv
    >>> [part.shape for part in dv.dsplit(dv.ones(1, 2, 4), 2)]
    [dovetail.Size([1, 2, 2]), dovetail.Size([1, 2, 2])]
    """
    return _cut("dsplit", input, (indices_or_sections, indices, sections), 2, 3)


@op(dtypes=None, outputs="many", alias="always", name="unbind")
def _unbind(input: Array, dim: Any) -> Array:
    """The slices of a dimension."""
    ahead = (slice(None),) * dim
    return [input[(*ahead, i, ...)] for i in range(input.shape[dim])]


@_unbind.vjp
def _(g: Any, input_shape: Any, dim: Any) -> Any:
    return _stack(_whole(g, [(*input_shape[:dim], *input_shape[dim + 1 :])] * len(g)), dim)


def unbind(input: Tensor, dim: int = 0) -> tuple[Tensor, ...]:
    """The slices of a dimension, as views without it.

    >>> import dovetail as dv
    >>> dv.ones(2, 3).unbind()
    (tensor([1., 1., 1.]), tensor([1., 1., 1.]))
    """
    if not input._a.ndim:
        raise RangeError("unbind", "Dimension specified as 0 but tensor has no dimensions")
    return _unbind(input, dim_of("unbind", dim, input._a.ndim))
