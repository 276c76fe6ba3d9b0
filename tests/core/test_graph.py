"""graph.trace: what is recorded, under which names, and that a replay gives what the function gives."""

from __future__ import annotations

from collections import namedtuple
from dataclasses import dataclass

import numpy as np
import pytest

import dovetail as dv
from dovetail import nn
from dovetail.errors import ShapeError, TypeMismatch
from dovetail.graph import trace

Pair = namedtuple("Pair", "a b")


def ramp(*shape):
    return dv.from_numpy(np.arange(1.0, 1 + np.prod(shape), dtype=np.float32).reshape(shape))


def ops(graph):
    return [c.op + ("_" if c.inplace else "") for c in graph.calls]


def same(a, b):
    if isinstance(a, dv.Tensor):
        return a.dtype is b.dtype and np.array_equal(a.detach().numpy(), b.detach().numpy())
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b)) if isinstance(a, tuple | list) else a == b


def rows(x):
    out = dv.zeros(3)
    for row in x:
        out.add_(row)
    return out


def regions(x):
    out = dv.zeros(2, 3)
    first = out[0]
    first.add_(x[0])
    out[1] = x[1] * 2
    out[:, 2] = x[0, 0]
    return out, first


def through_views(x):
    y = x.clone()
    y.view(-1)[1:4].mul_(3)
    y.t()[0] += 1
    return y, y.reshape(3, 2)


def operators(x):
    y = x.clone()
    y += 1
    y *= x
    return y


