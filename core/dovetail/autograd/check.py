"""gradcheck: gradients against finite differences, in float64."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..errors import GradError
from .functional import grad
from .node import CLASSES, Tensor, wrap

__all__ = ["GradcheckError", "gradcheck", "gradgradcheck"]


class GradcheckError(GradError):
    """A gradient that does not agree with finite differences."""


def _tensors(x: Any) -> tuple[Any, ...]:
    return tuple(x) if isinstance(x, tuple | list) else (x,)


def gradcheck(
    func: Callable[..., Any],
    inputs: Any,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    fast_mode: bool = False,
) -> bool:
    """Compare a function's gradients with central differences ``(f(x+ε) - f(x-ε)) / 2ε`` at float64 inputs.

    Every element of every input that requires a gradient is moved. Returns True, or raises a GradcheckError that names
    the input, the output and the two Jacobians (or returns False with ``raise_exception=False``).

    >>> import dovetail as dv
    >>> x = dv.tensor([0.5, 1.5], dtype=dv.float64, requires_grad=True)
    >>> dv.autograd.gradcheck(lambda x: x * x, (x,))
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
    moved = [(i, t) for i, t in enumerate(inputs) if t.__class__ in CLASSES and t._n is not None]
    if not moved:
        raise GradcheckError(
            "gradcheck", "gradcheck expects at least one input tensor to require gradient, but none of them have requires_grad=True"
        )
    outs = [o for o in _tensors(func(*inputs)) if o.__class__ in CLASSES and o._n is not None]
    for i, t in moved:
        for k, out in enumerate(outs):
            analytic = _analytic(func, inputs, k, i)
            again = _analytic(func, inputs, k, i)
            if np.abs(analytic - again).max(initial=0.0) > nondet_tol:
                raise GradcheckError("gradcheck", f"Backward is not reentrant (input {i}, output {k})")
            numeric = _numeric(func, inputs, k, t, eps)
            if not np.allclose(analytic, numeric, rtol=rtol, atol=atol, equal_nan=True):
                raise GradcheckError(
                    "gradcheck",
                    f"Jacobian mismatch for output {k} with respect to input {i} (output {tuple(out._a.shape)}, input {tuple(t._a.shape)})",
                    f"numerical:\n{numeric}\nanalytical:\n{analytic}",
                    f"largest difference {np.abs(analytic - numeric).max(initial=0.0):.3g}",
                )


def _pick(outs: Any, k: int) -> Tensor:
    picked: Tensor = [o for o in _tensors(outs) if o.__class__ in CLASSES and o._n is not None][k]
    return picked


def _analytic(func: Callable[..., Any], inputs: tuple[Any, ...], k: int, i: int) -> Any:
    """The Jacobian by backward, one row per element of the output."""
    out = _pick(func(*inputs), k)
    rows = []
    for j in range(out._a.size):
        seed = np.zeros(out._a.shape, out._a.dtype)
        seed.reshape(-1)[j] = 1
        g = grad(out, inputs[i], wrap(seed), retain_graph=True, allow_unused=True)[0]
        rows.append(np.zeros(inputs[i]._a.size) if g is None else g._a.reshape(-1).copy())
    return np.array(rows).reshape(out._a.size, inputs[i]._a.size).T


def _numeric(func: Callable[..., Any], inputs: tuple[Any, ...], k: int, t: Tensor, eps: float) -> Any:
    """The Jacobian by central differences; the input's memory is moved and put back."""
    a = t._a
    rows = []
    for index in np.ndindex(*a.shape):
        before = a[index].copy()
        a[index] = before + eps
        high = _pick(func(*inputs), k)._a.reshape(-1).copy()
        a[index] = before - eps
        low = _pick(func(*inputs), k)._a.reshape(-1).copy()
        a[index] = before
        rows.append((high - low) / (2 * eps))
    size = _pick(func(*inputs), k)._a.size
    return np.array(rows).reshape(a.size, size)


def gradgradcheck(
    func: Callable[..., Any],
    inputs: Any,
    grad_outputs: Sequence[Tensor] | None = None,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    gen_non_contig_grad_outputs: bool = False,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
) -> bool:
    """Compare the gradients of a function's gradients with central differences; arguments as :func:`gradcheck`.

    >>> import dovetail as dv
    >>> x = dv.tensor([0.5, 1.5], dtype=dv.float64, requires_grad=True)
    >>> dv.autograd.gradgradcheck(lambda x: x * x * x, (x,))
    True
    """
    inputs = _tensors(inputs)
    outs = [o for o in _tensors(func(*inputs)) if o.__class__ in CLASSES and o._n is not None]
    if grad_outputs is None:
        draw = np.random.RandomState(7)
        seeds: list[Any] = [wrap(draw.uniform(0.5, 1.5, o._a.shape).astype(o._a.dtype)) for o in outs]
        for s in seeds:
            s.requires_grad_()
    else:
        seeds = list(_tensors(grad_outputs))
    moved = [i for i, t in enumerate(inputs) if t.__class__ in CLASSES and t._n is not None]

    def first(*args: Any) -> tuple[Any, ...]:
        given, gs = args[: len(inputs)], args[len(inputs) :]
        made = [o for o in _tensors(func(*given)) if o.__class__ in CLASSES and o._n is not None]
        found = grad(made, [given[i] for i in moved], list(gs), create_graph=True, allow_unused=True)
        return tuple(f for f in found if f is not None)

    if not any(f._n is not None for f in first(*inputs, *seeds)):
        return True
    return gradcheck(first, (*inputs, *seeds), eps=eps, atol=atol, rtol=rtol, nondet_tol=nondet_tol, raise_exception=raise_exception)
