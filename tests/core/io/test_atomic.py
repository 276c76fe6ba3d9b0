"""Crash-safe writing: old or new after a kill at any point, no left-over after the next save, the order of the system calls."""

from __future__ import annotations

import os
import random
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import dovetail as dv
from dovetail.io import atomic
from dovetail.io.atomic import replacing

WRITER = """
import sys, dovetail as dv
path, step = sys.argv[1], 0
print("ready", flush=True)
while True:
    step += 1
    dv.save({"step": step, "weights": [dv.full((300_000,), float(step)) for _ in range(4)]}, path)
    print(step, flush=True)
"""


def temporaries(folder):
    return [p.name for p in folder.iterdir() if p.name.endswith(".tmp")]


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL is POSIX's")
@pytest.mark.parametrize("kills", [10, pytest.param(200, marks=pytest.mark.soak)])
def test_a_kill_leaves_the_old_file_or_the_new_one(tmp_path, kills):
    path, draw, left_over = tmp_path / "run.dvt", random.Random(0), 0
    for _ in range(kills):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True)
        assert writer.stdout.readline() == "ready\n" and writer.stdout.readline() == "1\n"
        time.sleep(draw.uniform(0, 0.05))
        writer.send_signal(signal.SIGKILL)
        done = int((["1", *writer.stdout.read().split()])[-1])
        writer.wait()
        state = dv.load(path)
        assert state["step"] in (done, done + 1)  # the last that it announced, or one that it had no time to
        assert all((w == state["step"]).all().item() for w in state["weights"])
        left_over += len(temporaries(tmp_path))
        assert len(temporaries(tmp_path)) <= 1
    assert left_over > 0, "no kill came while a file was being written: the test shows nothing"
    dv.save({"step": 0}, path)
    assert temporaries(tmp_path) == [] and dv.load(path) == {"step": 0}


def test_an_error_while_writing_keeps_the_old_file(tmp_path):
    path = tmp_path / "note"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt), replacing(path) as temporary:
        temporary.write_text("half")
        raise KeyboardInterrupt
    assert path.read_text() == "old" and temporaries(tmp_path) == []


def test_what_cannot_be_saved_leaves_nothing(tmp_path):
    with pytest.raises(TypeError, match="cannot save bad of type builtins.object"):
        dv.save({"good": dv.ones(2), "bad": object()}, tmp_path / "run.dvt")
    assert list(tmp_path.iterdir()) == []


def test_a_living_writer_s_file_is_left_alone(tmp_path):
    path = tmp_path / "note"
    with replacing(path) as first:
        with replacing(path) as second:
            second.write_text("second")
        assert first.exists() and path.read_text() == "second"
        first.write_text("first")
    assert path.read_text() == "first" and temporaries(tmp_path) == []


def test_left_overs_of_this_name_only_are_removed(tmp_path):
    mine, other, users = (tmp_path / n for n in (".note.0123456789ab.tmp", ".note.b.0123456789ab.tmp", ".note.mine.tmp"))
    for file in (mine, other, users):
        file.write_text("left")
    with replacing(tmp_path / "note") as temporary:
        temporary.write_text("new")
    assert not mine.exists() and other.exists() and users.exists()


@pytest.mark.skipif(os.name == "nt", reason="modes are POSIX's")
def test_modes(tmp_path):
    path = tmp_path / "note"
    before = os.umask(0o027)
    try:
        dv.save(1, path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
        path.chmod(0o604)
        dv.save(2, path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o604
    finally:
        os.umask(before)


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "real").mkdir()
    link = tmp_path / "latest"
    link.symlink_to(tmp_path / "real" / "run.dvt")
    dv.save(1, link)
    assert link.is_symlink() and dv.load(tmp_path / "real" / "run.dvt") == 1 == dv.load(link)


@pytest.mark.parametrize("name", ["a[1]*?.dvt", "ü 漢字", "x" * 250, ".hidden"])
def test_names(tmp_path, name):
    dv.save(1, tmp_path / name)
    dv.save(2, tmp_path / name)
    assert dv.load(tmp_path / name) == 2 and os.listdir(tmp_path) == [name]


def test_errors(tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError, match="cannot save: there is no such folder.*no'"):
        dv.save(1, tmp_path / "no" / "run.dvt")
    with pytest.raises(IsADirectoryError, match="cannot save: the path is a folder; add a file name"):
        dv.save(1, tmp_path)
    monkeypatch.chdir(tmp_path)
    dv.save(1, "here")
    assert dv.load("here") == 1


def test_the_order_of_the_system_calls(tmp_path, monkeypatch):
    calls = []

    def watch(name):
        real = getattr(os, name)

        def call(*args):
            what = args[0] if name == "replace" else os.readlink(f"/proc/self/fd/{args[0]}") if os.path.isdir("/proc/self/fd") else ""
            calls.append((name, Path(what).suffix or "folder"))
            return real(*args)

        monkeypatch.setattr(atomic.os, name, call)

    watch("fsync"), watch("replace")
    dv.save(dv.ones(3), tmp_path / "run.dvt")
    if os.path.isdir("/proc/self/fd"):
        assert calls == [("fsync", ".tmp"), ("replace", ".tmp"), ("fsync", "folder")]
    assert [name for name, _ in calls] == ["fsync", "replace", "fsync"]


@pytest.mark.parametrize("at", ["open", "fsync", "replace"])
def test_a_full_or_failing_disk(tmp_path, monkeypatch, at):
    path = tmp_path / "run.dvt"
    dv.save("old", path)

    def fail(*args, **kwargs):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(atomic.os, at, fail)
        with pytest.raises(OSError, match="No space left on device"):
            dv.save("new", path)
    assert dv.load(path) == "old" and temporaries(tmp_path) == []


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_is_written_into_and_stays_one(tmp_path) -> None:
    pipe, read = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    with replacing(pipe) as temporary:
        temporary.write_bytes(b"whole")
    reader.join(20)
    assert read == [b"whole"] and stat.S_ISFIFO(pipe.stat().st_mode) and [p.name for p in tmp_path.iterdir()] == ["pipe"]
