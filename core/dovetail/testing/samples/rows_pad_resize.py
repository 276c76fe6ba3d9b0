"""Rows of padding, interpolation, sampling and the moves between channels and space."""

import numpy as np

from .row import Row, T

_F = "nn.functional."
_MODES = {"constant": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}


def pad(x, sides, mode="constant", value=None):
    pairs = [(0, 0)] * (x.ndim - len(sides) // 2) + [(sides[2 * i], sides[2 * i + 1]) for i in range(len(sides) // 2 - 1, -1, -1)]
    more = {"constant_values": value or 0} if mode == "constant" else {}
    return np.pad(x, pairs, _MODES[mode], **more)


def linear(x, size=None, scale_factor=None, mode="", align_corners=False):
    """Linear interpolation of the last axis."""
    n = x.shape[-1]
    m = size or int(n * scale_factor)
    i = np.arange(m)
    at = i * (n - 1) / (m - 1) if align_corners else np.maximum((i + 0.5) * n / m - 0.5, 0)
    low = np.minimum(at.astype(int), n - 1)
    part = at - low
    return x[..., low] * (1 - part) + x[..., np.minimum(low + 1, n - 1)] * part


def bilinear(x, size, mode, align_corners=False):
    rows = linear(x.swapaxes(-1, -2), size[0], align_corners=align_corners).swapaxes(-1, -2)
    return linear(rows, size[1], align_corners=align_corners)


_O = "PyTorch is the oracle in tests/parity"
_EI = [
    ([T(1, 1, 4)], dict(scale_factor=2, mode="bilinear"), NotImplementedError, "Got 3D input, but bilinear mode needs 4D input"),
    ([T(1, 1, 4, 4)], {}, ValueError, "either size or scale_factor should be defined"),
    ([T(1, 1, 4, 4)], dict(size=2, scale_factor=2), ValueError, "only one of size or scale_factor should be defined"),
    ([T(1, 1, 4, 4)], dict(size=(2, 2, 2)), ValueError, "must have the same number of spatial dimensions"),
    ([T(1, 1, 4, 4)], dict(size=2, align_corners=True), ValueError, "align_corners option can only be set"),
    ([T(1, 1, 4, 4)], dict(size=2, mode="foo"), NotImplementedError, "(got foo)"),
    ([T(1, 1, 4, 4)], dict(size=0), RuntimeError, "should be greater than 0"),
]


def shuffle(x, r):
    n, c, h, w = x.shape
    return x.reshape(n, c // r**2, r, r, h, w).transpose(0, 1, 4, 2, 5, 3).reshape(n, c // r**2, h * r, w * r)


ROWS = [
    Row("pad", [T(2, 3), (1, 2)], call=f"{_F}pad", ref=pad, covers=("constant_pad_nd",), promote=None,
        errors=[([T(2, 3), (1,)], {}, RuntimeError, "Padding length must be divisible by 2"),
                ([T(2, 3), (1,) * 6], {}, RuntimeError, "less than or equal to two times the input dimension"),
                ([T(2, 3), (1,) * 4, "reflect"], {}, NotImplementedError, "is not supported for 2D input"),
                ([T(2, 3, 4), (4, 1), "reflect"], {}, RuntimeError, "Padding size should be less than"),
                ([T(2, 3, 4), (5, 1), "circular"], {}, RuntimeError, "wrapping around more than once"),
                ([T(2, 3, 4), (1, 1), "replicate", 1.0], {}, RuntimeError, "doesn't take in value argument"),
                ([T(2, 3, 4), (1, 1), "foo"], {}, NotImplementedError, "Unrecognised padding mode"),
                ([T(2, 3, 4), (-3, -2)], {}, RuntimeError, "length must be non-negative")]),
    Row("pad", [T(2, 3, 4), (1, 0, 2, 1)], dict(value=0.5), call=f"{_F}pad", ref=pad, promote=None, name="value"),
    Row("pad", [T(2, 3, 4), (-1, 2)], call=f"{_F}pad", ref=lambda x, p: np.pad(x[..., 1:], [(0, 0), (0, 0), (0, 2)]), promote=None,
        name="cut"),
    *[Row("pad", [T(2, 3, 4, 5), (2, 1, 1, 3), mode], call=f"{_F}pad", ref=pad, promote=None,
          covers=("border_pad", "border_pad_grad"), name=mode) for mode in ("reflect", "replicate", "circular")],
    Row("interpolate", [T(2, 2, 5)], dict(scale_factor=2), call=f"{_F}interpolate", ref=lambda x, scale_factor: x.repeat(2, -1),
        errors=_EI, promote=None),
    Row("interpolate", [T(2, 2, 5)], dict(size=8, mode="linear"), call=f"{_F}interpolate", ref=linear, promote=None, name="linear",
        tol=(1e-12, 2e-5), why="PyTorch works out float32 positions in float32"),
    Row("interpolate", [T(2, 2, 5, 4)], dict(size=(7, 3), mode="bilinear"), call=f"{_F}interpolate", ref=bilinear, promote=None,
        name="bilinear"),
    Row("interpolate", [T(2, 2, 5, 4)], dict(size=(7, 9), mode="bilinear", align_corners=True), call=f"{_F}interpolate", ref=bilinear,
        promote=None, name="aligned"),
    *[Row("interpolate", [T(1, 2, *shape)], dict(mode=mode, **kw), call=f"{_F}interpolate", why=_O, promote=None,
          name=f"{mode} {len(shape)}d {'smooth' if 'antialias' in kw else ''}")
      for mode, shape, kw in [
          ("nearest", (5, 4), dict(size=(3, 7))), ("nearest-exact", (5, 4), dict(size=(3, 7))), ("bicubic", (5, 4), dict(size=(3, 7))),
          ("area", (5, 4), dict(size=(3, 2))), ("trilinear", (3, 3, 2), dict(scale_factor=1.5)),
          ("bilinear", (6, 5), dict(size=(3, 2), antialias=True)), ("bicubic", (6, 5), dict(size=(3, 7), antialias=True))]],
    Row("upsample", [T(1, 2, 3)], dict(scale_factor=2), call=f"{_F}upsample", ref=lambda x, scale_factor: x.repeat(2, -1), promote=None,
        errors=[([T(1, 1, 4)], {}, ValueError, "either size or scale_factor")]),
    Row("upsample_nearest", [T(1, 2, 3)], dict(scale_factor=2), call=f"{_F}upsample_nearest", promote=None,
        ref=lambda x, scale_factor: x.repeat(2, -1), errors=[([T(1, 1, 4)], {}, ValueError, "either size or scale_factor")]),
    Row("upsample_bilinear", [T(1, 2, 3, 2), (4, 5)], call=f"{_F}upsample_bilinear", promote=None,
        ref=lambda x, size: bilinear(x, size, "", True), errors=[([T(1, 1, 4, 4)], {}, ValueError, "either size or scale_factor")]),
    Row("pixel_shuffle", [T(2, 8, 3, 2), 2], ref=shuffle, promote=None,
        errors=[([T(1, 3, 4, 4), 2], {}, RuntimeError, "divisible by the square of upscale_factor"),
                ([T(3, 4), 2], {}, RuntimeError, "at least 3 dimensions")]),
    Row("pixel_unshuffle", [T(2, 2, 6, 4), 2], promote=None,
        ref=lambda x, r: x.reshape(2, 2, 3, 2, 2, 2).transpose(0, 1, 3, 5, 2, 4).reshape(2, 8, 3, 2),
        errors=[([T(1, 3, 5, 4), 2], {}, RuntimeError, "expects height to be divisible by downscale_factor")]),
    *[Row(name, [T(2, 6, 3), 3], ref=lambda x, g: x.reshape(2, 3, 2, 3).swapaxes(1, 2).reshape(2, 6, 3), promote=None,
          errors=[([T(1, 3, 5), 2], {}, RuntimeError, "must be divisible by groups")])
      for name in ("channel_shuffle",)],
    Row("native_channel_shuffle", [T(2, 6, 3), 3], ref=lambda x, g: x.reshape(2, 3, 2, 3).swapaxes(1, 2).reshape(2, 6, 3), promote=None,
        torch="", errors=[([T(1, 3, 5), 2], {}, RuntimeError, "must be divisible by groups")]),
    Row("affine_grid", [T(2, 2, 3), (2, 1, 3, 4)], dict(align_corners=False), call=f"{_F}affine_grid", why=_O, promote=None,
        errors=[([T(1, 2, 2), (1, 1, 2, 2)], {}, ValueError, "Expected a batch of 2D affine matrices"),
                ([T(1, 2, 3), (1, 1, 2, 0)], {}, ValueError, "Expected non-zero, positive output size")]),
    Row("affine_grid", [T(2, 3, 4), (2, 1, 3, 4, 2)], dict(align_corners=True), call=f"{_F}affine_grid", why=_O, promote=None, name="3d"),
    *[Row("grid_sample", [T(2, 2, 4, 5), T(2, 3, 2, 2, low=-1.3, high=1.3)], dict(mode=mode, padding_mode=padding, align_corners=False),
          call=f"{_F}grid_sample", promote=None, grad2=mode != "nearest", why=_O + "; nearest is linear in the image",
          name=f"{mode} {padding}",
          errors=[([T(1, 1, 4, 4), T(1, 2, 2, 3)], {}, RuntimeError, "expected grid to have size 2 in last dimension"),
                  ([T(1, 1, 4, 4), T(2, 2, 2, 2)], {}, RuntimeError, "same batch size"),
                  ([T(1, 1, 4, 4), T(1, 2, 2, 2)], dict(mode="foo"), ValueError, "expected mode to be"),
                  ([T(1, 1, 4, 4), T(1, 2, 2, 2)], dict(padding_mode="foo"), ValueError, "expected padding_mode to be")])
      for mode in ("bilinear", "bicubic") for padding in ("zeros", "border", "reflection")],
    Row("grid_sample", [T(2, 2, 4, 5), T(2, 3, 2, 2, low=-1.3, high=1.3, grad=False)], dict(mode="nearest", align_corners=True),
        call=f"{_F}grid_sample", promote=None, why=_O, name="nearest", covers=("grid_sampler",)),
    Row("grid_sample", [T(1, 2, 3, 4, 2), T(1, 2, 1, 2, 3, low=-1.3, high=1.3)], dict(align_corners=True), call=f"{_F}grid_sample",
        promote=None, why=_O, name="3d"),
]  # fmt: skip
