"""GTSRB: German traffic signs."""

from __future__ import annotations

from pathlib import Path

from ._fetch import fetch_and_extract
from ._files import need, parsed, read_csv
from ._listed import Listed
from .folder import make_dataset
from .vision import Change, Root, one_of

__all__ = ["GTSRB"]

_URL = "https://sid.erda.dk/public/archives/daaeac0d7ce1152aea9b61d9f1e19370/"
#: Split → archives with their MD5.
_ARCHIVES = {
    "train": [("GTSRB-Training_fixed.zip", "513f3c79a4c5141765e10e952eaa2478")],
    "test": [
        ("GTSRB_Final_Test_Images.zip", "c7e4e6327067d32654124b0fe9e82185"),
        ("GTSRB_Final_Test_GT.zip", "fe31e9c9270bbcd7b84b7f21a9d9d9e5"),
    ],
}


class GTSRB(Listed):
    """Photographs of 43 traffic signs: 26,640 to train on, 12,630 to test on.

    A sample is ``(image, label)``: an "RGB" PIL image and an int. Files lie in ``root/gtsrb/GTSRB`` (PPM), the labels of the test in
    ``root/gtsrb/GT-final_test.csv``. Raises MissingFiles, FormatError, Unreadable.

    Source: J. Stallkamp et al., Man vs. computer: Benchmarking machine learning algorithms for traffic sign recognition, 2012.

    >>> from dovetail_vision.datasets import tiny
    >>> with tiny.made(tiny.gtsrb) as root:
    ...     len(GTSRB(root)), GTSRB(root, "test")[0][1]
    (2, 16)
    """

    def __init__(
        self, root: Root, split: str = "train", transform: Change = None, target_transform: Change = None, download: bool = False
    ) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self._split = one_of(self, "split", split, ("train", "test"))
        self._base_folder = Path(self.root) / "gtsrb"
        self._target_folder = self._base_folder / "GTSRB" / ("Training" if split == "train" else "Final_Test/Images")
        if download:
            self.download()
        need(self._target_folder)
        samples = make_dataset(str(self._target_folder), extensions=(".ppm",)) if split == "train" else self._of_test()
        self._image_files, self._labels = [path for path, _ in samples], [label for _, label in samples]

    def _of_test(self) -> list[tuple[str, int]]:
        path = self._base_folder / "GT-final_test.csv"
        with parsed(path, "a table with Filename and ClassId, between semicolons"):
            rows = read_csv(path, delimiter=";", skipinitialspace=True)
            return [(str(self._target_folder / row["Filename"]), int(row["ClassId"])) for row in rows]

    def download(self) -> None:
        """Fetch the archives of the split and unpack them, unless its images are there."""
        if not self._target_folder.is_dir():
            for name, md5 in _ARCHIVES[self._split]:
                fetch_and_extract([_URL + name], self._base_folder, md5)
