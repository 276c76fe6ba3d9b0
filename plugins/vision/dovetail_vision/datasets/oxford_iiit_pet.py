"""The Oxford-IIIT Pets: breeds of cats and dogs, with a trimap of each picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ._fetch import fetch_and_extract
from ._files import lines, need, parsed
from ._image import open_image
from .vision import Change, Joint, Root, VisionDataset, bundled, one_of, several

__all__ = ["OxfordIIITPet"]


class OxfordIIITPet(VisionDataset):
    """Photographs of 37 breeds of cats and dogs: 3,680 to train on, 3,669 to test on.

    A sample is ``(image, target)``: an "RGB" PIL image and what ``target_types`` names, one or several of "category" (an int),
    "binary-category" (0 cat, 1 dog) and "segmentation" (a PIL image: 1 pet, 2 background, 3 border); None for none of them. Files lie
    in ``root/oxford-iiit-pet/images`` and ``annotations``. Raises MissingFiles, FormatError, Unreadable.

    Source: O. Parkhi et al., Cats and Dogs, 2012, https://www.robots.ox.ac.uk/~vgg/data/pets/.

    >>> from dovetail_vision.datasets import tiny
    >>> with tiny.made(tiny.oxford_iiit_pet) as root:
    ...     pets = OxfordIIITPet(root, target_types=["category", "binary-category"])
    ...     pets.classes, pets[1][1]
    (['Abyssinian', 'American Bulldog'], (1, 1))
    """

    _RESOURCES = (
        ("https://www.robots.ox.ac.uk/~vgg/data/pets/data/images.tar.gz", "5c4f3ee8e5d25df40f4fd59a7f44e54c"),
        ("https://www.robots.ox.ac.uk/~vgg/data/pets/data/annotations.tar.gz", "95a8c909bbe2e81eed6a22bccdf3f68f"),
    )
    _VALID_TARGET_TYPES = ("category", "binary-category", "segmentation")

    def __init__(
        self,
        root: Root,
        split: str = "trainval",
        target_types: Sequence[str] | str = "category",
        transforms: Joint = None,
        transform: Change = None,
        target_transform: Change = None,
        download: bool = False,
    ) -> None:
        super().__init__(root, transforms, transform, target_transform)
        self._split = one_of(self, "split", split, ("trainval", "test"))
        self._target_types = [one_of(self, "target_types", kind, self._VALID_TARGET_TYPES) for kind in several(target_types)]
        self._base_folder = Path(self.root) / "oxford-iiit-pet"
        self._images_folder, self._anns_folder = self._base_folder / "images", self._base_folder / "annotations"
        if download and not (self._images_folder.is_dir() and self._anns_folder.is_dir()):
            for url, md5 in self._RESOURCES:
                fetch_and_extract([url], self._base_folder, md5)
        need(self._images_folder)
        path = self._anns_folder / f"{split}.txt"
        with parsed(path, "lines of a name and three numbers, `Abyssinian_1 1 1 1`"):
            rows = [line.split() for line in lines(path)]
            names = [name for name, _, _, _ in rows]
            self._labels, self._bin_labels = [int(row[1]) - 1 for row in rows], [int(row[2]) - 1 for row in rows]
        breeds = sorted({(label, name.rpartition("_")[0]) for name, label in zip(names, self._labels, strict=True)})
        self.bin_classes = ["Cat", "Dog"]
        self.classes = [" ".join(part.title() for part in breed.split("_")) for _, breed in breeds]
        self.bin_class_to_idx = {name: number for number, name in enumerate(self.bin_classes)}
        self.class_to_idx = {name: number for number, name in enumerate(self.classes)}
        self._images = [self._images_folder / f"{name}.jpg" for name in names]
        self._segs = [self._anns_folder / "trimaps" / f"{name}.png" for name in names]

    def __getitem__(self, idx: int) -> tuple[Any, Any]:
        image = open_image(self._images[idx], "RGB")
        found = {
            "category": lambda: self._labels[idx],
            "binary-category": lambda: self._bin_labels[idx],
            "segmentation": lambda: open_image(self._segs[idx]),
        }
        return self._both(image, bundled([found[kind]() for kind in self._target_types]))

    def __len__(self) -> int:
        return len(self._images)
