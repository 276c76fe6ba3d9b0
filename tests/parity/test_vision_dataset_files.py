"""Datasets with files of their own formats, beside torchvision's classes on the same tiny sets: same samples, attributes, printed form.

What torchvision checks by MD5 is not checked here, and folders are listed in sorted order, as ours are on every machine.
"""

from __future__ import annotations

import os
import shutil
import struct
import sys
import types
import zlib
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("PIL")

import numpy as np
from PIL import Image

import dovetail
from dovetail_vision import datasets as ours
from dovetail_vision.datasets import _video, tiny
from tests.parity.torchvision_oracle import torchvision

pytestmark = pytest.mark.parity

theirs = torchvision().datasets
import torchvision.datasets.samplers


def decoded(path: str) -> Any:
    """The values of a PNG of 16 bits, of which only the filters 0 and 2 occur."""
    with open(path, "rb") as file:
        data = file.read()
    width, height = struct.unpack(">II", data[16:24])
    rows = np.frombuffer(zlib.decompress(data[data.index(b"IDAT") + 4 :]), np.uint8).reshape(height, 1 + 6 * width)
    assert set(rows[:, 0].tolist()) <= {0, 2}
    out = rows[:, 1:].astype(np.uint64)
    for y in range(1, height):
        out[y] += out[y - 1] * (rows[y, 0] == 2)
    values = (out % 256).astype(np.uint8).view(">u2").astype(np.int32).reshape(height, width, 3)
    return torch.from_numpy(values.transpose(2, 0, 1).copy()).to(torch.uint16)


@pytest.fixture(autouse=True)
def plain(monkeypatch):
    """torchvision's checks of MD5 and its unsorted listings, out of the way; its compiled PNG reader, which is not there, replaced."""
    flow = sys.modules["torchvision.datasets._optical_flow"]
    monkeypatch.setattr(flow, "read_file", lambda path: path)
    monkeypatch.setattr(flow, "decode_png", decoded)
    listed = os.listdir
    monkeypatch.setattr(os, "listdir", lambda *path: sorted(listed(*path)))
    for name, module in list(sys.modules.items()):
        if name.startswith("torchvision.datasets.") and hasattr(module, "check_integrity"):
            monkeypatch.setattr(module, "check_integrity", lambda path, md5=None: os.path.isfile(path))


def same(mine: Any, yours: Any, where: str = "sample") -> None:
    """The same values, types and, of images, modes; arrays and tensors by their elements and types."""
    if isinstance(yours, dict):
        assert isinstance(mine, dict) and list(mine) == list(yours), where
        for key in yours:
            same(mine[key], yours[key], f"{where}[{key!r}]")
    elif isinstance(yours, list | tuple):
        assert isinstance(mine, list | tuple) and isinstance(mine, list) == isinstance(yours, list) and len(mine) == len(yours), where
        for i, (a, b) in enumerate(zip(mine, yours, strict=True)):
            same(a, b, f"{where}[{i}]")
    elif isinstance(yours, Image.Image):
        assert (mine.mode, mine.size) == (yours.mode, yours.size) and mine.tobytes() == yours.tobytes(), where
        assert mine.getpalette() == yours.getpalette(), where
    elif isinstance(yours, torch.Tensor):
        assert str(mine.dtype).rpartition(".")[2] == str(yours.dtype).rpartition(".")[2], where
        np.testing.assert_array_equal(mine.numpy(), yours.numpy(), where)
    elif isinstance(yours, np.ndarray):
        assert mine.dtype == yours.dtype, where
        np.testing.assert_array_equal(mine, yours, where)
    else:
        assert type(mine) is type(yours) and mine == yours, (where, mine, yours)


PUBLIC = (
    "classes class_to_idx targets wnids wnid_to_idx bin_classes bin_class_to_idx categories categories_index url filename md5 labels data "
)
ABOUT = (
    PUBLIC + "ids images masks annotations split image_set year mode num_classes attr_names attr identity bbox landmarks_align "
    "index y all_categories categories_map imgs photos captions variant images_dir pair_names train loader_ file_list lens means stds "
    "_labels _samples _image_files _split _images _segs _bin_labels _disparities _annotation_level _image_list _flow_list"
).split()

