"""SVHN: house numbers from MATLAB files."""

from __future__ import annotations

import os
from typing import Any, ClassVar

import numpy as np
from PIL import Image

from ._fetch import fetch
from ._files import intact, parsed
from ._mat import read_mat
from .vision import Change, Root, VisionDataset, one_of

__all__ = ["SVHN"]

_URL = "http://ufldl.stanford.edu/housenumbers/"


class SVHN(VisionDataset):
    """Digits of house numbers in Google's street view: 73,257 of 32 × 32 to train on, 26,032 to test on, 531,131 extra.

    A sample is ``(image, label)``: an "RGB" PIL image and an int, 0 for the digit 0 (10 in the files). ``data`` is a uint8 array
    ``(N, 3, 32, 32)``, ``labels`` int64 ``(N,)``. Files lie in ``root``; ``verify=False`` takes some with another MD5.
    Raises MissingFiles, HashMismatch, FormatError.

    Source: Y. Netzer et al., Reading Digits in Natural Images with Unsupervised Feature Learning, 2011.

    >>> from dovetail_vision.datasets import tiny
    >>> with tiny.made(tiny.svhn) as root:
    ...     SVHN(root, verify=False).labels.tolist()
    [1, 2, 0, 4]
    """

    split_list: ClassVar[dict[str, list[str]]] = {
        "train": [f"{_URL}train_32x32.mat", "train_32x32.mat", "e26dedcc434d2e4c54c9b2d4a06d8373"],
        "test": [f"{_URL}test_32x32.mat", "test_32x32.mat", "eb5a983be6a315427106f1b164d9cef3"],
        "extra": [f"{_URL}extra_32x32.mat", "extra_32x32.mat", "a93ce644f1a588dc4d68dda5feec44a7"],
    }

    def __init__(
        self,
        root: Root,
        split: str = "train",
        transform: Change = None,
        target_transform: Change = None,
        download: bool = False,
        *,
        verify: bool = True,
    ) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.split = one_of(self, "split", split, self.split_list)
        self.url, self.filename, self.file_md5 = self.split_list[split]
        if download:
            self.download()
        path = intact(os.path.join(self.root, self.filename), self.file_md5 if verify else None)
        found = read_mat(path)
        with parsed(path, "a file of SVHN, with X uint8 (32, 32, 3, N) and y (N, 1)"):
            self.labels = found["y"].astype(np.int64).reshape(-1)
            self.labels[self.labels == 10] = 0
            self.data = found["X"].transpose(3, 2, 0, 1)
            if self.data.dtype != np.uint8 or self.data.shape != (len(self.labels), 3, 32, 32):
                raise ValueError(f"X is {found['X'].dtype} {found['X'].shape}, y {found['y'].shape}")

    def download(self) -> None:
        """Fetch the file of the split, unless it is there and right."""
        fetch([self.url], os.path.join(self.root, self.filename), self.file_md5)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        return self._each(Image.fromarray(self.data[index].transpose(1, 2, 0)), int(self.labels[index]))

    def __len__(self) -> int:
        return len(self.data)

    def extra_repr(self) -> str:
        """The line that names the split."""
        return f"Split: {self.split}"
