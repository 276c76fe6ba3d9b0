"""STL-10: images and labels from binary files without a header."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from PIL import Image

from dovetail.errors import ValueRangeError

from ._errors import DamagedFile
from ._fetch import fetch_and_extract
from ._files import intact, is_intact, lines, need, parsed
from .vision import Change, Root, VisionDataset, one_of

__all__ = ["STL10"]

_PIXELS = 3 * 96 * 96


class STL10(VisionDataset):
    """Photographs of 10 kinds of things, 96 × 96: 5,000 to train on, 8,000 to test on, 100,000 without a label.

    A sample is ``(image, label)``: an "RGB" PIL image and an int, -1 without a label. ``split`` is "train", "test", "unlabeled" or
    "train+unlabeled"; ``folds`` (0 to 9) chooses one of ten sets of 1,000 training images. ``data`` is a uint8 array
    ``(N, 3, 96, 96)``. Files lie in ``root/stl10_binary``; ``verify=False`` takes some with another MD5.

    Source: A. Coates, H. Lee, A. Ng, An Analysis of Single-Layer Networks in Unsupervised Feature Learning, 2011.

    >>> from dovetail_vision.datasets import tiny
    >>> with tiny.made(tiny.stl10) as root:
    ...     images = STL10(root, folds=1, verify=False)
    >>> len(images), images[0][1], images.classes[images[0][1]]
    (2, 1, 'bird')
    """

    base_folder = "stl10_binary"
    url = "http://ai.stanford.edu/~acoates/stl10/stl10_binary.tar.gz"
    filename = "stl10_binary.tar.gz"
    tgz_md5 = "91f7769df0f17e558f3565bffb0c7dfb"
    class_names_file = "class_names.txt"
    folds_list_file = "fold_indices.txt"
    train_list: ClassVar[list[list[str]]] = [
        ["train_X.bin", "918c2871b30a85fa023e0c44e0bee87f"],
        ["train_y.bin", "5a34089d4802c674881badbb80307741"],
        ["unlabeled_X.bin", "5242ba1fed5e4be9e1e742405eb56ca4"],
    ]
    test_list: ClassVar[list[list[str]]] = [
        ["test_X.bin", "7f263ba9f9e0b06b93213547f721ac82"],
        ["test_y.bin", "36f9794fa4beb8a2c72628de14fa638e"],
    ]
    splits = ("train", "train+unlabeled", "unlabeled", "test")

    def __init__(
        self,
        root: Root,
        split: str = "train",
        folds: int | None = None,
        transform: Change = None,
        target_transform: Change = None,
        download: bool = False,
        *,
        verify: bool = True,
    ) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.split = one_of(self, "split", split, self.splits)
        if folds is not None and (not isinstance(folds, int) or folds not in range(10)):
            raise ValueRangeError("STL10", f"folds is {folds!r}", "Value for argument folds should be in the range [0, 10), or None")
        self.folds = folds
        if download:
            self.download()
        for name, md5 in (*self.train_list, *self.test_list):
            intact(self._path(name), md5 if verify else None)
        self.data, self.labels = self._load()
        if self._path(self.class_names_file).is_file():
            self.classes = lines(self._path(self.class_names_file))

    def _path(self, name: str) -> Path:
        return Path(self.root, self.base_folder, name)

    def _images(self, name: str) -> np.ndarray:
        path = self._path(name)
        size = os.path.getsize(path)
        if size % _PIXELS or not size:
            raise DamagedFile(path, None, f"has {size:,} bytes; expected {_PIXELS:,} for each image; fetch it again")
        return np.fromfile(path, np.uint8).reshape(-1, 3, 96, 96).transpose(0, 1, 3, 2)

    def _labelled(self, images: str, labels: str) -> tuple[np.ndarray, np.ndarray]:
        found = np.fromfile(self._path(labels), np.uint8) - 1
        data = self._images(images)
        if len(found) != len(data) or (len(found) and found.max() > 9):
            raise DamagedFile(self._path(labels), None, f"has {len(found):,} labels; expected {len(data):,} from 1 to 10; fetch it again")
        return data, found

    def _load(self) -> tuple[np.ndarray, np.ndarray]:
        if self.split == "test":
            return self._labelled(*(name for name, _ in self.test_list))
        parts = []
        if "train" in self.split:
            data, labels = self._labelled(*(name for name, _ in self.train_list[:2]))
            chosen = slice(None) if self.folds is None else self._fold(len(data))
            parts.append((data[chosen], labels[chosen]))
        if "unlabeled" in self.split:
            data = self._images(self.train_list[2][0])
            parts.append((data, np.full(len(data), -1)))
        return parts[0] if len(parts) == 1 else tuple(np.concatenate(part) for part in zip(*parts, strict=True))

    def _fold(self, count: int) -> np.ndarray:
        path = need(self._path(self.folds_list_file))
        with parsed(path, f"ten lines of indices below {count}"):
            chosen = np.array(lines(path)[self.folds or 0].split(), np.int64)
            if len(chosen) and not 0 <= chosen.min() <= chosen.max() < count:
                raise ValueError(f"an index is {chosen.max()}")
        return chosen

    def download(self) -> None:
        """Fetch the archive and unpack it, unless every file is there and right."""
        if not all(is_intact(self._path(name), md5) for name, md5 in (*self.train_list, *self.test_list)):
            fetch_and_extract([self.url], self.root, self.tgz_md5, self.filename)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        return self._each(Image.fromarray(self.data[index].transpose(1, 2, 0)), int(self.labels[index]))

    def __len__(self) -> int:
        return len(self.data)

    def extra_repr(self) -> str:
        """The line that names the split."""
        return f"Split: {self.split}"
