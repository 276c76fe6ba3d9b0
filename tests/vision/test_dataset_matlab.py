"""MATLAB files: read as SciPy reads them where they are whole, and refused within bounds where they are not."""

from __future__ import annotations

import random
import resource
import struct
import zlib

import numpy as np
import pytest

from dovetail.errors import FormatError
from dovetail_vision.datasets import tiny
from dovetail_vision.datasets._errors import DamagedFile, MissingFiles
from dovetail_vision.datasets._mat import read_mat
from tests.support.figures import note
from tests.vision.test_dataset_files import mutated

scipy_io = pytest.importorskip("scipy.io")

draw = np.random.RandomState(0)
CELL = np.empty((2, 2), object)
CELL[0, 0], CELL[0, 1], CELL[1, 0], CELL[1, 1] = np.eye(2), "text", np.zeros((0, 3)), np.array([[1 + 2j]])
RECORD = np.zeros((1, 3), [("name", object), ("value", object)])
for i in range(3):
    RECORD[0, i] = (f"n{i}", np.arange(i, dtype=np.int16)[None])
VALUES = {
    **{kind: (draw.rand(3, 4) * 90).astype(kind) for kind in ("u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8")},
    "complex": draw.rand(2, 3) + 1j * draw.rand(2, 3),
    "deep": draw.rand(2, 3, 4).astype(np.float32),
    "flag": np.array([[True, False]]),
    "text": "läuft",
    "texts": np.array(["ab", "cde"]),
    "nothing": np.zeros((0, 0)),
    "scalar": 3.5,
    "cell": CELL,
    "record": RECORD,
}


def same(mine, yours, where):
    assert mine.shape == yours.shape and mine.dtype.names == yours.dtype.names, where
    if yours.dtype.names:
        for name in yours.dtype.names:
            same(mine[name], yours[name], f"{where}.{name}")
    elif yours.dtype == object:
        for i, (a, b) in enumerate(zip(mine.reshape(-1), yours.reshape(-1), strict=True)):
            same(a, b, f"{where}[{i}]")
    else:
        assert mine.dtype.kind == yours.dtype.kind and mine.dtype.itemsize == yours.dtype.itemsize, (where, mine.dtype, yours.dtype)
        np.testing.assert_array_equal(mine, yours, where)


@pytest.mark.parametrize("packed", [False, True])
def test_read_as_scipy_reads(tmp_path, packed):
    from scipy.sparse import csc_array

    path = tmp_path / "a.mat"
    sparse = csc_array(np.array([[0, 2.5, 0], [1, 0, 0]]))
    scipy_io.savemat(path, {**VALUES, "sparse": sparse, "a_long_name_of_a_variable": 1}, do_compression=packed, oned_as="row")
    mine, yours = read_mat(path), scipy_io.loadmat(path)
    assert list(mine) == [name for name in yours if not name.startswith("__")]
    np.testing.assert_array_equal(mine.pop("sparse"), sparse.toarray())
    for name, value in mine.items():
        same(value, yours[name], name)
    mine["f8"][0, 0] = 1  # arrays are one's own


def element(kind: int, body: bytes) -> bytes:
    return struct.pack("<II", kind, len(body)) + body + b"\0" * (-len(body) % 8)


def matrix(flags: int, shape: tuple[int, ...], *parts: bytes) -> bytes:
    dims = element(5, np.array(shape, "<i4").tobytes())
    return element(14, element(6, struct.pack("<II", flags, 0)) + dims + element(1, b"a") + b"".join(parts))


def whole(body: bytes) -> bytes:
    return b"MATLAB 5.0 MAT-file".ljust(124) + b"\0\1IM" + body


NESTED = b""
for _ in range(30):
    NESTED = matrix(1, (1, 1), NESTED or matrix(6, (1, 1), element(9, bytes(8))))
