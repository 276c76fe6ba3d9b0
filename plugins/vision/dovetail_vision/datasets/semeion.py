"""SEMEION: handwritten digits from a text file of numbers."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from PIL import Image

from ._fetch import fetch
from ._files import intact, lines, parsed
from .vision import Change, Root, VisionDataset

__all__ = ["SEMEION"]


class SEMEION(VisionDataset):
    """1,593 handwritten digits, black and white, 16 × 16.

    A sample is ``(image, label)``: a PIL image of mode "L" with 0 and 255, and an int. The file ``semeion.data`` lies in ``root``;
    as in torchvision it is fetched unless ``download=False``; ``verify=False`` takes one with another MD5.

    Source: Semeion Research Center, Semeion Handwritten Digit, UCI Machine Learning Repository, https://doi.org/10.24432/C5SC8V.

    >>> from dovetail_vision.datasets import tiny
    >>> with tiny.made(tiny.semeion) as root:
    ...     SEMEION(root, download=False, verify=False).labels.tolist()
    [0, 1, 2]
    """

    url = "http://archive.ics.uci.edu/ml/machine-learning-databases/semeion/semeion.data"
    filename = "semeion.data"
    md5_checksum = "cb545d371d2ce14ec121470795a77432"

    def __init__(
        self, root: Root, transform: Change = None, target_transform: Change = None, download: bool = True, *, verify: bool = True
    ) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        path = os.path.join(self.root, self.filename)
        if download:
            self.download()
        rows = lines(intact(path, self.md5_checksum if verify else None))
        with parsed(path, "lines of 256 pixels and 10 marks, each 0 or 1"):
            values = np.array([[float(word) for word in row.split()] for row in rows])
            if values.ndim != 2 or values.shape[1] != 266 or not (values[:, 256:].sum(1) == 1).all() or not np.isin(values, (0, 1)).all():
                raise ValueError(f"there are {values.shape} numbers, or some that are neither")
            self.data = (values[:, :256] * 255).astype(np.uint8).reshape(-1, 16, 16)
            self.labels = values[:, 256:].argmax(1)

    def download(self) -> None:
        """Fetch the file, unless it is there and right."""
        fetch([self.url], os.path.join(self.root, self.filename), self.md5_checksum)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        return self._each(Image.fromarray(self.data[index]), int(self.labels[index]))

    def __len__(self) -> int:
        return len(self.data)
