"""A function mapped over a dimension of its inputs: a loop over samples, exact and no faster than one. In ``dovetail.func``."""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections import OrderedDict
from collections.abc import Callable
from types import FunctionType, MethodType
from typing import Any

from dovetail import Generator, Tensor, equal, stack
from dovetail.errors import GradError, UnsupportedError, ValueRangeError
from dovetail.generator import alive
from dovetail.graph.graph import mapped
from dovetail.graph.raw import CLASSES
from dovetail.nn import Module

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
        if not isinstance(in_dims, int | tuple):
            raise ValueRangeError("vmap", f"in_dims is {in_dims!r}", "expected a number, or a tuple with the structure of the inputs")
        pairs = _spread("vmap", in_dims, args)
        sizes = {t.shape[d] for t, d in pairs if d is not None}
        if not sizes:
            raise ValueRangeError("vmap", f"in_dims is {in_dims}", "expected a dimension for one input or more")
        if len(sizes) != 1:
            raise ValueRangeError("vmap", f"the mapped dimensions have sizes {sorted(sizes)}", "expected one size")
        size = sizes.pop()
        if size == 0:
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
            values = f"{type(tree).__name__} of {len(tree)}" if isinstance(tree, tuple | list) else type(tree).__name__
            raise ValueRangeError(where, f"in_dims has {dims!r} for a {values}", "expected its structure")
        return [pair for d, t in zip(dims, tree, strict=True) for pair in _spread(where, d, t)]
    if isinstance(tree, dict):
        return [pair for key in tree for pair in _spread(where, dims[key] if isinstance(dims, dict) else dims, tree[key])]
    if isinstance(tree, tuple | list):
        return [pair for t in tree for pair in _spread(where, dims, t)]
    if dims is not None and not isinstance(dims, int):
        raise ValueRangeError(where, f"in_dims has {dims!r} for {type(tree).__name__}", "expected a number or None")
    if dims is not None and tree.__class__ not in CLASSES:
        raise ValueRangeError(
            where, f"in_dims is {dims} for an input of type {type(tree).__name__}", "expected a Tensor, or None in in_dims"
        )
    if dims is not None and not -tree.dim() <= dims < tree.dim():
        raise ValueRangeError(where, f"in_dims is {dims} for a tensor of {tree.dim()} dimensions", "expected one of its dimensions")
    return [(tree, dims)]


def _captured(func: Any) -> list[Tensor]:
    """The tensors that a function holds: in its cells, defaults and globals, its object, and the functions and modules among these."""
    found: list[Tensor] = []
    seen: set[int] = set()

    def look(x: Any, depth: int) -> None:
        if id(x) in seen or not depth:
            return
        seen.add(id(x))
        if x.__class__ in CLASSES:
            found.append(x)
        elif isinstance(x, Module):
            found.extend((*x.parameters(), *x.buffers()))
        elif isinstance(x, functools.partial):
            for part in (x.func, *x.args, *x.keywords.values()):
                look(part, depth - 1)
        elif isinstance(x, MethodType):
            look(x.__self__, depth - 1)
            look(x.__func__, depth - 1)
        elif isinstance(x, FunctionType) and not str(x.__module__).startswith("dovetail"):
            with contextlib.suppress(ValueError):  # a cell that waits for its value
                inner = inspect.getclosurevars(x)
                for part in (*inner.nonlocals.values(), *inner.globals.values(), *(x.__defaults__ or ())):
                    look(part, depth - 1)

    look(func, 5)
    return found


def _run(sample: Callable[[int], Any], size: int, randomness: str, shared: list[Tensor]) -> list[Any]:
    """The results of all samples, under the rules about random numbers and about tensors that all samples share."""
    sources = [*alive]
    states = [g.get_state() for g in sources]
    watched = [(t, t._version) for t in shared if not t.is_inference()]
    after: list[tuple[Tensor, Tensor]] = []
    outs = []
    for i in range(size):
        if i and randomness == "same":
            _back(sources, states)
        outs.append(sample(i))
        if not i:
            after = [(t, t.detach().clone()) for t, version in watched if t._version != version]
        if randomness == "error" and i in (0, size - 1) and any(not equal(g.get_state(), s) for g, s in zip(sources, states, strict=True)):
            _back(sources, states)
            raise GradError("vmap", "the function draws random numbers", "expected none", "pass randomness='different' or 'same'")
    for t, first in after:
        if not ((t == first) | (t != t)).all():
            what = f"samples change a tensor of shape {tuple(t.shape)} in place, each in its own way, and they share it"
            raise GradError("vmap", what, "expected changes of mapped tensors only", "give it a dimension in in_dims, or clone it")
    return outs


def _back(sources: list[Generator], states: list[Tensor]) -> None:
    for g, state in zip(sources, states, strict=True):
        g.set_state(state)


def _stacked(outs: list[Any], out_dims: Any) -> Any:
    """Join the results of all samples."""
    first = outs[0]
    if first.__class__ in CLASSES:
        if isinstance(out_dims, tuple) and len(out_dims) == 1:
            out_dims = out_dims[0]
        if out_dims is None and all(equal(o, first) for o in outs):  # it does not depend on the sample
            return first
        if not isinstance(out_dims, int):
            raise ValueRangeError("vmap", f"out_dims is {out_dims!r} and the function gives one tensor", "expected a number")
        return _side_by_side(outs, out_dims)
    if isinstance(first, dict):
        made = {key: _stacked([o[key] for o in outs], out_dims[key] if isinstance(out_dims, dict) else out_dims) for key in first}
        return OrderedDict(made) if isinstance(first, OrderedDict) else made
    if isinstance(first, tuple | list):
        dims = out_dims if isinstance(out_dims, tuple | list) else [out_dims] * len(first)
        if len(dims) != len(first):
            raise ValueRangeError("vmap", f"out_dims has {len(dims)} parts and the function gives {len(first)}", "expected as many")
        parts = [_stacked([o[k] for o in outs], d) for k, d in enumerate(dims)]
        return type(first)(*parts) if hasattr(first, "_fields") else type(first)(parts)
    if out_dims is None and all(o is first or o == first for o in outs):
        return first
    if isinstance(first, bool | int | float | complex):
        what = f"the function gave {type(first).__name__}: .item() of a mapped Tensor, or a number, is no result"
        raise NumberGiven("vmap", what, "expected Tensors", "keep the value in a Tensor")
    raise ValueRangeError("vmap", f"the function gave {type(first).__name__}", "expected Tensors")


def _side_by_side(outs: list[Tensor], dim: int) -> Tensor:
    """All results in one tensor: a view where they are views that lie at equal distances in one tensor's memory, else a stack."""
    first = outs[0]
    base = first if first._base is None else first._base
    shape, strides, at = [*first.shape], [*first.stride()], [o.storage_offset() for o in outs]
    step = at[1] - at[0] if len(at) > 1 else -1
    if step < 0 or not first.numel() or at != [at[0] + i * step for i in range(len(at))] or not -len(shape) - 1 <= dim <= len(shape):
        return stack(outs, dim)
    for o in outs:
        of_base = (o is base or o._base is base) and o.dtype == base.dtype and not (o.requires_grad or base.requires_grad)
        if not of_base or [*o.stride()] != strides or [*o.shape] != shape:
            return stack(outs, dim)
    place = dim % (len(shape) + 1)
    return base.as_strided([*shape[:place], len(outs), *shape[place:]], [*strides[:place], step, *strides[place:]], at[0])
