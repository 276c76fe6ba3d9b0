"""Checkpointer: what is kept and restored, what a failing disk does, and every damaged byte that is seen."""

from __future__ import annotations

import errno
import fcntl
import gc
import io
import os
import random
import re
import resource
import subprocess
import sys
import threading
import time
import warnings

import numpy as np
import pytest
from safetensors.numpy import load_file

import dovetail as dv
from dovetail import nn
from dovetail.errors import FormatError
from dovetail.io import atomic, checkpoint, store
from dovetail.io.checkpoint import Checkpointer, about
from tests.support.figures import note


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_the_newest_and_the_best_stay(tmp_path):
    told = []
    with Checkpointer(tmp_path / "new" / "run", keep=2, best="acc", mode="max", on_saved=lambda path, state: told.append(path)) as run:
        assert run.latest() is None and run.best() is None and run.restore({}) is None
        for step, acc in enumerate([0.1, 0.9, float("nan"), 0.9, 0.3]):
            path = run.save({"w": dv.full((3,), step)}, step=step * 10, metrics={"acc": acc}, wait=True)
            assert run.latest() == path and told[-1] == path and path.is_file()
        assert names(run.dir) == ["000002-step-10.dvt", "000004-step-30.dvt", "000005-step-40.dvt"]
        assert run.best().name == "000002-step-10.dvt" and about(run.best()) == {"step": 10, "metrics": {"acc": 0.9}, "tensors": 4}
    again = Checkpointer(run.dir, keep=2, best="acc", mode="max")  # the next process
    assert again.best() == run.best() and again.latest() == run.latest()
    assert again.save({"w": dv.ones(1)}, step=5).name == "000006-step-5.dvt"  # further back than before: it is the newest all the same
    again.close()
    assert again.latest().name == "000006-step-5.dvt" and again.restore()["step"] == 5
    assert load_file(again.latest())["state.w"].tolist() == [1]


def test_restore_gives_values_and_refuses_what_does_not_fit(tmp_path):
    run, model = Checkpointer(tmp_path), nn.Linear(2, 2)
    run.save({"model": model, "epoch": 3, "seen": [1, (2.5, None)]}, metrics={"loss": 1}, wait=True)
    other = nn.Linear(2, 2)
    assert run.restore({"model": other}) == {"epoch": 3, "seen": [1, (2.5, None)], "step": 1, "metrics": {"loss": 1.0}}
    assert (other.weight == model.weight).all()
    for call, error, text in (
        (lambda: run.restore({"optimizer": other}), KeyError, "has no 'optimizer'; it has 'model', 'epoch', 'seen'"),
        (lambda: run.restore({"epoch": 3}), TypeError, "Checkpointer.restore: 'epoch' is int; expected what has a load_state_dict"),
        (lambda: run.save([model]), TypeError, "Checkpointer.save: state is list; expected a dict of names"),
        (lambda: run.save({"f": object()}), TypeError, "cannot save state.f of type builtins.object"),
        (lambda: run.save({}, step=-1), ValueError, "Checkpointer.save: step is -1; expected 0 or more"),
        (lambda: Checkpointer(tmp_path, keep=0), ValueError, "Checkpointer: keep is 0; expected at least 1, or None for all"),
        (lambda: Checkpointer(tmp_path, mode="least"), ValueError, "Checkpointer: mode is 'least'; expected 'min' or 'max'"),
    ):
        with pytest.raises(error) as caught:
            call()
        assert text in str(caught.value)
    dv.save(1, tmp_path / "plain")
    with pytest.raises(FormatError, match="is no checkpoint of a Checkpointer; read it with dovetail.load"):
        run.restore({}, tmp_path / "plain")
    dv.save({"a": dv.ones(2), "b": dv.ones(3)}, tmp_path / "two")
    dv.save(dv.ones(2), tmp_path / "one")
    for name, held in (("plain", "0 tensors"), ("one", "1 tensor"), ("two", "2 tensors")):
        with pytest.raises(FormatError) as caught:
            about(tmp_path / name)
        assert caught.value.reason == f"is no checkpoint of a Checkpointer (it holds {held}); read it with dovetail.load"


