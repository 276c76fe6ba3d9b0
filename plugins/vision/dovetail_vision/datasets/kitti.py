"""KITTI: streets with the boxes of what is on them, in two and three dimensions."""

from __future__ import annotations

import os
from typing import Any, ClassVar

from ._fetch import fetch_and_extract
from ._files import lines, need, parsed, sorted_names
from ._image import open_image
from .vision import Change, Joint, Root, VisionDataset, one_of

__all__ = ["Kitti"]


class Kitti(VisionDataset):
    """Streets seen from a car: 7,481 images with boxes to train on, 7,518 without to test on; ``split`` goes before ``train``.

    A sample is ``(image, target)``: a PIL image and a list of dicts with "type", "truncated" (0 to 1), "occluded" (0 to 3), "alpha"
    (radians), "bbox" (left, top, right, bottom in pixels), "dimensions" (height, width, length in metres), "location" (x, y, z in metres)
    and "rotation_y" (radians); None to test on. Files lie in ``root/Kitti/raw/training/image_2``, ``label_2``, ``testing/image_2``.

    Source: A. Geiger, P. Lenz, R. Urtasun, Are we ready for Autonomous Driving?, 2012.

    >>> from dovetail_vision.datasets import tiny
    >>> with tiny.made(tiny.kitti) as root:
    ...     [thing["type"] for thing in Kitti(root)[0][1]]
    ['Car', 'DontCare']
    """

    data_url = "https://s3.eu-central-1.amazonaws.com/avg-kitti/"
    resources: ClassVar[list[str]] = ["data_object_image_2.zip", "data_object_label_2.zip"]
    image_dir_name = "image_2"
    labels_dir_name = "label_2"

    def __init__(
        self,
        root: Root,
        train: bool = True,
        transform: Change = None,
        target_transform: Change = None,
        transforms: Joint = None,
        download: bool = False,
        *,
        split: str | None = None,
    ) -> None:
        super().__init__(root, transforms, transform, target_transform)
        self.train = train if split is None else one_of(self, "split", split, ("train", "test")) == "train"
        self._location = "training" if self.train else "testing"
        if download:
            self.download()
        folder = need(self._folder(self.image_dir_name))
        names = sorted_names(folder)
        self.images = [os.path.join(folder, name) for name in names]
        self.targets: list[str] = []
        if self.train:
            labels = need(self._folder(self.labels_dir_name))
            self.targets = [os.path.join(labels, f"{name.split('.')[0]}.txt") for name in names]

    @property
    def _raw_folder(self) -> str:
        return os.path.join(self.root, type(self).__name__, "raw")

    def _folder(self, name: str) -> str:
        return os.path.join(self._raw_folder, self._location, name)

    def download(self) -> None:
        """Fetch the two archives and unpack them, unless the images are there."""
        wanted = [self.image_dir_name, *([self.labels_dir_name] if self.train else [])]
        if not all(os.path.isdir(self._folder(name)) for name in wanted):
            for name in self.resources:
                fetch_and_extract([self.data_url + name], self._raw_folder)

    def _parse_target(self, index: int) -> list[dict[str, Any]]:
        path = self.targets[index]
        with parsed(path, "lines of a type and 14 numbers"):
            return [self._thing(line.split(" ")) for line in lines(path, empty=True)]

    @staticmethod
    def _thing(row: list[str]) -> dict[str, Any]:
        numbers = [float(word) for word in row[3:15]]
        return {
            "type": row[0],
            "truncated": float(row[1]),
            "occluded": int(row[2]),
            "alpha": numbers[0],
            "bbox": numbers[1:5],
            "dimensions": numbers[5:8],
            "location": numbers[8:11],
            "rotation_y": numbers[11],
        }

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        return self._both(open_image(self.images[index]), self._parse_target(index) if self.train else None)

    def __len__(self) -> int:
        return len(self.images)
