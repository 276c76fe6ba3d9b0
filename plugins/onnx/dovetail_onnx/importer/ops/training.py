"""The optimizers of ``ai.onnx.preview.training``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import dovetail as dv

from ..table import operator
from ..values import number

__all__: list[str] = []

_DOMAIN = "ai.onnx.preview.training"


def _grouped(states: int) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The inputs after R and T come in groups: all weights, all gradients, all of each state; the outputs likewise."""

    def enter(update: Callable[..., Any]) -> Callable[..., Any]:
        def call(R: Any, T: Any, *inputs: Any, **attributes: Any) -> Any:
            count = len(inputs) // (2 + states)
            rows = [inputs[at::count] for at in range(count)]
            found = [update(float(number(R)), int(number(T)), *row, **attributes) for row in rows]
            return tuple(value for column in zip(*found) for value in column)

        operator(update.__name__, domain=_DOMAIN)(call)
        return update

    return enter


@_grouped(1)
def Adagrad(
    R: float, T: int, X: Any, G: Any, H: Any, *, decay_factor: float = 0.0, epsilon: float = 0.0, norm_coefficient: float = 0.0
) -> Any:
    G = norm_coefficient * X + G
    H = H + G * G
    return X - R / (1 + T * decay_factor) * G / (dv.sqrt(H) + epsilon), H


@_grouped(2)
def Adam(
    R: float, T: int, X: Any, G: Any, V: Any, H: Any, *, alpha: float = 0.9, beta: float = 0.999, epsilon: float = 0.0,
    norm_coefficient: float = 0.0, norm_coefficient_post: float = 0.0,
) -> Any:  # fmt: skip
    G = norm_coefficient * X + G
    V, H = alpha * V + (1 - alpha) * G, beta * H + (1 - beta) * G * G
    rate = R * (1 - beta**T) ** 0.5 / (1 - alpha**T) if T > 0 else R
    return (1 - norm_coefficient_post) * (X - rate * V / (dv.sqrt(H) + epsilon)), V, H


@_grouped(1)
def Momentum(R: float, T: int, X: Any, G: Any, V: Any, *, alpha: float, beta: float, mode: str, norm_coefficient: float) -> Any:
    G = norm_coefficient * X + G
    V = alpha * V + (beta if T > 0 else 1.0) * G
    return (X - R * (G + alpha * V) if mode == "nesterov" else X - R * V), V
