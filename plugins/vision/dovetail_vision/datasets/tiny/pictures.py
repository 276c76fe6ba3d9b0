"""Tiny sets of pictures with one class each."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from .make import photo, text

__all__ = [
    "caltech101", "caltech256", "clevr", "country211", "dtd", "eurosat", "fgvc_aircraft", "flowers102", "food101", "gtsrb", "imagenette",
    "inaturalist", "inaturalist_2018", "omniglot", "oxford_iiit_pet", "places365", "rendered_sst2", "stanford_cars", "sun397",
]  # fmt: skip


def _tree(folder: Path, *names: str) -> None:
    for number, name in enumerate(names):
        photo(folder / name, number)


def caltech101(folder: Path) -> None:
    """Two classes and the background, with the outlines in MATLAB files."""
    from scipy.io import savemat

    base = folder / "caltech101"
    names = ("Faces/image_0001.jpg", "Faces/image_0002.jpg", "ant/image_0001.jpg", "BACKGROUND_Google/image_0001.jpg")
    _tree(base / "101_ObjectCategories", *names)
    for number, name in enumerate(("Faces_2/annotation_0001", "Faces_2/annotation_0002", "ant/annotation_0001")):
        path = base / "Annotations" / f"{name}.mat"
        path.parent.mkdir(parents=True, exist_ok=True)
        outline = np.random.RandomState(number).rand(2, 5 + number)
        savemat(path, {"box_coord": np.array([[1, 6, 1, 8]], np.uint16), "obj_contour": outline})


def caltech256(folder: Path) -> None:
    """Two classes."""
    _tree(folder / "caltech256" / "256_ObjectCategories", "001.ak47/001_0001.jpg", "001.ak47/001_0002.jpg", "002.flag/002_0001.jpg")


def clevr(folder: Path) -> None:
    """Two scenes to train on, one to test on."""
    base = folder / "clevr" / "CLEVR_v1.0"
    _tree(base / "images", "train/CLEVR_train_000000.png", "train/CLEVR_train_000001.png", "test/CLEVR_test_000000.png")
    scenes = [{"image_filename": f"CLEVR_train_00000{i}.png", "objects": [{"shape": "cube"}] * count} for i, count in ((1, 1), (0, 3))]
    text(base / "scenes" / "CLEVR_train_scenes.json", json.dumps({"info": {}, "scenes": scenes}))


def country211(folder: Path) -> None:
    """Two countries."""
    _tree(folder / "country211", "train/AD/1.jpg", "train/ZW/2.jpg", "train/ZW/3.jpg", "valid/AD/4.jpg", "valid/ZW/5.jpg")


def dtd(folder: Path) -> None:
    """Two textures, in the first two partitions."""
    base, files = folder / "dtd" / "dtd", ("banded/banded_0002.jpg", "banded/banded_0004.jpg", "zigzagged/zigzagged_0003.jpg")
    _tree(base / "images", *files)
    for partition, (train, val) in enumerate((((0, 2), (1,)), ((1,), (2, 0))), 1):
        text(base / "labels" / f"train{partition}.txt", *(files[i] for i in train))
        text(base / "labels" / f"val{partition}.txt", *(files[i] for i in val))


def eurosat(folder: Path) -> None:
    """Two kinds of land use."""
    _tree(folder / "eurosat" / "2750", "Forest/Forest_1.jpg", "Forest/Forest_2.jpg", "River/River_1.jpg")


def fgvc_aircraft(folder: Path) -> None:
    """Three aeroplanes of two makers."""
    base, rows = folder / "fgvc-aircraft-2013b" / "data", (("1025794", "A320"), ("0056978", "737-700"), ("1340192", "A320"))
    _tree(base / "images", *(f"{name}.jpg" for name, _ in rows))
    makers = {"A320": "Airbus", "737-700": "Boeing"}
    levels = (("variant", "variants", {}), ("manufacturer", "manufacturers", makers), ("family", "families", {"737-700": "Boeing 737"}))
    for level, several, names in levels:
        found = [(number, names.get(variant, variant)) for number, variant in rows]
        text(base / f"{several}.txt", *sorted({label for _, label in found}))
        text(base / f"images_{level}_trainval.txt", *(f"{number} {label}" for number, label in found))
        text(base / f"images_{level}_test.txt", f"{found[0][0]} {found[0][1]}")


def flowers102(folder: Path) -> None:
    """Six flowers, two of them to train on; MATLAB files."""
    from scipy.io import savemat

    base = folder / "flowers-102"
    _tree(base / "jpg", *(f"image_0000{i}.jpg" for i in range(1, 7)))
    savemat(base / "imagelabels.mat", {"labels": np.array([[1, 2, 102, 7, 9, 3]], np.uint8)})
    savemat(base / "setid.mat", {"trnid": np.array([[2, 4]], np.uint16), "valid": [[1, 6]], "tstid": [[3, 5]]})


def food101(folder: Path) -> None:
    """Three meals to train on, one to test on."""
    base = folder / "food-101"
    _tree(base / "images", "waffles/1.jpg", "waffles/2.jpg", "apple_pie/3.jpg", "apple_pie/4.jpg")
    text(base / "meta" / "train.json", json.dumps({"waffles": ["waffles/1", "waffles/2"], "apple_pie": ["apple_pie/3"]}))
    text(base / "meta" / "test.json", json.dumps({"apple_pie": ["apple_pie/4"]}))


def gtsrb(folder: Path) -> None:
    """Two signs to train on, two to test on."""
    base = folder / "gtsrb"
    _tree(base / "GTSRB", "Training/00000/00000_00000.ppm", "Training/00014/00001_00000.ppm")
    _tree(base / "GTSRB" / "Final_Test" / "Images", "00000.ppm", "00001.ppm")
    head = "Filename;Width;Height;Roi.X1;Roi.Y1;Roi.X2;Roi.Y2;ClassId"
    text(base / "GT-final_test.csv", head, "00000.ppm;8;6;1;1;7;5;16", "00001.ppm;8;6;1;1;7;5;1")


def imagenette(folder: Path) -> None:
    """Two classes, in the smallest size."""
    base = folder / "imagenette2-160"
    _tree(base / "train", "n01440764/n01440764_10026.JPEG", "n03028079/n03028079_1.JPEG", "n03028079/ILSVRC2012_val_2.JPEG")
    _tree(base / "val", "n01440764/n01440764_1.JPEG", "n03028079/n03028079_2.JPEG")


def inaturalist(folder: Path) -> None:
    """Two animals and a plant, as in 2021."""
    animals = "Animalia_Chordata_Aves_Passeriformes"
    names = (
        f"00000_{animals}_Corvidae_Corvus_corax/a.jpg",
        f"00000_{animals}_Corvidae_Corvus_corax/b.jpg",
        "00001_Plantae_Tracheophyta_Liliopsida_Poales_Poaceae_Poa_annua/c.jpg",
        f"00002_{animals}_Paridae_Parus_major/d.jpg",
    )
    _tree(folder / "2021_train", *names)


def inaturalist_2018(folder: Path) -> None:
    """Three species, as in 2018: folders with numbers, below their super-category."""
    _tree(folder / "2018", "Aves/2/a.jpg", "Aves/0/b.jpg", "Plantae/1/c.jpg")
    _tree(folder / "2017", "Aves/Corvus corax/a.jpg", "Aves/Parus major/b.jpg", "Plantae/Poa annua/c.jpg")


def omniglot(folder: Path) -> None:
    """Three characters of two alphabets in the background set, one to evaluate."""
    base = folder / "omniglot-py"
    names = ("Greek/character01/0394_01.png", "Greek/character01/0394_02.png", "Greek/character02/0395_01.png")
    for number, name in enumerate((*names, "Korean/character01/0540_01.png")):
        photo(base / "images_background" / name, number, (7, 7), "L", 2)
    photo(base / "images_evaluation" / "Oriya" / "character01" / "1100_01.png", 9, (7, 7), "L", 2)


def oxford_iiit_pet(folder: Path) -> None:
    """A cat and two dogs, with their trimaps."""
    base = folder / "oxford-iiit-pet"
    rows = (("Abyssinian_100", "1 1 1"), ("american_bulldog_7", "2 2 1"), ("american_bulldog_10", "2 2 1"))
    _tree(base / "images", *(f"{name}.jpg" for name, _ in rows))
    for number, (name, _) in enumerate(rows):
        photo(base / "annotations" / "trimaps" / f"{name}.png", number, mode="L", most=4)
    text(base / "annotations" / "trainval.txt", *(f"{name} {numbers}" for name, numbers in rows))
    text(base / "annotations" / "test.txt", f"{rows[1][0]} {rows[1][1]}")


def places365(folder: Path) -> None:
    """Two scenes in the small size: two images to train on, two to validate, one to test on."""
    train, val = ("a/airfield/00000001.jpg", "c/corn_field/00000002.jpg"), ("Places365_val_00000001.jpg", "Places365_val_00000002.jpg")
    _tree(folder / "data_256_standard", *train)
    _tree(folder / "val_256", *val)
    _tree(folder / "test_256", "Places365_test_00000001.jpg")
    text(folder / "categories_places365.txt", "/a/airfield 0", "/c/corn_field 1")
    text(folder / "places365_train_standard.txt", *(f"/{name} {label}" for label, name in enumerate(train)))
    text(folder / "places365_val.txt", f"{val[0]} 1", f"{val[1]} 0")
    text(folder / "places365_test.txt", "Places365_test_00000001.jpg")


def rendered_sst2(folder: Path) -> None:
    """Two sentences to train on, two to validate."""
    _tree(folder / "rendered-sst2", *(f"{split}/{kind}/0.png" for split in ("train", "valid") for kind in ("negative", "positive")))


def stanford_cars(folder: Path) -> None:
    """Two cars to train on, one to test on; MATLAB files."""
    from scipy.io import savemat

    base = folder / "stanford_cars"
    _tree(base, "cars_train/00001.jpg", "cars_train/00002.jpg", "cars_test/00001.jpg", "cars_test/00002.jpg")
    (base / "devkit").mkdir()
    kind = [(name, object) for name in ("bbox_x1", "bbox_y1", "bbox_x2", "bbox_y2", "class", "fname")]
    rows = [(1, 1, 7, 5, 2, "00001.jpg"), (1, 1, 7, 5, 1, "00002.jpg")]
    savemat(base / "devkit" / "cars_train_annos.mat", {"annotations": np.array([rows], kind)})
    savemat(base / "cars_test_annos_withlabels.mat", {"annotations": np.array([rows], kind)})
    names = np.empty((1, 2), object)
    names[0] = "AM General Hummer SUV 2000", "Acura TL Sedan 2012"
    savemat(base / "devkit" / "cars_meta.mat", {"class_names": names})


def sun397(folder: Path) -> None:
    """Two kinds of scenes."""
    base = folder / "SUN397"
    _tree(base, "a/abbey/sun_b.jpg", "a/abbey/sun_a.jpg", "a/apse/indoor/sun_c.jpg")
    text(base / "ClassName.txt", "/a/abbey", "/a/apse/indoor")
