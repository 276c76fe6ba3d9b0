"""What views show, as copies: ``NAME_copy`` for each function NAME whose result is a view."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from ..autograd.node import Tensor
from . import complex, index, join, memory, strides, transpose, views
from ._dims import dim_of
from .assign import same_shape

__all__ = ["as_strided_scatter", "slice_inverse"]
METHODS = ("as_strided_scatter", "narrow_copy", "slice_inverse", "unsafe_chunk", "unsafe_split", "unsafe_split_with_sizes")


def as_strided_scatter(input: Tensor, src: Tensor, size: Any, stride: Any, storage_offset: int | None = None) -> Tensor:
    """A copy with ``src`` in place of :func:`as_strided`'s view of it. Raises a RuntimeError for a ``src`` of another shape.

    >>> import dovetail as dv
    >>> dv.as_strided_scatter(dv.zeros(2, 2), dv.ones(2), (2,), (3,))
    tensor([[1., 0.],
            [0., 1.]])
    """
    out = memory.clone(input)
    place = strides.as_strided(out, size, stride, 0 if storage_offset is None else storage_offset - memory.storage_offset(input))
    same_shape("as_strided_scatter", "slice", src, place)
    place.copy_(src)
    return out


def slice_inverse(input: Tensor, src: Tensor, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1) -> Tensor:
    """The view of the memory of which `input` is ``src[start:end:step]`` along a dimension, laid out as `src` is.

    >>> import dovetail as dv
    >>> dv.slice_inverse(dv.arange(4)[1:], dv.zeros(4), 0, 1)
    tensor([0, 1, 2, 3])
    """
    before = (start or 0) * src.stride(dim)
    return strides.as_strided(input, src._a.shape, src.stride(), memory.storage_offset(input) - before)


def _slice(input: Tensor, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1) -> Tensor:
    return index.getitem(input, index.slices(dim_of("slice_copy", dim, input._a.ndim), slice(start, end, step)))


def _view(input: Tensor, size: Any = None, dtype: Any = None) -> Tensor:
    return views.view(memory.contiguous(input), size, dtype=dtype)


def _copying(name: str, shows: str, function: Callable[..., Any], example: str) -> Callable[..., Any]:
    """The function, with memory of its own for its results."""

    @functools.wraps(function, updated=())
    def call(*args: Any, **kwargs: Any) -> Any:
        found = function(*args, **kwargs)
        if isinstance(found, tuple):
            return tuple(memory.clone(one, memory.contiguous_format) for one in found)
        return memory.clone(found, memory.contiguous_format)

    call.__name__ = call.__qualname__ = name
    call.__doc__ = f"""What :func:`{shows}` shows, as a contiguous copy.

    >>> import dovetail as dv
    >>> out = dv.{name}(dv.ones(2, 2){example})
    """
    return call


_BY_NAME: dict[str, Any] = {"alias": memory.alias, "detach": memory.alias, "slice": _slice, "view": _view}
_EXAMPLES = """alias; as_strided, (2,), (1,); detach; diagonal; expand, (2, 2, 2); narrow, 0, 0, 1; permute, (1, 0); select, 0, 0; slice
split, 1; split_with_sizes, [1, 1]; squeeze; t; transpose, 0, 1; unbind; unfold, 0, 1, 1; unsqueeze, 0; view, (4,); view_as_complex
view_as_real; unsafe_chunk, 2; unsafe_split, 1; unsafe_split_with_sizes, [1, 1]"""
for _text in _EXAMPLES.replace("\n", "; ").split("; "):
    _name, _, _rest = _text.partition(",")
    _shows, _safe = _name.removeprefix("unsafe_"), not _name.startswith("unsafe_")
    _homes = [vars(m).get(_shows) for m in (views, index, join, strides, transpose, complex)]
    __all__.append(f"{_name}_copy" if _safe else _name)
    globals()[__all__[-1]] = _copying(__all__[-1], _shows, _BY_NAME.get(_name) or next(filter(None, _homes)), _rest and f",{_rest}")
