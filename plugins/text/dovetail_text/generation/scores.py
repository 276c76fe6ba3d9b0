"""Scores of tokens before one is taken: what was said already costs, and only the likeliest may be drawn."""

from __future__ import annotations

from typing import Any

import dovetail as dv
from dovetail import Tensor
from dovetail.nn import functional as F

__all__ = ["choose", "drawn", "penalised", "repeating", "warped"]


def penalised(scores: Tensor, ids: Tensor, penalty: float, padding: Tensor | None = None) -> Tensor:
    """Make tokens that are in ``ids`` ``(N, L)`` less likely: positive scores ``(N, V)`` by the penalty, negative ones times it.

    ``padding`` ``(N,)`` says how many of the first tokens do not count. After Keskar et al., CTRL, https://arxiv.org/abs/1909.05858.

    >>> penalised(dv.tensor([[2.0, -1.0, 3.0]]), dv.tensor([[0, 1]]), 2.0)
    tensor([[ 1., -2.,  3.]])
    """
    if penalty == 1.0:
        return scores
    size = scores.shape[1]
    if padding is not None:
        ids = ids.masked_fill(dv.arange(ids.shape[1], device=ids.device) < padding[:, None], size)
        scores = F.pad(scores, (0, 1))
    found = scores.gather(1, ids)
    return scores.scatter(1, ids, dv.where(found < 0, found * penalty, found / penalty))[:, :size]


def repeating(scores: Tensor, ids: Tensor, there: Tensor, size: int) -> Tensor:
    """Scores ``(N, V)`` without the tokens by which ``ids`` ``(N, L)`` would repeat a run of ``size`` tokens of ``there`` ``(N, S)``.

    >>> ids = dv.tensor([[1, 2, 0, 1]])
    >>> repeating(dv.zeros(1, 3), ids, ids, 2)
    tensor([[0., 0., -inf]])
    """
    length, vocabulary = ids.shape[1], scores.shape[1]
    if there.shape[1] < size or length < size - 1:
        return scores
    runs = there.unfold(1, size, 1)
    again = (runs[:, :, :-1] == ids[:, None, length - size + 1 :]).all(-1)
    tokens = runs[:, :, -1].masked_fill(~again, vocabulary)
    return F.pad(scores, (0, 1)).scatter(1, tokens, -float("inf"))[:, :vocabulary]


def warped(
    scores: Tensor, temperature: float = 1.0, top_k: int | None = None, top_p: float | None = None, *, min_p: float | None = None,
    typical_p: float | None = None, epsilon_cutoff: float | None = None, eta_cutoff: float | None = None, keep: int = 1,
) -> Tensor:  # fmt: skip
    """Scores ``(N, V)`` over the temperature, −∞ for tokens that are not to be drawn, by Hugging Face's order; ``keep`` of them stay.

    ``top_k`` and ``top_p`` as in `choose`; ``min_p`` is a part of the likeliest token's probability (https://arxiv.org/abs/2407.01082),
    ``typical_p`` the mass of tokens near the expected information (https://arxiv.org/abs/2202.00666), the two cutoffs are least
    probabilities (https://arxiv.org/abs/2210.15191).

    >>> warped(dv.tensor([[1.0, 3.0, 2.0]]), top_k=2), warped(dv.tensor([[0.0, 3.0, 2.9]]), min_p=0.5)
    (tensor([[-inf, 3., 2.]]), tensor([[  -inf, 3.0000, 2.9000]]))
    """
    scores = scores / temperature
    if top_k is not None:
        scores = _kept(scores, scores >= _least(scores, max(top_k, keep)))
    if top_p is not None and top_p < 1:
        ordered, order = scores.sort(-1)
        tail = ordered.softmax(-1).cumsum(-1) <= 1 - top_p
        tail[:, -keep:] = False
        scores = _kept(scores, ~dv.zeros_like(tail).scatter(1, order, tail))
    if min_p is not None:
        odds = scores.softmax(-1)
        rare = odds < min_p * odds.amax(-1, keepdim=True)
        scores = _kept(scores, ~rare.scatter(1, odds.topk(min(keep, odds.shape[-1])).indices, False))
    if typical_p is not None and typical_p < 1:
        scores = _typical(scores, typical_p, keep)
    if epsilon_cutoff:
        scores = _kept(scores, (scores.softmax(-1) >= epsilon_cutoff) | (scores >= _least(scores, keep)))
    if eta_cutoff:
        logs = scores.log_softmax(-1)
        entropy = -(logs.exp() * logs.clamp(min=dv.finfo(logs.dtype).min)).sum(-1, keepdim=True)
        eta = (eta_cutoff**0.5 * (-entropy).exp()).clamp(max=eta_cutoff)
        scores = _kept(scores, (scores.softmax(-1) >= eta) | (scores >= _least(scores, keep)))
    return scores


def _kept(scores: Tensor, kept: Tensor) -> Tensor:
    return scores.masked_fill(~kept, -float("inf"))


def _least(scores: Tensor, count: int) -> Tensor:
    """The last of the ``count`` best scores, ``(N, 1)``."""
    return scores.topk(min(count, scores.shape[-1])).values[:, -1:]


def _typical(scores: Tensor, mass: float, keep: int) -> Tensor:
    logs = scores.log_softmax(-1)
    entropy = -(logs * logs.exp()).nansum(-1, keepdim=True)
    ordered, order = (-logs - entropy).abs().sort(-1)
    last = (scores.gather(-1, order).softmax(-1).cumsum(-1) < mass).sum(1, keepdim=True).clamp(max=scores.shape[-1] - 1)
    far = ordered > ordered.gather(1, last)
    far[:, :keep] = False
    return _kept(scores, ~far.scatter(1, order, far))


def choose(scores: Tensor, temperature: float = 1.0, top_k: int | None = None, top_p: float | None = None, generator: Any = None) -> Tensor:
    """Draw a token ``(N,)`` of each row of scores ``(N, V)``, by Hugging Face's order: temperature, ``top_k``, ``top_p``.

    >>> choose(dv.tensor([[0.0, 9.0, 1.0]]), top_k=1)
    tensor([1])
    """
    return drawn(warped(scores, temperature, top_k, top_p), generator)


def drawn(scores: Tensor, generator: Any = None, count: int = 1) -> Tensor:
    """Draw a token ``(N,)`` of each row of scores ``(N, V)`` by their probabilities, or ``count`` different ones ``(N, count)``.

    >>> drawn(dv.tensor([[0.0, 90.0, 1.0]]))
    tensor([1])
    """
    found = dv.multinomial(scores.softmax(-1), count, generator=generator)
    return found[:, 0] if count == 1 else found
