"""The operators of detection beside plain loops, their gradients beside finite differences, and their errors."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest

import dovetail as dv
from dovetail.autograd import gradcheck
from dovetail_vision import ops
from tests.support.figures import note

RNG = np.random.default_rng(9)
ROIS = np.array(
    [[0, 1.3, 2.1, 6.7, 5.2], [1, 0, 0, 7.5, 6.2], [1, -3, -2, 4.1, 30], [0, 6.2, 6.1, 6.3, 6.2], [1, 3.5, 2.5, 5, 4], [0, 40, 40, 50, 60]]
)


def bilinear(map_: np.ndarray, y: float, x: float) -> float:
    """RoIAlign's: points up to a cell outside count as the border, others as 0."""
    height, width = map_.shape
    if not (-1 <= y <= height and -1 <= x <= width):
        return 0.0
    y, x = min(max(y, 0), height - 1), min(max(x, 0), width - 1)
    i, j = int(y), int(x)
    below, right = min(i + 1, height - 1), min(j + 1, width - 1)
    a, b = y - i, x - j
    return (1 - a) * ((1 - b) * map_[i, j] + b * map_[i, right]) + a * ((1 - b) * map_[below, j] + b * map_[below, right])


def align_by_loops(maps, rois, bins, scale, ratio, aligned, sensitive=False):
    ph, pw = bins
    channels = maps.shape[1] // (ph * pw if sensitive else 1)
    out = np.zeros((len(rois), channels, ph, pw))
    for k, (image, *corners) in enumerate(rois):
        x1, y1, x2, y2 = (c * scale - (0.5 if aligned else 0) for c in corners)
        w, h = (x2 - x1, y2 - y1) if aligned else (max(x2 - x1, 1), max(y2 - y1, 1))
        gy, gx = (ratio, ratio) if ratio > 0 else (math.ceil(h / ph), math.ceil(w / pw))
        for c, i, j in np.ndindex(channels, ph, pw):
            plane = maps[int(image), (c * ph + i) * pw + j if sensitive else c]
            points = [(y1 + h / ph * (i + (u + 0.5) / gy), x1 + w / pw * (j + (v + 0.5) / gx)) for u in range(gy) for v in range(gx)]
            out[k, c, i, j] = sum(bilinear(plane, *p) for p in points) / max(gy * gx, 1)
    return out


def round_away(value: float) -> int:
    return int(math.copysign(math.floor(abs(value) + 0.5), value))


def pool_by_loops(maps, rois, bins, scale, sensitive):
    (ph, pw), (_, channels, height, width) = bins, maps.shape
    channels //= ph * pw if sensitive else 1
    out = np.zeros((len(rois), channels, ph, pw))
    more, last = (0, 1) if sensitive else (1, 0)
    for k, (image, *corners) in enumerate(rois):
        x1, y1, x2, y2 = (round_away(c * scale) for c in corners)
        h, w = max(y2 - y1 + more, 1), max(x2 - x1 + more, 1)
        for c, i, j in np.ndindex(channels, ph, pw):
            top, bottom = (min(max(f(i_ * h / ph) + y1, 0), height - last) for f, i_ in ((math.floor, i), (math.ceil, i + 1)))
            left, right = (min(max(f(j_ * w / pw) + x1, 0), width - last) for f, j_ in ((math.floor, j), (math.ceil, j + 1)))
            plane = maps[int(image), (c * ph + i) * pw + j if sensitive else c, top:bottom, left:right]
            out[k, c, i, j] = 0 if plane.size == 0 else plane.mean() if sensitive else plane.max()
    return out


