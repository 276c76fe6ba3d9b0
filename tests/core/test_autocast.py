"""Under autocast layers follow one another: what the first gives in the lower type, the next takes with its float32 weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import dovetail as dv
from dovetail import nn

MODELS: dict[str, Callable[[], Any]] = {
    "convolutions": lambda: nn.Sequential(nn.Conv1d(4, 4, 3), nn.ReLU(), nn.Conv1d(4, 4, 3), nn.ConvTranspose1d(4, 4, 3)),
    "gru": lambda: nn.Sequential(nn.Linear(8, 8), nn.GRU(8, 4, 2, bidirectional=True)),
    "lstm": lambda: nn.Sequential(nn.Linear(8, 8), nn.LSTM(8, 4, 2)),
    "rnn": lambda: nn.Sequential(nn.Linear(8, 8), nn.RNN(8, 4)),
}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("lower", [dv.bfloat16, dv.float16])
def test_layers_follow_one_another(name: str, lower: Any) -> None:
    dv.manual_seed(0)
    model, x = MODELS[name](), dv.randn(2, 4, 8)
    exact = model(x)
    exact = exact[0] if isinstance(exact, tuple) else exact
    with dv.autocast("cpu", lower):
        out = model(x)
        out = out[0] if isinstance(out, tuple) else out
    assert out.dtype is lower and dv.allclose(out.float(), exact, atol=0.05)
    out.float().square().sum().backward()
    assert all(p.grad is not None and p.grad.dtype is dv.float32 for p in model.parameters())


def test_attention_takes_tensors_of_both_types() -> None:
    dv.manual_seed(0)
    q, k, v = dv.randn(3, 1, 2, 5, 8)
    exact = nn.functional.scaled_dot_product_attention(q, k, v)
    with dv.autocast("cpu"):
        out = nn.functional.scaled_dot_product_attention(q.bfloat16(), k, value=v)
    assert out.dtype is dv.bfloat16 and dv.allclose(out.float(), exact, atol=0.05)


def test_types_that_autocast_leaves_alone_are_still_refused() -> None:
    x = dv.rand(1, 4, 8)
    with dv.autocast("cpu"):
        for layer in (nn.Conv1d(4, 4, 3), nn.GRU(8, 4), nn.LSTMCell(8, 4), nn.GRUCell(8, 4)):
            with pytest.raises((RuntimeError, ValueError)):
                layer(x.double() if isinstance(layer, nn.Conv1d | nn.GRU) else x[0].double())
    with pytest.raises(RuntimeError, match="should be the same"):
        nn.Conv1d(4, 4, 3)(x.bfloat16())
