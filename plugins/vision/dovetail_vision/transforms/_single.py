"""What the transforms of single images (v1) add to those of samples (v2): one image, and torchvision's older printed forms."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from numbers import Number
from typing import Any

from dovetail.errors import TypeMismatch

from . import functional
from ._interpolation import interpolation_mode
from .functional.meta import get_dimensions

__all__ = ["OneImage", "filled"]


class OneImage:
    """Goes before a v2 transform: ``forward`` takes one PIL image or tensor, and nothing else."""

    _functional = functional

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Show the arguments of the transform that it goes before, where a class has none of its own."""
        super().__init_subclass__(**kwargs)
        cls.__signature__ = None  # type: ignore[attr-defined]
        if "__init__" not in vars(cls):
            made = [inspect.signature(vars(base)["__init__"]) for base in cls.__mro__ if "__init__" in vars(base) and base is not object]
            listed = [list(found.parameters.values())[1:] for found in made]
            plain = (some for some in listed if not any(one.kind is one.VAR_POSITIONAL for one in some))
            cls.__signature__ = inspect.Signature(next(plain, []))  # type: ignore[attr-defined]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if hasattr(self, "interpolation"):
            self.interpolation = interpolation_mode(type(self).__name__, self.interpolation, names=True)

    def forward(self, img: Any) -> Any:
        get_dimensions(img)  # a TypeMismatch for what is no image
        return super().forward(img)  # type: ignore[misc]

    def shown(self) -> str:
        """What stands in the brackets of the printed form."""
        return ""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.shown()})"


def filled(where: str, fill: Any) -> Any:
    """A fill as v1 takes it: a number or one a channel, None for 0."""
    if not isinstance(fill, (Sequence, Number, type(None))):
        raise TypeMismatch(where, f"fill is {fill!r}", "expected a number or one a channel")
    return 0 if fill is None else fill
