"""The functions for plain tensors that hold images and videos, under torchvision's names."""

from __future__ import annotations

from . import _color, _geometry, _misc
from ._kernels import face

_BOTH = """adjust_brightness adjust_contrast adjust_gamma adjust_hue adjust_saturation adjust_sharpness affine autocontrast center_crop crop
elastic equalize erase five_crop gaussian_blur gaussian_noise horizontal_flip invert jpeg normalize pad permute_channels perspective
posterize resize resized_crop rotate solarize ten_crop to_dtype vertical_flip""".split()
_FUNCTIONS = {name: getattr(module, name) for module in (_color, _geometry, _misc) for name in module.__all__}
_FACES = [(name, kind) for name in _BOTH for kind in ("image", "video")]
_FACES += [("grayscale_to_rgb", "image"), ("rgb_to_grayscale", "image"), ("uniform_temporal_subsample", "video")]
globals().update({f"{name}_{kind}": face(_FUNCTIONS[name], kind) for name, kind in _FACES})

__all__ = [f"{name}_{kind}" for name, kind in _FACES]
