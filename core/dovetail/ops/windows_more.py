"""Windows for spectra under the names that ``dovetail`` has for them; ``dovetail.signal.windows`` has the newer ones."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..autograd.node import Tensor
from ..device import xp
from ..errors import TypeMismatch
from ._guard import public_function
from .windows import cosines, window_of

__all__ = ["bartlett_window", "blackman_window", "hamming_window", "kaiser_window"]


@public_function
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
    return window_of("hamming_window", window_length, periodic, cosines(alpha, -beta), dtype, options)


def _in_order(name: str, **given: Any) -> list[Any]:
    """What was given, or the defaults; PyTorch's parser takes each of these only with all before it."""
    values = [value for value, _ in given.values()]
    if None in values and any(value is not None for value in values[values.index(None) :]):
        what = f"received an invalid combination of arguments - got {dict(zip(given, values, strict=True))}"
        raise TypeMismatch(f"{name}()", what, f"expected {', '.join(given)} in this order")
    return [default if value is None else value for value, default in given.values()]


@public_function
def blackman_window(window_length: int, periodic: bool = True, *, dtype: Any = None, **options: Any) -> Tensor:
    """``0.42 - 0.5 · cos(2πx) + 0.08 · cos(4πx)``.

    >>> import dovetail as dv
    >>> dv.blackman_window(4)[1:]
    tensor([0.3400, 1.0000, 0.3400])
    """
    return window_of("blackman_window", window_length, periodic, cosines(0.42, -0.5, 0.08), dtype, options)


@public_function
def bartlett_window(window_length: int, periodic: bool = True, *, dtype: Any = None, **options: Any) -> Tensor:
    """A triangle: ``1 - |2x - 1|``.

    >>> import dovetail as dv
    >>> dv.bartlett_window(4)
    tensor([0.0000, 0.5000, 1.0000, 0.5000])
    """
    return window_of("bartlett_window", window_length, periodic, lambda x: 1 - abs(2 * x - 1), dtype, options)


@public_function
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

    return window_of("kaiser_window", window_length, periodic, rule, dtype, options)
