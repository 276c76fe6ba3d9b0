"""Food-101: photographs of meals, with their split in JSON files."""

from __future__ import annotations

from pathlib import Path

from ._fetch import fetch_and_extract
from ._files import need, parsed, read_json
from ._listed import Listed
from .folder import default_loader
from .vision import Change, Loader, Root, one_of

__all__ = ["Food101"]


class Food101(Listed):
    """Photographs of 101 kinds of meals: 750 of each to train on, 250 to test on.

    A sample is ``(image, label)``: what ``loader`` makes of the file (an "RGB" PIL image) and an int. Files lie in
    ``root/food-101/images`` and ``root/food-101/meta``. Raises MissingFiles, FormatError, Unreadable.

    Source: L. Bossard, M. Guillaumin, L. Van Gool, Food-101: Mining Discriminative Components with Random Forests, 2014.

    >>> from dovetail_vision.datasets import tiny
    >>> with tiny.made(tiny.food101) as root:
    ...     Food101(root).class_to_idx
    {'apple_pie': 0, 'waffles': 1}
    """

    _URL = "http://data.vision.ee.ethz.ch/cvl/food-101.tar.gz"
    _MD5 = "85eeb15f3717b99a5da872d97d918f87"

    def __init__(
        self,
        root: Root,
        split: str = "train",
        transform: Change = None,
        target_transform: Change = None,
        download: bool = False,
        loader: Loader = default_loader,
    ) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self._split = one_of(self, "split", split, ("train", "test"))
        self._base_folder = Path(self.root) / "food-101"
        self._meta_folder, self._images_folder = self._base_folder / "meta", self._base_folder / "images"
        self.loader = loader
        if download:
            self._download()
        need(self._images_folder)
        path = self._meta_folder / f"{split}.json"
        found = read_json(path)
        with parsed(path, 'lists of images by class, {"apple_pie": ["apple_pie/1"]}'):
            self.classes = sorted(found)
            self.class_to_idx = {name: number for number, name in enumerate(self.classes)}
            self._labels = [self.class_to_idx[name] for name, images in found.items() for _ in images]
            self._image_files = [self._images_folder.joinpath(*f"{i}.jpg".split("/")) for images in found.values() for i in images]

    def _download(self) -> None:
        if not (self._meta_folder.is_dir() and self._images_folder.is_dir()):
            fetch_and_extract([self._URL], self.root, self._MD5)

    def extra_repr(self) -> str:
        """The line that names the split."""
        return f"split={self._split}"
