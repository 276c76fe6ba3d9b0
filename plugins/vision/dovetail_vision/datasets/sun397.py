"""SUN397: scenes."""

from __future__ import annotations

from pathlib import Path

from ._fetch import fetch_and_extract
from ._files import lines, need, parsed
from ._listed import Listed
from .folder import default_loader
from .vision import Change, Loader, Root

__all__ = ["SUN397"]


class SUN397(Listed):
    """108,754 photographs of 397 kinds of scenes.

    A sample is ``(image, label)``: what ``loader`` makes of the file (an "RGB" PIL image) and an int. Files lie in ``root/SUN397``:
    ``a/abbey/sun_….jpg`` and so on, in sorted order, and ``ClassName.txt``. Raises MissingFiles, FormatError, Unreadable.

    Source: J. Xiao et al., SUN Database: Large-scale Scene Recognition from Abbey to Zoo, 2010.

    >>> from dovetail_vision.datasets import tiny
    >>> with tiny.made(tiny.sun397) as root:
    ...     SUN397(root).class_to_idx
    {'abbey': 0, 'apse/indoor': 1}
    """

    _DATASET_URL = "http://vision.princeton.edu/projects/2010/SUN/SUN397.tar.gz"
    _DATASET_MD5 = "8ca2778205c41d23104230ba66911c7a"

    def __init__(
        self, root: Root, transform: Change = None, target_transform: Change = None, download: bool = False, loader: Loader = default_loader
    ) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self._data_dir = Path(self.root) / "SUN397"
        self.loader = loader
        if download and not self._data_dir.is_dir():
            fetch_and_extract([self._DATASET_URL], self.root, self._DATASET_MD5)
        path = need(self._data_dir) / "ClassName.txt"
        self.classes = [line[3:].strip() for line in lines(path)]
        self.class_to_idx = {name: number for number, name in enumerate(self.classes)}
        self._image_files = sorted(self._data_dir.rglob("sun_*.jpg"))
        with parsed(path, "the list of the classes that there are folders of, `/a/abbey`"):
            names = ["/".join(file.relative_to(self._data_dir).parts[1:-1]) for file in self._image_files]
            self._labels = [self.class_to_idx[name] for name in names]
