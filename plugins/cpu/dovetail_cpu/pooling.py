"""Max pooling with its gradient in one pass: the reference finds the places of the maxima first, and scatters to them."""

from __future__ import annotations

from typing import Any

import dovetail as dv
from dovetail.extend import Array, Kernel, op

from . import _native

__all__ = ["max_pool"]


@op(name="cpu/max_pool_grad", dtypes="same")
def max_pool_grad(grad: Array, input: Array, window: Any) -> Array:
    """The gradient of max pooling by its input: `grad` where each window has its first greatest element.

    That is found anew: the result may have been changed in place.
    """
    return _native.max_pool_grad(grad, input, _native.max_pool(input, window), window)


@max_pool_grad.vjp("grad")
def _(g: Any, input: Any, window: Any) -> Any:
    pool = getattr(dv.nn.functional, f"max_pool{len(window.outs)}d")
    place = (window.kernel, window.stride, window.padding, window.dilation)
    at = pool(input, *place, return_indices=True)[1]
    if tuple(at.shape[2:]) != window.outs:
        at = pool(input, *place, ceil_mode=True, return_indices=True)[1]
    return g.flatten(2).gather(2, at.flatten(2)).reshape(at.shape)


max_pool = Kernel(_native.max_pool, lambda g, input, window: max_pool_grad(g, input, window))
