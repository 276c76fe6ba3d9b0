"""Dimensions and sizes as callers write them, checked and made plain."""

from __future__ import annotations

from operator import index as whole
from typing import Any

from ..errors import RangeError, ShapeError, TypeMismatch

__all__ = ["dim_of", "dims_of", "misfit", "several", "sizes_of", "tuple_of", "whole"]


def dim_of(where: str, dim: Any, ndim: int) -> int:
    """A dimension counted from the front; a 0-d tensor counts as one of one dimension.

    Raises a RangeError (IndexError) outside ``[-ndim, ndim - 1]``.
    """
    n = ndim or 1
    if dim.__class__ is not int:
        dim = _index(where, "dim", dim)
    if not -n <= dim < n:
        what = f"Dimension out of range (expected to be in range of [{-n}, {n - 1}], but got {dim})"
        raise RangeError(where, what, f"dimensions count from 0: the last is {n - 1}, or -1")
    return int(dim + n if dim < 0 else dim)


def dims_of(where: str, dims: Any, ndim: int) -> tuple[int, ...]:
    """Several dimensions counted from the front, each named once."""
    out = tuple(dim_of(where, d, ndim) for d in (dims if isinstance(dims, tuple | list) else (dims,)))
    if len(set(out)) != len(out):
        twice = next(d for d in out if out.count(d) > 1)
        raise ShapeError(where, f"dim {twice} appears multiple times in the list of dims", f"got {tuple(dims)}")
    return out


def sizes_of(where: str, args: Any, name: str = "size") -> tuple[int, ...]:
    """The sizes of ``f(2, 3)``, ``f((2, 3))`` and ``f([2, 3])`` alike; a TypeError for ``f()``."""
    if not args:
        raise TypeMismatch(f"{where}()", f'missing 1 required positional arguments: "{name}"')
    if len(args) == 1 and isinstance(args[0], tuple | list):
        args = args[0]
    for n in args:
        if n.__class__ is not int:
            return tuple([_index(where, name, n, at) for at, n in enumerate(args)])
    return tuple(args)


def tuple_of(where: str, name: str, value: Any, position: int = 2) -> None:
    """Refuse a number where a function (not a method) wants a tuple of them."""
    if not isinstance(value, tuple | list):
        raise TypeMismatch(f"{where}()", f"argument {name!r} (position {position}) must be tuple of ints, not {type(value).__name__}")


def several(tensors: tuple[Any, ...]) -> Any:
    """The tensors of ``f(a, b)`` and ``f([a, b])`` alike."""
    return tensors[0] if len(tensors) == 1 and isinstance(tensors[0], tuple | list) else tensors


def misfit(have: Any, want: Any) -> tuple[str, str]:
    """What PyTorch says of sizes that cannot be expanded to others, in two parts."""
    ahead = len(want) - len(have)
    if ahead < 0:
        text = f"the number of sizes provided ({len(want)}) must be greater or equal to the number of dimensions in the tensor"
        return f"{text} ({len(have)})", ""
    d = next((i for i, n in enumerate(have) if n != 1 and want[i + ahead] not in (n, -1)), 0)
    text = f"The expanded size of the tensor ({want[d + ahead]}) must match the existing size ({have[d]})"
    return f"{text} at non-singleton dimension {d + ahead}", f"Target sizes: {list(want)}.  Tensor sizes: {list(have)}"


def _index(where: str, name: str, value: Any, at: int = 0) -> int:
    try:
        if value.__class__ is bool:
            raise TypeError(value)  # True is no dimension
        return whole(value)
    except TypeError:
        kind = type(value).__name__
        raise TypeMismatch(f"{where}()", f"argument {name!r} must be tuple of ints, but found element of type {kind} at pos {at}") from None
