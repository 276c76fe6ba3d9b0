"""FGVC Aircraft: aeroplanes by variant, family or maker."""

from __future__ import annotations

import os

from ._fetch import fetch_and_extract
from ._files import lines, need, parsed
from ._listed import Listed
from .folder import default_loader
from .vision import Change, Loader, Root, one_of

__all__ = ["FGVCAircraft"]

_NAMES = {"variant": "variants.txt", "family": "families.txt", "manufacturer": "manufacturers.txt"}


class FGVCAircraft(Listed):
    """10,000 photographs of aeroplanes of 100 variants, in "train", "val", "trainval" and "test".

    A sample is ``(image, label)``: what ``loader`` makes of the file (an "RGB" PIL image) and an int, the number of the "variant",
    "family" or "manufacturer", as ``annotation_level`` says. Files lie in ``root/fgvc-aircraft-2013b/data``.

    Source: S. Maji et al., Fine-Grained Visual Classification of Aircraft, 2013, https://arxiv.org/abs/1306.5151.

    >>> from dovetail_vision.datasets import tiny
    >>> with tiny.made(tiny.fgvc_aircraft) as root:
    ...     FGVCAircraft(root, annotation_level="manufacturer").classes
    ['Airbus', 'Boeing']
    """

    _URL = "https://www.robots.ox.ac.uk/~vgg/data/fgvc-aircraft/archives/fgvc-aircraft-2013b.tar.gz"

    def __init__(
        self,
        root: Root,
        split: str = "trainval",
        annotation_level: str = "variant",
        transform: Change = None,
        target_transform: Change = None,
        download: bool = False,
        loader: Loader = default_loader,
    ) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self._split = one_of(self, "split", split, ("train", "val", "trainval", "test"))
        self._annotation_level = one_of(self, "annotation_level", annotation_level, _NAMES)
        self._data_path = os.path.join(self.root, "fgvc-aircraft-2013b")
        self.loader = loader
        if download and not os.path.isdir(self._data_path):
            fetch_and_extract([self._URL], self.root)
        data = need(self._data_path) / "data"
        self.classes = [line.strip() for line in lines(data / _NAMES[annotation_level])]
        self.class_to_idx = {name: number for number, name in enumerate(self.classes)}
        path = data / f"images_{annotation_level}_{split}.txt"
        with parsed(path, f"lines of a number and a {annotation_level}, `1025794 707-320`"):
            found = [line.strip().split(" ", 1) for line in lines(path)]
            self._image_files = [str(data / "images" / f"{name}.jpg") for name, _ in found]
            self._labels = [self.class_to_idx[label] for _, label in found]
