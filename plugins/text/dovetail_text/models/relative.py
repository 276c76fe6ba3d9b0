"""T5's relative positions: a number learned for each head and for each range of distances, added to the scores of attention."""

from __future__ import annotations

import math

import dovetail as dv
from dovetail import Tensor, nn

__all__ = ["buckets", "relative_bias"]


def buckets(distance: Tensor, both_ways: bool, count: int = 32, longest: int = 128) -> Tensor:
    """The ranges of distances (key minus query): small ones alone, larger ones together by their logarithm, up to ``longest``.

    With ``both_ways`` the second half of the ``count`` ranges is for keys that come later; without it those count as distance 0.

    >>> buckets(dv.tensor([0, -1, -20, -1000, 5]), both_ways=False).tolist()
    [0, 1, 17, 31, 0]
    """
    first = 0
    if both_ways:
        count //= 2
        first = (distance > 0).to(dv.int64) * count
        distance = distance.abs()
    else:
        distance = (-distance).clamp(min=0)
    alone = count // 2
    # in single precision and in this order, as in Hugging Face's, so that no distance falls into another range
    far = (distance.clamp(min=1).to(dv.float32) / alone).log() / math.log(longest / alone) * (count - alone)
    return first + dv.where(distance < alone, distance, (alone + far.to(dv.int64)).clamp(max=count - 1))


def relative_bias(table: nn.Module, length: int, past: int, both_ways: bool, longest: int) -> Tensor:
    """What is added to the scores of the last ``length`` of ``past + length`` tokens: ``(1, heads, length, past + length)``.

    >>> relative_bias(nn.Embedding(32, 2), 3, 1, False, 128).shape
    dovetail.Size([1, 2, 3, 4])
    """
    places = dv.arange(past + length, device=table.weight.device)
    found = table(buckets(places[None] - places[past:, None], both_ways, table.num_embeddings, longest))
    return found.permute(2, 0, 1)[None]
