"""Ops that one function of NumPy and CuPy computes, element by element."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from ..device import xp
from ._op import op

__all__ = ["ufunc"]


def ufunc(name: str | None = None, *, check: Callable[[str, Any], None] | None = None, **options: Any) -> Callable[[Any], Any]:
    """Make an op of one or two arrays that NumPy's and CuPy's function of this name computes.

    The decorated function has no body: it gives the op's name (and that of the function, unless told), its parameters and
    its text. `check` gets the op's name and an array, and raises for a type that is not for this op; `options` are those of `op`.
    """

    def make(face: Any) -> Any:
        where, called = face.__name__, name or face.__name__
        host = getattr(np, called)

        def unary(input: Any) -> Any:
            if check is not None:
                check(where, input)
            return host(input) if input.__class__ is np.ndarray else getattr(xp(input), called)(input)

        def binary(input: Any, other: Any) -> Any:
            array = input if hasattr(input, "dtype") else other
            if check is not None:
                check(where, array)
            return (host if array.__class__ is np.ndarray else getattr(xp(array), called))(input, other)

        return op(functools.update_wrapper(unary if face.__code__.co_argcount == 1 else binary, face), **options)

    return make
