"""EfficientNet, ConvNeXt and the transformers beside torchvision's: names, initial weights, results, gradients, weights, refusals."""

from __future__ import annotations

import inspect

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("PIL")

import numpy as np

import dovetail as dv
import dovetail_vision.models as ours
from tests.parity.test_vision_convolutional import parts, undrawn  # noqa: F401  (a fixture)
from tests.parity.test_vision_models import quietly, theirs

pytestmark = pytest.mark.parity

FAMILIES = ["efficientnet", "convnext", "vision_transformer", "swin_transformer", "maxvit"]
NAMES = [name for family in FAMILIES for name in ours.FAMILIES[family]]
BUILDERS = sorted(name for name in NAMES if name[0].islower())
ENUMS = sorted(name for name in NAMES if name.endswith("_Weights"))
CLASSES = sorted(name for name in NAMES if name[0].isupper() and not name.endswith("_Weights"))


@pytest.mark.parametrize("name", BUILDERS)
def test_names_and_shapes(undrawn, name):
    mine = quietly(getattr(ours, name))
    with torch.device("meta"):
        other = quietly(getattr(theirs, name))
    assert parts(mine) == parts(other)
    count = sum(p.numel() for p in mine.parameters())
    assert count == sum(p.numel() for p in other.parameters()) == dv.plugins.models.get(f"vision/{name}").params


@pytest.mark.parametrize("name", BUILDERS + CLASSES)
def test_signatures(name):
    mine, other = (inspect.signature(getattr(package, name)).parameters.values() for package in (ours, theirs))
    plain = int | float | str | tuple | None
    found, want = ([(p.name, p.kind, p.default if isinstance(p.default, plain) else "") for p in side] for side in (mine, other))
    assert found == want


@pytest.mark.parametrize("name", ENUMS)
def test_weights(name):
    mine, other = getattr(ours, name), getattr(theirs, name)
    assert list(mine.__members__) == list(other.__members__) and mine.DEFAULT.name == other.DEFAULT.name
    for member in other:
        one = mine[member.name]
        assert one.url == member.url
        left, right = ({k: v for k, v in w.meta.items() if k != "_docs"} for w in (one, member))
        assert {k: left[k] for k in right if k != "min_size"} == {k: v for k, v in right.items() if k != "min_size"}
        assert left["min_size"] == right.get("min_size", left["min_size"])
        settings = [repr(w.transforms()).replace("InterpolationMode.", "").lower() for w in (one, member)]
        assert settings[0] == settings[1]


def small(package, nn, name):
    """A network of each family and kind of block, at the smallest size that has all its parts."""
    m = package
    if name == "efficientnet":
        first, second = m.efficientnet.MBConvConfig, m.efficientnet.FusedMBConvConfig
        rows = [second(1, 3, 1, 8, 8, 1), second(4, 3, 2, 8, 16, 2), first(4, 3, 2, 16, 24, 2, 1.1, 1.2), first(6, 5, 1, 24, 24, 1)]
        rows[3].input_channels = rows[2].out_channels
        return m.EfficientNet(rows, 0.1, num_classes=5, last_channel=32)
    if name == "convnext":
        row = m.convnext.CNBlockConfig
        return m.ConvNeXt([row(8, 16, 2), row(16, None, 2)], 0.3, layer_scale=0.5, num_classes=5)
    if name == "vit":
        return m.VisionTransformer(32, 8, 2, 2, 16, 32, 0.1, 0.1, num_classes=5)
    if name == "vit with a stem":
        stem = [m.vision_transformer.ConvStemConfig(8, 3, 4), m.vision_transformer.ConvStemConfig(8, 3, 2)]
        return m.VisionTransformer(32, 8, 1, 2, 16, 32, num_classes=5, representation_size=12, conv_stem_configs=stem)
    if name == "swin":
        return m.SwinTransformer([4, 4], 8, [2, 2], [2, 4], [5, 3], dropout=0.1, num_classes=5)
    if name == "swin v2":
        s = m.swin_transformer
        parts = {"block": s.SwinTransformerBlockV2, "downsample_layer": s.PatchMergingV2}
        return m.SwinTransformer([4, 4], 8, [2, 2], [2, 4], [4, 3], num_classes=5, **parts)
    return m.MaxVit((32, 32), 8, 4, [8, 16], [2, 1], head_dim=4, stochastic_depth_prob=0.2, num_classes=5)


