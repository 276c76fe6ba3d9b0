"""The convolutional classifiers other than ResNet, without torchvision: a step of training each, loading, refusals, the manifest."""

from __future__ import annotations

import importlib
import inspect
import re
from types import SimpleNamespace

import pytest

import dovetail as dv
import dovetail_vision.models as models
from dovetail import weights
from dovetail.errors import ValueRangeError

FAMILIES = """mobilenetv2 mobilenetv3 vgg alexnet squeezenet densenet googlenet inception shufflenetv2 mnasnet regnet""".split()
ENUMS = sorted(name for family in FAMILIES for name in models.FAMILIES[family] if name.endswith("_Weights"))
SMALL = {"mobilenet_v2": ({"width_mult": 0.25}, 32), "mobilenet_v3_small": ({"width_mult": 0.25}, 32)}


def learns(model, size: int) -> None:
    """A batch goes through, every parameter gets a gradient, and a step along it lowers the loss."""
    x, target = dv.randn(4, 3, size, size), dv.tensor([0, 1, 2, 0])

    def loss():
        dv.manual_seed(1)  # the same dropout each time
        out = model(x)
        return sum(dv.nn.functional.cross_entropy(part, target) for part in (out if isinstance(out, tuple) else [out]))

    first = loss()
    first.backward()
    assert all(p.grad is not None and dv.isfinite(p.grad).all() for p in model.parameters())
    norm = dv.nn.utils.get_total_norm([p.grad for p in model.parameters()])
    with dv.no_grad():
        for p in model.parameters():
            p.sub_(p.grad * (0.01 / norm))
    assert loss().item() < first.item()
    assert model.eval()(x).shape == (4, 3)


