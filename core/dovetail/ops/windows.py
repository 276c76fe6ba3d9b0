"""Windows for spectra: one period of a smooth bump."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..autograd.node import Tensor
from ..device import module_for, xp
from ..dtypes import get_default_dtype, to_numpy_dtype
from ..errors import ShapeError, TypeMismatch
from ._refuse import type_name
from .convert import finished, placed
from .create import settled

__all__ = ["bartlett_window", "blackman_window", "hamming_window", "hann_window", "kaiser_window"]
METHODS = ()


def _window(name: str, length: Any, periodic: bool, rule: Callable[[Any], Any], dtype: Any, options: dict[str, Any]) -> Tensor:
    """The values of a rule for x from 0 to 1, where `periodic` leaves the last one out, since it is the next period's first."""
    if isinstance(length, bool) or not isinstance(length, int):
        what = f"argument 'window_length' (position 1) must be int, not {type(length).__name__}"
        raise TypeMismatch(f"{name}()", what)
    kind = to_numpy_dtype(dtype or get_default_dtype())
    if kind.kind in "iub":
        raise ShapeError(name, f"{name} expects floating point dtypes, got: {type_name(kind)}")
    if length < 0:
        raise ShapeError(name, f"{name} requires non-negative window_length, got window_length={length}")
    where, requires_grad, out = settled(name, **options)
    with placed(where):
        i = module_for(where).arange(length, dtype=np.float64)
        values = rule(i / (length if periodic else length - 1)) if length > 1 else i + 1
        return finished(values.astype(kind), requires_grad, out)


def _cosines(*weights: float) -> Callable[[Any], Any]:
    """``Σ_k weights[k] · cos(2πk x)``."""
    return lambda x: sum(w * xp(x).cos(2 * math.pi * k * x) for k, w in enumerate(weights))


def hann_window(window_length: int, periodic: bool = True, *, dtype: Any = None, **options: Any) -> Tensor:
    """``sin²(πx)``, where x counts from 0 to 1.

    Raises a ShapeError (RuntimeError) for a negative length or an integer type.

    >>> import dovetail as dv
    >>> dv.hann_window(4)
    tensor([0.0000, 0.5000, 1.0000, 0.5000])
    """
    return _window("hann_window", window_length, periodic, _cosines(0.5, -0.5), dtype, options)


def hamming_window(
    window_length: int,
    periodic: bool | None = None,
    alpha: float | None = None,
    beta: float | None = None,
    *,
    dtype: Any = None,
    **options: Any,
) -> Tensor:
    """``alpha - beta · cos(2πx)``, 0.54 and 0.46 where they are not given, and periodic.

    Raises a TypeError, as PyTorch does, for `alpha` without `periodic` and for `beta` without `alpha`.

    >>> import dovetail as dv
    >>> dv.hamming_window(4)
    tensor([0.0800, 0.5400, 1.0000, 0.5400])
    """
    periodic, alpha, beta = _in_order("hamming_window", periodic=(periodic, True), alpha=(alpha, 0.54), beta=(beta, 0.46))
    return _window("hamming_window", window_length, periodic, _cosines(alpha, -beta), dtype, options)


def _in_order(name: str, **given: Any) -> list[Any]:
    """What was given, or the defaults; PyTorch's parser takes each of these only with all before it."""
    values = [value for value, _ in given.values()]
    if None in values and any(value is not None for value in values[values.index(None) :]):
        what = f"received an invalid combination of arguments - got {dict(zip(given, values, strict=True))}"
        raise TypeMismatch(f"{name}()", what, f"expected {', '.join(given)} in this order")
    return [default if value is None else value for value, default in given.values()]


def blackman_window(window_length: int, periodic: bool = True, *, dtype: Any = None, **options: Any) -> Tensor:
    """``0.42 - 0.5 · cos(2πx) + 0.08 · cos(4πx)``.

    >>> import dovetail as dv
    >>> dv.blackman_window(4)[1:]
    tensor([0.3400, 1.0000, 0.3400])
    """
    return _window("blackman_window", window_length, periodic, _cosines(0.42, -0.5, 0.08), dtype, options)


def bartlett_window(window_length: int, periodic: bool = True, *, dtype: Any = None, **options: Any) -> Tensor:
    """A triangle: ``1 - |2x - 1|``.

    >>> import dovetail as dv
    >>> dv.bartlett_window(4)
    tensor([0.0000, 0.5000, 1.0000, 0.5000])
    """
    return _window("bartlett_window", window_length, periodic, lambda x: 1 - abs(2 * x - 1), dtype, options)


def kaiser_window(
    window_length: int, periodic: bool | None = None, beta: float | None = None, *, dtype: Any = None, **options: Any
) -> Tensor:
    """``I₀(beta · sqrt(1 - (2x - 1)²)) / I₀(beta)``, with the modified Bessel function I₀; beta is 12 where it is not given.

    >>> import dovetail as dv
    >>> dv.kaiser_window(4, True, 2.)
    tensor([0.4387, 0.8348, 1.0000, 0.8348])
    """

    periodic, b = _in_order("kaiser_window", periodic=(periodic, True), beta=(beta, 12.0))

    def rule(x: Any) -> Any:
        m = xp(x)
        return m.i0(b * m.sqrt(m.maximum(1 - (2 * x - 1) ** 2, 0))) / float(np.i0(b))

    return _window("kaiser_window", window_length, periodic, rule, dtype, options)
