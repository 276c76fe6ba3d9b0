"""The table of a model: counts, shapes, shared and nested modules, several inputs; and the model is left as it was."""

from __future__ import annotations

import pytest

import dovetail as dv
from dovetail.train import summary

nn = dv.nn


def test_figures_and_table() -> None:
    net = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 16 * 16, 10))
    net[0].requires_grad_(False)
    s = summary(net, (2, 3, 16, 16))
    assert s.total_params == 224 + 16 + 20490 and s.trainable_params == 16 + 20490 and s.total_buffers == 17
    assert s.total_mult_adds == 2 * 256 * 27 * 8 + 2 * 2048 * 10
    assert s.activation_bytes == 4 * 2 * (4 * 2048 + 10) and s.input_bytes == 4 * 2 * 768
    assert [row.kind for row in s.rows] == ["Sequential", "Conv2d", "BatchNorm2d", "ReLU", "Flatten", "Linear"]
    text = str(s)
    assert (
        "Conv2d (0)" in text
        and "[2, 8, 16, 16]" in text
        and "20,490" in text
        and "Parameters: 20,730 (trainable 20,506); buffers: 17" in text
    )
    assert "Conv2d" not in str(summary(net, (2, 3, 16, 16), depth=0))


def test_shared_recurrent_and_several_inputs() -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm, self.linear = nn.LSTM(4, 6, batch_first=True), nn.Linear(6, 6)

        def forward(self, a: dv.Tensor, b: dv.Tensor, scale: float = 1.0) -> dict[str, dv.Tensor]:
            out, _ = self.lstm(a)
            return {"x": self.linear(self.linear(out)) * scale, "y": b}

    s = summary(Two(), [(2, 5, 4), (3,)], dtypes=[dv.float32, dv.int64], scale=2.0)
    assert s.total_params == 4 * 6 * (4 + 6 + 2) + 42
    assert [row.seen for row in s.rows] == [False, False, False, True] and "(again)" in str(s)
    assert s.rows[1].output_shapes == [(2, 5, 6), (1, 2, 6), (1, 2, 6)] and s.rows[0].output_shapes == [(2, 5, 6), (3,)]
    assert s.rows[1].mult_adds == 2 * 5 * 24 * (4 + 6) and s.total_mult_adds == 2400 + 2 * 10 * 36
    assert summary(Two(), input_data={"a": dv.ones(1, 5, 4), "b": dv.ones(1)}).rows[0].output_shapes == [(1, 5, 6), (1,)]


def test_the_model_is_left_as_it_was() -> None:
    net = nn.Sequential(nn.Linear(3, 3), nn.Dropout(0.5), nn.BatchNorm1d(3))
    net[1].eval()
    net(dv.ones(4, 3)).sum().backward()
    before = {k: v.clone() for k, v in net.state_dict().items()}
    modes, grads, state = [m.training for m in net.modules()], [p.grad.clone() for p in net.parameters()], dv.get_rng_state()
    summary(net, (4, 3))
    assert [m.training for m in net.modules()] == modes and bool((dv.get_rng_state() == state).all())
    assert all(bool((before[k] == v).all()) for k, v in net.state_dict().items())
    assert all(bool((g == p.grad).all()) for g, p in zip(grads, net.parameters(), strict=True))
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in net.modules())
    with pytest.raises(RuntimeError):
        summary(net, (4, 5))
    assert [m.training for m in net.modules()] == modes


def test_tensors_may_stand_where_sizes_do() -> None:
    model, x = nn.Bilinear(3, 4, 2), (dv.ones(5, 3), dv.ones(5, 4))
    assert str(summary(model, x)) == str(summary(model, input_data=x)) == str(summary(model, [(5, 3), (5, 4)]))
    assert summary(nn.Linear(3, 2), x[0]).rows[-1].output_shapes == [(5, 2)]


def test_refusals() -> None:
    with pytest.raises(TypeError, match="summary: expected one of input_size and input_data"):
        summary(nn.Linear(1, 1))
    with pytest.raises(TypeError, match="summary: model is function; expected a Module"):
        summary(lambda x: x, (1,))
    with pytest.raises(RuntimeError, match="summary: there are 1 dtypes for 2 inputs"):
        summary(nn.Linear(1, 1), [(1,), (1,)], dtypes=[dv.float32])
