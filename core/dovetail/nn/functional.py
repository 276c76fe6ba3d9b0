"""The functions behind the layers: ``F.relu``, ``F.conv2d``, ``F.cross_entropy`` …, gathered from the op families.

A family names in FUNCTIONAL what belongs here; functions of the `dovetail` namespace that PyTorch has here too are in `_SHARED`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..autograd.node import Tensor
from ..errors import ShapeError
from ..ops import FAMILIES, namespace
from ..ops._guard import guarded

if TYPE_CHECKING:

    def __getattr__(name: str) -> Any: ...


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
    return {name: guarded(function, every=True) for name, function in (found | seen).items()}


def bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """``y_o = Σ_ij x1_i W_oij x2_j + b_o`` for x1 (*, in1), x2 (*, in2), W (out, in1, in2), b (out).

    Raises a RuntimeError for sizes that do not fit together.

    >>> import dovetail as dv
    >>> bilinear(dv.tensor([1., 2.]), dv.tensor([3., 4.]), dv.ones(1, 2, 2))
    tensor([21.])
    """
    first, second, shape = tuple(input1.shape), tuple(input2.shape), tuple(weight.shape)
    if first[:-1] != second[:-1] or len(shape) != 3 or (first[-1], second[-1]) != shape[1:]:
        what = f"input dimensions do not match: got {first} and {second} for weight {shape}"
        raise ShapeError("bilinear", what, "expected (*, in1), (*, in2) and (out, in1, in2)")
    rows = (input1 @ weight.permute(1, 0, 2).reshape(shape[1], -1)).reshape(*first[:-1], shape[0], shape[2])
    out = (rows @ input2.unsqueeze(-1)).squeeze(-1)
    return out if bias is None else out + bias


globals().update(_gather())
