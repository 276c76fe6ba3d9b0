"""Every family of models of the vision and text plugins at small size: how to make one, its arguments, and its free dimensions."""

from __future__ import annotations

from functools import partial

import dovetail as dv
from dovetail import nn
from dovetail.vision import models as vision
from dovetail.vision.models import convnext, efficientnet, maxvit, regnet, swin_transformer, vgg

__all__ = ["DETECTORS", "FAMILIES"]

_BATCH = {0: "batch"}
_IMAGE = {0: "batch", 2: "h", 3: "w"}


def _image(make, size=32, free=_IMAGE, channels=3, batch=2):
    return make, lambda: (dv.rand(batch, channels, size, size),), {"x": free}


def _named(name, /, size=32, free=_IMAGE, **config):
    return _image(partial(dv.models.create, f"vision/{name}", **config), size, free)


def _light(make, features, *sizes):
    """A model whose fully connected layers, the bulk of it, are made anew with these sizes before memory is taken for them."""
    with dv.device("meta"):
        model = make()
    rows = [at for at, layer in enumerate(model.classifier) if isinstance(layer, nn.Linear)]
    for at, into, out in zip(rows, (features, *sizes[:-1]), sizes, strict=True):
        model.classifier[at] = nn.Linear(into, out)
    model.to_empty(device="cpu")
    for name, tensor in model.state_dict().items():
        tensor.fill_(1) if name.endswith(("var", "tracked")) else nn.init.normal_(tensor, 0, 0.05)
    return model


def _vgg():
    return _light(lambda: vision.VGG(vgg.make_layers([8, "M", 12, "M", 16, "M"], batch_norm=True), init_weights=False), 16 * 49, 12, 12, 3)


def _alexnet():
    return _light(vision.AlexNet, 256 * 36, 8, 8, 3)


def _densenet():
    return vision.DenseNet(8, (1, 2), 8, bn_size=2, num_classes=3)


def _efficientnet():
    rows = [efficientnet.MBConvConfig(1, 3, 1, 8, 8, 1), efficientnet.FusedMBConvConfig(4, 3, 2, 8, 12, 2)]
    return vision.EfficientNet(rows, 0.2, num_classes=3, last_channel=16)


def _regnet():
    return vision.RegNet(regnet.BlockParams.from_init_params(4, 8, 8.0, 2.0, 4, se_ratio=0.25), num_classes=3, stem_width=8)


def _convnext():
    return vision.ConvNeXt([convnext.CNBlockConfig(8, 12, 1), convnext.CNBlockConfig(12, None, 2)], num_classes=3)


def _vit():
    return vision.VisionTransformer(32, 8, 2, 2, 12, 20, num_classes=3)


def _swin(two=False):
    more = {"block": swin_transformer.SwinTransformerBlockV2, "downsample_layer": swin_transformer.PatchMergingV2} if two else {}
    return vision.SwinTransformer([4, 4], 8, [2, 2], [2, 2], [4, 4], num_classes=3, **more)


def _maxvit():
    return maxvit.MaxVit((32, 32), 8, 2, [8, 16], [1, 1], 4, 0.1, num_classes=3)


FAMILIES = {
    "digits_cnn": _image(partial(dv.models.create, "vision/digits_cnn"), 8, _BATCH, channels=1),
    "digits_resnet": _image(partial(dv.models.create, "vision/digits_resnet"), 8, _IMAGE, channels=1),
    "alexnet": _image(_alexnet, 64),
    "vgg": _image(_vgg),
    "resnet": _named("resnet18", num_classes=3),
    "resnet, bottlenecks": _named("resnet50", num_classes=3, width_per_group=8),
    "resnext": _image(lambda: vision.ResNet(vision.resnet.Bottleneck, [1, 1, 1, 1], 3, groups=4, width_per_group=4)),
    "squeezenet": _named("squeezenet1_1", 33, num_classes=3),
    "densenet": _image(_densenet),
    "googlenet": _named("googlenet", 40, num_classes=3, aux_logits=False, init_weights=False),
    "inception": _named("inception_v3", 80, num_classes=3, aux_logits=False, init_weights=False),
    "shufflenetv2": _named("shufflenet_v2_x0_5", num_classes=3),
    "mnasnet": _named("mnasnet0_5", num_classes=3),
    "mobilenetv2": _named("mobilenet_v2", num_classes=3, width_mult=0.25),
    "mobilenetv3": _named("mobilenet_v3_small", num_classes=3, width_mult=0.25),
    "efficientnet": _image(_efficientnet),
    "regnet": _image(_regnet),
    "convnext": _image(_convnext),
    "vision_transformer": _image(_vit, 32, _BATCH),
    "swin": _image(_swin, 32, _BATCH),
    "swin v2": _image(partial(_swin, True), 32, _BATCH),
    "maxvit": _image(_maxvit, 32, _BATCH),
    "fcn": _named("fcn_resnet50", 40, num_classes=3, weights_backbone=None, aux_loss=True),
    "deeplabv3": _named("deeplabv3_mobilenet_v3_large", 40, num_classes=3, weights_backbone=None),
    "lraspp": _named("lraspp_mobilenet_v3_large", 40, num_classes=3, weights_backbone=None),
    "shapes_segmenter": _named("shapes_segmenter", width=4, channels=16),
}


