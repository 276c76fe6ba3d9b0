"""dovetail_vision.models.segmentation beside torchvision's: the same parameters, initial weights, results, gradients and weights API."""

from __future__ import annotations

import inspect
import warnings

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("PIL")

import numpy as np
from PIL import Image

import dovetail as dv
import dovetail_vision.models as our_models
import dovetail_vision.models.segmentation as ours
from dovetail_vision.models import segmentation
from tests.parity.torchvision_oracle import torchvision

pytestmark = pytest.mark.parity

theirs = torchvision().models.segmentation
NAMES = our_models.list_models(module=ours)
ENUMS = sorted(name for name in ours.__all__ if name.endswith("_Weights"))


def built(package, name, **config):
    return getattr(package, name)(weights_backbone=None, **config)


def aux_of(name):
    return {} if name.startswith("lraspp") else {"aux_loss": True}


@pytest.mark.parametrize("name", NAMES)
def test_names_and_shapes(name, monkeypatch):
    for function in ("kaiming_normal_", "kaiming_uniform_", "normal_", "uniform_"):  # values do not matter here
        monkeypatch.setattr(dv.nn.init, function, lambda tensor, *args, **kwargs: tensor)
    with torch.device("meta"):
        want = built(theirs, name, **aux_of(name)).state_dict()
    got = built(ours, name, **aux_of(name)).state_dict()
    assert {key: tuple(t.shape) for key, t in got.items()} == {key: tuple(t.shape) for key, t in want.items()} and list(got) == list(want)


@pytest.mark.parametrize("name", ["fcn_resnet50", "deeplabv3_mobilenet_v3_large", "lraspp_mobilenet_v3_large"])
def test_one_seed_gives_the_same_initial_weights(name):
    dv.manual_seed(3)
    mine = built(ours, name, num_classes=4, **aux_of(name))
    torch.manual_seed(3)
    other = built(theirs, name, num_classes=4, **aux_of(name))
    state, want = mine.state_dict(), other.state_dict()
    for key in want:
        np.testing.assert_array_equal(state[key].numpy(), want[key].numpy(), err_msg=key)
    assert [n for n, _ in mine.named_modules()] == [n for n, _ in other.named_modules()]
    assert repr(mine) == repr(other)
    assert dv.rand(1).item() == torch.rand(1).item()


def run(model, package, train: bool):
    """Results by name, and all gradients and buffers afterwards, as arrays."""
    model = model.double().train(train)
    for module in model.modules():
        if isinstance(module, package.nn.Dropout):
            module.p = 0.0  # masks need not be the same
    x = package.tensor(np.random.default_rng(0).standard_normal((2, 3, 25, 32)), requires_grad=True)
    out = model(x)
    sum((t * t).sum() for t in out.values()).backward()
    tensors = [*out.values(), x.grad, *(p.grad for p in model.parameters()), *model.buffers()]
    return type(out).__name__, list(out), [t.detach().numpy() for t in tensors]


@pytest.mark.parametrize("name", ["fcn_resnet50", "deeplabv3_mobilenet_v3_large", "lraspp_mobilenet_v3_large"])
def test_results_and_gradients(name, monkeypatch):
    """On a narrow ResNet of one block a stage, which gives as many channels as the whole one."""
    for package, home in ((ours, our_models.resnet), (theirs, torchvision().models.resnet)):
        short = lambda weights, home=home, **config: home.ResNet(home.Bottleneck, [1, 1, 1, 1], width_per_group=8, **config)
        monkeypatch.setattr(package.fcn, "resnet50", short)
    torch.manual_seed(3)
    other = built(theirs, name, num_classes=5, **aux_of(name))
    for p in other.parameters():
        p.data.mul_(1 + 0.1 * torch.rand_like(p))
    mine = built(ours, name, num_classes=5, **aux_of(name))
    mine.load_state_dict({key: dv.from_numpy(t.numpy().copy()) for key, t in other.state_dict().items()})
    for train in (False, True):
        *kind, got = run(mine, dv, train)
        *like, want = run(other, torch, train)
        assert kind == like and len(got) == len(want)
        for a, b in zip(got, want, strict=True):
            assert a.shape == b.shape and a.dtype == b.dtype
            np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-8 * max(1e-3, float(np.abs(b).max(initial=0))))
        mine.zero_grad()
        other.zero_grad()


@pytest.mark.parametrize("name", ENUMS)
def test_enums_say_the_same(name):
    mine, other = getattr(ours, name), getattr(theirs, name)
    assert list(mine.__members__) == list(other.__members__)
    for key, want in other.__members__.items():
        got = mine[key]
        assert (got.name, repr(got), got.url) == (want.name, repr(want), want.url)
        assert got.transforms.keywords == want.transforms.keywords
        assert {k: v for k, v in got.meta.items() if k != "_docs"} == {k: v for k, v in want.meta.items() if k != "_docs"}
        assert repr(got.transforms()) == repr(want.transforms())


