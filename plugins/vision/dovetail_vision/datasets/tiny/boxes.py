"""Tiny sets of pictures with boxes, masks or captions."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from .make import photo, pixels, text

__all__ = ["coco", "sbd", "voc"]


def _voc_xml(name: str, things: tuple[tuple[str, tuple[int, ...]], ...]) -> str:
    def box(corners: tuple[int, ...]) -> str:
        return "".join(f"<{tag}>{value}</{tag}>" for tag, value in zip(("xmin", "ymin", "xmax", "ymax"), corners, strict=True))

    objects = "".join(
        f"<object>\n\t<name>{kind}</name><difficult>0</difficult><bndbox>{box(corners)}</bndbox><part><name>head</name></part></object>"
        for kind, corners in things
    )
    size = "<size><width>8</width><height>6</height><depth>3</depth></size>"
    return f"<annotation>\n<folder>VOC2012</folder><filename>{name}.jpg</filename>{size}<segmented/>{objects}</annotation>"


def voc(folder: Path) -> None:
    """Two photographs of 2012 and one of the test of 2007."""
    base = folder / "VOCdevkit" / "VOC2012"
    files = {"2007_000027": (("cat", (1, 1, 4, 5)), ("dog", (2, 2, 8, 6))), "2007_000032": (("person", (1, 2, 3, 4)),)}
    for number, (name, things) in enumerate(files.items()):
        photo(base / "JPEGImages" / f"{name}.jpg", number)
        photo(base / "SegmentationClass" / f"{name}.png", number, mode="P", most=21)
        text(base / "Annotations" / f"{name}.xml", _voc_xml(name, things))
    for task in ("Main", "Segmentation"):
        text(base / "ImageSets" / task / "train.txt", *files)
        text(base / "ImageSets" / task / "val.txt", "2007_000032")
    base = folder / "VOCdevkit" / "VOC2007"
    photo(base / "JPEGImages" / "000001.jpg", 5)
    text(base / "Annotations" / "000001.xml", _voc_xml("000001", (("dog", (1, 1, 2, 2)),)))
    text(base / "ImageSets" / "Main" / "test.txt", "000001")


def sbd(folder: Path) -> None:
    """Two photographs, the masks and borders in MATLAB files."""
    from scipy.io import savemat
    from scipy.sparse import csc_array

    for number, name in enumerate(("2008_000002", "2008_000003")):
        photo(folder / "img" / f"{name}.jpg", number)
        borders = np.empty((20, 1), object)
        for i in range(20):
            borders[i, 0] = csc_array(pixels(i + 20 * number, 6, 8, most=2))
        found = np.empty((1, 1), [("Boundaries", object), ("Segmentation", object), ("CategoriesPresent", object)])
        found[0, 0] = (borders, pixels(number, 6, 8, most=21), np.array([[3]]))
        (folder / "cls").mkdir(exist_ok=True)
        savemat(folder / "cls" / f"{name}.mat", {"GTcls": found}, do_compression=True)
    text(folder / "train.txt", "2008_000002", "2008_000003")
    text(folder / "val.txt", "2008_000003")
    text(folder / "train_noval.txt", "2008_000002")


def coco(folder: Path) -> None:
    """Three images: one with two objects, one with a crowd, one with none; and their captions."""
    for number in (9, 25, 30):
        photo(folder / f"{number}.jpg", number)
    images = [{"id": i, "file_name": f"{i}.jpg", "width": 8, "height": 6} for i in (25, 9, 30)]
    kinds = [{"id": 17, "name": "cat", "supercategory": "animal"}, {"id": 18, "name": "dog", "supercategory": "animal"}]
    crowd = {"counts": [4, 8, 36], "size": [6, 8]}
    objects = [
        {"id": 4, "image_id": 9, "category_id": 17, "bbox": [1, 1, 3, 3], "area": 9, "iscrowd": 0, "segmentation": [[1, 1, 4, 1, 4, 4]]},
        {"id": 1, "image_id": 25, "category_id": 18, "bbox": [0, 1, 4, 4], "area": 16, "iscrowd": 1, "segmentation": crowd},
        {"id": 3, "image_id": 25, "category_id": 17, "bbox": [2, 2, 3, 3], "area": 4.5, "iscrowd": 0, "segmentation": [[2, 2, 5, 2, 5, 5]]},
        {"id": 2, "image_id": 9, "category_id": 18, "bbox": [2.5, 1, 3, 2], "area": 6, "iscrowd": 0, "segmentation": [[2, 1, 5, 1, 5, 3]]},
    ]
    text(folder / "instances.json", json.dumps({"info": {}, "images": images, "annotations": objects, "categories": kinds}))
    captions = ((9, "a cat"), (25, "a dog in a wood, été"), (9, "a cat sits"))
    notes = [{"id": i, "image_id": image, "caption": caption} for i, (image, caption) in enumerate(captions)]
    text(folder / "captions.json", json.dumps({"images": images, "annotations": notes}, ensure_ascii=False))
