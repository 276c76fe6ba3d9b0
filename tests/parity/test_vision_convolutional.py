"""The convolutional classifiers other than ResNet beside torchvision's: names, initial weights, results, gradients, weights, refusals."""

from __future__ import annotations

import inspect

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("PIL")

import numpy as np

import dovetail as dv
import dovetail_vision.models as ours
from tests.parity.test_vision_models import exact, quietly, theirs, twins

pytestmark = pytest.mark.parity

FAMILIES = """mobilenetv2 mobilenetv3 vgg alexnet squeezenet densenet googlenet inception shufflenetv2 mnasnet regnet""".split()
BUILDERS = sorted(name for name in ours.list_models(module=ours) if ours._HOME[name] in FAMILIES)
ENUMS = sorted(name for family in FAMILIES for name in ours.FAMILIES[family] if name.endswith("_Weights"))
CLASSES = sorted(name for family in FAMILIES for name in ours.FAMILIES[family] if name[0].isupper() and not name.endswith("_Weights"))


def parts(model) -> list:
    """Kinds and names of all modules, names, shapes and types of all tensors."""
    tensors = [(key, tuple(t.shape), str(t.dtype).partition(".")[2]) for key, t in model.state_dict().items()]
    return [(name, type(m).__name__) for name, m in model.named_modules()] + tensors + [repr(model)]


@pytest.fixture
def undrawn(monkeypatch):
    """Memory that nothing writes to costs nothing: no initial weights are drawn here."""
    for init in (dv.nn.init, torch.nn.init):
        for name in dir(init):
            if name.endswith("_") and not name.startswith("_"):
                monkeypatch.setattr(init, name, lambda tensor, *args, **kwargs: tensor)


@pytest.mark.parametrize("name", BUILDERS)
def test_names_and_shapes(undrawn, name):
    mine, other = (quietly(getattr(package, name)) for package in (ours, theirs))
    assert parts(mine) == parts(other)
    count = sum(p.numel() for p in mine.parameters())
    assert count == sum(p.numel() for p in other.parameters()) == dv.plugins.models.get(f"vision/{name}").params


@pytest.mark.parametrize("name", BUILDERS)
def test_signatures_of_builders(name):
    mine, other = (inspect.signature(getattr(package, name)).parameters for package in (ours, theirs))
    assert list(mine) == list(other) and ours.get_model_weights(name).__name__ == theirs.get_model_weights(name).__name__


@pytest.mark.parametrize("name", CLASSES)
def test_signatures_of_classes(name):
    mine, other = (inspect.signature(getattr(package, name)).parameters.values() for package in (ours, theirs))
    kept = [(p.name, p.default if isinstance(p.default, int | float | str | tuple | None) else "", p.kind) for p in other]
    assert [(p.name, p.default if isinstance(p.default, int | float | str | tuple | None) else "", p.kind) for p in mine] == kept


@pytest.fixture
def thin(monkeypatch):
    """Linear layers of 8 where they would be of 4096: the true ones of VGG and AlexNet have up to 120 million weights."""
    for nn in (dv.nn, torch.nn):

        class Linear(nn.Linear):
            def __init__(self, in_features, out_features, **kwargs):
                super().__init__(*(8 if size == 4096 else size for size in (in_features, out_features)), **kwargs)

        monkeypatch.setattr(nn, "Linear", Linear)


SEEDED = """mobilenet_v2 mobilenet_v3_small vgg11_bn alexnet squeezenet1_1 densenet121 googlenet inception_v3 shufflenet_v2_x0_5 mnasnet0_5
regnet_x_400mf regnet_y_400mf""".split()


@pytest.mark.parametrize("name", SEEDED)
def test_one_seed_gives_the_same_initial_weights(thin, name):
    dv.manual_seed(3)
    mine = quietly(getattr(ours, name), num_classes=5)
    torch.manual_seed(3)
    other = quietly(getattr(theirs, name), num_classes=5)
    want = other.state_dict()
    for key, value in mine.state_dict().items():
        np.testing.assert_array_equal(value.numpy(), want[key].numpy(), err_msg=key)
    assert dv.rand(1).item() == torch.rand(1).item()


