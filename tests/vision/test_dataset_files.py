"""The readers that datasets share, and every dataset that brings a tiny set: damaged, missing and hostile files are typed errors."""

from __future__ import annotations

import io
import json
import random
import struct
import subprocess
import sys
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dovetail.errors import DecodeError, DovetailError, FormatError, HashMismatch, ValueRangeError
from dovetail_vision import datasets
from dovetail_vision.datasets import _files, _image, folder, tiny
from dovetail_vision.datasets._errors import DamagedFile, MissingFiles, MissingPackage, package
from tests.support.figures import note

# ---------------------------------------------------------------------------------------------------- XML

ENTITIES = '<!DOCTYPE a [<!ENTITY x "lol">' + "".join(f'<!ENTITY x{i} "{f"&x{i - 1};" * 10}">' for i in range(1, 10)) + "]>"
HOSTILE_XML = {
    "a bomb of entities": (ENTITIES.replace("&x0;", "&x;") + "<a>&x9;</a>", "declares a document type"),
    "a file as entity": ('<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>', "declares a document type"),
    "a DTD from elsewhere": ('<!DOCTYPE a SYSTEM "http://127.0.0.1/a.dtd"><a/>', "declares a document type"),
    "too deep": ("<a>" * 5000 + "</a>" * 5000, "more than 100 deep"),
    "cut": ("<a><b></b>", "no element found"),
    "unknown entity": ("<a>&nothing;</a>", "undefined entity"),
    "text": ("hello", "syntax error"),
    "empty": ("", "no element found"),
    "another encoding": ('<?xml version="1.0" encoding="utf-99"?><a/>', "unknown encoding"),
}


@pytest.mark.parametrize("name", HOSTILE_XML)
def test_hostile_xml(tmp_path, name):
    data, text = HOSTILE_XML[name]
    (tmp_path / "a.xml").write_text(data)
    with pytest.raises(DamagedFile, match=f"a.xml: is not a plain XML file .*{text}"):
        _files.read_xml(tmp_path / "a.xml")


def test_xml_of_more_than_16_mb_is_refused(tmp_path):
    (tmp_path / "a.xml").write_bytes(b"<a>" + b" " * (1 << 24) + b"</a>")
    with pytest.raises(DamagedFile, match="it has 16,777,223 bytes; at most 16,777,216 are read"):
        _files.read_xml(tmp_path / "a.xml")


# ---------------------------------------------------------------------------------------------------- text, JSON, tables, MATLAB


@pytest.mark.parametrize(
    "data, text",
    [
        (b"{", "is not JSON .*JSONDecodeError"),
        (b"[" * 200_000, "is not JSON .*RecursionError"),
        (b"1" * 10_000, "is not JSON .*ValueError"),
        (b"\xff\xfe", "at byte 0: is no text in UTF-8"),
        (b'"a\0"', "at byte 2: has a zero byte"),
        (b"", "is not JSON"),
    ],
)
def test_hostile_json(tmp_path, data, text):
    (tmp_path / "a.json").write_bytes(data)
    with pytest.raises(DamagedFile, match=f"a.json.*{text}"):
        _files.read_json(tmp_path / "a.json")


def test_text_has_a_bound(tmp_path):
    (tmp_path / "a").write_text("12345\n")
    assert _files.lines(tmp_path / "a") == ["12345"]
    with pytest.raises(DamagedFile, match="has 6 bytes; at most 5 are read"):
        _files.read_text(tmp_path / "a", most=5)
    with pytest.raises(MissingFiles, match=r"b: Dataset not found: there is no such file or folder; You can use download=True"):
        _files.lines(tmp_path / "b")
    with pytest.raises(DamagedFile, match="cannot be read: Is a directory"):
        _files.read_text(tmp_path)


