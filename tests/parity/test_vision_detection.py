"""dovetail_vision.models.detection beside torchvision's: parameters, initial weights, losses, gradients, results, weights, parts."""

from __future__ import annotations

import inspect
import warnings

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("PIL")

import numpy as np

import dovetail as dv
import dovetail_vision.models as our_models
import dovetail_vision.models.detection as ours
from tests.parity.torchvision_oracle import with_operators

pytestmark = pytest.mark.parity

torchvision = with_operators()
theirs = torchvision.models.detection
NAMES = our_models.list_models(module=ours)
RNG = np.random.default_rng(0)


def pair(name: str, **config):
    """Both models, built after one seed."""
    built = []
    for package, models in ((dv, ours), (torch, theirs)):
        package.manual_seed(1)
        built.append(getattr(models, name)(weights_backbone=None, **config))
    return built


def same_names(mine, other) -> None:
    state, want = mine.state_dict(), other.state_dict()
    assert list(state) == list(want)
    assert {key: tuple(value.shape) for key, value in state.items()} == {key: tuple(value.shape) for key, value in want.items()}


def test_there_are_as_many_builders():
    assert torchvision.models.list_models(module=theirs) == NAMES and len(NAMES) == 12
    assert set(our_models.list_models(include="*rcnn*")) == set(torchvision.models.list_models(include="*rcnn*"))
    for name in NAMES:
        want = inspect.signature(getattr(theirs, name)).parameters
        assert list(inspect.signature(getattr(ours, name)).parameters) == list(want)


@pytest.mark.parametrize("name", NAMES)
def test_one_seed_gives_the_same_initial_weights(name):
    mine, other = pair(name, num_classes=3)
    same_names(mine, other)
    for key, value in other.state_dict().items():
        np.testing.assert_array_equal(mine.state_dict()[key].numpy(), value.numpy(), err_msg=key)
    assert repr(mine) == repr(other)
    assert dv.rand(1).item() == torch.rand(1).item()
    frozen = [[n for n, p in model.named_parameters() if not p.requires_grad] for model in (mine, other)]
    assert frozen[0] == frozen[1]


def target(boxes, labels, height: int, width: int, points: int = 4):
    boxes = np.array(boxes, float).reshape(-1, 4)
    masks = np.zeros((len(boxes), height, width), np.uint8)
    for mask, (x1, y1, x2, y2) in zip(masks, boxes.astype(int), strict=True):
        mask[y1 : y2 - 3, x1 + 2 : x2] = 1
    share = np.stack((np.linspace(0, 1, points), np.linspace(0, 1, points) ** 2), 1)
    keypoints = np.ones((len(boxes), points, 3), np.float32)
    keypoints[..., :2] = boxes[:, None, :2] + (boxes[:, None, 2:] - boxes[:, None, :2]) * share
    keypoints[:, ::3, 2] = 0
    return {"boxes": boxes, "labels": np.array(labels, np.int64), "masks": masks, "keypoints": keypoints}


IMAGES = [RNG.random((3, 60, 84)), RNG.random((3, 72, 50))]
TARGETS = [target([[5, 5, 40, 50], [30, 20, 80, 55]], [1, 2], 60, 84), target([[10, 10, 45, 60]], [1], 72, 50)]


def given(package, names, targets=TARGETS):
    move = package.from_numpy
    return [move(image.copy()) for image in IMAGES], [{name: move(t[name].copy()) for name in names} for t in targets]


def close_losses(got, want) -> None:
    """Equal; the losses of scores are float32 on both sides."""
    assert list(got) == list(want)
    for key, value in want.items():
        assert str(got[key].dtype).rpartition(".")[2] == str(value.dtype).rpartition(".")[2]
        np.testing.assert_allclose(got[key].item(), value.item(), rtol=1e-8 if value.dtype == torch.float64 else 1e-6, err_msg=key)


def shaken(mine, other, amount: float) -> None:
    """The same weights on both sides, none of them zero, so that no scores are equal."""
    torch.manual_seed(2)
    for p in other.parameters():
        p.data.mul_(1 + 0.1 * torch.rand_like(p)).add_(amount * torch.randn_like(p))
    mine.load_state_dict({key: dv.from_numpy(value.numpy().copy()) for key, value in other.state_dict().items()})
    mine.double()
    other.double()


def in_order(found):
    """By label and place."""
    return np.lexsort(np.round(np.concatenate((found["boxes"].numpy(), found["labels"].numpy()[:, None]), 1), 3).T)


