"""Six kinds of models, killed anywhere, go on with any number of workers as if nothing had been."""

from __future__ import annotations

import os
import random
import signal
from pathlib import Path
from typing import Any

import pytest

import dovetail as dv
from dovetail import nn
from dovetail.optim import lr_scheduler
from dovetail.utils.data import DataLoader, Dataset
from dovetail_train import EarlyStopping, MetricsFile, Trainer
from tests.support.figures import note

from .conftest import Net, weights

WORKERS = (0, 1, 2, 4)
EPOCHS, STEPS = 3, 18


class Drawn(Dataset):
    """Samples with noise that is drawn when they are read, also from Python's and NumPy's generators."""

    def __init__(self, shape: tuple[int, ...], count: int = 48, words: int = 0) -> None:
        generator = dv.Generator().manual_seed(1)
        self.words = words
        self.rows = dv.randint(0, words, (count, *shape), generator=generator) if words else dv.randn(count, *shape, generator=generator)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        row = self.rows[index]
        target = row.float().mean().reshape(1)
        if self.words:
            return (row + random.randrange(2)) % self.words, target
        return row + 0.1 * dv.randn(*row.shape) + 0.01 * random.random(), target


class Last(nn.Module):
    """A recurrent network and a linear layer on its last output."""

    def __init__(self, network: nn.Module, before: nn.Module | None = None) -> None:
        super().__init__()
        self.before, self.network, self.after = before or nn.Identity(), network, nn.Linear(6, 1)

    def forward(self, input: Any) -> Any:
        return self.after(self.network(self.before(input))[0][:, -1])


def transformer() -> nn.Module:
    layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.1, batch_first=True)
    return nn.Sequential(nn.TransformerEncoder(layer, 2, enable_nested_tensor=False), nn.Flatten(), nn.Linear(40, 1))


def convolutions() -> nn.Module:
    parts = [nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout2d(0.2), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(16, 1)]
    return nn.Sequential(*parts)


#: Kind → the model, the shape of a sample, the optimizer, its schedule with when it steps, and options of the trainer.
KINDS: dict[str, tuple[Any, ...]] = {
    "dense": (Net, (4,), dv.optim.AdamW, lambda o: lr_scheduler.StepLR(o, 2, 0.5), "epoch", {"clip_grad_norm": 1.0}),
    "convolutions": (convolutions, (1, 8, 8), dv.optim.SGD, lambda o: lr_scheduler.OneCycleLR(o, 0.1, STEPS), "step", {}),
    "lstm": (lambda: Last(nn.LSTM(3, 6, 2, dropout=0.2, batch_first=True)), (5, 3), dv.optim.Adam,
             lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 4), "step", {}),
    "gru": (lambda: Last(nn.GRU(6, 6, batch_first=True), nn.Embedding(9, 6)), (5,), dv.optim.RMSprop,
            lambda o: lr_scheduler.ReduceLROnPlateau(o, patience=0), "epoch", {}),
    "transformer": (transformer, (5, 8), dv.optim.NAdam, lambda o: lr_scheduler.ExponentialLR(o, 0.9), "epoch", {"amp": "bfloat16"}),
    "normed": (lambda: nn.Sequential(nn.Linear(4, 8), nn.LayerNorm(8), nn.GELU(), nn.AlphaDropout(0.1), nn.Linear(8, 1)), (4,),
               dv.optim.Adagrad, lambda o: lr_scheduler.SequentialLR(o, [lr_scheduler.LinearLR(o), lr_scheduler.ConstantLR(o)], [3]),
               "step", {"accumulate": 2}),
}  # fmt: skip


class Killed(BaseException):
    pass


class KillAt:
    def __init__(self, step: int, whole_process: bool = False) -> None:
        self.step, self.whole_process = step, whole_process

    def step_end(self, state: Any) -> None:
        if state.step == self.step and self.whole_process:
            os.kill(os.getpid(), signal.SIGKILL)  # while a thread may be writing
        if state.step == self.step:
            raise Killed


