"""dovetail_vision.tv_tensors beside torchvision's: what operations give, what is printed, and what is refused."""

from __future__ import annotations

import copy
import pickle

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("PIL")

import numpy as np
from PIL import Image

import dovetail
from dovetail_vision import tv_tensors as ours
from tests.parity.torchvision_oracle import torchvision

pytestmark = pytest.mark.parity

torchvision()
from torchvision import tv_tensors as theirs

SIDES = pytest.mark.parametrize("tv, T", [(ours, dovetail), (theirs, torch)], ids=["dovetail", "torchvision"])


def _kinds(value):
    """The names of the classes in a result."""
    if isinstance(value, (tuple, list)):
        return [_kinds(part) for part in value]
    return type(value).__name__


def _both(make):
    return make(ours, dovetail), make(theirs, torch)


MADE = [
    lambda tv, T: tv.Image(T.zeros(1, 2, 2)),
    lambda tv, T: tv.Image([[0.5]]),
    lambda tv, T: tv.Image(Image.new("RGB", (3, 2), (1, 2, 3)), dtype=T.int64),
    lambda tv, T: tv.Video(T.zeros(1, 1, 1, 2)),
    lambda tv, T: tv.Mask([[True, False]]),
    lambda tv, T: tv.Mask(Image.new("L", (3, 2), 7)),
    lambda tv, T: tv.BoundingBoxes([1, 2, 3, 4], format="xyxy", canvas_size=(5, 6)),
    lambda tv, T: tv.BoundingBoxes([[1, 2, 3, 4.5]], format=tv.BoundingBoxFormat.CXCYWH, canvas_size=(5, 6), clamping_mode=None),
    lambda tv, T: tv.BoundingBoxes(T.ones(2, 5), format="CXCYWHR", canvas_size=(5, 6), clamping_mode="hard"),
    lambda tv, T: tv.BoundingBoxes(T.ones(1, 8), format="XYXYXYXY", canvas_size=(5, 6), dtype=T.float64),
    lambda tv, T: tv.KeyPoints([[1, 2], [3, 4]], canvas_size=(5, 6)),
    lambda tv, T: tv.KeyPoints(T.ones(2, 3, 2), canvas_size=(5, 6)),
    lambda tv, T: tv.KeyPoints([1.0, 2.0], canvas_size=(5, 6)),
]


@pytest.mark.parametrize("case", range(len(MADE)))
def test_they_print_and_copy_alike(case):
    mine, yours = _both(MADE[case])
    assert repr(mine) == repr(yours).replace("torch.", "dovetail.")
    np.testing.assert_array_equal(mine.numpy(), yours.numpy())
    for again in (copy.copy(mine), copy.deepcopy(mine), pickle.loads(pickle.dumps(mine)), mine.clone(), mine.detach()):  # noqa: S301
        assert repr(again) == repr(mine)
    assert repr(ours.wrap(mine.as_subclass(dovetail.Tensor), like=mine)) == repr(mine)


# Each with an image `i`, boxes `b` and a float tensor `t`.
OPERATIONS = [
    "i + 1", "1 + i", "i * i", "t * i", "-i", "i == i", "i[0]", "i[:, :1]", "i.sum()", "i.unbind()", "i.max(0)[0]", "i.clone()",
    "T.clone(i)", "i.detach()", "i.to(T.float64)", "i.to('cpu')", "i.double()", "i.float()", "i.cpu()", "i.contiguous()",
    "i.requires_grad_(False)", "i.add_(1)", "T.stack([i, i])", "T.cat([i, t])", "T.nn.functional.relu(i)", "i.type_as(t)", "i.view(-1)",
    "i.mT", "i.chunk(2, 1)", "i.numpy()", "i.tolist()", "b + 1", "b.clone()", "b[0]", "b.unbind()", "b.to(T.float64)", "b.float()",
    "b.chunk(2, 1)", "T.add(b, 1)", "b.detach()", "i.new_zeros(2)", "i.shape", "i.ndim", "b.pin_memory.__name__",
    "T.utils.data.default_collate([b, b])", "i.expand(2, 1, 2, 2)",
    "T.utils.data.default_collate([{'image': i, 'boxes': b}] * 2)['image']", "i.squeeze(1)", "i.flatten()", "i.reshape(1, 2, 2)",
]  # fmt: skip