def test_random_numbers_go_on(tmp_path):
    def draw():
        return dv.randn(5).tolist(), random.gauss(0, 1), np.random.rand(3).tolist(), dv.randperm(9).tolist()

    random.gauss(0, 1)
    run = Checkpointer(tmp_path)
    run.save({}, wait=True)
    expected = draw()
    run.restore()
    assert draw() == expected
    run.restore(rng=False)
    assert draw() != expected


@pytest.mark.figures
def test_a_change_after_the_call_is_not_in_the_file(tmp_path):
    """R6: the parameters change while the thread has not yet begun to write."""
    cases, held = 200, threading.Event()
    write = store.write_gathered

    def late(*args, **options):
        held.wait(5)
        write(*args, **options)

    module = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 8))
    run, right = Checkpointer(tmp_path, keep=1), 0
    checkpoint.write_gathered = late
    try:
        for i in range(cases):
            held.clear()
            with dv.no_grad():
                for p in module.parameters():
                    p.fill_(i)
            path = run.save({"model": module})
            with dv.no_grad():
                for p in module.parameters():
                    p.add_(1)
            held.set()
            run.wait()
            right += all((t == i).all().item() for t in dv.load(path)["state"]["model"].values())
    finally:
        checkpoint.write_gathered = write
    note("R6", "files that hold the state at the call, changed right after it", f"{right} of {cases}", "200 of 200")
    assert right == cases


@pytest.mark.figures
def test_the_call_takes_the_time_of_a_copy(tmp_path):
    value, before = dv.ones(8_000_000), dv.get_num_threads()
    other, run = value.numpy().copy(), Checkpointer(tmp_path, keep=1)
    run.save({"w": value}, wait=True)
    dv.set_num_threads(os.cpu_count() or 1)  # as in a training; `make soak` runs the other tests on one thread
    pauses, copies = [], []
    calls = [(pauses, lambda: run.save({"w": value})), (copies, lambda: np.copyto(other, value.numpy()))]
    for turn in range(16):  # what comes second finds the array in the caches, so they take turns
        for times, call in calls[:: 1 if turn % 2 else -1]:
            run.wait()
            start = time.perf_counter()
            call()
            times.append(time.perf_counter() - start)
    dv.set_num_threads(before)
    note("R6", "pause of a save of 32 MB on all cores, in copies of its memory on one", round(min(pauses) / min(copies), 2), "1.2")
    assert min(pauses) < 10 * min(copies) + 0.005  # machines that do other things at the same time


