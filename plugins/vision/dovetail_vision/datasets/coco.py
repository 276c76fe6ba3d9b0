"""Images and annotations in the format of MS COCO: one JSON file, with objects or with captions."""

from __future__ import annotations

import contextlib
import operator
import os
from collections import defaultdict
from collections.abc import Iterable
from types import MethodType
from typing import Any

from dovetail.errors import UnknownAttribute, ValueRangeError

from ._files import beside, parsed, read_json
from ._image import open_image
from .vision import Change, Joint, Root, VisionDataset

__all__ = ["COCO", "CocoCaptions", "CocoDetection"]

_HOW = "The annotations of COCO come from https://cocodataset.org/#download"


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, Iterable) and not isinstance(value, str) else [value]


class COCO:
    """The index of an annotation file, by the names of pycocotools: ``imgs``, ``anns`` and ``cats`` by their ids, and what searches them.

    ``dataset`` is the file's contents; ``imgToAnns`` and ``catToImgs`` list annotations by image and images by category. What else
    pycocotools has (``annToMask``, ``loadRes`` …) is its own, where it is installed, so that its COCOeval takes this index; but not its
    ``download``, which writes to the paths that the file names. Raises MissingFiles, and FormatError for a file that is no JSON or lacks
    what COCO's have.

    Source: T.-Y. Lin et al., Microsoft COCO: Common Objects in Context, 2014, https://arxiv.org/abs/1405.0312.

    >>> from dovetail_vision.datasets import tiny
    >>> with tiny.made(tiny.coco) as root:
    ...     index = COCO(os.path.join(root, "instances.json"))
    >>> index.getCatIds(catNms="dog"), index.getAnnIds(imgIds=9), index.loadImgs(9)[0]["file_name"]
    ([18], [4, 2], '9.jpg')
    """

    def __init__(self, annotation_file: Root) -> None:
        found = read_json(annotation_file, _HOW)
        with parsed(annotation_file, "an annotation file of COCO"):
            self.dataset: dict[str, Any] = found
            self.imgs = {image["id"]: image for image in found.get("images", ())}
            self.cats = {category["id"]: category for category in found.get("categories", ())}
            self.anns = {annotation["id"]: annotation for annotation in found.get("annotations", ())}
            self.imgToAnns: dict[Any, list[Any]] = defaultdict(list)
            self.catToImgs: dict[Any, list[Any]] = defaultdict(list)
            for annotation in found.get("annotations", ()):
                self.imgToAnns[annotation["image_id"]].append(annotation)
                if "categories" in found:
                    self.catToImgs[annotation["category_id"]].append(annotation["image_id"])
            for image in self.imgs.values():
                os.fspath(image["file_name"])

    def getAnnIds(self, imgIds: Any = (), catIds: Any = (), areaRng: Any = (), iscrowd: bool | None = None) -> list[Any]:
        """The ids of annotations of these images and categories, of an area between two bounds, crowds or not."""
        images, categories, bounds = _listed(imgIds), _listed(catIds), _listed(areaRng)
        found = [a for i in images for a in self.imgToAnns.get(i, ())] if images else self.dataset.get("annotations", [])
        return [
            a["id"]
            for a in found
            if (not categories or a["category_id"] in categories)
            and (not bounds or bounds[0] < a["area"] < bounds[1])
            and (iscrowd is None or a["iscrowd"] == iscrowd)
        ]

    def getCatIds(self, catNms: Any = (), supNms: Any = (), catIds: Any = ()) -> list[Any]:
        """The ids of categories with these names, super-categories and ids; all, where nothing is given."""
        wanted = {"name": _listed(catNms), "supercategory": _listed(supNms), "id": _listed(catIds)}
        fits = [c for c in self.dataset.get("categories", []) if all(c[key] in values for key, values in wanted.items() if values)]
        return [category["id"] for category in fits]

    def getImgIds(self, imgIds: Any = (), catIds: Any = ()) -> list[Any]:
        """The ids of images, among these and with every one of these categories; all, where nothing is given."""
        images, categories = _listed(imgIds), _listed(catIds)
        if not images and not categories:
            return list(self.imgs)
        sets = [set(self.catToImgs.get(c, ())) for c in categories]
        return list(set.intersection(*([set(images)] if images else []), *sets))

    def loadAnns(self, ids: Any = ()) -> list[Any]:
        """The annotations with these ids."""
        return [self.anns[i] for i in _listed(ids)]

    def loadCats(self, ids: Any = ()) -> list[Any]:
        """The categories with these ids."""
        return [self.cats[i] for i in _listed(ids)]

    def loadImgs(self, ids: Any = ()) -> list[Any]:
        """What is said of the images with these ids."""
        return [self.imgs[i] for i in _listed(ids)]

    def __getattr__(self, name: str) -> Any:
        """A method of pycocotools on this index."""
        if name == "download":  # pycocotools' writes to the paths that the annotation file names, be they outside the folder
            raise UnknownAttribute("COCO", "there is no download, which writes to any path", "expected images in a folder")
        known = None
        if not name.startswith("_"):
            with contextlib.suppress(ImportError):
                from pycocotools.coco import COCO as known
        if not callable(getattr(known, name, None)):
            raise UnknownAttribute(
                "COCO", f"there is no {name}", "expected an attribute or a method of pycocotools' COCO", "pip install pycocotools"
            )
        return MethodType(getattr(known, name), self)


class CocoDetection(VisionDataset):
    """Images below ``root`` with the annotations of ``annFile``, a path or one below ``root``; pycocotools is not needed.

    Samples are in the order of the images' ids.
    A sample is ``(image, target)``: an "RGB" PIL image and the list of its annotations, dicts as in the file, with "bbox" as
    ``[x, y, width, height]`` in pixels. ``coco`` is the index of the file, a :class:`COCO`; ``ids`` are those of the images.

    >>> from dovetail_vision.datasets import tiny
    >>> with tiny.made(tiny.coco) as root:
    ...     image, target = CocoDetection(root, os.path.join(root, "instances.json"))[1]
    >>> image.size, [thing["bbox"] for thing in target]
    ((8, 6), [[0, 1, 4, 4], [2, 2, 3, 3]])
    """

    def __init__(
        self, root: Root, annFile: Root, transform: Change = None, target_transform: Change = None, transforms: Joint = None
    ) -> None:
        super().__init__(root, transforms, transform, target_transform)
        self.coco = COCO(beside(self.root, annFile))
        with parsed(annFile, "an annotation file of COCO"):
            self.ids = sorted(self.coco.imgs)

    def _load_image(self, id: int) -> Any:
        return open_image(os.path.join(self.root, self.coco.imgs[id]["file_name"]), "RGB")

    def _load_target(self, id: int) -> list[Any]:
        return self.coco.loadAnns(self.coco.getAnnIds(id))

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        if not hasattr(index, "__index__"):
            raise ValueRangeError(type(self).__name__, f"Index must be of type integer, got {type(index)} instead")
        id = self.ids[operator.index(index)]
        return self._both(self._load_image(id), self._load_target(id))

    def __len__(self) -> int:
        return len(self.ids)


class CocoCaptions(CocoDetection):
    """Images with several captions each; a target is a list of texts. Otherwise as :class:`CocoDetection`.

    >>> from dovetail_vision.datasets import tiny
    >>> with tiny.made(tiny.coco) as root:
    ...     CocoCaptions(root, os.path.join(root, "captions.json"))[0][1]
    ['a cat', 'a cat sits']
    """

    def _load_target(self, id: int) -> list[Any]:
        return [annotation["caption"] for annotation in super()._load_target(id)]
