"""MNIST and the datasets that come in its format: FashionMNIST, KMNIST, EMNIST and QMNIST."""

from __future__ import annotations

import os
import shutil
import string
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from PIL import Image

from dovetail import Tensor, from_numpy
from dovetail.errors import FormatError

from ._errors import MissingFiles
from ._fetch import fetch, fetch_and_extract
from ._idx import SN3_PASCALVINCENT_TYPEMAP, find, get_int, read_idx, read_image_file, read_label_file, read_sn3_pascalvincent_tensor
from .vision import VisionDataset, one_of

__all__ = [
    "EMNIST", "KMNIST", "MNIST", "QMNIST", "SN3_PASCALVINCENT_TYPEMAP", "FashionMNIST", "get_int", "read_image_file", "read_label_file",
    "read_sn3_pascalvincent_tensor",
]  # fmt: skip

_DIGITS = [
    "0 - zero", "1 - one", "2 - two", "3 - three", "4 - four",
    "5 - five", "6 - six", "7 - seven", "8 - eight", "9 - nine",
]  # fmt: skip
_IDX = ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz", "t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz")


def _renamed(old: str, new: str) -> property:
    def get(self: MNIST) -> Tensor:
        warnings.warn(f"{old} has been renamed {new}", stacklevel=2)
        return getattr(self, new)

    return property(get)


class MNIST(VisionDataset):
    """Handwritten digits: 60,000 grey images of 28 × 28 to train on and 10,000 to test on.

    A sample is ``(image, label)``: a PIL image of mode "L" and an int. ``data`` holds the images as uint8 ``(N, 28, 28)``,
    ``targets`` the labels as int64 ``(N,)``. The four files lie in ``root/MNIST/raw``, as they are or still compressed
    (``.gz``); ``download=True`` fetches those that are missing. ``split`` ("train" or "test"), where given, goes before ``train``.

    Raises MissingFiles (a RuntimeError and FileNotFoundError) for files that are not there, FormatError for files that are cut
    or of another format.

    Source: Y. LeCun, C. Cortes, C. Burges, The MNIST database of handwritten digits, http://yann.lecun.com/exdb/mnist/.

    >>> MNIST("no/such/folder")
    Traceback (most recent call last):
    ...
    dovetail_vision.datasets._errors.MissingFiles: no/such/folder/MNIST/raw/train-images-idx3-ubyte: Dataset not found: ...
    """

    mirrors: ClassVar[list[str]] = ["https://ossci-datasets.s3.amazonaws.com/mnist/", "http://yann.lecun.com/exdb/mnist/"]
    #: (file, MD5)
    resources: Any = [
        (_IDX[0], "f68b3c2dcbeaaa9fbdd348bbdeb94873"),
        (_IDX[1], "d53e105ee54ea40749a09fcbcd1e9432"),
        (_IDX[2], "9fb629c4189551a2d022fa330f9573f3"),
        (_IDX[3], "ec29112dd5afa0611ce80d1b7f02629c"),
    ]
    classes: list[str] = _DIGITS
    training_file, test_file = "training.pt", "test.pt"  # what old versions of torchvision kept; nothing is read from them

    data: Tensor
    targets: Tensor
    train_data = test_data = _renamed("train_data", "data")
    train_labels = test_labels = _renamed("train_labels", "targets")

    def __init__(
        self,
        root: str | Path,
        train: bool = True,
        transform: Callable[[Any], Any] | None = None,
        target_transform: Callable[[Any], Any] | None = None,
        download: bool = False,
        *,
        split: str | None = None,
    ) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        if split is not None:
            train = one_of(self, "split", split, ("train", "test")) == "train"
        self.train = train
        if download:
            self.download()
        self._check_present()
        self.data, self.targets = self._load_data()

    @property
    def raw_folder(self) -> str:
        """The folder of the files."""
        return os.path.join(self.root, type(self).__name__, "raw")

    @property
    def processed_folder(self) -> str:
        """Where old versions of torchvision kept a copy; it is not read."""
        return os.path.join(self.root, type(self).__name__, "processed")

    @property
    def class_to_idx(self) -> dict[str, int]:
        """The number of each class, by its name."""
        return {name: index for index, name in enumerate(self.classes)}

    @property
    def images_file(self) -> str:
        """The file of the images, unpacked."""
        return os.path.join(self.raw_folder, f"{'train' if self.train else 't10k'}-images-idx3-ubyte")

    @property
    def labels_file(self) -> str:
        """The file of the labels, unpacked."""
        return os.path.join(self.raw_folder, f"{'train' if self.train else 't10k'}-labels-idx1-ubyte")

    def _check_exists(self) -> bool:
        return all(find(path) is not None for path in (self.images_file, self.labels_file))

    def _check_present(self) -> None:
        if self._check_exists():
            return
        for path in (self.images_file, self.labels_file):
            if find(path) is None:
                reason = "Dataset not found: this file is not there, nor one with .gz after its name; "
                raise MissingFiles(path, None, f"{reason}You can use download=True to download it, or set root to its folder")

    def _load_data(self) -> tuple[Tensor, Tensor]:
        images, labels = read_idx(self.images_file, 3), read_idx(self.labels_file, 1)
        self._check_counts(len(images), len(labels))
        return from_numpy(images), from_numpy(labels).long()

    def _check_counts(self, images: int, labels: int) -> None:
        if images != labels:
            raise FormatError(self.labels_file, 4, f"has {labels:,} labels, but {self.images_file} has {images:,} images")

    def download(self) -> None:
        """Fetch the files that are missing, from the first mirror that has them."""
        for name, md5 in self.resources:
            path = os.path.join(self.raw_folder, name)
            if find(path.removesuffix(".gz")) is None:
                fetch([mirror + name for mirror in self.mirrors], path, md5)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        return self._sample(index, int(self.targets[index]))

    def _sample(self, index: int, target: Any) -> tuple[Any, Any]:
        image: Any = Image.fromarray(self.data[index].numpy())
        return self._each(image, target)

    def __len__(self) -> int:
        return len(self.data)

    def extra_repr(self) -> str:
        """The line that names the split."""
        return f"Split: {'Train' if self.train else 'Test'}"


