"""Making tensors of regular numbers: ranges, identities, the indices of triangles."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..autograd.node import Tensor, wrap
from ..device import module_for, to_device
from ..dtypes import get_default_dtype, to_numpy_dtype
from ..errors import ShapeError
from .convert import placed
from .create import finished, type_of

__all__ = ["arange", "eye", "linspace", "logspace", "range", "tril_indices", "triu_indices"]


def _number(x: Any) -> Any:
    return x.item() if hasattr(x, "item") else x


def arange(
    start: Any = 0, end: Any = None, step: Any = 1, *, dtype: Any = None, layout: Any = None, device: Any = None,
    requires_grad: bool = False, pin_memory: bool = False, out: Any = None,
) -> Tensor:  # fmt: skip
    """Numbers from ``start`` up to but without ``end``; integers unless one of the three is a float.

    Raises a RuntimeError for a step of 0, or one of the wrong sign.

    >>> import dovetail as dv
    >>> dv.arange(5), dv.arange(1, 2, 0.5)
    (tensor([0, 1, 2, 3, 4]), tensor([1.0000, 1.5000]))
    """
    if end is None:
        start, end = 0, start
    start, end, step = _number(start), _number(end), _number(step)
    exact = all(isinstance(x, int | bool) for x in (start, end, step))
    kind = (np.dtype(np.int64) if exact else get_default_dtype().np) if dtype is None else to_numpy_dtype(dtype)
    if step == 0:
        raise ShapeError("arange", "step must be nonzero")
    if not all(map(math.isfinite, (start, end))):
        raise ShapeError("arange", f"unsupported range: {start} -> {end}")
    if (end - start) * step < 0:
        raise ShapeError("arange", "upper bound and lower bound inconsistent with step sign", f"{start} to {end} by {step}")
    if kind.kind in "iu":
        start, end, step = int(start), int(end), int(step)
        count = -((start - end) // step)
    else:
        count = math.ceil((end - start) / step)
    return _spaced(count, lambda m, i: start + i * step, kind, device, requires_grad, out)


def _spaced(count: int, rule: Any, kind: Any, device: Any, requires_grad: bool, out: Any = None) -> Tensor:
    """`rule(module, 0 .. count-1)` in a type; the rule computes in int64 or float64."""
    where = to_device(device)
    with placed(where):
        module = module_for(where)
        i = module.arange(count, dtype=np.int64 if kind.kind in "iu" else np.float64)
        a = rule(module, i).astype(kind, copy=False)
    if out is not None:
        return out.resize_((count,)).copy_(wrap(a))
    return finished(a, requires_grad)


def range(start: Any = 0, end: Any = None, step: Any = 1, **options: Any) -> Tensor:
    """Numbers from ``start`` to ``end`` inclusive, as floats; PyTorch advises :func:`arange`.

    >>> import dovetail as dv
    >>> dv.range(0, 2)
    tensor([0., 1., 2.])
    """
    if end is None:
        start, end = 0, start
    kind = options.pop("dtype", None) or get_default_dtype()
    count = math.floor((end - start) / step) + 1
    return _spaced(count, lambda m, i: start + i * step, to_numpy_dtype(kind), options.get("device"), options.get("requires_grad", False))


def _ends(where: str, start: Any, end: Any, steps: int, dtype: Any) -> tuple[Any, Any, Any]:
    start, end = _number(start), _number(end)
    if steps < 0:
        raise ShapeError(where, "number of steps must be non-negative", f"got {steps}")
    if dtype is None:
        dtype = get_default_dtype()
        dtype = dtype.to_complex() if isinstance(start, complex) or isinstance(end, complex) else dtype
    return start, end, to_numpy_dtype(dtype)


def _line(start: Any, end: Any, steps: int, whole: bool) -> Any:
    """The rule of linspace: from both ends towards the middle, so that both are met exactly."""

    def rule(module: Any, i: Any) -> Any:
        i = i.astype(np.float64)
        step = (end - start) / (steps - 1) if steps > 1 else 0.0
        out = module.where(i < steps // 2 if steps > 1 else i == 0, start + step * i, end - step * (steps - 1 - i))
        return module.trunc(out) if whole else out

    return rule


def linspace(
    start: Any, end: Any, steps: int, *, dtype: Any = None, layout: Any = None, device: Any = None, requires_grad: bool = False,
    pin_memory: bool = False, out: Any = None,
) -> Tensor:  # fmt: skip
    """``steps`` numbers from ``start`` to ``end``, both included, at equal distances.

    Raises a ShapeError (RuntimeError) for a negative number of steps.

    >>> import dovetail as dv
    >>> dv.linspace(0, 1, 3)
    tensor([0.0000, 0.5000, 1.0000])
    """
    start, end, kind = _ends("linspace", start, end, int(steps), dtype)
    return _spaced(int(steps), _line(start, end, int(steps), kind.kind in "iu"), kind, device, requires_grad, out)


def logspace(
    start: Any, end: Any, steps: int, base: float = 10.0, *, dtype: Any = None, layout: Any = None, device: Any = None,
    requires_grad: bool = False, pin_memory: bool = False, out: Any = None,
) -> Tensor:  # fmt: skip
    """``base ** linspace(start, end, steps)``.

    Raises a ShapeError (RuntimeError) for a negative number of steps.

    >>> import dovetail as dv
    >>> dv.logspace(0, 2, 3)
    tensor([  1.,  10., 100.])
    """
    start, end, kind = _ends("logspace", start, end, int(steps), dtype)
    line = _line(start, end, int(steps), False)
    return _spaced(int(steps), lambda m, i: base ** line(m, i), kind, device, requires_grad, out)


def eye(
    n: int, m: int | None = None, *, dtype: Any = None, layout: Any = None, device: Any = None, requires_grad: bool = False,
    pin_memory: bool = False, out: Any = None,
) -> Tensor:  # fmt: skip
    """A matrix of ``n`` rows and ``m`` columns with ones on the diagonal and zeros elsewhere.

    Raises a ShapeError (RuntimeError) for a negative size.

    >>> import dovetail as dv
    >>> dv.eye(2)
    tensor([[1., 0.],
            [0., 1.]])
    """
    m = n if m is None else m
    for name, size in (("n", n), ("m", m)):
        if size < 0:
            raise ShapeError("eye", f"{name} must be greater or equal to 0, got {size}")
    where = to_device(device)
    with placed(where):
        return finished(module_for(where).eye(int(n), int(m), dtype=type_of(dtype)), requires_grad)


def _triangle(name: str, row: int, col: int, offset: int, dtype: Any, device: Any) -> Tensor:
    if row < 0 or col < 0:
        raise ShapeError(f"{name}_indices", f"row and col must be non-negative, got {row} and {col}")
    where = to_device(device)
    with placed(where):
        module = module_for(where)
        mask = getattr(module, name)(module.ones((row, col), bool), offset)
        return finished(module.stack(mask.nonzero()).astype(np.int64 if dtype is None else to_numpy_dtype(dtype), copy=False))


def tril_indices(row: int, col: int, offset: int = 0, *, dtype: Any = None, device: Any = None, layout: Any = None) -> Tensor:
    """The row and column indices of the lower triangle of a matrix: ``(2, count)``.

    >>> import dovetail as dv
    >>> dv.tril_indices(2, 2)
    tensor([[0, 1, 1],
            [0, 0, 1]])
    """
    return _triangle("tril", row, col, offset, dtype, device)


def triu_indices(row: int, col: int, offset: int = 0, *, dtype: Any = None, device: Any = None, layout: Any = None) -> Tensor:
    """The row and column indices of the upper triangle of a matrix: ``(2, count)``.

    >>> import dovetail as dv
    >>> dv.triu_indices(2, 2)
    tensor([[0, 0, 1],
            [0, 1, 1]])
    """
    return _triangle("triu", row, col, offset, dtype, device)
