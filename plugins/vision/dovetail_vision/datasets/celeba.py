"""CelebA: faces with attributes, identities, boxes and landmarks, from tables of text."""

from __future__ import annotations

import csv
import os
from collections import namedtuple
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from dovetail import from_numpy
from dovetail.errors import DovetailError

from ._fetch import drive, extract, fetch
from ._files import intact, is_intact, lines, need, parsed
from ._image import open_image
from .vision import Change, Root, VisionDataset, bundled, one_of, several

__all__ = ["CSV", "CelebA"]

CSV = namedtuple("CSV", ["header", "index", "data"])
_KINDS = ("attr", "identity", "bbox", "landmarks")


class CelebA(VisionDataset):
    """202,599 photographs of 10,177 faces, in "train", "valid", "test" or "all".

    A sample is ``(image, target)``: a PIL image and what ``target_type`` names, one or several of "attr" (int64 ``(40,)`` of 0 and 1),
    "identity" (an int64 scalar), "bbox" (int64 ``(4,)``, x, y, width, height in the original) and "landmarks" (int64 ``(10,)``, x and y of
    eyes, nose, mouth); None for an empty list. ``attr_names`` has the names of attributes. Files lie in ``root/celeba``;
    ``verify=False`` takes ones with another MD5.

    Source: Z. Liu et al., Deep Learning Face Attributes in the Wild, 2015, https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html.

    >>> from dovetail_vision.datasets import tiny
    >>> with tiny.made(tiny.celeba) as root:
    ...     CelebA(root, target_type=["attr", "identity"], verify=False)[0][1]
    (tensor([0, 1, 1]), tensor(2880))
    """

    base_folder = "celeba"
    #: (Google Drive's id, MD5, name)
    file_list: ClassVar[list[tuple[str, str, str]]] = [
        ("0B7EVK8r0v71pZjFTYXZWM3FlRnM", "00d2c5bc6d35e252742224ab0c1e8fcb", "img_align_celeba.zip"),
        ("0B7EVK8r0v71pblRyaVFSWGxPY0U", "75e246fa4810816ffd6ee81facbd244c", "list_attr_celeba.txt"),
        ("1_ee_0u7vcNLOfNLegJRHmolfH5ICW-XS", "32bd1bd63d3c78cd57e08160ec5ed1e2", "identity_CelebA.txt"),
        ("0B7EVK8r0v71pbThiMVRxWXZ4dU0", "00566efa6fedff7a56946cd1c10f1c16", "list_bbox_celeba.txt"),
        ("0B7EVK8r0v71pd0FJY3Blby1HUTQ", "cc24ecafdb5b50baae59b03474781f8c", "list_landmarks_align_celeba.txt"),
        ("0B7EVK8r0v71pY0NSMzRuSXJEVkk", "d32c9cbf5e040fd4025c592c306e6668", "list_eval_partition.txt"),
    ]

    def __init__(
        self,
        root: Root,
        split: str = "train",
        target_type: list[str] | str = "attr",
        transform: Change = None,
        target_transform: Change = None,
        download: bool = False,
        *,
        verify: bool = True,
    ) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.split = split
        part = one_of(self, "split", split.lower() if isinstance(split, str) else split, ("train", "valid", "test", "all"))
        self.target_type = [one_of(self, "target_type", kind, _KINDS) for kind in several(target_type)]
        if not self.target_type and self.target_transform is not None:
            raise DovetailError("CelebA", "target_transform is specified but target_type is empty")
        if download:
            self.download()
        for _, md5, name in self.file_list[1:]:
            intact(self._path(name), md5 if verify else None)
        need(self._path("img_align_celeba"))
        self._read({"train": 0, "valid": 1, "test": 2, "all": None}[part])

    def _path(self, name: str) -> Path:
        return Path(self.root, self.base_folder, name)

    def _read(self, part: int | None) -> None:
        parts = self._load_csv("list_eval_partition.txt")
        chosen = np.arange(len(parts.index)) if part is None else np.flatnonzero(parts.data[:, 0] == part)
        self.filename = [parts.index[i] for i in chosen]

        def rows(name: str, header: int | None = None) -> tuple[Any, list[str]]:
            found = self._load_csv(name, header)
            with parsed(self._path(name), f"a table of {len(parts.index):,} rows, as list_eval_partition.txt has"):
                if found.index != parts.index:
                    raise ValueError(f"it has {len(found.index):,} rows, or other names")
            return from_numpy(found.data[chosen]), found.header

        self.identity, _ = rows("identity_CelebA.txt")
        self.bbox, _ = rows("list_bbox_celeba.txt", 1)
        self.landmarks_align, _ = rows("list_landmarks_align_celeba.txt", 1)
        signs, self.attr_names = rows("list_attr_celeba.txt", 1)
        self.attr = (signs + 1) // 2

    def _load_csv(self, filename: str, header: int | None = None) -> CSV:
        """The names and the numbers of a table; ``header`` is the line that names its columns."""
        path = self._path(filename)
        rows = [line.split() for line in lines(path)]
        with parsed(path, "a table of a name and whole numbers on each line"):
            head, body = ([], rows) if header is None else (self._header(lines(path)[header]), rows[header + 1 :])
            return CSV(head, [row[0] for row in body], np.array([[int(word) for word in row[1:]] for row in body], np.int64))

    @staticmethod
    def _header(line: str) -> list[str]:
        return next(csv.reader([line], delimiter=" ", skipinitialspace=True))  # a space at its end gives an empty name, as in torchvision

    def download(self) -> None:
        """Fetch the files from Google Drive and unpack the images, unless all are there and right."""
        if all(is_intact(self._path(name), md5) for _, md5, name in self.file_list[1:]) and self._path("img_align_celeba").is_dir():
            return
        for file_id, md5, name in self.file_list:
            fetch([drive(file_id)], self._path(name), md5)
        extract(self._path("img_align_celeba.zip"), self._path(""))

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        image = open_image(os.path.join(self._path("img_align_celeba"), self.filename[index]))
        found = {"attr": self.attr, "identity": self.identity, "bbox": self.bbox, "landmarks": self.landmarks_align}
        target = bundled([found[kind][index, 0] if kind == "identity" else found[kind][index] for kind in self.target_type])
        if target is None:
            return image if self.transform is None else self.transform(image), None
        return self._each(image, target)

    def __len__(self) -> int:
        return len(self.attr)

    def extra_repr(self) -> str:
        """The lines that name the kinds of target and the split."""
        return f"Target type: {self.target_type}\nSplit: {self.split}"
