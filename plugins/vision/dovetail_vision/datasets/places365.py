"""Places365: scenes."""

from __future__ import annotations

import os
from typing import Any, ClassVar

from ._fetch import fetch_and_extract
from ._files import intact, is_intact, lines, parsed
from .folder import default_loader
from .vision import Change, Loader, Root, VisionDataset, one_of

__all__ = ["Places365"]


class Places365(VisionDataset):
    """Photographs of 365 kinds of scenes, ten million in all.

    1,803,460 are in "train-standard", 8,026,628 in "train-challenge", 36,500 in "val", 328,500 in "test".

    A sample is ``(image, label)``: what ``loader`` makes of the file (an "RGB" PIL image) and an int, None in "test". ``small`` chooses the
    images of 256 × 256. The folder of images (``root/data_large_standard``, ``val_256`` …), ``categories_places365.txt`` and
    ``places365_val.txt`` (…) lie in ``root``; ``verify=False`` takes lists with another MD5.

    Source: B. Zhou et al., Places: A 10 million Image Database for Scene Recognition, 2017, http://places2.csail.mit.edu.

    >>> from dovetail_vision.datasets import tiny
    >>> with tiny.made(tiny.places365) as root:
    ...     Places365(root, small=True, verify=False).class_to_idx
    {'/a/airfield': 0, '/c/corn_field': 1}
    """

    _SPLITS = ("train-standard", "train-challenge", "val", "test")
    _BASE_URL = "http://data.csail.mit.edu/places/places365/"
    _DEVKIT_META: ClassVar[dict[str, tuple[str, str]]] = {
        "standard": ("filelist_places365-standard.tar", "35a0585fee1fa656440f3ab298f8479c"),
        "challenge": ("filelist_places365-challenge.tar", "70a8307e459c3de41690a7c76c931734"),
    }
    _CATEGORIES_META = ("categories_places365.txt", "06c963b85866bd0649f97cb43dd16673")
    _FILE_LIST_META: ClassVar[dict[str, tuple[str, str]]] = {
        "train-standard": ("places365_train_standard.txt", "30f37515461640559006b8329efbed1a"),
        "train-challenge": ("places365_train_challenge.txt", "b2931dc997b8c33c27e7329c073a6b57"),
        "val": ("places365_val.txt", "e9f2fd57bfd9d07630173f4e8708e4b1"),
        "test": ("places365_test.txt", "2fce8233fe493576d724142e45d93653"),
    }
    _IMAGES_META: ClassVar[dict[tuple[str, bool], tuple[str, str]]] = {
        ("train-standard", False): ("train_large_places365standard.tar", "67e186b496a84c929568076ed01a8aa1"),
        ("train-challenge", False): ("train_large_places365challenge.tar", "605f18e68e510c82b958664ea134545f"),
        ("val", False): ("val_large.tar", "9b71c4993ad89d2d8bcbdc4aef38042f"),
        ("test", False): ("test_large.tar", "41a4b6b724b1d2cd862fb3871ed59913"),
        ("train-standard", True): ("train_256_places365standard.tar", "53ca1c756c3d1e7809517cc47c5561c5"),
        ("train-challenge", True): ("train_256_places365challenge.tar", "741915038a5e3471ec7332404dfb64ef"),
        ("val", True): ("val_256.tar", "e27b17d8d44f4af9a78502beb927f808"),
        ("test", True): ("test_256.tar", "f532f6ad7b582262a2ec8009075e186b"),
    }

    def __init__(
        self,
        root: Root,
        split: str = "train-standard",
        small: bool = False,
        download: bool = False,
        transform: Change = None,
        target_transform: Change = None,
        loader: Loader = default_loader,
        *,
        verify: bool = True,
    ) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.split = one_of(self, "split", split, self._SPLITS)
        self.small = small
        self.loader = loader
        self._verify = verify
        self.classes, self.class_to_idx = self.load_categories(download)
        self.imgs, self.targets = self.load_file_list(download)
        if download:
            self.download_images()

    @property
    def variant(self) -> str:
        """Which of the two sets of lists the split belongs to."""
        return "challenge" if "challenge" in self.split else "standard"

    @property
    def images_dir(self) -> str:
        """The folder of the images."""
        size = "256" if self.small else "large"
        train = self.split.startswith("train")
        return os.path.join(self.root, f"data_{size}_{self.variant}" if train else f"{self.split}_{size}")

    def _list(self, about: tuple[str, str], download: bool) -> os.PathLike[str]:
        path = os.path.join(self.root, about[0])
        if download and not is_intact(path, about[1]):
            self.download_devkit()
        return intact(path, about[1] if self._verify else None)

    def load_categories(self, download: bool = True) -> tuple[list[str], dict[str, int]]:
        """The names of the classes and their numbers."""
        path = self._list(self._CATEGORIES_META, download)
        with parsed(path, "lines of a class and its number, `/a/airfield 0`"):
            numbers = {name: int(number) for name, number in (line.split() for line in lines(path))}
        return sorted(numbers), numbers

    def load_file_list(self, download: bool = True) -> tuple[list[tuple[str, int | None]], list[int | None]]:
        """The path and the class of each image, and the classes alone."""
        path = self._list(self._FILE_LIST_META[self.split], download)
        with parsed(path, "lines of an image and the number of its class"):
            rows = [line.split() for line in lines(path)]
            found = [
                (os.path.join(self.images_dir, row[0].lstrip("/").replace("/", os.sep)), int(row[1]) if len(row) > 1 else None)
                for row in rows
            ]
        return found, [label for _, label in found]

    def download_devkit(self) -> None:
        """Fetch the lists and unpack them."""
        name, md5 = self._DEVKIT_META[self.variant]
        fetch_and_extract([self._BASE_URL + name], self.root, md5)

    def download_images(self) -> None:
        """Fetch the images of the split and unpack them, unless their folder is there."""
        if os.path.exists(self.images_dir):
            return
        name, md5 = self._IMAGES_META[self.split, self.small]
        fetch_and_extract([self._BASE_URL + name], self.root, md5)
        if self.split.startswith("train"):
            os.replace(self.images_dir.rpartition("_")[0], self.images_dir)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        path, label = self.imgs[index]
        return self._both(self.loader(path), label)

    def __len__(self) -> int:
        return len(self.imgs)

    def extra_repr(self) -> str:
        """The lines that name split and size."""
        return f"Split: {self.split}\nSmall: {self.small}"
