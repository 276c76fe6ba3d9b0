"""Cityscapes: streets with the class and the instance of each pixel."""

from __future__ import annotations

import os
from collections import namedtuple
from typing import Any

from dovetail.errors import ValueRangeError

from ._errors import MissingFiles
from ._fetch import extract
from ._files import read_json, sorted_names
from ._image import open_image
from .vision import Change, Joint, Root, VisionDataset, bundled, one_of, several

__all__ = ["Cityscapes"]

_SUFFIXES = {"instance": "instanceIds.png", "semantic": "labelIds.png", "color": "color.png", "polygon": "polygons.json"}
_HOW = "download the archives from https://www.cityscapes-dataset.com, which asks for an account, into root"
CityscapesClass = namedtuple(
    "CityscapesClass", ["name", "id", "train_id", "category", "category_id", "has_instances", "ignore_in_eval", "color"]
)
_CATEGORIES = ["void", "flat", "construction", "object", "nature", "sky", "human", "vehicle"]
# Name, id, id in training, category, whether it has instances, whether evaluation ignores it, colour.
_TABLE = """
unlabeled,0,255,0,0,1,000000; ego vehicle,1,255,0,0,1,000000; rectification border,2,255,0,0,1,000000; out of roi,3,255,0,0,1,000000
static,4,255,0,0,1,000000; dynamic,5,255,0,0,1,6f4a00; ground,6,255,0,0,1,510051; road,7,0,1,0,0,804080; sidewalk,8,1,1,0,0,f423e8
parking,9,255,1,0,1,faaaa0; rail track,10,255,1,0,1,e6968c; building,11,2,2,0,0,464646; wall,12,3,2,0,0,66669c; fence,13,4,2,0,0,be9999
guard rail,14,255,2,0,1,b4a5b4; bridge,15,255,2,0,1,966464; tunnel,16,255,2,0,1,96785a; pole,17,5,3,0,0,999999
polegroup,18,255,3,0,1,999999; traffic light,19,6,3,0,0,faaa1e; traffic sign,20,7,3,0,0,dcdc00; vegetation,21,8,4,0,0,6b8e23
terrain,22,9,4,0,0,98fb98; sky,23,10,5,0,0,4682b4; person,24,11,6,1,0,dc143c; rider,25,12,6,1,0,ff0000; car,26,13,7,1,0,00008e
truck,27,14,7,1,0,000046; bus,28,15,7,1,0,003c64; caravan,29,255,7,1,1,00005a; trailer,30,255,7,1,1,00006e; train,31,16,7,1,0,005064
motorcycle,32,17,7,1,0,0000e6; bicycle,33,18,7,1,0,770b20; license plate,-1,-1,7,0,1,00008e
"""


def _class(row: str) -> CityscapesClass:
    name, number, train, category, instances, ignored, colour = row.strip().split(",")
    group = int(category)
    rgb = tuple(bytes.fromhex(colour))
    return CityscapesClass(name, int(number), int(train), _CATEGORIES[group], group, instances == "1", ignored == "1", rgb)


class Cityscapes(VisionDataset):
    """Streets of 50 cities, 2048 × 1024: 2,975 in "train", 500 in "val", 1,525 in "test"; 19,998 in "train_extra".

    ``mode`` is "fine" or "coarse"; "test" is fine alone, "train_extra" coarse alone.
    A sample is ``(image, target)``: an "RGB" PIL image and what ``target_type`` names, one or several of "instance" and "semantic" (PIL
    images of numbers), "color" (a PIL image) and "polygon" (the contents of a JSON file). Files lie in ``root/leftImg8bit`` and
    ``root/gtFine`` or ``gtCoarse``; the published ``.zip`` archives in ``root`` are unpacked. Samples come in sorted order.

    Source: M. Cordts et al., The Cityscapes Dataset for Semantic Urban Scene Understanding, 2016, https://arxiv.org/abs/1604.01685.

    >>> from dovetail_vision.datasets import tiny
    >>> with tiny.made(tiny.cityscapes) as root:
    ...     image, (mask, polygons) = Cityscapes(root, target_type=["semantic", "polygon"])[0]
    >>> mask.mode, polygons["objects"][0]["label"], Cityscapes.classes[7].name
    ('L', 'road', 'road')
    """

    CityscapesClass = CityscapesClass
    classes: list[CityscapesClass] = [_class(row) for row in _TABLE.strip().replace("\n", ";").split(";")]

    def __init__(
        self,
        root: Root,
        split: str = "train",
        mode: str = "fine",
        target_type: list[str] | str = "instance",
        transform: Change = None,
        target_transform: Change = None,
        transforms: Joint = None,
    ) -> None:
        super().__init__(root, transforms, transform, target_transform)
        one_of(self, "mode", mode, ("fine", "coarse"))
        allowed = ("train", "test", "val") if mode == "fine" else ("train", "train_extra", "val")
        if split not in allowed:
            raise ValueRangeError("Cityscapes", f"split is {split!r}", f"expected one of {', '.join(allowed)}, as mode is {mode!r}")
        self.mode, self.split = "gtFine" if mode == "fine" else "gtCoarse", split
        self.images_dir = os.path.join(self.root, "leftImg8bit", split)
        self.targets_dir = os.path.join(self.root, self.mode, split)
        self.target_type = [one_of(self, "target_type", kind, _SUFFIXES) for kind in several(target_type)]
        if not (os.path.isdir(self.images_dir) and os.path.isdir(self.targets_dir)):
            self._unpack()
        self.images, self.targets = [], []
        for city in sorted_names(self.images_dir, lambda entry: entry.is_dir()):
            for name in sorted_names(os.path.join(self.images_dir, city)):
                stem = name.split("_leftImg8bit")[0]
                self.images.append(os.path.join(self.images_dir, city, name))
                self.targets.append(
                    [os.path.join(self.targets_dir, city, f"{stem}_{self.mode}_{_SUFFIXES[kind]}") for kind in self.target_type]
                )

    def _unpack(self) -> None:
        images = f"leftImg8bit_{'trainextra' if self.split == 'train_extra' else 'trainvaltest'}.zip"
        targets = "gtFine_trainvaltest.zip" if self.mode == "gtFine" else "gtCoarse.zip"
        archives = [os.path.join(self.root, name) for name in (images, targets)]
        for archive, folder in zip(archives, (self.images_dir, self.targets_dir), strict=True):
            if not os.path.isfile(archive):
                missing = next(path for path in (folder, archive) if not os.path.exists(path))
                raise MissingFiles(missing, None, f"Dataset not found or incomplete: neither {folder} nor {archive} is there; {_HOW}")
        for archive in archives:
            extract(archive, self.root)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        image = open_image(self.images[index], "RGB")
        kinds = zip(self.target_type, self.targets[index], strict=True)
        return self._both(image, bundled([read_json(path, _HOW) if kind == "polygon" else open_image(path) for kind, path in kinds]))

    def __len__(self) -> int:
        return len(self.images)

    def extra_repr(self) -> str:
        """The lines that name split, mode and kinds of target."""
        return f"Split: {self.split}\nMode: {self.mode}\nType: {self.target_type}"
