"""EfficientNet, ConvNeXt, ViT, Swin and MaxViT: one forward and backward of each at the smallest size, and what they refuse."""

from __future__ import annotations

import pytest

import dovetail as dv
from dovetail_vision import models
from dovetail_vision.models.convnext import CNBlockConfig
from dovetail_vision.models.efficientnet import FusedMBConvConfig, MBConvConfig
from dovetail_vision.models.swin_transformer import PatchMergingV2, SwinTransformerBlockV2

SECOND = {"block": SwinTransformerBlockV2, "downsample_layer": PatchMergingV2}
NETWORKS = {
    "efficientnet": lambda: models.EfficientNet([FusedMBConvConfig(2, 3, 1, 8, 8, 1), MBConvConfig(4, 3, 2, 8, 16, 2)], 0.1, num_classes=5),
    "convnext": lambda: models.ConvNeXt([CNBlockConfig(8, 16, 1), CNBlockConfig(16, None, 1)], 0.1, num_classes=5),
    "vit": lambda: models.VisionTransformer(32, 16, 1, 2, 8, 16, 0.1, 0.1, num_classes=5),
    "swin": lambda: models.SwinTransformer([4, 4], 8, [2, 2], [2, 2], [3, 3], num_classes=5),
    "swin v2": lambda: models.SwinTransformer([4, 4], 8, [2, 2], [2, 2], [4, 4], num_classes=5, **SECOND),
    "maxvit": lambda: models.MaxVit((32, 32), 8, 4, [8], [2], 4, 0.1, num_classes=5),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_a_step_of_training(name: str) -> None:
    dv.manual_seed(0)
    model = NETWORKS[name]()
    x, y = dv.randn(4, 3, 32, 32), dv.tensor([0, 1, 2, 3])
    optimizer = dv.optim.SGD(model.parameters(), lr=0.01)
    before = [p.clone() for p in model.parameters()]
    loss = dv.nn.functional.cross_entropy(model(x), y)
    loss.backward()
    assert loss.isfinite() and all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
    optimizer.step()
    assert any((p != q).any() for p, q in zip(model.parameters(), before, strict=True))
    with dv.no_grad():
        assert dv.equal(model.eval()(x), model(x))


def test_other_classes_and_frozen_layers() -> None:
    model = models.vit_b_32(num_classes=7, image_size=64)
    assert model.heads.head.out_features == 7
    for p in model.encoder.parameters():
        p.requires_grad_(False)
    model(dv.zeros(1, 3, 64, 64)).sum().backward()
    assert model.encoder.pos_embedding.grad is None and model.heads.head.weight.grad is not None


def test_names_and_weights() -> None:
    assert models.list_models(include=["vit*", "maxvit*"]) == ["maxvit_t", "vit_b_16", "vit_b_32", "vit_h_14", "vit_l_16", "vit_l_32"]
    assert models.get_weight("Swin_V2_B_Weights.DEFAULT").meta["min_size"] == (256, 256)
    assert models.EfficientNet_B1_Weights.DEFAULT.name == "IMAGENET1K_V2"


def test_weights_fix_the_size_of_images() -> None:
    with pytest.raises(ValueError, match=r"image_size is 64"):
        models.vit_b_16(weights="IMAGENET1K_V1", image_size=64)
    with pytest.raises(ValueError, match="input_size"):
        models.maxvit_t(weights="IMAGENET1K_V1", input_size=(64, 64))
    with pytest.raises(AssertionError, match="Wrong image height! Expected 32 but got 16!"):
        NETWORKS["vit"]()(dv.zeros(1, 3, 16, 32))