HOSTILE = {
    "HDF5": (b"MATLAB 7.3 MAT-file".ljust(124) + b"\0\2IM", "it begins with b'MATLAB 7.3 MAT-file'"),
    "text": (b"hello", "it begins with b'hello'"),
    "a cell of 4 billion": (whole(matrix(1, (65536, 65536))), "4,294,967,296 arrays in 0 bytes"),
    "a record of 4 billion": (
        whole(matrix(2, (65536, 65536), element(5, b"\2\0\0\0"), element(1, b"a\0"))),
        "4,294,967,296 arrays in 0 bytes",
    ),
    "a text of 4 billion": (whole(matrix(4, (1, 2**31 - 1), element(16, b"abc"))), "cannot reshape array of size 3"),
    "numbers of other shape": (whole(matrix(6, (3, 3), element(9, bytes(8)))), "cannot reshape array of size 1"),
    "a sparse matrix of 4 billion": (
        whole(matrix(5, (65536, 65536), *(element(5, bytes(4)) for _ in range(2)), element(9, bytes(8)))),
        "a sparse matrix of shape",
    ),
    "a row beyond the end": (
        whole(matrix(5, (2, 1), element(5, b"\7\0\0\0"), element(5, b"\0\0\0\0\1\0\0\0"), element(9, bytes(8)))),
        "a sparse matrix with the row 7",
    ),
    "columns that do not fit": (
        whole(matrix(5, (2, 1), element(5, bytes(4)), element(6, b"\0\0\0\0\xff\xff\xff\xff"), element(9, bytes(8)))),
        "whose columns do not fit",
    ),
    "a bomb": (whole(element(15, zlib.compress(bytes(200_000_000)))), "it unpacks to more than 67,108,864 bytes"),
    "cut compression": (whole(element(15, zlib.compress(matrix(6, (1, 1), element(9, bytes(8))))[:-9])), "its compressed data are cut off"),
    "no compression": (whole(element(15, b"no data")), "incorrect header check"),
    "a negative shape": (whole(matrix(6, (-1, 1), element(9, b""))), r"an array of shape \(-1, 1\)"),
    "an object": (whole(matrix(17, (1, 1))), "is of class 17; arrays, cells, structs, texts and sparse matrices are read"),
    "nested": (whole(NESTED), "arrays lie more than 20 deep"),
    "cut": (whole(matrix(6, (1, 1), element(9, bytes(8)))[:-9]), "of which"),
    "no array": (whole(element(9, bytes(8))), "an element of type 9 where an array belongs"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files(tmp_path, name):
    data, text = HOSTILE[name]
    (tmp_path / "a.mat").write_bytes(data)
    with pytest.raises(DamagedFile, match=f"a.mat: is not a whole MATLAB file of version 5 .*{text}"):
        read_mat(tmp_path / "a.mat")
    with pytest.raises(MissingFiles, match="b.mat: Dataset not found"):
        read_mat(tmp_path / "b.mat")


@pytest.mark.figures
@pytest.mark.parametrize("cases", [400, pytest.param(20_000, marks=pytest.mark.soak)])
def test_mutated_files(tmp_path, cases):
    """SciPy 1.17 ends the process with some of these."""
    tiny.sbd(tmp_path), tiny.stanford_cars(tmp_path)
    scipy_io.savemat(
        tmp_path / "plain.mat", {key: value for key, value in scipy_io.loadmat(tmp_path / "cls/2008_000002.mat").items() if key[0] != "_"}
    )
    places = ("cls/2008_000002.mat", "plain.mat", "stanford_cars/devkit/cars_train_annos.mat", "stanford_cars/devkit/cars_meta.mat")
    files = [(tmp_path / place).read_bytes() for place in places]
    changes, refused, before = random.Random(2), 0, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for i in range(cases):
        path = tmp_path / f"{i % 50}.mat"
        path.unlink(missing_ok=True)
        path.write_bytes(mutated(files[i % len(files)], changes))
        try:
            assert isinstance(read_mat(path), dict)
        except FormatError as error:
            refused += str(path) in str(error)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    note("S5", "mutated MATLAB files that were read or refused by a FormatError", f"{cases} of {cases}, {refused} refused", "all")
    assert cases * 0.3 < refused < cases and grown < 200
