"""Pictures of coloured shapes with their boxes and masks, drawn when they are asked for: detection and segmentation without any files."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from PIL import Image

from dovetail import from_numpy
from dovetail.errors import RangeError, ValueRangeError

from ..tv_tensors import BoundingBoxes, BoundingBoxFormat, Mask
from .vision import VisionDataset

__all__ = ["Shapes"]

Array = np.ndarray
_FINE = 3  # points along each side of a pixel: a pixel's share of a shape is a multiple of 1/9


def _turned(radii: list[float], start: float = 0.0) -> Array:
    """Corners around the origin, at equal angles and these distances."""
    angles = [start + 2 * math.pi * i / len(radii) for i in range(len(radii))]
    return np.array([(r * math.cos(a), r * math.sin(a)) for r, a in zip(radii, angles, strict=True)])


def _cross(arm: float = 0.33) -> Array:
    reach = math.sqrt(1 - arm * arm)
    corner = [(reach, -arm), (reach, arm), (arm, arm)]
    return np.array([(x * c - y * s, x * s + y * c) for c, s in ((1, 0), (0, 1), (-1, 0), (0, -1)) for x, y in corner])


#: The outlines (corners, 2), inside the circle of radius 1.
_OUTLINES = {
    "circle": _turned([1.0] * 24),
    "square": _turned([1.0] * 4),
    "triangle": _turned([1.0] * 3),
    "star": _turned([1.0, 0.42] * 5),
    "cross": _cross(),
}


def _coverage(corners: Array, size: int) -> Array:
    """The share of each pixel (size, size) inside a polygon (corners, 2), by the even-odd rule."""
    low, high = np.floor(corners.min(0)).astype(int), np.ceil(corners.max(0)).astype(int)
    (left, top), (right, bottom) = np.maximum(low, 0), np.minimum(high, size)
    step = (np.arange(_FINE) + 0.5) / _FINE
    y = (np.arange(top, bottom)[:, None] + step).reshape(-1, 1, 1)
    x = (np.arange(left, right)[:, None] + step).reshape(1, -1, 1)
    (x1, y1), (x2, y2) = corners.T, np.roll(corners, -1, 0).T
    rise = np.where(y1 == y2, 1.0, y2 - y1)
    inside = (((y1 > y) != (y2 > y)) & (x < x1 + (y - y1) * (x2 - x1) / rise)).sum(-1) % 2
    share = np.zeros((size, size))
    share[top:bottom, left:right] = inside.reshape(bottom - top, _FINE, right - left, _FINE).mean((1, 3))
    return share


def _background(draw: np.random.RandomState, size: int) -> Array:
    """Two colours that run into each other, and a few faint blots: (size, size, 3), 0..255."""
    y, x = np.mgrid[:size, :size] / size
    angle = draw.uniform(0, 2 * math.pi)
    way = ((x - 0.5) * math.cos(angle) + (y - 0.5) * math.sin(angle) + 0.71) / 1.42
    first, second = draw.uniform(30, 225, (2, 3))
    picture = first + (second - first) * 0.5 * way[..., None]
    for _ in range(draw.randint(2, 6)):
        (cx, cy), spread, colour = draw.uniform(0, 1, 2), draw.uniform(0.05, 0.2), draw.uniform(-45, 45, 3)
        picture += np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * spread**2))[..., None] * colour
    return picture


def _colour(draw: np.random.RandomState, around: Array) -> Array:
    """A colour that differs from its surroundings."""
    while True:
        colour = draw.uniform(0, 255, 3)
        if np.abs(colour - around).sum() > 150:
            return colour


def _placed(draw: np.random.RandomState, size: int, count: int) -> Iterator[tuple[int, Array]]:
    """Class and share of pixels of each shape, from back to front; none hides more than a quarter of the ones behind it."""
    behind: list[tuple[Array, float]] = []
    names = list(_OUTLINES)
    for _ in range(20 * count):
        kind, radius, angle = draw.randint(len(names)), draw.uniform(size / 9, size / 4.2), draw.uniform(0, 2 * math.pi)
        turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
        corners = radius * _OUTLINES[names[kind]] @ turn + draw.uniform(radius, size - radius, 2)
        share = _coverage(corners, size)
        mask = share >= 0.5
        left = [(seen & ~mask, area) for seen, area in behind]
        if any(seen.sum() < 0.75 * area for seen, area in left):
            continue
        behind = [*left, (mask, mask.sum())]
        yield kind, share
        if len(behind) == count:
            return


class Shapes(VisionDataset):
    """Circles, squares, triangles, stars and crosses of all colours and sizes on noisy backgrounds, one to ``max_shapes`` in a picture.

    Nothing is read: picture ``index`` is a function of ``(seed, split, index)``. There are 2,000 to train on and 500 to test on, or
    ``size``; each is an RGB PIL image of ``image_size × image_size``. ``target_type`` says what goes with it:

    - ``"instances"``: a dict as torchvision's detection models take it: ``boxes`` float32 ``(N, 4)`` of ``(xmin, ymin, xmax, ymax)``,
      ``labels`` int64 ``(N,)`` from 1, ``masks`` uint8 ``(N, H, W)`` of what is seen of each shape, ``area``, ``iscrowd``, ``image_id``;
    - ``"semantic"``: the class of each pixel, uint8 ``(H, W)``, 0 for the background.

    Boxes and masks are tv_tensors, so ``transforms`` of ``transforms.v2`` move them with the image.

    ``categories`` names the classes by their numbers. Raises ``ValueRangeError`` for options out of their range.

    >>> shapes = Shapes(split="test")
    >>> image, target = shapes[0]
    >>> len(shapes), image.size, [shapes.categories[label] for label in target["labels"]]
    (500, (96, 96), ['square', 'cross', 'square', 'star', 'circle'])
    >>> target["boxes"].shape, target["masks"].shape
    (dovetail.Size([5, 4]), dovetail.Size([5, 96, 96]))
    """

    categories: ClassVar[list[str]] = ["__background__", *_OUTLINES]

    def __init__(
        self,
        root: str | Path | None = None,
        train: bool = True,
        transform: Callable[[Any], Any] | None = None,
        target_transform: Callable[[Any], Any] | None = None,
        transforms: Callable[[Any, Any], tuple[Any, Any]] | None = None,
        *,
        split: str | None = None,
        target_type: str = "instances",
        size: int | None = None,
        image_size: int = 96,
        max_shapes: int = 5,
        seed: int = 0,
    ) -> None:
        super().__init__(None, transforms, transform, target_transform)
        if split not in (None, "train", "test"):
            raise ValueRangeError("Shapes", f"split is {split!r}", 'expected "train" or "test"')
        if target_type not in ("instances", "semantic"):
            raise ValueRangeError("Shapes", f"target_type is {target_type!r}", 'expected "instances" or "semantic"')
        if image_size < 32 or max_shapes < 1 or seed < 0 or (size is not None and size < 0):
            what = f"image_size is {image_size}, max_shapes {max_shapes}, seed {seed} and size {size}"
            raise ValueRangeError("Shapes", what, "expected 32 or more pixels, one shape or more, and no negative numbers")
        self.train = train if split is None else split == "train"
        self.size = (2000 if self.train else 500) if size is None else size
        self.target_type, self.image_size, self.max_shapes, self.seed = target_type, image_size, max_shapes, seed

    def __len__(self) -> int:
        return self.size

    def draw(self, index: int) -> tuple[Array, Array, Array]:
        """The picture uint8 ``(H, W, 3)``, the labels ``(N,)`` and the masks bool ``(N, H, W)`` of what is seen, as arrays."""
        draw = np.random.RandomState([self.seed, int(self.train), index])
        size = self.image_size
        picture, labels, masks = _background(draw, size), [], np.zeros((0, size, size), bool)
        for kind, share in _placed(draw, size, draw.randint(1, self.max_shapes + 1)):
            mask = share >= 0.5
            colour = _colour(draw, picture[mask].mean(0))
            picture += (colour - picture) * share[..., None]
            masks = np.concatenate([masks & ~mask, mask[None]])
            labels.append(kind + 1)
        picture += draw.standard_normal(picture.shape) * draw.uniform(4, 18)
        return np.clip(np.rint(picture), 0, 255).astype(np.uint8), np.array(labels, np.int64), masks

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        if not -len(self) <= index < len(self):
            raise RangeError("Shapes", f"index is {index}", f"expected 0 to {len(self) - 1}")
        index = int(index) % len(self)
        picture, labels, masks = self.draw(index)
        image: Any = Image.fromarray(picture)
        if self.target_type == "instances":
            target: Any = self._instances(index, labels, masks)
        else:  # masks do not overlap
            target = Mask(from_numpy((masks * labels[:, None, None]).sum(0).astype(np.uint8)))
        return (image, target) if self.transforms is None else self.transforms(image, target)

    def _instances(self, index: int, labels: Array, masks: Array) -> dict[str, Any]:
        rows, columns = masks.any(2), masks.any(1)
        first = [columns.argmax(1), rows.argmax(1)]
        last = [self.image_size - side[:, ::-1].argmax(1) for side in (columns, rows)]
        boxes = np.stack([*first, *last], 1).astype(np.float32)
        return {
            "boxes": BoundingBoxes(from_numpy(boxes), format=BoundingBoxFormat.XYXY, canvas_size=(self.image_size, self.image_size)),
            "labels": from_numpy(labels),
            "masks": Mask(from_numpy(masks.astype(np.uint8))),
            "image_id": index,
            "area": from_numpy(masks.sum((1, 2)).astype(np.float32)),
            "iscrowd": from_numpy(np.zeros(len(labels), np.int64)),
        }

    def extra_repr(self) -> str:
        """The lines that name the split and the targets."""
        return f"Split: {'Train' if self.train else 'Test'}\nTargets: {self.target_type}"
