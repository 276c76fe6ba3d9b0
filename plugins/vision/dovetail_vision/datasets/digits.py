"""The UCI handwritten digits, which ship inside this package."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from PIL import Image

from dovetail import Tensor, from_numpy
from dovetail.errors import FormatError, HashMismatch, ValueRangeError

from .vision import VisionDataset

__all__ = ["Digits"]

_SHIPPED = Path(__file__).with_name("data")
_FILE = "digits.csv.gz"
_SHA256 = "09f66e6debdee2cd2b5ae59e0d6abbb73fc2b0e0185d2e1957e9ebb51e23aa22"
_COLUMNS = 65
_GOLDEN = 2_654_435_761  # 2**32 divided by the golden ratio: multiples of it spread evenly


def _read(path: Path) -> tuple[np.ndarray, np.ndarray]:
    try:
        packed = path.read_bytes()
    except OSError as error:
        raise FormatError(path, None, f"{error.strerror}; leave root out to use the copy that ships with dovetail-vision") from error
    found = hashlib.sha256(packed).hexdigest()
    if found != _SHA256:
        raise HashMismatch(path, None, f"SHA-256 is {found}; expected {_SHA256}; reinstall dovetail-vision or replace the file")
    text = gzip.decompress(packed).decode("ascii")
    table = np.array(text.replace("\n", ",").strip(",").split(","), dtype=np.int64).reshape(-1, _COLUMNS)
    scans = (table[:, :-1] * 255 + 8) // 16  # 0..16 to 0..255, to the nearest
    return scans.astype(np.uint8).reshape(-1, 8, 8), table[:, -1].copy()


def _held_out(targets: np.ndarray) -> np.ndarray:
    keys = np.arange(len(targets), dtype=np.uint64) * np.uint64(_GOLDEN) % np.uint64(2**32)
    mask = np.zeros(len(targets), dtype=bool)
    for digit in np.unique(targets):
        rows = np.flatnonzero(targets == digit)
        quarter = (len(rows) + 2) // 4
        mask[rows[np.argsort(keys[rows])][:quarter]] = True
    return mask


class Digits(VisionDataset):
    """1,797 handwritten digits as grey 8 × 8 images: 1,346 to train on and a fixed quarter of 451 to test on.

    A sample is ``(image, label)``: a PIL image of mode "L" with ink at 255, and an int from 0 to 9. ``data`` holds the
    scans as uint8 ``(N, 8, 8)``, ``targets`` the labels as int64 ``(N,)``. ``split`` ("train" or "test"), where given,
    goes before ``train``. Without ``root`` the copy inside the package is read, otherwise ``root/digits.csv.gz``.

    The quarter is the same everywhere: row ``i`` of the file has the key ``i * 2654435761 mod 2**32``, and of each
    digit the quarter of the rows with the lowest keys is held out. The same 13 people wrote both parts.

    Raises ``HashMismatch`` for a file with another SHA-256, ``FormatError`` for one that cannot be read,
    ``ValueRangeError`` for an unknown split.

    Source: E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning Repository,
    1998, https://doi.org/10.24432/C50P49, CC BY 4.0, as distributed with scikit-learn; see ``data/DATA.md``.

    >>> digits = Digits(train=False)
    >>> len(digits), digits[0][0].size, digits[0][1]
    (451, (8, 8), 0)
    """

    classes: ClassVar[list[str]] = [
        "0 - zero", "1 - one", "2 - two", "3 - three", "4 - four",
        "5 - five", "6 - six", "7 - seven", "8 - eight", "9 - nine",
    ]  # fmt: skip

    data: Tensor
    targets: Tensor

    def __init__(
        self,
        root: str | Path | None = None,
        train: bool = True,
        transform: Callable[[Any], Any] | None = None,
        target_transform: Callable[[Any], Any] | None = None,
        *,
        split: str | None = None,
    ) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        if split not in (None, "train", "test"):
            raise ValueRangeError("Digits", f"split is {split!r}", 'expected "train" or "test"')
        self.train = train if split is None else split == "train"
        scans, labels = _read(_SHIPPED / _FILE if self.root is None else Path(self.root) / _FILE)
        rows = _held_out(labels) != self.train
        self.data, self.targets = from_numpy(scans[rows]), from_numpy(labels[rows])

    @property
    def class_to_idx(self) -> dict[str, int]:
        """The number of each class, by its name."""
        return {name: index for index, name in enumerate(self.classes)}

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        image: Any = Image.fromarray(self.data[index].numpy())
        target: Any = int(self.targets[index])
        if self.transform is not None:
            image = self.transform(image)
        if self.target_transform is not None:
            target = self.target_transform(target)
        return image, target

    def extra_repr(self) -> str:
        """The line that names the split."""
        return f"Split: {'Train' if self.train else 'Test'}"
