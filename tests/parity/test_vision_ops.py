"""dovetail_vision.ops beside torchvision's: boxes, losses, regions and pyramids, values and gradients, and errors of the same kind."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

import numpy as np

import dovetail as dv
from dovetail_vision import ops as ours
from tests.parity.torchvision_oracle import plain_nms, with_operators

pytestmark = pytest.mark.parity

theirs = with_operators().ops
RNG = np.random.default_rng(4)


def some_boxes(count: int, size: float = 40.0, dtype=np.float64) -> np.ndarray:
    low, side = RNG.random((count, 2)) * size, RNG.random((count, 2)) * size / 2 + 0.5
    return np.concatenate((low, low + side), 1).astype(dtype)


def same(call, *arrays, grads: int = 0, rtol=1e-9, atol=1e-11):
    """The call's result, and the gradients by its first arguments, on both sides."""
    mine, other = ([package(a.copy()) for a in arrays] for package in (dv.from_numpy, torch.from_numpy))
    for side in (mine, other):
        for t in side[:grads]:
            t.requires_grad_()
    got, want = call(ours, *mine), call(theirs, *other)
    assert got.dtype.__str__().split(".")[-1] == want.dtype.__str__().split(".")[-1]
    np.testing.assert_allclose(got.detach().numpy(), want.detach().numpy(), rtol=rtol, atol=atol)
    if grads:
        weights = RNG.standard_normal(tuple(want.shape))
        (got * dv.from_numpy(weights)).sum().backward()
        (want * torch.from_numpy(weights)).sum().backward()
        for a, b in zip(mine[:grads], other[:grads], strict=True):
            np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), rtol=rtol, atol=atol)


FORMATS = ["xyxy", "xywh", "cxcywh", "xywhr", "cxcywhr", "xyxyxyxy"]


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("start", FORMATS)
def test_formats(start, whole):
    width = {"xywhr": 5, "cxcywhr": 5, "xyxyxyxy": 8}.get(start, 4)
    boxes = RNG.random((3, 2, width)) * 50
    for end in FORMATS[:3] if width == 4 else FORMATS[3:]:
        if whole:
            same(lambda o, b, end=end: o.box_convert(b, start, end), (boxes * 3).astype(np.int64))
        else:
            same(lambda o, b, end=end: o.box_convert(b, start, end), boxes, grads=1)


@pytest.mark.parametrize("name", ["box_iou", "generalized_box_iou", "distance_box_iou", "complete_box_iou"])
def test_overlaps_of_pairs(name):
    one, two = some_boxes(7), np.concatenate((some_boxes(5), some_boxes(1)))
    same(lambda o, a, b: getattr(o, name)(a, b), one, two, grads=2)
    same(lambda o, a, b: getattr(o, name)(a, b), one.astype(np.int32), two.astype(np.int32), rtol=1e-5)
    same(lambda o, a, b: getattr(o, name)(a, b), np.stack((one, one + 1)), np.stack((two, two)))


@pytest.mark.parametrize("fmt", ["xyxy", "xywh", "cxcywh"])
def test_areas_and_overlaps_in_formats(fmt):
    boxes = RNG.random((6, 4)) * 10 + 1
    boxes[:, 2:] += 11 if fmt == "xyxy" else 0
    same(lambda o, a: o.box_area(a, fmt), boxes, grads=1)
    same(lambda o, a, b: o.box_iou(a, b, fmt), boxes, boxes[:4] + 0.5, grads=2)
    same(lambda o, a: o.box_area(a, fmt), boxes.astype(np.float16), rtol=1e-6)


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("name", ["generalized_box_iou_loss", "distance_box_iou_loss", "complete_box_iou_loss"])
def test_losses(name, reduction):
    one = some_boxes(8)
    two = one + RNG.standard_normal(one.shape) * 0.3
    two[3:5] += 60  # these do not meet
    same(lambda o, a, b: getattr(o, name)(a, b, reduction=reduction), one, two, grads=2)
    same(lambda o, a, b: getattr(o, name)(a, b, reduction, 1e-3), one[0], two[0], grads=2)
    same(lambda o, a, b: getattr(o, name)(a, b, reduction=reduction), one[:0], two[:0], grads=2)


