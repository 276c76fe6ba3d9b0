"""Colours of tensors ``(..., C, H, W)`` with C 1 or 3: float in 0..1, or whole numbers up to the largest of their type."""

from __future__ import annotations

import math
from collections.abc import Sequence

import dovetail
from dovetail import Tensor
from dovetail.nn import functional as F

from ._fused import fused_double
from ._values import max_value, value_bits

__all__ = [
    "autocontrast", "blend", "blur", "contrast", "equalize", "grey", "hue", "invert", "luma", "posterize", "saturation", "scaled",
    "sharpness", "solarize",
]  # fmt: skip


def _working(img: Tensor) -> Tensor:
    return img if img.is_floating_point() else img.to(dovetail.get_default_dtype())  # as PyTorch promotes whole numbers times a float


def _float(img: Tensor) -> Tensor:
    return img if img.is_floating_point() else img.to(dovetail.float32)


def _plus(a: Tensor, b: Tensor | float, share: float, fuse: bool) -> Tensor:
    """``a + share * b``; fused rounds once, as the processor's own instruction does where PyTorch adds with ``alpha``."""
    if not fuse or a.dtype not in (dovetail.float32, dovetail.float64) or not isinstance(b, Tensor):
        return a + b * share
    if a.dtype == dovetail.float64:
        return fused_double(b.double(), share, a)  # type: ignore[no-any-return]
    exact = dovetail.tensor(share, dtype=dovetail.float32).double()
    return (a.double() + b.double() * exact).to(dovetail.float32)


def luma(img: Tensor, fused: bool = False) -> Tensor:
    """Luma of ITU-R BT.601 as ``(..., 1, H, W)`` in float."""
    if img.shape[-3] == 1:
        return _float(img)
    r, g, b = _working(img).unbind(-3)
    return _plus(_plus(r * 0.2989, g, 0.587, fused), b, 0.114, fused).unsqueeze(-3)


def grey(img: Tensor, fused: bool = False) -> Tensor:
    """The luma, cut off to whole numbers for whole types: in v2, which fuses, to the next below."""
    found = luma(img, fused)
    return found if img.is_floating_point() else found.floor() if fused else found.to(img.dtype)


def blend(img: Tensor, other: Tensor | float, ratio: float, fused: bool = False) -> Tensor:
    """``ratio * img + (1 - ratio) * other``, held to the range of the type."""
    mixed = _plus(_working(img) * float(ratio), other, 1.0 - float(ratio), fused)
    return mixed.clamp(0, max_value(img.dtype)).to(img.dtype)


def contrast(img: Tensor, factor: float, fused: bool = False) -> Tensor:
    """Blend with the mean grey of each image."""
    found = grey(img, fused) if fused or img.is_floating_point() else grey(img).to(dovetail.float32)
    return blend(img, found.mean(dim=(-3, -2, -1), keepdim=True), factor, fused)


def saturation(img: Tensor, factor: float, fused: bool = False) -> Tensor:
    """Blend with the grey image."""
    return img if img.ndim == 2 or img.shape[-3] == 1 else blend(img, grey(img, fused), factor, fused)


def sharpness(img: Tensor, factor: float, fused: bool = False) -> Tensor:
    """Blend with a slightly blurred image, whose edge is the image's own; fused leaves the edge as it is."""
    height, width = img.shape[-2:]
    if img.numel() == 0 or height <= 2 or width <= 2:
        return img
    values = _float(img)
    kernel = dovetail.full((3, 3), 1.0 / 13.0, dtype=values.dtype, device=img.device)
    kernel[1, 1] = 5.0 / 13.0
    smooth = _per_channel(values, kernel)
    smooth = smooth if img.is_floating_point() else smooth.round()
    result, inner = values.clone(), values[..., 1:-1, 1:-1]
    result[..., 1:-1, 1:-1] = _plus(inner, smooth - inner, 1.0 - float(factor), True) if fused else smooth
    return result.clamp(0, max_value(img.dtype)).to(img.dtype) if fused else blend(img, result.to(img.dtype), factor)