RCNN = {"min_size": (56, 64), "max_size": 96, "box_batch_size_per_image": 8, "rpn_batch_size_per_image": 32, "box_detections_per_img": 7}
CASES = {
    "fasterrcnn_resnet50_fpn": RCNN,
    "fasterrcnn_resnet50_fpn_v2": RCNN,
    "fasterrcnn_mobilenet_v3_large_320_fpn": RCNN | {"rpn_score_thresh": 0.0},
    "maskrcnn_resnet50_fpn": RCNN,
    "keypointrcnn_resnet50_fpn": RCNN | {"num_keypoints": 4},
    "retinanet_resnet50_fpn": {"min_size": 64, "max_size": 96, "score_thresh": 0.005},
    "retinanet_resnet50_fpn_v2": {"min_size": 64, "max_size": 96, "score_thresh": 0.012},
    "fcos_resnet50_fpn": {"min_size": 64, "max_size": 96, "score_thresh": 0.06},
    "ssd300_vgg16": {},
    "ssdlite320_mobilenet_v3_large": {},
}


@pytest.mark.parametrize("name", CASES)
def test_losses_gradients_and_results(name):
    config = dict(CASES[name])
    mine, other = pair(name, num_classes=3, **config)
    shaken(mine, other, 0.02 if "mobile" in name else 0.003)
    names = ["boxes", "labels"] + (["masks"] if "mask" in name else []) + (["keypoints"] if "keypoint" in name else [])
    losses = []
    for package, model in ((dv, mine), (torch, other)):
        package.manual_seed(5)
        losses.append(model.train()(*given(package, names)))
    close_losses(*losses)
    for one in losses:
        sum(one.values()).backward()
    grads = [(p.grad, q.grad) for p, q in zip(mine.parameters(), other.parameters(), strict=True)]
    scale = max(float(b.abs().max()) for _, b in grads if b is not None)
    for a, b in grads:
        assert (a is None) == (b is None)
        if b is not None:
            np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-5, atol=1e-8 * scale)
    with dv.no_grad(), torch.no_grad():
        got, want = mine.eval()(given(dv, names)[0]), other.eval()(given(torch, names)[0])
    assert len(got) == len(want) == 2 and all(len(one["boxes"]) > 0 for one in want)
    for one, two in zip(got, want, strict=True):
        assert list(one) == list(two)
        ties = "lite" in name  # most cells see nothing and score the same to the last digits
        order = [in_order(side) if ties else slice(None) for side in (one, two)]
        for key, value in two.items():
            assert str(one[key].dtype).rpartition(".")[2] == str(value.dtype).rpartition(".")[2]
            np.testing.assert_allclose(
                one[key].numpy()[order[0]], value.numpy()[order[1]], rtol=1e-6, atol=1e-5 if ties else 1e-6, err_msg=key
            )


@pytest.mark.parametrize("name", ["fasterrcnn_resnet50_fpn", "retinanet_resnet50_fpn", "fcos_resnet50_fpn", "ssd300_vgg16"])
def test_images_without_objects(name):
    config = {} if "ssd" in name else {"min_size": 64, "max_size": 96}
    mine, other = pair(name, num_classes=3, **config)
    shaken(mine, other, 0.003)
    losses = []
    for package, model in ((dv, mine), (torch, other)):
        package.manual_seed(5)
        losses.append(model.train()(*given(package, ["boxes", "labels"], [target([], [], 60, 84), TARGETS[1]])))
    close_losses(*losses)


@pytest.mark.parametrize("name", NAMES)
def test_enums_say_the_same(name):
    mine, other = our_models.get_model_weights(name), torchvision.models.get_model_weights(name)
    assert mine.__name__ == other.__name__ and list(mine.__members__) == list(other.__members__)
    assert our_models.get_weight(f"{mine.__name__}.DEFAULT") is mine.DEFAULT is getattr(ours, mine.__name__).DEFAULT
    for key, want in other.__members__.items():
        got = mine[key]
        assert (got.name, repr(got), got.url) == (want.name, repr(want), want.url)
        assert {k: v for k, v in got.meta.items() if k != "_docs"} == {k: v for k, v in want.meta.items() if k != "_docs"}
        assert repr(got.transforms()) == repr(want.transforms()) and got.value.key == f"vision/{name}@{got.name.lower()}"


def test_backbones():
    for call in (
        lambda m: m.backbone_utils.resnet_fpn_backbone(backbone_name="resnet18", weights=None, trainable_layers=2, returned_layers=[2, 4]),
        lambda m: m.backbone_utils.resnet_fpn_backbone("resnet18", False),
        lambda m: m.backbone_utils.resnet_fpn_backbone("resnet18", pretrained=False, trainable_layers=5),
        lambda m: m.backbone_utils.mobilenet_backbone(backbone_name="mobilenet_v2", weights=None, fpn=True, trainable_layers=0),
        lambda m: m.backbone_utils.mobilenet_backbone(backbone_name="mobilenet_v3_small", weights=None, fpn=False, trainable_layers=4),
        lambda m: m.backbone_utils.mobilenet_backbone("mobilenet_v3_large", None, True, returned_layers=[2, 3, 5]),
    ):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            mine, other = call(ours), call(theirs)
        same_names(mine, other)
        assert repr(mine) == repr(other) and mine.out_channels == other.out_channels
        assert [p.requires_grad for p in mine.parameters()] == [p.requires_grad for p in other.parameters()]


