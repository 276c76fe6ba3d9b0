"""Where PyTorch 2.13 and Dovetail differ on purpose: (test, row) and why; docs/known-differences.md shows the same rows.

tests/parity/test_ops.py expects each of them to fail (strictly: a row that agrees again fails the run, and leaves the table).
"""

from __future__ import annotations

__all__ = ["KNOWN", "KNOWN_SURFACE", "KNOWN_TYPES"]

_FIXED_POINT = "PyTorch resizes uint8 images in fixed point; Dovetail computes in float32 and rounds once, so single elements differ by 1"
_LARGER = (
    "PyTorch's gradient of scatter has the index's shape where src is larger, which its own engine refuses; Dovetail pads it with zeros"
)
_SCATTER = "PyTorch has no derivative of scatter with a number and reduce='add'; it is the identity, and Dovetail has it"
_VANDER = "PyTorch's vander changes in place what its own gradient needs, and so has none; Dovetail has one"
_POLAR = "for a negative abs PyTorch's gradient by abs has the wrong sign (finite differences agree with Dovetail)"
_MULTILABEL = "PyTorch returns uninitialised memory as the mean over an empty batch; Dovetail's is NaN, as of the other losses"
_UNSHUFFLE = "PyTorch leaves the shape of an empty input as it is; Dovetail's result has the shape that any other length gives"
_SHUFFLE = "PyTorch's gradient of an empty input has the wrong shape, which its own engine refuses; Dovetail's has the input's"

_EMPTY_BATCH = "PyTorch fails inside on an empty batch (select: index 0 out of range); Dovetail's result is empty"
_AS_REAL = "PyTorch's gradient of an empty input fails inside (last dimension with stride 1); Dovetail's is empty"
_TIES = "which index stands for equal elements is not specified: cast to coarser types the values of this row tie"

KNOWN: dict[tuple[str, str], str] = {
    ("test_gradients", "scatter[larger src]"): _LARGER,
    ("test_second_gradients", "scatter[larger src]"): _LARGER,
    ("test_gradients", "scatter[add a number]"): _SCATTER,
    ("test_second_gradients", "scatter[add a number]"): _SCATTER,
    ("test_gradients", "vander[vander]"): _VANDER,
    ("test_gradients_of_empty", "vander[vander]"): _VANDER,
    ("test_second_gradients", "vander[vander]"): _VANDER,
    ("test_gradients", "polar[polar]"): _POLAR,
    ("test_second_gradients", "polar[polar]"): _POLAR,
    ("test_zero_size", "nn.functional.multilabel_margin_loss"): _MULTILABEL,
    ("test_gradients_of_empty", "nn.functional.multilabel_margin_loss"): _MULTILABEL,
    ("test_zero_size", "pixel_unshuffle"): _UNSHUFFLE,
    ("test_gradients_of_empty", "pixel_unshuffle"): _UNSHUFFLE,
    ("test_gradients_of_empty", "pixel_shuffle"): _SHUFFLE,
    ("test_zero_size", "nn.functional.instance_norm"): _EMPTY_BATCH,
    ("test_gradients_of_empty", "nn.functional.instance_norm"): _EMPTY_BATCH,
    ("test_gradients_of_empty", "view_as_real"): _AS_REAL,
}

# rows of test_types: the types of the arguments for which they differ, and why; all other types are compared
KNOWN_TYPES: dict[str, tuple[tuple[tuple[str, ...], ...], str]] = {
    "nn.functional.interpolate[bilinear]": ((("uint8",),), _FIXED_POINT),
    "nn.functional.interpolate[aligned]": ((("uint8",),), _FIXED_POINT),
    "nn.functional.interpolate[bicubic 2d ]": ((("uint8",),), _FIXED_POINT),
    "nn.functional.interpolate[bicubic 2d smooth]": ((("uint8",),), _FIXED_POINT),
    "nn.functional.upsample_bilinear": ((("uint8",),), _FIXED_POINT),
    "kthvalue": ((("uint8",), ("int32",), ("int64",)), _TIES),
    "topk": ((("uint8",), ("int32",), ("int64",)), _TIES),
    "topk[few of many]": ((("uint8",), ("int32",), ("int64",), ("float16",)), _TIES),
}

# samples of tests/parity/surface: (group.name, sample) and what it is: `refused` (a clear error of ours), `bug` (of PyTorch), or
# `differs` (the name does not count as passed); then why
KNOWN_SURFACE: dict[tuple[str, str], tuple[str, str]] = {}