C: list[tuple[str, str, list[dict[str, Any]]]] = [
    ("CLEVRClassification", "clevr", [{}, {"split": "test"}]),
    ("Country211", "country211", [{}, {"split": "valid"}]),
    ("DTD", "dtd", [{}, {"split": "val"}, {"partition": 2}]),
    ("EuroSAT", "eurosat", [{}]),
    ("FGVCAircraft", "fgvc_aircraft", [{}, {"annotation_level": "family"}, {"annotation_level": "manufacturer", "split": "test"}]),
    ("Flowers102", "flowers102", [{}, {"split": "val"}, {"split": "test"}]),
    ("Food101", "food101", [{}, {"split": "test"}]),
    ("GTSRB", "gtsrb", [{}, {"split": "test"}]),
    ("Imagenette", "imagenette", [{"size": "160px"}, {"size": "160px", "split": "val"}]),
    ("OxfordIIITPet", "oxford_iiit_pet", [{}, {"split": "test"}, {"target_types": ["category", "binary-category", "segmentation"]}]),
    ("OxfordIIITPet", "oxford_iiit_pet", [{"target_types": "segmentation"}, {"target_types": []}]),
    ("RenderedSST2", "rendered_sst2", [{}, {"split": "val"}]),
    ("StanfordCars", "stanford_cars", [{}, {"split": "test"}]),
    ("SUN397", "sun397", [{}]),
    ("VOCDetection", "voc", [{}, {"image_set": "val"}, {"year": "2007", "image_set": "test"}]),
    ("VOCSegmentation", "voc", [{}, {"image_set": "val"}]),
    ("SBDataset", "sbd", [{}, {"mode": "segmentation"}, {"image_set": "train_noval"}]),
    ("CocoDetection", "coco", [{"annFile": "instances.json"}]),
    ("CocoCaptions", "coco", [{"annFile": "captions.json"}]),
    ("SVHN", "svhn", [{}, {"split": "test"}]),
    ("STL10", "stl10", [{"split": split} for split in ours.STL10.splits] + [{"folds": 1}, {"folds": 0, "split": "train+unlabeled"}]),
    ("USPS", "usps", [{}, {"train": False}]),
    ("SEMEION", "semeion", [{"download": False}]),
    ("Caltech101", "caltech101", [{}, {"target_type": "annotation"}, {"target_type": ["category", "annotation"]}]),
    ("Caltech256", "caltech256", [{}]),
    ("CelebA", "celeba", [{"split": split} for split in ("train", "valid", "all", "Test")]),
    ("CelebA", "celeba", [{"target_type": ["attr", "identity", "bbox", "landmarks"]}, {"target_type": "identity"}, {"target_type": []}]),
    ("Cityscapes", "cityscapes", [{}, {"target_type": ["instance", "semantic", "polygon", "color"]}, {"split": "val", "mode": "coarse"}]),
    ("FER2013", "fer2013", [{}, {"split": "test"}]),
    ("FER2013", "fer2013_apart", [{}, {"split": "test"}]),
    ("Flickr8k", "flickr", [{"ann_file": "captions.html"}]),
    ("Flickr30k", "flickr", [{"ann_file": "captions.token"}]),
    ("ImageNet", "imagenet", [{"split": "val"}, {}]),
    ("INaturalist", "inaturalist", [{}, {"target_type": ["full", "kingdom", "genus"]}]),
    ("INaturalist", "inaturalist_2018", [{"version": "2018", "target_type": ["full", "super"]}, {"version": "2017"}]),
    ("Kitti", "kitti", [{}, {"train": False}]),
    ("LFWPeople", "lfw", [{}, {"split": "train"}]),
    ("LFWPairs", "lfw", [{}, {"split": "train"}]),
    ("LSUN", "lsun", [{"classes": ["bridge_train", "tower_train"]}, {"classes": ["tower_train"]}]),
    ("MovingMNIST", "moving_mnist", [{}, {"split": "train"}, {"split": "test", "split_ratio": 13}]),
    ("Omniglot", "omniglot", [{}, {"background": False}]),
    ("PCAM", "pcam", [{}, {"split": "val"}]),
    ("PhotoTour", "phototour", [{"name": "liberty"}, {"name": "liberty", "train": False}]),
    ("Places365", "places365", [{"small": True, "split": split} for split in ("train-standard", "val", "test")]),
    ("SBU", "sbu", [{"download": False}]),
    ("WIDERFace", "widerface", [{}, {"split": "val"}, {"split": "test"}]),
    ("Sintel", "sintel", [{}, {"pass_name": "both"}, {"split": "test"}]),
    ("KittiFlow", "kitti_flow", [{}, {"split": "test"}]),
    ("FlyingChairs", "flying_chairs", [{}, {"split": "val"}]),
    ("FlyingThings3D", "flying_things", [{}, {"pass_name": "both", "camera": "both"}, {"camera": "right", "pass_name": "final"}]),
    ("HD1K", "hd1k", [{}, {"split": "test"}]),
    ("CarlaStereo", "carla_stereo", [{}]),
    ("Kitti2012Stereo", "kitti_stereo", [{}, {"split": "test"}]),
    ("Kitti2015Stereo", "kitti_stereo", [{}, {"split": "test"}]),
    ("Middlebury2014Stereo", "middlebury_stereo", [{}, {"calibration": "both"}, {"split": "test", "calibration": None}]),
    ("CREStereo", "cre_stereo", [{}]),
    ("FallingThingsStereo", "falling_things_stereo", [{}, {"variant": "both"}, {"variant": "mixed"}]),
    ("SceneFlowStereo", "scene_flow_stereo", [{"variant": "Monkaa", "pass_name": "both"}, {}, {"variant": "Driving"}]),
    ("SintelStereo", "sintel_stereo", [{}, {"pass_name": "both"}]),
    ("InStereo2k", "in_stereo_2k", [{}, {"split": "test"}]),
    ("ETH3DStereo", "eth3d_stereo", [{}, {"split": "test"}]),
]
#: What torchvision asks for beside the files that it reads: what they came in, and the other parts.
ALSO = [
    "omniglot-py/images_background.zip", "omniglot-py/images_evaluation.zip", "lfw-py/lfw-funneled.tgz", "celeba/img_align_celeba.zip",
    "widerface/WIDER_val/x",
]  # fmt: skip
VIDEOS: list[tuple[str, str, dict[str, Any]]] = [
    ("UCF101", "ucf101", {"annotation_path": "lists"}),
    ("UCF101", "ucf101", {"annotation_path": "lists", "train": False, "output_format": "TCHW"}),
    ("UCF101", "ucf101", {"annotation_path": "lists", "fold": 2, "frame_rate": 5}),
    ("UCF101", "ucf101", {"annotation_path": "lists", "frame_rate": 7}),
    ("HMDB51", "hmdb51", {"annotation_path": "lists"}),
    ("Kinetics", "kinetics", {"split": "val"}),
]
UNSORTED = {"SUN397"}  # torchvision's order there is that of the disk


