"""Bars for every kind of file: nothing run, small bombs, old versions, system calls, checksums."""

from __future__ import annotations

import io
import os
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest

import dovetail as dv
from dovetail import nn
from dovetail.errors import FormatError
from dovetail.io.checkpoint import Checkpointer
from dovetail.io.container import HEADER_LIMIT
from tests.support.figures import note

from .measured import SEEDS, headed, peak

GOLDEN = Path(__file__).with_name("golden")


def sources(folder: Path) -> dict[str, Path]:
    """One file of every kind that `load` reads."""
    dv.save({"w": dv.ones(2), "n": (1, 2.5)}, folder / "own.dvt")
    (folder / "other.safetensors").write_bytes(SEEDS[0])
    np.savez(folder / "a.npz", w=np.ones(3))
    np.savez_compressed(folder / "b.npz", w=np.ones(3))
    with Checkpointer(folder / "run") as run:
        kept = run.save({"model": nn.Linear(2, 2)})
    torch = Path(__file__).with_name("torch_files")
    return {p.name: p for p in (*folder.glob("*.*"), kept, torch / "plain.pth", torch / "plain.legacy.pth", *GOLDEN.glob("*values.dvt"))}


WATCHED = ("exec", "compile", "pickle.find_class", "subprocess.Popen", "os.system", "socket.connect", "ctypes.dlopen", "import")


@pytest.mark.figures
def test_nothing_is_run(tmp_path):
    """S8: of every kind of file, after one load of each."""
    files, heard = sources(tmp_path), None
    ways = [(path, mapped) for path in files.values() for mapped in (False, True) if not (mapped and "legacy" in path.name)]

    def listen(event, arguments):
        if heard is not None and event in WATCHED:
            heard.append((event, arguments[:1]))

    for path, mapped in ways:
        dv.load(path, mmap=mapped)
    sys.addaudithook(listen)
    heard = []
    compile("1", "", "eval")
    assert heard
    heard.clear()
    for path, mapped in ways:
        dv.load(path, mmap=mapped)
    events, heard = list(heard), None
    note("S8", f"audit events of {len(WATCHED)} kinds in {len(ways)} loads of {len(files)} files", len(events), "0")
    assert not events


@pytest.mark.figures
def test_small_files_that_declare_much(tmp_path):
    """S11: none costs memory or time."""
    bombs = {}
    for i, shape in enumerate(["[1000000000]", "[40000,40000]", "[18446744073709551615]", "[1000000000,0,1]"]):
        for dtype in ("F32", "U8"):
            bombs[f"safetensors {i} {dtype}"] = headed(
                f'{{"a":{{"dtype":"{dtype}","shape":{shape},"data_offsets":[0,4000000000]}}}}', bytes(8)
            )
    for n in (2**30, 2**62, HEADER_LIMIT):
        bombs[f"header {n}"] = n.to_bytes(8, "little") + b"{" + bytes(100)
    for descr, shape in (
        ("<f4", "(1000000000,)"),
        ("|u1", "(40000, 40000)"),
        ("<f8", "(9999999999999999999,)"),
        ("<c16", "(1000000, 1000000)"),
    ):
        out = io.BytesIO()
        text = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
        with zipfile.ZipFile(out, "w") as file:
            file.writestr("a.npy", b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text)
        bombs[f"npz {shape}"] = out.getvalue()
    torch = (Path(__file__).with_name("torch_files") / "plain.pth").read_bytes()
    for at in range(5):
        place = torch.rfind(b"PK\x01\x02", 0, len(torch) - at * 60)
        bombs[f"pth {at}"] = torch[: place + 20] + b"\xff\xff\xff\x7f" * 2 + torch[place + 28 :]
    before, path = peak(), tmp_path / "bomb"
    for name, data in bombs.items():
        path.write_bytes(data)
        start = time.monotonic()
        for mapped in (False, True):
            with pytest.raises(FormatError):
                dv.load(path, mmap=mapped)
        assert time.monotonic() - start < 1, name
    grown = (peak() - before) // 1024
    note(
        "S11",
        f"files of {max(map(len, bombs.values())):,} bytes at most that declare ≥ 1 GB: refused, RSS +{grown} MB",
        f"{len(bombs)} of {len(bombs)}",
        "20",
    )
    assert len(bombs) >= 20 and grown < 64


