"""Running products, whose gradient is one pass there and one back: the reference's is many over whole arrays."""

from __future__ import annotations

from typing import Any

import dovetail as dv
from dovetail.extend import Array, Kernel, op
from dovetail.graph.raw import OPS

from . import _native

__all__ = ["cumprod"]


@op(name="cpu/cumprod_grad", dtypes="same")
def cumprod_grad(grad: Array, input: Array, dim: int) -> Array:
    """The gradient of running products along a dimension by what is multiplied."""
    return _native.cumprod_grad(grad, input, dim)


def _rule(g: Any, input: Any, dim: int) -> Any:
    """A gradient that is itself to be differentiated is the reference's, made of ops."""
    if dv.is_grad_enabled():
        return OPS["cumprod"].reference.rules[None].function(g, input, dim)
    return cumprod_grad(g, input, dim)


cumprod = Kernel(_native.cumprod, _rule)
