"""Labeled Faces in the Wild: people, and pairs of pictures of the same or of two."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any, ClassVar

from dovetail.errors import ValueRangeError

from ._files import intact, lines, need, parsed
from .folder import default_loader
from .vision import Change, Loader, Root, VisionDataset, one_of

__all__ = ["LFWPairs", "LFWPeople"]

_HOW = "it can be fetched no more: download it by hand, for example from https://www.kaggle.com/datasets/jessicali9530/lfw-dataset"
_PARTS = {"10fold": "", "train": "DevTrain", "test": "DevTest"}


class _LFW(VisionDataset):
    """What both tasks share: where images and lists lie."""

    base_folder = "lfw-py"
    names = "lfw-names.txt"
    _view: ClassVar[str]
    #: Kind of alignment → folder, archive, its MD5.
    file_dict: ClassVar[dict[str, tuple[str, str, str]]] = {
        "original": ("lfw", "lfw.tgz", "a17d05bd522c52d84eca14327a23d494"),
        "funneled": ("lfw_funneled", "lfw-funneled.tgz", "1b42dfed7d15c9b2dd63d5e5840c86ad"),
        "deepfunneled": ("lfw-deepfunneled", "lfw-deepfunneled.tgz", "68331da3eb755a505a502b5aacb3c201"),
    }
    checksums: ClassVar[dict[str, str]] = {
        "pairs.txt": "9f1ba174e4e1c508ff7cdf10ac338a7d",
        "pairsDevTest.txt": "5132f7440eb68cf58910c8a45a2ac10b",
        "pairsDevTrain.txt": "4f27cbf15b2da4a85c1907eb4181ad21",
        "people.txt": "450f0863dd89e85e73936a6d71a3474b",
        "peopleDevTest.txt": "e4bf5be0a43b5dcd9dc5ccfcb8fb19c5",
        "peopleDevTrain.txt": "54eaac34beb6d042ed3a7d883e247a21",
        "lfw-names.txt": "a6d0a479bd074669f656265a6e693f6d",
    }

    def __init__(
        self,
        root: Root,
        split: str = "10fold",
        image_set: str = "funneled",
        transform: Change = None,
        target_transform: Change = None,
        download: bool = False,
        loader: Loader = default_loader,
        *,
        verify: bool = True,
    ) -> None:
        super().__init__(os.path.join(root, self.base_folder), transform=transform, target_transform=target_transform)
        self.image_set = one_of(self, "image_set", image_set.lower(), self.file_dict)
        self.view, self.split = self._view, one_of(self, "split", split.lower(), _PARTS)
        folder, self.filename, self.md5 = self.file_dict[self.image_set]
        self.labels_file = f"{self.view}{_PARTS[self.split]}.txt"
        if download:
            self.download()
        self._verify, self._loader = verify, loader
        self.images_dir = os.path.join(self.root, folder)
        need(self.images_dir, _HOW)

    def download(self) -> None:
        """Only says that the files can be fetched no more: a ValueError."""
        raise ValueRangeError(type(self).__name__, "download is True", f"LFW is no longer available for automatic download, {_HOW}")

    def _lines(self, name: str) -> list[str]:
        return lines(intact(os.path.join(self.root, name), self.checksums[name] if self._verify else None, _HOW), _HOW)

    def _get_path(self, identity: str, no: int | str) -> str:
        return os.path.join(self.images_dir, identity, f"{identity}_{int(no):04d}.jpg")

    def __len__(self) -> int:
        return len(self.data)

    def extra_repr(self) -> str:
        """The lines that name the alignment and the split."""
        return f"Alignment: {self.image_set}\nSplit: {self.split}"


class LFWPeople(_LFW):
    """13,233 photographs of 5,749 faces, in "10fold", "train" and "test"; ``image_set`` is "original", "funneled" or "deepfunneled".

    A sample is ``(image, label)``: what ``loader`` makes of the file (an "RGB" PIL image) and the number of the person. Files lie in
    ``root/lfw-py``: ``lfw_funneled/NAME/NAME_0001.jpg``, ``people.txt``, ``lfw-names.txt``; ``verify=False`` takes lists with another MD5.

    Source: G. Huang et al., Labeled Faces in the Wild, 2007, http://vis-www.cs.umass.edu/lfw/.

    >>> from dovetail_vision.datasets import tiny
    >>> with tiny.made(tiny.lfw) as root:
    ...     LFWPeople(root, "train", verify=False).targets
    [0, 1, 1]
    """

    _view = "people"

    def __init__(
        self,
        root: Root,
        split: str = "10fold",
        image_set: str = "funneled",
        transform: Change = None,
        target_transform: Change = None,
        download: bool = False,
        loader: Loader = default_loader,
        *,
        verify: bool = True,
    ) -> None:
        super().__init__(root, split, image_set, transform, target_transform, download, loader, verify=verify)
        with parsed(os.path.join(self.root, self.names), "a name on each line"):
            self.class_to_idx = {line.split()[0]: number for number, line in enumerate(self._lines(self.names))}
        with parsed(os.path.join(self.root, self.labels_file), "counts, each with as many lines of a known name and a number"):
            self.data, self.targets = self._get_people()

    def _get_people(self) -> tuple[list[str], list[int]]:
        rows = iter(self._lines(self.labels_file))
        folds = int(next(rows, "")) if self.split == "10fold" else 1
        found = []
        for _ in range(folds):
            for _ in range(int(next(rows, ""))):
                name, count = next(rows, "").strip().split("\t")
                found += [(self._get_path(name, number), self.class_to_idx[name]) for number in range(1, int(count) + 1)]
        return [path for path, _ in found], [label for _, label in found]

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        return self._each(self._loader(self.data[index]), self.targets[index])

    def extra_repr(self) -> str:
        """The lines that name alignment and split, and count the people."""
        return f"{super().extra_repr()}\nClasses (identities): {len(self.class_to_idx)}"


class LFWPairs(_LFW):
    """6,000 pairs of photographs of faces; a sample is ``(image, image, same)``, ``same`` being 1 for one person and 0 for two.

    ``root/lfw-py/pairs.txt`` (``pairsDevTrain.txt``, ``pairsDevTest.txt``) lists them; otherwise as :class:`LFWPeople`.

    >>> from dovetail_vision.datasets import tiny
    >>> with tiny.made(tiny.lfw) as root:
    ...     LFWPairs(root, "train", verify=False).targets
    [1, 0]
    """

    _view = "pairs"

    def __init__(
        self,
        root: Root,
        split: str = "10fold",
        image_set: str = "funneled",
        transform: Change = None,
        target_transform: Change = None,
        download: bool = False,
        loader: Loader = default_loader,
        *,
        verify: bool = True,
    ) -> None:
        super().__init__(root, split, image_set, transform, target_transform, download, loader, verify=verify)
        with parsed(os.path.join(self.root, self.labels_file), "a count, and as many lines of pairs of each kind"):
            found = list(self._get_pairs())
        self.pair_names = [names for names, _, _ in found]
        self.data = [paths for _, paths, _ in found]
        self.targets = [same for _, _, same in found]

    def _get_pairs(self) -> Iterator[tuple[tuple[str, str], tuple[str, str], int]]:
        rows = iter(self._lines(self.labels_file))
        head = [int(word) for word in next(rows, "").split("\t")]
        folds, count = head if self.split == "10fold" else (1, head[0])
        for _ in range(folds):
            for _ in range(count):
                name, one, two = next(rows, "").strip().split("\t")
                yield (name, name), (self._get_path(name, one), self._get_path(name, two)), 1
            for _ in range(count):
                name, one, other, two = next(rows, "").strip().split("\t")
                yield (name, other), (self._get_path(name, one), self._get_path(other, two)), 0

    def __getitem__(self, index: int) -> tuple[Any, Any, Any]:
        one, two = (self._loader(path) for path in self.data[index])
        if self.transform is not None:
            one, two = self.transform(one), self.transform(two)
        same: Any = self.targets[index]
        return one, two, same if self.target_transform is None else self.target_transform(same)
