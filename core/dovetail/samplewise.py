"""A function mapped over a dimension of its inputs: a loop over samples, exact and no faster than one. In ``dovetail.func``."""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections import OrderedDict
from collections.abc import Callable
from types import FunctionType, MethodType
from typing import Any

from .autograd.node import CLASSES, Tensor
from .errors import GradError, UnsupportedError, ValueRangeError
from .generator import alive
from .graph.graph import mapped
from .nn.module import Module
from .ops.compare import equal
from .ops.join import stack

__all__ = ["NumberGiven", "vmap"]

Func = Callable[..., Any]


class NumberGiven(GradError, ValueRangeError):
    """A number as the result of a mapped function: PyTorch has a RuntimeError for what ``item()`` gave, else a ValueError."""


def vmap(func: Func, in_dims: Any = 0, out_dims: Any = 0, randomness: str = "error", *, chunk_size: int | None = None) -> Func:
    """Make a function that maps ``func`` over a dimension of its inputs, and stacks the results along ``out_dims``.

    A loop over samples: the results are those of single calls, and Python may branch on values. ``randomness`` is ``"error"``,
    ``"different"`` (each sample draws on) or ``"same"`` (all draw the same). Raises a RuntimeError where samples change a tensor that they
    share in different ways.

    >>> import dovetail as dv
    >>> vmap(dv.dot)(dv.ones(3, 2), dv.arange(6.).reshape(3, 2))
    tensor([1., 5., 9.])
    """
    if randomness not in ("error", "different", "same"):
        raise GradError("vmap", f"randomness is {randomness!r}", "expected 'error', 'different' or 'same'")
    if chunk_size is not None and chunk_size < 1:
        raise ValueRangeError("vmap", f"chunk_size is {chunk_size}", "expected a number greater than 0, or None")

    @functools.wraps(func)
    def inside(*args: Any, **kwargs: Any) -> Any:
        pairs = _spread("vmap", in_dims, args)
        sizes = {t.shape[d] for t, d in pairs if d is not None}
        if len(sizes) != 1:
            what = f"in_dims is {in_dims}, and the mapped dimensions have the sizes {sorted(sizes)}"
            raise ValueRangeError("vmap", what, "expected one size, of one input or more")
        if not (size := sizes.pop()):
            raise UnsupportedError("vmap", "the mapped dimension is empty", "expected one sample or more")

        def sample(i: int) -> Any:
            rest = iter(pairs)

            def one(_: Any) -> Any:
                value, d = next(rest)
                return value if d is None else value.select(d, i)

            return func(*mapped(args, one), **kwargs)

        shared = [t for t, d in pairs if d is None and t.__class__ in CLASSES] + _captured(func)
        return _stacked(_run(sample, size, randomness, shared), out_dims)

    return inside


def _spread(where: str, dims: Any, tree: Any) -> list[tuple[Any, int | None]]:
    """The leaves of a tree, each with its dimension; `dims` is a number, None, or a structure with the tree's own."""
    if isinstance(dims, tuple | list):
        if type(dims) is not type(tree) or len(dims) != len(tree):
            raise ValueRangeError(where, f"in_dims has {dims!r} for a {type(tree).__name__}", "expected its structure, of as many parts")
        return [pair for d, t in zip(dims, tree, strict=True) for pair in _spread(where, d, t)]
    if isinstance(tree, dict):
        return [pair for key in tree for pair in _spread(where, dims[key] if isinstance(dims, dict) else dims, tree[key])]
    if isinstance(tree, tuple | list):
        return [pair for t in tree for pair in _spread(where, dims, t)]
    if dims is not None and not isinstance(dims, int):
        raise ValueRangeError(where, f"in_dims has {dims!r} for {type(tree).__name__}", "expected a number or None")
    if dims is not None and tree.__class__ not in CLASSES:
        raise ValueRangeError(where, f"in_dims is {dims} for a {type(tree).__name__}", "expected a Tensor, or None in in_dims")
    if dims is not None and not -tree.dim() <= dims < tree.dim():
        raise ValueRangeError(where, f"in_dims is {dims} for a tensor of {tree.dim()} dimensions", "expected one of its dimensions")
    return [(tree, dims)]


