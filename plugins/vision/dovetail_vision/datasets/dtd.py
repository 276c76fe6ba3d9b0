"""DTD: describable textures."""

from __future__ import annotations

from pathlib import Path

from dovetail.errors import ValueRangeError

from ._fetch import fetch_and_extract
from ._files import lines, need, parsed
from ._listed import Listed
from .folder import default_loader
from .vision import Change, Loader, Root, one_of

__all__ = ["DTD"]


class DTD(Listed):
    """Photographs of 47 kinds of textures, 120 of each, in ten ``partition`` s (1 to 10) into "train", "val" and "test".

    A sample is ``(image, label)``: what ``loader`` makes of the file (an "RGB" PIL image) and an int. Files lie in
    ``root/dtd/dtd/images`` and ``root/dtd/dtd/labels``. Raises MissingFiles, FormatError, Unreadable.

    Source: M. Cimpoi et al., Describing Textures in the Wild, 2014, https://www.robots.ox.ac.uk/~vgg/data/dtd/.

    >>> from dovetail_vision.datasets import tiny
    >>> with tiny.made(tiny.dtd) as root:
    ...     DTD(root).classes
    ['banded', 'zigzagged']
    """

    _URL = "https://www.robots.ox.ac.uk/~vgg/data/dtd/download/dtd-r1.0.1.tar.gz"
    _MD5 = "fff73e5086ae6bdbea199a49dfb8a4c1"

    def __init__(
        self,
        root: Root,
        split: str = "train",
        partition: int = 1,
        transform: Change = None,
        target_transform: Change = None,
        download: bool = False,
        loader: Loader = default_loader,
    ) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self._split = one_of(self, "split", split, ("train", "val", "test"))
        if not isinstance(partition, int) or not 1 <= partition <= 10:
            raise ValueRangeError("DTD", f"partition is {partition!r}", "expected an integer with `1 <= partition <= 10`")
        self._partition = partition
        self._base_folder = Path(self.root) / "dtd"
        self._data_folder = self._base_folder / "dtd"
        self.loader = loader
        if download and not self._data_folder.is_dir():
            fetch_and_extract([self._URL], self._base_folder, self._MD5)
        path = need(self._data_folder) / "labels" / f"{split}{partition}.txt"
        with parsed(path, "lines of a class and a file, `banded/banded_0002.jpg`"):
            found = [(name, file) for name, file in (line.strip().split("/") for line in lines(path))]
        self.classes = sorted({name for name, _ in found})
        self.class_to_idx = {name: number for number, name in enumerate(self.classes)}
        self._image_files = [self._data_folder / "images" / name / file for name, file in found]
        self._labels = [self.class_to_idx[name] for name, _ in found]

    def extra_repr(self) -> str:
        """The line that names the split and its partition."""
        return f"split={self._split}, partition={self._partition}"
