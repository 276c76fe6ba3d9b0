"""Datasets whose samples have boxes, masks and videos as tensors that say what they are, ready for ``transforms.v2``."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection
from copy import copy
from typing import Any

import numpy as np

import dovetail
from dovetail.errors import DovetailError, TypeMismatch, ValueRangeError

from .. import datasets, tv_tensors
from ..transforms.v2 import functional as F
from ._coco_masks import coco_mask
from .vision import VisionDataset, bundled

__all__ = ["wrap_dataset_for_transforms_v2"]

Wrap = Callable[[int, Any], Any]
_VOC = (
    "__background__ aeroplane bicycle bird boat bottle bus car cat chair cow diningtable dog horse motorbike person pottedplant sheep sofa "
    "train tvmonitor"
).split()
_KITTI = "Car Van Truck Pedestrian Person_sitting Cyclist Tram Misc DontCare".split()


def wrap_dataset_for_transforms_v2(dataset: Any, target_keys: Collection[str] | str | None = None) -> Any:
    """The dataset, its boxes, masks and videos as `tv_tensors`, and detection targets as one dict of them: "boxes" (corners), "labels" …

    ``target_keys`` chooses what targets of CocoDetection, VOCDetection, Kitti and WIDERFace hold: some names, "all", or None for what
    detectors need. Transforms of the dataset come after. The result is an instance of the dataset's class too.

    Raises a TypeMismatch (TypeError) for datasets that are not known, a ValueRangeError (ValueError) for unknown keys, a RuntimeError for
    targets of other kinds.

    >>> from dovetail_vision.datasets import VOCDetection, tiny
    >>> with tiny.made(tiny.voc) as root:
    ...     image, target = wrap_dataset_for_transforms_v2(VOCDetection(root))[0]
    >>> target["boxes"]
    BoundingBoxes([[1, 1, 4, 5],
                   [2, 2, 8, 6]], format=BoundingBoxFormat.XYXY, canvas_size=(6, 8), clamping_mode=soft)
    >>> target["labels"]
    tensor([ 8, 12])
    """
    several = isinstance(target_keys, Collection) and not isinstance(target_keys, str) and all(isinstance(key, str) for key in target_keys)
    if not (target_keys is None or target_keys == "all" or several):
        what = f"target_keys is {target_keys!r}"
        raise ValueRangeError("wrap_dataset_for_transforms_v2", what, "expected None, 'all', or a collection of strings")
    kind = type(f"Wrapped{type(dataset).__name__}", (_Wrapped, type(dataset)), {})
    return kind(dataset, target_keys)


class _Wrapped:
    def __init__(self, dataset: Any, target_keys: Any) -> None:
        make = _factory(dataset, target_keys)
        self._dataset, self._target_keys = dataset, target_keys
        self._wrapper: Wrap = make(dataset, target_keys)
        # Taken away there: they come after the wrapping.
        self.transform, dataset.transform = dataset.transform, None
        self.target_transform, dataset.target_transform = dataset.target_transform, None
        self.transforms, dataset.transforms = dataset.transforms, None

    def __getattr__(self, name: str) -> Any:
        if name == "_dataset":  # not there yet, while it is being made
            raise AttributeError(name)
        return getattr(self._dataset, name)

    def __getitem__(self, idx: int) -> Any:
        sample = self._wrapper(idx, self._dataset[idx])
        return sample if self.transforms is None else self.transforms(*sample)

    def __len__(self) -> int:
        return len(self._dataset)

    def __reduce__(self) -> Any:
        dataset = copy(self._dataset)
        dataset.transform, dataset.target_transform, dataset.transforms = self.transform, self.target_transform, self.transforms
        return wrap_dataset_for_transforms_v2, (dataset, self._target_keys)


def _factory(dataset: Any, target_keys: Any) -> Callable[[Any, Any], Wrap]:
    if not isinstance(dataset, VisionDataset):
        what = f"dataset is {type(dataset).__name__}"
        raise TypeMismatch("wrap_dataset_for_transforms_v2", what, "This wrapper is meant for subclasses of VisionDataset")
    for kind in type(dataset).__mro__:
        make = _FACTORIES.get(kind.__name__) if getattr(datasets, kind.__name__, None) is kind else None
        if make is not None:
            if target_keys is not None and kind.__name__ not in ("CocoDetection", "VOCDetection", "Kitti", "WIDERFace"):
                expected = "`target_keys` is currently only supported for `CocoDetection`, `VOCDetection`, `Kitti`, and `WIDERFace`"
                raise ValueRangeError("wrap_dataset_for_transforms_v2", f"target_keys is given for {kind.__name__}", expected)
            return make
    what = f"No wrapper exists for dataset class {type(dataset).__name__}"
    raise TypeMismatch("wrap_dataset_for_transforms_v2", what, "", "Please wrap the output yourself")


def _unsupported(what: str) -> DovetailError:
    return _Unsupported("wrap_dataset_for_transforms_v2", f"{what} is currently not supported by this wrapper")


class _Unsupported(DovetailError, RuntimeError):
    """A kind of target that is not wrapped."""


def _keys(chosen: Any, available: str, default: str) -> list[str]:
    names = available.split()
    wanted = default.split() if chosen is None else names if chosen == "all" else list(chosen)
    if extra := sorted(set(wanted) - set(names)):
        raise ValueRangeError(
            "wrap_dataset_for_transforms_v2", f"Target keys {extra} are not available", f"expected some of {', '.join(names)}"
        )
    return [name for name in names if name in wanted]


def _columns(rows: list[dict[str, Any]]) -> dict[str, list[Any]]:
    found = defaultdict(list)
    for row in rows:
        for key, value in row.items():
            found[key].append(value)
    return dict(found)


def _boxes(values: Any, image: Any, format: str = "XYXY") -> Any:
    size = tuple(F.get_size(image))
    boxes = tv_tensors.BoundingBoxes(values, format=format, canvas_size=size)
    return boxes if format == "XYXY" else F.convert_bounding_box_format(boxes, new_format=tv_tensors.BoundingBoxFormat.XYXY)


def _plain(dataset: Any, keys: Any) -> Wrap:
    return lambda idx, sample: sample


def _segmentation(dataset: Any, keys: Any) -> Wrap:
    return lambda idx, sample: (sample[0], tv_tensors.Mask(sample[1]))


def _sbd(dataset: Any, keys: Any) -> Wrap:
    if dataset.mode == "boundaries":
        raise _unsupported("SBDataset with mode='boundaries'")
    return _segmentation(dataset, keys)


def _caltech101(dataset: Any, keys: Any) -> Wrap:
    if "annotation" in dataset.target_type:
        raise _unsupported("Caltech101 dataset with `target_type=['annotation', ...]`")
    return _plain(dataset, keys)


def _videos(dataset: Any, keys: Any) -> Wrap:
    if dataset.video_clips.output_format == "THWC":
        raise _unsupported(f"{type(dataset).__name__} with `output_format='THWC'`, which no transform takes: use output_format='TCHW'; it")
    return lambda idx, sample: (tv_tensors.Video(sample[0]), *sample[1:])


def _coco(dataset: Any, keys: Any) -> Wrap:
    names = _keys(keys, "image_id boxes masks labels segmentation area iscrowd bbox category_id", "image_id boxes labels")

    def wrap(idx: int, sample: Any) -> Any:
        image, rows = sample
        number = dataset.ids[idx]
        if not rows:
            return image, {"image_id": number}
        found, size = _columns(rows), F.get_size(image)
        made = {
            "image_id": lambda: number,
            "boxes": lambda: _boxes(found["bbox"], image, "XYWH"),
            "masks": lambda: tv_tensors.Mask(dovetail.from_numpy(np.stack([coco_mask(one, *size) for one in found["segmentation"]]))),
            "labels": lambda: dovetail.tensor(found["category_id"]),
        }
        return image, {name: made[name]() if name in made else found[name] for name in names}

    return wrap


def _voc(dataset: Any, keys: Any) -> Wrap:
    names = _keys(keys, "annotation boxes labels", "boxes labels")

    def wrap(idx: int, sample: Any) -> Any:
        image, target = sample
        found = _columns(target["annotation"]["object"])
        corners = [[int(box[part]) for part in ("xmin", "ymin", "xmax", "ymax")] for box in found["bndbox"]]
        made = {
            "annotation": lambda: target["annotation"],
            "boxes": lambda: _boxes(corners, image),
            "labels": lambda: dovetail.tensor([_VOC.index(name) for name in found["name"]]),
        }
        return image, {name: made[name]() for name in names}

    return wrap


def _kitti(dataset: Any, keys: Any) -> Wrap:
    names = _keys(keys, "boxes labels type truncated occluded alpha bbox dimensions location rotation_y", "boxes labels")

    def wrap(idx: int, sample: Any) -> Any:
        image, rows = sample
        if rows is None:
            return sample
        found = _columns(rows)
        made = {
            "boxes": lambda: _boxes(found["bbox"], image),
            "labels": lambda: dovetail.tensor([_KITTI.index(name) for name in found["type"]]),
        }
        return image, {name: made[name]() if name in made else found[name] for name in names}

    return wrap


def _wider_face(dataset: Any, keys: Any) -> Wrap:
    names = _keys(
        keys, "bbox blur expression illumination occlusion pose invalid", "bbox blur expression illumination occlusion pose invalid"
    )

    def wrap(idx: int, sample: Any) -> Any:
        image, found = sample
        if found is None:
            return sample
        return image, {name: _boxes(found[name], image, "XYWH") if name == "bbox" else found[name] for name in names}

    return wrap


def _by_type(kinds: list[str], made: dict[str, Callable[[Any, Any], Any]]) -> Wrap:
    """Wrap each of several targets by its kind."""

    def wrap(idx: int, sample: Any) -> Any:
        image, target = sample
        if target is None:
            return sample
        parts = target if isinstance(target, tuple | list) else [target]
        return image, bundled([made[kind](part, image) if kind in made else part for kind, part in zip(kinds, parts, strict=False)])

    return wrap


def _celeba(dataset: Any, keys: Any) -> Wrap:
    if {"attr", "landmarks"} & set(dataset.target_type):
        raise _unsupported("`CelebA` dataset with `target_type=['attr', 'landmarks', ...]`")
    return _by_type(dataset.target_type, {"bbox": lambda box, image: _boxes(box, image, "XYWH")})


def _pets(dataset: Any, keys: Any) -> Wrap:
    return _by_type(dataset._target_types, {"segmentation": lambda mask, image: tv_tensors.Mask(mask)})


def _cityscapes(dataset: Any, keys: Any) -> Wrap:
    if {"polygon", "color"} & set(dataset.target_type):
        raise _unsupported("`Cityscapes` dataset with `target_type=['polygon', 'color', ...]`")

    def instances(mask: Any, image: Any) -> dict[str, Any]:
        pixels = tv_tensors.Mask(mask)
        numbers = pixels.unique()
        labels = dovetail.stack([number // 1000 if number >= 1000 else number for number in numbers])
        return {"masks": tv_tensors.Mask(dovetail.stack([pixels == number for number in numbers])), "labels": labels}

    return _by_type(dataset.target_type, {"instance": instances, "semantic": lambda mask, image: tv_tensors.Mask(mask)})


_FACTORIES: dict[str, Callable[[Any, Any], Wrap]] = {
    **dict.fromkeys(
        "Caltech256 CIFAR10 CIFAR100 ImageNet MNIST FashionMNIST GTSRB DatasetFolder ImageFolder Imagenette CocoCaptions".split(), _plain
    ),
    **dict.fromkeys("HMDB51 Kinetics UCF101".split(), _videos),
    "CelebA": _celeba, "Caltech101": _caltech101, "Cityscapes": _cityscapes, "CocoDetection": _coco, "Kitti": _kitti,
    "OxfordIIITPet": _pets, "SBDataset": _sbd, "VOCDetection": _voc, "VOCSegmentation": _segmentation, "WIDERFace": _wider_face,
}  # fmt: skip
