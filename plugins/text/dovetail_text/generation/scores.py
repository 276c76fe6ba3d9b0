"""Scores of tokens before one is taken: what was said already costs, and only the likeliest may be drawn."""

from __future__ import annotations

from typing import Any

import dovetail as dv
from dovetail import Tensor
from dovetail.nn import functional as F

__all__ = ["choose", "penalised"]


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


def choose(scores: Tensor, temperature: float = 1.0, top_k: int | None = None, top_p: float | None = None, generator: Any = None) -> Tensor:
    """Draw a token ``(N,)`` of each row of scores ``(N, V)``, by Hugging Face's order: temperature, ``top_k``, ``top_p``.

    >>> choose(dv.tensor([[0.0, 9.0, 1.0]]), top_k=1)
    tensor([1])
    """
    scores = scores / temperature
    if top_k is not None:
        least = scores.topk(min(top_k, scores.shape[-1])).values[:, -1:]
        scores = scores.masked_fill(scores < least, -float("inf"))
    if top_p is not None and top_p < 1:
        ordered, order = scores.sort(-1)
        tail = ordered.softmax(-1).cumsum(-1) <= 1 - top_p
        tail[:, -1] = False
        scores = scores.masked_fill(dv.zeros_like(tail).scatter(1, order, tail), -float("inf"))
    return dv.multinomial(scores.softmax(-1), 1, generator=generator)[:, 0]