class Thin(dv.nn.Linear):
    """A linear layer of 8 where it would be of 4096 or 25088."""

    def __init__(self, *sizes):
        super().__init__(*(8 if size == 4096 else size // 32 if size > 9216 else size for size in sizes))


def small_inception() -> list:
    """Convolutions, and modules that are one of them, with a head for small images."""
    conv = models.inception.BasicConv2d
    widths = iter([256, 288, 288, 768, 768, 768, 768, 768, 1280, 2048, 2048])

    def mixed(channels, **kwargs):
        return conv(channels, next(widths), kernel_size=1, stride=1, groups=16)

    def head(channels, classes):
        return dv.nn.Sequential(dv.nn.AdaptiveAvgPool2d(1), dv.nn.Flatten(), dv.nn.Linear(channels, classes))

    return [conv, *[mixed] * 5, head]


@pytest.mark.parametrize("name", SMALL)
def test_a_step_of_training(name, monkeypatch):
    config, size = SMALL[name]
    if "inception_blocks" in config:
        config = {**config, "inception_blocks": small_inception()}
    monkeypatch.setattr(dv.nn, "Linear", Thin)
    dv.manual_seed(0)
    learns(getattr(models, name)(num_classes=3, **config), size)


def test_a_step_of_training_of_vgg(monkeypatch):
    dv.manual_seed(0)
    monkeypatch.setattr(dv.nn, "Linear", Thin)
    learns(models.VGG(models.vgg.make_layers([4, "M", 16, "M"], batch_norm=True), num_classes=3), 28)


def published(monkeypatch, state) -> None:
    """What is fetched, whatever the weights."""
    monkeypatch.setattr(models.WeightsEnum, "get_state_dict", lambda self, **kwargs: state)


def test_the_published_names_of_densenet(monkeypatch):
    want = models.densenet121()
    named = {re.sub(r"(denselayer\d+\.(norm|relu|conv))([12])\.", r"\1.\3.", key): t for key, t in want.state_dict().items()}
    old = {key: t for key, t in named.items() if not key.endswith("num_batches_tracked")}  # nor had files of that time these
    assert "features.denseblock4.denselayer16.norm.2.running_mean" in old and 2 * 121 < len(old) < len(named)
    published(monkeypatch, old)
    got = models.densenet121(weights="DEFAULT").state_dict()
    assert all(dv.equal(got[key], value) for key, value in want.state_dict().items())


def test_weights_of_vgg_features_have_no_classes(monkeypatch):
    seen = []
    monkeypatch.setattr(models.vgg, "VGG", lambda features, **kwargs: seen.append(kwargs) or dv.nn.Identity())
    published(monkeypatch, {})
    models.vgg16(weights="IMAGENET1K_FEATURES", num_classes=7)
    models.vgg16(weights="DEFAULT")
    assert seen == [{"init_weights": False, "num_classes": 7}, {"init_weights": False, "num_classes": 1000}]


def test_auxiliary_heads_of_published_weights(monkeypatch):
    published(monkeypatch, models.GoogLeNet(init_weights=False).state_dict())
    model = models.googlenet(weights="DEFAULT")
    assert (model.aux1, model.aux2, model.aux_logits, model.transform_input) == (None, None, False, True)
    assert not any(key.startswith("aux") for key in model.state_dict())
    with pytest.warns(UserWarning, match="googlenet: the weights of the auxiliary heads are not trained ones; train them"):
        model = models.googlenet(weights="DEFAULT", aux_logits=True, transform_input=False)
    assert model.aux2.fc2.out_features == 1000 and model.aux_logits and not model.transform_input
    monkeypatch.setattr(models.inception, "build", lambda weights, progress, kind, **kwargs: SimpleNamespace(AuxLogits=1, **kwargs))
    model = models.inception_v3(weights="DEFAULT", aux_logits=False)
    assert vars(model) == {"AuxLogits": None, "aux_logits": False, "transform_input": True, "init_weights": False}
    assert models.inception_v3(weights="DEFAULT").AuxLogits == 1


def test_modules_are_where_programs_look_for_them():
    assert models.mobilenet.MobileNetV2 is models.MobileNetV2 and models.mobilenet.mobilenet_v3_large is models.mobilenet_v3_large
    for family in FAMILIES:
        module = importlib.import_module(f"dovetail_vision.models.{family}")
        assert module is getattr(models, family) or family in ("alexnet", "googlenet")  # these names are their builders'
        assert [n for n in module.__all__ if not n.startswith("_")] == [n for n in models.FAMILIES[family] if not n.startswith("_")]
        assert all(getattr(models, name) is getattr(module, name) for name in module.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'VGG12_Weights'"):
        models.vgg.VGG12_Weights


@pytest.mark.parametrize("name", ENUMS)
def test_rows_are_complete(name):
    """S14: foreign files have what their publisher gives, a licence, and are checked against it."""
    for member in getattr(models, name):
        row = weights.get(member.value.key)
        assert row.url.startswith("https://download.pytorch.org/models/") and row.url.endswith(f"-{row.sha256_prefix}.pth")
        assert len(row.sha256_prefix) >= 8 and row.meta["file_size"] and weights.transforms(row).crop_size
        assert row.license == ("CC-BY-NC-4.0" if "SWAG" in member.name else "BSD-3-Clause")
        assert len(member.meta["categories"] or []) == (0 if member.name == "IMAGENET1K_FEATURES" else 1000)


def test_every_weight_has_its_member():
    for family in FAMILIES:
        for builder in (name for name in models.FAMILIES[family] if inspect.isfunction(getattr(models, name))):
            members = {member.value.key for member in models.get_model_weights(builder)}
            assert members == set(weights.list(f"vision/{builder}@*")) and members


def test_refusals_say_what_to_do():
    with pytest.raises(ValueRangeError, match=r"MobileNetV2: inverted_residual_setting is \[\]; expected rows of four numbers"):
        models.MobileNetV2(inverted_residual_setting=[])
    with pytest.raises(ValueRangeError, match="InvertedResidual: stride is 3; expected 1 or 2"):
        models.mobilenetv2.InvertedResidual(8, 8, 3, 6)
    with pytest.raises(ValueRangeError, match="MobileNetV3: inverted_residual_setting is empty; expected a row for each block"):
        models.MobileNetV3([], 8)
    with pytest.raises(TypeError, match=r"inverted_residual_setting is \[3\]; expected a list of InvertedResidualConfig"):
        models.MobileNetV3([3], 8)
    with pytest.raises(ValueRangeError, match="arch is 'mobilenet_v3_medium'; expected mobilenet_v3_large or mobilenet_v3_small"):
        models.mobilenetv3._mobilenet_v3_conf("mobilenet_v3_medium")
    with pytest.raises(ValueRangeError, match='SqueezeNet: version is .1_2.; expected "1_0" or "1_1"'):
        models.SqueezeNet("1_2")
    with pytest.raises(ValueRangeError, match=r"ShuffleNetV2: stages_repeats is \[1, 1\]; expected 3 numbers"):
        models.ShuffleNetV2([1, 1], [8, 8, 16, 32, 64])
    with pytest.raises(ValueRangeError, match="InvertedResidual: inp is 8 and oup is 6 at stride 1; expected the same even number"):
        models.shufflenetv2.InvertedResidual(8, 6, 1)
    with pytest.raises(ValueRangeError, match="MNASNet: alpha is 0; expected more than 0"):
        models.MNASNet(0)
    with pytest.raises(ValueRangeError, match="RegNet: w_0 is 9, w_a 8.0, w_m 2.0; expected w_0 a multiple of 8 above 0, w_a 0 or more"):
        models.regnet.BlockParams.from_init_params(4, 9, 8.0, 2.0, 8)
    with pytest.raises(ValueError, match="regnet_y_128gf: pretrained is True; it has no weights of that time, but IMAGENET1K_SWAG_E2E_V1"):
        models.regnet_y_128gf(pretrained=True)
    with pytest.raises(ValueRangeError, match="GoogLeNet: blocks are 1; expected 3: convolution, inception module, auxiliary head"):
        models.GoogLeNet(blocks=[None], init_weights=False)
    with pytest.raises(ValueRangeError, match="Inception3: inception_blocks are 6; expected 7: convolution, modules A to E, head"):
        models.Inception3(inception_blocks=[None] * 6, init_weights=False)
    with pytest.raises(ValueRangeError, match=r"num_classes is 4; MobileNet_V2_Weights.IMAGENET1K_V2 has 1000 classes; leave it out"):
        models.mobilenet_v2(weights="DEFAULT", num_classes=4)
