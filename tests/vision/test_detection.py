"""Every family of detectors trains and answers, on tiny images and without torch; parts of them by hand; refusals and the manifest."""

from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest

import dovetail as dv
import dovetail_vision.models as models
from dovetail import nn, plugins, weights
from dovetail_vision.models import detection
from dovetail_vision.models.detection import (
    _keypoints,
    _masks,
    _utils,
    anchor_utils,
    faster_rcnn,
    fcos,
    image_list,
    keypoint_rcnn,
    mask_rcnn,
    retinanet,
    ssd,
    ssdlite,
    transform,
)
from dovetail_vision.ops import MultiScaleRoIAlign
from dovetail_vision.ops.feature_pyramid_network import FeaturePyramidNetwork

RNG = np.random.default_rng(3)


class Body(nn.Module):
    """Two maps of 32 channels, at a 4th and an 8th of the size."""

    out_channels = 32

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 5, 4, 2)
        self.second = nn.Conv2d(8, 12, 3, 2, 1)
        self.fpn = FeaturePyramidNetwork([8, 12], 32)

    def forward(self, x):
        low = self.first(x).relu()
        return self.fpn({"0": low, "1": self.second(low).relu()})


def two_stages(kind, **config):
    anchors = anchor_utils.AnchorGenerator(((8,), (16,)), ((1.0,), (1.0,)))
    pool = MultiScaleRoIAlign(["0", "1"], 4, 2)
    head, predictor = faster_rcnn.TwoMLPHead(32 * 16, 16), faster_rcnn.FastRCNNPredictor(16, 3)
    return kind(
        Body(), min_size=32, max_size=48, rpn_anchor_generator=anchors, box_roi_pool=pool, box_head=head, box_predictor=predictor,
        box_batch_size_per_image=8, box_detections_per_img=5, box_score_thresh=0.0, **config,
    )  # fmt: skip


def mask():
    pool = MultiScaleRoIAlign(["0", "1"], 4, 2)
    head, predictor = mask_rcnn.MaskRCNNHeads(32, [8], 1), mask_rcnn.MaskRCNNPredictor(8, 8, 3)
    return two_stages(mask_rcnn.MaskRCNN, mask_roi_pool=pool, mask_head=head, mask_predictor=predictor)


def keypoint():
    pool = MultiScaleRoIAlign(["0", "1"], 4, 2)
    head, predictor = keypoint_rcnn.KeypointRCNNHeads(32, [8]), keypoint_rcnn.KeypointRCNNPredictor(8, 2)
    return two_stages(keypoint_rcnn.KeypointRCNN, keypoint_roi_pool=pool, keypoint_head=head, keypoint_predictor=predictor)


def dense(kind, **config):
    return kind(Body(), 3, min_size=32, max_size=48, score_thresh=0.0, detections_per_img=5, **config)


class SSDBody(Body):
    out_channels = [32, 32]


def small_ssd(head=None):
    anchors = anchor_utils.DefaultBoxGenerator([[2], [2]])
    return ssd.SSD(SSDBody(), anchors, (32, 32), 3, head=head, score_thresh=0.0, detections_per_img=5)


