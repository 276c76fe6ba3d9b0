"""vision/shapes: what a picture holds, that boxes and masks are of one another, and that nothing but seed, split and index decides."""

from __future__ import annotations

import numpy as np
import pytest

import dovetail as dv
from dovetail import datasets
from dovetail.errors import RangeError, ValueRangeError
from dovetail.utils.data import DataLoader
from dovetail_vision.datasets import Shapes
from dovetail_vision.transforms import v2
from dovetail_vision.tv_tensors import BoundingBoxes, Mask


def test_a_picture_and_its_targets():
    shapes, maps = Shapes(split="test"), Shapes(split="test", target_type="semantic")
    seen = set()
    for i in range(40):
        image, target = shapes[i]
        boxes, labels, masks = (target[name].numpy() for name in ("boxes", "labels", "masks"))
        assert (image.mode, image.size) == ("RGB", (96, 96)) and 1 <= len(labels) <= 5 and target["image_id"] == i
        assert (boxes.dtype, labels.dtype, masks.dtype) == (np.float32, np.int64, np.uint8) and set(np.unique(masks)) == {0, 1}
        assert masks.sum(0).max() == 1 and not target["iscrowd"].any() and target["area"].tolist() == masks.sum((1, 2)).tolist()
        for box, mask in zip(boxes, masks):
            y, x = np.nonzero(mask)
            assert box.tolist() == [x.min(), y.min(), x.max() + 1, y.max() + 1]
        again, classes = maps[i]
        assert again.tobytes() == image.tobytes() and isinstance(classes, Mask) and classes.dtype == dv.uint8
        assert isinstance(target["boxes"], BoundingBoxes) and isinstance(target["masks"], Mask) and target["boxes"].canvas_size == (96, 96)
        assert (classes.numpy() == (masks * labels[:, None, None]).sum(0)).all()
        seen |= set(labels.tolist())
    assert seen == {1, 2, 3, 4, 5} and shapes.categories[1:] == ["circle", "square", "triangle", "star", "cross"]


def test_each_shape_is_what_its_label_says():
    """How much of its circle a shape fills, where nothing hides it."""
    fills = {label: [] for label in range(1, 6)}
    for _, target in Shapes(size=60, max_shapes=1):
        y, x = np.nonzero(target["masks"][0].numpy())
        reach = np.hypot(y - (y.max() + y.min()) / 2, x - (x.max() + x.min()) / 2).max()
        fills[int(target["labels"][0])].append(len(y) / (np.pi * (reach + 0.5) ** 2))
    middle = {label: np.median(values) for label, values in fills.items()}
    assert middle[1] > 0.9 and 0.55 < min(middle[2], middle[5]) < 0.75 and 0.3 < min(middle[3], middle[4]) < 0.55


def test_seed_split_and_index_decide():
    dv.manual_seed(1)
    one = Shapes()[7][0].tobytes()
    dv.manual_seed(2)
    np.random.seed(3)
    assert Shapes(size=8)[7][0].tobytes() == one == Shapes()[np.int64(7)][0].tobytes()
    others = [Shapes(seed=1)[7], Shapes(train=False)[7], Shapes()[8], Shapes(image_size=64)[7]]
    assert len({one, *(image.tobytes() for image, _ in others)}) == 5
    assert Shapes(size=9)[-1][1]["image_id"] == 8


def test_lengths_transforms_and_print():
    assert (len(Shapes()), len(Shapes(split="test")), len(Shapes(train=False, size=3))) == (2000, 500, 3)
    small = Shapes(size=2, transform=lambda image: image.size, target_transform=lambda target: len(target["labels"]))
    assert small[0][0] == (96, 96) and small[0][1] >= 1
    assert Shapes(size=1, transforms=lambda image, target: (target, image))[0][1].size == (96, 96)
    assert repr(Shapes(size=2)) == "Dataset Shapes\n    Number of datapoints: 2\n    Split: Train\n    Targets: instances"
    assert isinstance(datasets.load("vision/shapes", split="test", target_type="semantic")[0][1], Mask)


def test_transforms_move_boxes_and_masks_with_the_image():
    flipped = Shapes(size=3, transforms=v2.RandomHorizontalFlip(p=1.0))
    for (image, target), (mirror, moved) in zip(Shapes(size=3), flipped):
        assert (np.asarray(mirror) == np.asarray(image)[:, ::-1]).all() and dv.equal(moved["masks"], target["masks"].flip(-1))
        x1, y1, x2, y2 = target["boxes"].unbind(1)
        assert dv.equal(moved["boxes"], dv.stack([96 - x2, y1, 96 - x1, y2], 1)) and dv.equal(moved["labels"], target["labels"])


def test_batches_from_workers():
    maps = Shapes(size=6, target_type="semantic", transforms=v2.ToImage())
    for workers in (0, 2):
        images, classes = zip(*DataLoader(maps, 3, num_workers=workers), strict=True)
        assert tuple(images[0].shape) == (3, 3, 96, 96) and dv.equal(classes[1][0], maps[3][1])


def test_what_is_refused():
    with pytest.raises(RangeError, match="Shapes: index is 500; expected 0 to 499"):
        Shapes(split="test")[500]
    with pytest.raises(ValueRangeError, match='Shapes: split is \'val\'; expected "train" or "test"'):
        Shapes(split="val")
    with pytest.raises(ValueRangeError, match='Shapes: target_type is \'boxes\'; expected "instances" or "semantic"'):
        Shapes(target_type="boxes")
    with pytest.raises(ValueRangeError, match="image_size is 16, max_shapes 5, seed 0 and size None; expected 32 or more pixels"):
        Shapes(image_size=16)
