"""Checkpoints in parts: whole or absent, found damaged, and the same training on any number of ranks."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

import dovetail as dv
from dovetail.errors import FormatError
from dovetail_mpi import shards
from dovetail_mpi.checkpointer import ShardedCheckpointer
from dovetail_mpi.distributed import checkpoint
from tests.mpi.launching import PROGRAMS, environment, launch, needs_mpi, reports
from tests.support.figures import note


def put(stem: Path, tree: Any, ranks: int, mark: str = "00aa") -> None:
    """What so many ranks would write."""
    bare, tensors = shards.deal(tree, ranks)
    for rank in range(ranks):
        own = {str(i): t for i, (t, owner) in enumerate(tensors) if owner == rank}
        shards.write(stem, mark, rank, ranks, {"tree": bare if rank == 0 else None, "tensors": own})
    shards.commit(stem, mark, ranks, {"step": 1})


def some() -> dict[str, Any]:
    model = dv.nn.Sequential(dv.nn.Linear(3, 4), dv.nn.BatchNorm1d(4))
    return {"model": model.state_dict(), "n": [1, (2.5, "x")], "t": (dv.arange(5), None)}


def test_any_number_of_parts_is_the_same_whole(tmp_path: Path) -> None:
    tree = some()
    for ranks in (1, 2, 5):
        put(tmp_path / f"a{ranks}", tree, ranks)
        _, found, _ = shards.whole(tmp_path / f"a{ranks}")
        assert found["n"] == tree["n"] and dv.equal(found["t"][0], tree["t"][0]) and found["t"][1] is None
        assert list(found["model"]) == list(tree["model"]) and all(dv.equal(found["model"][k], v) for k, v in tree["model"].items())
    sizes = [path.stat().st_size for path in sorted(tmp_path.glob("a2.*.dvt"))]
    assert max(sizes) < sum(sizes)


@pytest.mark.parametrize("count", [100, pytest.param(1200, marks=pytest.mark.soak)])
def test_what_was_changed_is_found(tmp_path: Path, count: int) -> None:
    draw, stem = random.Random(count), tmp_path / "a"
    put(stem, some(), 3)
    files = [*sorted(tmp_path.glob("a.*.dvt")), shards.manifest(stem)]
    detected = 0
    for _ in range(count):
        path = draw.choice(files)
        before = path.read_bytes()
        data, at = bytearray(before), draw.randrange(len(before))
        kind = draw.random()
        if kind < 0.7:
            data[at] ^= 1 << draw.randrange(8)
        elif kind < 0.85:
            del data[at:]
        else:
            half = len(data) // 2
            data = data[half:] + data[:half]
        path.write_bytes(bytes(data))
        try:
            shards.whole(stem)
        except FormatError as error:
            detected += "a." in str(error)
        path.write_bytes(before)
    shards.whole(stem)
    note("R4", f"{count} changes of checkpoints in parts found, the file named", detected, str(count))
    assert detected == count


def test_parts_that_do_not_belong_together(tmp_path: Path) -> None:
    put(tmp_path / "a", some(), 2)
    put(tmp_path / "b", some(), 2, "00bb")
    (tmp_path / "a.00aa-1-of-2.dvt").write_bytes((tmp_path / "b.00bb-1-of-2.dvt").read_bytes())
    with pytest.raises(FormatError, match="a.00aa-1-of-2.dvt.*is a part of another checkpoint"):
        shards.whole(tmp_path / "a")
    (tmp_path / "b.00bb-0-of-2.dvt").unlink()
    with pytest.raises(FormatError, match="b.00bb-0-of-2.dvt.*is missing; the checkpoint is not whole without it"):
        shards.whole(tmp_path / "b")
    with pytest.raises(RuntimeError, match="1 of 2 parts did not come, the first b.00bb-0-of-2.dvt"):
        shards.commit(tmp_path / "b", "00bb", 2, {}, timeout=0.01)


def test_old_ones_and_leftovers_go(tmp_path: Path) -> None:
    model = dv.nn.Linear(2, 1)
    with ShardedCheckpointer(tmp_path, keep=2) as checkpoints:
        (tmp_path / "000001-step-9.dead-0-of-2.dvt").write_bytes(b"left by a kill")
        for step in range(4):
            assert checkpoints.save({"model": model}, step=step, metrics={"loss": 1.0}).name == f"{step + 1:06d}-step-{step}"
        checkpoints.wait()
        assert [path.name for path in checkpoints.paths()] == ["000003-step-2", "000004-step-3"]
        assert len(list(tmp_path.iterdir())) == 4
        with pytest.raises(KeyError, match="has no 'optimizer'; it has 'model'"):
            checkpoints.restore({"optimizer": model})
    with pytest.raises(TypeError, match="cannot save"), ShardedCheckpointer(tmp_path) as checkpoints:
        checkpoints.save({"model": object()})


def test_a_save_in_the_background_is_of_the_moment_of_the_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write, may, w = shards.write, threading.Event(), dv.ones(3)
    monkeypatch.setattr(shards, "write", lambda *arguments: may.wait(60) and write(*arguments))
    future = checkpoint.async_save({"w": w, "n": 1}, checkpoint_id=tmp_path / "a")
    w.mul_(7)
    assert not future.done() and not list((tmp_path / "a").iterdir())
    may.set()
    future.result(60)
    state = {"w": dv.zeros(3), "n": 0}
    checkpoint.load(state, checkpoint_id=tmp_path / "a")
    assert state["w"].tolist() == [1, 1, 1] and state["n"] == 1
    monkeypatch.setattr(shards, "write", lambda *arguments: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        checkpoint.async_save({"w": w}, checkpoint_id=tmp_path / "a").result(60)


def train(folder: Path, ranks: int, kills: int, steps: int, seed: int = 1) -> list[Any]:
    """Run a training with so many kills to its end; nothing of it is left running."""
    folder.mkdir(exist_ok=True)
    program = [str(PROGRAMS / "resuming.py"), str(folder), str(kills), str(seed), str(steps)]
    command = [sys.executable, "-m", "dovetail", "launch", "-n", str(ranks), "--oversubscribe", "--no-prefix", "--max-restarts", str(kills)]
    own = environment(DOVETAIL_CACHE=str(folder.with_suffix(".cache")))  # a kill while a plugin is imported is remembered there
    done = subprocess.run([*command, *program], capture_output=True, text=True, timeout=60 + 40 * kills, env=own, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (done.stdout + done.stderr).count("was killed by signal 9") == kills
    end = time.monotonic() + 5
    while left := running(str(folder)):
        assert time.monotonic() < end, left
    return reports(done.stdout)


def running(text: str) -> list[str]:
    """Processes with a text in their command line."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if text in path.read_bytes().decode(errors="replace"):
                found.append(path.parent.name)
        except OSError:
            pass
    return found