def settled(mine, other, size: int):
    """Both with the statistics of a batch: with the initial ones every image gives nearly the same small numbers in eval mode."""
    norms = [m for m in other.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    momenta = [m.momentum for m in norms]
    for m in norms:
        m.momentum = 1.0
    with torch.no_grad():
        other.train()(torch.from_numpy(np.random.default_rng(1).standard_normal((8, 3, size, size)).astype(np.float32)))
    for m, momentum in zip(norms, momenta, strict=True):
        m.momentum = momentum
    mine.load_state_dict({key: dv.from_numpy(t.numpy().copy()) for key, t in other.state_dict().items()})
    return mine, other


RESULTS = [
    ("mobilenet_v2", 40, {"dropout": 0.0}),
    ("mobilenet_v2", 40, {"width_mult": 0.35, "dropout": 0.0, "norm": lambda nn: lambda c: nn.GroupNorm(4, c)}),
    ("mobilenet_v3_small", 40, {"dropout": 0.0}),
    ("mobilenet_v3_large", 40, {"dropout": 0.0, "dilated": True, "reduced_tail": True, "width_mult": 0.5}),
    ("vgg11_bn", 32, {"dropout": 0.0}),
    ("alexnet", 64, {"dropout": 0.0}),
    ("squeezenet1_0", 32, {"dropout": 0.0}),
    ("squeezenet1_1", 32, {"dropout": 0.0}),
    ("DenseNet", 40, {"growth_rate": 4, "block_config": (2, 3, 2, 1), "num_init_features": 8, "bn_size": 2}),
    ("DenseNet", 40, {"growth_rate": 4, "block_config": (2, 1), "num_init_features": 8, "memory_efficient": True}),
    ("shufflenet_v2_x0_5", 40, {}),
    ("mnasnet0_5", 40, {"dropout": 0.0}),
    ("regnet_y_400mf", 32, {"stem_width": 8}),
    ("googlenet", 16, {"dropout": 0.0, "dropout_aux": 0.0, "init_weights": False, "transform_input": True}),
]


@pytest.mark.parametrize("name, size, config", RESULTS)
def test_results_and_gradients(thin, name, size, config):
    torch.manual_seed(0)
    mine, other = quietly(twins, name, num_classes=3, **config)
    for model in (mine, other) if name.startswith("mnasnet") else ():  # its first linear layer is large, and rounding of 0 with it
        model.classifier[1].weight.data.mul_(0.125)
    settled(mine, other, size)
    exact(mine, other, False, (2, 3, size, size))
    exact(mine, other, True, (2 if name.startswith("vgg") else 4, 3, size, size))


def near(mine, other, size: int) -> None:
    """In eval mode as near to the result in float64 as PyTorch, which is another for another image."""
    x = np.random.default_rng(0).standard_normal((2, 3, size, size)).astype(np.float32)
    with dv.no_grad(), torch.no_grad():
        got, want = mine.eval()(dv.from_numpy(x)).numpy(), other.eval()(torch.from_numpy(x)).numpy()
        truth = other.double()(torch.from_numpy(x).double()).numpy()
    other.float()
    bound = 4 * np.abs(want - truth).max() + 1e-6 * np.abs(truth).max()
    assert got.dtype == want.dtype and np.abs(truth[0] - truth[1]).max() > 100 * bound
    assert np.abs(got - truth).max() <= bound


@pytest.fixture
def plain(monkeypatch):
    """Convolutions without Winograd's sums: the bound on rounding is PyTorch's own."""
    monkeypatch.setattr(dv.backends.cpu, "winograd", "off")


#: Class, arguments and the size of the images.
BLOCKS = [
    ("InceptionA", (8, 5), 9), ("InceptionB", (8,), 9), ("InceptionC", (8, 12), 9), ("InceptionD", (8,), 9), ("InceptionE", (8,), 9),
    ("InceptionAux", (8, 3), 17),
]  # fmt: skip


@pytest.mark.parametrize("name, args, size", BLOCKS)
def test_blocks_of_inception(name, args, size):
    torch.manual_seed(0)
    other = getattr(theirs.inception, name)(*args)
    mine = getattr(ours.inception, name)(*args)
    mine.load_state_dict({key: dv.from_numpy(t.numpy().copy()) for key, t in other.state_dict().items()})
    exact(mine, other, True, (2, 8, size, size))


def test_parts_of_ones_own(plain):
    """Blocks and activations that a program brings are called as torchvision calls them."""

    def inception(package, nn):
        def head(channels, classes):
            return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, classes))

        m = package.inception
        blocks = [m.BasicConv2d, m.InceptionA, m.InceptionB, m.InceptionC, m.InceptionD, m.InceptionE, head]
        return package.Inception3(3, inception_blocks=blocks, init_weights=False, dropout=0.0, transform_input=True)

    mine, other = settled(inception(ours, dv.nn), inception(theirs, torch.nn), 75)
    near(mine, other, 75)
    x = np.zeros((2, 3, 75, 75), np.float32)
    with dv.no_grad(), torch.no_grad():
        got, want = mine.train()(dv.from_numpy(x)), other.train()(torch.from_numpy(x))
    assert type(got).__name__ == type(want).__name__ == "InceptionOutputs" and got._fields == want._fields
    assert ours.GoogLeNetOutputs._fields == theirs.GoogLeNetOutputs._fields and ours._InceptionOutputs is ours.InceptionOutputs