@pytest.mark.parametrize("scale", [1.0, 0.6, 1.5])
@pytest.mark.parametrize("bins", [(2, 3), (1, 1), (4, 2)])
def test_regions_by_loops(bins, scale):
    plain, sensitive = RNG.standard_normal((2, 3, 7, 8)), RNG.standard_normal((2, 2 * bins[0] * bins[1], 7, 8))
    rois = dv.from_numpy(ROIS)
    for ratio in (-1, 2):
        for aligned in (False, True):
            got = ops.roi_align(dv.from_numpy(plain), rois, bins, scale, ratio, aligned)
            np.testing.assert_allclose(got.numpy(), align_by_loops(plain, ROIS, bins, scale, ratio, aligned), atol=1e-12)
        got = ops.PSRoIAlign(bins, scale, ratio)(dv.from_numpy(sensitive), rois)
        np.testing.assert_allclose(got.numpy(), align_by_loops(sensitive, ROIS, bins, scale, ratio, True, True), atol=1e-12)
    got = ops.RoIPool(bins, scale)(dv.from_numpy(plain), rois)
    np.testing.assert_allclose(got.numpy(), pool_by_loops(plain, ROIS, bins, scale, False), atol=1e-12)
    got = ops.PSRoIPool(bins, scale)(dv.from_numpy(sensitive), rois)
    np.testing.assert_allclose(got.numpy(), pool_by_loops(sensitive, ROIS, bins, scale, True), atol=1e-12)


@pytest.mark.parametrize("name, options", [("roi_align", {"aligned": True}), ("roi_align", {"sampling_ratio": 2}), ("roi_pool", {}),
                                           ("ps_roi_align", {}), ("ps_roi_pool", {})])  # fmt: skip
def test_gradients_of_regions(name, options):
    maps = dv.from_numpy(RNG.standard_normal((2, 4, 4, 3))).requires_grad_()
    call = getattr(ops, name)
    assert gradcheck(lambda x: call(x, dv.from_numpy(ROIS[:3]), 2, 0.4, **options), (maps,))
    with pytest.raises(AssertionError, match=rf"{name}: boxes has shape \(2, 4\); expected \(K, 5\) or a list of \(L, 4\)"):
        call(maps, dv.zeros(2, 4, dtype=dv.float64), 2)
    with pytest.raises(AssertionError, match=rf"{name}: boxes is str; expected a Tensor \(K, 5\) or a list of \(L, 4\)"):
        call(maps, "boxes", 2)
    with pytest.raises(RuntimeError, match=rf"{name}: input is dovetail.float64 and boxes dovetail.float32; expected one type"):
        call(maps, dv.zeros(2, 5), 2)
    if name.startswith("ps_"):
        with pytest.raises(RuntimeError, match="input has 4 channels; expected a multiple of 3 × 3"):
            call(maps, dv.from_numpy(ROIS), 3)


def deform_by_loops(x, offset, weight, stride, padding, dilation, mask):
    (n, _, height, width), (out_channels, per_group, kh, kw) = x.shape, weight.shape
    oh, ow = offset.shape[2:]
    groups, shared = x.shape[1] // per_group, x.shape[1] // (offset.shape[1] // (2 * kh * kw))
    out = np.zeros((n, out_channels, oh, ow))
    for b, o, i, j, c, u, v in np.ndindex(n, out_channels, oh, ow, per_group, kh, kw):
        channel = o // (out_channels // groups) * per_group + c
        tap = channel // shared * kh * kw + u * kw + v
        y = i * stride[0] - padding[0] + u * dilation[0] + offset[b, 2 * tap, i, j]
        z = j * stride[1] - padding[1] + v * dilation[1] + offset[b, 2 * tap + 1, i, j]
        for row in (math.floor(y), math.floor(y) + 1):
            for column in (math.floor(z), math.floor(z) + 1):
                if 0 <= row < height and 0 <= column < width:
                    share = (1 - abs(y - row)) * (1 - abs(z - column)) * (mask[b, tap, i, j] if mask is not None else 1)
                    out[b, o, i, j] += weight[o, c, u, v] * x[b, channel, row, column] * share
    return out


