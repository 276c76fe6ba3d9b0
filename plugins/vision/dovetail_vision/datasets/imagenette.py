"""Imagenette: ten easy classes of ImageNet."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from ._fetch import fetch_and_extract
from ._files import need, parsed
from ._listed import Listed
from .folder import default_loader, find_classes, make_dataset
from .vision import Change, Loader, Root, one_of

__all__ = ["Imagenette"]

_URL = "https://s3.amazonaws.com/fast-ai-imageclas/"


class Imagenette(Listed):
    """Photographs of 10 classes of ImageNet: 9,469 in "train", 3,925 in "val"; ``size`` is "full", "320px" or "160px".

    A sample is ``(image, label)``: what ``loader`` makes of the file (an "RGB" PIL image) and an int. ``classes`` are tuples of names,
    ``wnids`` the WordNet ids. Files lie in ``root/imagenette2``, ``imagenette2-320`` or ``imagenette2-160``.

    Source: J. Howard, Imagenette, https://github.com/fastai/imagenette, Apache-2.0.

    >>> from dovetail_vision.datasets import tiny
    >>> with tiny.made(tiny.imagenette) as root:
    ...     Imagenette(root, size="160px").classes
    [('tench', 'Tinca tinca'), ('church', 'church building')]
    """

    _ARCHIVES: ClassVar[dict[str, tuple[str, str]]] = {
        "full": (f"{_URL}imagenette2.tgz", "fe2fc210e6bb7c5664d602c3cd71e612"),
        "320px": (f"{_URL}imagenette2-320.tgz", "3df6f0d01a2c9592104656642f5e78a3"),
        "160px": (f"{_URL}imagenette2-160.tgz", "e793b78cc4c9e9a4ccc0c1155377a412"),
    }
    _WNID_TO_CLASS: ClassVar[dict[str, tuple[str, ...]]] = {
        "n01440764": ("tench", "Tinca tinca"),
        "n02102040": ("English springer", "English springer spaniel"),
        "n02979186": ("cassette player",),
        "n03000684": ("chain saw", "chainsaw"),
        "n03028079": ("church", "church building"),
        "n03394916": ("French horn", "horn"),
        "n03417042": ("garbage truck", "dustcart"),
        "n03425413": ("gas pump", "gasoline pump", "petrol pump", "island dispenser"),
        "n03445777": ("golf ball",),
        "n03888257": ("parachute", "chute"),
    }

    def __init__(
        self,
        root: Root,
        split: str = "train",
        size: str = "full",
        download: bool = False,
        transform: Change = None,
        target_transform: Change = None,
        loader: Loader = default_loader,
    ) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self._split = one_of(self, "split", split, ("train", "val"))
        self._size = one_of(self, "size", size, self._ARCHIVES)
        self._url, self._md5 = self._ARCHIVES[size]
        self._size_root = Path(self.root) / Path(self._url).stem
        self._image_root = str(self._size_root / split)
        self.loader = loader
        if download and not self._size_root.exists():
            fetch_and_extract([self._url], self.root, self._md5)
        need(self._size_root)
        self.wnids, self.wnid_to_idx = find_classes(self._image_root)
        with parsed(self._image_root, "a folder with the ten folders of Imagenette"):
            self.classes = [self._WNID_TO_CLASS[wnid] for wnid in self.wnids]
        self.class_to_idx = {name: number for number, names in enumerate(self.classes) for name in names}
        samples = make_dataset(self._image_root, self.wnid_to_idx, extensions=".jpeg")
        self._image_files, self._labels = [path for path, _ in samples], [label for _, label in samples]
