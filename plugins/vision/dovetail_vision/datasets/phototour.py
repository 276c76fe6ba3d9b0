"""PhotoTour: patches of photographs of the same places, with the pairs that match."""

from __future__ import annotations

import os
from typing import Any, ClassVar

import numpy as np

from dovetail import Tensor, from_numpy
from dovetail.io import load, save

from ._errors import DamagedFile
from ._fetch import extract, fetch
from ._files import lines, need, parsed, sorted_names
from ._image import open_image
from .vision import Change, Root, VisionDataset, one_of

__all__ = ["PhotoTour", "read_image_file", "read_info_file", "read_matches_files"]

_BROWN, _BALNT = "http://matthewalunbrown.com/patchdata/", "http://icvl.ee.ic.ac.uk/vbalnt/"


class PhotoTour(VisionDataset):
    """Grey patches of 64 × 64 of three places, and which show the same.

    ``name`` is "liberty", "notredame", "yosemite", or one of them with "_harris" after it.

    To train on, a sample is a uint8 tensor ``(64, 64)``; to test on, two of them and an int64 scalar, 1 where both show the same point.
    ``data``, ``labels``, ``matches`` have all. The bitmaps and lists lie in ``root/NAME``; what is read from them is kept beside, in
    ``root/NAME.dvt``, and torchvision's ``NAME.pt`` is read.

    Source: S. Winder, M. Brown, Learning Local Image Descriptors, 2007, http://phototour.cs.washington.edu/patches/.

    >>> from dovetail_vision.datasets import tiny
    >>> with tiny.made(tiny.phototour) as root:
    ...     PhotoTour(root, "liberty", train=False)[1][2]
    tensor(0)
    """

    urls: ClassVar[dict[str, list[str]]] = {
        "notredame_harris": [f"{_BROWN}notredame_harris.zip", "notredame_harris.zip", "69f8c90f78e171349abdf0307afefe4d"],
        "yosemite_harris": [f"{_BROWN}yosemite_harris.zip", "yosemite_harris.zip", "a73253d1c6fbd3ba2613c45065c00d46"],
        "liberty_harris": [f"{_BROWN}liberty_harris.zip", "liberty_harris.zip", "c731fcfb3abb4091110d0ae8c7ba182c"],
        "notredame": [f"{_BALNT}notredame.zip", "notredame.zip", "509eda8535847b8c0a90bbb210c83484"],
        "yosemite": [f"{_BALNT}yosemite.zip", "yosemite.zip", "533b2e8eb7ede31be40abc317b2fd4f0"],
        "liberty": [f"{_BALNT}liberty.zip", "liberty.zip", "fdd9152f138ea5ef2091746689176414"],
    }
    means: ClassVar[dict[str, float]] = {
        "notredame": 0.4854, "yosemite": 0.4844, "liberty": 0.4437, "notredame_harris": 0.4854, "yosemite_harris": 0.4844,
        "liberty_harris": 0.4437,
    }  # fmt: skip
    stds: ClassVar[dict[str, float]] = {
        "notredame": 0.1864, "yosemite": 0.1818, "liberty": 0.2019, "notredame_harris": 0.1864, "yosemite_harris": 0.1818,
        "liberty_harris": 0.2019,
    }  # fmt: skip
    lens: ClassVar[dict[str, int]] = {
        "notredame": 468159, "yosemite": 633587, "liberty": 450092, "liberty_harris": 379587, "yosemite_harris": 450912,
        "notredame_harris": 325295,
    }  # fmt: skip
    image_ext = "bmp"
    info_file = "info.txt"
    matches_files = "m50_100000_100000_0.txt"

    def __init__(self, root: Root, name: str, train: bool = True, transform: Change = None, download: bool = False) -> None:
        super().__init__(root, transform=transform)
        self.name, self.train = one_of(self, "name", name, self.urls), train
        self.data_dir, self.data_down, self.data_file = (os.path.join(self.root, name + end) for end in ("", ".zip", ".pt"))
        self.mean, self.std = self.means[name], self.stds[name]
        if download:
            self.download()
        kept = os.path.join(self.root, f"{name}.dvt")
        path = next((path for path in (kept, self.data_file) if os.path.exists(path)), None)
        found = self.cache(kept) if path is None else load(path)
        with parsed(path or self.data_dir, "three tensors"):
            self.data, self.labels, self.matches = found

    def cache(self, path: str) -> tuple[Tensor, Tensor, Tensor]:
        """Read patches, labels and matches, and keep them in a file."""
        found = (
            read_image_file(self.data_dir, self.image_ext, self.lens[self.name]),
            read_info_file(self.data_dir, self.info_file),
            read_matches_files(self.data_dir, self.matches_files),
        )
        pairs = found[2]
        if len(pairs) and not 0 <= int(pairs[:, :2].min()) <= int(pairs[:, :2].max()) < len(found[0]):
            raise DamagedFile(
                os.path.join(self.data_dir, self.matches_files), None, f"names other patches than the {len(found[0]):,} there are"
            )
        save(found, path)
        return found

    def download(self) -> None:
        """Fetch the archive and unpack it, unless its folder or what was read from it is there."""
        if not os.path.exists(self.data_file) and not os.path.exists(self.data_dir):
            url, _, md5 = self.urls[self.name]
            extract(fetch([url], self.data_down, md5), self.data_dir)
            os.unlink(self.data_down)

    def __getitem__(self, index: int) -> Any:
        change = self.transform or (lambda patch: patch)
        if self.train:
            return change(self.data[index])
        one, two, same = self.matches[index]
        return change(self.data[one]), change(self.data[two]), same

    def __len__(self) -> int:
        return len(self.data if self.train else self.matches)

    def extra_repr(self) -> str:
        """The line that names the part."""
        return f"Split: {'Train' if self.train else 'Test'}"


def read_image_file(data_dir: Root, image_ext: str, n: int) -> Tensor:
    """The first ``n`` patches of all bitmaps in a folder, uint8 ``(N, 64, 64)``."""
    patches, count = [], 0
    for name in sorted_names(data_dir, lambda entry: entry.name.endswith(image_ext)):
        path = os.path.join(data_dir, name)
        pixels = np.asarray(open_image(path, "L"))
        if pixels.shape[0] % 64 or pixels.shape[1] % 64:
            raise DamagedFile(path, None, f"has {pixels.shape[1]} × {pixels.shape[0]} pixels; expected patches of 64 × 64")
        if count < n:
            found = pixels.reshape(pixels.shape[0] // 64, 64, -1, 64).swapaxes(1, 2).reshape(-1, 64, 64)
            patches.append(found)
            count += len(found)
    return from_numpy(np.concatenate([np.zeros((0, 64, 64), np.uint8), *patches])[:n].copy())


def read_info_file(data_dir: Root, info_file: str) -> Tensor:
    """The number of the point that each patch shows, int64 ``(N,)``."""
    path = need(os.path.join(data_dir, info_file))
    with parsed(path, "lines that begin with a number"):
        return from_numpy(np.array([int(line.split()[0]) for line in lines(path)], np.int64))


def read_matches_files(data_dir: Root, matches_file: str) -> Tensor:
    """Pairs of patches and whether they show the same point, int64 ``(N, 3)``."""
    path = need(os.path.join(data_dir, matches_file))
    with parsed(path, "lines of seven numbers"):
        rows = [line.split() for line in lines(path)]
        return from_numpy(np.array([[int(row[0]), int(row[3]), int(row[1] == row[4])] for row in rows], np.int64).reshape(-1, 3))
