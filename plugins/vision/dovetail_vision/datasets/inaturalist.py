"""iNaturalist: species, with the ranks above them."""

from __future__ import annotations

import os
from typing import Any

from dovetail.errors import ValueRangeError

from ._errors import DamagedFile
from ._fetch import fetch_and_extract
from ._files import need, sorted_names
from ._image import open_image
from .vision import Change, Loader, Root, VisionDataset, bundled, one_of, several

__all__ = ["CATEGORIES_2021", "DATASET_MD5", "DATASET_URLS", "INaturalist"]

CATEGORIES_2021 = ["kingdom", "phylum", "class", "order", "family", "genus"]
_PUBLISHER = "https://ml-inat-competition-datasets.s3.amazonaws.com/"
DATASET_URLS = {
    "2017": f"{_PUBLISHER}2017/train_val_images.tar.gz",
    "2018": f"{_PUBLISHER}2018/train_val2018.tar.gz",
    "2019": f"{_PUBLISHER}2019/train_val2019.tar.gz",
    "2021_train": f"{_PUBLISHER}2021/train.tar.gz",
    "2021_train_mini": f"{_PUBLISHER}2021/train_mini.tar.gz",
    "2021_valid": f"{_PUBLISHER}2021/val.tar.gz",
}
DATASET_MD5 = {
    "2017": "7c784ea5e424efaec655bd392f87301f",
    "2018": "b1c6952ce38f31868cc50ea72d066cc3",
    "2019": "c60a6e2962c9b8ccbd458d12c8582644",
    "2021_train": "e0526d53c7f7b2e3167b2b43bb2690ed",
    "2021_train_mini": "db6ed8330e634445efc8fec83ae81442",
    "2021_valid": "f6f6e0e242e3d4c9569ba56400938afc",
}


def _folders(path: str) -> list[str]:
    return sorted_names(path, lambda entry: entry.is_dir())


class INaturalist(VisionDataset):
    """Photographs of animals, plants and fungi: 2,686,843 of 10,000 species in version "2021_train", fewer in the others.

    A sample is ``(image, target)``: a PIL image (or what ``loader`` makes of the file) and what ``target_type`` names, one or several of
    "full" (the species) and, of 2021, "kingdom", "phylum", "class", "order", "family", "genus"; of older versions "super". All are ints,
    and ``category_name`` gives their names. Files lie in ``root/2021_train/00000_Animalia_…`` and so on, in sorted order.

    Source: G. Van Horn et al., The iNaturalist Species Classification and Detection Dataset, 2018, https://arxiv.org/abs/1707.06642.

    >>> from dovetail_vision.datasets import tiny
    >>> with tiny.made(tiny.inaturalist) as root:
    ...     species = INaturalist(root, target_type=["full", "kingdom"])
    ...     species[2][1], species.category_name("kingdom", 1)
    ((1, 1), 'Plantae')
    """

    def __init__(
        self,
        root: Root,
        version: str = "2021_train",
        target_type: list[str] | str = "full",
        transform: Change = None,
        target_transform: Change = None,
        download: bool = False,
        loader: Loader | None = None,
    ) -> None:
        self.version = one_of(self, "version", version, DATASET_URLS)
        ranks = ("full", *(CATEGORIES_2021 if version.startswith("2021") else ["super"]))
        self.target_type = [one_of(self, "target_type", kind, ranks) for kind in several(target_type)]
        super().__init__(os.path.join(root, version), transform=transform, target_transform=target_transform)
        if download:
            self.download()
        need(self.root)
        self.all_categories: list[str] = []
        self.categories_index: dict[str, dict[str, int]] = {}
        self.categories_map: list[dict[str, int]] = []
        (self._init_2021 if version.startswith("2021") else self._init_pre2021)()
        self.index = [(number, name) for number, inside in enumerate(self.all_categories) for name in self._names(inside)]
        self.loader = loader

    def _names(self, inside: str) -> list[str]:
        return sorted_names(os.path.join(self.root, inside), lambda entry: entry.is_file())

    def _init_2021(self) -> None:
        self.all_categories = _folders(self.root)
        self.categories_index = {rank: {} for rank in CATEGORIES_2021}
        for number, name in enumerate(self.all_categories):
            pieces = name.split("_")
            if len(pieces) != 8 or pieces[0] != f"{number:05d}":
                what = f"Unexpected category name {name}; expected {number:05d} and seven ranks, between underscores"
                raise DamagedFile(self.root, None, what)
            ranks = zip(CATEGORIES_2021, pieces[1:7], strict=True)
            self.categories_map.append({rank: self._number(self.categories_index[rank], piece) for rank, piece in ranks})

    @staticmethod
    def _number(known: dict[str, int], name: str) -> int:
        return known.setdefault(name, len(known))

    def _init_pre2021(self) -> None:
        found: dict[int, tuple[str, int]] = {}
        supers = _folders(self.root)
        self.categories_index = {"super": {name: number for number, name in enumerate(supers)}}
        for above, name in enumerate(supers):
            for inner in _folders(os.path.join(self.root, name)):
                number = len(found) if self.version == "2017" else int(inner) if inner.isdecimal() else -1
                if number < 0 or number in found:
                    what = "Duplicate category" if number in found else "Unexpected non-numeric dir name:"
                    raise DamagedFile(self.root, None, f"{what} {inner} in {name}")
                found[number] = os.path.join(name, inner), above
        if missing := [number for number in range(len(found)) if number not in found]:
            raise DamagedFile(self.root, None, f"Missing category {missing[0]}")
        self.all_categories = [found[number][0] for number in range(len(found))]
        self.categories_map = [{"super": found[number][1]} for number in range(len(found))]

    def category_name(self, category_type: str, category_id: int) -> str:
        """The name of a category: ``category_type`` is "full" or a rank, ``category_id`` its number."""
        names = list(self.all_categories) if category_type == "full" else list(self.categories_index.get(category_type, ()))
        if category_type != "full" and category_type not in self.categories_index:
            ranks = ", ".join(("full", *self.categories_index))
            raise ValueRangeError("category_name", f"Invalid category type {category_type!r}", f"expected one of {ranks}")
        if not 0 <= category_id < len(names):
            raise ValueRangeError(
                "category_name", f"Invalid category id {category_id} for {category_type}", f"expected 0 to {len(names) - 1}"
            )
        return names[category_id]

    def download(self) -> None:
        """Fetch the archive of the version and unpack it, unless its folder is there."""
        if os.path.isdir(self.root) and os.listdir(self.root):
            return
        above, url = os.path.dirname(self.root), DATASET_URLS[self.version]
        fetch_and_extract([url], above, DATASET_MD5[self.version], f"{self.version}.tgz")
        os.replace(need(os.path.join(above, url.rpartition("/")[2].removesuffix(".tar.gz"))), self.root)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        number, name = self.index[index]
        path = os.path.join(self.root, self.all_categories[number], name)
        image = open_image(path) if self.loader is None else self.loader(path)
        return self._each(image, bundled([number if kind == "full" else self.categories_map[number][kind] for kind in self.target_type]))

    def __len__(self) -> int:
        return len(self.index)