_TOKENS = {0: "batch", 1: "length"}


def _tokens(low=0, high=20, shape=(3, 5)):
    return dv.randint(low, high, shape)


def _text(name, low=0, **config):
    sizes = {"vocab_size": 20, "hidden_size": 12, "num_hidden_layers": 2, "num_attention_heads": 3, "intermediate_size": 20}
    config = {**sizes, **config} if config.pop("sized", True) else config
    return partial(dv.models.create, f"text/{name}", **config), lambda: (_tokens(low),), {"input_ids": _TOKENS}


_GPT = {"vocab_size": 20, "block_size": 24, "n_layer": 2, "n_head": 2, "n_embd": 12, "sized": False}
_DISTIL = {"vocab_size": 20, "dim": 12, "n_layers": 2, "n_heads": 3, "hidden_dim": 20, "sized": False}
_T5 = {
    "vocab_size": 20,
    "d_model": 12,
    "d_kv": 4,
    "d_ff": 20,
    "num_layers": 2,
    "num_heads": 3,
    "relative_attention_num_buckets": 8,
    "relative_attention_max_distance": 16,
    "sized": False,
}

FAMILIES |= {
    "gpt": _text("gpt", **_GPT),
    "char_gpt": _text("char_gpt", block_size=24, n_layer=2, n_head=2, n_embd=12, sized=False),
    "lstm_lm": _text("lstm_lm", vocab_size=20, embedding_dim=8, hidden_size=8, num_layers=1, sized=False),
    "bert": _text("bert", 1),
    "bert, masked": _text("bert_for_masked_lm", 1),
    "bert, sequences": _text("bert_for_sequence_classification", 1),
    "roberta": _text("roberta", 2),
    "distilbert": _text("distilbert", 2, **_DISTIL),
    "llama": _text("llama", hidden_size=16, num_attention_heads=4, num_key_value_heads=2),
    "minilm": _text("all-minilm-l6-v2", 1),
    "t5_encoder": _text("t5_encoder", 1, **_T5),
    "t5": (
        _text("t5", 1, **_T5)[0], lambda: (_tokens(1), dv.ones(3, 5, dtype=dv.int64), _tokens(1, shape=(3, 4))),
        {"input_ids": _TOKENS, "attention_mask": _TOKENS, "decoder_input_ids": {0: "batch", 1: "target"}},
    ),
}  # fmt: skip


def _detector(name, **config):
    """At 64 × 64, with batch norms that have seen pictures: else all scores are equal, and equal ones have no order."""

    def make():
        model = dv.models.create(f"vision/{name}", weights=None, num_classes=4, **config)
        for layer in model.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.momentum = 0.5
        with dv.no_grad():
            maps = list(model.train().backbone(dv.rand(4, 3, 64, 64)).values())
            if hasattr(model, "head"):
                model.head([m if m.shape[-1] > 1 else m.expand(-1, -1, 2, 2) for m in maps])
        for key, parameter in model.named_parameters():
            if "classification_head.module_list" in key and parameter.ndim == 4:
                nn.init.normal_(parameter, 0, 4 / parameter[0].numel() ** 0.5)
        return model

    return make


_PLAIN = {"weights_backbone": None, "min_size": 64, "max_size": 64}
_TWO_STAGES = {**_PLAIN, "rpn_post_nms_top_n_test": 30, "box_detections_per_img": 12}
_ONE_STAGE = {**_PLAIN, "score_thresh": 0.0, "topk_candidates": 30, "detections_per_img": 20}

#: One image of one size; how many boxes there are is free.
DETECTORS = {
    "shapes_detector": _detector("shapes_detector", width=4, score_thresh=0.0, topk_candidates=30, detections_per_img=20),
    "retinanet": _detector("retinanet_resnet50_fpn", **_ONE_STAGE),
    "fcos": _detector("fcos_resnet50_fpn", **_ONE_STAGE),
    "faster_rcnn": _detector("fasterrcnn_mobilenet_v3_large_320_fpn", **_TWO_STAGES, box_score_thresh=0.0),
    "mask_rcnn": _detector("maskrcnn_resnet50_fpn", **_TWO_STAGES, box_score_thresh=0.0),
    "keypoint_rcnn": _detector("keypointrcnn_resnet50_fpn", **_TWO_STAGES, box_score_thresh=0.0, num_keypoints=4),
    "ssdlite": _detector(
        "ssdlite320_mobilenet_v3_large", weights_backbone=None, score_thresh=0.0, topk_candidates=40, detections_per_img=9
    ),
}