class FashionMNIST(MNIST):
    """Articles of clothing in MNIST's format and numbers, under ``root/FashionMNIST/raw``; otherwise as :class:`MNIST`.

    Source: H. Xiao, K. Rasul, R. Vollgraf, Fashion-MNIST, 2017, https://arxiv.org/abs/1708.07747, MIT licence.

    >>> FashionMNIST.classes[9]
    'Ankle boot'
    """

    mirrors: ClassVar[list[str]] = ["http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"]
    resources: Any = [
        (_IDX[0], "8d4fb7e6c68d591d4c3dfef9ec88bf0d"),
        (_IDX[1], "25c81989df183df01b3e8a0aad5dffbe"),
        (_IDX[2], "bef4ecab320f06d8554ea6380940ec79"),
        (_IDX[3], "bb300cfdad3c16e7a12a480ee83cd310"),
    ]
    classes: list[str] = ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"]


class KMNIST(MNIST):
    """Cursive Japanese characters in MNIST's format and numbers, under ``root/KMNIST/raw``; otherwise as :class:`MNIST`.

    Source: T. Clanuwat et al., Deep Learning for Classical Japanese Literature, 2018, https://arxiv.org/abs/1812.01718, CC BY-SA 4.0.

    >>> KMNIST.classes[2]
    'su'
    """

    mirrors: ClassVar[list[str]] = ["http://codh.rois.ac.jp/kmnist/dataset/kmnist/"]
    resources: Any = [
        (_IDX[0], "bdb82020997e1d708af4cf47b453dcf7"),
        (_IDX[1], "e144d726b3acfaa3e44228e80efcd344"),
        (_IDX[2], "5c965bf0a639b31b8f53240b1b52f4d7"),
        (_IDX[3], "7320c461ea6c1c855c0b718fb2a4b134"),
    ]
    classes: list[str] = ["o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"]


_LETTERS_AND_DIGITS = set(string.digits + string.ascii_letters)
_MERGED = sorted(_LETTERS_AND_DIGITS - set("cijklmopsuvwxyz"))  # lower-case letters that look like their capitals


