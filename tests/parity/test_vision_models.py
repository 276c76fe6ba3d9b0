"""dovetail_vision.models beside torchvision's: same parameters, initial weights, results, gradients, weights API and errors."""

from __future__ import annotations

import inspect
import warnings

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("PIL")

import numpy as np
from PIL import Image

import dovetail as dv
import dovetail_vision.models as ours
from dovetail_vision.models import resnet as our_resnet
from dovetail_vision.transforms import InterpolationMode
from tests.parity.torchvision_oracle import torchvision

pytestmark = pytest.mark.parity

theirs = torchvision().models
NAMES = [name for name in ours.list_models(module=ours) if name in ours.FAMILIES["resnet"]]
ENUMS = sorted(name for name in ours.FAMILIES["resnet"] if name.endswith("_Weights"))


def quietly(call, *args, **kwargs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return call(*args, **kwargs)


def twins(name: str, norm=None, **config):
    """Both models with the same weights: PyTorch's."""
    mine = getattr(ours, name)(**config, **({"norm_layer": norm(dv.nn)} if norm else {}))
    other = getattr(theirs, name)(**config, **({"norm_layer": norm(torch.nn)} if norm else {}))
    for p in other.parameters():
        p.data.mul_(1 + 0.1 * torch.rand_like(p))
    mine.load_state_dict({key: dv.from_numpy(t.numpy().copy()) for key, t in other.state_dict().items()})
    return mine, other


def run(model, package, dtype: str, train: bool, shape=(4, 3, 40, 40)):
    """The result, the gradient of the input, those of the parameters, and the buffers afterwards, as arrays."""
    model = model.to(getattr(package, dtype)).train(train)
    x = package.tensor(np.random.default_rng(0).standard_normal(shape).astype(dtype), requires_grad=True)
    out = model(x)
    outs = list(out) if isinstance(out, tuple) else [out]
    for p in model.parameters():
        p.grad = None
    sum((out * out).sum() for out in outs).backward()
    tensors = [*outs, x.grad, *(p.grad for p in model.parameters() if p.grad is not None), *model.buffers()]
    return [t.detach().numpy() for t in tensors]


def exact(mine, other, train: bool, shape=(4, 3, 40, 40)) -> list[np.ndarray]:
    """Equal in float64; gives PyTorch's arrays."""
    got, want = run(mine, dv, "float64", train, shape), run(other, torch, "float64", train, shape)
    assert len(got) == len(want)
    for a, b in zip(got, want, strict=True):
        assert a.shape == b.shape and a.dtype == b.dtype
        np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-8 * max(1e-3, float(np.abs(b).max(initial=0))))
    return want


def distance(arrays, truth) -> float:
    return float(np.sqrt(sum(np.sum((a.astype(np.float64) - b) ** 2) for a, b in zip(arrays, truth, strict=True))))


@pytest.mark.parametrize("name", ["resnet18", "resnet34", "resnet50"])
def test_results_and_gradients(name, monkeypatch):
    monkeypatch.setattr(dv.backends.cpu, "winograd", "off")  # the bound on rounding is PyTorch's own
    """In float64 the same; in float32, which batch norm in training amplifies, as near to that as PyTorch."""
    torch.manual_seed(3)
    mine, other = twins(name, num_classes=7)
    state = {key: t.clone() for key, t in other.state_dict().items()}
    for train in (False, True):
        truth = [a.copy() for a in exact(mine, other, train)]
        for model, convert in ((mine, lambda t: dv.from_numpy(t.numpy().copy())), (other, lambda t: t)):
            model.float().load_state_dict({key: convert(t) for key, t in state.items()})
        got, want = run(mine, dv, "float32", train), run(other, torch, "float32", train)
        assert all(a.dtype == b.dtype for a, b in zip(got, want, strict=True))
        for few in (slice(1), slice(1, 2), slice(2, None)):
            size = distance(truth[few], [0 * t for t in truth[few]])
            bound = 4 * distance(want[few], truth[few]) + 1e-6 * size
            if train and few != slice(1):  # a ReLU that flips by rounding counts: 0.1 to 2 % on either side, by the seed
                bound = max(bound, 0.03 * size)
            assert distance(got[few], truth[few]) <= bound


