"""`dovetail train` from the outside: what it writes, how it ends, and that a killed run comes out as if nothing had been."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

import dovetail as dv
from dovetail.cli.main import dovetail as program
from tests.support.figures import note

from .conftest import saved
from .test_config import EXAMPLE

SMALL = (
    EXAMPLE.replace("epochs = 12", "epochs = 3")
    .replace("batch_size = 64", "batch_size = 41")
    .replace('split = "train"', 'split = "test"')  # a third of the samples: 11 batches
    .replace("curves = true ", "curves = false ")
    .replace("# every = 500  ", "every = 3  ")
    .replace("every = 10 ", "every = 1 ")
)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("run.toml").write_text(SMALL, encoding="utf-8")
    return tmp_path


def run(*arguments: str, status: int = 0) -> str:
    done = CliRunner().invoke(program, ["train", *arguments])
    assert done.exit_code == status, done.output + repr(done.exception)
    return done.output


def lines(out: Path) -> list[dict]:
    found = [json.loads(line) for line in (out / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    return [{name: value for name, value in row.items() if name != "seconds"} for row in found]


def start(*arguments: str) -> subprocess.Popen:
    command = [sys.executable, "-m", "dovetail", "train", "run.toml", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def test_it_writes_what_the_page_says(folder):
    said = run("run.toml", "--set", "log.curves=true")
    out = folder / "run-digits"
    names = sorted(path.name for path in out.iterdir())
    assert names == [".lock", "best.safetensors", "checkpoints", "config.toml", "curves.png", "metrics.jsonl", "model.safetensors"]
    assert (out / "curves.png").read_bytes()[:4] == b"\x89PNG"
    rows = lines(out)
    assert [row["step"] for row in rows if row["kind"] == "step"] == list(range(1, 34))
    last = [row for row in rows if row["kind"] == "epoch"][-1]
    assert {"epoch", "train_loss", "lr", "valid_loss", "valid_accuracy", "valid_top2"} <= last.keys() and last["valid_accuracy"] > 0.4
    assert "epoch 3/3" in said and "done after 3 epochs, 33 steps" in said
    model = dv.load(out / "best.safetensors")
    assert type(model).__name__ == "DigitsCNN" or model(dv.zeros(1, 1, 8, 8)).shape == (1, 10)


def test_a_folder_with_a_run_is_not_written_over(folder):
    run("run.toml", "--set", "epochs=1", "--quiet")
    assert "run.toml:9: out: the folder 'run-digits' holds a run" in run("run.toml", status=2)
    text = run("run.toml", "--set", "optimizer.lr=0.5", "--resume", "auto", status=2)
    assert "the run was begun otherwise: optimizer.lr = 0.5 (was 0.01), schedule.total_steps = 33 (was 11)" in text
    before = lines(folder / "run-digits")
    assert "done after 1 epochs, 11 steps" in run("run.toml", "--set", "epochs=1", "--resume", "auto")  # nothing was left to do
    assert lines(folder / "run-digits") == before


def test_another_folder_goes_on_from_a_checkpoint(folder):
    sets = ("--set", "schedule.total_steps=33", "--quiet")
    run("run.toml", "--set", "epochs=1", *sets)
    run("run.toml", "--set", "out=other", "--resume", "run-digits", *sets)
    run("run.toml", "--set", "out=whole", *sets)
    assert lines(folder / "other") == [row for row in lines(folder / "whole") if row["step"] > 11]
    first, second = (dv.load(folder / name / "model.safetensors").state_dict() for name in ("other", "whole"))
    assert all(dv.equal(first[name], second[name]) for name in first)
    assert "there is no checkpoint" in run("run.toml", "--resume", "nowhere", *sets, status=2)
    *_, before, last = sorted((folder / "other" / "checkpoints").glob("*-step-*"))
    data = bytearray(last.read_bytes())
    data[-4000] ^= 4
    last.write_bytes(data)
    said = run("run.toml", "--set", "out=other", "--resume", "auto", *sets, status=2)
    assert last.name in said and "does not match its checksum" in said and f"an earlier one is other/checkpoints/{before.name}" in said
    run("run.toml", "--set", "out=other", "--resume", str(before), *sets)


def test_the_core_reads_what_a_run_saved(folder):
    run("run.toml", "--quiet", "--set", "epochs=1")
    done = CliRunner().invoke(program, ["checkpoint", "verify", "run-digits/checkpoints"])
    assert done.exit_code == 0 and done.output.count("every checksum fits") == 3
    last = saved(folder / "run-digits" / "checkpoints", 11)
    assert str(dv.io.checkpoint.about(last)["metrics"]["valid_accuracy"])[:8] == str(lines(folder / "run-digits")[-1]["valid_accuracy"])[:8]


def test_two_processes_do_not_train_into_one_folder(folder):
    process = start("--quiet", "--set", "epochs=1000")
    wait_for(folder / "run-digits" / "metrics.jsonl", 4)  # the first checkpoint is there
    second = start("--quiet", "--resume", "auto", "--set", "epochs=1000")
    assert "another process trains into this folder" in second.communicate(timeout=60)[0] and second.returncode == 2
    process.kill()
    process.communicate(timeout=30)
    (folder / "run-digits" / "metrics.jsonl").unlink()
    third = start("--quiet", "--resume", "auto", "--set", "epochs=1000")
    wait_for(folder / "run-digits" / "metrics.jsonl", 1)
    third.send_signal(signal.SIGTERM)
    said = third.communicate(timeout=60)[0]
    assert third.returncode == 75, said


def test_weights_of_a_run_begin_another(folder):
    run("run.toml", "--quiet", "--set", "epochs=1")
    file = "model.weights_file=run-digits/model.safetensors"
    run(
        "run.toml",
        "--quiet",
        "--set",
        "out=other",
        "--set",
        file,
        "--set",
        "optimizer.lr=0.0",
        "--set",
        "schedule={name='StepLR', step_size=1}",
    )
    first, second = (dv.load(folder / name / "model.safetensors").state_dict() for name in ("run-digits", "other"))
    assert all(dv.equal(first[name], second[name]) for name in first if "running" not in name and "num_batches" not in name)


def test_the_number_of_workers_may_change(folder):
    small = ("--quiet", "--set", "epochs=2", "--set", "checkpoints.keep=9")
    run("run.toml", *small, "--set", "out=whole")
    run("run.toml", *small, "--set", "out=two", "--set", "workers=2")
    run("run.toml", *small, "--set", "out=one", "--set", "workers=1", "--resume", str(saved(Path("two/checkpoints"), 6)))
    wanted = lines(folder / "whole")
    note("R8", "dovetail train: 0 workers, 2, and 1 after 2, the same metrics", "2/2", "all")
    assert lines(folder / "two") == wanted and lines(folder / "one") == [row for row in wanted if row["step"] > 6]


def test_a_run_goes_back_to_an_earlier_checkpoint(folder):
    run("run.toml", "--quiet", "--set", "checkpoints.keep=9")
    out = folder / "run-digits"
    wanted, model = lines(out), (out / "model.safetensors").read_bytes()
    kept = len(list((out / "checkpoints").glob("*-step-*")))
    checkpoint = saved(out / "checkpoints", 15)
    run("run.toml", "--quiet", "--set", "checkpoints.keep=9", "--resume", str(checkpoint))
    assert lines(out) == wanted and (out / "model.safetensors").read_bytes() == model
    assert len(list((out / "checkpoints").glob("*-step-*"))) == kept


def test_a_dry_run_writes_nothing_and_a_list_has_all_names(folder):
    said = run("run.toml", "--dry-run")
    assert "44,014 parameters" in said and "goes through: CrossEntropyLoss" in said and "11 an epoch, 3 epochs" in said
    assert [path.name for path in folder.iterdir()] == ["run.toml"]
    assert run("--example") == EXAMPLE
    listed = run("--list").split()
    assert {"vision/digits", "AdamW", "OneCycleLR", "CrossEntropyLoss", "vision/accuracy", "vision/digits_cnn"} <= set(listed)
    assert "--example > digits.toml" in run(status=2)
    assert "--set optimizer.lrr=1: AdamW has no such option; nearest: lr" in run(
        "run.toml", "--dry-run", "--set", "optimizer.lrr=1", status=2
    )
    said = run("run.toml", "--dry-run", "--set", "optimizer.qqq=1", status=2)
    assert said.count("weight_decay") == 1 and "expected one of amsgrad" in said
    assert "no such option; nearest: name" in run("run.toml", "--dry-run", "--set", "optimizer.nam=1", status=2)


def test_without_matplotlib_there_are_no_curves(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    said = run("run.toml", "--set", "epochs=1", "--set", "log.curves=true", "--quiet")
    assert 'no curves will be drawn; pip install "dovetail-train[curves]"' in said and not (folder / "run-digits" / "curves.png").exists()


@pytest.mark.filterwarnings("ignore:mse_loss")
def test_an_error_while_training_is_told_and_ends_with_1(folder):
    text = SMALL.replace('name = "CrossEntropyLoss"\nlabel_smoothing = 0.1', 'name = "MSELoss"')
    Path("run.toml").write_text(text, encoding="utf-8")
    said = run("run.toml", "--quiet", status=1)
    assert said.startswith("Error: ShapeError: mse_loss: The size of tensor a (10) must match")


def wait_for(path: Path, step: int) -> None:
    """Wait until the metrics file has that many lines."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if path.exists() and path.read_bytes().count(b"\n") >= step:
            return
        time.sleep(0.002)
    raise AssertionError(f"{path} did not grow to {step} lines")


