"""Rows of embeddings, dropout, and distances."""

import numpy as np

from .row import B, I, Row, T

_F = "nn.functional."


def bags(index, weight, mode="mean"):
    return {"mean": np.mean, "sum": np.sum, "max": np.max}[mode](weight[index], axis=1)


def cosine(a, b, dim=1):
    dot = (a * b).sum(dim)
    return dot / np.sqrt((a * a).sum(dim) * (b * b).sum(dim))


def distances(x, p=2.0):
    i, j = np.triu_indices(len(x), 1)
    return (abs(x[i] - x[j]) ** p).sum(-1) ** (1 / p)


_DROP = [([T(2), 1.5], {}, ValueError, "dropout probability has to be between 0 and 1")]

ROWS = [
    Row("embedding", [I(3, 2, high=7), T(7, 4)], call=f"{_F}embedding", ref=lambda i, w: w[i], covers=("embedding_grad",), promote=None,
        errors=[([I(2, low=5, high=6), T(3, 2)], {}, IndexError, "index out of range in self"),
                ([T(2), T(3, 2)], {}, RuntimeError, "to have one of the following scalar types: Long, Int"),
                ([I(2, high=2), T(3)], {}, RuntimeError, "'weight' must be 2-D"),
                ([I(2, high=2), T(3, 2), 7], {}, AssertionError, "Padding_idx must be within num_embeddings")]),
    Row("embedding", [I(3, 2, high=4), T(200, 4)], call=f"{_F}embedding", ref=lambda i, w: w[i], promote=None, name="many rows"),
    Row("embedding_bag", [I(3, 4, high=7), T(7, 4)], call=f"{_F}embedding_bag", ref=bags, promote=None,
        errors=[([I(2, high=2), T(3, 2)], {}, ValueError, "offsets has to be a 1D Tensor but got None"),
                ([I(1, 2, high=2), T(3, 2)], dict(mode="foo"), ValueError, "mode has to be one of sum, mean or max")]),
    Row("embedding_bag", [I(3, 4, high=7), T(7, 4)], dict(mode="sum"), call=f"{_F}embedding_bag", ref=bags, promote=None, name="sum"),
    Row("embedding_bag", [I(3, 4, high=7), T(7, 4)], dict(mode="max"), call=f"{_F}embedding_bag", ref=bags, promote=None, name="max"),
    *[Row(name, [T(3, 4, 2), 0.5, False], call=_F + name, ref=lambda x, p, t: x, errors=_DROP, promote=None, grad=name == "dropout",
          grad2=name == "dropout", why="without training it is the identity; test_dropout.py holds the rest")
      for name in ("dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "feature_alpha_dropout")],
    Row("masked_scale", [T(3, 4), B(3, 4), 2.0], ref=lambda x, mask, scale: x * mask * scale),
    Row("cosine_similarity", [T(3, 4), T(3, 4)], ref=cosine, promote=None,
        errors=[([T(2, 3), T(2, 4)], {}, RuntimeError, "must match the size of tensor b"),
                ([I(2, 3, high=4), I(2, 3, high=4)], {}, RuntimeError, "expected common dtype to be floating point")]),
    Row("cosine_similarity", [T(3, 4, 2), T(4, 1)], dict(dim=-2), ref=lambda a, b, dim: cosine(a, b + 0 * a, dim), promote=None,
        name="broadcast"),
    Row("pairwise_distance", [T(3, 4), T(3, 4)], ref=lambda a, b: np.sqrt(((a - b + 1e-6) ** 2).sum(-1)), promote=None,
        errors=[([T(2, 3), T(2, 4)], {}, RuntimeError, "must match the size of tensor b")]),
    Row("pdist", [T(4, 3)], ref=distances, promote=None,
        errors=[([T(3)], {}, RuntimeError, "pdist only supports 2D tensors"),
                ([T(3, 2), -1.0], {}, RuntimeError, "non-negative p values")]),
    Row("normalize", [T(3, 4)], call=f"{_F}normalize", ref=lambda x: x / np.sqrt((x * x).sum(1, keepdims=True)), promote=None,
        errors=[([I(3, 2, high=4)], {}, RuntimeError, "Expected a floating point or complex tensor")]),
]  # fmt: skip
