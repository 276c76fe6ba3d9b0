"""Sums of NumPy arrays that stay accurate in float32 over many rows; CuPy's own on a GPU."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

__all__ = ["squares", "total", "widened"]

_BLOCK = 256
_ONES = {c: np.ones(_BLOCK, c) for c in "fd"}
_reduce: Any = np.add.reduce


def total(a: Any, found: tuple[int, ...] | None, keepdims: bool = False) -> Any:
    """Sum over axes.

    NumPy adds pairwise only along the innermost axis; over the others it adds row to row, which in float32 loses
    digits with their number. There BLAS sums blocks of rows, which is faster as well.
    """
    if a.__class__ is not np.ndarray or a.dtype.char not in "fd":
        return a.sum(axis=found, keepdims=keepdims, dtype=a.dtype)
    if a.size <= 512:
        return _reduce(a, found, None, None, keepdims)
    if found is None or len(found) == a.ndim:
        out = a.sum() if a.flags.forc else np.ascontiguousarray(a).sum()
        return out.reshape((1,) * a.ndim) if keepdims else out
    if not a.flags.c_contiguous:
        if a.T.flags.c_contiguous:
            return total(a.T, tuple(a.ndim - 1 - i for i in reversed(found)), keepdims).T
        a = np.ascontiguousarray(a)
    shape = a.shape
    if a.ndim == 2:
        out = _column_sum(a) if found[0] == 0 else _row_sum(a)
        return out.reshape((1, shape[1]) if found[0] == 0 else (shape[0], 1)) if keepdims else out
    x = a
    for low, high in reversed(_runs(found)):
        outer, n = math.prod(shape[:low]), math.prod(shape[low:high])
        x = _middle(x.reshape(outer, n, -1))
    return x.reshape(tuple(1 if i in found else s for i, s in enumerate(shape) if keepdims or i not in found))


def _runs(found: tuple[int, ...]) -> list[tuple[int, int]]:
    """Neighbouring axes as half-open ranges."""
    runs: list[tuple[int, int]] = []
    for i in found:
        if runs and runs[-1][1] == i:
            runs[-1] = (runs[-1][0], i + 1)
        else:
            runs.append((i, i + 1))
    return runs


def _middle(x: Any) -> Any:
    """Sum a contiguous (outer, n, inner) array over n."""
    outer, n, inner = x.shape
    if inner == 1:
        return _row_sum(x.reshape(outer, n))
    if outer == 1:
        return _column_sum(x.reshape(n, inner))
    if n <= 32 or inner < 16:
        return x.sum(axis=1) if n <= _BLOCK else x.swapaxes(1, 2).copy().sum(axis=-1)
    return _blocks(x)


def _row_sum(rows: Any) -> Any:
    """Sum the rows of a contiguous 2-d array; for short ones `sum` would cost more per row than per element."""
    m, n = rows.shape
    if n <= 32:
        return rows @ _ONES[rows.dtype.char][:n]
    if n <= _BLOCK:
        return np.einsum("ij->i", rows)
    if n % _BLOCK == 0:
        return _row_sum(np.einsum("ij->i", rows.reshape(-1, _BLOCK)).reshape(m, n // _BLOCK))
    return rows.sum(axis=1)


def squares(a: Any, found: tuple[int, ...] | None, keepdims: bool) -> Any:
    """Sum the squares of a real array, without a copy of it where all of a large one is summed."""
    if found is None and a.__class__ is np.ndarray and a.size >= 16 * _BLOCK and a.flags.c_contiguous and a.dtype.char in "fd":
        flat = a.reshape(-1)
        whole = flat.size // 4096 * 4096
        rows, rest = flat[:whole].reshape(-1, 4096), flat[whole:]
        out = np.vecdot(rows, rows).sum() + np.vdot(rest, rest)
        return out.reshape((1,) * a.ndim) if keepdims else out
    return total(a * a, found, keepdims)


def _blocks(x: Any) -> Any:
    outer, n, inner = x.shape
    one = _ONES[x.dtype.char]
    if n <= _BLOCK:
        return one[:n] @ x
    k = n // _BLOCK
    whole = one @ x[:, : k * _BLOCK].reshape(outer, k, _BLOCK, inner)
    out = _blocks(whole) if k > 1 else whole[:, 0]
    if k * _BLOCK < n:
        out = out + one[: n - k * _BLOCK] @ x[:, k * _BLOCK :]
    return out


def _column_sum(a: Any) -> Any:
    """Sum a 2-d array over its rows, accurate and fast for contiguous float arrays."""
    if a.__class__ is not np.ndarray or a.dtype.char not in "fd" or not a.flags.c_contiguous:
        return a.sum(axis=0, dtype=a.dtype)
    if a.shape[0] <= _BLOCK:
        return _ONES[a.dtype.char][: a.shape[0]] @ a
    return _blocks(a[None])[0]


def widened(a: Any) -> Any:
    """Half-precision arrays in float32, for ops that see every type."""
    return a.astype(np.float32) if a.dtype.itemsize == 2 and a.dtype.kind not in "iu" else a