@pytest.mark.parametrize(
    "name, config",
    [
        ("resnet50", {"replace_stride_with_dilation": [False, True, True], "zero_init_residual": True, "width_per_group": 8}),
        ("resnet50", {"groups": 4, "width_per_group": 4, "norm": lambda nn: lambda c: nn.GroupNorm(4, c)}),
        ("resnet18", {"norm": lambda nn: lambda c: nn.BatchNorm2d(c, eps=1e-3, momentum=0.3)}),
    ],
)
def test_options(name, config):
    torch.manual_seed(0)
    exact(*twins(name, num_classes=3, **config), True)


@pytest.mark.parametrize("name, config", [("resnet18", {}), ("resnet50", {"zero_init_residual": True, "num_classes": 5})])
def test_one_seed_gives_the_same_initial_weights(name, config):
    dv.manual_seed(3)
    mine = getattr(ours, name)(**config)
    torch.manual_seed(3)
    other = getattr(theirs, name)(**config)
    state, want = mine.state_dict(), other.state_dict()
    assert list(state) == list(want)
    for key in want:
        np.testing.assert_array_equal(state[key].numpy(), want[key].numpy(), err_msg=key)
    assert [n for n, _ in mine.named_modules()] == [n for n, _ in other.named_modules()]
    assert repr(mine) == repr(other)
    assert dv.rand(1).item() == torch.rand(1).item()


def test_every_variant_is_built_of_the_same_parts(monkeypatch):
    def noted(package, name):
        seen = []
        module = our_resnet if package is ours else package.resnet
        monkeypatch.setattr(module, "_resnet", lambda block, *rest, **kwargs: seen.append((block.__name__, *rest, kwargs)))
        getattr(package, name)(num_classes=9)
        monkeypatch.undo()
        return seen

    assert len(NAMES) == 10
    for name in NAMES:
        assert noted(ours, name) == noted(theirs, name), name


@pytest.mark.parametrize("name", ENUMS)
def test_enums_say_the_same(name):
    mine, other = getattr(ours, name), getattr(theirs, name)
    assert list(mine.__members__) == list(other.__members__)
    for key, want in other.__members__.items():
        got = mine[key]
        assert (got.name, repr(got), got.url) == (want.name, repr(want), want.url)
        assert got.transforms.keywords == want.transforms.keywords
        assert list(got.meta) == list(want.meta)
        assert {k: v for k, v in got.meta.items() if k != "_docs"} == {k: v for k, v in want.meta.items() if k != "_docs"}
        assert repr(got.transforms()) == repr(want.transforms())
        assert got.value == mine[key].value and got.value.key.startswith("vision/")


def test_the_list_of_models():
    for kwargs in ({"include": "resnet*"}, {"include": ["*50*", "wide*"], "exclude": "*101*"}, {"exclude": ["resnet*", "wide*"]}):
        assert ours.list_models(ours, **kwargs) == [name for name in theirs.list_models(**kwargs) if name in ours.list_models(ours)]
    assert ours.get_model_builder("ResNet18") is ours.resnet18
    assert ours.get_model_weights(ours.resnet34) is ours.ResNet34_Weights is ours.get_model_weights("resnet34")
    assert ours.get_weight("ResNet50_Weights.DEFAULT") is ours.ResNet50_Weights.IMAGENET1K_V2
    for name in NAMES:
        want = inspect.signature(getattr(theirs, name)).parameters
        assert list(inspect.signature(getattr(ours, name)).parameters) == list(want)


