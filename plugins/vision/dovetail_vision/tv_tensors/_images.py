"""Images, videos and masks."""

from __future__ import annotations

from typing import Any, Self

import PIL.Image

from dovetail.errors import ValueRangeError

from ._base import TVTensor

__all__ = ["Image", "Mask", "Video"]


def _pixels(data: Any) -> Any:
    """PIL images as tensors; other data as it is."""
    if not isinstance(data, PIL.Image.Image):
        return data
    from ..transforms.functional.convert import pil_to_tensor

    return pil_to_tensor(data)


class Image(TVTensor):
    """An image ``(..., C, H, W)``; two dimensions are ``(1, H, W)``. ``data`` is a PIL image or what ``as_tensor`` takes.

    >>> Image(PIL.Image.new("RGB", (5, 4))).shape
    dovetail.Size([3, 4, 5])
    """

    def __new__(cls, data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool | None = None) -> Self:
        tensor = cls._to_tensor(_pixels(data), dtype, device, requires_grad)
        if tensor.ndim < 2:
            raise ValueRangeError("Image", f"data has {tensor.ndim} dimensions", "expected 2 or more, (..., C, H, W)")
        return (tensor.unsqueeze(0) if tensor.ndim == 2 else tensor).as_subclass(cls)

    def __repr__(self, *, tensor_contents: Any = None) -> str:
        return self._make_repr()


class Video(TVTensor):
    """A video ``(..., T, C, H, W)``.

    >>> import dovetail
    >>> Video(dovetail.zeros(2, 3, 4, 5)).shape
    dovetail.Size([2, 3, 4, 5])
    """

    def __new__(cls, data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool | None = None) -> Self:
        tensor = cls._to_tensor(data, dtype, device, requires_grad)
        if tensor.ndim < 4:
            raise ValueRangeError("Video", f"data has {tensor.ndim} dimensions", "expected 4 or more, (..., T, C, H, W)")
        return tensor.as_subclass(cls)

    def __repr__(self, *, tensor_contents: Any = None) -> str:
        return self._make_repr()


class Mask(TVTensor):
    """Segmentation masks, of a class a pixel ``(H, W)`` or of one object each ``(N, H, W)``.

    >>> Mask([[0, 1]])
    Mask([[0, 1]])
    """

    def __new__(cls, data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool | None = None) -> Self:
        return cls._to_tensor(_pixels(data), dtype, device, requires_grad).as_subclass(cls)
