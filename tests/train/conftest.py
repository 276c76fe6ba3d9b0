"""A small training, and a folder of fake plugins beside the real ones."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import pytest

import dovetail as dv
from dovetail import nn, plugins
from dovetail.utils.data import DataLoader, Dataset
from dovetail_train import Trainer
from tests.ecosystem.conftest import Site


class Noisy(Dataset):
    """Four features and their sum, with noise that is drawn anew each time a sample is read."""

    def __init__(self, count: int = 44) -> None:
        self.rows = dv.randn(count, 4, generator=dv.Generator().manual_seed(3))

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        row = self.rows[index]
        return row + 0.1 * dv.randn(4), row.sum().reshape(1)


class Net(nn.Module):
    """Layers with dropout and running statistics: what a resumed training must get right."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, 1))

    def forward(self, input: Any) -> Any:
        return self.layers(input)


def make(seed: int = 0, workers: int = 0, **options: Any) -> Trainer:
    """A trainer as a program makes it."""
    dv.manual_seed(seed)
    model = Net()
    optimizer = dv.optim.AdamW(model.parameters(), lr=0.01)
    scheduler = dv.optim.lr_scheduler.StepLR(optimizer, 2, gamma=0.5)
    train = DataLoader(Noisy(), batch_size=8, shuffle=True, num_workers=workers)
    valid = DataLoader(Noisy(20), batch_size=8)
    options = {"epochs": 4, "scheduler": scheduler, "seed": seed, **options}
    return Trainer(model, nn.MSELoss(), optimizer, train, valid, **options)


def weights(trainer: Trainer) -> dict[str, list[Any]]:
    """All numbers that a training leaves behind."""
    found = {name: t.tolist() for name, t in trainer.model.state_dict().items()}
    for index, slots in trainer.state.optimizer.state_dict()["state"].items():
        found |= {f"{index}.{name}": value.tolist() if hasattr(value, "tolist") else value for name, value in slots.items()}
    return found


def saved(folder: Path, step: int) -> Path:
    """The last checkpoint of a step; an epoch's last step may have one before the evaluation and one after it."""
    return max(folder.glob(f"*-step-{step}.dvt"))


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A folder of fake plugins, on the path; ``plugins.reset()`` is called when it is filled, by `ready`."""
    monkeypatch.setenv("DOVETAIL_CACHE", str(tmp_path / "cache"))
    made = Site(tmp_path, [])
    monkeypatch.syspath_prepend(str(made.folder))
    before = set(sys.modules)

    def ready() -> None:
        importlib.invalidate_caches()
        plugins.reset()

    made.ready = ready  # type: ignore[attr-defined]
    yield made
    monkeypatch.undo()
    for name in set(sys.modules) - before:
        if str(made.folder) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]
    plugins.reset()
