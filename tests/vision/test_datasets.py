"""The datasets in their true formats: what they hold, and how they meet files that are missing, cut or something else."""

from __future__ import annotations

import gzip
import io
import lzma
import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import dovetail
from dovetail import datasets
from dovetail.errors import DecodeError, FormatError, HashMismatch, RangeError, ValueRangeError
from dovetail_vision.datasets import (
    CIFAR10,
    CIFAR100,
    EMNIST,
    MNIST,
    QMNIST,
    DatasetFolder,
    FakeData,
    FashionMNIST,
    ImageFolder,
    _fetch,
    tiny,
    utils,
)
from dovetail_vision.datasets._idx import read_idx
from dovetail_vision.datasets._pickled import read_pickle


@pytest.fixture
def root(tmp_path):
    for write in (tiny.mnist, tiny.fashion_mnist, tiny.emnist, tiny.qmnist, tiny.cifar10, tiny.cifar100):
        write(tmp_path)
    tiny.image_folder(tmp_path / "pictures")
    return tmp_path


# ---------------------------------------------------------------------------------------------------- MNIST


def test_mnist(root):
    train, test = MNIST(root), MNIST(root, train=False)
    assert (len(train), len(test)) == (6, 4)
    assert train.data.dtype == dovetail.uint8 and tuple(train.data.shape) == (6, 28, 28)
    assert train.targets.dtype == dovetail.int64 and train.targets.tolist() == [0, 1, 2, 3, 4, 5]
    image, label = train[2]
    assert (image.mode, image.size, label, type(label)) == ("L", (28, 28), 2, int)
    np.testing.assert_array_equal(np.asarray(image), train.data[2].numpy())
    assert train.class_to_idx["7 - seven"] == 7 and train.raw_folder == str(root / "MNIST" / "raw")


def test_the_key_opens_it(root):
    assert len(datasets.load("vision/mnist", root=root, split="test")) == 4
    assert datasets.load("vision/cifar100", root=root, split="train", verify=False).targets == [0, 1, 2]
    with pytest.raises(ValueRangeError, match="it has no split 'val'; expected one of train, test"):
        datasets.load("vision/mnist", root=root, split="val")
    with pytest.raises(ValueRangeError, match="MNIST: split is 'val'; expected one of train, test"):
        MNIST(root, split="val")


def test_compressed_files_are_read_as_they_are(root):
    assert not (root / "FashionMNIST" / "raw" / "train-images-idx3-ubyte").exists()
    assert FashionMNIST(root)[5][1] == 5 and FashionMNIST(root).classes[9] == "Ankle boot"


def test_the_old_names_warn(root):
    for old, new in (("train_data", "data"), ("test_labels", "targets")):
        with pytest.warns(UserWarning, match="has been renamed"):
            assert getattr(MNIST(root), old).shape == getattr(MNIST(root), new).shape


def test_emnist_and_qmnist(root):
    letters = EMNIST(root, "letters", train=False)
    assert len(letters) == 4 and letters.classes[1] == "a" and letters.split == "letters"
    plain, full = QMNIST(root, train=False), QMNIST(root, what="test", compat=False)
    assert plain[1][1] == 8 and full[1][1].tolist() == list(range(8, 16)) and "Split: test" in repr(plain)
    assert len(QMNIST(root, "test10k")) == 4 and len(QMNIST(root, "test50k")) == 0
    with pytest.raises(ValueRangeError, match="QMNIST: what is 'all'; expected one of train, test, test10k, test50k, nist"):
        QMNIST(root, "all")
    with pytest.raises(ValueRangeError, match="EMNIST: split is 'words'"):
        EMNIST(root, "words")


def test_missing_files_say_how_to_get_them(tmp_path):
    with pytest.raises(
        FormatError, match=r"train-images-idx3-ubyte: Dataset not found: .*You can use download=True to download it"
    ) as caught:
        MNIST(tmp_path)
    assert isinstance(caught.value, RuntimeError) and isinstance(caught.value, FileNotFoundError)


