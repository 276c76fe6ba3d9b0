"""Helpers of torchvision's v2 transforms that transforms of one's own import: what a sample holds, and how arguments are read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from dovetail.errors import TypeMismatch, ValueRangeError

from .._checks import FillFor
from .._helpers import _check_sequence_input, _setup_angle, _setup_size  # noqa: F401 - what programs import from here
from ._base import RandomApplied as _RandomApplyTransform  # noqa: F401
from ._base import check_type, get_bounding_boxes, get_keypoints, has_all, has_any, query_chw, query_size
from ._labels import _labels_of, getter_of_labels
from .functional import get_dimensions, get_size, is_pure_tensor
from .functional._kernels import REGISTRY, _rewrapped, kernel_for

__all__ = [
    "check_type", "get_bounding_boxes", "get_dimensions", "get_keypoints", "get_size", "has_all", "has_any", "is_pure_tensor", "query_chw",
    "query_size",
]  # fmt: skip

_FillType = int | float | Sequence[int] | Sequence[float] | None
_FillTypeJIT = list[float] | None
_find_labels_default_heuristic = _labels_of


def _convert_fill_arg(fill: Any) -> Any:
    """A number or None as it is, several numbers as a list of floats."""
    return fill if fill is None or isinstance(fill, (int, float)) else [float(part) for part in fill]


def _check_fill_arg(fill: Any) -> None:
    FillFor("_check_fill_arg", fill)


def _setup_fill_arg(fill: Any) -> dict[Any, Any]:
    """The fill of each type of input, with "others" for the rest."""
    _check_fill_arg(fill)
    return {key: _convert_fill_arg(value) for key, value in (fill if isinstance(fill, dict) else {"others": fill}).items()}


def _get_fill(fill_dict: dict[Any, Any], inpt_type: Any) -> Any:
    return fill_dict.get(inpt_type, fill_dict.get("others"))


def _setup_number_or_seq(arg: Any, name: str) -> list[float]:
    """Two floats, of a number, a sequence of one, or two."""
    if not isinstance(arg, (int, float, Sequence)):
        raise TypeMismatch("_setup_number_or_seq", f"{name} is {type(arg).__name__}", "expected a number or a sequence of one or two")
    values = list(arg) if isinstance(arg, Sequence) else [arg]
    if len(values) not in (1, 2) or not all(isinstance(value, (int, float)) for value in values):
        raise ValueRangeError("_setup_number_or_seq", f"{name} is {arg!r}", "expected a number or a sequence of one or two")
    return [float(values[0]), float(values[-1])]


def _check_padding_arg(padding: Any) -> None:
    several = padding if isinstance(padding, (tuple, list)) else [padding]
    if len(several) not in (1, 2, 4) or not all(isinstance(side, int) for side in several):
        raise ValueRangeError("_check_padding_arg", f"padding is {padding!r}", "expected a whole number, or 1, 2 or 4 of them")


def _check_padding_mode_arg(padding_mode: Any) -> None:
    if padding_mode not in ("constant", "edge", "reflect", "symmetric"):
        what = f"padding_mode is {padding_mode!r}"
        raise ValueRangeError("_check_padding_mode_arg", what, 'expected "constant", "edge", "reflect" or "symmetric"')


def _parse_labels_getter(labels_getter: Any) -> Callable[[Any], Any]:
    return getter_of_labels("_parse_labels_getter", labels_getter)


def _get_kernel(functional: Any, input_type: type, *, allow_passthrough: bool = False) -> Any:
    """What a function of ``v2.functional`` does to a class of tensors or images."""
    return kernel_for(functional, input_type, passing=allow_passthrough)


def _register_kernel_internal(functional: Any, input_type: type, *, tv_tensor_wrapper: bool = True) -> Callable[[Any], Any]:
    """Decorate what a function of one's own, or of ``v2.functional``, does to a class; with the wrapper it is given a plain tensor."""
    from ...tv_tensors import TVTensor

    table = REGISTRY.setdefault(functional, {})
    if input_type in table:
        name = getattr(functional, "__name__", functional)
        raise ValueRangeError(
            "_register_kernel_internal", f"{name} has a kernel for {input_type.__name__} already", "expected one kernel a class"
        )

    def decorate(kernel: Any) -> Any:
        table[input_type] = _rewrapped(kernel) if tv_tensor_wrapper and issubclass(input_type, TVTensor) else kernel
        return kernel

    return decorate
