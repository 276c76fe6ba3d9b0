"""MovingMNIST: videos of two digits that move, from a file of NumPy."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from dovetail import from_numpy
from dovetail.errors import TypeMismatch, ValueRangeError

from ._errors import DamagedFile
from ._fetch import fetch
from ._files import need
from .vision import Change, Root, VisionDataset, one_of

__all__ = ["MovingMNIST"]


class MovingMNIST(VisionDataset):
    """10,000 videos of 20 frames of 64 × 64 in which two digits move.

    A sample is a uint8 tensor ``(T, 1, 64, 64)``. ``split`` "train" gives the first ``split_ratio`` frames of each, "test" the others, None
    all. The file is ``root/MovingMNIST/mnist_test_seq.npy``. Raises MissingFiles, FormatError.

    Source: N. Srivastava, E. Mansimov, R. Salakhutdinov, Unsupervised Learning of Video Representations using LSTMs, 2015.

    >>> from dovetail_vision.datasets import tiny
    >>> with tiny.made(tiny.moving_mnist) as root:
    ...     MovingMNIST(root, "test", 15)[0].shape
    dovetail.Size([5, 1, 64, 64])
    """

    _URL = "http://www.cs.toronto.edu/~nitish/unsupervised_video/mnist_test_seq.npy"

    def __init__(
        self, root: Root, split: str | None = None, split_ratio: int = 10, download: bool = False, transform: Change = None
    ) -> None:
        super().__init__(root, transform=transform)
        self.split = None if split is None else one_of(self, "split", split, ("train", "test"))
        if not isinstance(split_ratio, int):
            raise TypeMismatch("MovingMNIST", f"split_ratio is {split_ratio!r}", "`split_ratio` should be an integer")
        if not 1 <= split_ratio <= 19:
            raise ValueRangeError("MovingMNIST", f"split_ratio is {split_ratio}", "`split_ratio` should be `1 <= split_ratio <= 19`")
        self.split_ratio = split_ratio
        self._base_folder = os.path.join(self.root, type(self).__name__)
        path = self._path()
        if download:
            self.download()
        part = {"train": slice(split_ratio), "test": slice(split_ratio, None)}.get(split or "", slice(None))
        self.data = from_numpy(np.ascontiguousarray(self._read(path)[part].swapaxes(0, 1)[:, :, None]))

    def _path(self) -> str:
        return os.path.join(self._base_folder, self._URL.rpartition("/")[2])

    def download(self) -> None:
        """Fetch the file, unless it is there."""
        if not os.path.exists(self._path()):
            fetch([self._URL], self._path(), "be083ec986bfe91a449d63653c411eb2")

    @staticmethod
    def _read(path: str) -> np.ndarray:
        need(path)
        try:
            frames = np.load(path, mmap_mode="r", allow_pickle=False)  # mapped, so that no header makes anything be allocated
        except (OSError, ValueError, EOFError, MemoryError, OverflowError) as error:
            raise DamagedFile(path, None, f"is no whole .npy file ({type(error).__name__}: {error}); fetch it again") from error
        if not isinstance(frames, np.ndarray) or frames.dtype != np.uint8 or frames.ndim != 4:
            raise DamagedFile(path, None, "is no .npy file of frames; expected uint8 (T, N, H, W)")
        return frames

    def __getitem__(self, idx: int) -> Any:
        return self.data[idx] if self.transform is None else self.transform(self.data[idx])

    def __len__(self) -> int:
        return len(self.data)
