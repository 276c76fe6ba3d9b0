"""Tiny sets of pictures with boxes, masks or captions."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from .make import photo, pixels, text

__all__ = ["celeba", "cityscapes", "coco", "kitti", "sbd", "voc", "widerface"]


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


def celeba(folder: Path) -> None:
    """Six faces with three attributes, two of them in each part."""
    base, names = folder / "celeba", [f"00000{i}.jpg" for i in range(1, 7)]
    for number, name in enumerate(names):
        photo(base / "img_align_celeba" / name, number)
    text(base / "list_eval_partition.txt", *(f"{name} {part}" for name, part in zip(names, (0, 1, 0, 2, 1, 2), strict=True)))
    text(base / "identity_CelebA.txt", *(f"{name} {who}" for name, who in zip(names, (2880, 2937, 8692, 5805, 2880, 7), strict=True)))
    boxes = (
        "    95  71 226 313",
        "    72  94 221 306",
        "   216  59  91 126",
        "   622 257 564 781",
        "    10  20  30  40",
        "     0   0   8   6",
    )
    text(base / "list_bbox_celeba.txt", "6", "image_id x_1 y_1 width height", *map("".join, zip(names, boxes, strict=True)))
    eyes = " ".join(f"{eye}_{axis}" for eye in ("lefteye", "righteye", "nose", "leftmouth", "rightmouth") for axis in "xy")
    points = (" ".join(f"{v:4}" for v in pixels(i, 10)) for i in range(6))
    text(base / "list_landmarks_align_celeba.txt", "6", f"{eyes} ", *map(" ".join, zip(names, points, strict=True)))
    signs = ("-1  1  1", " 1 -1 -1", "-1 -1  1", " 1  1 -1", "-1 -1 -1", " 1  1  1")
    text(base / "list_attr_celeba.txt", "6", "Bald Smiling Young ", *map(" ".join, zip(names, signs, strict=True)))


def cityscapes(folder: Path) -> None:
    """Three streets of two cities to train on, one in the coarse set to validate."""
    for number, (kind, split, city) in enumerate(
        (("gtFine", "train", "bochum"), ("gtFine", "train", "aachen"), ("gtCoarse", "val", "ulm"))
    ):
        for i in range(2 if city == "aachen" else 1):
            name = f"{city}_00000{i}_000019"
            photo(folder / "leftImg8bit" / split / city / f"{name}_leftImg8bit.png", 10 * number + i)
            for suffix, mode in (("instanceIds", "L"), ("labelIds", "L"), ("color", "RGB")):
                photo(folder / kind / split / city / f"{name}_{kind}_{suffix}.png", number + i, mode=mode, most=34)
            polygons = {"imgHeight": 6, "imgWidth": 8, "objects": [{"label": "road", "polygon": [[0, 0], [7, 0], [7, 5]]}]}
            text(folder / kind / split / city / f"{name}_{kind}_polygons.json", json.dumps(polygons))


def kitti(folder: Path) -> None:
    """Two streets to train on, one to test on."""
    base, car = folder / "Kitti" / "raw", "Car 0.00 0 1.85 1.50 1.25 6.75 5.00 1.67 1.87 3.69 -16.53 2.39 58.49 1.57"
    for number, place in enumerate(("training/image_2/000000.png", "training/image_2/000001.png", "testing/image_2/000000.png")):
        photo(base / place, number)
    nothing = "DontCare -1 -1 -10 3.4 2.5 4.5 5.5 -1 -1 -1 -1000 -1000 -1000 -10"
    text(base / "training" / "label_2" / "000000.txt", car, nothing)
    text(base / "training" / "label_2" / "000001.txt", car)


def widerface(folder: Path) -> None:
    """An image with two faces and one with none to train on; one to validate, one to test on."""
    base, marks = folder / "widerface", "0 0 1 0 0 0"
    for number, name in enumerate(("train/images/0--Parade/a.jpg", "train/images/1--Handshaking/b.jpg", "val/images/0--Parade/c.jpg")):
        photo(base / f"WIDER_{name}", number)
    photo(base / "WIDER_test" / "images" / "0--Parade" / "d.jpg", 4)
    lists = base / "wider_face_split"
    faces = ("0--Parade/a.jpg", "2", f"1 1 3 4 {marks} ", f"2 0 2 2 {marks} ", "1--Handshaking/b.jpg", "0", "0 0 0 0 0 0 0 0 0 0 ")
    text(lists / "wider_face_train_bbx_gt.txt", *faces)
    text(lists / "wider_face_val_bbx_gt.txt", "0--Parade/c.jpg", "1", f"3 3 2 2 {marks} ")
    text(lists / "wider_face_test_filelist.txt", "0--Parade/d.jpg")
