"""Rows of the softmax family."""

import numpy as np

from .row import I, Row, T

_ERRORS = [([T(3, 4), 2], {}, IndexError, "Dimension out of range"), ([I(3, high=4), 0], {}, RuntimeError, "not implemented for")]


def soft(x, dim):
    e = np.exp(x)
    return e / e.sum(axis=dim, keepdims=True)


ROWS = [
    Row("softmax", [T(3, 4), 1], ref=soft, errors=_ERRORS, covers=("softmax_grad",)),
    Row("softmax", [T(2, 3, 4), -2], ref=soft, name="middle"),
    Row("softmax", [T(), 0], ref=lambda x, dim: x * 0 + 1, name="0-d"),
    Row(
        "softmax",
        [T(3, 4)],
        {"dim": 0},
        ref=lambda x, dim: soft(-x, 0),
        call="nn.functional.softmin",
        torch="nn.functional.softmin",
        name="softmin",
    ),
    Row("log_softmax", [T(3, 4), 0], ref=lambda x, dim: np.log(soft(x, 0)), errors=_ERRORS, covers=("log_softmax_grad",)),
    Row("log_softmax", [T(2, 3, 4), -1], ref=lambda x, dim: np.log(soft(x, -1)), name="last"),
]
