"""Transforms that convert and scale."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from PIL import Image

import dovetail
from dovetail import Tensor
from dovetail.errors import TypeMismatch, ValueRangeError

from ... import tv_tensors
from .._checks import sequence
from . import functional as F
from ._base import Transform, has_any
from .functional import is_pure_tensor

__all__ = [
    "JPEG", "ConvertImageDtype", "GaussianNoise", "Identity", "Lambda", "LinearTransformation", "Normalize", "PILToTensor", "ToDtype",
    "ToImage", "ToPILImage", "ToPureTensor", "ToTensor", "UniformTemporalSubsample",
]  # fmt: skip


class Identity(Transform):
    """Leave the sample as it is.

    >>> Identity()(3)
    3
    """

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return inpt


class Lambda(Transform):
    """Apply a function of one's own to the parts of the sample that are of ``types`` (default: to all).

    >>> Lambda(lambda x: x * 2, int)((1, "a"))
    (2, 'a')
    """

    _transformed_types = (object,)

    def __init__(self, lambd: Callable[[Any], Any], *types: type) -> None:
        super().__init__()
        self.lambd = lambd
        self.types = types or (object,)

    def _chosen(self, flat: list[Any]) -> list[bool]:
        chosen = super()._chosen(flat)
        return [wanted and isinstance(value, self.types) for value, wanted in zip(flat, chosen, strict=True)]

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return self.lambd(inpt)

    def extra_repr(self) -> str:
        name = getattr(self.lambd, "__name__", None)
        return ", ".join([*([name] if name else []), f"types={[kind.__name__ for kind in self.types]}"])


class ToTensor(Transform):
    """Turn a PIL image or an ``(H, W, C)`` array into a tensor ``(C, H, W)``, bytes scaled to 0..1.

    torchvision advises ``Compose([ToImage(), ToDtype(dtype, scale=True)])`` instead.

    >>> ToTensor()(Image.new("L", (3, 2), 255)).shape
    dovetail.Size([1, 2, 3])
    """

    _transformed_types = (Image.Image, np.ndarray)

    def transform(self, inpt: Any, params: dict[str, Any]) -> Tensor:
        return F.to_tensor(inpt)


class PILToTensor(Transform):
    """Turn a PIL image into a tensor ``(C, H, W)`` of the same values.

    >>> PILToTensor()(Image.new("L", (1, 1), 7)).item()
    7
    """

    _transformed_types = (Image.Image,)

    def transform(self, inpt: Any, params: dict[str, Any]) -> Tensor:
        return F.pil_to_tensor(inpt)


class ToImage(Transform):
    """Turn a PIL image, an array ``(H, W)`` or ``(H, W, C)`` or a tensor into an ``Image`` ``(C, H, W)`` of the same values.

    >>> ToImage()(np.zeros((4, 5, 3), "uint8"), 1)[0].shape
    dovetail.Size([3, 4, 5])
    """

    _transformed_types = (is_pure_tensor, Image.Image, np.ndarray)

    def transform(self, inpt: Any, params: dict[str, Any]) -> tv_tensors.Image:
        return F.to_image(inpt)


class ToPILImage(Transform):
    """Turn a tensor ``(C, H, W)`` or an array ``(H, W, C)`` into a PIL image, floats times 255; ``mode`` as Pillow names it.

    >>> ToPILImage()(dovetail.ones(3, 2, 5)).size
    (5, 2)
    """

    _transformed_types = (is_pure_tensor, tv_tensors.Image, np.ndarray)

    def __init__(self, mode: str | None = None) -> None:
        super().__init__()
        self.mode = mode

    def transform(self, inpt: Any, params: dict[str, Any]) -> Image.Image:
        return F.to_pil_image(inpt, mode=self.mode)


class ToPureTensor(Transform):
    """Make plain tensors of images, videos, masks, boxes and key points; their values stay.

    >>> ToPureTensor()(tv_tensors.Mask([[1]]))
    tensor([[1]])
    """

    _transformed_types = (tv_tensors.TVTensor,)

    def transform(self, inpt: Any, params: dict[str, Any]) -> Tensor:
        return inpt.as_subclass(Tensor)


class ToDtype(Transform):
    """Change the element type of images and videos; with ``scale`` their values too (bytes to 0..1 and back).

    ``dtype`` may be a dict by type, ``{Image: float32, Mask: int64, "others": None}``; None leaves a type as it is.

    >>> ToDtype(dovetail.float32, scale=True)(dovetail.tensor([[[255]]], dtype=dovetail.uint8))
    tensor([[[1.]]])
    """

    _transformed_types = (Tensor,)

    def __init__(self, dtype: Any, scale: bool = False) -> None:
        super().__init__()
        if not isinstance(dtype, (dict, dovetail.dtype)):
            raise ValueRangeError("ToDtype", f"dtype is {dtype!r}", "expected a dtype, or a dict of them by type")
        if isinstance(dtype, dict) and Tensor in dtype and (tv_tensors.Image in dtype or tv_tensors.Video in dtype):
            what = "dtype has entries for Tensor and for Image or Video"
            warnings.warn(f"ToDtype: {what}; a plain tensor is not transformed beside an image or a video", stacklevel=2)
        self.dtype = dtype
        self.scale = scale

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        dtype, pixels = self.dtype, not isinstance(inpt, tv_tensors.TVTensor) or isinstance(inpt, (tv_tensors.Image, tv_tensors.Video))
        if isinstance(dtype, dict):
            if type(inpt) not in dtype and "others" not in dtype:
                raise ValueRangeError("ToDtype", f"dtype has no entry for {type(inpt).__name__}", 'add one, or "others": None')
            dtype = dtype.get(type(inpt), dtype.get("others"))
        elif not pixels:
            return inpt
        if dtype is None and self.scale and pixels:
            warnings.warn("ToDtype: scale is True but the image has no dtype, so it is not scaled", stacklevel=2)
        return inpt if dtype is None else self._call_kernel(F.to_dtype, inpt, dtype, self.scale)


class ConvertImageDtype(Transform):
    """Change the element type of the image and scale its values with it.

    >>> ConvertImageDtype(dovetail.uint8)(dovetail.ones(1, 1, 1)).item()
    255
    """

    def __init__(self, dtype: dovetail.dtype = dovetail.float32) -> None:
        super().__init__()
        self.dtype = dtype

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return self._call_kernel(F.to_dtype, inpt, self.dtype, scale=True) if isinstance(inpt, Tensor) else inpt


class _TensorsOnly(Transform):
    def check_inputs(self, sample: list[Any]) -> None:
        if has_any(sample, Image.Image):
            name = type(self).__name__
            raise TypeMismatch(name, "the sample holds a PIL image", "expected tensors", f"put ToImage and ToDtype before {name}")


class Normalize(_TensorsOnly):
    """Bring each channel of a float tensor ``(..., C, H, W)`` to ``(input - mean) / std``.

    >>> Normalize([0.5], [0.25])(dovetail.ones(1, 1, 1)).item()
    2.0
    """

    def __init__(self, mean: Sequence[float], std: Sequence[float], inplace: bool = False) -> None:
        super().__init__()
        self.mean = list(mean)
        self.std = list(std)
        self.inplace = inplace

    def transform(self, inpt: Any, params: dict[str, Any]) -> Tensor:
        return self._call_kernel(F.normalize, inpt, self.mean, self.std, self.inplace)


class LinearTransformation(_TensorsOnly):
    """Flatten an image ``(..., C, H, W)``, take the mean vector off, multiply by a square matrix, and put it in shape again.

    >>> LinearTransformation(dovetail.eye(4) * 2, dovetail.ones(4))(dovetail.ones(1, 2, 2) * 3).sum().item()
    16.0
    """

    _transformed_types = (is_pure_tensor, tv_tensors.Image, tv_tensors.Video)

    def __init__(self, transformation_matrix: Tensor, mean_vector: Tensor) -> None:
        super().__init__()
        matrix, mean = tuple(transformation_matrix.shape), tuple(mean_vector.shape)
        what = f"transformation_matrix is {matrix}, {transformation_matrix.dtype}, and mean_vector {mean}, {mean_vector.dtype}"
        if matrix[0] != matrix[1] or mean[0] != matrix[0]:
            raise ValueRangeError("LinearTransformation", what, "expected (n, n) and (n,)")
        if transformation_matrix.device != mean_vector.device or transformation_matrix.dtype != mean_vector.dtype:
            raise ValueRangeError("LinearTransformation", what, "expected one type and one device")
        self.transformation_matrix = transformation_matrix
        self.mean_vector = mean_vector

    def transform(self, inpt: Any, params: dict[str, Any]) -> Tensor:
        count = inpt.shape[-3] * inpt.shape[-2] * inpt.shape[-1]
        if count != len(self.transformation_matrix):
            what = f"the image is {tuple(inpt.shape[-3:])}, {count} values"
            raise ValueRangeError("LinearTransformation", what, f"expected {len(self.transformation_matrix)}")
        flat = inpt.as_subclass(Tensor).reshape(-1, count) - self.mean_vector
        out = (flat @ self.transformation_matrix.to(flat.dtype)).reshape(inpt.shape)
        return out if is_pure_tensor(inpt) else tv_tensors.wrap(out, like=inpt)


class UniformTemporalSubsample(Transform):
    """Take ``num_samples`` frames of a video ``(..., T, C, H, W)`` at equal steps.

    >>> UniformTemporalSubsample(2)(dovetail.zeros(5, 3, 2, 2)).shape
    dovetail.Size([2, 3, 2, 2])
    """

    _transformed_types = (Tensor,)

    def __init__(self, num_samples: int) -> None:
        super().__init__()
        self.num_samples = num_samples

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return self._call_kernel(F.uniform_temporal_subsample, inpt, self.num_samples)


class GaussianNoise(Transform):
    """Add normal noise to a float or uint8 tensor, in the scale of 0..1.

    >>> GaussianNoise(sigma=0.0)(dovetail.ones(1, 1, 1)).item()
    1.0
    """

    def __init__(self, mean: float = 0.0, sigma: float = 0.1, clip: bool = True) -> None:
        super().__init__()
        self.mean = mean
        self.sigma = sigma
        self.clip = clip

    def transform(self, inpt: Any, params: dict[str, Any]) -> Tensor:
        return self._call_kernel(F.gaussian_noise, inpt, self.mean, self.sigma, self.clip)


class JPEG(Transform):
    """What is left of the image in a JPEG file of a quality drawn from ``quality``, a range in 1 to 100 or a number; PIL or uint8.

    >>> JPEG(50)(Image.new("RGB", (8, 8))).size
    (8, 8)
    """

    def __init__(self, quality: int | Sequence[int]) -> None:
        super().__init__()
        if isinstance(quality, bool):
            raise TypeMismatch("JPEG", f"quality is {quality}", "expected a number from 1 to 100, or a range of them")
        if not isinstance(quality, int):
            sequence("JPEG", "quality", quality, (2,))
        low, high = (quality, quality) if isinstance(quality, int) else quality
        if not (isinstance(low, int) and isinstance(high, int) and 1 <= low <= high <= 100):
            raise ValueRangeError(
                "JPEG", f"quality is {quality!r}", "expected a whole number from 1 to 100, or an increasing range of them"
            )
        self.quality = [quality, quality] if isinstance(quality, int) else quality

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        return {"quality": int(dovetail.randint(self.quality[0], self.quality[1] + 1, ()))}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return self._call_kernel(F.jpeg, inpt, params["quality"])
