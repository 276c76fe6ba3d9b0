"""dovetail_vision.utils and .ops beside torchvision's: same pixels, same layers, same draws."""

from __future__ import annotations

import io

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("PIL")

import numpy as np
from PIL import Image

import dovetail as dv
from dovetail_vision import ops as our_ops
from dovetail_vision import utils as ours
from tests.parity.torchvision_oracle import torchvision

pytestmark = pytest.mark.parity

theirs, their_ops = torchvision().utils, torchvision().ops
RNG = np.random.default_rng(2)

GRIDS = [
    ((6, 3, 4, 5), {}),
    ((6, 1, 4, 5), {"nrow": 4, "padding": 0}),
    ((9, 3, 2, 2), {"nrow": 3, "padding": 3, "pad_value": 0.5}),
    ((4, 3, 4, 5), {"normalize": True}),
    ((4, 3, 4, 5), {"normalize": True, "scale_each": True}),
    ((4, 3, 4, 5), {"normalize": True, "value_range": (-0.5, 0.5)}),
    ((1, 1, 4, 5), {}),
    ((3, 4, 5), {}),
    ((1, 4, 5), {}),
    ((4, 5), {}),
    ((3, 2, 4, 5), {"nrow": 2}),
]


@pytest.mark.parametrize("shape, options", GRIDS)
def test_make_grid(shape, options):
    array = RNG.standard_normal(shape).astype(np.float32)
    got, want = ours.make_grid(dv.from_numpy(array), **options), theirs.make_grid(torch.from_numpy(array), **options)
    np.testing.assert_array_equal(got.numpy(), want.numpy())
    if len(shape) == 4:
        listed = ours.make_grid(list(dv.from_numpy(array)), **options)
        np.testing.assert_array_equal(listed.numpy(), want.numpy())


def test_save_image():
    array = RNG.random((5, 3, 6, 7)).astype(np.float32) * 1.2 - 0.1
    files = io.BytesIO(), io.BytesIO()
    ours.save_image(dv.from_numpy(array), files[0], "png", nrow=3)
    theirs.save_image(torch.from_numpy(array), files[1], "png", nrow=3)
    assert files[0].getvalue() == files[1].getvalue()


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"labels": ["a", "bc"], "colors": "red"},
        {"colors": [(1, 2, 3), "#00ff00"], "fill": True, "width": 2},
        {"labels": ["a", "b"], "label_colors": "yellow"},
    ],
)
def test_boxes(dtype, options):
    array = RNG.integers(0, 255, (3, 30, 40), dtype=np.uint8) if dtype == "uint8" else RNG.random((3, 30, 40), dtype=np.float32)
    boxes = np.array([[2.0, 3, 20, 15], [10, 1, 35, 28]])
    got = ours.draw_bounding_boxes(dv.from_numpy(array), dv.from_numpy(boxes), **options)
    want = theirs.draw_bounding_boxes(torch.from_numpy(array), torch.from_numpy(boxes), **options)
    np.testing.assert_allclose(got.numpy(), want.numpy(), rtol=0, atol=0 if dtype == "uint8" else 1e-7)


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
@pytest.mark.parametrize("colors", [None, "blue", ["red", (9, 8, 7)]])
def test_masks(dtype, colors):
    array = RNG.integers(0, 255, (3, 8, 9), dtype=np.uint8) if dtype == "uint8" else RNG.random((3, 8, 9), dtype=np.float32)
    masks = RNG.random((2, 8, 9)) > 0.5
    got = ours.draw_segmentation_masks(dv.from_numpy(array), dv.from_numpy(masks), 0.6, colors)
    want = theirs.draw_segmentation_masks(torch.from_numpy(array), torch.from_numpy(masks), 0.6, colors)
    np.testing.assert_allclose(got.numpy(), want.numpy(), rtol=0, atol=1 if dtype == "uint8" else 1e-6)