def test_a_detector_of_ones_own():
    """The way of torchvision's tutorial: features of a classifier, anchors and pooling of one's own, another head."""

    def build(nn, models, ops, found):
        features = models.mobilenet_v2(weights=None).features
        features.out_channels = 1280
        anchors = found.anchor_utils.AnchorGenerator(sizes=((16, 32),), aspect_ratios=((0.5, 1.0),))
        pool = ops.MultiScaleRoIAlign(featmap_names=["0"], output_size=5, sampling_ratio=2)
        model = found.FasterRCNN(features, num_classes=2, rpn_anchor_generator=anchors, box_roi_pool=pool, min_size=64, max_size=96)
        model.roi_heads.box_predictor = found.faster_rcnn.FastRCNNPredictor(model.roi_heads.box_predictor.cls_score.in_features, 4)
        return model.eval()

    from dovetail_vision import ops

    mine = build(dv.nn, our_models, ops, ours)
    other = build(torch.nn, torchvision.models, torchvision.ops, theirs)
    shaken(mine, other, 0.01)
    with dv.no_grad(), torch.no_grad():
        got, want = mine(given(dv, [])[0]), other(given(torch, [])[0])
    for one, two in zip(got, want, strict=True):
        assert len(two["boxes"])
        for key, value in two.items():
            np.testing.assert_allclose(one[key].numpy(), value.numpy(), rtol=1e-6, atol=1e-6, err_msg=key)


def test_parts():
    """Pieces that programs call themselves."""
    boxes, overlaps = np.sort(RNG.random((6, 2, 2)) * 50, 1).reshape(6, 4), RNG.random((3, 8))
    for package, found in ((dv, ours), (torch, theirs)):
        b = package.from_numpy(boxes.copy())
        coder = found._utils.BoxCoder((10.0, 10.0, 5.0, 5.0))
        linear = found._utils.BoxLinearCoder()
        quality = package.from_numpy(overlaps.copy())
        matches = [found._utils.Matcher(0.7, 0.4, low)(quality) for low in (False, True)] + [found._utils.SSDMatcher(0.6)(quality)]
        package.manual_seed(3)
        masks = found._utils.BalancedPositiveNegativeSampler(6, 0.5)([matches[0].clamp(max=1) + 1, matches[1]])
        defaults = found.anchor_utils.DefaultBoxGenerator([[2], [2, 3]], steps=[16, 40])
        images = found.image_list.ImageList(package.zeros(2, 3, 64, 80), [(64, 80), (60, 70)])
        maps = [package.zeros(2, 1, 4, 5), package.zeros(2, 1, 2, 2)]
        anchors = found.anchor_utils.AnchorGenerator((8, 16), (0.5, 1.0))(images, maps)
        kept = [
            coder.encode_single(b[:3], b[3:]), coder.decode_single(coder.encode_single(b[:3], b[3:]) * 2, b[3:]),
            linear.decode(linear.encode(b[:3], b[3:]), b[:3]), *matches, *masks[0], *masks[1], *defaults(images, maps), *anchors,
            found.transform.resize_boxes(b, (20, 30), (50, 45)), found.roi_heads.expand_boxes(b, 1.3),
        ]  # fmt: skip
        if found is ours:
            results = [one.numpy() for one in kept]
    for a, b in zip(results, kept, strict=True):
        np.testing.assert_allclose(a, b.numpy(), rtol=1e-6, atol=1e-6)


OLDER = [("rpn.head.conv.0.0.", "rpn.head.conv.")]
OLDER += [(f"mask_head.{i}.0.", f"mask_head.mask_fcn{i + 1}.") for i in range(4)]
OLDER += [(f"{kind}_blocks.{i}.0.", f"{kind}_blocks.{i}.") for kind in ("inner", "layer") for i in range(4)]
OLDER += [(f"_head.conv.{i}.0.", f"_head.conv.{2 * i}.") for i in range(4)]


def older(state):
    """The names that files of torchvision 0.12 have."""
    out = {}
    for key, value in state.items():
        new, old = next((pair for pair in OLDER if pair[0] in key), ("", ""))
        out[key.replace(new, old) if new else key] = value
    return out


@pytest.mark.parametrize("name", ["maskrcnn_resnet50_fpn", "retinanet_resnet50_fpn"])
def test_older_files_can_be_loaded(name):
    mine, other = pair(name, num_classes=2)
    state = older(other.state_dict())
    assert set(state) != set(other.state_dict())
    other.load_state_dict(dict(state))
    mine.load_state_dict({key: dv.from_numpy(value.numpy().copy()) for key, value in state.items()})