def killed_run(out: str, draw: random.Random) -> tuple[list[int], list[int]]:
    """Train into a folder, killed by 9 or 15 at random points until it ends; the exit codes, and the steps at which it was killed."""
    codes, steps = [], []
    while True:
        process = start("--set", f"out={out}", "--resume", "auto", "--quiet")
        path = Path(out, "metrics.jsonl")
        before = path.read_bytes().count(b"\n") if path.exists() else 0
        number = draw.choice([signal.SIGKILL, signal.SIGTERM])
        target = before + draw.randrange(2, 14) if len(codes) < 3 else 10**9
        while process.poll() is None and (not path.exists() or path.read_bytes().count(b"\n") < target):
            time.sleep(0.002)
        time.sleep(draw.random() * 0.03)
        if process.poll() is None:
            process.send_signal(number)
        said = process.communicate(timeout=60)[0]
        codes.append(process.returncode)
        steps.append(target)
        assert process.returncode in (0, 75, -9), said
        if process.returncode == 0:
            return codes, steps


def compare_killed_runs(count: int, seed: int) -> tuple[int, list[int]]:
    whole = start("--set", "out=whole", "--quiet")
    assert whole.wait(timeout=120) == 0
    wanted, weights = lines(Path("whole")), dv.load("whole/model.safetensors").state_dict()
    right, codes = 0, []
    for number in range(count):
        ended, _ = killed_run(f"killed-{number}", random.Random(seed + number))
        codes += ended
        got = dv.load(f"killed-{number}/model.safetensors").state_dict()
        right += lines(Path(f"killed-{number}")) == wanted and all(dv.equal(got[name], weights[name]) for name in weights)
    return right, codes