def test_errors_are_of_their_kind():
    cases = [
        lambda u, t: u.make_grid("a"),
        lambda u, t: u.make_grid([t(np.ones((1, 2, 2))), 3]),
        lambda u, t: u.make_grid(t(np.ones((2, 1, 2, 2))), normalize=True, value_range=3),
        lambda u, t: u.draw_bounding_boxes("a", t(np.ones((1, 4)))),
        lambda u, t: u.draw_bounding_boxes(t(np.ones((2, 4, 4))), t(np.ones((1, 4)))),
        lambda u, t: u.draw_bounding_boxes(t(np.ones((3, 4, 4))), t(np.array([[3, 1, 1, 2]]))),
        lambda u, t: u.draw_bounding_boxes(t(np.ones((3, 4, 4))), t(np.ones((1, 4))), labels=["a", "b"]),
        lambda u, t: u.draw_bounding_boxes(t(np.ones((3, 4, 4))), t(np.ones((2, 4))), colors=["red"]),
        lambda u, t: u.draw_segmentation_masks(t(np.ones((3, 4, 4))), t(np.ones((4, 4)))),
        lambda u, t: u.draw_segmentation_masks(t(np.ones((3, 4, 4))), t(np.ones((4, 5), bool))),
    ]
    for case in cases:
        with pytest.raises((TypeError, ValueError)) as want:
            case(theirs, torch.from_numpy)
        with pytest.raises(want.type):
            case(ours, dv.from_numpy)


LAYERS = {
    "Conv2dNormActivation": (lambda o, nn: o.Conv2dNormActivation(3, 8, (3, 5), 2, dilation=2), (2, 3, 12, 12)),
    "Conv2dNormActivation, bare": (
        lambda o, nn: o.Conv2dNormActivation(4, 8, 5, groups=2, norm_layer=None, activation_layer=nn.SiLU),
        (2, 4, 9, 9),
    ),
    "SqueezeExcitation": (lambda o, nn: o.SqueezeExcitation(6, 2, scale_activation=nn.Hardsigmoid), (2, 6, 5, 5)),
    "MLP": (lambda o, nn: o.MLP(5, [7, 6, 3], norm_layer=nn.LayerNorm, dropout=0.3), (4, 5)),
    "Permute": (lambda o, nn: o.Permute([0, 2, 3, 1]), (2, 3, 4, 5)),
    "FrozenBatchNorm2d": (lambda o, nn: o.FrozenBatchNorm2d(3, eps=0.1), (2, 3, 4, 4)),
    "StochasticDepth": (lambda o, nn: o.StochasticDepth(0.4, "row"), (6, 3, 2, 2)),
    "StochasticDepth, batch": (lambda o, nn: o.StochasticDepth(0.4, "batch"), (6, 3)),
    "DropBlock2d": (lambda o, nn: o.DropBlock2d(0.3, 3), (2, 3, 9, 9)),
}


@pytest.mark.parametrize("train", [True, False])
@pytest.mark.parametrize("name", LAYERS)
def test_layers(name, train):
    build, shape = LAYERS[name]
    dv.manual_seed(4)
    torch.manual_seed(4)
    mine, yours = build(our_ops, dv.nn).train(train), build(their_ops, torch.nn).train(train)
    assert repr(mine) == repr(yours)
    state, their_state = mine.state_dict(), yours.state_dict()
    assert list(state) == list(their_state)
    for key, value in state.items():
        np.testing.assert_array_equal(value.numpy(), their_state[key].numpy())
    array = RNG.standard_normal(shape).astype(np.float32)
    for _ in range(3):
        x, y = dv.from_numpy(array).requires_grad_(), torch.from_numpy(array).requires_grad_()
        got, want = mine(x), yours(y)
        np.testing.assert_allclose(got.detach().numpy(), want.detach().numpy(), rtol=1e-5, atol=1e-6)
        got.square().sum().backward()
        want.square().sum().backward()
        np.testing.assert_allclose(x.grad.numpy(), y.grad.numpy(), rtol=1e-4, atol=1e-5)


def test_a_frozen_norm_takes_the_state_of_a_batch_norm():
    norm = dv.nn.BatchNorm2d(3)
    norm(dv.rand(4, 3, 5, 5))
    frozen = our_ops.FrozenBatchNorm2d(3)
    frozen.load_state_dict(norm.state_dict())
    x = dv.rand(2, 3, 4, 4)
    np.testing.assert_allclose(frozen(x).numpy(), norm.eval()(x).detach().numpy(), rtol=1e-5, atol=1e-6)


