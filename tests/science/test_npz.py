"""NumPy's archives: what is read, and what is refused before it costs anything."""

from __future__ import annotations

import io
import random
import resource
import time
import zipfile

import numpy as np
import pytest

import dovetail as dv
from dovetail.errors import FormatError
from tests.support.figures import note

ARRAYS = {"w": np.arange(12.0, dtype=np.float32).reshape(3, 4), "f": np.asfortranarray(np.arange(6).reshape(2, 3)), "s": np.array(2.5),
          "e": np.ones((0, 3)), "big": np.arange(3, dtype=">i4"), "c": np.array([1 + 2j]), "b": np.array([True])}  # fmt: skip


@pytest.mark.parametrize("write", [np.savez, np.savez_compressed])
def test_arrays_are_read(tmp_path, write):
    write(tmp_path / "w.npz", **ARRAYS)
    found = dv.load(tmp_path / "w.npz")
    assert set(found) == set(ARRAYS)
    for name, a in ARRAYS.items():
        assert found[name].shape == a.shape and (found[name].numpy() == a).all() and found[name].is_contiguous(), name
    assert (dv.load(io.BytesIO((tmp_path / "w.npz").read_bytes()))["w"].numpy() == ARRAYS["w"]).all()
    linear = dv.nn.Linear(4, 3)
    np.savez(tmp_path / "m.npz", weight=np.ones((3, 4), np.float32), bias=np.ones(3, np.float32))
    assert dv.load(tmp_path / "m.npz", into=linear) is linear and linear.weight.sum().item() == 12


def member(head: bytes, data: bytes = b"", name: str = "a.npy", times: int = 1) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        for _ in range(times):
            with file.open(name, "w", force_zip64=False) as stream:
                stream.write(b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head)
                stream.write(data)
    return out.getvalue()


def head(descr="'<f4'", shape="(2,)", order="False") -> bytes:
    return f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}\n".encode()


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (member(head("'|O'"), b"x" * 8), "holds objects, fields or texts"),
        (member(head("[('a', '<f4')]"), b"x" * 8), "holds objects, fields or texts"),
        (member(head("__import__('os')"), b"x" * 8), "holds objects, fields or texts"),
        (member(head("'<U4'"), b"x" * 32), "holds objects, fields or texts"),
        (member(head("'<m8'"), b"x" * 16), "has the element type timedelta64"),
        (member(head(shape="(1000000000000,)"), b"x" * 8), "does not have the size that its archive says"),
        (member(head(shape="(-1,)"), b"x" * 8), "holds objects"),
        (member(head(shape="(1,)"), b"x" * 8), "does not have the size"),
        (member(head(), b"x" * 8)[:-30], "is not a whole zip archive"),
        (member(b"x" * 20), "holds objects"),
    ],
)
def test_what_is_refused(tmp_path, data, text):
    (tmp_path / "a.npz").write_bytes(data)
    with pytest.raises(FormatError, match=text):
        dv.load(tmp_path / "a.npz")


@pytest.mark.figures
def test_bombs(tmp_path):
    block, path = bytes(1 << 20), tmp_path / "bomb.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file, file.open("a.npy", "w", force_zip64=True) as stream:
        text = head("'|u1'", f"({1 << 30},)")
        stream.write(b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text)
        for _ in range(1 << 10):
            stream.write(block)
    assert path.stat().st_size < 2_000_000
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
    with pytest.raises(FormatError, match=r"declares 1,073,741,9\d\d bytes in"):
        dv.load(path)
    seconds, grown = time.monotonic() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    note("S11", "an .npz of 1 MB that declares 1 GB", f"refused, {seconds * 1e3:.0f} ms, +{grown // 1024} MB", "refused < 1 s, RSS +64 MB")
    assert seconds < 1 and grown < 64 << 10


@pytest.mark.parametrize("cases", [500, pytest.param(20_000, marks=pytest.mark.soak)])
def test_random_damage(tmp_path, cases):
    draw, path, refused = random.Random(3), tmp_path / "a.npz", 0
    for write in (np.savez, np.savez_compressed):
        write(path, **ARRAYS)
        whole = path.read_bytes()
        for _ in range(cases // 2):
            data = bytearray(whole)
            for _ in range(draw.randint(1, 4)):
                data[draw.randrange(len(data))] = draw.randrange(256)
            try:
                dv.load(io.BytesIO(data[: draw.choice([len(data), draw.randrange(10, len(data))])]))
            except FormatError:
                refused += 1
    note("S6", "mutated .npz files that are read or refused by a FormatError", f"{cases} of {cases}", "all, no other type")
    assert refused > cases // 2