def test_other_md5(tmp_path):
    (tmp_path / "a").write_text("abc")
    assert _files.intact(tmp_path / "a", "900150983cd24fb0d6963f7d28e17f72") == tmp_path / "a" and _files.is_intact(tmp_path / "a", None)
    with pytest.raises(
        HashMismatch, match=r"a: MD5 is 9001.*; expected 000.*; delete the file: .*; verify=False takes it as it is"
    ) as caught:
        _files.intact(tmp_path / "a", "000")
    assert isinstance(caught.value, ValueError) and not _files.is_intact(tmp_path / "a", "000")


def test_a_package_that_is_missing_says_how_to_get_it():
    with pytest.raises(
        MissingPackage, match=r"SVHN: its files need the package no_such, .*; pip install 'dovetail-vision\[mat\]'"
    ) as caught:
        package("no_such.io", "SVHN", "mat")
    assert isinstance(caught.value, ImportError) and isinstance(caught.value, RuntimeError)


def mutated(data: bytes, draw: random.Random) -> bytes:
    """Bytes changed, cut out, doubled or cut off."""
    changed = bytearray(data)
    for _ in range(draw.randrange(1, 5)):
        at, n = draw.randrange(max(len(changed), 1)), draw.randrange(1, 20)
        match draw.randrange(5):
            case 0:
                del changed[at : at + n]
            case 1:
                changed[at:at] = draw.randbytes(n)
            case 2:
                changed[at : at + n] = draw.randbytes(len(changed[at : at + n]))
            case 3:
                changed[at : at + 4] = draw.choice([b"\xff" * 4, bytes(4), b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f"])
            case 4 if draw.random() < 0.3:
                del changed[at:]
    return bytes(changed)


# ---------------------------------------------------------------------------------------------------- every dataset

#: Class, maker of its files, options with which it opens them.
OPENED = [
    ("CLEVRClassification", "clevr", {}),
    ("Country211", "country211", {}),
    ("DTD", "dtd", {}),
    ("EuroSAT", "eurosat", {}),
    ("FGVCAircraft", "fgvc_aircraft", {}),
    ("Flowers102", "flowers102", {"verify": False}),
    ("Food101", "food101", {}),
    ("GTSRB", "gtsrb", {"split": "test"}),
    ("Imagenette", "imagenette", {"size": "160px"}),
    ("OxfordIIITPet", "oxford_iiit_pet", {}),
    ("RenderedSST2", "rendered_sst2", {}),
    ("StanfordCars", "stanford_cars", {}),
    ("SUN397", "sun397", {}),
    ("VOCDetection", "voc", {}),
    ("VOCSegmentation", "voc", {"split": "val"}),
    ("SBDataset", "sbd", {}),
    ("CocoDetection", "coco", {"annFile": "instances.json"}),
    ("CocoCaptions", "coco", {"annFile": "captions.json"}),
    ("SVHN", "svhn", {"verify": False}),
    ("STL10", "stl10", {"verify": False}),
    ("USPS", "usps", {"split": "test"}),
    ("SEMEION", "semeion", {"download": False, "verify": False}),
    ("Caltech101", "caltech101", {"target_type": ["category", "annotation"]}),
    ("Caltech256", "caltech256", {}),
    ("CelebA", "celeba", {"split": "all", "verify": False}),
    ("Cityscapes", "cityscapes", {"target_type": ["semantic", "polygon"]}),
    ("FER2013", "fer2013", {"verify": False}),
    ("FER2013", "fer2013_apart", {"split": "test", "verify": False}),
    ("Flickr8k", "flickr", {"ann_file": "captions.html"}),
    ("Flickr30k", "flickr", {"ann_file": "captions.token"}),
    ("ImageNet", "imagenet", {"verify": False}),
    ("INaturalist", "inaturalist", {}),
    ("Kitti", "kitti", {}),
    ("LFWPeople", "lfw", {"verify": False}),
    ("LFWPairs", "lfw", {"split": "train", "verify": False}),
    ("LSUN", "lsun", {"classes": ["bridge_train", "tower_train"]}),
    ("MovingMNIST", "moving_mnist", {}),
    ("Omniglot", "omniglot", {}),
    ("PCAM", "pcam", {}),
    ("PhotoTour", "phototour", {"name": "liberty"}),
    ("Places365", "places365", {"small": True, "verify": False}),
    ("SBU", "sbu", {"download": False}),
    ("WIDERFace", "widerface", {}),
    ("Sintel", "sintel", {}),
    ("KittiFlow", "kitti_flow", {}),
    ("FlyingChairs", "flying_chairs", {}),
    ("FlyingThings3D", "flying_things", {}),
    ("HD1K", "hd1k", {}),
    ("CarlaStereo", "carla_stereo", {}),
    ("Kitti2012Stereo", "kitti_stereo", {}),
    ("Kitti2015Stereo", "kitti_stereo", {}),
    ("Middlebury2014Stereo", "middlebury_stereo", {}),
    ("CREStereo", "cre_stereo", {}),
    ("FallingThingsStereo", "falling_things_stereo", {}),
    ("SceneFlowStereo", "scene_flow_stereo", {"variant": "Monkaa"}),
    ("SintelStereo", "sintel_stereo", {}),
    ("InStereo2k", "in_stereo_2k", {}),
    ("ETH3DStereo", "eth3d_stereo", {}),
]
NAMES = [f"{name}-{i}" for i, (name, _, _) in enumerate(OPENED)]


def opened(root, name, options):
    options = {key: root / value if key in ("annFile", "ann_file", "annotation_path") else value for key, value in options.items()}
    return getattr(datasets, name)(root, **options)


@pytest.mark.parametrize("name, write, options", OPENED, ids=NAMES)
def test_each_file_missing_or_damaged_is_a_typed_error(tmp_path, name, write, options):
    """Each file in turn is gone, cut, or something else: the error is ours and names a path below the root, or the samples are whole."""
    getattr(tiny, write)(tmp_path)
    refused = 0
    assert len(opened(tmp_path, name, options)) > 0
    for path in sorted(path for path in tmp_path.rglob("*") if path.is_file()):
        data = path.read_bytes()
        for damaged in (None, b"", data[: len(data) // 2], b"\xff\x00" * 30, b"<!DOCTYPE html>\n<p>404"):
            path.unlink() if damaged is None else path.write_bytes(damaged)
            try:
                found = opened(tmp_path, name, options)
                for i in range(len(found)):
                    found[i]
            except DovetailError as error:
                assert isinstance(error, FormatError) and str(tmp_path) in str(error.path), error
                refused += 1
        path.write_bytes(data)
    assert refused >= 3


@pytest.mark.parametrize("name, write, options", OPENED, ids=NAMES)
def test_transforms_are_applied_and_indices_end(tmp_path, name, write, options):
    getattr(tiny, write)(tmp_path)
    if write in tiny.pairs.__all__:
        pytest.skip("its transforms take other arguments")
    given = datasets.VisionDataset.__init__.__annotations__.keys() & getattr(datasets, name).__init__.__annotations__.keys()
    seen = []
    if "transforms" in given:
        found = opened(tmp_path, name, {**options, "transforms": lambda *sample: (seen.append(sample), ("both", "changed"))[1]})
        assert found[0] == ("both", "changed") and len(seen) == 1
    if "target_transform" in given or name == "ImageNet":
        found = opened(tmp_path, name, {**options, "transform": lambda image: "image", "target_transform": lambda target: "target"})
        assert found[0][0] == found[-1][0] == "image" and found[0][-1] == found[-1][-1] == "target"
        if "transforms" in given:
            with pytest.raises(ValueRangeError, match="transforms was given together with transform"):
                opened(tmp_path, name, {**options, "transform": str, "transforms": max})
    elif "transform" in given:
        found = opened(tmp_path, name, {**options, "transform": lambda image: "image"})
        assert found[0] == found[-1] == "image"
    with pytest.raises(IndexError):
        found[len(found)]


def test_everything_is_found_by_name_and_by_module():
    for name in datasets.__all__:
        kind = getattr(datasets, name)
        assert kind.__name__ == name and kind.__doc__ and getattr(getattr(datasets, kind.__module__.rpartition(".")[2]), name) is kind
    assert set(datasets.__all__) <= set(dir(datasets))
    with pytest.raises(AttributeError, match=r"module 'dovetail_vision.datasets' has no attribute 'Nothing'"):
        datasets.Nothing


# ---------------------------------------------------------------------------------------------------- single ones


def test_coco_s_index(tmp_path):
    tiny.coco(tmp_path)
    coco = datasets.CocoDetection(tmp_path, tmp_path / "instances.json").coco
    assert coco.getImgIds(catIds=[17, 18]) in ([9, 25], [25, 9]) and coco.getImgIds(imgIds=9, catIds=17) == [9]
    assert coco.getAnnIds(catIds=18) == [1, 2] and coco.getAnnIds(areaRng=(4, 7)) == [3, 2] and coco.getAnnIds(iscrowd=True) == [1]
    assert [kind["name"] for kind in coco.loadCats(coco.getCatIds(supNms="animal"))] == ["cat", "dog"] and coco.getImgIds() == [25, 9, 30]
    assert coco.loadAnns([3])[0]["area"] == 4.5 and coco.loadImgs([25])[0]["file_name"] == "25.jpg"
    with pytest.raises(ValueRangeError, match="Index must be of type integer, got <class 'str'> instead"):
        datasets.CocoDetection(tmp_path, tmp_path / "instances.json")["0"]


@pytest.mark.parametrize("value", [[], {"images": [{"id": 1}]}, {"images": [{"id": 1, "file_name": 3}]}, {"annotations": [{"id": 1}]}, 3])
def test_other_json_is_no_annotation_file(tmp_path, value):
    (tmp_path / "a.json").write_text(json.dumps(value))
    with pytest.raises(DamagedFile, match="a.json: is not an annotation file of COCO"):
        datasets.CocoDetection(tmp_path, tmp_path / "a.json")


def test_stl10_says_what_does_not_fit(tmp_path):
    tiny.stl10(tmp_path)
    base = tmp_path / "stl10_binary"
    (base / "train_y.bin").write_bytes(b"\1\2")
    with pytest.raises(DamagedFile, match="train_y.bin: has 2 labels; expected 3 from 1 to 10"):
        datasets.STL10(tmp_path, verify=False)
    (base / "fold_indices.txt").write_text("7\n")
    (base / "train_y.bin").write_bytes(b"\1\2\3")
    with pytest.raises(DamagedFile, match="fold_indices.txt: is not ten lines of indices below 3"):
        datasets.STL10(tmp_path, folds=0, verify=False)
    for folds in (10, "a"):
        with pytest.raises(ValueRangeError, match=r"should be in the range \[0, 10\)"):
            datasets.STL10(tmp_path, folds=folds, verify=False)


def test_what_can_be_fetched_no_more_says_so(tmp_path):
    with pytest.raises(ValueRangeError, match="StanfordCars: download is True, but the original URL is broken"):
        datasets.StanfordCars(tmp_path, download=True)


# ---------------------------------------------------------------------------------------------------- images (S5)


def headers() -> dict[str, bytes]:
    """Images of 65,000 × 65,000 pixels, by their headers: what follows is for a few pixels."""

    def small(kind: str, mode: str = "L") -> bytearray:
        out = io.BytesIO()
        Image.new(mode, (9, 9)).save(out, kind)
        return bytearray(out.getvalue())

    png, gif, bmp, jpg, webp = small("PNG"), small("GIF"), small("BMP"), small("JPEG"), small("WEBP", "RGBA")
    png[16:24] = struct.pack(">II", 65_000, 65_000)
    png[29:33] = struct.pack(">I", zlib.crc32(png[12:29]))
    gif[6:10] = struct.pack("<HH", 65_000, 65_000)
    bmp[18:26] = struct.pack("<ii", 65_000, 65_000)
    at = jpg.index(b"\xff\xc0")
    jpg[at + 5 : at + 9] = struct.pack(">HH", 65_000, 65_000)
    extended = b"VP8X" + struct.pack("<I", 10) + b"\x10\0\0\0" + struct.pack("<I", 16_000 - 1)[:3] + struct.pack("<I", 16_000 - 1)[:3]
    webp = b"RIFF" + struct.pack("<I", len(webp) - 8 + 18) + b"WEBP" + extended + bytes(webp[12:])
    return {"png": bytes(png), "gif": bytes(gif), "bmp": bytes(bmp), "jpg": bytes(jpg), "webp": webp}


MEASURE = """
import resource, sys
from dovetail.errors import DecodeError
from dovetail_vision.datasets import ImageFolder, folder
images = ImageFolder(sys.argv[1])
folder.default_loader(sys.argv[2])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for i in range(len(images)):
    try:
        images[i]
        print("read", images.imgs[i])
    except DecodeError as error:
        assert str(error.path) == images.imgs[i][0]
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.figures
def test_images_of_too_many_pixels_are_refused_before_anything_is_allocated(tmp_path):
    for suffix, data in headers().items():
        path = tmp_path / "large" / f"a.{suffix}"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
    Image.new("1", (7100, 7100)).save(tmp_path / "large" / "plain.png")
    with pytest.raises(DecodeError, match="plain.png: 7100 × 7100 pixels; at most 50,000,000 are allowed"):
        _image.open_image(tmp_path / "large" / "plain.png")
    tiny.photo(tmp_path / "small.jpg")
    (tmp_path / "large" / "a.gif").rename(tmp_path / "large" / "b.png")  # ImageFolder takes no .gif
    command = [sys.executable, "-c", MEASURE, str(tmp_path), str(tmp_path / "small.jpg")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    grown = int(done.stdout) / 1024
    note("S5", "memory grown while images of 50 Mpx and more are refused, MB", round(grown, 1), "20 MB")
    assert grown < 20


SEEDS = ("jpg", "png", "webp", "bmp", "gif")


@pytest.mark.figures
@pytest.mark.parametrize("cases", [2000, pytest.param(20_000, marks=pytest.mark.soak)])
def test_mutated_images_are_read_or_refused(tmp_path, cases):
    """Each gives an image or a DecodeError that names the file; nothing else, no warning turned into an answer."""
    for kind in SEEDS:
        for i, mode in enumerate(("RGB", "L", "P") if kind in ("png", "gif") else ("RGB",)):
            tiny.photo(tmp_path / "seeds" / f"{i}.{kind}", i, (23, 17), mode)
    seeds = [path.read_bytes() for path in sorted((tmp_path / "seeds").iterdir())]
    draw, refused, path = random.Random(5), 0, tmp_path / "a.png"
    for i in range(cases):
        data = mutated(seeds[i % len(seeds)], draw)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                if i % 20:
                    assert _image.decode_image(data, path, "RGB").mode == "RGB"
                else:
                    path.write_bytes(data)
                    assert folder.default_loader(path).mode == "RGB"
        except DecodeError as error:
            assert error.path == path and isinstance(error, OSError)
            refused += 1
    note("S5", "mutated images that were read or refused by a DecodeError", f"{cases} of {cases}, {refused} refused", "20,000 of 20,000")
    assert cases * 0.2 < refused < cases


def test_a_reader_that_starts_programs_is_not_asked(tmp_path):
    (tmp_path / "a.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n")
    with pytest.raises(DecodeError, match="a.png: cannot be read as an image"):
        _image.open_image(tmp_path / "a.png")


def test_an_image_is_read_whole_and_its_file_closed(tmp_path):
    tiny.photo(tmp_path / "a.png", mode="P")
    image = _image.open_image(tmp_path / "a.png")
    (tmp_path / "a.png").unlink()
    assert (image.mode, image.size) == ("P", (8, 6)) and np.asarray(image).shape == (6, 8)
    assert Path(tmp_path / "a.png").exists() is False
