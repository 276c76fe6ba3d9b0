"""The functions behind the layers: ``F.relu``, ``F.conv2d``, ``F.cross_entropy`` …, gathered from the op families.

A family names in FUNCTIONAL what belongs here; functions of the `dovetail` namespace that PyTorch has here too are in `_SHARED`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..errors import TypeMismatch
from ..ops import FAMILIES, namespace
from ..ops._keywords import unkeyed

if TYPE_CHECKING:

    def __getattr__(name: str) -> Any: ...


_SHARED = (
    "adaptive_avg_pool1d", "alpha_dropout", "avg_pool1d", "celu", "celu_", "channel_shuffle", "conv1d", "conv2d", "conv3d",
    "conv_tbc", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d", "cosine_similarity", "dropout", "hardshrink",
    "native_channel_shuffle", "pairwise_distance", "pdist", "pixel_shuffle", "pixel_unshuffle", "prelu", "relu", "relu_", "rrelu",
    "rrelu_", "selu", "selu_", "sigmoid", "softmax", "log_softmax", "tanh", "threshold", "threshold_",
)  # fmt: skip


def _gather() -> dict[str, Any]:
    """Every functional by name; two families that claim one name are an error."""
    public = namespace()
    found = {name: public[name] for name in _SHARED if name in public}
    seen: dict[str, Any] = {}
    for family in FAMILIES:
        for name in getattr(family, "FUNCTIONAL", ()):
            function = getattr(family, name)
            if seen.setdefault(name, function) is not function:
                raise NameError(f"nn.functional.{name} is named by two op families, one of them {family.__name__}")
    return {name: function if hasattr(function, "op") else _guarded(function) for name, function in (found | seen).items()}


def _guarded(function: Callable[..., Any]) -> Callable[..., Any]:
    """Say which argument is no tensor, where a function that is composed of ops would trip over its missing array."""

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except AttributeError as error:
            if error.name != "_a":
                raise
            names = unkeyed(function).__code__.co_varnames
            given = next((n for n, v in [*zip(names, args, strict=False), *kwargs.items()] if v is error.obj), None)
            what = f"argument {given!r}" if given else "an argument"
            kind = type(error.obj).__name__
        remedy = "make a tensor of it with dovetail.tensor or dovetail.from_numpy"
        raise TypeMismatch(f"{function.__name__}()", f"{what} must be Tensor, not {kind}", "", remedy)

    return call


globals().update(_gather())
