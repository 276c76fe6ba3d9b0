"""One call for the figures of a model on a dataset: classification, detection or segmentation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from PIL import Image

import dovetail
from dovetail import Tensor, nn
from dovetail.data import DataLoader
from dovetail.errors import TypeMismatch, ValueRangeError

from ._base import Metric
from .classification import Accuracy
from .detection import MeanAveragePrecision
from .segmentation import MeanIoU

__all__ = ["evaluate"]

_TASKS = ("classification", "detection", "segmentation")


def _task(target: Any) -> str:
    """What a sample's target asks for: a dict boxes, an image or a map classes of pixels, a number a class."""
    if isinstance(target, Mapping):
        return "detection"
    shaped = isinstance(target, Image.Image) or getattr(target, "ndim", 0) >= 2
    if not shaped and not isinstance(target, int | np.integer) and getattr(target, "ndim", 1) != 0:
        what = f"a target of the dataset is a {type(target).__name__}"
        raise TypeMismatch("evaluate", what, "expected a dict of boxes, an image or map of classes, or a class", "say task=")
    return "segmentation" if shaped else "classification"


def _tensor(image: Any) -> Tensor:
    from ..transforms import functional as F

    tensor = image if isinstance(image, Tensor) else F.pil_to_tensor(image)
    return F.convert_image_dtype(tensor, dovetail.float32)


def _classes(target: Any) -> Tensor:
    """The classes of pixels (H, W), or one class, as int64."""
    value = target if isinstance(target, Tensor) else dovetail.from_numpy(np.array(target))
    return value.squeeze(0).to(dovetail.int64) if value.ndim == 3 else value.to(dovetail.int64)


def _head(output: Any) -> Tensor:
    """The scores of a model: of a dict its ``"out"``, of a tuple its first part."""
    output = output["out"] if isinstance(output, Mapping) else output
    return output[0] if isinstance(output, tuple) else output


def _chosen(task: str, num_classes: int | None, masks: bool, ignore_index: int | None) -> dict[str, Metric]:
    if task == "classification":
        return {"accuracy": Accuracy(), **({"top5": Accuracy(5)} if num_classes is None or num_classes > 5 else {})}
    if task == "detection":
        return {"bbox": MeanAveragePrecision(), **({"segm": MeanAveragePrecision("segm")} if masks else {})}
    if num_classes is None:
        raise ValueRangeError("evaluate", "num_classes is None", "expected the number of classes of the pixels")
    return {"miou": MeanIoU(num_classes, ignore_index)}


def _figures(metrics: Mapping[str, Metric]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, metric in metrics.items():
        if isinstance(metric, MeanAveragePrecision):
            found |= {key if name == "bbox" else f"{name}_{key}": value for key, value in metric.summary().items()}
        else:
            found[name] = metric.compute()
        if isinstance(metric, MeanIoU):
            found |= {"pixel_accuracy": metric.pixel_accuracy(), "ious": metric.ious().tolist()}
    return found


@dovetail.no_grad()
def evaluate(
    model: nn.Module,
    dataset: Iterable[Any],
    task: str | None = None,
    *,
    transform: Callable[[Any], Tensor] | None = None,
    batch_size: int = 16,
    num_workers: int = 0,
    num_classes: int | None = None,
    ignore_index: int | None = 255,
    metrics: Mapping[str, Metric] | None = None,
    device: Any = None,
) -> dict[str, Any]:
    """The figures of ``model`` on ``dataset``, whose samples are ``(image, target)``; the model comes back in the mode that it was in.

    ``task`` is told by the first target, unless it is given, and decides what is measured:

    - ``"classification"`` (a class): ``accuracy`` and, of more than five classes, ``top5``;
    - ``"detection"`` (a dict of boxes, as torchvision's models take it): COCO's twelve figures ``map``, ``map_50`` …, and those of masks
      as ``segm_map`` … where the model gives ``"masks"``;
    - ``"segmentation"`` (an image or map of classes): ``miou``, ``pixel_accuracy`` and ``ious`` of each of ``num_classes``, without the
      pixels of ``ignore_index``; there are as many classes as scores, unless it says otherwise.

    ``metrics`` takes the place of these. ``transform`` prepares an image (``weights.transforms()``); without it images become float32 in
    0..1. Images of one size go through the model in batches of ``batch_size``; detection models take a list of any sizes.

    Raises ``TypeMismatch`` when no task can be told, ``ValueRangeError`` for an unknown one, without samples, or without ``num_classes``
    where the model gives no scores.

    >>> from dovetail_vision.datasets import Digits
    >>> from dovetail_vision.models import digits_cnn
    >>> sorted(evaluate(digits_cnn(), Digits(train=False), batch_size=64))
    ['accuracy', 'top5']
    """
    if task not in (None, *_TASKS):
        raise ValueRangeError("evaluate", f"task is {task!r}", f"expected one of {', '.join(_TASKS)}")
    was = model.training
    model.eval()
    prepare = transform or _tensor
    chosen = dict(metrics or {})
    loader = DataLoader(dataset, batch_size, num_workers=num_workers, collate_fn=list)
    try:
        for samples in loader:
            task = task or _task(samples[0][1])
            images = [prepare(image).to(device) for image, _ in samples]
            if task == "detection":
                output: Any = model(images)
                target: Any = [one for _, one in samples]
            else:
                output = _head(model(dovetail.stack(images)))
                target = dovetail.stack([_classes(one) for _, one in samples]).to(device)
            if not chosen:
                scores = task == "classification" or (task == "segmentation" and output.ndim == 4)
                many = output.shape[1] if scores and num_classes is None else num_classes
                chosen = _chosen(task, many, task == "detection" and bool(output) and "masks" in output[0], ignore_index)
            for metric in chosen.values():
                metric.update(output, target)
    finally:
        model.train(was)
    if not chosen or task is None:
        raise ValueRangeError("evaluate", "dataset has no samples", "expected one or more")
    return _figures(chosen)
