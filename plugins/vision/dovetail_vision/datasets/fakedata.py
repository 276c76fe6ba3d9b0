"""Random images, for trying a pipeline without any files."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import dovetail
from dovetail.errors import RangeError

from ..transforms.functional import to_pil_image
from .vision import VisionDataset

__all__ = ["FakeData"]


class FakeData(VisionDataset):
    """``size`` random PIL images, each with a random class below ``num_classes``; ``image_size`` is ``(C, H, W)``.

    Image ``i`` is drawn from the seed ``i + random_offset``, as torchvision draws it; the global generator is not touched.

    >>> images = FakeData(size=3, image_size=(3, 4, 5))
    >>> len(images), images[0][0].size, images[0][1]
    (3, (5, 4), 9)
    """

    def __init__(
        self,
        size: int = 1000,
        image_size: tuple[int, ...] = (3, 224, 224),
        num_classes: int = 10,
        transform: Callable[[Any], Any] | None = None,
        target_transform: Callable[[Any], Any] | None = None,
        random_offset: int = 0,
    ) -> None:
        super().__init__(transform=transform, target_transform=target_transform)
        self.size = size
        self.num_classes = num_classes
        self.image_size = image_size
        self.random_offset = random_offset

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        if index >= len(self):
            raise RangeError("FakeData", f"index is {index}", f"expected 0 to {len(self) - 1}")
        draw = dovetail.Generator().manual_seed(int(index) + self.random_offset)
        pixels = dovetail.randn(*self.image_size, generator=draw)
        target: Any = dovetail.randint(0, self.num_classes, size=(1,), generator=draw)[0]
        image: Any = to_pil_image(pixels)
        if self.transform is not None:
            image = self.transform(image)
        if self.target_transform is not None:
            target = self.target_transform(target)
        return image, target.item()

    def __len__(self) -> int:
        return self.size