def _run(tv, T, text):
    values = {
        "T": T,
        "i": tv.Image(T.zeros(1, 2, 2)),
        "b": tv.BoundingBoxes([[1.0, 2, 3, 4]], format="xyxy", canvas_size=(5, 6)),
        "t": T.ones(1, 2, 2),
    }
    return eval(text, values)  # noqa: S307


@pytest.mark.parametrize("text", OPERATIONS)
@pytest.mark.parametrize("return_type", ["Tensor", "TVTensor"])
def test_operations_give_the_same_classes(text, return_type):
    with ours.set_return_type(return_type), theirs.set_return_type(return_type):
        got, want = _run(ours, dovetail, text), _run(theirs, torch, text)
        assert _kinds(got) == _kinds(want)
        if isinstance(want, theirs.BoundingBoxes):
            assert repr(got) == repr(want).replace("torch.", "dovetail.")


@SIDES
def test_the_class_of_what_is_changed_in_place_and_of_gradients(tv, T):
    image = tv.Image(T.zeros(1, 2, 2))
    other = image.mul_(2)
    assert type(other) is T.Tensor and type(image) is tv.Image
    leaf = T.ones(1, 2, 2, requires_grad=True)
    made = tv.Image(leaf)
    assert made.requires_grad and not made.is_leaf
    (made * 3).sum().backward()
    assert leaf.grad.sum().item() == 12.0
    own = tv.Image(T.ones(1, 2, 2)).requires_grad_()
    (own * 3).sum().backward()
    assert own.is_leaf and type(own) is tv.Image and type(own.grad) is T.Tensor


@SIDES
def test_the_return_type_is_restored(tv, T):
    mask = tv.Mask([[1]])
    with tv.set_return_type("tvtensor"):
        with tv.set_return_type("tensor"):
            assert type(mask + 1) is T.Tensor
        assert type(mask + 1) is tv.Mask
    assert type(mask + 1) is T.Tensor
    with pytest.raises(ValueError, match="return_type"):
        tv.set_return_type("Mask")


@SIDES
def test_a_class_of_ones_own(tv, T):
    class Depth(tv.TVTensor):
        pass

    depth = T.ones(2).as_subclass(Depth)
    assert type(depth.clone()) is Depth and type(depth + 1) is T.Tensor and type(tv.wrap(T.ones(1), like=depth)) is Depth
    with tv.set_return_type("TVTensor"):
        assert type(depth + 1) is Depth and type(T.exp(depth)) is Depth


ERRORS = [
    lambda tv, T: tv.Image([1.0]),
    lambda tv, T: tv.Video(T.zeros(2, 2)),
    lambda tv, T: tv.BoundingBoxes(T.zeros(1, 1, 4), format="xyxy", canvas_size=(1, 1)),
    lambda tv, T: tv.BoundingBoxes([1, 2, 3, 4], format="nonsense", canvas_size=(1, 1)),
    lambda tv, T: tv.BoundingBoxes([1, 2, 3, 4, 5], format="XYWHR", canvas_size=(1, 1)),
    lambda tv, T: tv.BoundingBoxes([1, 2, 3, 4], format="xyxy", canvas_size=(1, 1), clamping_mode="no"),
    lambda tv, T: tv.KeyPoints(T.zeros(2, 3), canvas_size=(1, 1)),
    lambda tv, T: tv.is_rotated_bounding_format(3),
]


@pytest.mark.parametrize("case", range(len(ERRORS)))
def test_errors_are_of_their_kind(case):
    with pytest.raises((ValueError, TypeError, KeyError)) as want:
        ERRORS[case](theirs, torch)
    with pytest.raises(want.type):
        ERRORS[case](ours, dovetail)


def test_errors_say_what_was_expected():
    with pytest.raises(ValueError, match=r"BoundingBoxes: data has 3 dimensions; expected one box, or \(N, 4\)"):
        ours.BoundingBoxes(dovetail.zeros(1, 1, 4), format="xyxy", canvas_size=(1, 1))
    with pytest.raises(KeyError, match="format is 'nonsense'; expected one of XYXY, XYWH, CXCYWH"):
        ours.BoundingBoxes([1, 2, 3, 4], format="nonsense", canvas_size=(1, 1))


def test_boxes_pass_through_worker_processes():
    boxes = ours.BoundingBoxes([[1.0, 2, 3, 4]], format="xyxy", canvas_size=(5, 6))
    loader = dovetail.utils.data.DataLoader([boxes] * 3, batch_size=None, num_workers=1)
    assert [repr(value) for value in loader] == [repr(boxes)] * 3
