"""Truncated, edited and hostile files: a FormatError that names the file, or the value as it was; never another error."""

from __future__ import annotations

import json
import random
import zlib

import numpy as np
import pytest
from safetensors.numpy import save as pack

import dovetail as dv
from dovetail.errors import FormatError, UnknownNameError
from dovetail.io.container import checksum

VALUE = {"epoch": 3, "note": "kept", "w": dv.arange(12.0).reshape(3, 4), "i": dv.tensor([1, 2, 3]), "pair": (1.5, [None, True])}


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "run.dvt"
    dv.save(VALUE, path)
    return path


def text_of(value):
    return repr({k: v.tolist() if isinstance(v, dv.Tensor) else v for k, v in value.items()})


def check(path, data):
    """Load the bytes: True where they are refused; anything but the right value fails."""
    path.write_bytes(data)
    try:
        value = dv.load(path)
    except FormatError as error:
        assert str(path) in str(error)
        return True
    assert text_of(value) == text_of(VALUE)
    return False


def test_every_truncation_is_refused(file):
    data = file.read_bytes()
    assert all(check(file, data[:n]) for n in range(len(data)))


def test_every_flipped_bit_is_refused(file):
    data = file.read_bytes()
    accepted = []
    for at in range(len(data)):
        changed = bytearray(data)
        changed[at] ^= 1 << (at % 8)
        if not check(file, bytes(changed)):
            accepted.append(at)
    assert not accepted, f"loaded with a bit changed at {accepted}"


@pytest.mark.parametrize("cases", [300, pytest.param(20_000, marks=pytest.mark.soak)])
def test_random_damage(file, cases):
    data, draw = file.read_bytes(), random.Random(1)
    for _ in range(cases):
        changed = bytearray(data)
        for _ in range(draw.randrange(1, 5)):
            at, n = draw.randrange(len(data)), draw.randrange(1, 30)
            match draw.randrange(4):
                case 0:
                    del changed[at : at + n]
                case 1:
                    changed[at:at] = draw.randbytes(n)
                case 2:
                    changed[at : at + n] = draw.randbytes(n)
                case 3:
                    changed[at : at + n] = changed[:n]
        check(file, bytes(changed))


@pytest.mark.parametrize(
    "old, new",
    [(b'"F32","shape":[3,4]', b'"F32","shape":[4,3]'), (b'"dtype":"F32"', b'"dtype":"I32"'), (b'"dtype":"I64"', b'"dtype":"F64"')],
)
def test_a_changed_type_or_shape_is_seen(file, old, new):
    data = file.read_bytes()
    assert old in data
    file.write_bytes(data.replace(old, new))
    with pytest.raises(FormatError, match=r"run.dvt: tensor '.' does not match its checksum; the file was changed after it was written"):
        dv.load(file)


def test_renamed_metadata_does_not_make_it_a_foreign_file(file):
    for old, new in ((b'"dovetail"', b'"dovetaim"'), (b'"dovetail.crc32"', b'"dovetail.crc33"')):
        file.write_bytes(file.read_bytes().replace(old, new))
        with pytest.raises(FormatError, match="checksum"):
            dv.load(file)
        dv.save(VALUE, file)


@pytest.mark.parametrize(
    "data, text",
    [
        (b"", "has 0 bytes, which is too short for a safetensors file; was it cut off"),
        (b"hello, world, this is no model", "the file is cut off or not safetensors"),
        (b"PK\x03\x04" + bytes(40), "is not a whole zip archive"),
        (b"\x80\x02}q\x00.", "is a pickle, but not one that torch.save wrote"),
        (b"\x80\x04\x95\x00\x00\x00\x00\x00\x00\x00\x00}.", "is a pickle, but not one that torch.save wrote"),
        ((2**62).to_bytes(8, "little") + b"{}", "declares a header of 4611686018427387904 bytes but has only 2 after it"),
        ((2).to_bytes(8, "little") + b"[]", "has no header that begins with"),
        ((7).to_bytes(8, "little") + b'{"a":1}', "is not a whole safetensors file"),
        (
            (54).to_bytes(8, "little") + b'{"a":{"dtype":"F4","shape":[2],"data_offsets":[0,1]}} ' + b"x",
            "element type F4; expected one of BOOL",
        ),
        ((2).to_bytes(8, "little") + b"{}" + b"more", "is not a whole safetensors file"),
    ],
)
def test_other_files(file, data, text):
    file.write_bytes(data)
    with pytest.raises(FormatError, match=text) as caught:
        dv.load(file)
    assert caught.value.path == str(file)