def _per_channel(values: Tensor, kernel: Tensor) -> Tensor:
    """Correlate every channel with one kernel ``(h, w)``."""
    flat = values.reshape(-1, 1, *values.shape[-2:])
    found = F.conv2d(flat, kernel[None, None])
    return found.reshape(*values.shape[:-2], *found.shape[-2:])


def blur(img: Tensor, kernel_size: Sequence[int], sigma: Sequence[float], fused: bool = False) -> Tensor:
    """Gaussian blur, the image mirrored at its edges; ``kernel_size`` and ``sigma`` are ``(x, y)``. Fused takes v2's form of the bell.

    A large kernel, and floats, are blurred one direction after the other; bytes by a small one at once, whose last digit may round them.
    """
    if img.numel() == 0:
        return img
    values = _float(img)
    across, down = (_bell(size, spread, values, fused) for size, spread in zip(kernel_size, sigma, strict=True))
    beside, above = kernel_size[0] // 2, kernel_size[1] // 2
    flat = F.pad(values.reshape(-1, 1, *values.shape[-2:]), [beside, beside, above, above], mode="reflect")
    if img.is_floating_point() or len(across) * len(down) > 49:
        blurred = F.conv2d(F.conv2d(flat, across[None, None, None]), down[None, None, :, None])
    else:
        blurred = F.conv2d(flat, (down.unsqueeze(-1) * across)[None, None])
    blurred = blurred.reshape(img.shape)
    return blurred if img.is_floating_point() else blurred.round().to(img.dtype)


def _bell(size: int, sigma: float, like: Tensor, fused: bool) -> Tensor:
    kind = {"dtype": like.dtype, "device": like.device}
    if fused:
        reach = (size - 1) / (2.0 * math.sqrt(2.0))
        return F.softmax(dovetail.linspace(-reach, reach, steps=size, **kind).div(sigma).pow(2).neg(), dim=0)
    heights = dovetail.exp(-0.5 * (dovetail.linspace(-(size - 1) * 0.5, (size - 1) * 0.5, steps=size, **kind) / sigma).pow(2))
    return heights / heights.sum()


def hue(img: Tensor, factor: float, fused: bool = False) -> Tensor:
    """Turn the hue by ``factor`` of the whole circle; fused rounds as v2 does, in whose terms products stand for quotients."""
    if img.ndim == 2 or img.shape[-3] == 1 or img.numel() == 0:
        return img
    whole = not (fused or img.is_floating_point())
    values = img.to(dovetail.float32) / max_value(img.dtype) if whole else scaled(img, dovetail.float32)
    h, s, v = _to_hsv(values, fused)
    return scaled(_to_rgb((h + factor).remainder(1.0), s, v, fused), img.dtype)


def _to_hsv(img: Tensor, fused: bool) -> tuple[Tensor, Tensor, Tensor]:
    r, g, _ = img.unbind(-3)
    low, high = img.amin(-3), img.amax(-3)
    grey_ones, one = high == low, dovetail.ones_like(high)
    spread = high - low
    s = spread / dovetail.where(grey_ones, one, high)
    rc, gc, bc = ((high.unsqueeze(-3) - img) / dovetail.where(grey_ones, one, spread).unsqueeze(-3)).unbind(-3)
    red, green = high == r, (high == g) & (high != r)
    blue = ~red & (high != g)
    h = (bc - gc) * red + (rc + 2.0 - bc) * green + (gc + 4.0 - rc) * blue
    return ((h * (1.0 / 6.0) if fused else h / 6.0) + 1.0).fmod(1.0), s, high


