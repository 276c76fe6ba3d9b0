"""``torch._vmap_internals``: `vmap` under the names that programs took before it was public."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import dovetail as dv
from dovetail.errors import UnsupportedError

__all__ = ["vmap"]

vmap = dv.vmap


def _vmap(func: Callable[..., Any], in_dims: Any = 0, out_dims: Any = 0, allow_none_pass_through: bool = False) -> Callable[..., Any]:
    """`vmap`. Raises an UnsupportedError for `allow_none_pass_through`: results are tensors.

    >>> _vmap(lambda v: v * 2)(dv.tensor([1.0, 2.0]))
    tensor([2., 4.])
    """
    if allow_none_pass_through:
        raise UnsupportedError("_vmap", "allow_none_pass_through=True", "False", "return zeros in place of None")
    return dv.vmap(func, in_dims, out_dims)
