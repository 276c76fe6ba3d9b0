"""USPS: handwritten digits in LIBSVM's text format, packed by bzip2."""

from __future__ import annotations

import bz2
import os
from typing import Any, ClassVar

import numpy as np
from PIL import Image

from ._errors import DamagedFile
from ._fetch import fetch
from ._files import need, parsed
from .vision import Change, Root, VisionDataset, one_of

__all__ = ["USPS"]

_URL = "https://www.csie.ntu.edu.tw/~cjlin/libsvmtools/datasets/multiclass/"
_LARGEST = 200_000_000  # bytes, unpacked; the larger file has 22 million


class USPS(VisionDataset):
    """Digits of the US Postal Service: 7,291 of 16 × 16 to train on and 2,007 to test on.

    A sample is ``(image, label)``: a PIL image of mode "L" and an int. ``data`` is a uint8 array ``(N, 16, 16)``: the values from
    -1 to 1 in the files become 0 to 255. The files ``usps.bz2`` and ``usps.t.bz2`` lie in ``root``. ``split`` goes before ``train``.

    Source: J. Hull, A Database for Handwritten Text Recognition Research, 1994.

    >>> from dovetail_vision.datasets import tiny
    >>> with tiny.made(tiny.usps) as root:
    ...     USPS(root).targets
    [0, 1, 2]
    """

    split_list: ClassVar[dict[str, list[str]]] = {
        "train": [f"{_URL}usps.bz2", "usps.bz2", "ec16c51db3855ca6c91edd34d0e9b197"],
        "test": [f"{_URL}usps.t.bz2", "usps.t.bz2", "8ea070ee2aca1ac39742fdd1ef5ed118"],
    }

    def __init__(
        self,
        root: Root,
        train: bool = True,
        transform: Change = None,
        target_transform: Change = None,
        download: bool = False,
        *,
        split: str | None = None,
    ) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        split = one_of(self, "split", split or ("train" if train else "test"), self.split_list)
        url, name, md5 = self.split_list[split]
        path = os.path.join(self.root, name)
        if download and not os.path.exists(path):
            fetch([url], path, md5)
        self.data, self.targets = self._read(need(path))

    @staticmethod
    def _read(path: Any) -> tuple[np.ndarray, list[int]]:
        try:
            with bz2.open(path) as file:
                text = file.read(_LARGEST + 1)
        except (OSError, EOFError) as error:
            raise DamagedFile(path, None, f"cannot be unpacked ({type(error).__name__}: {error}); fetch it again") from error
        with parsed(path, "lines of a label and 256 values, `7 1:-1 2:0.5 …`"):
            if len(text) > _LARGEST:
                raise ValueError(f"it unpacks to more than {_LARGEST:,} bytes")
            rows = [line.split() for line in text.decode().split("\n") if line]
            pixels = np.asarray([[entry.split(":")[-1] for entry in row[1:]] for row in rows], np.float32).reshape(-1, 16, 16)
            if not len(pixels) or not (np.abs(pixels) <= 1).all():
                raise ValueError("there is no row, or a value outside -1 to 1")
            return ((pixels + 1) / 2 * 255).astype(np.uint8), [int(row[0]) - 1 for row in rows]

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        return self._each(Image.fromarray(self.data[index]), int(self.targets[index]))

    def __len__(self) -> int:
        return len(self.data)