@pytest.mark.parametrize("options", [{}, {"alpha": -1}, {"gamma": 1.5, "reduction": "mean"}, {"alpha": 0.7, "reduction": "sum"}])
def test_focal_loss(options):
    targets = (RNG.random((4, 5)) > 0.5).astype(np.float64)
    same(lambda o, x: o.sigmoid_focal_loss(x, (dv if o is ours else torch).from_numpy(targets), **options), targets - 0.3, grads=1)


def test_clipping_and_sorting_out():
    boxes = some_boxes(20) - 8
    same(lambda o, b: o.clip_boxes_to_image(b, (30, 25)), boxes, grads=1)
    same(lambda o, b: o.clip_boxes_to_image(b, (30, 25)), boxes.reshape(4, 5, 4))
    same(lambda o, b: o.remove_small_boxes(b, 6.0), boxes)
    masks = RNG.random((6, 9, 7)) > 0.9
    masks[2] = False
    same(lambda o, m: o.masks_to_boxes(m), masks)
    same(lambda o, m: o.masks_to_boxes(m), masks[:0])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("threshold", [0.1, 0.3, 0.5, 0.7])
def test_suppression(dtype, threshold):
    boxes = some_boxes(300, dtype=dtype)
    boxes[50:80] = boxes[:30]
    scores = RNG.random(300).astype(dtype)
    scores[60:90] = scores[:30]  # ties, among them equal boxes
    kept = ours.nms(dv.from_numpy(boxes), dv.from_numpy(scores), threshold)
    assert kept.tolist() == plain_nms(torch.from_numpy(boxes), torch.from_numpy(scores), threshold).tolist()
    assert kept.dtype == dv.int64 and 0 < len(kept) < 300


@pytest.mark.parametrize("step", [2.0, 4.0, 6.0])
def test_suppression_along_a_chain(step):
    """Each box is covered by the one before it, which may be gone itself."""
    low = np.arange(200, dtype=np.float32)[:, None] * np.float32([step, 0])
    boxes, scores = np.concatenate((low, low + 10), 1), np.linspace(1, 0, 200, dtype=np.float32)
    kept = ours.nms(dv.from_numpy(boxes), dv.from_numpy(scores), 0.3)
    assert kept.tolist() == plain_nms(torch.from_numpy(boxes), torch.from_numpy(scores), 0.3).tolist()


@pytest.mark.parametrize("count", [0, 1, 400, 1500])
def test_suppression_by_category(count):
    boxes, scores, kinds = some_boxes(count, 100, np.float32), RNG.permutation(count).astype(np.float32), RNG.integers(0, 4, count)
    same(lambda o, b, s, k: o.batched_nms(b, s, k, 0.4), boxes, scores, kinds)


# Inside the maps: torchvision's Python code, unlike its compiled one, takes points far outside for those on the border.
ROIS = np.array([[0, 1.3, 2.1, 9.7, 8.2], [1, 0, 0, 15.5, 11.2], [1, -0.4, -0.5, 4.1, 11.9], [0, 6.2, 6.1, 6.3, 6.2], [1, 3, 3, 9, 9]])


@pytest.mark.parametrize("aligned", [False, True])
@pytest.mark.parametrize("ratio", [-1, 0, 1, 2, 3])
@pytest.mark.parametrize("size, scale", [((3, 2), 1.0), (4, 0.5), ((1, 5), 0.8)])
def test_roi_align(size, scale, ratio, aligned):
    maps = RNG.standard_normal((2, 3, 12, 16))
    move = {ours: dv.from_numpy, theirs: torch.from_numpy}
    same(lambda o, x: o.roi_align(x, move[o](ROIS), size, scale, ratio, aligned), maps, grads=1)
    same(lambda o, x: o.RoIAlign(size, scale, ratio, aligned)(x, [move[o](ROIS[:2, 1:]), move[o](ROIS[2:, 1:])]), maps, grads=1)
    same(lambda o, x: o.roi_align(x, move[o](ROIS[:0]), size, scale, ratio, aligned), maps, grads=1)
    same(lambda o, x: o.roi_align(x, move[o](ROIS.astype("f4")), size, scale, ratio, aligned), maps.astype("f4"), rtol=1e-4, atol=1e-5)