def opened(module: Any, name: str, root: Any, options: dict[str, Any]) -> Any:
    options = {
        key: os.path.join(root, value) if key in ("annFile", "ann_file", "annotation_path") else value for key, value in options.items()
    }
    kind = getattr(module, name)
    verify = {"verify": False} if module is ours and "verify" in kind.__init__.__annotations__ else {}
    return kind(str(root), **options, **verify)


@pytest.mark.parametrize("name, write, cases", C, ids=[f"{case[0]}-{i}" for i, case in enumerate(C)])
def test_samples(tmp_path, monkeypatch, name, write, cases):
    monkeypatch.setattr(tiny.pairs, "FILTERS", (0, 2))  # which `decoded` knows
    if name.startswith("Coco"):
        pytest.importorskip("pycocotools")
    getattr(tiny, write)(tmp_path)
    for place in ALSO:
        if (tmp_path / place).parent.exists():
            (tmp_path / place).touch()
    if name == "LSUN":  # lmdb opens a folder once in a process
        apart = shutil.copytree(tmp_path, tmp_path / "apart")
        monkeypatch.chdir(tmp_path)  # where torchvision keeps a list of keys
    for options in cases:
        yours = None
        mine = opened(ours, name, tmp_path, options)
        yours = opened(theirs, name, apart if name == "LSUN" else tmp_path, options)
        if name == "LSUN":
            yours.root = mine.root
        assert len(mine) == len(yours) > 0 and repr(mine) == repr(yours)
        order = range(len(yours))
        if name in UNSORTED:
            order = sorted(order, key=lambda i: str(yours._image_files[i]))
        for i, j in enumerate(order):
            same(mine[i], yours[j], f"{name}({options})[{i}]")
        for about in [] if name in UNSORTED else ABOUT:
            if hasattr(yours, about):
                found = getattr(mine, about)
                assert not isinstance(found, property), about
                same(_plain(found), _plain(getattr(yours, about)), about)