FUNCTIONS = {
    "arithmetic": lambda x: (x * 2 + 1).tanh() / x - x**2,
    "broadcast": lambda x: x + x[:, :1] * x[0],
    "constants": lambda x: x + dv.ones(3) @ dv.from_numpy(np.eye(3, dtype=np.float32)),
    "several results": lambda x: (x.max(1), x.sort(1), x.split(1), x.unbind(1)),
    "structures": lambda x: {"a": [x, (x + 1, Pair(x * 2, "text"))], "b": None, "c": 3},
    "lists of tensors": lambda x: dv.cat([x, x * 2, dv.ones(1, 3)]).sum(0),
    "indexing": lambda x: (x[dv.tensor([1, 0])], x[x > 2], x[..., None, 1:], x[1, 2]),
    "types": lambda x: (x.double() + 1, x.long() // 2, (x > 2) & (x < 5)),
    "shapes": lambda x: x.t().expand(2, 3, 2).contiguous().reshape(-1).view(2, 6).unsqueeze(0).squeeze(0),
    "reductions": lambda x: (x.sum(), x.mean(0), x.amax((0, 1)), x.var(1), x.cumsum(1)),
    "the input itself": lambda x: x,
    "detach": lambda x: (x.detach() * 2, x.data + 1),
    "in place": lambda x: x.clone().add_(1).mul_(x).clamp_(0, 9),
    "in place with operators": operators,
    "fill and copy": lambda x: (x.clone().zero_(), x.clone().fill_(2), x.clone().copy_(x[:1])),
    "a sum into a constant": rows,
    "regions": regions,
    "through views": through_views,
    "a gradient": lambda x: dv.autograd.grad((x * x).sum(), x)[0],
    "numbers read out": lambda x: x * x.shape[0],
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_replay_is_the_function(name):
    fn = FUNCTIONS[name]
    graph = trace(fn, ramp(2, 3).requires_grad_(name == "a gradient"))
    for other in (ramp(2, 3) * 0.5, ramp(2, 3) + 3):
        other.requires_grad_(name == "a gradient")
        if name == "indexing":
            other = ramp(2, 3)  # how many elements a mask picks is recorded
        expected = fn(other)
        assert same(graph.run(other), expected)
        assert same(graph.run(other), expected), "a second replay differs"


def test_text():
    graph = trace(lambda x, y: (x @ y).relu().sum(dim=1), dv.ones(2, 3), dv.ones(3, 4))
    assert str(graph).splitlines()[0] == "graph(%input0: float32[2, 3], %input1: float32[3, 4])"
    assert str(graph).splitlines()[1] == "  %matmul: float32[2, 4] = matmul(input=%input0, other=%input1)"
    assert str(graph).splitlines()[-1] == "  return %sum"
    assert len(graph) == 3 and graph.calls[2].attributes["dim"] in (1, (1,))
    assert [v.name for v in graph.calls[0].inputs()] == ["input0", "input1"]


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(3, 3)
        self.register_buffer("shift", dv.ones(3))
        self.scale = nn.Parameter(dv.full((3,), 2.0))

    def forward(self, x):
        return self.inner(x) * self.scale + self.shift


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second, self.head = Block(), Block(), nn.Sequential(nn.ReLU(), nn.Linear(3, 2))
        self.second.inner = self.first.inner  # shared

    def forward(self, x, extra=None):
        x = self.second(self.first(x))
        return self.head(x if extra is None else x + extra)


def test_modules():
    net = Net()
    graph = trace(net, ramp(4, 3))
    assert [(c.op, c.module) for c in graph.calls] == [
        ("linear", "first.inner"), ("mul", "first"), ("add", "first"),
        ("linear", "first.inner"), ("mul", "second"), ("add", "second"),
        ("relu", "head.0"), ("linear", "head.1"),
    ]  # fmt: skip
    kinds = {v.name: v.kind for v in graph.captured}
    assert kinds == {
        "first.inner.weight": "parameter", "first.inner.bias": "parameter", "first.scale": "parameter", "first.shift": "buffer",
        "second.scale": "parameter", "second.shift": "buffer", "head.1.weight": "parameter", "head.1.bias": "parameter",
    }  # fmt: skip
    assert graph.parameters()["head.1.bias"] is net.head[1].bias
    x = ramp(4, 3) - 7
    assert same(graph.run(x), net(x))
    with dv.no_grad():
        net.head[1].bias += 5  # a replay reads the parameters as they are now
    assert same(graph.run(x), net(x))


def test_a_replay_has_gradients():
    net = Net()
    x = ramp(4, 3)
    graph = trace(net, x)
    net(x).sum().backward()
    expected = {name: p.grad.clone() for name, p in net.named_parameters()}
    net.zero_grad()
    graph.run(x).sum().backward()
    assert all(same(p.grad, expected[name]) for name, p in net.named_parameters())


def test_recording_leaves_no_trace():
    net, x = Net(), ramp(4, 3)
    before = net(x)
    trace(net, x)
    assert same(net(x), before)
    with pytest.raises(ZeroDivisionError):
        trace(lambda x: 1 // 0, x)
    assert len(trace(lambda x: x + 1, x)) == 1, "the recorder of the failed run is gone"


def test_keyword_arguments_and_nested_inputs():
    graph = trace(Net(), ramp(4, 3), extra=dv.ones(3))
    assert [v.name for v in graph.inputs] == ["input0", "input1"] and graph.inputs[1].shape == (3,)
    graph = trace(lambda d: d["a"] + d["b"][0] * d["c"], {"a": ramp(2), "b": (ramp(2), "x"), "c": 3.0})
    assert graph.run(ramp(2), ramp(2)).tolist() == [4, 8]


def test_one_tensor_passed_twice_is_two_inputs():
    x = ramp(2)
    graph = trace(lambda a, b: a - b, x, x)
    assert graph.run(ramp(2) * 3, ramp(2)).tolist() == [2, 4]


def test_an_input_changed_in_place_is_changed_again():
    graph = trace(lambda x: x.mul_(2) + 1, ramp(2))
    x = ramp(2)
    assert graph.run(x).tolist() == [3, 5] and x.tolist() == [2, 4]


def test_unseen_changes_make_a_constant():
    graph = trace(lambda x: x.clone().uniform_() + x, dv.zeros(3))
    assert graph.run(dv.zeros(3)).tolist() == graph.run(dv.zeros(3)).tolist()
    assert [v.kind for v in graph.captured] == ["constant"]


def test_batch_norm():
    net = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU())
    x = ramp(6, 3) % 5
    graph = trace(net.train(), x)
    running = net[1].running_mean.tolist()
    assert same(graph.run(x * 2), net(x * 2)) and "1.num_batches_tracked" in graph.parameters()
    net[1].running_mean.copy_(dv.tensor(running))
    graph.run(x * 2)
    assert net[1].running_mean.tolist() == running, "what is done beside the op calls is not repeated"
    graph = trace(net.eval(), x)
    assert "1.running_mean" in graph.parameters() and same(graph.run(x * 2), net(x * 2))


def test_dropout_draws_anew_or_is_away():
    layer = nn.Dropout(0.5)
    graph = trace(layer, dv.ones(100))
    assert set(graph.run(dv.ones(100)).tolist()) == {0.0, 2.0}
    assert len(trace(layer.eval(), dv.ones(3))) == 0


def test_errors():
    graph = trace(lambda x: x + 1, dv.ones(2))
    with pytest.raises(ShapeError, match="Graph.run: got 2 inputs; expected 1"):
        graph.run(dv.ones(2), dv.ones(2))
    with pytest.raises(ShapeError, match=r"Graph.run: input input0 has shape \(3,\) and type dovetail.float32; traced with \(2,\)"):
        graph.run(dv.ones(3))
    with pytest.raises(ShapeError, match="type dovetail.float64; traced with .* dovetail.float32; trace again"):
        graph.run(dv.ones(2, dtype=dv.float64))
    with pytest.raises(TypeMismatch, match="Graph.run: input input0 is list; expected a Tensor"):
        graph.run([1, 2])


F = nn.functional
X, LABELS, MASK = ramp(3, 4) / 12, dv.tensor([1, 3, 0]), dv.tensor([[False, True, False]] * 3)
FOLLOWS = {
    "a bool mask of attention": (
        lambda q, m: F.multi_head_attention_forward(
            q, q, q, 4, 2, dv.ones(12, 4), None, None, None, False, 0.0, dv.eye(4), None, attn_mask=m
        )[0],
        (X[:, None], MASK), (X[:, None] * -1, ~MASK),
    ),
    "grid_sample": (
        lambda x, g: F.grid_sample(x, g, padding_mode="reflection", align_corners=True),
        (ramp(1, 1, 3, 3), X.view(1, 1, 6, 2)), (-ramp(1, 1, 3, 3), X.view(1, 1, 6, 2) * -3),
    ),
    "labels": (lambda x, t: F.nll_loss(x, t, ignore_index=0), (X, LABELS), (X * 2, LABELS.flip(0))),
    "label smoothing": (
        lambda x, t: F.cross_entropy(x, t, label_smoothing=0.1, weight=ramp(4)), (X, LABELS), (X * 2, LABELS.flip(0))
    ),
    "places": (lambda x: dv.where(x > 0.5)[0], (X,), (X.flip(0),)),
    "rrelu": (lambda x: F.rrelu(x), (X,), (-X,)),
    "bags": (lambda i: F.embedding_bag(i, ramp(5, 2), mode="mean"), (LABELS[None],), (LABELS[None] + 1,)),
    "signs": (lambda x, t: F.hinge_embedding_loss(x, t), (X, X.round() * 2 - 1), (X, 1 - X.round() * 2)),
    "cosines": (
        lambda x, t: F.cosine_embedding_loss(x, x.flip(1), t), (X, dv.tensor([1.0, -1.0, 1.0])), (X, dv.tensor([-1.0, 1.0, 1.0]))
    ),
    "margins": (lambda x, t: F.multi_margin_loss(x, t), (X, LABELS), (X * 2, LABELS.flip(0))),
}  # fmt: skip


@pytest.mark.parametrize("name", FOLLOWS)
def test_what_is_computed_of_inputs_is_recorded(name):
    function, first, others = FOLLOWS[name]
    graph = trace(function, *first)
    found, expected = graph.run(*others), function(*others)
    np.testing.assert_allclose(found.numpy(), expected.numpy(), rtol=1e-6)
    assert not np.allclose(expected.numpy(), function(*first).numpy()), "the example cannot tell"


def test_values_know_whose_memory_they_share():
    def function(x):
        y = x * 2
        return y.t(), y.clone(), x

    graph = trace(function, ramp(2, 2))
    product, view, copy = (c.outputs[0] for c in graph.calls)
    assert view.memory == product.memory and len({product.memory, copy.memory, graph.inputs[0].memory}) == 3


def test_parameters_that_a_run_writes_to_are_marked():
    norm = nn.BatchNorm1d(2)
    for layer, x, changed in (
        (norm, ramp(3, 2), []),  # its statistics are moved, but not read
        (norm.eval(), ramp(3, 2), []),
        (nn.Embedding(3, 2, max_norm=0.5), dv.tensor([1]), ["weight"]),
        (nn.Embedding(3, 2), dv.tensor([1]), []),
    ):
        assert [v.name for v in trace(layer, x).captured if v.changed] == changed


def test_calls_know_how_types_meet():
    (add, sqrt, cat) = trace(lambda x: dv.cat([(x + 1).sqrt()]), ramp(2)).calls
    assert (add.arrays, add.promotes) == (("input", "other"), "promote")
    assert (sqrt.arrays, sqrt.promotes) == (("input",), "float")
    assert (cat.arrays, cat.promotes) == (("tensors",), None)


@dataclass
class Two:
    first: dv.Tensor
    name: str = "two"


def test_dataclasses_are_looked_into():
    graph = trace(lambda x: Two(x.first + 1), Two(ramp(2)))
    assert [v.name for v in graph.inputs] == ["input0"] and graph.outputs.first.name == "add" and graph.outputs.name == "two"
    assert graph.run(ramp(2)).first.tolist() == [2, 3]
