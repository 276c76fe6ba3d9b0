"""Factorizations that tell of failure instead of raising, and the elimination by rows that finds where they fail."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from ..autograd.node import Tensor, wrap
from ._op import xp
from ._results import results
from .decompose import LinAlgError, cholesky, eye_of, inv
from .select import where

__all__: list[str] = []


def eliminated(a: Any, pivoting: bool = True) -> tuple[Any, Any]:
    """L below and U above the diagonal, and the row (from 1) that each one changed places with."""
    m, stack, k = xp(a), a.shape[:-2], min(a.shape[-2:])
    rows = a.reshape(prod(stack), *a.shape[-2:]).copy()
    each, pivots = m.arange(len(rows)), m.zeros((len(rows), k), np.int32)
    for j in range(k):
        column = rows[:, j:, j]
        at = (abs(column.real) + abs(column.imag)).argmax(axis=1) * pivoting + j  # as LAPACK measures complex numbers
        pivots[:, j] = at + 1
        rows[each, at], rows[:, j] = rows[:, j].copy(), rows[each, at]
        rows[:, j + 1 :, j] /= m.where(rows[:, j, j, None] == 0, m.ones((), a.dtype), rows[:, j, j, None])
        rows[:, j + 1 :, j + 1 :] -= rows[:, j + 1 :, j, None] * rows[:, j, None, j + 1 :]
    return rows.reshape(a.shape), pivots.reshape(*stack, k)


def first_of(bad: Any) -> Any:
    """The place (from 1) of the first that is bad in the last dimension; 0 for none."""
    m = xp(bad)
    return m.asarray(m.concatenate([bad[..., :0].any(axis=-1, keepdims=True), bad], axis=-1).argmax(axis=-1), np.int32)


def need_settled(name: str, info: Any, text: str) -> None:
    """Raise for the first matrix whose `info` is not 0, with that number in the text."""
    if info.any():
        first = int(info.reshape(-1).nonzero()[0][0])
        raise LinAlgError(name, (f"(Batch element {first}): " if info.ndim else "") + text.format(int(info.reshape(-1)[first])))


def careful(name: str, fields: str, run: Any, input: Tensor, check_errors: bool, text: str, positive: bool = False) -> Any:
    """What `run` makes of the matrices, and for each 0, or the number that says what is wrong with it: then the result is NaN."""
    try:
        out, info = run(input), xp(input._a).zeros(input._a.shape[:-2], np.int32)
    except LinAlgError:
        info = _wrong(input._a, positive)
        if check_errors:
            need_settled(f"linalg.{name}", info, text)
        good = wrap(info == 0)[..., None, None]
        out = where(good, run(where(good, input, eye_of(input))), np.nan)
    return results(f"linalg_{name}", fields, "info")([out, wrap(info)])


def _wrong(a: Any, positive: bool) -> Any:
    """The place (from 1) of the pivot that is not positive, or zero, in those matrices that LAPACK refuses; 0 in the others."""
    pivots = eliminated(a, not positive)[0].diagonal(axis1=-2, axis2=-1)
    place = first_of(~(pivots.real > 0) if positive else pivots == 0)
    refused = [_fails("cholesky" if positive else "inv", x) for x in a.reshape(prod(a.shape[:-2]), *a.shape[-2:])]
    return xp(a).where(xp(a).asarray(refused).reshape(place.shape), xp(a).where(place == 0, a.shape[-1], place), 0).astype(np.int32)


def _fails(name: str, a: Any) -> bool:
    try:
        return bool(xp(a).isnan(getattr(xp(a).linalg, name)(a)).any()) and name == "cholesky"  # NumPy lets NaN through
    except np.linalg.LinAlgError:
        return True


def cholesky_ex(A: Tensor, *, upper: bool = False, check_errors: bool = False) -> Any:
    """:func:`linalg.cholesky` and, for each matrix, the order of the first leading minor that is not positive (0 for none)."""
    failure = "The input is not positive-definite (the leading minor of order {0})."
    return careful("cholesky_ex", "L", lambda a: cholesky(a, upper), A, check_errors, failure, True)


def inv_ex(A: Tensor, *, check_errors: bool = False) -> Any:
    """:func:`linalg.inv` and, for each matrix, the place of the zero that makes it singular (0 for none)."""
    return careful("inv_ex", "inverse", inv, A, check_errors, "The diagonal element {0} is zero, the input matrix is singular.")
