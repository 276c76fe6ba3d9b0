"""`dovetail train` under `dovetail launch`: the file as it is, in several processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import dovetail as dv
from tests.mpi.launching import environment, needs_mpi
from tests.mpi.test_checkpoint import running
from tests.train.test_command import SMALL


def start(folder: Path, out: str, ranks: int, *options: str, restarts: int = 0, sets: tuple[str, ...] = ()) -> subprocess.Popen[str]:
    (folder / "run.toml").write_text(SMALL.replace("batch_size = 41", "batch_size = 40"), encoding="utf-8")
    command = [sys.executable, "-m", "dovetail", "launch", "-n", str(ranks), "--oversubscribe", "--max-restarts", str(restarts), *options]
    settings = [f"--set=out={folder / out}", "--set=epochs=2", *sets]
    pipe, variables = subprocess.PIPE, environment()
    program = [*command, "dovetail", "train", str(folder / "run.toml"), *settings]
    return subprocess.Popen(program, stdout=pipe, stderr=subprocess.STDOUT, text=True, env=variables, cwd=folder)


def train(*arguments: Any, code: int = 0, **options: Any) -> str:
    with start(*arguments, **options) as job:
        text, _ = job.communicate(timeout=240)
    assert job.returncode == code, text
    return text


def lines(out: Path) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in (out / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    return [{name: value for name, value in row.items() if name != "seconds"} for row in found]


@needs_mpi
def test_a_training_that_loses_a_rank_ends_as_one_that_does_not(tmp_path: Path) -> None:
    said = train(tmp_path, "calm", 2)
    assert said.count("epoch 1/2") == 1 and said.count("model.safetensors") == 1 and "[1]" not in said, said
    names = sorted(path.name for path in (tmp_path / "calm").iterdir())
    assert names == [".lock", "best.safetensors", "checkpoints", "config.toml", "metrics.jsonl", "model.safetensors"]
    steps = [row["step"] for row in lines(tmp_path / "calm") if row["kind"] == "step"]
    assert steps == list(range(1, len(steps) + 1)) and len(steps) % 2 == 0
    with start(tmp_path, "hit", 2, restarts=1) as job:
        end = time.monotonic() + 120
        while not list(tmp_path.glob("hit/checkpoints/*")) and time.monotonic() < end:
            time.sleep(0.005)
        ranks = [pid for pid in running(str(tmp_path / "hit")) if b"dovetail_mpi.rank\0" in cmdline(pid) and b"mpiexec" not in cmdline(pid)]
        os.kill(int(ranks[-1]), signal.SIGKILL)
        text, _ = job.communicate(timeout=240)
    assert job.returncode == 0 and "was killed by signal 9" in text and "restart 1 of 1, 2 ranks" in text, text
    assert lines(tmp_path / "hit") == lines(tmp_path / "calm")
    calm, hit = (dv.load(tmp_path / out / "model.safetensors").state_dict() for out in ("calm", "hit"))
    assert calm.keys() == hit.keys() and all(dv.equal(calm[name], hit[name]) for name in calm)


def cmdline(pid: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


@needs_mpi
def test_batches_are_those_of_one_process(tmp_path: Path) -> None:
    """Batch norm takes its statistics from all ranks, so that the losses are those of one; what a batch cannot be divided by is said."""
    losses = []
    for ranks in (1, 2):
        train(tmp_path, f"on{ranks}", ranks, sets=("--set=schedule.max_lr=0.001", "--set=drop_last=true"))
        losses.append([row["train_loss"] for row in lines(tmp_path / f"on{ranks}")])
    assert losses[1] == pytest.approx(losses[0], rel=1e-4)
    text = train(tmp_path, "odd", 3, code=2)
    assert "batch_size is 40, for all of 3 processes together; expected a multiple of 3" in text and text.count("batch_size is 40") == 1
