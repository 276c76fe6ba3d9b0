"""Where sparse tensors meet the graph of dense ones: from a leaf to its values, from values to the tensor that holds them."""

from __future__ import annotations

from typing import Any

import numpy as np

import dovetail as dv
from dovetail.extend import Function

from .table import COO, TABLE

__all__ = ["Assembled", "Values", "keys", "places"]


class Values(Function):
    """From a sparse leaf to its values; the gradient is sparse, with every index once."""

    @staticmethod
    def forward(ctx: Any, leaf: Any) -> Any:
        """The values."""
        ctx.leaf = leaf.detach()
        return leaf.value.detach()

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        """Their gradient at the leaf's indices."""
        leaf = ctx.leaf
        if leaf.form != COO or leaf.coalesced:
            return leaf.like(g)
        first = np.unique(keys(leaf), return_index=True)[1]
        at = dv.from_numpy(first)
        return type(leaf)(COO, (leaf.index[0][:, at],), g[at], leaf.shape, True)


class Assembled(Function):
    """From values to a sparse tensor as an argument of somebody's Function: the gradient of its elements goes to the values."""

    @staticmethod
    def forward(ctx: Any, value: Any, pattern: Any) -> Any:
        """Something of the tensor's shape and type that takes no memory."""
        ctx.pattern = pattern
        return value.new_zeros(()).expand(tuple(pattern.shape))

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        """The elements at the tensor's indices."""
        same = g.layout == ctx.pattern.form and all(i is j or i.equal(j) for i, j in zip(g.index, ctx.pattern.index, strict=True))
        return g.live() if same else TABLE["sparse_mask"](g, ctx.pattern).live(), None


def keys(t: Any) -> Any:
    """The places of a COO tensor's indices among its sparse dimensions, as single numbers."""
    indices, lengths = t.index[0].numpy(), t.shape[: t.sparse_dim()]
    key = np.zeros(indices.shape[1], np.int64)
    for row, n in zip(indices, lengths, strict=True):
        key = key * n + row
    return key


def places(key: Any, lengths: Any) -> Any:
    """The indices (sparse dims, nnz) that such numbers stand for."""
    out = np.empty((len(lengths), len(key)), np.int64)
    for d in reversed(range(len(lengths))):
        key, out[d] = np.divmod(key, lengths[d]) if lengths[d] else (key, 0)
    return dv.from_numpy(out)