def made(kind: str, folder: Path, workers: int, seed: int, *callbacks: Any) -> Trainer:
    model, shape, optimizer, schedule, every, options = KINDS[kind]
    dv.manual_seed(seed)
    model = model()
    optimizer = optimizer(model.parameters(), lr=0.01)
    accumulate = options.get("accumulate", 1)
    words = 9 if kind == "gru" else 0
    data, valid = Drawn(shape, words=words), DataLoader(Drawn(shape, 16, words), 8, sample_seed=8)
    loader = DataLoader(data, batch_size=8 // accumulate, shuffle=True, num_workers=workers, sample_seed=7)
    return Trainer(
        model, nn.MSELoss(), optimizer, loader, valid, scheduler=schedule(optimizer), schedule_every=every,
        epochs=EPOCHS, seed=0, checkpoints=folder, save_every=4, keep=1, **options,
        callbacks=[MetricsFile(folder / "metrics.jsonl", 1), EarlyStopping(patience=9), *callbacks],
    )  # fmt: skip


def outcome(trainer: Trainer, folder: Path) -> tuple[Any, ...]:
    """Everything that a training leaves."""
    rows = [line.partition('"seconds"')[0] for line in (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    return weights(trainer), trainer.state.scheduler.state_dict(), trainer.state.history, rows


def compare(folder: Path, runs: int, seed: int) -> tuple[int, list[str]]:
    """Kill and continue ``runs`` trainings, kind by kind and worker count by worker count; how many came out right, and the others."""
    draw, wanted, wrong = random.Random(seed), {}, []
    for number in range(runs):
        kind, workers = list(KINDS)[number % len(KINDS)], WORKERS[number // len(KINDS) % len(WORKERS)]
        if kind not in wanted:
            whole = made(kind, folder / kind, 0, 0)
            whole.fit()
            wanted[kind] = outcome(whole, folder / kind)
        at, then, place = draw.randrange(1, STEPS + 1), draw.choice(WORKERS), folder / f"{number}"
        with pytest.raises(Killed):
            made(kind, place, workers, 0, KillAt(at)).fit()
        again = made(kind, place, then, 99 if any(place.glob("*-step-*")) else 0)  # other first weights, where there is a checkpoint
        again.fit("auto")
        if outcome(again, place) != wanted[kind]:
            wrong.append(f"{kind}, {workers} workers, killed after step {at}, continued with {then}")
    return runs - len(wrong), wrong


@pytest.mark.filterwarnings("ignore:This DataLoader will create")
def test_killed_trainings_go_on_bit_for_bit(tmp_path):
    right, wrong = compare(tmp_path, 12, 0)
    note(
        "R7",
        "Trainer: 6 kinds of models, random transforms, killed anywhere, continued with another number of workers",
        f"{right}/12",
        "all",
    )
    assert right == 12, wrong


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL is POSIX's")
@pytest.mark.filterwarnings("ignore:This DataLoader will create")
@pytest.mark.parametrize("runs", [3, pytest.param(30, marks=pytest.mark.soak)])
def test_a_killed_process_goes_on_bit_for_bit(tmp_path, runs):
    """SIGKILL, with two workers loading and a checkpoint perhaps half written; then another number of workers."""
    draw, right = random.Random(runs), 0
    for number in range(runs):
        kind, at, folder = list(KINDS)[number % len(KINDS)], draw.randrange(1, STEPS + 1), tmp_path / f"{number}"
        if (child := os.fork()) == 0:
            try:
                made(kind, folder, 2, 0, KillAt(at, whole_process=True)).fit()
            finally:
                os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
        again = made(kind, folder, draw.choice(WORKERS), 99 if any(folder.glob("*-step-*")) else 0)
        again.fit("auto")
        whole = made(kind, tmp_path / f"whole {number}", 0, 0)
        whole.fit()
        right += outcome(again, folder) == outcome(whole, tmp_path / f"whole {number}")
    note("R7", "Trainer, its process killed by SIGKILL with 2 workers, continued with 0 to 4", f"{right} of {runs}", "all")
    assert right == runs


@pytest.mark.soak
@pytest.mark.filterwarnings("ignore:This DataLoader will create")
def test_many_killed_trainings_go_on_bit_for_bit(tmp_path):
    right, wrong = compare(tmp_path, 600, 1)
    note("R7", "Trainer: 6 kinds of models × 4 numbers of workers, random transforms, killed anywhere", f"{right}/600", "600/600")
    note("R8", "Trainer: continued with another number of workers", f"{right}/600", "100 %")
    assert right == 600, wrong