squares = {"anchor_generator": anchor_utils.AnchorGenerator(((8,), (16,)), ((1.0,), (1.0,)))}
FAMILIES = {
    "faster": (lambda: two_stages(faster_rcnn.FasterRCNN), ["loss_classifier", "loss_box_reg", "loss_objectness", "loss_rpn_box_reg"]),
    "mask": (mask, ["loss_classifier", "loss_box_reg", "loss_mask", "loss_objectness", "loss_rpn_box_reg"]),
    "keypoint": (keypoint, ["loss_classifier", "loss_box_reg", "loss_keypoint", "loss_objectness", "loss_rpn_box_reg"]),
    "retinanet": (lambda: dense(retinanet.RetinaNet, **squares), ["classification", "bbox_regression"]),
    "fcos": (lambda: dense(fcos.FCOS, **squares), ["classification", "bbox_regression", "bbox_ctrness"]),
    "ssd": (small_ssd, ["bbox_regression", "classification"]),
    "ssdlite": (lambda: small_ssd(ssdlite.SSDLiteHead([32, 32], [4, 4], 3, nn.BatchNorm2d)), ["bbox_regression", "classification"]),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_trains_and_answers(family):
    build, names = FAMILIES[family]
    dv.manual_seed(0)
    model = build()
    images = [dv.rand(3, 28, 36), dv.rand(3, 32, 24)]
    targets = [
        {"boxes": dv.tensor([[2.0, 3, 14, 15], [15, 6, 32, 26]]), "labels": dv.tensor([1, 2]), "masks": dv.ones(2, 28, 36, dtype=dv.uint8),
         "keypoints": dv.tensor([[[5.0, 6, 1], [9, 9, 1]], [[20, 20, 1], [25, 12, 0]]])},
        {"boxes": dv.tensor([[4.0, 5, 20, 28]]), "labels": dv.tensor([2]), "masks": dv.ones(1, 32, 24, dtype=dv.uint8),
         "keypoints": dv.tensor([[[5.0, 6, 1], [9, 20, 1]]])},
    ]  # fmt: skip
    losses = model(images, targets)
    assert list(losses) == names and all(np.isfinite(loss.item()) for loss in losses.values())
    sum(losses.values()).backward()
    assert all(p.grad is not None and bool(p.grad.isfinite().all()) for p in model.parameters())
    assert set(targets[0]) == {"boxes", "labels", "masks", "keypoints"} and targets[0]["boxes"][0, 0] == 2  # they are left as they were
    with dv.no_grad():
        found = model.eval()(images)
    for one, image in zip(found, images, strict=True):
        count, (height, width) = len(one["boxes"]), image.shape[-2:]
        assert 0 < count <= 5 and set(one["labels"].tolist()) <= ({0, 1, 2} if family in ("retinanet", "fcos") else {1, 2})
        assert (one["scores"].diff() <= 0).all() and one["boxes"].min() >= 0 and one["boxes"][:, 2].max() <= width + 1e-3
        if family == "mask":
            assert one["masks"].shape == (count, 1, height, width) and 0 <= one["masks"].min() <= one["masks"].max() <= 1
        if family == "keypoint":
            assert one["keypoints"].shape == (count, 2, 3) and (one["keypoints"][..., 2] == 1).all()
            assert one["keypoints_scores"].shape == (count, 2)


def test_a_detector_learns_one_picture():
    dv.manual_seed(0)
    model = two_stages(faster_rcnn.FasterRCNN)
    image = dv.rand(3, 32, 32) * 0.1
    image[:, 8:20, 10:22] += 0.9
    target = {"boxes": dv.tensor([[10.0, 8, 22, 20]]), "labels": dv.tensor([1])}
    optimizer = dv.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(30):
        optimizer.zero_grad()
        loss = sum(model([image], [target]).values())
        loss.backward()
        optimizer.step()
    with dv.no_grad():
        (found,) = model.eval()([image])
    assert found["labels"][0] == 1 and found["scores"][0] > 0.5
    np.testing.assert_allclose(found["boxes"][0].numpy(), target["boxes"][0].numpy(), atol=2.5)


def test_pasted_masks_by_hand():
    masks, boxes = dv.rand(3, 1, 6, 6), dv.tensor([[2.2, 3.1, 9.7, 8.4], [-3.0, -2, 4, 5], [10, 10, 30, 25]])
    got = _masks.paste_masks_in_image(masks, boxes, (14, 20))
    padded, scale = _masks.expand_masks(masks, 1)
    for one, mask_, box in zip(got, padded, _masks.expand_boxes(boxes, scale).long().tolist(), strict=True):
        x1, y1, x2, y2 = box
        large = nn.functional.interpolate(mask_[None], size=(y2 - y1 + 1, x2 - x1 + 1), mode="bilinear", align_corners=False)[0, 0]
        want = dv.zeros(14, 20)
        top, left, bottom, right = max(y1, 0), max(x1, 0), min(y2 + 1, 14), min(x2 + 1, 20)
        want[top:bottom, left:right] = large[top - y1 : bottom - y1, left - x1 : right - x1]
        np.testing.assert_allclose(one[0].numpy(), want.numpy(), atol=1e-6)
    assert _masks.paste_masks_in_image(masks[:0], boxes[:0], (4, 5)).shape == (0, 1, 4, 5)


def test_key_points_come_back_from_their_maps():
    boxes = dv.tensor([[0.0, 0, 56, 56], [10, 20, 66, 132]])
    points = dv.tensor([[[7.5, 30.5, 1], [55.5, 0.5, 1]], [[10.5, 21.0, 1], [60.5, 101.0, 0]]])
    cells, seen = _keypoints.keypoints_to_heatmap(points, boxes, 56)
    assert seen.tolist() == [[1, 1], [1, 0]] and cells[1, 1] == 0
    maps = dv.zeros(2, 2, 56 * 56).scatter_(2, cells[..., None], 5.0).reshape(2, 2, 56, 56)
    found, scores = _keypoints.heatmaps_to_keypoints(maps, boxes)
    np.testing.assert_allclose(found[0, :, :2].numpy(), points[0, :, :2].numpy(), atol=1.0)
    np.testing.assert_allclose(found[1, 0, :2].numpy(), points[1, 0, :2].numpy(), atol=1.0)
    assert scores.shape == (2, 2) and _keypoints.heatmaps_to_keypoints(maps[:0], boxes[:0])[0].shape == (0, 2, 3)
    with pytest.raises(ValueError, match="keypointrcnn_loss: keypoint_logits has height 56 and width 55; expected equal ones"):
        _keypoints.keypointrcnn_loss(maps[..., :55], [boxes], [points], [dv.tensor([0, 1])])


def test_key_points_are_the_peaks_of_resized_maps():
    """Values and gradients are those of interpolation; a box has a pixel at least."""
    dv.manual_seed(1)
    maps = dv.randn(3, 2, 6, 5, requires_grad=True)
    boxes = dv.tensor([[2.0, 3, 11.5, 9], [0, 0, 40, 3.25], [7, 7, 7, 7.5]])
    found, scores = _keypoints.heatmaps_to_keypoints(maps, boxes)
    for one, box, own, points in zip(maps, boxes, scores, found, strict=True):
        width, height = (math.ceil(max(float(box[d + 2] - box[d]), 1)) for d in (0, 1))
        large = nn.functional.interpolate(one[None], size=(height, width), mode="bicubic", align_corners=False)[0]
        best, at = large.flatten(1).max(1)
        np.testing.assert_allclose(own.detach().numpy(), best.detach().numpy(), atol=1e-6)
        side = (box[2:] - box[:2]).clamp(min=1) / dv.tensor([width, height])
        np.testing.assert_allclose(
            points[:, :2].numpy(), ((dv.stack([at % width, at // width], 1) + 0.5) * side + box[:2]).numpy(), atol=1e-5
        )
        (slope,), (wanted,) = (dv.autograd.grad((s * s).sum(), maps, retain_graph=True) for s in (own, best))
        np.testing.assert_allclose(slope.numpy(), wanted.numpy(), atol=1e-5)


def test_training_sizes_are_drawn():
    prepare = transform.GeneralizedRCNNTransform((16, 24), 40, [0.0] * 3, [1.0] * 3, size_divisible=8)
    dv.manual_seed(0)
    seen = {prepare([dv.rand(3, 10, 12)])[0].image_sizes[0] for _ in range(20)}
    assert len(seen) == 2 and {min(size) for size in seen} <= {16, 24}
    assert prepare.eval()([dv.rand(3, 10, 40)])[0].image_sizes == [(10, 40)]  # the larger edge bounds the smaller one
    assert isinstance(prepare([dv.rand(3, 10, 12)])[0], image_list.ImageList)


def test_refusals_say_what_is_wrong():
    model = two_stages(faster_rcnn.FasterRCNN)
    image = dv.rand(3, 20, 20)
    with pytest.raises(AssertionError, match="FasterRCNN: targets should not be none when in training mode"):
        model([image])
    with pytest.raises(AssertionError, match=r"Expected target boxes to be a tensor of shape \[N, 4\], got \(4,\)"):
        model([image], [{"boxes": dv.ones(4), "labels": dv.tensor([1])}])
    with pytest.raises(AssertionError, match="positive height and width. Found invalid box .* for target at index 0"):
        model([image], [{"boxes": dv.ones(1, 4), "labels": dv.tensor([1])}])
    with pytest.raises(TypeError, match="RoIHeads: target labels must of int64 type, instead got dovetail.float32"):
        model([image], [{"boxes": dv.tensor([[1.0, 1, 9, 9]]), "labels": dv.ones(1)}])
    with pytest.raises(TypeError, match="floating type .* but found type dovetail.uint8; divide by 255"):
        model.eval()([dv.zeros(3, 20, 20, dtype=dv.uint8)])
    with pytest.raises(ValueError, match=r"an image has shape \(20, 20\); images is expected to be a list of 3d tensors"):
        model([image[0]])
    with pytest.raises(ValueError, match="FasterRCNN: num_classes and box_predictor are neither given; expected one of them"):
        faster_rcnn.FasterRCNN(Body())
    with pytest.raises(ValueError, match="num_classes is 3; expected 91 for FasterRCNN_ResNet50_FPN_Weights.COCO_V1; leave it out"):
        detection.fasterrcnn_resnet50_fpn(weights="DEFAULT", num_classes=3)
    with pytest.raises(ValueError, match="detection: trainable_backbone_layers is 7; expected 0 to 5"):
        detection.fasterrcnn_resnet50_fpn(trainable_backbone_layers=7)
    with pytest.warns(UserWarning, match="trainable_backbone_layers has no effect without weights or weights_backbone"):
        assert detection.backbone_utils._validate_trainable_layers(False, 2, 5, 3) == 5
    with pytest.raises(ValueError, match="No ground-truth boxes available for one of the images during training"):
        _utils.Matcher(0.7, 0.3)(dv.zeros(0, 3))
    with pytest.raises(AssertionError, match="_box_loss: Unsupported loss: l2; expected l1, smooth_l1, ciou, diou or giou"):
        _utils._box_loss("l2", None, None, None, None)


def test_the_manifest_has_every_builder_and_its_weights():
    names = models.list_models(module=detection)
    assert len(names) == 12 and all("detection" in plugins.models.get(f"vision/{name}").tags for name in names)
    rows = [key for name in names for key in weights.list(f"vision/{name}@*")]
    assert len(rows) == 13
    for key in rows:
        row = weights.get(key)
        assert row.url.startswith("https://download.pytorch.org/models/") and row.url.endswith(f"-{row.sha256_prefix}.pth")
        assert row.license == "BSD-3-Clause" and len(row.sha256_prefix) == 8 and row.meta["file_size"]
    member = models.get_weight("KeypointRCNN_ResNet50_FPN_Weights.DEFAULT")
    assert member.name == "COCO_V1" and member.meta["keypoint_names"][0] == "nose" and member.meta["categories"] == ["no person", "person"]
    assert models.get_weight("SSD300_VGG16_Weights.COCO_V1").meta["categories"][:2] == ["__background__", "person"]


def test_nothing_is_imported_before_it_is_used():
    program = (
        "import sys, dovetail_vision.models as models\n"
        "assert 'dovetail_vision.models.detection' not in sys.modules\n"
        "assert models.detection.fcos_resnet50_fpn.__name__ == 'fcos_resnet50_fpn'\n"
        "assert 'dovetail_vision.models.detection.ssd' not in sys.modules\n"
        "from dovetail_vision.models.detection import FasterRCNN, ssd300_vgg16, FCOS_ResNet50_FPN_Weights\n"
        "from dovetail_vision.models.detection.rpn import AnchorGenerator\n"
        "from dovetail_vision.models.detection.anchor_utils import AnchorGenerator\n"
        "import dovetail.vision; dovetail.vision.models.detection.faster_rcnn.FastRCNNPredictor\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
    with pytest.raises(AttributeError, match="has no attribute 'yolo'"):
        detection.yolo
