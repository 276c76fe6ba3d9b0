"""Images of bools in v1, which reads between their pixels without rounding: what shows anything of a True pixel is True."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import dovetail
from dovetail import Tensor

__all__ = ["unrounded"]

F = TypeVar("F", bound=Callable[..., Any])


def unrounded(function: F) -> F:
    """A function of an image that takes bools as numbers, and gives True for whatever is not zero; v2 rounds, and calls what is wrapped."""

    @wraps(function)
    def call(img: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(img, Tensor) and img.dtype == dovetail.bool:
            return function(img.float(), *args, **kwargs).bool()
        return function(img, *args, **kwargs)

    return call  # type: ignore[return-value]