@pytest.mark.figures
def test_files_of_earlier_versions_load():
    """R9: the files in golden/, written by the versions that they name."""
    files = sorted(GOLDEN.glob("*.dvt"))
    for path in files:
        assert path.stat().st_size < 200_000
        if "module" in path.name:
            module = dv.load(path, into=nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2)))
            assert module[1].num_batches_tracked == 1
            continue
        found = dv.load(path)
        values = found.get("state", found)
        assert values["epoch"] == 4 and values["model"]["0.weight"].shape == (2, 3) and values["optimizer"]["state"][0]["step"] == 1
        if "values" in path.name:
            assert values["rates"] == (0.5, float("inf")) and values["raw"] == b"xy" and values["set"] == {1, 2} and values["é"] is None
            assert values["z"].tolist() == [1 + 2j] and values["h"].dtype == dv.bfloat16
    assert {path.name[:3] for path in files} == {"0.1", "0.2"}
    note("R9", "files of versions 0.1 and 0.2 that load", f"{len(files)} of {len(files)}", "all")


@pytest.mark.figures
def test_every_writer_calls_in_the_same_order(tmp_path, monkeypatch):
    """R2: file fsync, rename, folder fsync; the mode follows the umask."""
    from dovetail.io import atomic, pins

    calls: list[str] = []
    for name in ("fsync", "replace"):
        real = getattr(os, name)
        monkeypatch.setattr(atomic.os, name, lambda *a, name=name, real=real: (calls.append(name), real(*a))[1])
    monkeypatch.setenv("DOVETAIL_OFFLINE", "")
    from dovetail.io.download import download

    (tmp_path / "source").write_bytes(b"x")
    run = Checkpointer(tmp_path / "run")
    writers = {
        "save": lambda: dv.save({"w": dv.ones(2)}, tmp_path / "f"),
        "Checkpointer": lambda: run.save({"w": dv.ones(2)}, wait=True),
        "pin": lambda: pins.pin("a/b", "https://x.org/y", "0" * 64, 3, tmp_path / "dovetail.lock"),
        "download": lambda: download((tmp_path / "source").as_uri(), tmp_path / "copy"),
    }
    old = os.umask(0o027)
    try:
        for name, write in writers.items():
            calls.clear()
            write()
            assert calls == ["fsync", "replace", "fsync"], name
    finally:
        os.umask(old)
    if os.name != "nt":
        made = [tmp_path / "f", run.latest(), tmp_path / "dovetail.lock", tmp_path / "copy"]
        assert [path.stat().st_mode & 0o777 for path in made] == [0o640] * 4
    note("R2", "writers that call fsync, rename, folder fsync, with the mode of the umask", f"{len(writers)} of {len(writers)}", "100 %")


@pytest.mark.parametrize("mb", [20, pytest.param(200, marks=pytest.mark.soak)])
def test_the_cost_of_checksums(tmp_path, monkeypatch, mb):
    """R5."""
    from dovetail.io import container

    state, spent = {f"w{i}": dv.rand(mb * 25_000) for i in range(10)}, [0.0]
    real = container._bytes

    def timed(a):
        start = time.perf_counter()
        found = container.crc32(real(a))
        spent[0] += time.perf_counter() - start
        return found

    shares = []
    for _ in range(3):
        start = time.perf_counter()
        dv.save(state, tmp_path / "f")
        dv.load(tmp_path / "f")
        whole, spent[0] = time.perf_counter() - start, 0.0
        for t in state.values():  # what saving and loading each compute once
            timed(t._a), timed(t._a)
        shares.append(spent[0] / whole)
    note("R5", f"share of checksums in the time of saving and loading {mb} MB", f"{min(shares):.1%}", "15 %")
    assert min(shares) < 0.5