def _to_rgb(h: Tensor, s: Tensor, v: Tensor, fused: bool) -> Tensor:
    sixth = (h * 6).floor()
    f = h * 6 - sixth
    rest = 1.0 - s, 1.0 - s * f, s * f + (1.0 - s) if fused else 1.0 - s * (1.0 - f)
    p, q, t = ((v * part).clamp(0.0, 1.0) for part in rest)
    table = dovetail.stack([v, p, q, t], -3)
    order = dovetail.tensor([[0, 2, 1, 1, 3, 0], [3, 0, 0, 2, 1, 1], [1, 1, 3, 0, 0, 2]], device=h.device)
    chosen = order[:, sixth.to(dovetail.int64) % 6]  # (3, ..., H, W)
    return table.gather(-3, chosen.moveaxis(0, -3))


def invert(img: Tensor) -> Tensor:
    """White minus the image."""
    return max_value(img.dtype) - img


def posterize(img: Tensor, bits: int) -> Tensor:
    """Keep the highest ``bits`` bits of each value; of floats, as many levels."""
    if img.is_floating_point():
        levels = 1 << bits
        return img.mul(levels).floor().clamp(0, levels - 1).mul(1.0 / levels)
    have = value_bits(img.dtype)
    return img if bits >= have else img & (((1 << bits) - 1) << (have - bits))


def solarize(img: Tensor, threshold: float) -> Tensor:
    """Invert what is at or above the threshold."""
    return dovetail.where(img >= threshold, invert(img), img)


def autocontrast(img: Tensor, fused: bool = False) -> Tensor:
    """Stretch each channel to the whole range; one of a single value stays. Fused divides by the step, else the scale is multiplied."""
    if img.numel() == 0:
        return img
    bound, values = max_value(img.dtype), _float(img)
    low, high = values.amin((-2, -1), keepdim=True), values.amax((-2, -1), keepdim=True)
    flat = low == high
    low, reach = low.masked_fill(flat, 0.0), high - low
    if fused:
        stretched = (values - low) / reach.mul(1.0 / bound).masked_fill(flat, 1.0)
    else:
        # PyTorch divides a number by a tensor as the number times the reciprocal, which rounds twice.
        stretched = (values - low) * (reach.masked_fill(flat, 1.0).reciprocal() * bound).masked_fill(flat, 1.0)
    return stretched.clamp(0, bound).to(img.dtype)


def equalize(img: Tensor) -> Tensor:
    """Spread the values of each channel evenly over 256 levels, as Pillow does."""
    if img.numel() == 0:
        return img
    image = scaled(img, dovetail.uint8)
    flat = image.flatten(-2).to(dovetail.int64)
    counts = dovetail.zeros(*flat.shape[:-1], 256, dtype=dovetail.int64, device=img.device)
    counts = counts.scatter_add(-1, flat, dovetail.ones_like(flat))
    running = counts.cumsum(-1)
    last = counts.gather(-1, running.argmax(-1, keepdim=True))  # how many pixels have the brightest value
    step = dovetail.div(flat.shape[-1] - last, 255, rounding_mode="floor")
    levels = dovetail.div(running[..., :-1] + dovetail.div(step, 2, rounding_mode="floor"), step.clamp(min=1), rounding_mode="floor")
    table = F.pad(levels.clamp(0, 255), [1, 0]).to(dovetail.uint8)
    spread = table.gather(-1, flat).view(image.shape)
    return scaled(dovetail.where((step != 0).unsqueeze(-1), spread, image), img.dtype)


def scaled(image: Tensor, dtype: dovetail.dtype) -> Tensor:
    """Another element type with the values scaled to its range, as ``v2.functional.to_dtype(scale=True)`` does."""
    if image.dtype == dtype:
        return image
    if image.is_floating_point():
        from .functional.convert import to_whole

        return to_whole(image, dtype)
    if dtype.is_floating_point:
        return image.to(dtype).mul(1.0 / max_value(image.dtype))
    have, want = value_bits(image.dtype), value_bits(dtype)
    if have > want:
        return dovetail.div(image, 1 << (have - want), rounding_mode="floor").to(dtype)
    return image.to(dtype) * (1 << (want - have))
