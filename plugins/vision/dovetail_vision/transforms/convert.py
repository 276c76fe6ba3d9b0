"""Transforms that chain, wrap, convert and scale."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from PIL import Image

from dovetail import Tensor, nn
from dovetail.errors import TypeMismatch

from . import functional as F

__all__ = ["Compose", "Lambda", "Normalize", "ToTensor"]


class Compose:
    """Apply transforms one after the other.

    >>> Compose([Lambda(abs), Lambda(float)])(-3)
    3.0
    """

    def __init__(self, transforms: Sequence[Callable[[Any], Any]]) -> None:
        self.transforms = transforms

    def __call__(self, img: Any) -> Any:
        for transform in self.transforms:
            img = transform(img)
        return img

    def __repr__(self) -> str:
        lines = "".join(f"\n    {transform}" for transform in self.transforms)
        return f"{type(self).__name__}({lines}\n)"


class Lambda:
    """Apply a function of one's own; raises ``TypeMismatch`` for what cannot be called.

    >>> Lambda(str.upper)("a")
    'A'
    """

    def __init__(self, lambd: Callable[[Any], Any]) -> None:
        if not callable(lambd):
            raise TypeMismatch("Lambda", f"lambd is {lambd!r}", "expected something that can be called")
        self.lambd = lambd

    def __call__(self, img: Any) -> Any:
        return self.lambd(img)

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class ToTensor:
    """Turn a PIL image or an ``(H, W, C)`` array into a tensor ``(C, H, W)``, bytes scaled to 0..1.

    Images of modes "I", "I;16" and "F" and arrays of other types than uint8 keep their values.

    >>> tuple(ToTensor()(Image.new("L", (3, 2), 255)).shape)
    (1, 2, 3)
    """

    def __call__(self, pic: Image.Image | np.ndarray) -> Tensor:
        return F.to_tensor(pic)

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class Normalize(nn.Module):
    """Bring each channel of a float tensor ``(..., C, H, W)`` to ``(input - mean) / std``.

    >>> Normalize([0.5], [0.25])(ToTensor()(Image.new("L", (1, 1), 255))).item()
    2.0
    """

    def __init__(self, mean: Sequence[float], std: Sequence[float], inplace: bool = False) -> None:
        super().__init__()
        self.mean = mean
        self.std = std
        self.inplace = inplace

    def forward(self, tensor: Tensor) -> Tensor:
        return F.normalize(tensor, self.mean, self.std, self.inplace)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(mean={self.mean}, std={self.std})"
