"""Tiny sets of files in the true formats, for tests: each function writes one below a folder that becomes a dataset's root."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["cifar10", "cifar100", "emnist", "fashion_mnist", "idx", "image_folder", "kmnist", "mnist", "pickled", "qmnist"]


def idx(array: np.ndarray) -> bytes:
    """An array in the IDX format: two zero bytes, type, dimensions, sizes, values.

    >>> idx(np.array([7, 8], "u1")).hex(" ")
    '00 00 08 01 00 00 00 02 07 08'
    """
    kind = {"u1": 8, "i1": 9, "i2": 11, "i4": 12, "f4": 13, "f8": 14}[array.dtype.str[1:]]
    return (
        bytes([0, 0, kind, array.ndim])
        + struct.pack(f">{array.ndim}I", *array.shape)
        + array.astype(array.dtype.newbyteorder(">")).tobytes()
    )


def _images(count: int, *shape: int) -> np.ndarray:
    return np.random.RandomState(count).randint(0, 256, (count, *shape), dtype=np.uint8)


def _mnist(folder: Path, name: str, prefixes: tuple[tuple[str, int], ...] = (("train", 6), ("t10k", 4)), packed: bool = True) -> None:
    raw = folder / name / "raw"
    raw.mkdir(parents=True)
    for prefix, count in prefixes:
        labels = (np.arange(count) % 10).astype(np.uint8)
        for part, array in (("images-idx3-ubyte", _images(count, 28, 28)), ("labels-idx1-ubyte", labels)):
            data = idx(array)
            path = raw / f"{prefix}-{part}"
            if packed:
                path.with_name(path.name + ".gz").write_bytes(gzip.compress(data, mtime=0))
            else:
                path.write_bytes(data)


def mnist(folder: Path) -> None:
    """Six digits to train on and four to test on, unpacked as torchvision leaves them."""
    _mnist(folder, "MNIST", packed=False)


def fashion_mnist(folder: Path) -> None:
    """The same for FashionMNIST, compressed as they are published."""
    _mnist(folder, "FashionMNIST")


def kmnist(folder: Path) -> None:
    """The same for KMNIST."""
    _mnist(folder, "KMNIST")


def emnist(folder: Path) -> None:
    """The split "letters" of EMNIST."""
    _mnist(folder, "EMNIST", (("emnist-letters-train", 6), ("emnist-letters-test", 4)), packed=False)


def qmnist(folder: Path) -> None:
    """The part "test" of QMNIST."""
    raw = folder / "QMNIST" / "raw"
    raw.mkdir(parents=True)
    (raw / "qmnist-test-images-idx3-ubyte").write_bytes(idx(_images(4, 28, 28)))
    (raw / "qmnist-test-labels-idx2-int").write_bytes(idx(np.arange(32, dtype=np.int32).reshape(4, 8)))


def pickled(value: Any) -> bytes:
    """A value as Python 2 wrote it in CIFAR's batches: dicts, lists, texts, ints and uint8 arrays, in pickle's protocol 2.

    >>> pickled({"n": [3, 300]})
    b'\\x80\\x02}(U\\x01n](K\\x03M,\\x01eu.'
    """
    return b"\x80\x02" + _pickled(value) + b"."


def _pickled(value: Any) -> bytes:
    if isinstance(value, dict):
        return b"}(" + b"".join(_pickled(key) + _pickled(item) for key, item in value.items()) + b"u"
    if isinstance(value, list):
        return b"](" + b"".join(map(_pickled, value)) + b"e"
    if isinstance(value, str):
        return b"U" + bytes([len(value)]) + value.encode("latin-1")
    if isinstance(value, np.ndarray):
        shape = b"(" + b"".join(map(_pickled, value.shape)) + b"t"
        dtype = b"cnumpy\ndtype\n(U\x02u1K\x00K\x01tR(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
        data = value.tobytes()
        made = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tU\x01btR"
        return made + b"(K\x01" + shape + dtype + b"\x89T" + struct.pack("<I", len(data)) + data + b"tb"
    return b"K" + bytes([value]) if value < 256 else b"M" + struct.pack("<H", value)


def _cifar(folder: Path, name: str, batches: tuple[str, ...], labels: str, meta: str, names: dict[str, list[str]]) -> None:
    base = folder / name
    base.mkdir(parents=True)
    for number, batch in enumerate(batches):
        count = 3 + number % 2
        files = [f"{number}_{i}.png" for i in range(count)]
        entry = {"batch_label": batch, labels: [i % 10 for i in range(count)], "data": _images(count, 3072), "filenames": files}
        (base / batch).write_bytes(pickled(entry))
    (base / meta).write_bytes(pickled({"num_cases_per_batch": 10000, **names}))


_THINGS = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]


def cifar10(folder: Path) -> None:
    """Five batches and a test batch of three or four images."""
    batches = (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch")
    _cifar(folder, "cifar-10-batches-py", batches, "labels", "batches.meta", {"label_names": _THINGS})


def cifar100(folder: Path) -> None:
    """A batch to train on and one to test on."""
    names = {"fine_label_names": [f"thing {i}" for i in range(100)], "coarse_label_names": ["things"]}
    _cifar(folder, "cifar-100-python", ("train", "test"), "fine_labels", "meta", names)


def image_folder(folder: Path) -> None:
    """Images in two folders, one of them deeper, and a file that is none."""
    from PIL import Image

    for i, place in enumerate(("cat/1.png", "cat/more/2.JPG", "dog/1.bmp")):
        path = folder / place
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(_images(6 + i, 5, 3)).save(path, {".png": "PNG", ".jpg": "JPEG", ".bmp": "BMP"}[path.suffix.lower()])
