"""What PyTorch calls the nodes of its graph, where the name is not that of our op: ``grad_fn=<AddmmBackward0>`` of a linear layer."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

__all__ = ["node_name"]

_FIXED = dict(
    pair.split(":")
    for pair in """add_scaled:Add0 attention:ScaledDotProductFlashAttentionForCpu0 batch_norm:NativeBatchNorm0
    batch_norm_infer:NativeBatchNorm0 cast:ToCopy0 clamp:Clamp1 clamp_between:Clamp0 convolution_input_grad:Convolution0
    copy:CopyBackwards cross_entropy:NllLoss0 drawn:Bernoulli0 dropout:Mul0 einsum:View0 expand_to:Expand0 floor_quotient:Div2
    gru_layer:Stack0 layer_norm:NativeLayerNorm0 linalg_cholesky:LinalgCholeskyEx0 linalg_inv:LinalgInvEx0 linalg_solve:LinalgSolveEx0
    logsigmoid:LogSigmoid0 masked_scale:Mul0 max_unpool:MaxUnpool2D0 median:Median1 median_all:Median0 prelu:PreluKernel0 reshape:View0
    rnn_layer:Stack0 setitem:CopySlices square:Pow0 unfold_dim:Unfold0""".split()
)


def _index(node: Any) -> str:
    """The step of an index that PyTorch takes last."""
    index = node.saved[1] if node.saved else 0
    last = [i for i in (index if isinstance(index, tuple) else (index,)) if i is not Ellipsis and i != slice(None)] or [slice(None)]
    return "Unsqueeze0" if last[-1] is None else "Slice0" if isinstance(last[-1], slice) else "Select0"


def _with_bias(node: Any) -> bool:
    """Whether a linear layer has one, be it without gradient: its shape is kept."""
    return node.edges[2] is not None or any(v.__class__ is tuple and v for v in node.saved or ())


_BY_SHAPE: dict[str, Callable[[Any], str]] = {
    "sum": lambda node: f"Sum{int(node.shape != ())}",
    "mean": lambda node: f"Mean{int(node.shape != ())}",
    "prod": lambda node: f"Prod{int(node.shape != ())}",
    "l1_loss": lambda node: "Abs0" if node.shape else "Mean0",
    "matmul": lambda node: ("Dot0", "Mv0", "Mm0", "UnsafeView0")[min(len(node.shape), 3)],
    "addmm": lambda node: ("Addmv0", "Addmm0", "Baddbmm0")[len(node.shape) - 1],
    "linear": lambda node: ("Mm0", "Addmm0", "UnsafeView0", "View0")[2 * (len(node.shape) != 2) + _with_bias(node)],
    "max_pool": lambda node: ("Squeeze1", "MaxPool2DWithIndices0", "MaxPool3DWithIndices0")[max(len(node.shape), 3) - 3],
    "avg_pool": lambda node: ("Squeeze1", "AvgPool2D0", "AvgPool3D0")[max(len(node.shape), 3) - 3],
    "pow": lambda node: {"yy": "Pow1", "ny": "Pow2"}.get("".join("ny"[hasattr(v, "shape")] for v in (node.saved or ())[:2]), "Pow0"),
    "getitem": _index,
}


def node_name(op: str, node: Any) -> str:
    """The name of a node of an op: the table's, or the op's own in PyTorch's spelling.

    >>> import dovetail as dv
    >>> x = dv.ones(2, 2, requires_grad=True)
    >>> dv.nn.functional.linear(x, x).grad_fn, x.sum(0).grad_fn, x[:, 0].grad_fn, x.log1p().grad_fn
    (<MmBackward0>, <SumBackward1>, <SelectBackward0>, <Log1PBackward0>)
    """
    title = getattr(node, "extra", 0)
    name = title if title.__class__ is str else _BY_SHAPE[op](node) if op in _BY_SHAPE else _FIXED.get(op)
    name = name or "".join(part.capitalize() for part in re.findall(r"[a-z]+|\d+", op)) + "0"
    return f"{name[:-1]}Backward{name[-1]}" if name[-1].isdigit() else name