def _idx(array):
    return tiny.idx(np.asarray(array, "u1"))


HOSTILE = {
    "empty": (b"", "begins with nothing"),
    "text": (b"<!DOCTYPE html>", "begins with 3c 21 44 4f"),
    "a gzip under another name": (gzip.compress(_idx([[[1]]])), "begins with 1f 8b"),
    "another type": (tiny.idx(np.zeros((1, 2, 2), "f4")), "has 3 dimensions and type f4; expected an IDX file of 3 dimensions and type u1"),
    "labels for images": (_idx([1, 2, 3]), "has 1 dimensions and type u1"),
    "a cut header": (_idx([[[1]]])[:9], "ends inside its header"),
    "cut values": (_idx([[[1, 2]], [[3, 4]]])[:-1], "its header promises"),
    "more values": (_idx([[[1]]]) + b"x", "its header promises"),
    "a header of 4 exabytes": (bytes([0, 0, 8, 3]) + b"\xff" * 12, "its header promises 79,228,162,458"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_idx(tmp_path, name):
    data, text = HOSTILE[name]
    (tmp_path / "a-idx3-ubyte").write_bytes(data)
    with pytest.raises(FormatError, match=text):
        read_idx(tmp_path / "a-idx3-ubyte", 3)


PACKED = {
    "cut gzip": (".gz", gzip.compress(_idx(np.zeros((9, 9, 9))))[:-9], "cannot be read"),
    "no gzip": (".gz", b"x" * 50, "cannot be read"),
    "cut xz": (".xz", lzma.compress(_idx([[[1]]]))[:-5], "cannot be read"),
    "too few values": (".gz", gzip.compress(_idx([[[1, 2]]])[:-1]), "holds 1 bytes of values; expected 2"),
    "too many values": (".gz", gzip.compress(_idx([[[1]]]) + b"x" * 10**6), "holds more values; expected 1"),
    "a bomb's header": (".gz", gzip.compress(bytes([0, 0, 8, 3]) + b"\x7f" * 12), "its header promises"),
}


@pytest.mark.parametrize("name", PACKED)
def test_hostile_compressed_idx(tmp_path, name):
    suffix, data, text = PACKED[name]
    (tmp_path / f"a{suffix}").write_bytes(data)
    with pytest.raises(FormatError, match=text):
        read_idx(tmp_path / "a", 3)


def test_labels_and_images_must_be_as_many(root):
    (root / "MNIST/raw/train-labels-idx1-ubyte").write_bytes(_idx([1, 2]))
    with pytest.raises(FormatError, match=r"train-labels-idx1-ubyte at byte 4: has 2 labels, but .*images-idx3-ubyte has 6 images"):
        MNIST(root)


def test_idx_of_other_types(tmp_path):
    for kind in ("i1", "i2", "i4", "f4", "f8"):
        array = np.arange(6).reshape(2, 3).astype(kind)
        (tmp_path / kind).write_bytes(tiny.idx(array))
        found = read_idx(tmp_path / kind, 2, kind)
        assert found.dtype == array.dtype and found.dtype.isnative
        np.testing.assert_array_equal(found, array)


# ---------------------------------------------------------------------------------------------------- CIFAR


def test_cifar(root):
    train, test = CIFAR10(root, verify=False), CIFAR10(root, train=False, verify=False)
    assert (len(train), len(test)) == (17, 4) and train.data.shape == (17, 32, 32, 3) and train.data.dtype == np.uint8
    assert train.targets[:7] == [0, 1, 2, 0, 1, 2, 3] and train.classes[9] == "truck" and train.class_to_idx["ship"] == 8
    image, label = train[1]
    assert (image.mode, image.size, label, type(label)) == ("RGB", (32, 32), 1, int)
    assert CIFAR100(root, verify=False).classes[7] == "thing 7" and len(CIFAR100(root, split="test", verify=False)) == 4


def test_cifar_s_files_must_be_the_published_ones(root):
    with pytest.raises(HashMismatch, match=r"data_batch_1: MD5 is [0-9a-f]{32}; expected c99cafc.*; delete the file.*; verify=False takes"):
        CIFAR10(root)
    with pytest.raises(FormatError, match=r"data_batch_1: Dataset not found: .*You can use download=True"):
        CIFAR10(root / "elsewhere")


class _Evil:
    def __reduce__(self):
        return exec, ("raise SystemExit",)


CALLS = {
    "a call": pickle.dumps({"data": _Evil()}, 2),
    "a call, newer": pickle.dumps({"data": _Evil()}, 5),
    "os.system": b"\x80\x02cos\nsystem\n(U\x02lstR.",
    "a class": b"(icollections\nOrderedDict\n.",
    "an extension code": b"\x80\x02\x82\x01.",
    "a persistent id": b"\x80\x02U\x01aQ.",
    "NumPy's own eval": b"\x80\x02cnumpy\nload\n(U\x02lstR.",
    "an array of objects": b"\x80\x02}U\x04datacnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tU\x01btR"
    b"(K\x01(K\x01tcnumpy\ndtype\n(U\x02O8K\x00K\x01tR(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x3ftb\x89U\x08aaaaaaaatbs.",
    "an array larger than its bytes": tiny.pickled({"data": np.zeros((2, 2), "u1")}).replace(b"(K\x02K\x02t", b"(K\x02K\x09t"),
    "a state for a dict": b"\x80\x02}}b.",
    "a list of itself": b"\x80\x02]q\x00h\x00a.",
    "a thousand million": b"\x80\x02"
    + b"]q\x00"
    + b"]("
    + b"h\x00" * 40
    + b"eq\x01"
    + b"]("
    + b"h\x01" * 40
    + b"eq\x02]("
    + b"h\x02" * 40
    + b"e.",
    "no dict": tiny.pickled([1, 2]),
    "cut": tiny.pickled({"a": [1, 2]})[:-4],
    "empty": b"",
    "text": b"<!DOCTYPE html>",
    "no mark": b"\x80\x02t.",
    "an unknown memo": b"\x80\x02h\x07.",
    "a text that is longer than the file": b"\x80\x02T\xff\xff\xff\x7fab.",
}


@pytest.mark.parametrize("name", CALLS)
def test_hostile_pickles(tmp_path, name):
    (tmp_path / "batch").write_bytes(CALLS[name])
    with pytest.raises(FormatError, match="batch"):
        read_pickle(tmp_path / "batch")


def test_mutated_pickles_are_read_or_refused(tmp_path):
    whole = tiny.pickled({"labels": [1, 2, 300], "data": np.arange(12, dtype="u1").reshape(3, 4), "names": ["a", "b"]})
    draw, path = np.random.RandomState(0), tmp_path / "batch"
    for _ in range(1500):
        data = bytearray(whole[: draw.randint(len(whole) + 1)] if draw.randint(4) == 0 else whole)
        for _ in range(draw.randint(4) if data else 0):
            data[draw.randint(len(data))] = draw.randint(256)
        path.write_bytes(bytes(data))
        try:
            assert isinstance(read_pickle(path), dict)
        except FormatError:
            pass


def test_pickles_of_every_protocol_are_read(tmp_path):
    value = {"labels": [0, 1, 70000], "data": np.arange(12, dtype="u1").reshape(3, 4), "name": "a" * 300, "b": b"x", "n": -3, "f": 0.5}
    for protocol in (2, 3, 4, 5):
        (tmp_path / "batch").write_bytes(pickle.dumps(value, protocol))
        found = read_pickle(tmp_path / "batch")
        np.testing.assert_array_equal(found.pop("data"), value["data"])
        assert found == {key: item for key, item in value.items() if key != "data"}


def test_batches_of_another_shape(root):
    path = root / "cifar-100-python" / "train"
    for entry, text in (
        ({"data": np.zeros((2, 3), "u1"), "fine_labels": [1, 2]}, r"its data is uint8 \(2, 3\); expected uint8 \(N, 3072\)"),
        ({"fine_labels": [1]}, "its data is NoneType"),
        ({"data": np.zeros((2, 3072), "u1"), "fine_labels": [1]}, "its labels are no list of 2 ints"),
    ):
        path.write_bytes(tiny.pickled(entry))
        with pytest.raises(FormatError, match=text):
            CIFAR100(root, verify=False)


# ---------------------------------------------------------------------------------------------------- folders


def test_image_folder(root):
    images = ImageFolder(root / "pictures")
    assert images.classes == ["cat", "dog"] and images.class_to_idx == {"cat": 0, "dog": 1} and images.targets == [0, 0, 1]
    names = [(Path(path).relative_to(root / "pictures").as_posix(), target) for path, target in images.imgs]
    assert names == [("cat/1.png", 0), ("cat/more/2.JPG", 0), ("dog/1.bmp", 1)] and images.imgs is images.samples
    image, label = images[0]
    assert (image.mode, image.size, label) == ("RGB", (5, 6), 0)


def test_dataset_folder(root):
    texts = root / "texts"
    for name in ("a/1.txt", "b/2.txt", "b/3.dat"):
        (texts / name).parent.mkdir(parents=True, exist_ok=True)
        (texts / name).write_text(name)
    by_name = DatasetFolder(texts, lambda path: Path(path).read_text(), extensions=(".txt",), target_transform=str)
    assert [by_name[i] for i in range(2)] == [("a/1.txt", "0"), ("b/2.txt", "1")]
    chosen = DatasetFolder(texts, str, is_valid_file=lambda path: path.endswith(".dat"), allow_empty=True)
    assert chosen.targets == [1] and chosen.classes == ["a", "b"]
    with pytest.raises(FileNotFoundError, match=r"Found no valid file for the classes a; allow_empty=True keeps"):
        DatasetFolder(texts, str, is_valid_file=lambda path: path.endswith(".dat"))
    for both in ({}, {"extensions": (".txt",), "is_valid_file": bool}):
        with pytest.raises(ValueRangeError, match="of extensions and is_valid_file were given; expected one of them"):
            DatasetFolder(texts, str, **both)


def test_folders_without_images(tmp_path):
    with pytest.raises(FileNotFoundError, match="No such file or directory; expected a folder with one folder a class"):
        ImageFolder(tmp_path / "nothing")
    with pytest.raises(FileNotFoundError, match="Couldn't find any class folder"):
        ImageFolder(tmp_path)
    (tmp_path / "cat").mkdir()
    with pytest.raises(FileNotFoundError, match=r"classes cat; Supported extensions are: .jpg, .jpeg"):
        ImageFolder(tmp_path)
    assert len(ImageFolder(tmp_path, allow_empty=True)) == 0


@pytest.mark.parametrize("data", [b"", b"no image", b"\x89PNG\r\n\x1a\n" + b"\0" * 40])
def test_damaged_images(root, data):
    images = ImageFolder(root / "pictures")
    (root / "pictures/dog/1.bmp").write_bytes(data)
    with pytest.raises(DecodeError, match=r"1\.bmp: cannot be read as an image") as caught:
        images[2]
    assert isinstance(caught.value, OSError)
    (root / "pictures/dog/1.bmp").unlink()
    with pytest.raises(FileNotFoundError, match="the image is not there any more"):
        images[2]


def test_an_image_of_too_many_pixels_is_refused(root, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 4)
    with pytest.raises(DecodeError, match="DecompressionBombError"):
        ImageFolder(root / "pictures")[0]


# ---------------------------------------------------------------------------------------------------- the rest


def test_fake_data_leaves_the_global_generator_alone():
    dovetail.manual_seed(3)
    before = dovetail.rand(1).item()
    dovetail.manual_seed(3)
    fake = FakeData(5, (1, 4, 4), 3, transform=lambda image: image.size, random_offset=7)
    assert fake[4][0] == (4, 4) and 0 <= fake[4][1] < 3 and fake[4][1] == FakeData(12, (1, 4, 4), 3)[11][1]
    assert dovetail.rand(1).item() == before
    with pytest.raises(RangeError, match="FakeData: index is 5; expected 0 to 4"):
        fake[5]


def test_printed_forms(root):
    assert repr(MNIST(root, train=False)) == f"Dataset MNIST\n    Number of datapoints: 4\n    Root location: {root}\n    Split: Test"
    assert "Split: Train" in repr(CIFAR10(root, verify=False)) and "Number of datapoints: 1000" in repr(FakeData())


def test_transforms_are_applied(root):
    for dataset in (MNIST(root, transform=np.shape, target_transform=str), CIFAR100(root, True, np.shape, str, verify=False)):
        assert dataset[1] == ((28, 28) if isinstance(dataset, MNIST) else (32, 32, 3), "1")


class _Served:
    """Stands in for the core's downloader: what a mirror has, by name."""

    def __init__(self, files):
        self.files, self.asked = files, []

    def __call__(self, url, target, *, sha256=None, md5=None, size=None):
        self.asked.append((url, sha256, md5, size))
        if "down" in url:
            raise FormatError(url, None, "503")
        Path(target).write_bytes(self.files[url.rpartition("/")[2]])


@pytest.fixture
def served(monkeypatch):
    def serve(files):
        server = _Served(files)
        monkeypatch.setattr(_fetch, "import_module", lambda name: type("Module", (), {"download": staticmethod(server)}))
        return server

    return serve


def test_download_takes_the_first_mirror_that_answers(root, tmp_path, served, monkeypatch):
    files = {path.name: path.read_bytes() for path in (root / "FashionMNIST/raw").iterdir()}
    server = served(files)
    monkeypatch.setattr(FashionMNIST, "mirrors", ["http://down/", "http://up/"])
    assert len(FashionMNIST(tmp_path / "new", download=True)) == 6
    assert len(server.asked) == 8 and server.asked[1][0] == "http://up/train-images-idx3-ubyte.gz"
    assert server.asked[1][1:] == (*_fetch.PINNED[FashionMNIST.resources[0][1]][:1], FashionMNIST.resources[0][1], 26421880)
    assert len(FashionMNIST(tmp_path / "new", download=True)) == 6 and len(server.asked) == 8
    monkeypatch.setattr(FashionMNIST, "mirrors", ["http://down/"])
    with pytest.raises(FormatError, match=r"no mirror could give it: http://down/train-images-idx3-ubyte.gz: .*503; or put the file there"):
        FashionMNIST(tmp_path / "other", download=True)


def test_cifar_is_fetched_and_unpacked(root, tmp_path, monkeypatch):
    import tarfile

    archive = tmp_path / "served.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(root / "cifar-100-python", "cifar-100-python")
    folder = root / "cifar-100-python"
    for name, value in (
        ("url", archive.as_uri()),
        ("tgz_md5", utils.calculate_md5(archive)),
        ("train_list", [["train", utils.calculate_md5(folder / "train")]]),
        ("test_list", [["test", utils.calculate_md5(folder / "test")]]),
        ("meta", {**CIFAR100.meta, "md5": utils.calculate_md5(folder / "meta")}),
    ):
        monkeypatch.setattr(CIFAR100, name, value)
    assert len(CIFAR100(tmp_path / "new", download=True)) == 3
    (tmp_path / "new/cifar-100-python/test").write_bytes(b"damaged")
    assert len(CIFAR100(tmp_path / "new", train=False, download=True)) == 4


def test_integrity(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert utils.check_integrity(tmp_path / "a") and utils.check_integrity(tmp_path / "a", "900150983cd24fb0d6963f7d28e17f72")
    assert not utils.check_integrity(tmp_path / "a", "0" * 32) and not utils.check_integrity(tmp_path / "b")


def test_another_loader(root):
    images = ImageFolder(root / "pictures", loader=lambda path: io.BytesIO(Path(path).read_bytes()))
    assert images[0][0].read(4) == b"\x89PNG"
