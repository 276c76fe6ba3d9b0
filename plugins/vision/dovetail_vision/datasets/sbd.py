"""The Semantic Boundaries Dataset: masks and borders from MATLAB files."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from PIL import Image

from ._fetch import fetch, fetch_and_extract
from ._files import lines, need, parsed
from ._image import open_image
from ._mat import read_mat
from .vision import Joint, Root, VisionDataset, one_of

__all__ = ["SBDataset"]


class SBDataset(VisionDataset):
    """Photographs of Pascal VOC 2011 with masks or borders of 20 kinds of things.

    A sample is ``(image, target)``: an "RGB" PIL image and, for ``mode="segmentation"``, a PIL image of classes, for "boundaries" an
    array ``(20, H, W)`` of 0 and 1. ``image_set`` (or ``split``) is "train", "val" or "train_noval". Files lie in ``root/img``,
    ``root/cls`` and ``root/train.txt``.

    Source: B. Hariharan et al., Semantic Contours from Inverse Detectors, 2011.

    >>> from dovetail_vision.datasets import tiny
    >>> with tiny.made(tiny.sbd) as root:
    ...     SBDataset(root)[0][1].shape
    (20, 6, 8)
    """

    url = "https://www2.eecs.berkeley.edu/Research/Projects/CS/vision/grouping/semantic_contours/benchmark.tgz"
    md5 = "82b4d87ceb2ed10f6038a1cba92111cb"
    filename = "benchmark.tgz"
    voc_train_url = "https://www.cs.cornell.edu/~bharathh/train_noval.txt"
    voc_split_filename = "train_noval.txt"
    voc_split_md5 = "79bff800c5f0b1ec6b21080a3c066722"

    def __init__(
        self,
        root: Root,
        image_set: str = "train",
        mode: str = "boundaries",
        download: bool = False,
        transforms: Joint = None,
        *,
        split: str | None = None,
    ) -> None:
        super().__init__(root, transforms)
        self.image_set = one_of(self, "image_set", split or image_set, ("train", "val", "train_noval"))
        self.mode = one_of(self, "mode", mode, ("segmentation", "boundaries"))
        self.num_classes = 20
        if download:
            self._download()
        names = [line.strip() for line in lines(os.path.join(need(self.root), f"{self.image_set}.txt"))]
        self.images = [os.path.join(self.root, "img", f"{name}.jpg") for name in names]
        self.masks = [os.path.join(self.root, "cls", f"{name}.mat") for name in names]

    def _download(self) -> None:
        if not os.path.isdir(os.path.join(self.root, "cls")):
            fetch_and_extract([self.url], self.root, self.md5, self.filename)
            for name in ("cls", "img", "inst", "train.txt", "val.txt"):
                os.replace(os.path.join(self.root, "benchmark_RELEASE", "dataset", name), os.path.join(self.root, name))
        if self.image_set == "train_noval":
            fetch([self.voc_train_url], os.path.join(self.root, self.voc_split_filename), self.voc_split_md5)

    def _target(self, path: str) -> Any:
        found = read_mat(path)
        with parsed(path, "a mask of SBD"):
            if self.mode == "segmentation":
                return Image.fromarray(found["GTcls"][0]["Segmentation"][0])
            borders = found["GTcls"][0]["Boundaries"][0]
            return np.stack([borders[i][0] for i in range(self.num_classes)])

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        return self._both(open_image(self.images[index], "RGB"), self._target(self.masks[index]))

    def __len__(self) -> int:
        return len(self.images)

    def extra_repr(self) -> str:
        """The lines that name the set and the kind of target."""
        return f"Image set: {self.image_set}\nMode: {self.mode}"
