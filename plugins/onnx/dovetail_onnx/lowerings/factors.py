"""Lowerings of linear systems and factorizations: one turn of a Loop for each column of the matrix."""

from __future__ import annotations

from typing import Any

import dovetail as dv

from ..exporter.sizes import FreeSize
from ._common import arange, reduce, refuse, transposed

__all__: list[str] = []


def _column(g: Any, x: Any) -> Any:
    return g.Unsqueeze(x, [-1])


def _row(g: Any, x: Any) -> Any:
    return g.Unsqueeze(x, [-2])


def _sum(g: Any, x: Any, dim: int) -> Any:
    return g.ReduceSum(x, [dim], keepdims=0)


def _swapped(g: Any, matrix: Any, turn: Any, rows: Any) -> tuple[Any, Any]:
    """The matrix with the row from ``turn`` on whose element in that column is largest in front of them, and its number (…, 1)."""
    size = g.Where(g.Less(rows, turn), g.const(-1, matrix.dtype), g.Abs(g.Gather(matrix, turn, axis=-1)))
    best = g.ArgMax(size, axis=-1, keepdims=1)
    order = g.Where(g.Equal(rows, turn), best, g.Where(g.Equal(rows, best), turn, rows))
    return g.GatherElements(matrix, g.Expand(_column(g, order), g.Shape(matrix)), axis=-2), best


def _solution(g: Any, matrix: Any, beside: Any, n: Any) -> Any:
    """Gauss and Jordan: what stands beside the matrix once rows were combined until it is the identity."""
    rows = arange(g, n)

    def turn(g: Any, k: Any, both: Any) -> list[Any]:
        both, _ = _swapped(g, both, k, rows)
        line = g.Gather(both, k, axis=-2)
        line = _row(g, g.Div(line, _column(g, g.Gather(line, k, axis=-1))))
        others = g.Sub(both, g.Mul(_column(g, g.Gather(both, k, axis=-1)), line))
        return [g.Where(_column(g, g.Equal(rows, k)), line, others)]

    (out,) = g.loop(g.scalar(n), [g.Concat(matrix, beside, axis=-1)], turn)
    return g.Slice(out, g.sizes([n]), [2**63 - 1], [-1])


def linalg_inv(g: Any, input: Any) -> Any:
    n = input.shape[-1]
    places = arange(g, n)
    one = g.cast(g.Equal(_column(g, places), _row(g, places)), input.dtype)
    return _solution(g, input, g.Expand(one, g.Shape(input)), n)


def linalg_solve(g: Any, input: Any, other: Any, name: str) -> Any:
    """Both with the same dimensions in front."""
    if list(input.shape[:-2]) != list(other.shape[:-2]) or any(isinstance(s, FreeSize) for s in input.shape[:-2]):
        fronts = [g.Slice(g.Shape(x), [0], [-2], [0]) for x in (input, other)]
        both = g.Shape(g.Add(*(g.Expand(g.const(0.0, dv.float32), front) for front in fronts)))
        tails = [g.Slice(g.Shape(x), [-2], [2**63 - 1], [0]) for x in (input, other)]
        shape = input.shape
        input, other = (g.Expand(x, g.Concat(both, tail, axis=0)) for x, tail in zip((input, other), tails, strict=True))
        input.shape = shape
    return _solution(g, input, other, input.shape[-1])


def _packed(g: Any, input: Any) -> tuple[Any, Any]:
    """L and U in one, and the rows that changed places, a line for each turn: (turns, …, 1)."""
    m, n = input.shape[-2:]
    if isinstance(m, FreeSize) and m is not n and list(m.values) != list(getattr(n, "values", ())):
        raise refuse(g, "a factorization of matrices with free sizes that are not square", "fix their sizes")
    rows, columns = arange(g, m), arange(g, n)

    def turn(g: Any, k: Any, matrix: Any) -> list[Any]:
        matrix, best = _swapped(g, matrix, k, rows)
        below, right = _column(g, g.Greater(rows, k)), _row(g, g.Greater(columns, k))
        line = g.Gather(matrix, k, axis=-2)
        first = _column(g, g.Gather(line, k, axis=-1))
        safe = g.Where(g.Equal(first, 0), g.const(1, matrix.dtype), first)
        factors = g.Div(_column(g, g.Gather(matrix, k, axis=-1)), _row(g, safe))
        inside = g.Where(right, g.Sub(matrix, g.Mul(factors, _row(g, line))), g.Where(_row(g, g.Equal(columns, k)), factors, matrix))
        return [g.Where(below, inside, matrix), best]

    turns = m if isinstance(m, FreeSize) else min(int(m), n) if not isinstance(n, FreeSize) else m
    front = [None] * (input.ndim - 2)
    return g.loop(g.scalar(turns), [input], turn, [[*front, 1]])


def _diagonal(g: Any, matrix: Any, m: Any, n: Any) -> Any:
    same = g.Equal(_column(g, arange(g, m)), _row(g, arange(g, n)))
    return _sum(g, g.Where(same, matrix, g.const(0, matrix.dtype)), -2 if not isinstance(n, FreeSize) and n <= _known(m) else -1)


