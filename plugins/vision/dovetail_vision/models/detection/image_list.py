"""Images of several sizes in one tensor."""

from __future__ import annotations

from typing import Any

from dovetail import Tensor

__all__ = ["ImageList"]


class ImageList:
    """Images ``tensors`` (N, C, H, W), zeros behind the smaller ones, and ``image_sizes``, the height and width that each really has.

    >>> from dovetail import zeros
    >>> ImageList(zeros(1, 3, 32, 32), [(30, 20)]).to("cpu").image_sizes
    [(30, 20)]
    """

    def __init__(self, tensors: Tensor, image_sizes: list[tuple[int, int]]) -> None:
        self.tensors = tensors
        self.image_sizes = image_sizes

    def to(self, device: Any) -> ImageList:
        """The same on a device."""
        return ImageList(self.tensors.to(device), self.image_sizes)