@needs_mpi
@pytest.mark.parametrize("kills", [1, pytest.param(30, marks=pytest.mark.soak)])
def test_a_training_that_is_killed_ends_as_one_that_is_not(tmp_path: Path, kills: int) -> None:
    found = train(tmp_path, 2, kills, 30, seed=3)
    calm, killed = ([report for report in found if report["kills"] == n] for n in (0, kills))
    assert len(calm) == len(killed) == 2, found
    for one, other in zip(calm, killed, strict=True):
        assert one["numbers"] == other["numbers"] and one["draw"] == other["draw"]
        assert {name.partition("-")[2] for name in other["left"]} == {"step-29", "step-30"}, other  # the number before counts saves
    note("R1", f"exact resumes of {kills} kills on 2 ranks, checkpoints in parts being written", kills, str(kills))


@needs_mpi
@pytest.mark.soak
def test_other_numbers_of_ranks_go_on(tmp_path: Path) -> None:
    """Three ranks go on from what two have saved, with the same parameters and the same state of the optimizer."""
    train(tmp_path, 2, 0, 5)
    (tmp_path / "log").unlink()
    assert [report["begun"] for report in train(tmp_path, 3, 0, 6)] == [5] * 3
    assert [report["begun"] for report in train(tmp_path, 1, 0, 7)] == [6]


@needs_mpi
@pytest.mark.skipif(not Path("/proc/self/io").exists(), reason="bytes are not counted: the system has no /proc/self/io")
def test_a_rank_reads_what_it_needs_of_what_another_number_has_saved(tmp_path: Path) -> None:
    """The model, its own share of the optimizer's state, and headers; not the other shares, and nothing that was not asked for."""
    written = reports(launch("reading.py", 2, str(tmp_path)).text)
    assert len(written) == 2 and written[0]["a step later"] == written[1]["a step later"], written
    headers = 64_000
    for ranks in (3, 1):
        done = launch("reading.py", ranks, str(tmp_path))
        found = reports(done.text)
        assert len(found) == ranks, done.text
        for report in found:
            assert report["step"] == 3 and report["same"] and report["numbers"] == written[0]["numbers"], report
            assert report["a step later"] == pytest.approx(written[0]["a step later"], rel=1e-6), report  # the mean of three is rounded
            assert report["model"] + report["own"] <= report["read"] <= report["model"] + report["own"] + headers, report
            assert report["model"] <= report["read of dcp"] <= report["model"] + headers < report["of dcp"], report
            if ranks == 3:
                assert report["own"] == report["model"] * 2 // 3 and report["read"] < 0.6 * report["of"], report
        note("M5", f"bytes that a rank of {ranks} reads of a checkpoint of {found[0]['of']}", max(r["read"] for r in found), "")


@needs_mpi
@pytest.mark.parametrize("ranks", [3, pytest.param(2, marks=pytest.mark.soak)])
def test_saves_in_the_background_are_committed_last_and_outlive_a_kill(tmp_path: Path, ranks: int) -> None:
    """The first is whole while the last rank is killed in the midst of the second, and is what the job that starts again finds."""
    command = [sys.executable, "-m", "dovetail", "launch", "-n", str(ranks), "--oversubscribe", "--no-prefix", "--max-restarts", "1"]
    program = [*command, str(PROGRAMS / "later.py"), str(tmp_path)]
    done = subprocess.run(program, capture_output=True, text=True, timeout=240, env=environment(), check=False)
    assert done.returncode == 0 and done.stderr.count(f"rank {ranks - 1} on") == 1 and "signal 9" in done.stderr, done.stdout + done.stderr
    found = reports(done.stdout)
    first, second, end = ([r for r in found if r["again"] == again and ("end" in r) == last] for again, last in ((0, 0), (1, 0), (1, 1)))
    assert [len(some) for some in (first, second, end)] == [ranks] * 3, found
    for report in first:
        assert not report["committed at once"] and not report["manifest at once"], report
    for report in found:
        assert report["manifest when done"], report
    values = [float(i) for i in range(2 * ranks)]
    for report in second:
        assert report["found"] == [1, *values], report
    for report in end:
        assert report["read"] == [2, *(value + 100 for value in values)], report
        assert report["files"] == ["dvt"] * ranks + ["json"], report  # nothing is left of the one that was killed
