"""Training a small language model against the clock: batches, schedule, optimizers, and bits per character."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import dovetail as dv
from dovetail.errors import ValueRangeError
from dovetail.nn import functional as F

from ..models import GPT

__all__ = ["Progress", "Settings", "bits_per_character", "optimizers", "train"]


@dataclass
class Settings:
    """How to train. ``seconds`` bounds the time, ``steps`` the number of batches; the learning rate follows the nearer end."""

    seconds: float = 180.0
    steps: int | None = None
    batch_size: int = 16
    lr: float = 3e-3  # of embeddings, biases and norms
    matrix_lr: float = 0.02
    weight_decay: float = 0.1
    warm_up: float = 0.05  # the share of the training in which the rate rises
    final: float = 0.05  # where the cosine ends, as a share of the rate
    max_norm: float = 1.0
    seed: int = 0


@dataclass
class Progress:
    """Where a training stands: the share done, batches, seconds, and the mean cross-entropy of late batches in nats a token."""

    done: float = 0.0
    step: int = 0
    seconds: float = 0.0
    loss: float = math.nan

    def add(self, loss: float) -> None:
        """Note a batch."""
        self.step += 1
        self.loss = loss if self.step == 1 else 0.95 * self.loss + 0.05 * loss


def optimizers(model: GPT, settings: Settings) -> list[Any]:
    """Muon for the matrices inside the blocks, AdamW for all else, as Muon's authors advise; three steps of its iteration
    serve a model of this size as well as the usual five.
    """
    matrices = [p for name, p in model.named_parameters() if p.ndim == 2 and ".h." in name]
    inside = {id(p) for p in matrices}
    others = [p for p in model.parameters() if id(p) not in inside]
    return [
        dv.optim.Muon(matrices, lr=settings.matrix_lr, weight_decay=settings.weight_decay, ns_steps=3),
        dv.optim.AdamW(others, lr=settings.lr, betas=(0.9, 0.95), weight_decay=0.0),
    ]


def _rate(done: float, settings: Settings) -> float:
    """A linear rise, then half a cosine."""
    if done < settings.warm_up:
        return (done + 1e-3) / (settings.warm_up + 1e-3)
    fall = (done - settings.warm_up) / (1 - settings.warm_up)
    return settings.final + (1 - settings.final) * 0.5 * (1 + math.cos(math.pi * fall))


def train(model: GPT, tokens: np.ndarray, settings: Settings, report: Callable[[Progress], None] = lambda progress: None) -> Progress:
    """Train a model on a text of tokens ``(L,)``; ``report`` is called after every batch.

    Raises a ValueError for a text that is shorter than the model's ``block_size``.
    """
    size = model.config.block_size
    if len(tokens) < size + 2:
        raise ValueRangeError("train", f"the text has {len(tokens)} tokens", f"expected more than block_size + 1 = {size + 1}")
    dv.manual_seed(settings.seed)
    draw = np.random.default_rng(settings.seed)
    optims = optimizers(model, settings)
    rates = [[group["lr"] for group in optimizer.param_groups] for optimizer in optims]
    progress, begun = Progress(), time.perf_counter()
    model.train()
    while progress.done < 1:
        for optimizer, own in zip(optims, rates, strict=True):
            for group, rate in zip(optimizer.param_groups, own, strict=True):
                group["lr"] = rate * _rate(progress.done, settings)
        starts = draw.integers(0, len(tokens) - size, settings.batch_size)
        windows = dv.from_numpy(np.stack([tokens[at : at + size + 1] for at in starts]))
        progress.add(_step(model, optims, windows, settings.max_norm))
        progress.seconds = time.perf_counter() - begun
        shares = (progress.seconds / settings.seconds, progress.step / settings.steps if settings.steps else 0.0)
        progress.done = min(1.0, max(shares))
        report(progress)
    return progress


def _step(model: GPT, optims: list[Any], windows: Any, max_norm: float) -> float:
    """One batch ``(N, block_size + 1)``: every token but the first is guessed."""
    for optimizer in optims:
        optimizer.zero_grad()
    logits = model(windows[:, :-1]).logits
    loss = F.cross_entropy(logits.flatten(0, 1), windows[:, 1:].flatten())
    loss.backward()
    dv.nn.utils.clip_grad_norm_(model.parameters(), max_norm)
    for optimizer in optims:
        optimizer.step()
    return loss.item()


def bits_per_character(model: GPT, tokens: np.ndarray, characters: int, batch_size: int = 16) -> float:
    """What a text of ``characters`` costs, in bits a character, by its tokens ``(L,)``; the first token is given, and free.

    Windows overlap by half, so that every token beyond the first window is guessed from at least half a ``block_size``.
    """
    size = model.config.block_size
    half = max(1, size // 2)
    training, nats = model.training, 0.0
    model.eval()
    with dv.no_grad():
        first = min(size, len(tokens) - 1)
        nats += _nats(model, tokens[None, : first + 1], first)
        ends = range(first, len(tokens) - 1 - half, half)  # how many tokens are paid for
        rows = [tokens[end + half - size : end + half + 1] for end in ends]
        for at in range(0, len(rows), batch_size):
            nats += _nats(model, np.stack(rows[at : at + batch_size]), half)
        end = first + half * len(rows)
        if rest := len(tokens) - 1 - end:
            nats += _nats(model, tokens[None, max(0, len(tokens) - 1 - size) :], rest)
    model.train(training)
    return nats / math.log(2) / characters


def _nats(model: GPT, windows: np.ndarray, last: int) -> float:
    """The cross-entropy of the last tokens of each window, summed."""
    windows = dv.from_numpy(np.ascontiguousarray(windows))
    logits = model(windows[:, :-1], logits_to_keep=last).logits
    return F.cross_entropy(logits.flatten(0, 1), windows[:, -last:].flatten(), reduction="sum").item()
