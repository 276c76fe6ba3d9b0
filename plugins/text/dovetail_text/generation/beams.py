"""Beam search: the texts that are likeliest as a whole, by the rules and the order of Hugging Face's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import dovetail as dv
from dovetail import Tensor

from .kept import Kept
from .stream import Stop

__all__ = ["beam_search"]

_NEVER = -1.0e9


def _taken(texts: Tensor, beams: Tensor) -> Tensor:
    """The texts ``(N, K, L)`` whose places are ``beams`` ``(N, M)``."""
    return texts.gather(1, beams[:, :, None].expand(-1, -1, texts.shape[-1]))


def _best(sums: Tensor, count: int, draw: Callable[..., Tensor] | None) -> tuple[Tensor, Tensor]:
    """The ``count`` best of sums ``(N, S)`` and their places, or drawn ones, from the best on."""
    if draw is None:
        found = sums.topk(count)
        return found.values, found.indices
    places = draw(sums, count=count)
    values, order = sums.gather(1, places).sort(-1, descending=True)
    return values, places.gather(1, order)


class _Finished:
    """The best texts ``(N, K, L)`` that have ended, their scores and their lengths."""

    def __init__(self, texts: Tensor, penalty: float, early: bool | str) -> None:
        self.texts, self.penalty, self.early = texts.clone(), penalty, early
        shape, device = texts.shape[:2], texts.device
        self.scores = dv.full(shape, _NEVER, device=device)
        self.lengths = dv.zeros(shape, dtype=dv.int64, device=device)
        self.ended = dv.zeros(shape, dtype=dv.bool, device=device)
        self.hope = dv.ones(shape[0], 1, dtype=dv.bool, device=device)  # that a text still going could be better

    def add(self, texts: Tensor, scores: Tensor, ended: Tensor, length: int) -> None:
        """Take the best of what is here and of new texts ``(N, M, L)`` of ``length`` tokens, where they have ``ended``."""
        closed = self.ended.all(-1, keepdim=True) if self.early is True else ~self.hope
        scores = scores / length**self.penalty
        for never in (closed, ~self.hope, ~ended):
            scores = scores + never.to(scores.dtype) * _NEVER
        best = dv.cat([self.scores, scores], 1).topk(self.scores.shape[1])
        self.texts, self.scores = _taken(dv.cat([self.texts, texts], 1), best.indices), best.values
        self.lengths = dv.cat([self.lengths, dv.full_like(best.indices[:, :1], length).expand(ended.shape)], 1).gather(1, best.indices)
        self.ended = dv.cat([self.ended, ended], 1).gather(1, best.indices)

    def look(self, best: Tensor, length: int, most: int) -> None:
        """Give up hope where the best score ``(N, 1)`` of a text still going cannot pass the worst one here."""
        length = most if self.early == "never" and self.penalty > 0 else length
        worst = dv.where(self.ended, self.scores.amin(1, keepdim=True), _NEVER)
        self.hope = self.hope & (best / length**self.penalty > worst).any(-1, keepdim=True)

    def goes_on(self) -> bool:
        """Whether a text could still become one of the best."""
        return bool(self.hope.any()) and not (self.early is True and bool(self.ended.all()))


def beam_search(
    steps: Any, new: int, beams: int, stop: Stop, shape: Callable[[Tensor, Tensor], Tensor], pad: int, *, keep: int = 1,
    length_penalty: float = 1.0, early_stopping: bool | str = False, draw: Callable[..., Tensor] | None = None, kept: Kept | None = None,
) -> Tensor:  # fmt: skip
    """The ``keep`` best of texts that go on from ``steps.start`` ``(N · beams, L)`` by up to ``new`` tokens: ``(N · keep, L + …)``.

    ``shape`` changes the logarithms of probabilities by what was said; a text's score is their sum over its length to the power of
    ``length_penalty``. Twice as many continuations are looked at as there are beams, so that enough go on where some end: the best, or
    those that ``draw`` draws by the sums. ``kept`` takes each step's scores.
    """
    start, device = steps.start.shape[1], steps.start.device
    n, end = steps.start.shape[0] // beams, start + new
    running = dv.full((n, beams, end + new), pad, dtype=dv.int64, device=device)  # texts, and of which row each new token was a score
    running[:, :, :start] = steps.start.view(n, beams, start)
    running[:, :, end:] = -1
    finished = _Finished(running, length_penalty, early_stopping)
    scores = dv.full((n, beams), _NEVER, device=device)
    scores[:, 0] = 0.0  # all beams are one text at first
    width, first_row = max(2, 1 + len(stop.ends)) * beams, dv.arange(n, device=device)[:, None] * beams
    leading = (dv.arange(width, device=device) < beams)[None]
    for at in range(start, end):
        said = running[:, :, :at].reshape(n * beams, at)
        logits = steps.scores(said).to(dv.float32)
        odds = shape(logits.log_softmax(-1), said)
        if kept is not None:
            kept.take(odds, logits)
        size = odds.shape[-1]
        best, places = _best((odds.view(n, beams, size) + scores[:, :, None]).view(n, beams * size), width, draw)
        origin = places // size
        texts = _taken(running, origin)
        texts[:, :, at], texts[:, :, new + at] = places % size, origin + first_row
        ended = stop(texts[:, :, : at + 1].reshape(n * width, at + 1), start).view(n, width) | (at + 1 == end)
        going = (best + ended.to(dv.float32) * _NEVER).topk(beams)
        running, scores = _taken(texts, going.indices), going.values
        finished.add(texts, best, ended & leading, at + 1 - start)
        steps.reorder((origin.gather(1, going.indices) + first_row).reshape(-1))
        finished.look(scores[:, :1], at + 1 - start, new)
        if not finished.goes_on() or bool(ended.all()):
            break
    length = int(finished.lengths[:, :keep].max()) if new else 0
    found = finished.texts[:, :keep].reshape(n * keep, end + new)
    if kept is not None:
        kept.beams, kept.origins = finished.scores[:, :keep].reshape(-1), found[:, end : end + length]
    return found[:, : start + length]