def test_saved_pictures_can_be_opened(tmp_path):
    ours.save_image(dv.rand(3, 4, 4), tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.size == (4, 4) and picture.mode == "RGB"


@pytest.mark.filterwarnings("ignore:.*font_size")
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
@pytest.mark.parametrize(
    "options",
    [
        {"labels": ["a", "bc"], "fill_labels": True},
        {"labels": ["a", "bc"], "fill_labels": True, "label_background_colors": ["blue", (9, 8, 7)], "label_colors": "white", "width": 3},
        {"labels": ["a", "b"], "fill": True, "colors": [(250, 0, 0), "lime"], "font_size": 20},
        {"labels": ["a", "b"], "font": "DejaVuSans.ttf", "font_size": 14, "label_colors": ["red", "blue"]},
        {"width": 4, "colors": ["red", "blue", "green"]},
    ],
)
@pytest.mark.parametrize("turned", [False, True])
def test_boxes_of_all_kinds(dtype, options, turned):
    if "font" in options:
        font = pytest.importorskip("matplotlib").get_data_path() + "/fonts/ttf/DejaVuSans.ttf"
        options = options | {"font": font}
    array = RNG.integers(0, 255, (3, 50, 60), dtype=np.uint8) if dtype == "uint8" else RNG.random((1, 50, 60), dtype=np.float32)
    boxes = np.array([[4.0, 3, 30, 25], [10, 1, 55, 48]], dtype=np.float32)
    if turned:
        boxes = np.array([[10.5, 4, 40, 14, 35, 30, 6, 20], [20, 10, 50, 10, 50, 45, 20, 45]], dtype=np.float32)
    got = ours.draw_bounding_boxes(dv.from_numpy(array), dv.from_numpy(boxes), **options)
    want = theirs.draw_bounding_boxes(torch.from_numpy(array), torch.from_numpy(boxes), **options)
    assert got.shape == want.shape
    np.testing.assert_allclose(got.numpy(), want.numpy(), rtol=0, atol=0 if dtype == "uint8" else 1e-7)


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"colors": "red", "radius": 4},
        {"colors": (1, 200, 3), "connectivity": [(0, 1), (1, 3), (2, 2)], "width": 1},
        {"connectivity": [(0, 1), (1, 2), (2, 3)], "visibility": [[1, 0, 1, 1], [1, 1, 1, 0]]},
        {"visibility": [[[1], [0], [1], [1]], [[0], [0], [0], [1]]], "colors": "#00ff00"},
    ],
)
@pytest.mark.parametrize("columns", [2, 3])
def test_keypoints(dtype, options, columns):
    array = RNG.integers(0, 255, (3, 40, 50), dtype=np.uint8) if dtype == "uint8" else RNG.random((3, 40, 50), dtype=np.float32)
    points = (RNG.random((2, 4, columns)) * ([50, 40, 3][:columns])).astype(np.float32)
    seen = options.get("visibility")
    mine = options | ({"visibility": dv.tensor(seen)} if seen else {})
    yours = options | ({"visibility": torch.tensor(seen)} if seen else {})
    got = ours.draw_keypoints(dv.from_numpy(array), dv.from_numpy(points), **mine)
    want = theirs.draw_keypoints(torch.from_numpy(array), torch.from_numpy(points), **yours)
    np.testing.assert_allclose(got.numpy(), want.numpy(), rtol=0, atol=0 if dtype == "uint8" else 1e-7)


@pytest.mark.parametrize("shape", [(2, 20, 30), (3, 2, 15, 12)])
def test_flow(shape):
    flow = (RNG.standard_normal(shape) * 9).astype(np.float32)
    got, want = ours.flow_to_image(dv.from_numpy(flow)), theirs.flow_to_image(torch.from_numpy(flow))
    assert got.shape == want.shape and got.dtype == dv.uint8
    apart = np.abs(got.numpy().astype(int) - want.numpy())
    assert apart.max() <= 1 and (apart > 0).mean() < 1e-3


def test_more_errors_are_of_their_kind():
    cases = [
        lambda u, t: u.draw_keypoints("a", t(np.ones((1, 2, 2)))),
        lambda u, t: u.draw_keypoints(t(np.ones((1, 4, 4))), t(np.ones((1, 2, 2)))),
        lambda u, t: u.draw_keypoints(t(np.ones((3, 4, 4))), t(np.ones((2, 2)))),
        lambda u, t: u.draw_keypoints(t(np.ones((3, 4, 4))), t(np.ones((1, 2, 2))), visibility=t(np.ones((1, 3)))),
        lambda u, t: u.flow_to_image(t(np.ones((2, 3, 3)))),
        lambda u, t: u.flow_to_image(t(np.ones((3, 3, 3), np.float32))),
        lambda u, t: u.draw_bounding_boxes(t(np.ones((3, 4, 4))), t(np.ones((2, 4))), colors=(1, 2)),
        lambda u, t: u.draw_segmentation_masks(t(np.ones((1, 4, 4))), t(np.ones((4, 4), bool))),
    ]
    for case in cases:
        with pytest.raises((TypeError, ValueError)) as want:
            case(theirs, torch.from_numpy)
        with pytest.raises(want.type):
            case(ours, dv.from_numpy)