def _captured(func: Any) -> list[Tensor]:
    """The tensors that a function holds: in its cells and globals, its object, and the functions and modules among these."""
    found: list[Tensor] = []
    todo = [func]
    for x in todo:  # which grows meanwhile
        if x.__class__ in CLASSES:
            found.append(x)
        elif isinstance(x, Module):
            found += (*x.parameters(), *x.buffers())
        elif isinstance(x, functools.partial | MethodType):
            todo += (x.func, *x.args) if isinstance(x, functools.partial) else (x.__self__, x.__func__)
        elif isinstance(x, FunctionType) and len(todo) < 200 and not str(x.__module__).startswith("dovetail"):
            with contextlib.suppress(ValueError):  # a cell that waits for its value
                inner = inspect.getclosurevars(x)
                todo += (*inner.nonlocals.values(), *inner.globals.values())
    return found


def _run(sample: Callable[[int], Any], size: int, randomness: str, shared: list[Tensor]) -> list[Any]:
    """The results of all samples, under the rules about random numbers and about tensors that all samples share."""
    states = [] if randomness == "different" else [(g, g.get_state()) for g in alive]
    watched = [(t, t._version) for t in shared if not t.is_inference()]
    changed: list[tuple[Tensor, Tensor]] = []
    outs = []
    for i in range(size):
        outs.append(sample(i))
        drawn = randomness == "error" and i in (0, size - 1) and any(not equal(g.get_state(), s) for g, s in states)
        if drawn or (randomness == "same" and i < size - 1):
            for g, s in states:
                g.set_state(s)
        if drawn:
            raise GradError("vmap", "the function draws random numbers", "expected none", "pass randomness='different' or 'same'")
        if not i:
            changed = [(t, t.detach().clone()) for t, version in watched if t._version != version]
    for t, first in changed:
        if not ((t == first) | (t != t)).all():
            what = f"samples change a tensor of shape {tuple(t.shape)} in place, each in its own way, and they share it"
            raise GradError("vmap", what, "expected changes of mapped tensors only", "give it a dimension in in_dims, or clone it")
    return outs


def _stacked(outs: list[Any], out_dims: Any) -> Any:
    """Join the results of all samples."""
    first = outs[0]
    if first.__class__ in CLASSES:
        out_dims = out_dims[0] if isinstance(out_dims, tuple) and len(out_dims) == 1 else out_dims
        if out_dims is None and all(equal(o, first) for o in outs):  # it does not depend on the sample
            return first
        if not isinstance(out_dims, int):
            raise ValueRangeError("vmap", f"out_dims is {out_dims!r} and the function gives one tensor", "expected a number")
        return _side_by_side(outs, out_dims)
    if isinstance(first, dict):
        family: Any = OrderedDict if isinstance(first, OrderedDict) else dict
        return family((key, _stacked([o[key] for o in outs], out_dims[key] if isinstance(out_dims, dict) else out_dims)) for key in first)
    if isinstance(first, tuple | list):
        dims = out_dims if isinstance(out_dims, tuple | list) else [out_dims] * len(first)
        if len(dims) != len(first):
            raise ValueRangeError("vmap", f"out_dims has {len(dims)} parts and the function gives {len(first)}", "expected as many")
        parts = [_stacked([o[k] for o in outs], d) for k, d in enumerate(dims)]
        return type(first)(*parts) if hasattr(first, "_fields") else type(first)(parts)
    if out_dims is None and all(o is first or o == first for o in outs):
        return first
    kind = NumberGiven if isinstance(first, bool | int | float | complex) else ValueRangeError
    raise kind("vmap", f"the function gave {type(first).__name__}", "expected Tensors", "keep numbers in Tensors, without item()")


def _side_by_side(outs: list[Tensor], dim: int) -> Tensor:
    """All results in one tensor: a view where they are views that lie at equal distances in one tensor's memory, else a stack."""
    first = outs[0]
    base = first if first._base is None else first._base
    shape, strides, at = [*first.shape], [*first.stride()], [o.storage_offset() for o in outs]
    step, place = (at[-1] - at[0]) // max(len(outs) - 1, 1), dim % (len(shape) + 1)
    views = len(outs) > 1 and first.numel() and step >= 0 and not base.requires_grad and -len(shape) - 1 <= dim <= len(shape)
    for i, o in enumerate(outs if views else ()):
        seen = (o.storage_offset(), [*o.shape], [*o.stride()], o.dtype, o.requires_grad)
        views = views and (o is base or o._base is base) and seen == (at[0] + i * step, shape, strides, base.dtype, False)
    shape[place:place], strides[place:place] = [len(outs)], [step]
    return base.as_strided(shape, strides, at[0]) if views else stack(outs, dim)