class _Decoder:
    """Stands in for torchcodec's: the frames that the tiny sets were made of, without sound."""

    def __init__(self, path: str, dimension_order: str = "NHWC") -> None:
        times, rate = _video.read_times(path)
        frames = _video.read_frames(path, 0, len(times))
        self.frames = torch.from_numpy(frames if dimension_order == "NHWC" else frames.transpose(0, 3, 1, 2).copy())
        self.metadata = types.SimpleNamespace(num_frames=len(times), average_fps=rate)

    def get_frames_at(self, indices: list[int]) -> Any:
        return types.SimpleNamespace(data=self.frames[indices])


@pytest.mark.parametrize("name, write, options", VIDEOS, ids=[f"{case[0]}-{i}" for i, case in enumerate(VIDEOS)])
def test_videos(tmp_path, monkeypatch, name, write, options):
    pytest.importorskip("av")
    codec = types.SimpleNamespace(decoders=types.SimpleNamespace(VideoDecoder=_Decoder))
    monkeypatch.setattr(sys.modules["torchvision.datasets.video_utils"], "_get_torchcodec", lambda: codec)
    getattr(tiny, write)(tmp_path)
    options = {**options, "frames_per_clip": 3, "step_between_clips": 2}
    root = tmp_path if name == "Kinetics" else tmp_path / "videos"
    if "annotation_path" in options:
        options["annotation_path"] = str(tmp_path / "lists")
    mine, yours = getattr(ours, name)(str(root), **options), getattr(theirs, name)(str(root), **options)
    assert len(mine) == len(yours) > 0 and repr(mine) == repr(yours) and mine.samples == yours.samples and mine.classes == yours.classes
    for i in range(len(yours)):
        (video, _, label), (their_video, _, their_label) = mine[i], yours[i]
        same(video, their_video)
        assert label == their_label
    same(mine.metadata, yours.metadata)
    for sampler in ("UniformClipSampler", "RandomClipSampler"):
        torch.manual_seed(3), dovetail.manual_seed(3)
        a, b = (getattr(module.samplers, sampler)(data.video_clips, 2) for module, data in ((ours, mine), (theirs, yours)))
        assert list(a) == list(b) and len(a) == len(b)


def test_shares_of_clips():
    for count, replicas, size, shuffle in ((14, 4, 1, False), (14, 4, 2, False), (14, 4, 2, True), (12, 3, 3, True)):
        for rank in range(replicas):
            a, b = (module.samplers.DistributedSampler(range(count), replicas, rank, shuffle, size) for module in (ours, theirs))
            assert list(a) == list(b) and len(a) == len(b)
            a.set_epoch(5), b.set_epoch(5)
            assert list(a) == list(b)


def _plain(value: Any) -> Any:
    """Attributes as lists and texts: where torchvision has a path, a tuple or a keys view, the kind of it is not promised."""
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return os.fspath(value) if isinstance(value, os.PathLike) else value


@pytest.mark.parametrize("name, write, cases", C, ids=[f"{case[0]}-{i}" for i, case in enumerate(C)])
def test_missing_files(tmp_path, name, write, cases):
    """Where there is nothing, both raise, and what catches torchvision's error catches ours."""
    if name.startswith("Coco"):
        pytest.importorskip("pycocotools")
    with pytest.raises(Exception) as yours:
        opened(theirs, name, tmp_path, cases[0])
    kind = FileNotFoundError if name == "LSUN" else type(yours.value)  # there it is an error of lmdb's
    with pytest.raises(kind, match=str(tmp_path)):
        opened(ours, name, tmp_path, cases[0])


@pytest.mark.parametrize("name, write, cases", C, ids=[f"{case[0]}-{i}" for i, case in enumerate(C)])
def test_a_bad_split(tmp_path, name, write, cases):
    parameters = [
        key
        for key in "split image_set mode target_types target_type year version pass_name camera variant calibration".split()
        if key in getattr(ours, name).__init__.__annotations__
    ]
    for key in parameters:
        if key in getattr(theirs, name).__init__.__annotations__:
            with pytest.raises((ValueError, TypeError, RuntimeError)):  # where torchvision looks for the files first
                opened(theirs, name, tmp_path, {**cases[0], key: "no such one"})
            with pytest.raises(ValueError, match=f"{name}: {key} is 'no such one'"):
                opened(ours, name, tmp_path, {**cases[0], key: "no such one"})
