"""PyTorch's files give their values without PyTorch: types, memory that is shared, and what load() takes besides."""

from __future__ import annotations

import io
import subprocess
import sys
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest

import dovetail as dv
from dovetail import nn
from dovetail.errors import DeviceError, FormatError
from tests.support.cupy_standin import standin  # noqa: F401

from .torch_files.make import FOLDER, VALUES

SUFFIXES = ("pth", "legacy.pth")


def same(a, b):
    """Equal in value, class, type, strides and flags, all the way down."""
    assert type(a) is type(b), (a, b)
    if isinstance(a, dv.Tensor):
        assert (a.dtype, a.shape, a.requires_grad) == (b.dtype, b.shape, b.requires_grad)
        assert a.stride() == b.stride() or not a.numel()
        assert a.is_leaf or a.grad_fn is not None
        assert np.array_equal(a.detach().numpy(), b.detach().numpy(), equal_nan=a.dtype.is_floating_point)
    elif isinstance(a, dict):
        assert list(a) == list(b) and getattr(a, "_metadata", None) == getattr(b, "_metadata", None)
        for key in a:
            same(a[key], b[key])
    elif isinstance(a, list | tuple):
        assert len(a) == len(b)
        for x, y in zip(a, b, strict=True):
            same(x, y)
    else:
        assert a == b


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("name", VALUES)
def test_values(name, suffix):
    same(dv.load(FOLDER / f"{name}.{suffix}"), VALUES[name](dv))


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_shared_memory_is_shared(suffix):
    found = dv.load(FOLDER / f"views.{suffix}")
    assert found["base"] is found["again"]
    assert (found["part"].storage_offset(), found["step"].storage_offset(), found["image"].storage_offset()) == (5, 0, 0)
    found["base"][5] = 99
    assert found["part"][0] == found["cube"][0, 1, 1] == found["t"][1, 1, 0] == 99
    found["parameter"].sum().backward()
    assert found["parameter"].grad.tolist() == [1, 1] and found["base"].as_strided((2,), (1,), 4).tolist() == [4, 99]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_training_goes_on(suffix):
    found = dv.load(FOLDER / f"checkpoint.{suffix}", map_location="cpu", weights_only=True)
    assert type(found["model"]) is OrderedDict and found["model"]._metadata["1"] == {"version": 2}
    model = nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(8, 2))
    assert str(model.load_state_dict(found["model"])) == "<All keys matched successfully>"
    optimizer = dv.optim.SGD([{"params": model[0].parameters()}, {"params": model[3].parameters()}], lr=1, momentum=0)
    optimizer.load_state_dict(found["optimizer"])
    assert [g["lr"] for g in optimizer.param_groups] == [0.5, 0.25]
    assert optimizer.state_dict()["state"][0]["momentum_buffer"].shape == (2, 1, 1, 1)


def test_the_suffix_says_nothing(tmp_path):
    for name in ("net.safetensors", "net", "net.dvt"):
        (tmp_path / name).write_bytes((FOLDER / "views.pth").read_bytes())
        same(dv.load(tmp_path / name), VALUES["views"](dv))
    dv.save({"w": dv.ones(2)}, tmp_path / "ours.pth")
    assert dv.load(tmp_path / "ours.pth", weights_only=True)["w"].tolist() == [1, 1]


def test_into_a_module(tmp_path):
    model = nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(8, 2))
    state = dv.load(FOLDER / "checkpoint.pth")["model"]
    model.load_state_dict(state)
    with pytest.raises(RuntimeError, match="Missing key"):
        dv.load(FOLDER / "checkpoint.pth", into=model)


def test_streams():
    data = (FOLDER / "views.pth").read_bytes()
    same(dv.load(io.BytesIO(data)), VALUES["views"](dv))
    first, second = ((FOLDER / f"{name}.legacy.pth").read_bytes() for name in ("views", "plain"))
    stream = io.BytesIO(first + second)  # the older format can be read one after the other
    same(dv.load(stream), VALUES["views"](dv))
    assert stream.tell() == len(first)
    same(dv.load(stream), VALUES["plain"](dv))
    with open(FOLDER / "views.pth", "rb") as file:
        same(dv.load(file), VALUES["views"](dv))