class Broken:
    """A file whose n-th call fails."""

    def __init__(self, file, left, error):
        self.file, self.left, self.error = file, left, error

    def __getattr__(self, name):
        return getattr(self.file, name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()

    def write(self, data):
        self.left -= 1
        if self.left < 0:
            self.file.write(bytes(data)[: len(data) // 2])
            raise OSError(self.error, os.strerror(self.error))
        return self.file.write(data)


POINTS = [(kind, at) for kind in ("ENOSPC", "EIO", "EROFS", "EDQUOT") for at in ("open", "fsync", "replace", *range(8))] + [
    ("FSIZE", n) for n in (0, 100, 1000, 5000, 20_000, 39_000)
]


@pytest.mark.figures
@pytest.mark.parametrize("kind, at", POINTS)
def test_a_failing_disk_leaves_the_old_one(tmp_path, monkeypatch, kind, at):
    """R3."""
    run = Checkpointer(tmp_path, keep=1)
    state = {f"w{i}": dv.full((2000,), float(i)) for i in range(5)}
    old = run.save(state, wait=True)
    with monkeypatch.context() as patch:
        code = getattr(errno, kind, 0)
        patch.setattr(checkpoint, "_PIECE", 4096)  # so that a small file is written by many calls

        def fail(*_, **__):
            raise OSError(code, os.strerror(code))

        if kind == "FSIZE":
            limits = resource.getrlimit(resource.RLIMIT_FSIZE)
            resource.setrlimit(resource.RLIMIT_FSIZE, (at, limits[1]))
        elif at.__class__ is str:
            patch.setattr(atomic.os, at, fail)
        else:
            patch.setattr(checkpoint, "open", lambda path, mode, _: Broken(io.FileIO(path, mode), at, code), raising=False)
        try:
            run.save(state)
            with pytest.raises(OSError):
                run.wait()
        finally:
            if kind == "FSIZE":
                resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert names(tmp_path) == [old.name] and run.restore()["w4"][0] == 4
    run.save(state, wait=True)
    assert len(names(tmp_path)) == 1
    note("R3", f"{kind} at {at}", "old checkpoint whole, OSError, nothing left", "50 points")


def full(*_, **__):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


LOST = r"Checkpointer: .*No space left on device \(while .*000001-step-1.dvt was written\); wait\(\) or close\(\) at the end would"


def test_an_error_that_no_call_raised_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "write_gathered", full)
    run = Checkpointer(tmp_path)
    run.save({"w": dv.ones(1)})
    run._thread.join()
    with pytest.warns(UserWarning, match=LOST):
        del run
        gc.collect()
    run = Checkpointer(tmp_path)
    run.save({"w": dv.ones(1)})
    with pytest.raises(OSError, match="No space left") as caught:
        run.close()
    assert caught.value.__notes__ == [f"while {tmp_path / '000001-step-1.dvt'} was written"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run.close()  # it was said once
        del run
        gc.collect()


def test_an_error_after_the_last_line_of_a_program_is_said(tmp_path):
    code = "import sys, dovetail as dv; from dovetail.io import checkpoint; from tests.train.test_checkpointer import full\n"
    code += "checkpoint.write_gathered = full; run = checkpoint.Checkpointer(sys.argv[1]); run.save({'w': dv.ones(2)})"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], env=environment, capture_output=True, text=True, check=False)
    assert re.search(LOST, done.stderr), done.stderr


SIZES = [0, 1, 4095, 4096, 12_288, (1 << 22) - 4096, 1 << 22, (1 << 22) + 1, 9_000_001]


@pytest.mark.parametrize("cached", [False, True, "late"])
def test_an_image_makes_the_file(tmp_path, monkeypatch, cached):
    """What is written past the system's cache is what was given, and where that cannot be it goes through the cache."""
    path, draw, image = tmp_path / "f.dvt", np.random.default_rng(0), checkpoint._Image()

    class Picky(io.FileIO):
        def write(self, part):
            if fcntl.fcntl(self.fileno(), fcntl.F_GETFL) & os.O_DIRECT:
                raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
            return super().write(part[: 1 << 20])  # nor does it take all at once

    if cached is True:
        monkeypatch.delattr(os, "O_DIRECT", raising=False)
    for size in SIZES:
        state = {"bytes": draw.integers(0, 256, size, np.uint8), "none": np.empty((0, 3), np.float32)}
        state |= {"pairs": draw.random((size // 4096, 3)).T + 1j, "scalar": np.array(2.5), "half": draw.random(5).astype(np.float16)}
        arrays, text = checkpoint.gather({name: dv.from_numpy(a) for name, a in state.items()}, lambda a: a)
        with Picky(path, "wb") if cached == "late" else open(path, "wb", 0) as file:
            image.put(file, image.take(arrays), text)
        found = dv.load(path)
        assert found.keys() == state.keys() and all((found[name].numpy() == a).all() for name, a in state.items())
        assert "pairs#complex128" in load_file(path) and store.verify(path)["sealed"]


def test_other_errors_of_a_disk_come_through(tmp_path):
    image = checkpoint._Image()
    arrays, text = checkpoint.gather({"w": dv.ones(2000)}, lambda a: a)
    with open(tmp_path / "f", "wb", 0) as file, pytest.raises(OSError, match="Invalid argument"):
        image.put(Broken(file, 0, errno.EINVAL), image.take(arrays), text)


def damaged(data: bytes, draw: random.Random, kind: str) -> bytes | None:
    out = bytearray(data)
    if kind == "flip":
        at = draw.randrange(len(out) * 8)
        out[at // 8] ^= 1 << at % 8
    elif kind == "cut":
        del out[draw.randrange(len(out)) :]
    else:
        size = draw.choice([16, 64, 512])
        a, b = (draw.randrange(len(out) // size) * size for _ in range(2))
        out[a : a + size], out[b : b + size] = out[b : b + size], out[a : a + size]
    return bytes(out) if out != data else None


@pytest.mark.parametrize("share", [10, pytest.param(1, marks=pytest.mark.soak)])
def test_bit_rot_is_seen(tmp_path, share):
    """R4, with a name that the header writes in two ways."""
    with Checkpointer(tmp_path) as run:
        path = run.save({"é": dv.randn(30, 30), "model": nn.Linear(20, 20), "flag": True, "text": "ü"})
    data, draw, bad = path.read_bytes(), random.Random(5), tmp_path / "bad.dvt"
    start = 8 + int.from_bytes(data[:8], "little")
    for kind, count in (("flip", 1000 // share), ("cut", 200 // share), ("swap", 200 // share)):
        seen = 0
        for _ in range(count):
            changed = None
            while changed is None:
                changed = damaged(data, draw, kind)
            bad.write_bytes(changed)
            with pytest.raises(FormatError) as caught:
                run.restore({}, bad)
            if kind != "cut" and changed[:start] == data[:start]:
                assert "tensor '" in str(caught.value)
            seen += 1
        note("R4", f"{kind}: seen when it is loaded", f"{seen} of {count}", "100 %")


def test_every_bit_of_the_header_counts(tmp_path):
    dv.save({"é": dv.ones(1), "a": "\n"}, tmp_path / "f")
    data = (tmp_path / "f").read_bytes()
    for bit in range(8 * (8 + int.from_bytes(data[:8], "little"))):
        out = bytearray(data)
        out[bit // 8] ^= 1 << bit % 8
        (tmp_path / "f").write_bytes(out)
        with pytest.raises(FormatError):
            dv.load(tmp_path / "f")


def test_mapped(tmp_path):
    """Own files and others', copy-on-write, without a second copy in memory; sizes that do not fit are refused as ever."""
    value = {
        "w": dv.randn(5, 3),
        "half": dv.ones(3, dtype=dv.bfloat16),
        "z": dv.tensor([1 + 2j], dtype=dv.complex128),
        "n": 3,
        "e": dv.ones(0),
    }
    dv.save(value, tmp_path / "own")
    found = dv.load(tmp_path / "own", mmap=True)
    assert found["n"] == 3 and all((found[k] == value[k]).all() for k in ("w", "half", "z", "e"))
    found["w"].zero_()
    assert (dv.load(tmp_path / "own")["w"] == value["w"]).all()
    from safetensors.numpy import save_file

    save_file({"a": np.arange(6, dtype=np.int16), "b": np.ones(2)}, tmp_path / "other")
    assert dv.load(tmp_path / "other", mmap=True)["a"].tolist() == list(range(6))
    (tmp_path / "other").write_bytes((tmp_path / "other").read_bytes()[:-1])
    with pytest.raises(FormatError, match="is not a whole safetensors file"):
        dv.load(tmp_path / "other", mmap=True)


def test_the_command(tmp_path):
    from click.testing import CliRunner

    from dovetail_train.checkpoint_command import checkpoint as command

    with Checkpointer(tmp_path) as run:
        for step in range(2):
            path = run.save({"w": dv.randn(1000)}, step=step, metrics={"loss": 0.5})
    ask = lambda *arguments: CliRunner().invoke(command, list(arguments))
    listed = ask("list", str(tmp_path))
    assert listed.exit_code == 0 and "000002-step-1.dvt" in listed.output and "loss 0.5" in listed.output
    dv.save({"w": dv.ones(2)}, tmp_path / "plain.dvt")
    listed = ask("list", str(tmp_path / "plain.dvt"))
    assert listed.exit_code == 0 and "is no checkpoint of a Checkpointer (it holds 1 tensor)" in " ".join(listed.output.split())
    assert "KeyError" not in listed.output
    assert ask("verify", str(tmp_path)).exit_code == 0
    data = bytearray(path.read_bytes())
    data[8 + int.from_bytes(data[:8], "little") + 9] ^= 4
    path.write_bytes(data)
    found = ask("verify", str(tmp_path))
    assert found.exit_code == 1 and "tensor 'state.w' does not match its checksum" in found.output and "every checksum fits" in found.output
    (tmp_path / "none").mkdir()
    assert "there is no .dvt file in" in ask("verify", str(tmp_path / "none")).output


def test_it_is_reached_without_an_import_of_its_own():
    code = "import dovetail as dv; print(dv.io.checkpoint.Checkpointer.__module__); dv.io.none"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout == "dovetail_train.checkpoint\n"
    assert "AttributeError: module 'dovetail.io' has no attribute 'none'" in done.stderr
