"""Pascal VOC: boxes from XML annotations, masks from indexed PNG files."""

from __future__ import annotations

import os
from collections import defaultdict
from typing import Any, ClassVar
from xml.etree.ElementTree import Element

from ._fetch import fetch_and_extract
from ._files import lines, need, parsed, read_xml
from ._image import open_image
from .vision import Change, Joint, Root, VisionDataset, one_of

__all__ = ["DATASET_YEAR_DICT", "VOCDetection", "VOCSegmentation"]

_PUBLISHER = "https://thor.robots.ox.ac.uk/pascal/VOC/"
#: Year → archive, its MD5, the folder in it.
_ARCHIVES = {
    "2012": ("VOCtrainval_11-May-2012.tar", "6cd6e144f989b92b3379bac3b3de84fd", ("VOCdevkit", "VOC2012")),
    "2011": ("VOCtrainval_25-May-2011.tar", "6c3384ef61512963050cb5d687e5bf1e", ("TrainVal", "VOCdevkit", "VOC2011")),
    "2010": ("VOCtrainval_03-May-2010.tar", "da459979d0c395079b5c75ee67908abb", ("VOCdevkit", "VOC2010")),
    "2009": ("VOCtrainval_11-May-2009.tar", "a3e00b113cfcfebf17e343f59da3caa1", ("VOCdevkit", "VOC2009")),
    "2008": ("VOCtrainval_14-Jul-2008.tar", "2629fa636546599198acfcfbfcf1904a", ("VOCdevkit", "VOC2008")),
    "2007": ("VOCtrainval_06-Nov-2007.tar", "c52e279531787c972589f7e41ab4ae64", ("VOCdevkit", "VOC2007")),
    "2007-test": ("VOCtest_06-Nov-2007.tar", "b6e924de25625d8de591ea690078ad9f", ("VOCdevkit", "VOC2007")),
}
DATASET_YEAR_DICT = {
    year: {"url": f"{_PUBLISHER}voc{year[:4]}/{name}", "filename": name, "md5": md5, "base_dir": os.path.join(*folder)}
    for year, (name, md5, folder) in _ARCHIVES.items()
}


class _VOCBase(VisionDataset):
    """What both tasks share: the year, the list of images, where the targets lie."""

    _SPLITS_DIR: ClassVar[str]
    _TARGET_DIR: ClassVar[str]
    _TARGET_FILE_EXT: ClassVar[str]

    def __init__(
        self,
        root: Root,
        year: str = "2012",
        image_set: str = "train",
        download: bool = False,
        transform: Change = None,
        target_transform: Change = None,
        transforms: Joint = None,
        *,
        split: str | None = None,
    ) -> None:
        super().__init__(root, transforms, transform, target_transform)
        self.year = one_of(self, "year", year, [str(number) for number in range(2007, 2013)])
        sets = ["train", "trainval", "val", *(["test"] if year == "2007" else [])]
        self.image_set = one_of(self, "image_set", split or image_set, sets)
        about = DATASET_YEAR_DICT["2007-test" if self.image_set == "test" else year]
        self.url, self.filename, self.md5 = about["url"], about["filename"], about["md5"]
        if download:
            fetch_and_extract([self.url], self.root, self.md5, self.filename)
        base = need(os.path.join(self.root, about["base_dir"]))
        names = [line.strip() for line in lines(base / "ImageSets" / self._SPLITS_DIR / f"{self.image_set}.txt")]
        self.images = [os.path.join(base, "JPEGImages", f"{name}.jpg") for name in names]
        self.targets = [os.path.join(base, self._TARGET_DIR, name + self._TARGET_FILE_EXT) for name in names]

    def __len__(self) -> int:
        return len(self.images)


class VOCSegmentation(_VOCBase):
    """Photographs with the class of each pixel, from Pascal VOC 2007 to 2012.

    A sample is ``(image, mask)``: an "RGB" and a "P" PIL image, 0 for background, 1 to 20 for classes, 255 for borders. ``image_set``
    (or ``split``) is "train", "val" or "trainval", for 2007 also "test". Files lie in ``root/VOCdevkit/VOC2012`` and so on.
    Raises MissingFiles, FormatError, Unreadable.

    Source: M. Everingham et al., The Pascal Visual Object Classes Challenge, 2010, http://host.robots.ox.ac.uk/pascal/VOC/.

    >>> from dovetail_vision.datasets import tiny
    >>> with tiny.made(tiny.voc) as root:
    ...     image, mask = VOCSegmentation(root)[0]
    >>> image.mode, mask.mode, mask.size == image.size
    ('RGB', 'P', True)
    """

    _SPLITS_DIR, _TARGET_DIR, _TARGET_FILE_EXT = "Segmentation", "SegmentationClass", ".png"

    @property
    def masks(self) -> list[str]:
        """The paths of the masks."""
        return self.targets

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        return self._both(open_image(self.images[index], "RGB"), open_image(self.masks[index]))


class VOCDetection(_VOCBase):
    """Photographs with the boxes of 20 kinds of things, from Pascal VOC 2007 to 2012.

    A sample is ``(image, target)``: an "RGB" PIL image and the annotation as dicts, ``target["annotation"]["object"]`` being a list;
    all values are texts, as in the XML file. Otherwise as :class:`VOCSegmentation`. An XML file with a document type is refused.

    >>> from dovetail_vision.datasets import tiny
    >>> with tiny.made(tiny.voc) as root:
    ...     [thing["name"] for thing in VOCDetection(root)[0][1]["annotation"]["object"]]
    ['cat', 'dog']
    """

    _SPLITS_DIR, _TARGET_DIR, _TARGET_FILE_EXT = "Main", "Annotations", ".xml"

    @property
    def annotations(self) -> list[str]:
        """The paths of the annotations."""
        return self.targets

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        path = self.annotations[index]
        with parsed(path, "an annotation of Pascal VOC"):
            target = self.parse_voc_xml(read_xml(path))
        return self._both(open_image(self.images[index], "RGB"), target)

    @staticmethod
    def parse_voc_xml(node: Element) -> dict[str, Any]:
        """An element as a dict: a tag that occurs several times gives a list, and objects always are one."""
        children = list(node)
        if not children:
            return {node.tag: node.text.strip()} if node.text else {}
        found = defaultdict(list)
        for child in children:
            for tag, value in VOCDetection.parse_voc_xml(child).items():
                found[tag].append(value)
        if node.tag == "annotation":
            found["object"] = [found["object"]]
        return {node.tag: {tag: values[0] if len(values) == 1 else values for tag, values in found.items()}}