def test_a_header_whose_length_looks_like_a_pickle(tmp_path):
    """640 is 0x280: the first bytes of the file are then those of a pickle of protocol 2."""
    path = tmp_path / "f"
    for pad in range(1000):
        path.write_bytes(pack({"a": np.ones(1)}, {"pad": "x" * pad}))
        if path.read_bytes()[:2] == b"\x80\x02":
            break
    assert path.read_bytes()[:2] == b"\x80\x02" and dv.load(path)["a"].tolist() == [1]


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(FileNotFoundError):
        dv.load(tmp_path / "no.dvt")
    with pytest.raises(FormatError, match="is a folder; expected a file that dovetail.save wrote"):
        dv.load(tmp_path)


def forged(head, arrays=None):
    """A file with right checksums and a tree of the attacker's."""
    arrays = {"t": np.ones(2, np.float32), "i": np.ones(2, np.int64)} if arrays is None else arrays
    text = head if isinstance(head, str) else json.dumps({"version": 1, "kind": "value", **head})
    checks = {"": zlib.crc32(text.encode()), **{k: checksum(a) for k, a in arrays.items()}}
    return pack(arrays, {"dovetail": text, "dovetail.crc32": json.dumps(checks)})


def kind(name, value, **more):
    return {"tree": {"$": name, "v": value, **more}}


def nested(depth):
    return "[" * depth + "]" * depth


TREES = [
    *(kind("code", "os.system"), kind("tensor", "gone"), kind("tensor", 3), kind("tensor", "i", requires_grad=True), kind(["a"], 1)),
    *(
        kind("float", "x"),
        kind("float", None),
        kind("complex", ["1"]),
        kind("complex", {}),
        kind("tuple", 3),
        kind("set", [[1]]),
        kind("set", None),
    ),
    *(
        kind("size", ["x"]),
        kind("size", [1e400]),
        kind("dict", [[1]]),
        kind("dict", [[[1], 2]]),
        kind("dict", 5),
        kind("ordered", {"a": 1}),
        kind("namespace", [["a", 1]]),
        kind("deque", ["many", 1]),
        kind("deque", [-1, 1]),
        kind("deque", []),
    ),
    *(kind("bytes", "!!"), kind("bytes", 3), kind("bytearray", [1]), kind("dtype", "object"), kind("dtype", ["x"]), kind("dtype", None)),
    *(kind("device", "moon"), kind("device", ["cpu"]), kind("device", None), kind(None, None), {"tree": {"$": "tensor"}}),
    *(kind("ordered", [], metadata={"": 5}), kind("ordered", [], metadata={"": {}}), kind("ordered", [], metadata={"": {"version": []}})),
    *(
        {"kind": "module", "tree": {}},
        {"kind": "module", "model": 3, "tree": {}},
        {"kind": "other"},
        {"version": 99},
        {"version": "1"},
        {"version": True},
    ),
    *(
        {"kind": "module", "model": "vision/digits_cnn", "config": [], "tree": {}},
        {"kind": "module", "model": "vision/digits_cnn", "tree": {}},
    ),
    *(
        {"kind": "module", "model": "vision/digits_cnn", "config": c, "tree": {}}
        for c in ({"width": "x"}, {"no": 1}, {"width": -1}, {"weights": "v1"})
    ),
    *(
        {"kind": "module", "model": "vision/digits_cnn", "config": {"width": 1}, "tree": t}
        for t in (None, [], {"fc.bias": 3}, {"fc.bias": None})
    ),
    *("not json", "[]", "null", "3", nested(100_000), '{"version":1,"kind":"value","tree":' + nested(5000) + "}", "1" * 5000),
]


@pytest.mark.parametrize("head", TREES, ids=range(len(TREES)))
def test_forged_trees(file, head):
    file.write_bytes(forged(head))
    with pytest.raises(FormatError, match="run.dvt"):
        dv.load(file)


def test_an_unknown_model_says_what_to_install(file):
    file.write_bytes(forged({"kind": "module", "model": "vision/resnet9000", "config": {}, "tree": {}}))
    with pytest.raises(
        UnknownNameError, match=r"load\('.*run.dvt'\): its model cannot be built: .*brings 'vision/resnet9000'.* saved with version None"
    ):
        dv.load(file)
    file.write_bytes(forged({"kind": "module", "model": "weather/net", "config": {}, "tree": {}, "plugin": "0.3.1"}))
    with pytest.raises(
        UnknownNameError,
        match=r"keys weather/… belong to the distribution dovetail-weather .* saved with version 0.3.1 of its plugin; here is none",
    ):
        dv.load(file)


def test_forged_checksums(file):
    arrays = {"t": np.ones(2, np.float32)}
    for checks in ("null", "[]", "{}", '{"":0}', '{"":0,"t":0}', '{"":"x","t":"y"}', "nonsense", "[" * 100_000):
        file.write_bytes(pack(arrays, {"dovetail": "{}", "dovetail.crc32": checks}))
        with pytest.raises(FormatError, match="checksum"):
            dv.load(file)
