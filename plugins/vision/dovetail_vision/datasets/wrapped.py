"""Datasets whose targets become what transforms.v2 transforms: boxes, masks and labels, by torchvision's rules for each."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Mapping
from copy import copy
from typing import Any

import dovetail
from dovetail.errors import TypeMismatch, UnsupportedError, ValueRangeError

from .. import tv_tensors
from ._coco_masks import mask_of
from .vision import VisionDataset

__all__ = ["wrap_dataset_for_transforms_v2"]

_Sample = tuple[Any, ...]
_Rule = Callable[[int, _Sample], _Sample]
_VOC = """__background__ aeroplane bicycle bird boat bottle bus car cat chair cow diningtable dog horse motorbike person pottedplant sheep
sofa train tvmonitor""".split()
_KITTI = "Car Van Truck Pedestrian Person_sitting Cyclist Tram Misc DontCare".split()


def _columns(rows: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """A list of dicts as a dict of lists."""
    found: dict[str, list[Any]] = {}
    for row in rows:
        for key, value in row.items():
            found.setdefault(key, []).append(value)
    return found


def _boxes(values: Any, format: str, image: Any) -> tv_tensors.BoundingBoxes:
    """Boxes in the canvas of a PIL image, as XYXY."""
    from ..transforms.v2.functional import convert_bounding_box_format

    boxes = tv_tensors.BoundingBoxes(values, format=format, canvas_size=(image.height, image.width))
    return boxes if format == "XYXY" else convert_bounding_box_format(boxes, new_format="XYXY")  # type: ignore[return-value]


def _chosen(keys: Any, available: str, default: str = "") -> set[str]:
    """The keys of the target that are asked for."""
    known = set(available.split())
    if keys == "all" or (keys is None and not default):
        return known
    wanted = set(default.split()) if keys is None else set(keys)
    if wanted - known:
        raise ValueRangeError("target_keys", f"{sorted(wanted - known)} are not available", f"expected some of {', '.join(sorted(known))}")
    return wanted


def _by_type(image: Any, target: Any, kinds: list[str], rules: Mapping[str, Callable[[Any], Any]]) -> _Sample:
    """The sample with those parts of its target wrapped that there is a rule for."""
    parts = target if isinstance(target, (tuple, list)) else [target]
    found = tuple(rules.get(kind, lambda part: part)(part) for kind, part in zip(kinds, parts, strict=False))
    return image, found[0] if len(found) == 1 else found


def _as_it_is(dataset: Any, keys: Any) -> _Rule:
    return lambda index, sample: sample


def _refusing(name: str, kinds: tuple[str, ...], rule: Callable[[Any, Any], _Rule], attribute: str = "target_type") -> Any:
    """A rule, except for kinds of targets that it does not take."""

    def checked(dataset: Any, keys: Any) -> _Rule:
        given = getattr(dataset, attribute)
        if any(kind in ([given] if isinstance(given, str) else given) for kind in kinds):
            raise UnsupportedError("wrap_dataset_for_transforms_v2", f"{name} has {attribute} {given!r}", f"not {', '.join(kinds)}")
        return rule(dataset, keys)

    return checked


def _videos(dataset: Any, keys: Any) -> _Rule:
    if dataset.video_clips.output_format == "THWC":
        what = f"{type(dataset).__name__} has output_format 'THWC', which no transform takes"
        raise UnsupportedError("wrap_dataset_for_transforms_v2", what, "expected output_format='TCHW'")
    return lambda index, sample: (tv_tensors.Video(sample[0]), *sample[1:])


def _segmentation(dataset: Any, keys: Any) -> _Rule:
    return lambda index, sample: (sample[0], tv_tensors.Mask(sample[1]))


def _coco(dataset: Any, keys: Any) -> _Rule:
    available = "segmentation area iscrowd image_id bbox category_id boxes masks labels"
    wanted = _chosen(keys, available, "image_id boxes labels")

    def rule(index: int, sample: _Sample) -> _Sample:
        image, things = sample
        number = dataset.ids[index]
        if not things:
            return image, {"image_id": number}
        rows = _columns(things)
        made = {
            "image_id": lambda: number,
            "boxes": lambda: _boxes(rows["bbox"], "XYWH", image),
            "masks": lambda: tv_tensors.Mask(
                dovetail.stack([dovetail.from_numpy(mask_of(one, (image.height, image.width))) for one in rows["segmentation"]])
            ),
            "labels": lambda: dovetail.tensor(rows["category_id"]),
        }
        target = {key: make() for key, make in made.items() if key in wanted}
        return image, target | {key: rows[key] for key in sorted(wanted - set(made))}

    return rule


def _voc(dataset: Any, keys: Any) -> _Rule:
    wanted = _chosen(keys, "annotation boxes labels", "boxes labels")

    def rule(index: int, sample: _Sample) -> _Sample:
        image, target = sample
        rows = _columns(target["annotation"]["object"])
        target = target if "annotation" in wanted else {}
        if "boxes" in wanted:
            corners = [[int(box[part]) for part in ("xmin", "ymin", "xmax", "ymax")] for box in rows["bndbox"]]
            target["boxes"] = _boxes(corners, "XYXY", image)
        if "labels" in wanted:
            target["labels"] = dovetail.tensor([_VOC.index(name) for name in rows["name"]])
        return image, target

    return rule


def _kitti(dataset: Any, keys: Any) -> _Rule:
    wanted = _chosen(keys, "type truncated occluded alpha bbox dimensions location rotation_y boxes labels", "boxes labels")

    def rule(index: int, sample: _Sample) -> _Sample:
        image, things = sample
        if things is None:
            return sample
        rows = _columns(things)
        target: dict[str, Any] = {}
        if "boxes" in wanted:
            target["boxes"] = _boxes(rows["bbox"], "XYXY", image)
        if "labels" in wanted:
            target["labels"] = dovetail.tensor([_KITTI.index(name) for name in rows["type"]])
        return image, target | {key: rows[key] for key in sorted(wanted - {"boxes", "labels"})}

    return rule


def _celeba(dataset: Any, keys: Any) -> _Rule:
    def rule(index: int, sample: _Sample) -> _Sample:
        image, target = sample
        return _by_type(image, target, dataset.target_type, {"bbox": lambda box: _boxes(box, "XYWH", image)})

    return rule


def _pets(dataset: Any, keys: Any) -> _Rule:
    def rule(index: int, sample: _Sample) -> _Sample:
        image, target = sample
        return sample if target is None else _by_type(image, target, dataset._target_types, {"segmentation": tv_tensors.Mask})

    return rule


def _instances(image: Any) -> dict[str, Any]:
    """Cityscapes' numbers: a class, or of what is counted 1000 times the class and a number."""
    numbers = tv_tensors.Mask(image)
    ids = numbers.unique()
    masks = dovetail.stack([numbers == number for number in ids])
    return {"masks": tv_tensors.Mask(masks), "labels": dovetail.stack([n // 1000 if n >= 1000 else n for n in ids])}


def _cityscapes(dataset: Any, keys: Any) -> _Rule:
    rules = {"instance": _instances, "semantic": tv_tensors.Mask}
    return lambda index, sample: _by_type(*sample, dataset.target_type, rules)


def _widerface(dataset: Any, keys: Any) -> _Rule:
    wanted = _chosen(keys, "bbox blur expression illumination occlusion pose invalid")

    def rule(index: int, sample: _Sample) -> _Sample:
        image, target = sample
        if target is None:
            return sample
        found = {key: target[key] for key in sorted(wanted)}
        return image, found | ({"bbox": _boxes(target["bbox"], "XYWH", image)} if "bbox" in wanted else {})

    return rule


#: Class → what makes the rule for its samples.
_RULES: dict[str, Callable[[Any, Any], _Rule]] = {
    **dict.fromkeys(
        "Caltech256 CIFAR10 CIFAR100 ImageNet MNIST FashionMNIST GTSRB DatasetFolder ImageFolder Imagenette".split(), _as_it_is
    ),
    **dict.fromkeys(["HMDB51", "Kinetics", "UCF101"], _videos),
    "Caltech101": _refusing("Caltech101", ("annotation",), _as_it_is),
    "CelebA": _refusing("CelebA", ("attr", "landmarks"), _celeba),
    "Cityscapes": _refusing("Cityscapes", ("polygon", "color"), _cityscapes),
    "CocoCaptions": _as_it_is,
    "CocoDetection": _coco,
    "Kitti": _kitti,
    "OxfordIIITPet": _pets,
    "SBDataset": _refusing("SBDataset", ("boundaries",), _segmentation, "mode"),
    "VOCDetection": _voc,
    "VOCSegmentation": _segmentation,
    "WIDERFace": _widerface,
}
_WITH_KEYS = ("CocoDetection", "VOCDetection", "Kitti", "WIDERFace")


def _rule_of(dataset: Any, keys: Any) -> _Rule:
    where = "wrap_dataset_for_transforms_v2"
    if not isinstance(dataset, VisionDataset):
        raise TypeMismatch(
            where, f"dataset is {type(dataset).__name__}", "expected a VisionDataset", "wrap the parts of your samples yourself"
        )
    for kind in type(dataset).__mro__:
        if kind.__name__ in _RULES and kind.__module__.startswith(__package__):
            if keys is not None and kind.__name__ not in _WITH_KEYS:
                raise ValueRangeError(where, f"target_keys is given for {kind.__name__}", f"only {', '.join(_WITH_KEYS)} take them")
            return _RULES[kind.__name__](dataset, keys)
    what = f"there is no rule for {type(dataset).__name__}"
    raise TypeMismatch(where, what, "expected a dataset that torchvision wraps", "wrap its samples yourself")


class _Wrapped:
    """Goes before the class of the dataset: samples come from the dataset without transforms, are wrapped, and transformed."""

    def __init__(self, dataset: Any, target_keys: Any) -> None:
        self._dataset, self._target_keys = dataset, target_keys
        self._rule = _rule_of(dataset, target_keys)
        for name in ("transform", "target_transform", "transforms"):
            setattr(self, name, getattr(dataset, name))
            setattr(dataset, name, None)

    def __getattr__(self, name: str) -> Any:
        with contextlib.suppress(AttributeError):
            return object.__getattribute__(self, name)
        if name == "_dataset":
            raise AttributeError(name)
        return getattr(self._dataset, name)

    def __getitem__(self, index: int) -> Any:
        sample = self._rule(index, self._dataset[index])
        return sample if self.transforms is None else self.transforms(*sample)

    def __len__(self) -> int:
        return len(self._dataset)

    def __reduce__(self) -> Any:
        dataset = copy(self._dataset)
        for name in ("transform", "target_transform", "transforms"):
            setattr(dataset, name, getattr(self, name))
        return wrap_dataset_for_transforms_v2, (dataset, self._target_keys)


def wrap_dataset_for_transforms_v2(dataset: Any, target_keys: Collection[str] | str | None = None) -> Any:
    """The dataset with targets that ``transforms.v2`` transforms together with the image: ``tv_tensors`` and tensors of labels.

    Of detection sets the target becomes a dict with "boxes" (XYXY), "labels" and what else ``target_keys`` names ("all" for everything):
    COCO's "masks" and its own keys, KITTI's, WIDER FACE's; segmentation maps become ``Mask``. Classification sets stay as they are.
    Raises a TypeMismatch (TypeError) for a dataset without a rule and a ValueRangeError (ValueError) for unknown keys.

    >>> import os
    >>> from dovetail_vision.datasets import CocoDetection, tiny
    >>> with tiny.made(tiny.coco) as root:
    ...     image, target = wrap_dataset_for_transforms_v2(CocoDetection(root, os.path.join(root, "instances.json")))[1]
    >>> sorted(target), target["labels"]
    (['boxes', 'image_id', 'labels'], tensor([18, 17]))
    """
    strings = isinstance(target_keys, Collection) and all(isinstance(key, str) for key in target_keys)
    if not (target_keys is None or target_keys == "all" or (strings and not isinstance(target_keys, str))):
        raise ValueRangeError("wrap_dataset_for_transforms_v2", f"target_keys is {target_keys!r}", "expected None, 'all' or names of keys")
    return type(f"Wrapped{type(dataset).__name__}", (_Wrapped, type(dataset)), {})(dataset, target_keys)