def test_mapped(tmp_path):
    path = tmp_path / "views.pth"
    path.write_bytes((FOLDER / "views.pth").read_bytes())
    found = dv.load(path, mmap=True)
    same(found, VALUES["views"](dv))
    found["base"][5] = 99  # in this process only
    assert found["part"][0] == 99 and dv.load(path)["base"][5] == 5
    with pytest.raises(ValueError, match="f must be a file path in order to use the mmap argument"):
        dv.load(io.BytesIO(path.read_bytes()), mmap=True)
    with pytest.raises(RuntimeError, match="format before 1.6, which cannot be mapped; leave mmap out"):
        dv.load(FOLDER / "views.legacy.pth", mmap=True)


def on_cuda(tmp_path, name="views.pth"):
    data = (FOLDER / name).read_bytes()
    path = tmp_path / name
    path.write_bytes(retold(data, b"X\x03\x00\x00\x00cpu", b"X\x06\x00\x00\x00cuda:7"))
    return path


def retold(data, old, new):
    """A zip file of PyTorch's with its pickle changed."""
    import zipfile

    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as archive, zipfile.ZipFile(out, "w") as changed:
        for name in archive.namelist():
            text = archive.read(name)
            changed.writestr(name, text.replace(old, new) if name.endswith("data.pkl") else text)
    return out.getvalue()


def test_map_location(tmp_path):
    path, seen = on_cuda(tmp_path), []
    with pytest.raises(DeviceError, match=r"lay on 'cuda:7', which is not here .*; load them on the CPU with map_location"):
        dv.load(path)
    for where in ("cpu", dv.device("cpu"), {"cuda:7": "cpu"}, {"cuda:7": dv.device("cpu")}, lambda storage, place: storage):
        same(dv.load(path, map_location=where), VALUES["views"](dv))

    def placed(storage, place):
        seen.append((place, tuple(storage.shape)))
        return storage * 2

    assert dv.load(path, map_location=placed)["part"].tolist() == [10, 12, 14, 16]
    assert seen[0] == ("cuda:7", (24,))
    with pytest.raises(DeviceError, match="lay on 'cuda:7'"):
        dv.load(path, map_location=lambda storage, place: None)


def test_strings_of_python_2(tmp_path):
    text = b"\x80\x02}U\x03keyU\x02\xe4bs."
    path = tmp_path / "old.pth"
    path.write_bytes(zipped(text))
    with pytest.raises(FormatError, match="can't decode byte 0xe4"):
        dv.load(path)
    assert dv.load(path, encoding="latin1") == {"key": "äb"} and dv.load(path, encoding="bytes") == {b"key": b"\xe4b"}


def zipped(text):
    import zipfile

    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in (("old/data.pkl", text), ("old/version", b"3\n")):
            archive.writestr(name, data)
    return out.getvalue()


def test_a_whole_module_says_what_to_do():
    with pytest.raises(
        FormatError,
        match=r"module.pth at byte \d+: names 'torch.nn.modules.linear.Linear', which is not among what tensors and plain values need, "
        r"and is not run; with PyTorch, save the module's state_dict\(\) \(or plain values\) instead of the object, and load that file",
    ) as caught:
        dv.load(FOLDER / "module.pth", weights_only=False)
    assert caught.value.path == str(FOLDER / "module.pth") and caught.value.offset > 64


def test_it_needs_neither_pytorch_nor_pickle():
    code = f"""
import sys, dovetail as dv  # NumPy itself imports pickle
names = {{"torch", "pickle", "_pickle", "pickletools", "marshal"}}
class Refused:
    def find_spec(self, name, *rest):
        assert name not in names, name
sys.meta_path.insert(0, Refused())
for name in names:
    sys.modules.pop(name, None)
assert len(dv.load({str(FOLDER / "views.pth")!r})) == len(dv.load({str(FOLDER / "views.legacy.pth")!r}))
assert not names & set(sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    sources = [path.read_text() for path in Path(dv.io.__file__).parent.glob("*.py")]
    assert len(sources) > 5 and not any(f"import {name}" in text for text in sources for name in ("pickle", "pickletools", "marshal"))


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_tensors_go_to_a_gpu_with_their_memory(standin, suffix):
    found, want = dv.load(FOLDER / f"views.{suffix}", map_location="cuda:0"), VALUES["views"](dv)
    for name, t in found.items():
        assert t.device == dv.device("cuda", 0) and (t.stride(), t.requires_grad) == (want[name].stride(), want[name].requires_grad)
        assert np.array_equal(t.detach().cpu().numpy(), want[name].detach().numpy())
    found["base"][5] = 99
    assert found["part"][0].item() == found["cube"][0, 1, 1].item() == 99
    assert {t.device.type for t in dv.load(FOLDER / f"dtypes.{suffix}", map_location=lambda t, place: t.cuda()).values()} == {"cuda"}
