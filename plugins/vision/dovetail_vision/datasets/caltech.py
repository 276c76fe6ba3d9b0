"""Caltech 101 and 256: photographs in one folder a class."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

from ._fetch import extract, fetch_and_extract
from ._files import need, parsed, sorted_names
from ._image import open_image
from ._mat import read_mat
from .vision import Change, Root, VisionDataset, bundled, one_of, several

__all__ = ["Caltech101", "Caltech256"]

# The folders of outlines that are named otherwise than those of images.
_OUTLINES = {"Faces": "Faces_2", "Faces_easy": "Faces_3", "Motorbikes": "Motorbikes_16", "airplanes": "Airplanes_Side_2"}


class _Caltech(VisionDataset):
    """Images that are numbered from 1 in each folder."""

    _folder: str

    def _scan(self) -> None:
        base = need(os.path.join(self.root, self._folder))
        self.categories = sorted_names(base, lambda entry: entry.is_dir() and entry.name != "BACKGROUND_Google")  # that is no class
        self.index: list[int] = []
        self.y: list[int] = []
        for label, name in enumerate(self.categories):
            count = len(sorted_names(base / name, lambda entry: entry.name.endswith(".jpg")))
            self.index += range(1, count + 1)
            self.y += [label] * count

    def __len__(self) -> int:
        return len(self.index)


class Caltech101(_Caltech):
    """9,144 photographs in 101 classes.

    A sample is ``(image, target)``: a PIL image and what ``target_type`` names, one or both of "category" (an int) and "annotation" (the
    outline, an array ``(2, N)``). Files lie in ``root/caltech101/101_ObjectCategories`` and ``Annotations``.

    Source: L. Fei-Fei, R. Fergus, P. Perona, Learning generative visual models from few training examples, 2004, CC BY 4.0.

    >>> from dovetail_vision.datasets import tiny
    >>> with tiny.made(tiny.caltech101) as root:
    ...     images = Caltech101(root, ["category", "annotation"])
    ...     images.categories, images[0][1][1].shape
    (['Faces', 'ant'], (2, 5))
    """

    _folder = "101_ObjectCategories"

    def __init__(
        self,
        root: Root,
        target_type: list[str] | str = "category",
        transform: Change = None,
        target_transform: Change = None,
        download: bool = False,
    ) -> None:
        super().__init__(os.path.join(root, "caltech101"), transform=transform, target_transform=target_transform)
        self.target_type = [one_of(self, "target_type", kind, ("category", "annotation")) for kind in several(target_type)]
        if download:
            self.download()
        self._scan()
        self.annotation_categories = [_OUTLINES.get(name, name) for name in self.categories]

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        label, number = self.y[index], self.index[index]
        image = open_image(os.path.join(self.root, self._folder, self.categories[label], f"image_{number:04d}.jpg"))
        found = {"category": lambda: label, "annotation": lambda: self._outline(label, number)}
        return self._each(image, bundled([found[kind]() for kind in self.target_type]))

    def _outline(self, label: int, number: int) -> Any:
        path = os.path.join(self.root, "Annotations", self.annotation_categories[label], f"annotation_{number:04d}.mat")
        with parsed(path, "a MATLAB file with obj_contour"):
            return read_mat(path)["obj_contour"]

    def download(self) -> None:
        """Fetch the archive of archives and unpack them, unless the images are there."""
        if os.path.isdir(os.path.join(self.root, self._folder)):
            return
        url = "https://data.caltech.edu/records/mzrjq-6wc02/files/caltech-101.zip"
        fetch_and_extract([url], self.root, "3138e1922a9193bfa496528edbbc45d0")
        inner = Path(self.root, "caltech-101")
        for archive in sorted(path for path in inner.iterdir() if path.suffix in (".gz", ".tar")):
            extract(archive, self.root)
        shutil.rmtree(inner)
        os.remove(os.path.join(self.root, "caltech-101.zip"))

    def extra_repr(self) -> str:
        """The line that names the kinds of target."""
        return f"Target type: {self.target_type}"


class Caltech256(_Caltech):
    """30,607 photographs in 257 folders, the last one clutter; a sample is ``(image, label)``: a PIL image and an int.

    Files lie in ``root/caltech256/256_ObjectCategories``.

    Source: G. Griffin, A. Holub, P. Perona, Caltech-256 Object Category Dataset, 2007, CC BY 4.0.

    >>> from dovetail_vision.datasets import tiny
    >>> with tiny.made(tiny.caltech256) as root:
    ...     Caltech256(root).y
    [0, 0, 1]
    """

    _folder = "256_ObjectCategories"

    def __init__(self, root: Root, transform: Change = None, target_transform: Change = None, download: bool = False) -> None:
        super().__init__(os.path.join(root, "caltech256"), transform=transform, target_transform=target_transform)
        if download:
            self.download()
        self._scan()

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        label, number = self.y[index], self.index[index]
        name = f"{label + 1:03d}_{number:04d}.jpg"
        return self._each(open_image(os.path.join(self.root, self._folder, self.categories[label], name)), label)

    def download(self) -> None:
        """Fetch the archive and unpack it, unless the images are there."""
        if not os.path.isdir(os.path.join(self.root, self._folder)):
            url = "https://data.caltech.edu/records/nyy15-4j048/files/256_ObjectCategories.tar"
            fetch_and_extract([url], self.root, "67b4f42ca05d46448c6bb8ecd2220f6d")
