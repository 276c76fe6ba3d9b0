"""How a builder puts a detector together: what its weights ask for, which layers of the backbone are trained, and their values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from dovetail import nn
from dovetail.errors import ValueRangeError

from ...ops import FrozenBatchNorm2d
from ._utils import overwrite_eps
from .backbone_utils import _validate_trainable_layers

__all__ = ["Plan", "build", "settled"]

M = TypeVar("M", bound=nn.Module)


class Plan(NamedTuple):
    """What a model is made of: how many classes, what the backbone starts from, how many of its stages are trained, its normalization."""

    num_classes: int
    start: dict[str, Any]  # the backbone's ``weights`` and ``progress``
    trainable: int
    norm_layer: Callable[..., nn.Module]


def settled(weights: Any, name: str, given: Any, own: Any) -> Any:
    """What the weights have; a ValueError when another is given."""
    if given is not None and given != own:
        raise ValueRangeError("weights", f"{name} is {given}", f"expected {own} for {weights!r}", "leave it out")
    return own


def build(
    make: Callable[[Plan], M], weights: Any, progress: bool, num_classes: int | None, weights_backbone: Any, trainable: int | None,
    stages: tuple[int, int] = (5, 3), classes: int = 91, old_eps: bool = False,
) -> M:  # fmt: skip
    """``make(plan)`` with the values of ``weights``; of ``classes`` classes without them, and with ``weights_backbone`` then.

    ``stages`` are how many the backbone has and how many of them are trained by default, where it does not start from nothing.
    ``old_eps`` says that the weights named COCO_V1 were trained with normalizations whose ``eps`` was 0.
    """
    if weights is not None:
        weights_backbone = None
        num_classes = settled(weights, "num_classes", num_classes, len(weights.meta["categories"]))
    trained = weights is not None or weights_backbone is not None
    count = _validate_trainable_layers(trained, trainable, *stages)
    norm = FrozenBatchNorm2d if trained else nn.BatchNorm2d
    start = {"weights": weights_backbone, "progress": progress}
    model = make(Plan(classes if num_classes is None else num_classes, start, count, norm))
    if weights is not None:
        model.load_state_dict(weights.get_state_dict(progress=progress, check_hash=True))
        if old_eps and getattr(weights, "value", weights).key.endswith("@coco_v1"):
            overwrite_eps(model, 0.0)
    return model
