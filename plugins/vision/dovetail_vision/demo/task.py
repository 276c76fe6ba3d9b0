"""What `dovetail demo` does, without what it shows: the digits, the training, the answers; all by their registry keys."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

import dovetail
from dovetail import datasets, models, plugins
from dovetail.data import DataLoader, default_collate
from dovetail.nn import functional as F

__all__ = ["DATASET", "MODEL", "Epoch", "History", "Task", "answers", "fit", "open_task", "train"]

DATASET, MODEL = "vision/digits", "vision/digits_cnn"
BATCH, PEAK_RATE, SMOOTHING = 64, 1e-2, 0.1
MEAN, STD = (0.3,), (0.38,)  # of the ink
BILINEAR = 2  # Pillow's number


@dataclass
class Task:
    """The digits to learn from, and those that are held out: as the model sees them, their labels, and the scans themselves."""

    train: Any
    images: Any
    labels: Any
    scans: Any
    device: Any


@dataclass
class Epoch:
    """One pass over the digits: mean loss and accuracy while learning, accuracy on the held-out ones after it."""

    loss: float
    accuracy: float
    held_out: float


@dataclass
class History:
    """How the training went."""

    total: int  # batches in all
    epochs: int
    losses: list[float] = field(default_factory=list)  # of each batch
    right: list[float] = field(default_factory=list)  # the share of right answers in each batch
    passes: list[Epoch] = field(default_factory=list)
    rate: float = 0.0  # samples a second, lately
    begun: float = field(default_factory=time.perf_counter)

    def add(self, loss: float, right: int, samples: int, seconds: float) -> None:
        """Note a batch."""
        self.losses.append(loss)
        self.right.append(right / samples)
        now = samples / max(seconds, 1e-9)
        self.rate = now if len(self.losses) == 1 else 0.9 * self.rate + 0.1 * now

    @property
    def left(self) -> float:
        """The seconds that the training will still take."""
        done = len(self.losses)
        return (time.perf_counter() - self.begun) / done * (self.total - done) if done else float("nan")


def open_task(device: Any) -> Task:
    """Load the digits. Those to learn from are turned, shifted, scaled and sheared anew each time they are read."""
    transform = plugins.transforms.load
    chain = transform("vision/compose")
    ready = [transform("vision/to_tensor")(), transform("vision/normalize")(MEAN, STD)]
    vary = transform("vision/random_affine")(10, translate=(0.1, 0.1), scale=(0.9, 1.1), shear=10, interpolation=BILINEAR)
    learn = datasets.load(DATASET, split="train", transform=chain([vary, *ready]))
    held_out: Any = datasets.load(DATASET, split="test", transform=chain(ready))
    images, labels = default_collate([held_out[i] for i in range(len(held_out))])
    return Task(learn, images.to(device), labels.to(device), held_out.data.numpy(), device)


def train(task: Task, epochs: int, seed: int, watch: Any) -> tuple[Any, History]:
    """Train a new model; `watch` is told of every batch and every epoch. The seed decides the result."""
    dovetail.manual_seed(seed)
    model = models.create(MODEL).to(task.device)
    return model, fit(model, task, epochs, PEAK_RATE, watch)


def fit(model: Any, task: Task, epochs: int, rate: float, watch: Any) -> History:
    """Train a model, from where it is."""
    loader = DataLoader(task.train, batch_size=BATCH, shuffle=True, drop_last=True)
    history = History(epochs * len(loader), epochs)
    optimizer = dovetail.optim.AdamW(model.parameters(), lr=rate)
    schedule = dovetail.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=rate, total_steps=history.total)
    for _ in range(epochs):
        model.train()
        start = time.perf_counter()
        for images, labels in loader:
            labels = labels.to(task.device)
            scores = model(images.to(task.device))
            loss = F.cross_entropy(scores, labels, label_smoothing=SMOOTHING)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            right = int((scores.argmax(1) == labels).sum())
            now = time.perf_counter()
            history.add(loss.item(), right, len(labels), now - start)
            start = now
            watch.batch(history)
        history.passes.append(_epoch(history, len(loader), model, task))
        watch.epoch(history)
    return history


def _epoch(history: History, batches: int, model: Any, task: Task) -> Epoch:
    loss, right = (sum(values[-batches:]) / batches for values in (history.losses, history.right))
    return Epoch(loss, right, accuracy(answers(model, task), task))


def answers(model: Any, task: Task) -> Any:
    """What the model takes each held-out digit for."""
    model.eval()
    with dovetail.no_grad():
        return model(task.images).argmax(1)


def accuracy(given: Any, task: Task) -> float:
    """The share of held-out digits that were answered right."""
    return float(plugins.metrics.load("vision/accuracy")(given, task.labels))
