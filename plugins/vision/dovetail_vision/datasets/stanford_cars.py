"""Stanford Cars: photographs with labels from MATLAB files."""

from __future__ import annotations

from pathlib import Path

from dovetail.errors import ValueRangeError

from ._files import need, parsed
from ._listed import Listed
from ._mat import read_mat
from .folder import default_loader
from .vision import Change, Loader, Root, one_of

__all__ = ["StanfordCars"]

_HOW = "Its address is gone: get a copy elsewhere"


class StanfordCars(Listed):
    """Photographs of 196 models of cars: 8,144 to train on, 8,041 to test on.

    A sample is ``(image, label)``: what ``loader`` makes of the file (an "RGB" PIL image) and an int. Files lie in
    ``root/stanford_cars``: ``cars_train``, ``cars_test``, ``devkit`` and ``cars_test_annos_withlabels.mat``. They can be fetched no
    more: ``download=True`` raises a ValueError.

    Source: J. Krause et al., 3D Object Representations for Fine-Grained Categorization, 2013.

    >>> from dovetail_vision.datasets import tiny
    >>> with tiny.made(tiny.stanford_cars) as root:
    ...     cars = StanfordCars(root)
    ...     cars.classes[cars[0][1]]
    'Acura TL Sedan 2012'
    """

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
        self.loader = loader
        if download:
            self.download()
        base = Path(self.root) / "stanford_cars"
        images = need(base / f"cars_{split}", _HOW)
        path = base / ("devkit/cars_train_annos.mat" if split == "train" else "cars_test_annos_withlabels.mat")
        found = read_mat(path, _HOW)
        with parsed(path, "a list of annotations with class and fname"):
            rows = found["annotations"].reshape(-1)
            self._image_files = [str(images / str(row["fname"].reshape(-1)[0])) for row in rows]
            self._labels = [int(row["class"].reshape(-1)[0]) - 1 for row in rows]
        meta = read_mat(base / "devkit" / "cars_meta.mat", _HOW)
        with parsed(base / "devkit" / "cars_meta.mat", "a list of class_names"):
            self.classes = [str(name.reshape(-1)[0]) for name in meta["class_names"].reshape(-1)]
        self.class_to_idx = {name: number for number, name in enumerate(self.classes)}

    def download(self) -> None:
        """Raise a ValueError: the publisher's address is gone."""
        raise ValueRangeError(
            "StanfordCars", "download is True, but the original URL is broken", "", "get a copy elsewhere, download=False"
        )