def test_the_list_of_models_and_their_signatures():
    assert torchvision().models.list_models(module=theirs) == NAMES
    assert our_models.get_model_builder("FCN_ResNet50") is ours.fcn_resnet50
    assert our_models.get_weight("FCN_ResNet50_Weights.DEFAULT") is ours.FCN_ResNet50_Weights.COCO_WITH_VOC_LABELS_V1
    assert our_models.get_model_weights("lraspp_mobilenet_v3_large") is ours.LRASPP_MobileNet_V3_Large_Weights
    for name in NAMES:
        want = inspect.signature(getattr(theirs, name)).parameters
        assert list(inspect.signature(getattr(ours, name)).parameters) == list(want)
    for package in (ours, theirs):
        head = package.deeplabv3.DeepLabHead(4, 3, atrous_rates=(2, 3))
        assert [conv[0].dilation for conv in head[0].convs if len(conv) == 3] == [(1, 1), (2, 2), (3, 3)]
        assert len(package.fcn.FCNHead(8, 3)) == 5 and package.lraspp.LRASPPHead(4, 6, 3, 8).scale[1].out_channels == 8


CALLS = [
    lambda m: m.fcn_resnet50(weights="IMAGENET1K_V9"),
    lambda m: m.fcn_resnet50(weights=m.FCN_ResNet101_Weights.DEFAULT),
    lambda m: m.fcn_resnet50(weights="DEFAULT", num_classes=10),
    lambda m: m.fcn_resnet50(weights="DEFAULT", aux_loss=False),
    lambda m: m.fcn_resnet50(weights_backbone="NONE_OF_THEM"),
    lambda m: m.fcn_resnet50(weights_backbone=m.FCN_ResNet50_Weights.DEFAULT),
    lambda m: m.lraspp_mobilenet_v3_large(weights_backbone=None, aux_loss=True),
]


@pytest.mark.parametrize("number", range(len(CALLS)))
def test_refusals_are_of_their_kind(number):
    kinds = []
    for package in (theirs, ours):
        with warnings.catch_warnings(), pytest.raises(Exception) as refused:
            warnings.simplefilter("ignore")
            CALLS[number](package)
        kinds.append(refused.type)
    assert issubclass(kinds[1], next(kind for kind in kinds[0].__mro__ if kind.__module__ == "builtins"))


GIVEN = [
    {"weights": "DEFAULT"}, {"weights": "FCN_ResNet50_Weights.COCO_WITH_VOC_LABELS_V1"}, {"pretrained": True}, {"weights": True},
    {"weights_backbone": "IMAGENET1K_V2"}, {"pretrained_backbone": True}, {"weights_backbone": True}, {"pretrained": False}, {},
    {"weights": "DEFAULT", "weights_backbone": "IMAGENET1K_V2", "num_classes": 21, "aux_loss": True, "progress": False},
]  # fmt: skip


@pytest.mark.parametrize("given", GIVEN)
def test_the_same_weights_are_chosen_with_as_many_warnings(monkeypatch, given):
    """Of the model and of its backbone."""

    def chosen(package, enum, resnet, module):
        seen = []

        def stop(self, *args, **kwargs):
            seen.append((repr(self), args, kwargs))
            raise EOFError

        with warnings.catch_warnings(record=True) as record:
            warnings.simplefilter("always")
            monkeypatch.setattr(enum, "get_state_dict", stop)
            monkeypatch.setattr(module, "resnet50", lambda weights=None, **config: resnet(weights=weights, width_per_group=1, **config))
            try:
                package.fcn_resnet50(**given)
            except (EOFError, RuntimeError):  # the narrow backbone does not fit the head
                pass
            monkeypatch.undo()
        return seen, bool(record)

    got = chosen(ours, our_models.WeightsEnum, our_models.resnet50, segmentation.fcn)
    want = chosen(theirs, torchvision().models.WeightsEnum, torchvision().models.resnet50, theirs.fcn)
    assert got == want and len(got[0]) <= 1


@pytest.mark.parametrize("size", [(300, 260), (120, 500)])
def test_images_are_prepared_alike(size):
    image = Image.fromarray(np.random.default_rng(1).integers(0, 256, (*size, 3), np.uint8))
    for config in ({}, {"resize_size": None}, {"resize_size": 64, "mean": (0.4,) * 3, "std": (0.2,) * 3}):
        mine, other = (p.FCN_ResNet50_Weights.DEFAULT.transforms(**config) for p in (ours, theirs))
        np.testing.assert_allclose(mine(image).numpy(), other(image).numpy(), atol=1e-5)