REFUSED = [
    lambda m, t: m.fasterrcnn_resnet50_fpn(weights="COCO_V9", weights_backbone=None),
    lambda m, t: m.fasterrcnn_resnet50_fpn(weights="COCO_V1", num_classes=3),
    lambda m, t: m.fasterrcnn_resnet50_fpn(weights_backbone="IMAGENET1K_V9"),
    lambda m, t: m.FasterRCNN(t.nn.Identity(), 2),
    lambda m, t: m.FasterRCNN(model(t), None),
    lambda m, t: m.FasterRCNN(model(t), 2, rpn_anchor_generator=3),
    lambda m, t: m.FasterRCNN(model(t), 2, box_roi_pool=3),
    lambda m, t: m.FasterRCNN(model(t), 2, box_predictor=t.nn.Identity()),
    lambda m, t: m.MaskRCNN(model(t), 2, mask_roi_pool=3),
    lambda m, t: m.MaskRCNN(model(t), 2, mask_predictor=t.nn.Identity()),
    lambda m, t: m.KeypointRCNN(model(t), 2, keypoint_predictor=t.nn.Identity(), num_keypoints=3),
    lambda m, t: m.FCOS(model(t), 2, anchor_generator=m.anchor_utils.AnchorGenerator(((8, 16),), ((1.0,),))),
    lambda m, t: m.RetinaNet(model(t), 2, anchor_generator=3),
    lambda m, t: m.backbone_utils.resnet_fpn_backbone(backbone_name="resnet18", weights=None, trainable_layers=6),
    lambda m, t: m.backbone_utils.resnet_fpn_backbone(backbone_name="resnet18", weights=None, returned_layers=[0]),
    lambda m, t: m.anchor_utils.DefaultBoxGenerator([[2], [3]], steps=[1]),
    lambda m, t: m._utils.Matcher(0.3, 0.7),
    lambda m, t: m._utils.Matcher(0.7, 0.3)(t.zeros(0, 3)),
    lambda m, t: m._utils.Matcher(0.7, 0.3)(t.zeros(3, 0)),
    lambda m, t: detector(m, t)([t.zeros(3, 20, 20)]),
    lambda m, t: detector(m, t)([t.zeros(3, 20, 20)], [{"boxes": t.zeros(4), "labels": t.zeros(1).long()}]),
    lambda m, t: detector(m, t)([t.zeros(3, 20, 20)], [{"boxes": [1], "labels": t.zeros(1).long()}]),
    lambda m, t: detector(m, t)([t.zeros(3, 20, 20)], [{"boxes": t.zeros(1, 4), "labels": t.zeros(1).long()}]),
    lambda m, t: detector(m, t)([t.zeros(3, 20, 20)], [{"boxes": t.tensor([[1.0, 1, 9, 9]]), "labels": t.zeros(1)}]),
    lambda m, t: detector(m, t)([t.zeros(3, 20, 20)], [{"boxes": t.tensor([[1.0, 1, 9, 9]])}]),
    lambda m, t: detector(m, t).eval()([t.zeros(20, 20)]),
    lambda m, t: detector(m, t).eval()([t.zeros(3, 20, 20).long()]),
]


def model(package):
    body = package.nn.Conv2d(3, 8, 3, 8)
    body.out_channels = 8
    return body


def detector(found, package):
    return found.FasterRCNN(model(package), 2, min_size=32, rpn_anchor_generator=found.anchor_utils.AnchorGenerator(((8,),), ((1.0,),)))


@pytest.mark.parametrize("number", range(len(REFUSED)))
def test_refusals_are_of_their_kind(number):
    with pytest.raises(Exception) as want:
        REFUSED[number](theirs, torch)
    builtin = next(kind for kind in want.type.__mro__ if kind.__module__ == "builtins")
    with pytest.raises(builtin):
        REFUSED[number](ours, dv)


@pytest.mark.parametrize(
    "options", [{"pretrained": True}, {"pretrained_backbone": True}, {"pretrained": False, "pretrained_backbone": False}]
)
@pytest.mark.parametrize("name", ["fasterrcnn_resnet50_fpn", "keypointrcnn_resnet50_fpn", "ssd300_vgg16"])
def test_the_same_weights_are_chosen(monkeypatch, name, options):
    def chosen(found, enum):
        seen = []

        def stop(self, *args, **kwargs):
            seen.append((repr(self), args, kwargs))
            raise EOFError

        monkeypatch.setattr(enum, "get_state_dict", stop)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                getattr(found, name)(**options)
            except EOFError:
                pass
        monkeypatch.undo()
        return seen

    assert chosen(ours, our_models.WeightsEnum) == chosen(theirs, torchvision.models.WeightsEnum)