FLOAT32 = "mobilenet_v2 mobilenet_v3_large vgg11 squeezenet1_0 densenet121 shufflenet_v2_x1_0 mnasnet1_0 regnet_x_400mf".split()


@pytest.mark.parametrize("name", FLOAT32)
def test_results_in_float32(thin, plain, name):
    torch.manual_seed(0)
    near(*settled(*quietly(twins, name), 48), 48)


@pytest.mark.soak
@pytest.mark.parametrize("name", [name for name in BUILDERS if dv.plugins.models.get(f"vision/{name}").params < 150e6])
def test_results_of_every_builder(thin, plain, name):
    torch.manual_seed(0)
    size = {"inception_v3": 75, "alexnet": 64}.get(name, 48)
    near(*settled(*quietly(twins, name, **({"aux_logits": False} if name == "inception_v3" else {})), size), size)


@pytest.mark.parametrize("name", ENUMS)
def test_enums_say_the_same(name):
    mine, other = getattr(ours, name), getattr(theirs, name)
    assert list(mine.__members__) == list(other.__members__)
    for key, want in other.__members__.items():
        got = mine[key]
        assert (got.name, repr(got), got.url) == (want.name, repr(want), want.url)
        assert {**got.transforms.keywords, "interpolation": 0} == {**want.transforms.keywords, "interpolation": 0}
        assert repr({**got.meta, "_docs": ""}) == repr({key: "" if key == "_docs" else want.meta.get(key) for key in got.meta})
        assert set(want.meta) - set(got.meta) == set() and repr(got.transforms()) == repr(want.transforms())
        assert got.value.key.startswith("vision/") and dv.weights.get(got.value.key).sha256_prefix in want.url


def test_widths_of_regnet():
    """The paper's rule in float32, where a width may fall between two multiples of 8."""
    draw = np.random.default_rng(0)
    for _ in range(300):
        depth, first, group = int(draw.integers(1, 40)), int(draw.integers(1, 60)) * 8, int(draw.integers(1, 33)) * 8
        slope, step, bottleneck = float(draw.uniform(0, 150)), float(draw.uniform(1.5, 3)), float(draw.choice([0.25, 0.5, 1.0, 2.0]))
        got, want = (m.regnet.BlockParams.from_init_params(depth, first, slope, step, group, bottleneck, 0.25) for m in (ours, theirs))
        assert vars(got) == vars(want)


@pytest.mark.parametrize("named", [True, False])
def test_mnasnet_of_version_1(named):
    """Old files, with and without their version, make the stem like their own."""
    old = theirs.MNASNet(0.5, num_classes=3)
    for i, layer in enumerate(our_stem(theirs.mnasnet, torch.nn)):
        old.layers[i] = layer
    old._version = 1
    state = old.state_dict()
    other, mine = theirs.MNASNet(0.5, num_classes=3), ours.MNASNet(0.5, num_classes=3)
    quietly(other.load_state_dict, state)
    given = type(state)((key, dv.from_numpy(t.numpy().copy())) for key, t in state.items())
    if named:
        given._metadata = state._metadata
    with pytest.warns(UserWarning, match="MNASNet: the state dict is of version 1, and the stem is made like its own"):
        mine.load_state_dict(given)
    assert parts(mine) == parts(other) and mine.state_dict()._metadata[""] == other.state_dict()._metadata[""] == {"version": 1}
    exact(mine.eval(), other.eval(), False, (2, 3, 40, 40))


