"""The functions behind the layers: ``F.relu``, ``F.conv2d``, ``F.cross_entropy`` …, gathered from the op families.

A family names in FUNCTIONAL what belongs here; functions of the `dovetail` namespace that PyTorch has here too are in `_SHARED`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..absent import later as _later
from ..ops import FAMILIES, namespace
from ..ops._guard import guarded, placed

_SHARED = (
    "adaptive_avg_pool1d", "alpha_dropout", "avg_pool1d", "celu", "celu_", "channel_shuffle", "conv1d", "conv2d", "conv3d",
    "conv_tbc", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d", "cosine_similarity", "dropout", "hardshrink",
    "native_channel_shuffle", "pairwise_distance", "pdist", "pixel_shuffle", "pixel_unshuffle", "prelu", "relu", "relu_", "rrelu",
    "rrelu_", "selu", "selu_", "sigmoid", "tanh", "threshold", "threshold_",
)  # fmt: skip


def _gather() -> dict[str, Any]:
    """Every functional by name; two families that claim one name are an error."""
    public = namespace()
    found = {name: public[name] for name in _SHARED if name in public}
    seen: dict[str, Any] = {}
    for family in FAMILIES:
        for name in getattr(family, "FUNCTIONAL", ()):
            function = vars(family).get(f"functional_{name}") or getattr(family, name)  # the functional form, where there are two
            if seen.setdefault(name, function) is not function:
                raise NameError(f"nn.functional.{name} is named by two op families, one of them {family.__name__}")
    return placed(__name__, {name: guarded(function, every=True) for name, function in (found | seen).items()})


globals().update(_gather())


if not TYPE_CHECKING:
    __getattr__, __dir__ = _later(__name__)
