"""What is exported and read again is the same module: results, names of parameters, gradients, at the traced size and at others."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("dovetail_onnx.exporter", reason="the exporter is not in this copy")

import dovetail as dv
import dovetail_onnx
from dovetail import nn
from dovetail.errors import DovetailError
from dovetail_onnx.exporter.arguments import Inputs, leaves
from tests.onnx import models
from tests.onnx.test_export_layers import ROWS, made

SEEN: Counter[str] = Counter()
# Options of Embedding that change its gradient alone, which a graph cannot say.
TRAINING_ONLY = ("padding_idx", "scale_grad_by_freq")


def close(ours, theirs, tol=1e-4):
    ours, theirs = ours.detach().numpy(), theirs.detach().numpy()
    assert ours.shape == theirs.shape and ours.dtype == theirs.dtype
    np.testing.assert_allclose(ours, theirs, rtol=tol, atol=tol * max(1.0, float(np.abs(theirs[np.isfinite(theirs)]).max(initial=0))))


def outputs(found):
    return list(found) if isinstance(found, tuple) else [found]


@pytest.mark.parametrize("case", ROWS, ids=repr)
def test_layer(case):
    layer, args, kwargs = made(case)
    proto = dovetail_onnx.export(layer, args, kwargs=kwargs, verify=False)
    module = dovetail_onnx.load(proto)
    inputs = Inputs(layer, args, kwargs, None, None, None)
    feeds = inputs.arrays(inputs.resized({}, 0))
    found = outputs(module(**{value.name: feeds[value.name].copy() for value in module.inputs}))
    expected = [t for _, t in leaves(layer(*args, **kwargs))]
    assert len(found) == len(expected) and not module.handed_over
    for ours, theirs in zip(found, expected):
        close(ours, theirs)
    SEEN["same results"] += 1
    gradients(case, layer, module, found, expected)


def gradients(case, layer, module, found, expected):
    """Parameters that keep their names in the file have the gradients that they have in the layer."""
    mine = dict(module.named_parameters())
    shared = [
        (name, p, mine[name]) for name, p in layer.named_parameters() if p.requires_grad and name in mine and mine[name].shape == p.shape
    ]
    if not shared or any(word in repr(case) for word in TRAINING_ONLY):
        return
    for tensors, place in ((expected, 1), (found, 2)):
        total = sum((t * t.detach().cos()).sum() for t in tensors if t.requires_grad)
        if not isinstance(total, dv.Tensor):
            return
        total.backward()
        assert [row[0] for row in shared if row[place].grad is None] == []
    for _, theirs, ours in shared:
        close(ours.grad, theirs.grad)
        SEEN["parameters with the same gradient"] += 1
    SEEN["layers with the same gradients"] += 1


def test_the_counts(capsys):
    """Runs last in this file; the numbers are of the rows that ran in this process."""
    with capsys.disabled():
        print(f"\nONNX round trip: {dict(SEEN)} of {len(ROWS)} rows")
    if SEEN["same results"] == len(ROWS):
        assert SEEN["layers with the same gradients"] >= 100


def test_max_norm():
    """The file has all rows shortened, and gives what the layer gives, which is left as it was; a table that is shared is refused."""
    layer, index = nn.Embedding(6, 3, max_norm=1.0), dv.tensor([[1, 5], [0, 1]])
    before = layer.weight.clone()
    proto = dovetail_onnx.export(layer, index)
    assert layer.max_norm == 1.0 and dv.equal(layer.weight, before) and isinstance(layer.weight, nn.Parameter)
    bag = nn.EmbeddingBag.from_pretrained(before.detach().clone(), max_norm=0.5, norm_type=1.0, mode="max")
    for one, file in ((layer, proto), (bag, dovetail_onnx.export(bag, index))):
        module = dovetail_onnx.load(file)
        for rows in (index, dv.tensor([[2, 3], [4, 4]]), index):
            close(module(rows), one(rows), 1e-6)
    tied = nn.Sequential(nn.Embedding(6, 3, max_norm=1.0), nn.Linear(3, 6, bias=False))
    tied[1].weight = tied[0].weight
    with pytest.raises(DovetailError, match="a table with max_norm that others share is run on all its rows once, and max_norm then"):
        dovetail_onnx.export(tied, index)
    expected = tied[0](index)
    tied[0](dv.arange(6))
    tied[0].max_norm = None
    close(dovetail_onnx.load(dovetail_onnx.export(tied, index))(index), tied[1](expected), 1e-6)


def test_a_network_of_any_batch_size_is_trained_further():
    dv.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)).eval()
    proto = dovetail_onnx.export(net, dv.randn(2, 1, 8, 8), dynamic_shapes={"input": {0: "batch"}})
    module = dovetail_onnx.load(proto)
    x = dv.randn(5, 1, 8, 8)
    close(module(x), net(x))
    optimizer = dv.optim.Adam(module.train().parameters(), lr=0.05)
    losses = []
    for _ in range(20):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(module(x), dv.tensor([0, 1, 2, 0, 1]))
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]


@pytest.mark.parametrize(
    "layer", [nn.ReLU6(), nn.Hardtanh(), nn.Hardsigmoid(), nn.Hardswish(), nn.ReLU(), nn.Threshold(0.0, 0.0)], ids=repr
)
def test_gradients_where_a_layer_has_kinks(layer):
    """A channel that gives nothing lies on the kink of a ReLU6 in every place."""
    values = [-3.0, -1.0, 0.0, 1.0, 3.0, 6.0, 0.5, -0.5]
    module, found = dovetail_onnx.load(dovetail_onnx.export(layer, dv.tensor(values))), []
    for each in (layer, module):
        x = dv.tensor(values, requires_grad=True)
        each(x).sum().backward()
        found.append(x.grad.tolist())
    assert found[0] == found[1]


@pytest.mark.parametrize("name", ["mlp", "convnet", "functions"])
def test_an_imported_model_is_exported_again(name):
    """With free sizes: what computed shapes from sizes in the first file does so in the second."""
    module = dovetail_onnx.load(models.SEEDS[name]())
    shape, free = {"mlp": ((3, 6), {0: "n"}), "convnet": ((2, 2, 6, 5), {0: "n", 2: "h", 3: "w"}), "functions": ((4,), {0: "n"})}[name]
    again = dovetail_onnx.load(dovetail_onnx.export(module, dv.randn(*shape), input_names=["x"], dynamic_shapes={"x": free}))
    other = [size + 3 if at in free else size for at, size in enumerate(shape)]
    x = dv.randn(*other)
    close(again(x), module(x))
    assert {n for n, _ in module.named_parameters()} <= set(again.state_dict())
