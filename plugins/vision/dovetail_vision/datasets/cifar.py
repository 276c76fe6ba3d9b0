"""CIFAR-10 and CIFAR-100: small colour photographs, from their pickled batches."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from PIL import Image

from dovetail.errors import FormatError

from ._fetch import fetch_and_extract
from ._files import intact, is_intact
from ._pickled import read_pickle
from .vision import VisionDataset, one_of

__all__ = ["CIFAR10", "CIFAR100"]


class CIFAR10(VisionDataset):
    """Photographs of 10 kinds of things: 50,000 of 32 × 32 to train on and 10,000 to test on.

    A sample is ``(image, label)``: a PIL image of mode "RGB" and an int. ``data`` is a uint8 array ``(N, 32, 32, 3)``, ``targets``
    a list of ints, ``classes`` the names. The files lie in ``root/cifar-10-batches-py``, each with its published MD5;
    ``download=True`` fetches and unpacks the archive. ``split`` ("train" or "test"), where given, goes before ``train``;
    ``verify=False`` takes files of the same format with other contents.

    The batches are pickles. They are read by a closed list of opcodes: nothing that a file names is imported or called.

    Raises MissingFiles (a RuntimeError and FileNotFoundError), HashMismatch for a file with another MD5, and FormatError.

    Source: A. Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009, https://www.cs.toronto.edu/~kriz/cifar.html.

    >>> CIFAR10("no/such/folder")
    Traceback (most recent call last):
    ...
    dovetail_vision.datasets._errors.MissingFiles: no/such/folder/cifar-10-batches-py/data_batch_1: Dataset not found: ...
    """

    base_folder = "cifar-10-batches-py"
    url = "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"
    filename = "cifar-10-python.tar.gz"
    tgz_md5 = "c58f30108f718f92721af3b95e74349a"
    train_list: ClassVar[list[list[str]]] = [
        ["data_batch_1", "c99cafc152244af753f735de768cd75f"],
        ["data_batch_2", "d4bba439e000b95fd0a9bffe97cbabec"],
        ["data_batch_3", "54ebc095f3ab1f0389bbae665268c751"],
        ["data_batch_4", "634d18415352ddfa80567beed471001a"],
        ["data_batch_5", "482c414d41f54cd18b22e5b47cb7c3cb"],
    ]
    test_list: ClassVar[list[list[str]]] = [["test_batch", "40351d587109b95175f43aff81a1287e"]]
    meta: ClassVar[dict[str, str]] = {"filename": "batches.meta", "key": "label_names", "md5": "5ff9c542aee3614f3951f8cda6e48888"}

    data: np.ndarray
    targets: list[int]

    def __init__(
        self,
        root: str | Path,
        train: bool = True,
        transform: Callable[[Any], Any] | None = None,
        target_transform: Callable[[Any], Any] | None = None,
        download: bool = False,
        *,
        split: str | None = None,
        verify: bool = True,
    ) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.train = train if split is None else one_of(self, "split", split, ("train", "test")) == "train"
        if download:
            self.download()
        for name, md5 in self._files():
            intact(self._path(name), md5 if verify else None)
        batches = [self._batch(self._path(name)) for name, _ in (self.train_list if self.train else self.test_list)]
        self.data = np.concatenate([images for images, _ in batches]).reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
        self.targets = [label for _, labels in batches for label in labels]
        self.classes = self._names(self._path(self.meta["filename"]))
        self.class_to_idx = {name: index for index, name in enumerate(self.classes)}

    def _files(self) -> list[list[str]]:
        return [*self.train_list, *self.test_list, [self.meta["filename"], self.meta["md5"]]]

    def _check_integrity(self) -> bool:
        return all(is_intact(self._path(name), md5) for name, md5 in self._files())

    def _path(self, name: str) -> str:
        return os.path.join(self.root, self.base_folder, name)

    def _batch(self, path: str) -> tuple[np.ndarray, list[int]]:
        entry = read_pickle(path)
        images, labels = entry.get("data"), entry.get("labels", entry.get("fine_labels"))
        if not isinstance(images, np.ndarray) or images.dtype != np.uint8 or images.shape[1:] != (3072,):
            got = f"{images.dtype} {images.shape}" if isinstance(images, np.ndarray) else type(images).__name__
            raise FormatError(path, None, f"its data is {got}; expected uint8 (N, 3072)")
        if not isinstance(labels, list) or len(labels) != len(images) or not all(isinstance(label, int) for label in labels):
            raise FormatError(path, None, f"its labels are no list of {len(images)} ints")
        return images, labels

    def _names(self, path: str) -> list[str]:
        names = read_pickle(path).get(self.meta["key"])
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise FormatError(path, None, f"its {self.meta['key']} are no list of names")
        return names

    def download(self) -> None:
        """Fetch the archive and unpack it, unless every file is there and right."""
        if not self._check_integrity():
            fetch_and_extract([self.url], self.root, self.tgz_md5, self.filename)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        image: Any = Image.fromarray(self.data[index])
        target: Any = self.targets[index]
        return self._each(image, target)

    def __len__(self) -> int:
        return len(self.data)

    def extra_repr(self) -> str:
        """The line that names the split."""
        return f"Split: {'Train' if self.train else 'Test'}"


class CIFAR100(CIFAR10):
    """Photographs of 100 kinds of things, 500 of each to train on and 100 to test on; otherwise as :class:`CIFAR10`.

    >>> CIFAR100.base_folder
    'cifar-100-python'
    """

    base_folder = "cifar-100-python"
    url = "https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz"
    filename = "cifar-100-python.tar.gz"
    tgz_md5 = "eb9058c3a382ffc7106e4002c42a8d85"
    train_list: ClassVar[list[list[str]]] = [["train", "16019d7e3df5f24257cddd939b257f8d"]]
    test_list: ClassVar[list[list[str]]] = [["test", "f0ef6b0ae62326f3e7ffdfab6717acfc"]]
    meta: ClassVar[dict[str, str]] = {"filename": "meta", "key": "fine_label_names", "md5": "7973b15100ade9c7d40fb424638fde48"}