def test_a_killed_run_comes_out_as_if_it_had_not_been(folder):
    Path("run.toml").write_text(SMALL.replace("epochs = 3", "epochs = 2"), encoding="utf-8")
    right, codes = compare_killed_runs(2, 0)
    note("R7", "dovetail train killed by 9 and 15 at random points, continued with --resume auto", f"{right}/2", "all")
    assert right == 2 and {75, -9} & set(codes)


@pytest.mark.soak
def test_many_killed_runs_come_out_as_if_they_had_not_been(folder):
    right, codes = compare_killed_runs(30, 100)
    note("R7", f"dovetail train killed {len(codes) - 30} times by 9 and 15, continued with --resume auto", f"{right}/30", "all")
    assert right == 30 and {75, -9, 0} == set(codes)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_first_signal_saves_and_the_second_ends(folder, number):
    process = start("--quiet", "--set", "epochs=1000")
    wait_for(folder / "run-digits" / "metrics.jsonl", 5)
    process.send_signal(number)
    said = process.communicate(timeout=30)[0]
    assert process.returncode == 75 and f"stopped by {number.name} after step" in said and "go on with --resume auto" in said
    step = int(said.split("after step ")[1].split(",")[0])
    assert saved(folder / "run-digits" / "checkpoints", step).exists() and lines(folder / "run-digits")[-1]["step"] == step


def test_the_second_signal_ends_it_in_the_middle_of_a_step(tmp_path):
    code = (
        "import sys, time\nimport dovetail as dv\nfrom dovetail.train import Trainer\n"
        "class Slow:\n    def step_end(self, state):\n        print('in', flush=True)\n        time.sleep(60)\n"
        "model = dv.nn.Linear(1, 1)\nbatches = [(dv.ones(1, 1), dv.ones(1, 1))]\n"
        "Trainer(model, dv.nn.MSELoss(), dv.optim.SGD(model.parameters(), lr=0.1), "
        "batches, callbacks=[Slow()], checkpoints=sys.argv[1]).fit()\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "in\n"
    process.send_signal(signal.SIGTERM)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(timeout=0.5)
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=10) == -signal.SIGTERM and time.monotonic() - began < 2
    process.stdout.close()


def test_signals_are_left_alone_without_a_folder_and_put_back_after():
    from .conftest import make

    before = signal.getsignal(signal.SIGTERM)
    seen = []

    class Look:
        def step_end(self, state):
            seen.append(signal.getsignal(signal.SIGTERM))

    make(epochs=1, callbacks=[Look()]).fit()
    assert set(seen) == {before} and signal.getsignal(signal.SIGTERM) is before


def test_several_processes_that_mpi_did_not_start_are_refused(tmp_path, monkeypatch):
    from dovetail_train.command import train

    monkeypatch.setenv("WORLD_SIZE", "2")
    (tmp_path / "a.toml").write_text("", encoding="utf-8")
    said = CliRunner().invoke(train, [str(tmp_path / "a.toml")])
    assert said.exit_code == 2 and "2 processes were started, and MPI joins 1; expected as many; dovetail launch -n 2" in said.output
    dv.distributed.destroy_process_group()