def test_roi_align_of_boxes_without_a_width():
    maps, flat = RNG.random((2, 3, 5, 6)), np.array([[0.0, 2, 2, 2, 4], [1, 3, 1, 3, 1]])
    move = {ours: dv.from_numpy, theirs: torch.from_numpy}
    for rois in (flat, flat[1:], np.concatenate((flat, ROIS[:1]))):
        same(lambda o, x, rois=rois: o.roi_align(x, move[o](rois), 2, 1.0, -1, True), maps)
    x = dv.from_numpy(maps).requires_grad_()  # of whose gradient torchvision's Python form makes NaN, its C++ form zeros
    ours.roi_align(x, dv.from_numpy(flat), 2, 1.0, -1, True).sum().backward()
    assert (x.grad == 0).all()


def test_roi_align_of_a_pyramid():
    maps = [RNG.standard_normal((2, 3, 64 // k, 96 // k)) for k in (1, 2, 4)]
    boxes = [some_boxes(6, 300), some_boxes(4, 150)]
    move = {ours: dv.from_numpy, theirs: torch.from_numpy}

    def pool(o, *x):
        layer = o.MultiScaleRoIAlign(["a", "c", "b"], (3, 2), 2, canonical_scale=60)
        assert repr(layer).startswith("MultiScaleRoIAlign(featmap_names=['a', 'c', 'b'], output_size=(3, 2), sampling_ratio=2)")
        out = layer(dict(zip("abcd", (*x, x[0]), strict=True)), [move[o](b) for b in boxes], [(256, 384), (250, 380)])
        assert layer.scales == [0.25, 0.125, 0.0625]
        return out

    same(pool, *maps, grads=3)
    same(lambda o, x: o.MultiScaleRoIAlign(["0"], 2, 0)({"0": x}, [move[o](b) for b in boxes], [(256, 384)] * 2), maps[0], grads=1)


def twins(build):
    mine, other = build(ours, dv.nn), build(theirs, torch.nn)
    other = other.double()
    assert {k: tuple(v.shape) for k, v in mine.state_dict().items()} == {k: tuple(v.shape) for k, v in other.state_dict().items()}
    mine.double().load_state_dict({key: dv.from_numpy(value.numpy().copy()) for key, value in other.state_dict().items()})
    assert repr(mine) == repr(other)
    return {ours: mine, theirs: other}


@pytest.mark.parametrize("extra", [None, "LastLevelMaxPool", "LastLevelP6P7", "LastLevelP6P7 of c5"])
def test_pyramids(extra):
    import torchvision.ops.feature_pyramid_network as their_extras

    import dovetail_vision.ops.feature_pyramid_network as my_extras

    def build(o, nn):
        blocks = my_extras if o is ours else their_extras
        last = None
        if extra:
            last = getattr(blocks, extra.split()[0])(*(() if extra == "LastLevelMaxPool" else (4 if extra.endswith("6P7") else 6, 4)))
        return o.FeaturePyramidNetwork([3, 5, 6], 4, last, norm_layer=nn.BatchNorm2d if extra is None else None)

    both = twins(build)

    def run(o, *maps):
        out = both[o](dict(zip("abc", maps, strict=True)))
        run.names[o] = list(out)
        return sum(value.sum() * (i + 1) + (value * value).sum() for i, value in enumerate(out.values()))

    run.names = {}
    same(run, *(RNG.standard_normal((2, c, s, s + 3)) for c, s in ((3, 13), (5, 7), (6, 4))), grads=3)
    assert run.names[ours] == run.names[theirs]


def test_pyramids_of_older_files():
    old = {f"{kind}.0.{part}": dv.rand(4, 4, s, s) if part == "weight" else dv.rand(4)
           for kind, s in (("inner_blocks", 1), ("layer_blocks", 3)) for part in ("weight", "bias")}  # fmt: skip
    pyramid = ours.FeaturePyramidNetwork([4], 4)
    pyramid.load_state_dict(dict(old))
    assert dv.equal(pyramid.layer_blocks[0][0].bias, old["layer_blocks.0.bias"])


@pytest.mark.parametrize("train", [True, False])
def test_blocks_in_three_dimensions(train):
    both = twins(lambda o, nn: o.Conv3dNormActivation(3, 4, (1, 3, 3), (1, 2, 2), dilation=2, activation_layer=nn.SiLU))
    same(lambda o, x: both[o].train(train)(x), RNG.standard_normal((2, 3, 4, 9, 8)), grads=1, rtol=1e-7)
    for package in (dv, torch):
        package.manual_seed(3)
    drop = {o: o.DropBlock3d(0.3, 3).train(train) for o in (ours, theirs)}
    assert repr(drop[ours]) == repr(drop[theirs])
    same(lambda o, x: drop[o](x), RNG.standard_normal((2, 2, 5, 7, 6)).astype(np.float32), grads=1, rtol=1e-5)


def test_deformable_layers_are_built_alike():
    for package in (dv, torch):
        package.manual_seed(2)
    mine, other = (o.DeformConv2d(4, 6, (3, 2), 2, 1, 2, groups=2) for o in (ours, theirs))
    assert repr(mine) == repr(other)
    for a, b in zip(mine.parameters(), other.parameters(), strict=True):
        np.testing.assert_array_equal(a.detach().numpy(), b.detach().numpy())


REFUSED = [
    lambda o, t: o.box_convert(t(np.ones((2, 4))), "xyxy", "yxyx"),
    lambda o, t: o.box_convert(t(np.ones((2, 4))), "xyxy", "xywhr"),
    lambda o, t: o.box_area(t(np.ones((2, 4))), "xywhr"),
    lambda o, t: o.box_iou(t(np.ones((2, 4))), t(np.ones((2, 4))), "no"),
    lambda o, t: o.sigmoid_focal_loss(t(np.ones(2)), t(np.ones(2)), alpha=1.5),
    lambda o, t: o.sigmoid_focal_loss(t(np.ones(2)), t(np.ones(2)), reduction="all"),
    lambda o, t: o.generalized_box_iou_loss(t(np.ones((2, 4))), t(np.ones((2, 4))), reduction="all"),
    lambda o, t: o.roi_align(t(np.ones((1, 1, 4, 4))), t(np.ones((2, 4))), 2),
    lambda o, t: o.roi_align(t(np.ones((1, 1, 4, 4))), [t(np.ones((2, 5)))], 2),
    lambda o, t: o.FeaturePyramidNetwork([0], 3),
    lambda o, t: o.FeaturePyramidNetwork([2], 3, extra_blocks=3),
    lambda o, t: o.DeformConv2d(3, 4, 3, groups=2),
    lambda o, t: o.DeformConv2d(4, 3, 3, groups=2),
    lambda o, t: o.drop_block3d(t(np.ones((1, 1, 4, 4))), 0.5, 3),
    lambda o, t: o.MultiScaleRoIAlign(["0"], 2, 2)({"0": t(np.ones((1, 1, 4, 4)))}, [t(np.ones((1, 4)))], []),
]


@pytest.mark.parametrize("number", range(len(REFUSED)))
def test_refusals_are_of_their_kind(number):
    with pytest.raises(Exception) as want:
        REFUSED[number](theirs, torch.from_numpy)
    builtin = next(kind for kind in want.type.__mro__ if kind.__module__ == "builtins")
    with pytest.raises(builtin):
        REFUSED[number](ours, dv.from_numpy)