def _known(size: Any) -> int:
    return 0 if isinstance(size, FreeSize) else int(size)


def linalg_slogdet(g: Any, input: Any) -> tuple[Any, Any]:
    """The elements on U's diagonal, and a sign for each turn in which two rows changed places."""
    n = input.shape[-1]
    packed, best = _packed(g, input)
    line = _diagonal(g, packed, n, n)
    turns = g.Reshape(arange(g, n), [-1, *(1,) * (input.ndim - 1)])
    moved = _sum(g, g.cast(g.Not(g.Equal(best, turns)), input.dtype), 0)
    turned = g.Sub(1, g.Mul(g.Mod(g.Squeeze(moved, [-1]), 2, fmod=1), 2))
    signs = g.Sign(line)
    signs.shape = line.shape = input.shape[:-1]
    size = g.Log(g.Abs(line))
    size.shape = line.shape
    return g.Mul(reduce(g, "ReduceProd", signs, -1, False), turned), reduce(g, "ReduceSum", size, -1, False)


def linalg_lu_factor_ex(g: Any, input: Any, pivot: bool, check_errors: bool) -> tuple[Any, Any, Any]:
    m, n = input.shape[-2:]
    packed, best = _packed(g, input)
    front = list(range(1, input.ndim - 1))
    pivots = g.Add(g.Transpose(g.Squeeze(best, [-1]), perm=[*front, 0]), 1)
    lost = g.cast(g.Equal(_diagonal(g, packed, m, n), 0), dv.int64)
    first = g.Add(g.ArgMax(lost, axis=-1, keepdims=0), 1)
    lost.shape = (*input.shape[:-2], None)
    return packed, pivots, g.Mul(first, reduce(g, "ReduceMax", lost, -1, False))


def linalg_cholesky(g: Any, input: Any, upper: bool) -> Any:
    """Column by column: what the columns before leave of it, over the root of its first element."""
    places = arange(g, input.shape[-1])

    def turn(g: Any, k: Any, low: Any) -> list[Any]:
        line = g.Gather(low, k, axis=-2)
        left = g.Sub(g.Gather(input, k, axis=-1), g.Squeeze(g.MatMul(low, _column(g, line)), [-1]))
        column = g.Div(left, g.Sqrt(_column(g, g.Gather(left, k, axis=-1))))
        column = g.Where(g.Less(places, k), g.const(0, low.dtype), column)
        return [g.Where(_row(g, g.Equal(places, k)), _column(g, column), low)]

    (low,) = g.loop(g.scalar(input.shape[-1]), [g.Expand(g.const(0, input.dtype), g.Shape(input))], turn)
    return transposed(g, low, input.ndim) if upper else low


def linalg_qr(g: Any, input: Any, mode: str) -> tuple[Any, Any]:
    """Householder's reflections, with LAPACK's signs: a column that is zero below the diagonal is left as it is."""
    m, n = input.shape[-2:]
    if isinstance(m, FreeSize) or isinstance(n, FreeSize):
        raise refuse(g, "a QR factorization of matrices with free sizes", "fix their sizes")
    rows, zero = arange(g, m), g.const(0, input.dtype)
    square = g.Concat(g.Slice(g.Shape(input), [0], [-2], [0]), g.sizes([m, m]), axis=0)
    start = g.Expand(g.cast(g.Equal(_column(g, rows), _row(g, rows)), input.dtype), square)

    def turn(g: Any, k: Any, left: Any, right: Any) -> list[Any]:
        column = g.Where(g.Less(rows, k), zero, g.Gather(right, k, axis=-1))
        first = _column(g, g.Gather(column, k, axis=-1))
        length = g.Sqrt(g.ReduceSum(g.Mul(column, column), [-1], keepdims=1))
        away = g.Add(first, g.Where(g.Less(first, 0), g.Neg(length), length))
        tail = g.Where(g.Greater(rows, k), column, zero)
        rest = g.ReduceSum(g.Mul(tail, tail), [-1], keepdims=1)
        normal = g.Where(g.Equal(rest, 0), zero, g.Where(g.Equal(rows, k), away, column))
        twice = g.Div(2, g.Add(g.Mul(away, away), rest))
        scaled = g.Where(g.Equal(rest, 0), zero, g.Mul(normal, twice))
        right = g.Sub(right, g.MatMul(_column(g, scaled), g.MatMul(_row(g, normal), right)))
        left = g.Sub(left, g.MatMul(g.MatMul(left, _column(g, normal)), _row(g, scaled)))
        return [left, right]

    q, r = g.loop(g.scalar(min(m, n)), [start, input], turn)
    r = g.Where(g.Greater(_column(g, rows), _row(g, arange(g, n))), zero, r)
    if mode == "complete":
        return q, r
    k = min(m, n)
    r = g.Slice(r, [0], [k], [-2])
    return g.Slice(q, [0], [k], [-1]) if mode == "reduced" else g.Expand(zero, [0]), r
