"""What `autograd.gradcheck` does: gradients against central differences, element by element, complex ones by their two parts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..autograd.functional import grad
from ..autograd.gradcheck import GradcheckError
from ..autograd.node import CLASSES, Tensor, wrap
from ..errors import ValueRangeError

__all__ = ["compare", "compare_twice"]


def _tensors(x: Any) -> tuple[Any, ...]:
    return tuple(x) if isinstance(x, tuple | list) else (x,)


def _tracked(values: Any) -> list[tuple[int, Tensor]]:
    """The tensors that require a gradient, with their places."""
    return [(i, t) for i, t in enumerate(_tensors(values)) if t.__class__ in CLASSES and t._n is not None]


def _needed(inputs: Any) -> list[tuple[int, Tensor]]:
    moved = _tracked(inputs)
    if not moved:
        what = "gradcheck expects at least one input tensor to require gradient, but none of them have requires_grad=True"
        raise ValueRangeError("gradcheck", what)
    return moved


def compare(func: Callable[..., Any], inputs: Any, eps: float, atol: float, rtol: float, nondet_tol: float, raise_exception: bool) -> bool:
    """Compare a function's gradients with central differences, which are ``2 eps`` apart: True, or a GradcheckError, or False in its place.

    >>> import dovetail as dv
    >>> x = dv.tensor([0.5, 1.5], dtype=dv.float64, requires_grad=True)
    >>> compare(lambda x: x * x, (x,), 1e-6, 1e-5, 1e-3, 0.0, True)
    True
    """
    try:
        _check(func, _tensors(inputs), eps, atol, rtol, nondet_tol)
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def _check(func: Callable[..., Any], inputs: tuple[Any, ...], eps: float, atol: float, rtol: float, nondet_tol: float) -> None:
    moved = _needed(inputs)
    outs = _tracked(func(*inputs))
    for i, t in moved:
        for k, (_, out) in enumerate(outs):
            analytic = _analytic(func, inputs, k, t)
            if np.abs(analytic - _analytic(func, inputs, k, t)).max(initial=0.0) > nondet_tol:
                raise GradcheckError("gradcheck", f"Backward is not reentrant (input {i}, output {k})")
            numeric = _numeric(func, inputs, k, t, eps)
            if not np.allclose(analytic, numeric, rtol=rtol, atol=atol, equal_nan=True):
                shapes = f"output {tuple(out._a.shape)}, input {tuple(t._a.shape)}"
                what = f"Jacobian mismatch for output {k} with respect to input {i} ({shapes})"
                apart = f"largest difference {np.abs(analytic - numeric).max(initial=0.0):.3g}"
                raise GradcheckError("gradcheck", what, f"numerical:\n{numeric}\nanalytical:\n{analytic}", apart)


def _units(a: Any) -> tuple[complex, ...]:
    """The directions in which an element moves: a complex one by its real and by its imaginary part."""
    return (1, 1j) if a.dtype.kind == "c" else (1,)


def _parts(a: Any) -> Any:
    """The elements as a row of real numbers, a complex one as two."""
    row = np.ascontiguousarray(a).reshape(-1)
    return row.view(row.real.dtype)


def _analytic(func: Callable[..., Any], inputs: tuple[Any, ...], k: int, t: Tensor) -> Any:
    """The Jacobian by backward, one column per real number of the output: that of its imaginary part is the gradient for i."""
    out = _tracked(func(*inputs))[k][1]
    rows = []
    for j in range(out._a.size):
        for unit in _units(out._a):
            seed = np.zeros(out._a.shape, out._a.dtype)
            seed.reshape(-1)[j] = unit
            g = grad(out, t, wrap(seed), retain_graph=True, allow_unused=True)[0]
            rows.append(_parts(np.zeros_like(t._a) if g is None else g._a.astype(t._a.dtype, copy=False)))
    return np.array(rows).reshape(len(rows), _parts(t._a).size).T


def _numeric(func: Callable[..., Any], inputs: tuple[Any, ...], k: int, t: Tensor, eps: float) -> Any:
    """The Jacobian by central differences; the input's memory is moved and put back."""
    a = t._a

    def moved(index: Any, value: Any) -> Any:
        a[index] = value
        return _parts(_tracked(func(*inputs))[k][1]._a).copy()

    rows = []
    for index in np.ndindex(*a.shape):
        before = a[index].copy()
        rows += [(moved(index, before + unit * eps) - moved(index, before - unit * eps)) / (2 * eps) for unit in _units(a)]
        a[index] = before
    return np.array(rows).reshape(len(rows), _parts(_tracked(func(*inputs))[k][1]._a).size)


def compare_twice(
    func: Callable[..., Any], inputs: Any, seeds: Any, eps: float, atol: float, rtol: float, nondet_tol: float, raise_exception: bool
) -> bool:
    """Compare the gradients of a function's gradients; `seeds` are the gradients to begin with, None for ones that are drawn.

    >>> import dovetail as dv
    >>> x = dv.tensor([0.5, 1.5], dtype=dv.float64, requires_grad=True)
    >>> compare_twice(lambda x: x * x * x, (x,), None, 1e-6, 1e-5, 1e-3, 0.0, True)
    True
    """
    inputs = _tensors(inputs)
    _needed(inputs)
    if seeds is None:
        draw, outs = np.random.RandomState(7), [o._a for _, o in _tracked(func(*inputs))]
        seeds = [wrap(np.array(sum(draw.uniform(0.5, 1.5, o.shape) * unit for unit in _units(o)), o.dtype)) for o in outs]
        for s in seeds:
            s.requires_grad_()
    else:
        seeds = list(_tensors(seeds))
    moved = [i for i, _ in _tracked(inputs)]

    def first(*args: Any) -> tuple[Any, ...]:
        given, gs = args[: len(inputs)], args[len(inputs) :]
        made = [o for _, o in _tracked(func(*given))]
        found = grad(made, [given[i] for i in moved], list(gs), create_graph=True, allow_unused=True)
        return tuple(f for f in found if f is not None)

    if not _tracked(first(*inputs, *seeds)):
        return True
    return compare(first, (*inputs, *seeds), eps, atol, rtol, nondet_tol, raise_exception)
