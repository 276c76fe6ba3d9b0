"""Transforms of single images that chain, wrap, convert and scale."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from PIL import Image

import dovetail
from dovetail import Tensor, nn
from dovetail.errors import TypeMismatch

from . import functional as F
from .v2 import convert

__all__ = [
    "Compose", "ConvertImageDtype", "Lambda", "LinearTransformation", "Normalize", "PILToTensor", "RandomApply", "RandomChoice",
    "RandomOrder", "ToPILImage", "ToTensor",
]  # fmt: skip


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


class PILToTensor:
    """Turn a PIL image into a tensor ``(C, H, W)`` of the same values.

    >>> PILToTensor()(Image.new("L", (1, 1), 7)).item()
    7
    """

    def __call__(self, pic: Image.Image) -> Tensor:
        return F.pil_to_tensor(pic)

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class ToPILImage:
    """Turn a tensor ``(C, H, W)`` or an array ``(H, W, C)`` into a PIL image, floats times 255; ``mode`` as Pillow names it.

    >>> ToPILImage()(dovetail.ones(3, 2, 5)).size
    (5, 2)
    """

    def __init__(self, mode: str | None = None) -> None:
        self.mode = mode

    def __call__(self, pic: Tensor | np.ndarray) -> Image.Image:
        return F.to_pil_image(pic, self.mode)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({'' if self.mode is None else f'mode={self.mode}'})"


class ConvertImageDtype(nn.Module):
    """Change the element type of a tensor and scale its values with it.

    >>> ConvertImageDtype(dovetail.uint8)(dovetail.ones(1, 1, 1)).item()
    255
    """

    def __init__(self, dtype: dovetail.dtype) -> None:
        super().__init__()
        self.dtype = dtype

    def forward(self, image: Tensor) -> Tensor:
        return F.convert_image_dtype(image, self.dtype)


class LinearTransformation(convert.LinearTransformation):
    """Flatten an image ``(..., C, H, W)``, take the mean vector off, multiply by a square matrix, and put it in shape again.

    >>> LinearTransformation(dovetail.eye(4) * 2, dovetail.ones(4))(dovetail.ones(1, 2, 2) * 3).sum().item()
    16.0
    """

    def forward(self, tensor: Tensor) -> Tensor:
        self.check_inputs([tensor])
        return self.transform(tensor, {})

    def __repr__(self) -> str:
        matrix, mean = self.transformation_matrix.tolist(), self.mean_vector.tolist()
        return f"{type(self).__name__}(transformation_matrix={matrix}, mean_vector={mean})"


class RandomApply(nn.Module):
    """Apply all of the transforms with probability ``p``, or none.

    >>> RandomApply([abs], p=1.0)(-3)
    3
    """

    def __init__(self, transforms: Sequence[Callable[[Any], Any]] | nn.ModuleList, p: float = 0.5) -> None:
        super().__init__()
        self.transforms = transforms
        self.p = p

    def forward(self, img: Any) -> Any:
        if self.p < dovetail.rand(1).item():
            return img
        for transform in self.transforms:
            img = transform(img)
        return img

    def __repr__(self) -> str:
        lines = "".join(f"\n    {transform}" for transform in self.transforms)
        return f"{type(self).__name__}(\n    p={self.p}{lines}\n)"


class _Several:
    def __init__(self, transforms: Sequence[Callable[..., Any]]) -> None:
        if not isinstance(transforms, Sequence):
            raise TypeMismatch(type(self).__name__, f"transforms is {type(transforms).__name__}", "expected a sequence")
        self.transforms = transforms

    def __repr__(self) -> str:
        lines = "".join(f"\n    {transform}" for transform in self.transforms)
        return f"{type(self).__name__}({lines}\n)"


class RandomOrder(_Several):
    """Apply all of the transforms in a random order, drawn from Python's ``random`` as torchvision does; v2's follows ``manual_seed``.

    >>> RandomOrder([abs, float])(-3)
    3.0
    """

    def __call__(self, img: Any) -> Any:
        order = list(range(len(self.transforms)))
        random.shuffle(order)
        for i in order:
            img = self.transforms[i](img)
        return img


class RandomChoice(_Several):
    """Apply one of the transforms, drawn from Python's ``random`` as torchvision does; v2's follows ``manual_seed``.

    >>> RandomChoice([abs, float], p=[1, 0])(-3)
    3
    """

    def __init__(self, transforms: Sequence[Callable[..., Any]], p: Sequence[float] | None = None) -> None:
        super().__init__(transforms)
        if p is not None and not isinstance(p, Sequence):
            raise TypeMismatch("RandomChoice", f"p is {p!r}", "expected a sequence of numbers")
        self.p = p

    def __call__(self, *args: Any) -> Any:
        return random.choices(self.transforms, weights=self.p)[0](*args)

    def __repr__(self) -> str:
        return f"{super().__repr__()}(p={self.p})"
