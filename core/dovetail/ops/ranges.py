"""Making tensors of regular numbers: ranges, identities, the indices of triangles."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..autograd.node import Tensor
from ..device import module_for, xp
from ..dtypes import bool_, get_default_dtype, int64, to_numpy_dtype
from ..errors import ShapeError, TypeMismatch
from ._dims import sizes_of
from ._live import exhausted
from ._refuse import native, not_for
from .convert import finished, placed
from .create import ones, settled
from .diag import tril, triu
from .gather import nonzero
from .join import stack

__all__ = ["arange", "eye", "linspace", "logspace", "range", "tril_indices", "triu_indices"]


def _number(x: Any) -> Any:
    return native(x) if isinstance(x, np.generic) else x.item() if hasattr(x, "item") else x


def arange(start: Any = None, end: Any = None, step: Any = 1, *, dtype: Any = None, **options: Any) -> Tensor:
    """Numbers from ``start`` up to but without ``end``; integers unless one of the three is a float.

    The options are dtype, device, requires_grad and out, as everywhere in this family.

    Raises a RuntimeError for a step of 0, or one of the wrong sign.

    >>> import dovetail as dv
    >>> dv.arange(5), dv.arange(1, 2, 0.5)
    (tensor([0, 1, 2, 3, 4]), tensor([1.0000, 1.5000]))
    """
    if end is None or start is None:
        if start is None and end is None:
            raise TypeMismatch("arange()", "received an invalid combination of arguments - got ()", "expected arange(end)")
        start, end = 0, end if start is None else start
    start, end, step = _number(start), _number(end), _number(step)
    exact = all(isinstance(x, int | bool) for x in (start, end, step))
    kind = (np.dtype(np.int64) if exact else get_default_dtype().np) if dtype is None else to_numpy_dtype(dtype)
    if kind.kind in "bc":
        raise not_for("arange", kind, "a type of real numbers")
    if step == 0:
        raise ShapeError("arange", "step must be nonzero")
    if not all(map(math.isfinite, (start, end))):
        raise ShapeError("arange", f"unsupported range: {start} -> {end}")
    if (end - start) * step < 0:
        raise ShapeError("arange", "upper bound and lower bound inconsistent with step sign", f"{start} to {end} by {step}")
    if kind == np.int64:  # of other integers only the values are cut, as PyTorch's
        start, end, step = int(start), int(end), int(step)
    count = -((start - end) // step) if kind == np.int64 else math.ceil((end - start) / step)
    if kind.kind in "iu":
        start, step = int(start), int(step)
    return _spaced("arange", count, lambda i: start + i * step, kind, options)


def _spaced(name: str, count: int, rule: Any, kind: Any, options: dict[str, Any]) -> Tensor:
    """The values of a rule for 0 .. count-1 in a type; the rule computes in int64 or float64."""
    where, requires_grad, out = settled(name, **options)
    try:
        with placed(where):
            i = module_for(where).arange(count, dtype=np.int64 if kind.kind in "iu" else np.float64)
            a = rule(i).astype(kind, copy=False)
            kept = out is not None and a.ndim == 1 and out._a.size == count  # what has as many elements keeps its shape
            return finished(a.reshape(out._a.shape) if kept else a, requires_grad, out)
    except MemoryError as error:
        raise exhausted(name, error) from None


def range(start: Any = 0, end: Any = None, step: Any = 1, *, dtype: Any = None, **options: Any) -> Tensor:
    """Numbers from ``start`` to ``end`` inclusive, as floats; PyTorch advises :func:`arange`.

    >>> import dovetail as dv
    >>> dv.range(0, 2)
    tensor([0., 1., 2.])
    """
    if end is None:
        raise TypeMismatch("range()", 'missing 1 required positional arguments: "end"')
    if (end - start) * step < 0:
        raise ShapeError("range", "upper bound and lower bound inconsistent with step sign", f"{start} to {end} by {step}")
    count = math.floor((end - start) / step) + 1
    return _spaced("range", count, lambda i: start + i * step, to_numpy_dtype(dtype or get_default_dtype()), options)


def _line(where: str, start: Any, end: Any, steps: int, dtype: Any, change: Any, options: dict[str, Any]) -> Tensor:
    """`change` of numbers at equal distances, counted from both ends towards the middle, so that both are met exactly."""
    start, end, (steps,) = _number(start), _number(end), sizes_of(where, (steps,), "steps")
    if steps < 0:
        raise ShapeError(where, "number of steps must be non-negative", f"got {steps}")
    if dtype is None:
        dtype = get_default_dtype()
        dtype = dtype.to_complex() if isinstance(start, complex) or isinstance(end, complex) else dtype

    kind = to_numpy_dtype(dtype)
    if kind.kind in "iu":
        start, end = int(start), int(end)
    step = (end - start) / (steps - 1) if steps > 1 else 0.0
    if kind == np.float32:  # PyTorch rounds the ends and the step, and then each number once
        with np.errstate(over="ignore", invalid="ignore"):
            low, high = np.float32(start), np.float32(end)
            start, end, step = float(low), float(high), float((high - low) / np.float32(max(steps - 1, 1)))

    def rule(i: Any) -> Any:
        m = xp(i)
        i = i.astype(np.longdouble if m is np and kind != np.float32 and not isinstance(step, complex) else np.float64)
        numbers = m.where(i < max(steps // 2, 1), start + step * i, end - step * (steps - 1 - i))
        return change(numbers.astype(np.float64) if m is np and numbers.dtype == np.longdouble else numbers)

    return _spaced(where, steps, rule, kind, options)


def linspace(start: Any, end: Any, steps: int, *, dtype: Any = None, **options: Any) -> Tensor:
    """``steps`` numbers from ``start`` to ``end``, both included, at equal distances.

    Raises a ShapeError (RuntimeError) for a negative number of steps.

    >>> import dovetail as dv
    >>> dv.linspace(0, 1, 3)
    tensor([0.0000, 0.5000, 1.0000])
    """
    return _line("linspace", start, end, steps, dtype, lambda x: x, options)


def logspace(start: Any, end: Any, steps: int, base: float = 10.0, *, dtype: Any = None, **options: Any) -> Tensor:
    """``base ** linspace(start, end, steps)``.

    Raises a ShapeError (RuntimeError) for a negative number of steps.

    >>> import dovetail as dv
    >>> dv.logspace(0, 2, 3)
    tensor([  1.,  10., 100.])
    """
    return _line("logspace", start, end, steps, dtype, lambda x: base**x, options)


def eye(n: int, m: int | None = None, *, dtype: Any = None, **options: Any) -> Tensor:
    """A matrix of ``n`` rows and ``m`` columns with ones on the diagonal and zeros elsewhere.

    Raises a ShapeError (RuntimeError) for a negative size.

    >>> import dovetail as dv
    >>> dv.eye(2)
    tensor([[1., 0.],
            [0., 1.]])
    """
    n, m = sizes_of("eye", (n, n if m is None else m), "n")
    for name, size in (("n", n), ("m", m)):
        if size < 0:
            raise ShapeError("eye", f"{name} must be greater or equal to 0, got {size}")
    return _spaced("eye", m, lambda i: xp(i).arange(n)[:, None] == i, to_numpy_dtype(dtype or get_default_dtype()), options)


def _triangle(where: str, triangle: Any, row: int, col: int, offset: int, dtype: Any, device: Any) -> Tensor:
    if row < 0 or col < 0:
        raise ShapeError(where, f"row and col must be non-negative, got {row} and {col}")
    if dtype is not None and dtype.category > int64.category:
        raise not_for(where, dtype.np, "an integer type")
    found = nonzero(triangle(ones(row, col, dtype=bool_, device=device), offset), as_tuple=True)
    return stack(found).to(int64 if dtype is None else dtype)


def tril_indices(row: int, col: int, offset: int = 0, *, dtype: Any = None, device: Any = None, layout: Any = None) -> Tensor:
    """The row and column indices of the lower triangle of a matrix: ``(2, count)``.

    >>> import dovetail as dv
    >>> dv.tril_indices(2, 2)
    tensor([[0, 1, 1],
            [0, 0, 1]])
    """
    return _triangle("tril_indices", tril, row, col, offset, dtype, device)


def triu_indices(row: int, col: int, offset: int = 0, *, dtype: Any = None, device: Any = None, layout: Any = None) -> Tensor:
    """The row and column indices of the upper triangle of a matrix: ``(2, count)``.

    >>> import dovetail as dv
    >>> dv.triu_indices(2, 2)
    tensor([[0, 0, 1],
            [0, 1, 1]])
    """
    return _triangle("triu_indices", triu, row, col, offset, dtype, device)