def our_stem(mnasnet, nn):
    conv = [nn.Conv2d(3, 32, 3, 2, 1, bias=False), nn.Conv2d(32, 32, 3, 1, 1, groups=32, bias=False), nn.Conv2d(32, 16, 1, bias=False)]
    norms = [nn.BatchNorm2d(width, momentum=mnasnet._BN_MOMENTUM) for width in (32, 32, 16)]
    layers = [conv[0], norms[0], nn.ReLU(True), conv[1], norms[1], nn.ReLU(True), conv[2], norms[2]]
    return [*layers, mnasnet._stack(16, 16, 3, 2, 3, 3, mnasnet._BN_MOMENTUM)]


def test_mnasnet_of_unknown_version():
    state, given = theirs.MNASNet(0.5).state_dict(), ours.MNASNet(0.5).state_dict()
    state._metadata[""] = given._metadata[""] = {"version": 3}
    for model, values in ((theirs.MNASNet(0.5), state), (ours.MNASNet(0.5), given)):
        with pytest.raises(ValueError, match="version"):
            model.load_state_dict(values)


REFUSED = [
    lambda m: m.MobileNetV2(inverted_residual_setting=[]),
    lambda m: m.MobileNetV2(inverted_residual_setting=[[1, 2, 3]]),
    lambda m: m.mobilenetv2.InvertedResidual(8, 8, 3, 6),
    lambda m: m.MobileNetV3([], 8),
    lambda m: m.MobileNetV3([(16, 3, 16, 16, True, "RE", 2, 1)], 8),
    lambda m: m.mobilenetv3._mobilenet_v3_conf("mobilenet_v3_medium"),
    lambda m: m.mobilenetv3.InvertedResidual(m.mobilenetv3.InvertedResidualConfig(8, 3, 8, 8, True, "RE", 3, 1, 1.0), None),
    lambda m: m.mobilenet_v2(weights="DEFAULT", num_classes=4),
    lambda m: m.mobilenet_v2(no_such=1),
    lambda m: m.vgg11(weights="IMAGENET1K_FEATURES"),
    lambda m: m.SqueezeNet("1_2"),
    lambda m: m.ShuffleNetV2([1, 1], [8, 8, 16, 32, 64]),
    lambda m: m.ShuffleNetV2([1, 1, 1], [8, 8, 16, 32]),
    lambda m: m.shufflenetv2.InvertedResidual(8, 8, 4),
    lambda m: m.shufflenetv2.InvertedResidual(8, 6, 1),
    lambda m: m.MNASNet(0.0),
    lambda m: m.mnasnet._InvertedResidual(8, 8, 3, 3, 2),
    lambda m: m.mnasnet._InvertedResidual(8, 8, 7, 1, 2),
    lambda m: m.mnasnet._stack(8, 8, 3, 1, 2, 0, 0.1),
    lambda m: m.regnet.BlockParams.from_init_params(4, 9, 8.0, 2.0, 8),
    lambda m: m.regnet_x_400mf(depth=3),
    lambda m: m.regnet_x_400mf(se_ratio=0.25),
    lambda m: m.regnet_y_128gf(pretrained=True),
    lambda m: m.GoogLeNet(blocks=[None]),
    lambda m: m.Inception3(inception_blocks=[None] * 6),
]


@pytest.mark.parametrize("number", range(len(REFUSED)))
def test_refusals_are_of_their_kind(number):
    with pytest.raises(Exception) as want:
        quietly(REFUSED[number], theirs)
    builtin = next(kind for kind in want.type.__mro__ if kind.__module__ == "builtins")
    with pytest.raises(builtin):
        quietly(REFUSED[number], ours)
