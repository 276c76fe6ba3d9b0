"""ResNets and torchvision's weights API, without torchvision: building, choosing and fetching weights, refusals, the manifest."""

from __future__ import annotations

import copy
import hashlib
import subprocess
import sys
from dataclasses import replace

import pytest

import dovetail as dv
import dovetail_vision.models as models
from dovetail import weights
from dovetail.errors import HashMismatch, UnsupportedError
from dovetail.plugins.manager import get_manager
from dovetail_vision.models import ResNet18_Weights, ResNet50_Weights, WeightsEnum, resnet
from dovetail_vision.models._api import Weights

ROWS = weights.list("vision/resn*@*") + weights.list("vision/wide_resn*@*")


@pytest.fixture
def published(tmp_path, monkeypatch):
    """The file of resnet18's weights as its publisher would have it, with random values, and its row that says so."""
    monkeypatch.setenv("DOVETAIL_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    dv.manual_seed(5)
    dv.save(resnet.ResNet(resnet.BasicBlock, [2, 2, 2, 2]).state_dict(), path := tmp_path / "resnet18.safetensors")
    _, row = get_manager().table("weights").rows["vision/resnet18@imagenet1k_v1"]
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    for field, value in {"url": path.as_uri(), "sha256_prefix": digest[:8], "bytes": path.stat().st_size}.items():
        monkeypatch.setitem(row, field, value)
    return path


def same(model, path) -> bool:
    state = dv.load(path)
    return all(dv.equal(value, state[key]) for key, value in model.state_dict().items())


def test_weights_are_fetched_checked_and_kept(published, tmp_path, monkeypatch):
    member = ResNet18_Weights.IMAGENET1K_V1
    assert same(models.resnet18(weights=member), published)
    kept = tmp_path / "home/hub/checkpoints/vision/resnet18@imagenet1k_v1/resnet18.safetensors"
    assert kept.is_file() and "vision/resnet18@imagenet1k_v1" in (tmp_path / "home/hub/dovetail.lock").read_text()
    before = published.read_bytes()
    published.unlink()
    assert same(dv.models.create("vision/resnet18", weights="imagenet1k_v1"), kept)
    with monkeypatch.context() as patch:  # which weights are taken, without building ten networks
        patch.setattr(resnet, "_resnet", lambda block, layers, weights, progress: weights)
        assert models.resnet18(weights="DEFAULT") is models.resnet18(weights="ResNet18_Weights.IMAGENET1K_V1", progress=False) is member
        assert models.get_model("resnet18", weights=member) is member and models.resnet18(weights=None) is None
        assert models.resnet18(weights=dv.weights.get("vision/resnet18@imagenet1k_v1")).key == "vision/resnet18@imagenet1k_v1"
    with pytest.warns(
        UserWarning, match=r"pretrained=True is deprecated since torchvision 0.13; it means weights=ResNet18_Weights.IMAGENET"
    ):
        assert same(models.resnet18(pretrained=True), kept)
    assert list(member.get_state_dict(progress=True, check_hash=True)) == list(models.resnet18().state_dict())
    published.write_bytes(before)
    mine = replace(member.value, url=published.as_uri()).get_state_dict(model_dir=str(tmp_path / "mine"))
    assert (tmp_path / "mine/resnet18.safetensors").is_file() and len(mine) == 122
    kept.write_bytes(b"damaged")
    published.write_bytes(b"replaced")
    with pytest.raises(HashMismatch):
        models.resnet18(weights=member)


def test_a_saved_model_is_rebuilt_without_fetching(published, tmp_path):
    model = dv.models.create("vision/resnet18", weights="DEFAULT")
    dv.save(model, tmp_path / "mine.safetensors")
    published.unlink()
    assert same(
        dv.load(tmp_path / "mine.safetensors"), tmp_path / "home/hub/checkpoints/vision/resnet18@imagenet1k_v1/resnet18.safetensors"
    )


def test_weights_have_a_thousand_classes():
    assert ResNet50_Weights.DEFAULT.meta["categories"][:2] == ["tench", "goldfish"]
    with pytest.raises(ValueError, match=r"num_classes is 10; ResNet18_Weights.IMAGENET1K_V1 has 1000 classes; leave it out"):
        models.resnet18(weights="DEFAULT", num_classes=10)


def test_enum_members_are_themselves():
    member = ResNet50_Weights.IMAGENET1K_V2
    assert ResNet50_Weights.DEFAULT is member is ResNet50_Weights["DEFAULT"] and copy.deepcopy(member) is member
    assert ResNet50_Weights.verify("IMAGENET1K_V2") is member is ResNet50_Weights.verify(member) and ResNet50_Weights.verify(None) is None
    assert isinstance(member, WeightsEnum) and repr(list(ResNet18_Weights)) == "[ResNet18_Weights.IMAGENET1K_V1]"
    with pytest.raises(KeyError, match="there is no 'V9'; expected one of IMAGENET1K_V1, IMAGENET1K_V2, DEFAULT"):
        models.resnet50(weights="V9")
    with pytest.raises(TypeError, match="expected a ResNet18_Weights, the name of one, or None"):
        models.resnet18(weights=member)


def test_refusals_say_what_to_do():
    with pytest.raises(UnsupportedError, match="BasicBlock: dilation is 2; expected 1; resnet50 and deeper ones take it"):
        models.resnet18(replace_stride_with_dilation=[True, False, False])
    with pytest.raises(ValueError, match="BasicBlock: groups is 2 and base_width is 64; expected 1 and 64"):
        models.resnet34(groups=2)
    with pytest.raises(ValueError, match="groups is 3; expected 32 for this variant; build ResNet itself"):
        models.resnext50_32x4d(groups=3)
    with pytest.raises(ValueError, match="unknown model 'resnet19'; expected one of "):
        models.get_model("resnet19")
    with pytest.raises(ValueError, match="there is no enum 'ResNet19_Weights'"):
        models.get_weight("ResNet19_Weights.DEFAULT")
    with pytest.raises(TypeError, match="resnet18: it got 3 positional arguments"):
        models.resnet18(None, True, 3)
    with pytest.warns(UserWarning, match="resnet18: weights and progress by position is deprecated"):
        models.resnet18(None, False, num_classes=1)


def test_models_and_weights_of_ones_own(monkeypatch, tmp_path):
    class Tiny_Weights(WeightsEnum):
        V1 = Weights(url=(tmp_path / "tiny.safetensors").as_uri(), transforms=dict, meta={"categories": ["a"]})

    @models.register_model("my_tiny")
    def tiny(*, weights: Tiny_Weights | None = None, progress: bool = True):
        model = dv.nn.Linear(1, 1)
        if weights is not None:
            model.load_state_dict(Tiny_Weights.verify(weights).get_state_dict(progress=progress))
        return model

    monkeypatch.setenv("DOVETAIL_HOME", str(tmp_path / "home"))
    tiny.__annotations__["weights"] = Tiny_Weights | None
    try:
        dv.save({"weight": dv.ones(1, 1), "bias": dv.ones(1)}, tmp_path / "tiny.safetensors")
        assert models.get_model("my_tiny", weights="V1")(dv.ones(1)).item() == 2
        assert models.get_model_weights("my_tiny") is Tiny_Weights and "my_tiny" in models.list_models(include="my_*")
        with pytest.raises(ValueError, match="already registered under the name 'my_tiny'"):
            models.register_model("my_tiny")(tiny)
    finally:
        models._api._BUILDERS.pop("my_tiny")


@pytest.mark.parametrize("key", ROWS)
def test_rows_are_complete(key):
    """S14: foreign files have what their publisher gives, a licence, and are checked against it."""
    row = weights.get(key)
    assert row.url.startswith("https://download.pytorch.org/models/") and row.url.endswith(f"-{row.sha256_prefix}.pth")
    assert row.license == "BSD-3-Clause" and len(row.sha256_prefix) == 8 and (row.bytes or row.meta["file_size"])
    assert type(weights.transforms(row)).__name__ == "ImageClassification"


def test_there_are_as_many_rows_as_members():
    enums = [getattr(models, name) for name in models.FAMILIES["resnet"] if name.endswith("_Weights")]
    assert len(ROWS) == sum(len(enum) for enum in enums) == 17 and {value.value.key for enum in enums for value in enum} == set(ROWS)


def test_typical_imports():
    program = (
        "import sys, dovetail_vision.models as models\n"
        "assert 'dovetail_vision.models.resnet' not in sys.modules\n"
        "from dovetail_vision.models import resnet50, ResNet50_Weights\n"
        "from dovetail_vision.models.resnet import BasicBlock, Bottleneck, ResNet, resnet18, ResNet18_Weights\n"
        "import dovetail.vision\n"
        "assert dovetail.vision.models.resnet18 is models.resnet18 and isinstance(models.resnet.ResNet, type)\n"
        "assert models.digits_cnn().fc.out_features == 10 and 'resnet34' in dir(models)\n"
        "names = {}\n"
        "exec('from dovetail_vision.models import *', names)\n"
        "assert names['ResNet34_Weights'].DEFAULT.url == models.ResNet34_Weights.DEFAULT.url\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
    with pytest.raises(AttributeError, match="has no attribute 'resnet19'"):
        models.resnet19
    with pytest.raises(AttributeError, match="has no attribute 'ResNet19_Weights'"):
        resnet.ResNet19_Weights
