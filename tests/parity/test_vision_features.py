"""Feature extraction beside torchvision's: names of nodes, what is returned and in which order, what is left in the state dict."""

from __future__ import annotations

import importlib
import warnings

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("PIL")

import numpy as np

import dovetail as dv
import dovetail_vision.models as ours
from dovetail_vision.models import feature_extraction as mine
from tests.parity.test_vision_models import quietly, twins

reference = pytest.importorskip("torchvision.models.feature_extraction")
pytestmark = pytest.mark.parity


def both(name, **config):
    return quietly(twins, name, **config)


def nodes(name, **config):
    a, b = both(name, **config)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return zip(mine.get_graph_node_names(a, inputs=dv.zeros(2, 3, 64, 64)), reference.get_graph_node_names(b), strict=True)


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v3_small", "squeezenet1_1", "efficientnet_b0", "vgg11"])
def test_nodes_have_torchvision_s_names(name):
    for found, want in nodes(name, num_classes=3):
        assert found == want


QUERIES = [
    ("resnet18", {"layer1": "low", "layer3.1": "mid", "layer4.0.relu_1": "act", "avgpool": "pooled"}),
    ("resnet18", ["layer1.0.add", "layer2.0.downsample"]),
    ("resnet18", ["x", "fc", "flatten"]),
    ("mobilenet_v3_small", {"features.3": "a", "features.0": "b"}),
]


@pytest.mark.parametrize("name, query", QUERIES)
def test_results_order_gradients_and_state(name, query):
    a, b = both(name, num_classes=3)
    f = mine.create_feature_extractor(a, query, inputs=dv.zeros(2, 3, 64, 64))
    g = reference.create_feature_extractor(b, query)
    state, want = list(f.state_dict()), list(g.state_dict())
    assert isinstance(f, type(a)) and set(state) >= set(want)
    assert state == want or "layer2.0.downsample" in query  # there torchvision leaves out the branch beside it as well
    f, g = f.double(), g.double()
    x = np.random.default_rng(0).standard_normal((2, 3, 64, 64))
    for train in (True, False):
        got, want = f.train(train)(dv.from_numpy(x)), g.train(train)(torch.from_numpy(x))
        assert list(got) == list(want)
        for key, value in got.items():
            np.testing.assert_allclose(value.detach().numpy(), want[key].detach().numpy(), rtol=1e-9, atol=1e-10, err_msg=key)
    assert len(a.state_dict()) >= len(f.state_dict()) and a.double()(dv.from_numpy(x)).shape == (2, 3)
    value = next(v for v in reversed(got.values()) if v.requires_grad)
    value.sum().backward()
    assert f.conv1.weight.grad is not None if name == "resnet18" else f.features[0][0].weight.grad is not None


def test_what_is_not_there_is_refused():
    a, b = both("resnet18", num_classes=3)
    calls = [({"return_nodes": ["layer9"]}), {}, {"train_return_nodes": ["layer1"]}, {"return_nodes": ["x"], "train_return_nodes": ["x"]}]
    for call in calls:
        with pytest.raises(ValueError) as caught:
            mine.create_feature_extractor(a, inputs=dv.zeros(2, 3, 32, 32), **call)
        with pytest.raises(ValueError):
            reference.create_feature_extractor(b, **call)
        assert str(caught.value)
    with pytest.raises(NotImplementedError, match="leaf_modules alone"):
        mine.get_graph_node_names(a, {"autowrap_functions": ()})
    with pytest.raises(NotImplementedError, match="concrete_args is"):
        mine.create_feature_extractor(a, ["layer1"], concrete_args={"x": 1})
    with pytest.raises(NotImplementedError, match="give inputs="):
        mine.get_graph_node_names(dv.nn.Conv1d(3, 3, 1))


def test_nothing_is_computed_after_the_last_result():
    a = ours.resnet18(num_classes=3)
    f = mine.create_feature_extractor(a, ["layer1"], inputs=dv.zeros(2, 3, 32, 32))
    before = a.layer4[0].bn1.num_batches_tracked.item(), a.bn1.num_batches_tracked.item()
    assert before == (0, 0)  # and trying it changed nothing
    f.train()(dv.zeros(2, 3, 32, 32))
    assert (a.layer4[0].bn1.num_batches_tracked.item(), a.bn1.num_batches_tracked.item()) == (0, 1)
    assert f.layer4 is None and f.fc is None and f.conv1 is a.conv1


MODELS = {
    "float64": lambda t, resnet: resnet(num_classes=2).double(),
    "one channel": lambda t, resnet: t.nn.Sequential(t.nn.Conv2d(1, 4, 3), t.nn.ReLU(), t.nn.Flatten(), t.nn.Linear(4 * 30 * 30, 2)),
    "rows": lambda t, resnet: t.nn.Sequential(t.nn.Linear(5, 4), t.nn.ReLU(), t.nn.Linear(4, 2)),
}


@pytest.mark.parametrize("name", MODELS)
def test_what_a_model_is_tried_with_is_what_its_first_layer_takes(name):
    found = mine.get_graph_node_names(MODELS[name](dv, ours.resnet18))
    want = reference.get_graph_node_names(MODELS[name](torch, importlib.import_module("torchvision.models").resnet18))
    assert [names[1:] for names in found] == [names[1:] for names in want]  # the argument's name is that of a container's