@pytest.mark.parametrize("groups, offset_groups, masked", [(1, 1, True), (2, 1, False), (1, 2, True), (2, 4, True)])
def test_deformable_convolution(groups, offset_groups, masked):
    stride, padding, dilation = (2, 1), (1, 2), (1, 2)
    x, weight = RNG.standard_normal((1, 4, 5, 2)), RNG.standard_normal((2, 4 // groups, 3, 2))
    offset = RNG.standard_normal((1, 2 * offset_groups * 6, 3, 4)) * 2
    mask = RNG.random((1, offset_groups * 6, 3, 4)) if masked else None
    tensors = [dv.from_numpy(a).requires_grad_() for a in (x, offset, weight)] + [dv.from_numpy(mask).requires_grad_() if masked else None]

    def call(x, offset, weight, mask=None):
        return ops.deform_conv2d(x, offset, weight, dv.ones(2, dtype=dv.float64), stride, padding, dilation, mask)

    want = deform_by_loops(x, offset, weight, stride, padding, dilation, mask) + 1
    np.testing.assert_allclose(call(*tensors).detach().numpy(), want, atol=1e-12)
    if offset_groups == 2:
        assert gradcheck(call, tuple(t for t in tensors if t is not None))


def test_deformable_convolution_without_offsets_is_a_convolution():
    layer = ops.DeformConv2d(4, 6, 3, padding=1, groups=2)
    x, zeros = dv.randn(2, 4, 6, 6), dv.zeros(2, 18, 6, 6)
    want = dv.nn.functional.conv2d(x, layer.weight, layer.bias, padding=1, groups=2)
    np.testing.assert_allclose(layer(x, zeros).detach().numpy(), want.detach().numpy(), atol=1e-5)
    with pytest.raises(RuntimeError, match="the shape of the offset tensor at dimension 1 is not valid: 8"):
        layer(x, zeros[:, :8])
    with pytest.raises(RuntimeError, match=r"deform_conv2d: offset is \(2, 18, 5, 6\); expected \(2, 18, 6, 6\)"):
        layer(x, zeros[:, :, :5])
    with pytest.raises(RuntimeError, match=r"deform_conv2d: mask is \(2, 3, 6, 6\); expected \(2, 9, 6, 6\)"):
        layer(x, zeros, zeros[:, :3])


def clipped_area(box1, box2) -> float:
    """The area that two turned boxes share: one is cut by the sides of the other, one after the other."""

    def corners(cx, cy, w, h, angle):
        c, s = math.cos(math.radians(angle)) / 2, math.sin(math.radians(angle)) / 2
        ends = ((-1, -1), (1, -1), (1, 1), (-1, 1))
        return [(cx + a * w * c + b * h * s, cy - a * w * s + b * h * c) for a, b in ends]

    left, by = corners(*box1), corners(*box2)
    for (ax, ay), (bx, by_) in zip(by, by[1:] + by[:1], strict=True):
        inside = [(bx - ax) * (y - ay) - (by_ - ay) * (x - ax) for x, y in left]
        kept = []
        for i, (point, side) in enumerate(zip(left, inside, strict=True)):
            before, other = left[i - 1], inside[i - 1]
            if (side < 0) != (other < 0):
                t = other / (other - side)
                kept.append((before[0] + t * (point[0] - before[0]), before[1] + t * (point[1] - before[1])))
            if side >= 0:
                kept.append(point)
        left = kept
    return abs(sum(left[i - 1][0] * y - x * left[i - 1][1] for i, (x, y) in enumerate(left))) / 2


def test_overlap_of_turned_boxes():
    boxes = np.concatenate((RNG.random((12, 2)) * 6, RNG.random((12, 2)) * 8 + 1, RNG.random((12, 1)) * 360 - 180), 1)
    boxes[1], boxes[2] = boxes[0], [*boxes[0, :4], boxes[0, 4] + 90]
    boxes[3] = [3, 3, 4, 2, 0]
    boxes[4] = [4, 3, 4, 2, 0]
    boxes[5, 2] = 0
    inter = np.array([[clipped_area(a, b) for b in boxes] for a in boxes])
    areas = boxes[:, 2] * boxes[:, 3]
    want = np.where((areas[:, None] > 0) & (areas > 0), inter / np.maximum(areas[:, None] + areas - inter, 1e-9), 0)
    got = ops.box_iou(dv.from_numpy(boxes), dv.from_numpy(boxes), fmt="cxcywhr")
    assert got.dtype == dv.float32 and got[3, 4].item() == pytest.approx(6 / 10) and got[0, 1].item() == pytest.approx(1)
    np.testing.assert_allclose(got.numpy(), want, atol=1e-4)
    for fmt in ("xywhr", "xyxyxyxy"):
        there = ops.box_convert(dv.from_numpy(boxes), "cxcywhr", fmt)
        np.testing.assert_allclose(ops.box_iou(there, there[:3], fmt=fmt).numpy(), want[:, :3], atol=1e-3)
    with pytest.raises(RuntimeError, match=r"box_iou: boxes1 has shape \(2, 4\) as cxcywhr; expected \(N, 5\)"):
        ops.box_iou(dv.ones(2, 4), dv.ones(2, 4), fmt="cxcywhr")


def test_suppression_keeps_what_no_better_box_covers():
    low = RNG.random((2000, 2)) * 300
    boxes = dv.from_numpy(np.concatenate((low, low + RNG.random((2000, 2)) * 60 + 5), 1).astype(np.float32))
    scores = dv.from_numpy(RNG.permutation(2000).astype(np.float32))
    start = time.perf_counter()
    kept = ops.nms(boxes, scores, 0.5)
    note("vision", "nms of 2,000 boxes, ms", (time.perf_counter() - start) * 1000, "")
    ious = ops.box_iou(boxes, boxes)
    assert (scores[kept].diff() < 0).all() and 200 < len(kept) < 2000
    assert (ious[kept][:, kept] - dv.eye(len(kept))).max() <= 0.5
    out = sorted(set(range(2000)) - set(kept.tolist()))
    assert ((ious[out][:, kept] > 0.5) & (scores[kept] > scores[out][:, None])).any(1).all()
    assert ops.nms(boxes[:0], scores[:0], 0.5).tolist() == [] == ops.batched_nms(boxes[:0], scores[:0], scores[:0], 0.5).tolist()


def test_refusals_say_what_is_wrong():
    with pytest.raises(RuntimeError, match=r"nms: boxes has shape \(2, 5\); expected \(N, 4\)"):
        ops.nms(dv.ones(2, 5), dv.ones(2), 0.5)
    with pytest.raises(RuntimeError, match=r"nms: scores has shape \(3,\) for 2 boxes; expected one score a box"):
        ops.nms(dv.ones(2, 4), dv.ones(3), 0.5)
    with pytest.raises(ValueError, match="box_convert: in_fmt is 'yxyx' and out_fmt is 'xywh'; expected of xyxy, xywh"):
        ops.box_convert(dv.ones(2, 4), "yxyx", "xywh")
    with pytest.raises(NotImplementedError, match="box_convert: xyxy cannot become xywhr; expected both straight or both turned"):
        ops.box_convert(dv.ones(2, 4), "xyxy", "xywhr")
    with pytest.raises(ValueError, match="sigmoid_focal_loss: alpha is 2; expected 0 to 1, or -1 to leave it out"):
        ops.sigmoid_focal_loss(dv.ones(2), dv.ones(2), alpha=2)
    for loss in (ops.generalized_box_iou_loss, ops.distance_box_iou_loss, ops.complete_box_iou_loss):
        with pytest.raises(IndexError, match=r"boxes1 is \(1, 4\) and boxes2 \(3, 4\); expected one shape, box by box; index the"):
            loss(dv.ones(1, 4), dv.ones(3, 4))
    with pytest.raises(TypeError, match="FeaturePyramidNetwork: extra_blocks is int; expected an ExtraFPNBlock"):
        ops.FeaturePyramidNetwork([2], 3, extra_blocks=3)


def test_overlaps_and_losses_have_gradients():
    low = RNG.random((3, 2)) * 4
    one, two = (dv.from_numpy(np.concatenate((low + d, low + d + 2 + RNG.random((3, 2))), 1)).requires_grad_() for d in (0, 0.7))
    for name in ("box_iou", "generalized_box_iou", "distance_box_iou", "generalized_box_iou_loss", "distance_box_iou_loss"):
        assert gradcheck(getattr(ops, name), (one, two)), name
    logits = dv.from_numpy(RNG.standard_normal(5)).requires_grad_()
    assert gradcheck(lambda x: ops.sigmoid_focal_loss(x, dv.tensor([0.0, 1, 0, 1, 1], dtype=dv.float64), reduction="mean"), (logits,))
