"""dovetail_vision.datasets beside torchvision's, on the same files: same samples, same attributes, same printed form."""

from __future__ import annotations

import inspect

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("PIL")

import numpy as np

from dovetail_vision import datasets as ours
from dovetail_vision.datasets import tiny
from dovetail_vision.datasets.utils import calculate_md5
from tests.parity.torchvision_oracle import torchvision

pytestmark = pytest.mark.parity

theirs = torchvision().datasets


def _same(mine, yours):
    assert repr(mine) == repr(yours) and len(mine) == len(yours)
    for i in range(len(mine)):
        (image, target), (their_image, their_target) = mine[i], yours[i]
        assert (image.mode, image.size) == (their_image.mode, their_image.size) and image.tobytes() == their_image.tobytes()
        assert np.array_equal(np.asarray(target), np.asarray(their_target))
    for name in ("classes", "class_to_idx", "raw_folder", "processed_folder", "train", "url", "filename", "base_folder"):
        assert getattr(mine, name, None) == getattr(yours, name, None), name


CASES = [
    ("MNIST", tiny.mnist, ({"train": True}, {"train": False})),
    ("EMNIST", tiny.emnist, ({"split": "letters"}, {"split": "letters", "train": False})),
    ("QMNIST", tiny.qmnist, ({"what": "test"}, {"train": False, "compat": False}, {"what": "test10k"})),
]


@pytest.mark.parametrize("name, write, options", CASES, ids=[case[0] for case in CASES])
def test_mnist_and_kin(tmp_path, name, write, options):
    write(tmp_path)
    for chosen in options:
        mine, yours = getattr(ours, name)(tmp_path, **chosen), getattr(theirs, name)(tmp_path, **chosen)
        _same(mine, yours)
        assert np.array_equal(mine.data.numpy(), yours.data.numpy()) and np.array_equal(mine.targets.numpy(), yours.targets.numpy())
        assert str(mine.targets.dtype).rpartition(".")[2] == str(yours.targets.dtype).rpartition(".")[2]


@pytest.mark.parametrize("name, write", [("CIFAR10", tiny.cifar10), ("CIFAR100", tiny.cifar100)])
def test_cifar(tmp_path, monkeypatch, name, write):
    write(tmp_path)
    folder = tmp_path / getattr(ours, name).base_folder
    for kind in (getattr(ours, name), getattr(theirs, name)):
        for parts in ("train_list", "test_list"):
            monkeypatch.setattr(kind, parts, [[file, calculate_md5(folder / file)] for file, _ in getattr(kind, parts)])
        monkeypatch.setattr(kind, "meta", {**kind.meta, "md5": calculate_md5(folder / kind.meta["filename"])})
    for train in (True, False):
        mine, yours = getattr(ours, name)(str(tmp_path), train), getattr(theirs, name)(str(tmp_path), train)
        _same(mine, yours)
        assert np.array_equal(mine.data, yours.data) and mine.targets == yours.targets


def test_image_folder(tmp_path):
    tiny.image_folder(tmp_path)
    mine, yours = ours.ImageFolder(str(tmp_path)), theirs.ImageFolder(str(tmp_path))
    _same(mine, yours)
    assert mine.imgs == yours.imgs and mine.samples == yours.samples and mine.targets == yours.targets
    assert ours.folder.IMG_EXTENSIONS == theirs.folder.IMG_EXTENSIONS


def test_fake_data():
    """Normal numbers may differ in the last bit, which a cut to bytes can turn into one level."""
    differing = total = 0
    for options in ({}, {"random_offset": 5, "num_classes": 3}):
        mine, yours = ours.FakeData(20, (3, 17, 19), **options), theirs.FakeData(20, (3, 17, 19), **options)
        assert repr(mine) == repr(yours)
        for (image, target), (their_image, their_target) in zip(mine, yours, strict=True):
            assert target == their_target and type(target) is type(their_target)
            differing += np.count_nonzero(np.asarray(image) != np.asarray(their_image))
            total += np.asarray(image).size
    assert differing <= total / 10_000


@pytest.mark.parametrize("name", ours.__all__)
def test_signatures(name):
    if not hasattr(theirs, name):
        return
    mine, yours = (inspect.signature(getattr(module, name)).parameters for module in (ours, theirs))
    shared = [(key, mine[key].default) for key in mine if key in yours]
    assert [key for key, _ in shared] == list(yours)
    for key, default in shared:
        assert default == yours[key].default or callable(default), key
    extra = [value for key, value in mine.items() if key not in yours]
    assert all(value.kind is inspect.Parameter.KEYWORD_ONLY for value in extra)


@pytest.mark.parametrize("name", ["MNIST", "FashionMNIST", "KMNIST", "QMNIST", "EMNIST", "CIFAR10", "CIFAR100"])
def test_where_files_come_from(name):
    mine, yours = getattr(ours, name), getattr(theirs, name)
    for about in ("mirrors", "resources", "classes", "url", "md5", "splits", "subsets", "tgz_md5", "train_list", "test_list", "meta"):
        if about == "mirrors" and name in ("QMNIST", "EMNIST"):
            continue
        assert getattr(mine, about, None) == getattr(yours, about, None), about
    if name == "EMNIST":
        assert mine.classes_split_dict == yours.classes_split_dict
