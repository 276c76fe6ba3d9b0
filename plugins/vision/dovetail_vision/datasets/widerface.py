"""WIDER FACE: faces with boxes, from a list of text."""

from __future__ import annotations

import os
from typing import Any, ClassVar

import numpy as np

from dovetail import from_numpy

from ._fetch import drive, extract, fetch, fetch_and_extract
from ._files import lines, need, parsed
from ._image import open_image
from .vision import Change, Root, VisionDataset, one_of

__all__ = ["WIDERFace"]

_MARKS = ("blur", "expression", "illumination", "occlusion", "pose", "invalid")


class WIDERFace(VisionDataset):
    """32,203 photographs with 393,703 faces: 12,880 in "train", 3,226 in "val", 16,097 without boxes in "test".

    A sample is ``(image, target)``: a PIL image and a dict of int64 tensors, "bbox" ``(N, 4)`` (x, y, width, height) and, ``(N,)`` each,
    "blur", "expression", "illumination", "occlusion", "pose", "invalid"; None in "test". Files lie in ``root/widerface``:
    ``WIDER_train/images`` and so on, and ``wider_face_split``.

    Source: S. Yang et al., WIDER FACE: A Face Detection Benchmark, 2016, http://shuoyang1213.me/WIDERFACE/.

    >>> from dovetail_vision.datasets import tiny
    >>> with tiny.made(tiny.widerface) as root:
    ...     WIDERFace(root)[0][1]["bbox"]
    tensor([[1, 1, 3, 4],
            [2, 0, 2, 2]])
    """

    BASE_FOLDER = "widerface"
    #: (Google Drive's id, MD5, name)
    FILE_LIST: ClassVar[list[tuple[str, str, str]]] = [
        ("15hGDLhsx8bLgLcIRD5DhYt5iBxnjNF1M", "3fedf70df600953d25982bcd13d91ba2", "WIDER_train.zip"),
        ("1GUCogbp16PMGa39thoMMeWxp7Rp5oM8Q", "dfa7d7e790efa35df3788964cf0bbaea", "WIDER_val.zip"),
        ("1HIfDbVEWKmsYKJZm4lchTBDLW5N7dY5T", "e5d8f4248ed24c334bbd12f49c29dd40", "WIDER_test.zip"),
    ]
    ANNOTATIONS_FILE = (
        "http://shuoyang1213.me/WIDERFACE/support/bbx_annotation/wider_face_split.zip",
        "0e3767bcf0e326556d407bf5bff5d27c",
        "wider_face_split.zip",
    )

    def __init__(
        self, root: Root, split: str = "train", transform: Change = None, target_transform: Change = None, download: bool = False
    ) -> None:
        super().__init__(os.path.join(root, self.BASE_FOLDER), transform=transform, target_transform=target_transform)
        self.split = one_of(self, "split", split, ("train", "val", "test"))
        if download:
            self.download()
        self._images = os.path.abspath(need(os.path.join(self.root, f"WIDER_{split}", "images")))
        name = "wider_face_test_filelist.txt" if split == "test" else f"wider_face_{split}_bbx_gt.txt"
        path = os.path.join(self.root, "wider_face_split", name)
        with parsed(path, "a file's name, a count and as many lines of ten numbers, again and again"):
            rows = [line.rstrip() for line in lines(path)]
            self.img_info = [{"img_path": self._path(row)} for row in rows] if split == "test" else self._annotations(rows)

    def _path(self, name: str) -> str:
        return os.path.join(self._images, *name.split("/"))

    def _annotations(self, rows: list[str]) -> list[dict[str, Any]]:
        at, found = 0, []
        while at < len(rows):
            count = max(int(rows[at + 1]), 1)  # where there is no face, one line of zeros stands
            numbers = np.array([[int(word) for word in row.split()] for row in rows[at + 2 : at + 2 + count]], np.int64)
            if numbers.shape != (count, 10):
                raise ValueError(f"line {at + 1} and those after it have numbers of shape {numbers.shape}; expected {(count, 10)}")
            marks = {name: from_numpy(numbers[:, 4 + i].copy()) for i, name in enumerate(_MARKS)}
            found.append({"img_path": self._path(rows[at]), "annotations": {"bbox": from_numpy(numbers[:, :4].copy()), **marks}})
            at += 2 + count
        return found

    def download(self) -> None:
        """Fetch the archives of images (from Google Drive) and of boxes and unpack them, unless all are there."""
        names = [name for _, _, name in (*self.FILE_LIST, self.ANNOTATIONS_FILE)]
        if all(os.path.isdir(os.path.join(self.root, name.removesuffix(".zip"))) for name in names):
            return
        for file_id, md5, name in self.FILE_LIST:
            extract(fetch([drive(file_id)], os.path.join(self.root, name), md5), self.root)
        fetch_and_extract([self.ANNOTATIONS_FILE[0]], self.root, self.ANNOTATIONS_FILE[1])

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        about = self.img_info[index]
        return self._each(open_image(about["img_path"]), about.get("annotations"))

    def __len__(self) -> int:
        return len(self.img_info)

    def extra_repr(self) -> str:
        """The line that names the split."""
        return f"Split: {self.split}"
