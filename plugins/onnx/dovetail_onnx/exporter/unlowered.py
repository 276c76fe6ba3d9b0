"""Why an op of the core has no lowering: the table behind `explain_export` and the documentation."""

from __future__ import annotations

__all__ = ["REASONS", "reason"]

_GRADIENT = "it runs in a backward pass, which is not exported"
_DECOMPOSITION = "ONNX has no eigenvalues and singular values, whose vectors have the signs that a library gives them"
_RANDOM = "random draws are not the same in a runtime"

#: Op → reason, for every op of the core that has no row ``[lowerings.OP]`` with ``format = "onnx"``.
REASONS: dict[str, str] = {
    **dict.fromkeys(
        (
            "attention_grad", "avg_pool_grad", "batch_norm_grad", "cofactors", "convolution_weight_grad", "cross_entropy_grad", "ctc_grad",
            "gather_grad", "gelu_grad", "getitem_grad", "gru_layer_grad", "i1", "layer_norm_grad", "leaky_relu_grad", "linear_grad",
            "border_pad_grad", "log_softmax_grad", "lstm_layer_grad", "matmul_folded_nt", "matmul_folded_tn", "over_or_zero", "relu_grad",
            "rnn_layer_grad", "sigmoid_grad",
            "silu_grad", "softmax_grad", "sum_to", "tanh_grad",
        ),
        _GRADIENT,
    ),
    **dict.fromkeys(
        (
            "linalg_eig", "linalg_eigh", "linalg_geqrf", "linalg_lstsq", "linalg_pinv", "linalg_svd",
        ),
        _DECOMPOSITION,
    ),
    **dict.fromkeys(("drawn", "dropout"), _RANDOM),
    "grid_sampler": "it is exported as the ops that it is made of",
    "histogram": "its bins are searched among edges in the data; histc with a fixed range is exported",
    "i0": "ONNX has no Bessel functions; a window made of them when the model is built is a constant",
    "nextafter": "ONNX cannot count up the bits of a float",
    "polygamma": "ONNX has no zeta functions; digamma is exported",
    "tie_weights": "it belongs to the gradient of quantiles and extremes",
    "view_dtype": "ONNX cannot read memory as another type before opset 26",
}  # fmt: skip


def reason(op: str) -> str:
    """Why an op has no lowering; empty for those of other plugins.

    >>> reason("linalg_svd")[:23]
    'ONNX has no eigenvalues'
    """
    return REASONS.get(op, "")