class EMNIST(MNIST):
    """Handwritten letters and digits in MNIST's format; ``split`` says which of six parts, ``train`` which half of it.

    The files ``emnist-SPLIT-train-images-idx3-ubyte`` and so on lie in ``root/EMNIST/raw``. As in the published files, images
    are transposed.

    Source: G. Cohen et al., EMNIST: an extension of MNIST to handwritten letters, 2017, https://arxiv.org/abs/1702.05373.

    >>> len(EMNIST.classes_split_dict["balanced"])
    47
    """

    url = "https://biometrics.nist.gov/cs_links/EMNIST/gzip.zip"
    md5 = "58c8d27c78d21e728a6bc7b3cc06412e"
    splits = ("byclass", "bymerge", "balanced", "letters", "digits", "mnist")
    classes_split_dict: ClassVar[dict[str, list[str]]] = {
        "byclass": sorted(_LETTERS_AND_DIGITS),
        "bymerge": _MERGED,
        "balanced": _MERGED,
        "letters": ["N/A", *string.ascii_lowercase],
        "digits": list(string.digits),
        "mnist": list(string.digits),
    }

    def __init__(self, root: str | Path, split: str, **kwargs: Any) -> None:
        self.split = one_of(self, "split", split, self.splits)
        super().__init__(root, **kwargs)
        self.classes = self.classes_split_dict[self.split]

    @property
    def images_file(self) -> str:
        """The file of the images, unpacked."""
        return os.path.join(self.raw_folder, f"emnist-{self.split}-{'train' if self.train else 'test'}-images-idx3-ubyte")

    @property
    def labels_file(self) -> str:
        """The file of the labels, unpacked."""
        return self.images_file.replace("images-idx3", "labels-idx1")

    def download(self) -> None:
        """Fetch the archive of all splits and unpack it, unless the files are there."""
        if find(self.images_file) and find(self.labels_file):
            return
        fetch_and_extract([self.url], self.raw_folder, self.md5)
        folder = Path(self.raw_folder) / "gzip"
        for path in folder.glob("*.gz"):
            path.replace(Path(self.raw_folder) / path.name)
        shutil.rmtree(folder, ignore_errors=True)


_QMNIST = "https://raw.githubusercontent.com/facebookresearch/qmnist/master/"


class QMNIST(MNIST):
    """MNIST with its lost test digits and the writer of each: ``what`` is train, test, test10k, test50k or nist.

    With ``compat`` a target is the class; without, an int64 tensor ``(8,)``: the class, NIST's partition and number of the
    writer, and more. ``data`` is uint8 ``(N, 28, 28)``, ``targets`` int64 ``(N, 8)``.

    Source: C. Yadav, L. Bottou, Cold Case: The Lost MNIST Digits, 2019, https://arxiv.org/abs/1905.10498, BSD-3-Clause.

    >>> QMNIST.subsets["test50k"]
    'test'
    """

    subsets: ClassVar[dict[str, str]] = {"train": "train", "test": "test", "test10k": "test", "test50k": "test", "nist": "nist"}
    resources: Any = {
        "train": [
            (_QMNIST + "qmnist-train-images-idx3-ubyte.gz", "ed72d4157d28c017586c42bc6afe6370"),
            (_QMNIST + "qmnist-train-labels-idx2-int.gz", "0058f8dd561b90ffdd0f734c6a30e5e4"),
        ],
        "test": [
            (_QMNIST + "qmnist-test-images-idx3-ubyte.gz", "1394631089c404de565df7b7aeaf9412"),
            (_QMNIST + "qmnist-test-labels-idx2-int.gz", "5b5b05890a5e13444e108efe57b788aa"),
        ],
        "nist": [
            (_QMNIST + "xnist-images-idx3-ubyte.xz", "7f124b3b8ab81486c9d8c2749c17f834"),
            (_QMNIST + "xnist-labels-idx2-int.xz", "5ed0e788978e45d4a8bd4b7caec3d79d"),
        ],
    }

    def __init__(self, root: str | Path, what: str | None = None, compat: bool = True, train: bool = True, **kwargs: Any) -> None:
        what = kwargs.pop("split", None) or what or ("train" if train else "test")
        self.what = one_of(self, "what", what, tuple(self.subsets))
        self.compat = compat
        super().__init__(root, train, **kwargs)

    @property
    def images_file(self) -> str:
        """The file of the images, unpacked."""
        return os.path.join(self.raw_folder, Path(self.resources[self.subsets[self.what]][0][0]).stem)

    @property
    def labels_file(self) -> str:
        """The file of the labels, unpacked."""
        return os.path.join(self.raw_folder, Path(self.resources[self.subsets[self.what]][1][0]).stem)

    def _load_data(self) -> tuple[Tensor, Tensor]:
        images, labels = read_idx(self.images_file, 3), read_idx(self.labels_file, 2, "i4")
        self._check_counts(len(images), len(labels))
        part = {"test10k": slice(10_000), "test50k": slice(10_000, None)}.get(self.what, slice(None))
        return from_numpy(images[part].copy()), from_numpy(labels[part].copy()).long()

    def download(self) -> None:
        """Fetch the two files of ``what`` that are missing."""
        for url, md5 in self.resources[self.subsets[self.what]]:
            path = Path(self.raw_folder) / url.rpartition("/")[2]
            if find(path.with_suffix("")) is None:
                fetch([url], path, md5)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        target = self.targets[index]
        return self._sample(index, int(target[0]) if self.compat else target)

    def extra_repr(self) -> str:
        """The line that names the part."""
        return f"Split: {self.what}"
