"""``dovetail.utils.tensorboard``: what PyTorch's SummaryWriter writes for TensorBoard, through the package tensorboardX."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dovetail.errors import say

if TYPE_CHECKING:
    from dovetail_train.tensorboard_writer import SummaryWriter

__all__ = ["SummaryWriter"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        from dovetail_train import tensorboard_writer
    except ModuleNotFoundError as error:
        what = f"it writes through the package tensorboardX, which is not installed ({error})"
        raise ModuleNotFoundError(
            say("utils.tensorboard", what, "", 'pip install "dovetail-train[tensorboard]"'), name=error.name
        ) from None
    return getattr(tensorboard_writer, name)
