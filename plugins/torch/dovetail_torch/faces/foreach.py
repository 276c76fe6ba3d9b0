"""The functions on lists of tensors that optimizers of other authors call: ``_foreach_add_(params, grads, alpha=-lr)``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import dovetail
from dovetail import Tensor
from dovetail.errors import ShapeError, TypeMismatch, UnsupportedError

_ONE_FOR_ALL = ("add", "mul", "div")  # these have a form with one tensor for all; the others take one as a number
_NUMBERS = ("sub", "clamp_min", "clamp_max", "pow", *_ONE_FOR_ALL)


def __getattr__(name: str) -> Callable[..., Any]:
    """The function of a name ``_foreach_…``: a method on every tensor of a list, with the parts of other lists that belong to it."""
    method = name.removeprefix("_foreach_").replace("maximum", "clamp_min").replace("minimum", "clamp_max")
    if not name.startswith("_foreach_") or not hasattr(Tensor, method):
        raise AttributeError(f"module 'dovetail' has no attribute {name!r}")

    kind = method.rstrip("_")

    def one(t: Any, *args: Any, scalars: Any = None, **more: Any) -> Any:
        last = args[2:] if scalars is None else (scalars,)  # of addcmul and addcdiv
        return getattr(t, method)(*args[:2], **({"value": last[0]} if last else more))

    def each(self: Any, *args: Any, **more: Any) -> Any:
        if isinstance(self, int | float | complex):  # _foreach_pow(2, exponents)
            return tuple(getattr(dovetail, method)(self, t) for t in args[0])
        keys = ("scalar", "other", "ord") if kind.startswith("addc") else ("scalar", "scalars", "other", "ord")
        args = (*args, *(more.pop(key) for key in keys if key in more))  # by other names than those of the methods
        _check(name, kind, self, args)
        if isinstance(more.get("scalars"), Tensor):
            more["scalars"] = more["scalars"].tolist()
        counts = {len(self), *(len(x) for x in (*args, *more.values()) if isinstance(x, list | tuple))}
        if counts != {len(self)}:
            what = f"Tensor lists must have the same number of tensors, got {' and '.join(map(str, sorted(counts)))}"
            raise ShapeError(name, what, "", "give one part for each tensor")
        if not len(self):
            raise ShapeError(name, "Tensor list must have at least one tensor.", "", "leave the call out for an empty list")

        def part(value: Any, i: int) -> Any:
            return value[i] if isinstance(value, list | tuple) else value

        found = [one(t, *(part(a, i) for a in args), **{k: part(v, i) for k, v in more.items()}) for i, t in enumerate(self)]
        return self if method.endswith("_") else tuple(found)

    return each


def _group_tensors_by_device_and_dtype(
    tensorlistlist: Sequence[Sequence[Any]], with_indices: bool = False
) -> dict[tuple[dovetail.device, dovetail.dtype], tuple[list[list[Any]], list[int]]]:
    """The lists, cut alike into groups of one device and type each, by the tensors of the first; with the places that each group had.

    Raises a RuntimeError for an empty first list, and for one of another length that is not empty.

    >>> groups = _group_tensors_by_device_and_dtype([[dovetail.ones(1), dovetail.tensor(2)], ["a", "b"]], with_indices=True)
    >>> [(str(dtype), lists[1], places) for (_, dtype), (lists, places) in groups.items()]
    [('dovetail.float32', ['a'], [0]), ('dovetail.int64', ['b'], [1])]
    """
    counts = [len(one) for one in tensorlistlist]
    if not counts or not counts[0] or {*counts[1:]} - {0, counts[0]}:
        what, expected = f"got lists of {counts} elements", "tensors in the first, and as many elements, or none, in the others"
        raise ShapeError("_group_tensors_by_device_and_dtype", what, expected, "leave the call out where there are no tensors")
    groups: dict[Any, tuple[list[list[Any]], list[int]]] = {}
    for i, t in enumerate(tensorlistlist[0]):
        lists, places = groups.setdefault((t.device, t.dtype), ([[] for _ in tensorlistlist], []))
        for part, whole in zip(lists, tensorlistlist, strict=True):
            part += [whole[i]] if whole else []  # an optimizer's lists of state may be empty
        places += [i] if with_indices else []
    return groups


def _get_foreach_kernels_supported_devices() -> list[str]:
    """The kinds of GPU for which optimizers take these functions by default: none is faster here than a loop."""
    return []


def _get_fused_kernels_supported_devices() -> list[str]:
    """The kinds of device whose optimizers have a step in one kernel."""
    return ["cuda", "cpu"]


def _has_foreach_support(tensors: list[Any], device: dovetail.device) -> bool:
    """Whether all are tensors, and of no class of one's own."""
    return _device_has_foreach_support(device) and all(t is None or type(t) is Tensor for t in tensors)


def _device_has_foreach_support(device: dovetail.device) -> bool:
    """Whether these functions are there on this device."""
    return device.type in ("cuda", "cpu")


def _check(name: str, kind: str, tensors: Any, args: tuple[Any, ...]) -> None:
    """Refuse what is no list of tensors, and what takes no part in arithmetic with one."""
    if not isinstance(tensors, list | tuple) or not all(isinstance(t, Tensor) for t in tensors):
        raise TypeMismatch(f"{name}()", f"argument 'self' (position 1) must be tuple of Tensors, not {type(tensors).__name__}")
    if kind not in _NUMBERS or not args or isinstance(args[0], list | tuple):
        return
    other = args[0]
    wide = isinstance(other, Tensor) and other.ndim > 0
    if not isinstance(other, int | float | complex | Tensor) or (wide and kind not in _ONE_FOR_ALL):
        raise TypeMismatch(f"{name}()", f"argument 'other' (position 2) must be tuple of Tensors or Number, not {type(other).__name__}")
    if wide:
        raise ShapeError(name, f"scalar tensor expected to be 0 dim but it has {other.ndim} dimensions", "", "give a part for each")
    if isinstance(other, complex) and kind.startswith("clamp"):
        raise UnsupportedError(name, "clamp is not supported for complex types")
