"""Datasets of Hugging Face's with images, from local files; nothing is fetched."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

import dovetail as dv
from dovetail.errors import DecodeError, FormatError, TypeMismatch, UnsupportedError, ValueRangeError
from dovetail.utils.data import DataLoader
from dovetail_vision.datasets import HFDataset, HFIterableDataset, _image, hf, tiny
from dovetail_vision.datasets._errors import HubError, MissingPackage

hub = pytest.importorskip("datasets", reason="the extra hub of dovetail-vision")


@pytest.fixture(scope="module", autouse=True)
def offline():
    old = hub.config.HF_HUB_OFFLINE
    hub.config.HF_HUB_OFFLINE = True
    pause, hub.config.SLEEP_TIME_ON_THREADS_SHUTDOWN = hub.config.SLEEP_TIME_ON_THREADS_SHUTDOWN, 0  # five seconds a shuffled pass
    hub.disable_progress_bars()
    yield
    hub.config.HF_HUB_OFFLINE, hub.config.SLEEP_TIME_ON_THREADS_SHUTDOWN = old, pause


def pictures(count: int = 5) -> list[Image.Image]:
    return [Image.fromarray(tiny.make.pixels(i, 6, 8, 3)) for i in range(count)]


def table(count: int = 5):
    boxes = [[[1.0, 2.0, 3.0, 4.0]] * (i % 3) for i in range(count)]
    columns = {"image": pictures(count), "label": [i % 2 for i in range(count)], "boxes": boxes}
    kinds = {"image": hub.Image(), "label": hub.ClassLabel(names=["cat", "dog"]), "boxes": hub.List(hub.List(hub.Value("float32"), 4))}
    columns |= {"note": [f"n{i}" for i in range(count)], "raw": [bytes([i, 0, 0]) for i in range(count)]}
    return hub.Dataset.from_dict(columns, hub.Features({**kinds, "note": hub.Value("string"), "raw": hub.Value("binary")}))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("hub")
    for part in range(2):
        table().select(range(3 * part, 3 if part == 0 else 5)).to_parquet(place / f"train-0000{part}-of-00002.parquet")
    table(2).to_parquet(place / "test.parquet")
    return place


def opened(folder, tmp_path, **options):
    return hf(folder, cache_dir=str(tmp_path), **options)


def test_samples_are_dicts_of_images_tensors_and_plain_values(folder, tmp_path):
    data = opened(folder, tmp_path, split="train")
    one = data[1]
    assert isinstance(data, HFDataset) and len(data) == 5 and list(one) == ["image", "label", "boxes", "note", "raw"]
    assert one["image"].mode == "RGB" and one["image"].tobytes() == pictures()[1].tobytes()
    assert (one["label"], one["note"], one["raw"]) == (1, "n1", b"\1\0\0") and type(one["label"]) is int
    assert one["boxes"].dtype == dv.float32 and one["boxes"].tolist() == [[1, 2, 3, 4]]
    assert data[-1]["note"] == data[np.int64(4)]["note"] == "n4" and data.features["label"].names == ["cat", "dog"]
    assert repr(data) == "Dataset HFDataset\n    Number of datapoints: 5"
    assert [row["note"] for row in data.__getitems__([3, 0])] == ["n3", "n0"]
    with pytest.raises(IndexError, match="HFDataset: index is 5; expected -5 to 4"):
        data[5]


def test_pairs_and_transforms(folder, tmp_path):
    pairs = opened(folder, tmp_path, split="train", input="image", target="label", transform=lambda image: image.size, target_transform=str)
    assert pairs[1] == ((8, 6), "1") and pairs.classes == ["cat", "dog"]
    pairs.transform = None
    assert pairs[1][0].size == (8, 6) and pairs[1][1] == "1"
    several = opened(folder, tmp_path, split="train", input="image", target=["boxes", "label"], images="array")
    image, target = several[2]
    np.testing.assert_array_equal(image, np.asarray(pictures()[2]))
    assert list(target) == ["boxes", "label"] and target["boxes"].shape == (2, 4) and several.classes is None
    joint = opened(folder, tmp_path, split="train", input="image", target="note", transforms=lambda image, note: (note, image.mode))
    assert joint[0] == ("n0", "RGB") and joint.__getitems__([1])[0] == ("n1", "RGB")
    alone = opened(folder, tmp_path, split="train", input="image", images="tensor")
    assert alone[0][1] is None and tuple(alone[0][0].shape) == (3, 6, 8) and alone[0][0].dtype == dv.uint8
    rows = opened(folder, tmp_path, split="train", columns=["note", "label"], transform=lambda row: row["note"] * 2)
    assert rows[1] == "n1n1"
    batch = next(iter(DataLoader(opened(folder, tmp_path, split="train", input="image", target="label", images="tensor"), 5)))
    assert tuple(batch[0].shape) == (5, 3, 6, 8) and batch[1].tolist() == [0, 1, 0, 1, 0]


def test_streaming(folder, tmp_path):
    data = opened(folder, tmp_path, split="train", streaming=True, input="image", target="label", transform=lambda image: image.tobytes())
    assert isinstance(data, HFIterableDataset)
    expected = [(image.tobytes(), i % 2) for i, image in enumerate(pictures())]
    assert list(data) == list(data) == expected
    mixed = data.shuffle(seed=1, buffer_size=5)
    assert sorted(mixed) == sorted(expected) and mixed.transform is data.transform
    mixed.set_epoch(1)
    assert sorted(mixed) == sorted(expected)
    shared = [sample for batch in DataLoader(data, batch_size=2, num_workers=2, collate_fn=list) for sample in batch]
    assert sorted(shared) == sorted(expected)
    rows = list(opened(folder, tmp_path, split="test", streaming=True))
    assert [row["raw"] for row in rows] == [b"\0\0\0", b"\1\0\0"] and rows[1]["boxes"].shape == (1, 4)
    joint = opened(folder, tmp_path, split="test", streaming=True, input="image", target="note", transforms=lambda image, note: note)
    assert list(joint) == ["n0", "n1"] and list(joint.shuffle(0)) in (["n0", "n1"], ["n1", "n0"])


def test_every_split(folder, tmp_path):
    assert {key: len(part) for key, part in opened(folder, tmp_path).items()} == {"train": 5, "test": 2}
    assert set(opened(folder, tmp_path, streaming=True)) == {"train", "test"}


def test_folders_of_images(tmp_path):
    for number, place in enumerate(("cat/1.png", "cat/2.jpg", "dog/1.bmp")):
        tiny.photo(tmp_path / "files" / place, number)
    options = {"data_dir": str(tmp_path / "files"), "cache_dir": str(tmp_path / "cache"), "split": "train"}
    data = hf("imagefolder", input="image", target="label", **options)
    assert data.classes == ["cat", "dog"] and [label for _, label in data] == [0, 0, 1] and data[0][0].size == (8, 6)
    (tmp_path / "files/dog/1.bmp").write_bytes(b"damaged")
    with pytest.raises(DecodeError, match="1.bmp.*: cannot be read as an image"):
        data[2]


def test_damaged_and_large_images_name_the_sample(tmp_path, monkeypatch):
    rows = hub.Dataset.from_dict({"image": [{"bytes": b"no image", "path": None}]}, hub.Features({"image": hub.Image()}))
    with pytest.raises(DecodeError, match=r"sample 0 \(image\): cannot be read as an image"):
        HFDataset(rows)[0]
    monkeypatch.setattr(_image, "MOST_PIXELS", 40)
    with pytest.raises(DecodeError, match=r"sample 1 \(image\): 8 × 6 pixels; at most 40 are allowed"):
        HFDataset(table())[1]


def test_what_is_wrong_is_said(folder, tmp_path, monkeypatch):
    with pytest.raises(ValueRangeError, match="Unknown split"):
        opened(folder, tmp_path, split="nope")
    with pytest.raises(ValueRangeError, match="hf: there is no column 'nope'; expected some of image, label, boxes, note, raw"):
        opened(folder, tmp_path, split="train", input="nope")
    with pytest.raises(ValueRangeError, match="hf: target is given without input"):
        opened(folder, tmp_path, split="train", target="label")
    with pytest.raises(ValueRangeError, match="images is 'cv2'; expected one of pil, array, tensor"):
        opened(folder, tmp_path, split="train", images="cv2")
    with pytest.raises(ValueRangeError, match="transforms was given together with transform"):
        opened(folder, tmp_path, split="train", streaming=True, input="image", transform=str, transforms=max)
    with pytest.raises(UnsupportedError, match="trust_remote_code is set; code of datasets is not run"):
        hf("a/b", trust_remote_code=True)
    with pytest.raises(ValueRangeError, match="path is empty"):
        hf("")
    with pytest.raises(HubError, match=r"hf\('no/such-data'\): it cannot be opened: .*or give a folder with its files") as caught:
        hf("no/such-data", split="train")
    assert isinstance(caught.value, OSError)
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "train.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(FormatError, match="its files cannot be read"):
        hf(tmp_path / "bad", split="train", cache_dir=str(tmp_path))
    for kind, source in ((HFDataset, [1]), (HFIterableDataset, table(1))):
        with pytest.raises(TypeMismatch, match=f"{kind.__name__}: source is (list|Dataset); expected a datasets"):
            kind(source)
    monkeypatch.setitem(__import__("sys").modules, "datasets", None)
    with pytest.raises(MissingPackage, match=r"hf: its files need the package datasets, .*pip install 'dovetail-vision\[hub\]'"):
        hf("mnist")