KINDS = ["efficientnet", "convnext", "vit", "vit with a stem", "swin", "swin v2", "maxvit"]


@pytest.mark.parametrize("name", KINDS)
def test_one_seed_gives_the_same_network_results_and_gradients(name):
    dv.manual_seed(3)
    mine = small(ours, dv.nn, name)
    torch.manual_seed(3)
    other = small(theirs, torch.nn, name)
    want = other.state_dict()
    assert list(mine.state_dict()) == list(want)
    for key, value in mine.state_dict().items():
        np.testing.assert_allclose(value.numpy(), want[key].numpy(), rtol=2e-6, atol=1e-7, err_msg=key)
    assert dv.rand(1).item() == torch.rand(1).item()
    with torch.no_grad():
        for p in other.parameters():  # none of them zero
            p += torch.randn_like(p) * 0.05
    mine.load_state_dict({key: dv.from_numpy(t.numpy().copy()) for key, t in other.state_dict().items()})
    mine, other = mine.double(), other.double()
    x = np.random.default_rng(0).standard_normal((4, 3, 32, 32))
    with dv.no_grad(), torch.no_grad():
        np.testing.assert_allclose(mine.eval()(dv.from_numpy(x)).numpy(), other.eval()(torch.from_numpy(x)).numpy(), rtol=1e-9, atol=1e-10)
    dv.manual_seed(5)
    torch.manual_seed(5)
    got, wanted = mine.train()(dv.from_numpy(x)), other.train()(torch.from_numpy(x))
    np.testing.assert_allclose(got.detach().numpy(), wanted.detach().numpy(), rtol=1e-8, atol=1e-9)
    got.square().sum().backward()
    wanted.square().sum().backward()
    largest = max(p.grad.abs().max().item() for p in other.parameters())
    for (key, p), q in zip(mine.named_parameters(), other.parameters(), strict=True):
        np.testing.assert_allclose(p.grad.numpy(), q.grad.numpy(), rtol=1e-6, atol=1e-9 * largest, err_msg=key)


def test_positions_for_another_size_and_older_names():
    theirs_state = small(theirs, torch.nn, "vit").state_dict()
    mine_state = {key: dv.from_numpy(t.numpy().copy()) for key, t in theirs_state.items()}
    for heads in (False, True):
        found = ours.vision_transformer.interpolate_embeddings(48, 8, dict(mine_state), reset_heads=heads)
        want = theirs.vision_transformer.interpolate_embeddings(48, 8, dict(theirs_state), reset_heads=heads)
        assert list(found) == list(want)
        np.testing.assert_allclose(found["encoder.pos_embedding"].numpy(), want["encoder.pos_embedding"].numpy(), rtol=1e-5, atol=1e-6)
    old = {k.replace("mlp.0.", "mlp.linear_1.").replace("mlp.3.", "mlp.linear_2."): v for k, v in mine_state.items()}
    assert not small(ours, dv.nn, "vit").load_state_dict(old).missing_keys


@pytest.mark.parametrize(
    "call",
    [
        lambda m: m.EfficientNet([], 0.1),
        lambda m: m.EfficientNet([1], 0.1),
        lambda m: m.ConvNeXt([]),
        lambda m: m.ConvNeXt([1]),
        lambda m: m.VisionTransformer(30, 8, 1, 1, 8, 8),
        lambda m: m.swin_transformer.ShiftedWindowAttention(8, [7], [0], 2),
        lambda m: m.MaxVit((40, 40), 8, 4, [8], [1], 4, 0.1),
        lambda m: m.maxvit.PartitionAttentionLayer(8, 4, 4, "x", (8, 8), 2, None, None, 0.0, 0.0, 0.0),
    ],
)
def test_refusals(call):
    kinds = []
    for package in (ours, theirs):
        with pytest.raises(Exception) as caught:
            call(package)
        kinds.append(caught.type)
    assert issubclass(kinds[0], kinds[1])


def test_an_image_of_another_size_is_refused():
    texts = []
    for package, lib in ((ours, dv), (theirs, torch)):
        with pytest.raises(AssertionError) as caught:
            small(package, lib.nn, "vit")(lib.zeros(1, 3, 40, 32))
        texts.append(str(caught.value))
    assert texts[1] in texts[0]