CALLS = [
    lambda m: m.resnet18(weights="IMAGENET1K_V9"),
    lambda m: m.resnet18(weights=m.ResNet34_Weights.DEFAULT),
    lambda m: m.resnet18(weights="DEFAULT", num_classes=10),
    lambda m: m.resnet18(no_such=1),
    lambda m: m.resnet18(None, False, 3),
    lambda m: m.resnet18(weights=None, pretrained=True),
    lambda m: m.resnext50_32x4d(groups=3),
    lambda m: m.resnet18(groups=2),
    lambda m: m.resnet18(replace_stride_with_dilation=[False, False, True]),
    lambda m: m.resnet50(replace_stride_with_dilation=[True]),
    lambda m: m.get_model("resnet19"),
    lambda m: m.get_weight("ResNet18"),
    lambda m: m.get_weight("ResNet19_Weights.DEFAULT"),
    lambda m: m.get_weight("ResNet18_Weights.V7"),
    lambda m: m.get_model_weights(lambda: None),
    lambda m: m.ResNet18_Weights.verify(3),
]


@pytest.mark.parametrize("number", range(len(CALLS)))
def test_refusals_are_of_their_kind(number):
    with pytest.raises(Exception) as want:
        quietly(CALLS[number], theirs)
    builtin = next(kind for kind in want.type.__mro__ if kind.__module__ == "builtins")
    with pytest.raises(builtin):
        quietly(CALLS[number], ours)


GIVEN = [
    {}, {"weights": None}, {"weights": "DEFAULT"}, {"weights": "ResNet50_Weights.IMAGENET1K_V1"}, {"pretrained": True},
    {"pretrained": False}, {"weights": True}, {"weights": False}, {"progress": False, "weights": "IMAGENET1K_V2"},
]  # fmt: skip


@pytest.mark.parametrize("given", GIVEN)
def test_the_same_weights_are_chosen_with_as_many_warnings(monkeypatch, given):
    def chosen(package, enum):
        with warnings.catch_warnings(record=True) as record:
            warnings.simplefilter("always")
            seen = []

            def stop(self, *args, **kwargs):
                seen.append((repr(self), args, kwargs))
                raise EOFError

            monkeypatch.setattr(enum, "get_state_dict", stop)
            try:
                package.resnet50(**given, width_per_group=1)
            except EOFError:
                pass
            monkeypatch.undo()
        return seen, bool(record), {warning.category for warning in record}

    assert chosen(ours, ours.WeightsEnum) == chosen(theirs, theirs.WeightsEnum)


@pytest.mark.parametrize("size", [(300, 260), (256, 256), (120, 500), (40, 30)])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_images_are_prepared_alike(size, mode):
    pixels = np.random.default_rng(1).integers(0, 256, (*size, 3), np.uint8)
    image = Image.fromarray(pixels).convert(mode)
    config = {} if mode == "RGB" else {"mean": (0.4,), "std": (0.2,)}
    mine = ours.ResNet18_Weights.DEFAULT.transforms(**config)
    other = theirs.ResNet18_Weights.DEFAULT.transforms(**config)
    np.testing.assert_allclose(mine(image).numpy(), other(image).numpy(), atol=1e-6)
    if mode == "RGB":
        for array in (pixels.transpose(2, 0, 1), pixels.transpose(2, 0, 1)[None].astype(np.float32) / 255):
            got, want = mine(dv.from_numpy(array.copy())).numpy(), other(torch.from_numpy(array.copy())).numpy()
            whole = array.dtype == np.uint8  # which may round to the next number; else the filter's weights are PyTorch's float32 ones
            np.testing.assert_allclose(got, want, atol=1.01 / 255 / 0.224 if whole else 3e-5 / 0.224)
            assert np.mean(np.abs(got - want) > 1e-3) < 1e-3
    assert mine.interpolation == InterpolationMode.BILINEAR


def test_a_file_that_pytorch_wrote(tmp_path):
    pytest.importorskip("dovetail.io.torch_file")
    torch.manual_seed(1)
    other = theirs.resnet18(num_classes=4).eval()
    torch.save(other.state_dict(), tmp_path / "resnet18.pth")
    mine = ours.resnet18(num_classes=4)
    mine.load_state_dict(dv.load(tmp_path / "resnet18.pth"))
    x = np.random.default_rng(0).standard_normal((1, 3, 64, 64)).astype(np.float32)
    with dv.no_grad(), torch.no_grad():
        np.testing.assert_allclose(mine.eval()(dv.from_numpy(x)).numpy(), other(torch.from_numpy(x)).numpy(), rtol=1e-4, atol=1e-5)
