"""Every layer with several sets of arguments and the inputs it is called with: the rows of test_layers.py."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

__all__ = ["CASES", "Case", "I", "X"]


@dataclass(frozen=True)
class X:
    """A floating input of a shape with values between low and high."""

    shape: tuple[int, ...]
    low: float = -2.0
    high: float = 2.0
    grad: bool = True

    def make(self, rng: np.random.Generator) -> np.ndarray:
        return rng.uniform(self.low, self.high, self.shape)


@dataclass(frozen=True)
class I:  # noqa: E742
    """An input of integers below `high`."""

    shape: tuple[int, ...]
    high: int
    low: int = 0

    def make(self, rng: np.random.Generator) -> np.ndarray:
        return rng.integers(self.low, self.high, self.shape)


@dataclass(frozen=True)
class Sign:
    """An input of 1 and -1."""

    shape: tuple[int, ...]

    def make(self, rng: np.random.Generator) -> np.ndarray:
        return rng.choice([-1.0, 1.0], self.shape)


@dataclass(frozen=True)
class Fixed:
    """An input of these values."""

    values: Any

    def make(self, rng: np.random.Generator) -> np.ndarray:
        return np.asarray(self.values)


@dataclass(frozen=True)
class Case:
    """A layer, its arguments and its inputs; `random` ones are compared in evaluation alone."""

    name: str
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = field(default_factory=dict)
    inputs: tuple[Any, ...] = ()
    call: dict[str, Any] = field(default_factory=dict)
    random: bool = False
    tol: float = 1e-9
    construct_only: bool = False

    def __str__(self) -> str:
        given = [repr(a) for a in self.args] + [f"{k}={v!r}" for k, v in self.kwargs.items()]
        shapes = ",".join("x".join(map(str, getattr(i, "shape", ()))) for i in self.inputs)
        return f"{self.name}({', '.join(given)})[{shapes}]"


def c(
    name: str, *args: Any, on: Any = (), call: Any = None, random: bool = False, tol: float = 1e-9, build: bool = False, **kwargs: Any
) -> Case:
    inputs = on if isinstance(on, tuple) and not (on and isinstance(on[0], int)) else (X(on),)
    return Case(name, args, kwargs, inputs, call or {}, random, tol, build)


def x(*shape: int, **more: Any) -> X:
    return X(shape, **more)


MASK = np.array([[False, True, True], [False, False, True], [False, False, False]])
PAD = np.array([[False, False, True], [False, False, False]])

LINEAR = [
    c("Identity", on=(2, 3)),
    c("Identity", 54, unused=True, on=(2,)),
    c("Linear", 3, 4, on=(5, 3)),
    c("Linear", 3, 4, on=(2, 5, 3)),
    c("Linear", 3, 4, bias=False, on=(3,)),
    c("Linear", 20, 30, on=(1, 20)),
    c("Bilinear", 3, 4, 2, on=(x(5, 3), x(5, 4))),
    c("Bilinear", 3, 4, 2, bias=False, on=(x(2, 5, 3), x(2, 5, 4))),
    c("Flatten", on=(2, 3, 4)),
    c("Flatten", 0, 1, on=(2, 3, 4)),
    c("Unflatten", 1, (2, 3), on=(2, 6)),
    c("Unflatten", -1, [3, 2], on=(2, 6)),
    c("LazyLinear", 4, on=(5, 3)),
    c("LazyLinear", 4, bias=False, on=(5, 3)),
]

CONV = [
    c("Conv1d", 4, 6, 3, on=(2, 4, 9)),
    c("Conv1d", 4, 6, 3, stride=2, padding=1, dilation=2, groups=2, bias=False, on=(2, 4, 9)),
    c("Conv1d", 2, 3, 4, padding="same", on=(2, 2, 7)),
    c("Conv1d", 2, 3, 3, padding=2, padding_mode="circular", on=(2, 7)),
    c("Conv2d", 3, 4, 3, on=(2, 3, 6, 7)),
    c("Conv2d", 4, 4, (3, 2), stride=(2, 1), padding=(1, 0), groups=4, on=(2, 4, 6, 7)),
    c("Conv2d", 2, 3, 3, padding="valid", on=(2, 5, 5)),
    c("Conv2d", 2, 3, (4, 3), padding="same", dilation=(1, 2), on=(1, 2, 8, 7)),
    c("Conv2d", 2, 3, 3, padding=1, padding_mode="reflect", on=(1, 2, 5, 6)),
    c("Conv2d", 2, 3, 3, padding=(1, 2), padding_mode="replicate", on=(1, 2, 5, 6)),
    c("Conv2d", 2, 3, 3, padding="same", padding_mode="circular", on=(1, 2, 5, 6)),
    c("Conv2d", 16, 33, 3, bias=True, stride=2, on=(1, 16, 7, 7)),
    c("Conv3d", 2, 3, 2, on=(1, 2, 4, 5, 3)),
    c("Conv3d", 2, 4, (1, 2, 3), stride=(1, 2, 1), padding=(0, 1, 1), groups=2, on=(2, 2, 3, 4, 5)),
    c("ConvTranspose1d", 3, 2, 3, stride=2, padding=1, output_padding=1, on=(2, 3, 5)),
    c("ConvTranspose1d", 3, 2, 3, on=(3, 5)),
    c("ConvTranspose2d", 3, 4, 3, on=(2, 3, 4, 5)),
    c("ConvTranspose2d", 4, 4, (2, 3), (2, 1), (0, 1), (1, 0), 2, False, on=(1, 4, 3, 4)),
    c("ConvTranspose2d", 2, 3, 3, dilation=2, on=(1, 2, 4, 4)),
    c("ConvTranspose2d", 2, 2, 3, stride=2, padding=1, on=(1, 2, 4, 4), call={"output_size": (8, 8)}),
    c("ConvTranspose3d", 2, 3, 2, stride=2, on=(1, 2, 2, 3, 2)),
    c("LazyConv1d", 4, 3, on=(2, 3, 8)),
    c("LazyConv2d", 4, 3, padding=1, on=(2, 3, 5, 5)),
    c("LazyConv3d", 2, 2, on=(1, 2, 3, 3, 3)),
    c("LazyConv2d", 4, 3, bias=False, on=(3, 5, 5)),
    c("LazyConvTranspose1d", 4, 3, on=(2, 3, 8)),
    c("LazyConvTranspose2d", 4, 3, stride=2, on=(2, 3, 5, 5)),
    c("LazyConvTranspose3d", 2, 2, on=(1, 2, 3, 3, 3)),
]

POOL = [
    c("MaxPool1d", 2, on=(2, 3, 7)),
    c("MaxPool1d", 3, stride=2, padding=1, ceil_mode=True, on=(3, 8)),
    c("MaxPool1d", 3, dilation=2, return_indices=True, on=(2, 3, 9)),
    c("MaxPool2d", 2, on=(2, 3, 6, 7)),
    c("MaxPool2d", (3, 2), stride=(2, 1), padding=(1, 0), on=(2, 3, 6, 7)),
    c("MaxPool2d", 3, 2, 1, return_indices=True, on=(3, 6, 7)),
    c("MaxPool3d", 2, on=(1, 2, 4, 5, 4)),
    c("MaxPool3d", (1, 2, 2), ceil_mode=True, on=(1, 2, 3, 5, 5)),
    c("AvgPool1d", 2, on=(2, 3, 7)),
    c("AvgPool1d", 3, 2, 1, True, False, on=(2, 3, 8)),
    c("AvgPool2d", 2, on=(2, 3, 6, 7)),
    c("AvgPool2d", (3, 2), stride=2, padding=(1, 0), count_include_pad=False, on=(2, 3, 6, 7)),
    c("AvgPool2d", 2, divisor_override=3, on=(3, 6, 6)),
    c("AvgPool3d", 2, on=(1, 2, 4, 4, 5)),
    c("AdaptiveAvgPool1d", 3, on=(2, 3, 7)),
    c("AdaptiveAvgPool2d", (2, 3), on=(2, 3, 6, 7)),
    c("AdaptiveAvgPool2d", 1, on=(2, 3, 6, 7)),
    c("AdaptiveAvgPool2d", (None, 2), on=(3, 6, 7)),
    c("AdaptiveAvgPool3d", (1, 2, 2), on=(1, 2, 3, 4, 5)),
    c("AdaptiveMaxPool1d", 3, on=(2, 3, 7)),
    c("AdaptiveMaxPool2d", (2, 3), return_indices=True, on=(2, 3, 6, 7)),
    c("AdaptiveMaxPool3d", 2, on=(1, 2, 3, 4, 5)),
    c("FractionalMaxPool2d", 2, output_size=(3, 3), on=(1, 2, 7, 7), random=True, build=True),
    c("FractionalMaxPool3d", 2, output_ratio=0.5, on=(1, 2, 6, 6, 6), random=True, build=True),
    c("LPPool1d", 2, 3, on=(x(2, 3, 7, low=0.1),)),
    c("LPPool2d", 1.5, 2, stride=1, on=(x(2, 3, 5, 5, low=0.1),)),
    c("LPPool3d", 2, 2, ceil_mode=True, on=(x(1, 2, 3, 3, 3, low=0.1),)),
    c("MaxUnpool1d", 2, on=(x(1, 1, 3), Fixed([[[0, 3, 4]]]))),
    c("MaxUnpool2d", 2, stride=2, on=(x(1, 1, 2, 2), Fixed([[[[0, 3], [9, 15]]]]))),
    c("MaxUnpool3d", 2, on=(x(1, 1, 1, 1, 2), Fixed([[[[[0, 3]]]]]))),
]

PAD_CASES = [
    *(c(f"{kind}Pad{n}d", 1, on=(2, 3) + (4,) * n) for kind in ("Reflection", "Replication", "Circular", "Zero") for n in (1, 2, 3)),
    *(c(f"ConstantPad{n}d", tuple(range(2 * n)), 1.5, on=(2, 3) + (4,) * n) for n in (1, 2, 3)),
    c("ZeroPad2d", (1, -1, 2, 0), on=(2, 3, 4)),
    c("ReflectionPad2d", (1, 2, 0, 1), on=(2, 3, 4)),
]

NORM = [
    c("BatchNorm1d", 3, on=(5, 3)),
    c("BatchNorm1d", 3, eps=1e-3, momentum=None, on=(5, 3, 4)),
    c("BatchNorm1d", 3, affine=False, track_running_stats=False, on=(5, 3)),
    c("BatchNorm2d", 3, on=(2, 3, 4, 5)),
    c("BatchNorm2d", 3, momentum=0.3, bias=False, on=(2, 3, 4, 5)),
    c("BatchNorm3d", 2, on=(2, 2, 3, 3, 2)),
    c("LayerNorm", 4, on=(2, 3, 4)),
    c("LayerNorm", [3, 4], eps=1e-3, on=(2, 3, 4)),
    c("LayerNorm", (4,), bias=False, on=(2, 4)),
    c("LayerNorm", 4, elementwise_affine=False, on=(4,)),
    c("GroupNorm", 2, 6, on=(2, 6, 4)),
    c("GroupNorm", 3, 6, affine=False, on=(2, 6, 2, 2)),
    c("GroupNorm", 1, 4, bias=False, on=(2, 4)),
    c("InstanceNorm1d", 3, on=(2, 3, 5)),
    c("InstanceNorm1d", 3, affine=True, on=(3, 5)),
    c("InstanceNorm2d", 3, affine=True, track_running_stats=True, on=(2, 3, 4, 4)),
    c("InstanceNorm3d", 2, on=(2, 2, 2, 3, 3)),
    c("RMSNorm", 4, on=(2, 3, 4)),
    c("RMSNorm", (3, 4), eps=1e-3, elementwise_affine=False, on=(2, 3, 4)),
    c("CrossMapLRN2d", 3, 1e-2, 0.5, 2.0, on=(x(2, 5, 3, 3, grad=False),)),
    c("LocalResponseNorm", 2, on=(2, 5, 3)),
    c("LocalResponseNorm", 3, 1e-2, 0.5, 2.0, on=(2, 5, 3, 3)),
    c("LazyBatchNorm1d", on=(5, 3)),
    c("LazyBatchNorm2d", affine=False, on=(2, 3, 4, 4)),
    c("LazyBatchNorm3d", on=(2, 2, 2, 2, 2)),
    c("LazyInstanceNorm1d", on=(2, 3, 5)),
    c("LazyInstanceNorm2d", affine=False, track_running_stats=False, on=(2, 3, 4, 4)),
    c("LazyInstanceNorm3d", on=(2, 2, 2, 2, 2)),
    c("SyncBatchNorm", 3, build=True),
]

ACTIVATION = [
    *(
        c(name, on=(3, 4))
        for name in (
            "ReLU",
            "ReLU6",
            "GELU",
            "Sigmoid",
            "Tanh",
            "SiLU",
            "LeakyReLU",
            "ELU",
            "CELU",
            "SELU",
            "Hardswish",
            "Mish",
            "Softplus",
            "Hardshrink",
            "Softshrink",
            "Softsign",
            "Tanhshrink",
            "LogSigmoid",
            "Hardtanh",
            "PReLU",
        )
    ),
    *(
        c(name, inplace=True, build=True)
        for name in ("ReLU", "ReLU6", "SiLU", "LeakyReLU", "ELU", "CELU", "SELU", "Hardswish", "Hardsigmoid", "Mish", "Hardtanh")
    ),
    c("Hardsigmoid", on=(3, 4), tol=1e-7),  # PyTorch multiplies by a sixth in float32
    c("GELU", approximate="tanh", on=(3, 4)),
    c("LeakyReLU", 0.2, on=(3, 4)),
    c("ELU", 0.5, on=(3, 4)),
    c("CELU", 2.0, on=(3, 4)),
    c("Hardtanh", -0.5, 1.5, on=(3, 4)),
    c("PReLU", 3, init=0.1, on=(2, 3, 4)),
    c("RReLU", 0.1, 0.4, on=(3, 4), random=True),
    c("RReLU", inplace=True, build=True),
    c("Threshold", 0.1, 20, on=(3, 4)),
    c("Threshold", 0.1, 20, inplace=True, build=True),
    c("Softplus", 2.0, 1.0, on=(3, 4)),
    c("Hardshrink", 1.0, on=(3, 4)),
    c("Softshrink", 0.1, on=(3, 4)),
    c("Softmax", 1, on=(3, 4)),
    c("LogSoftmax", 0, on=(3, 4)),
    c("Softmin", dim=-1, on=(3, 4)),
    c("Softmax2d", on=(2, 3, 4, 2)),
    c("Softmax2d", on=(3, 4, 2)),
    c("GLU", on=(3, 4)),
    c("GLU", 0, on=(4, 3)),
    c("AdaptiveLogSoftmaxWithLoss", 16, 20, [5, 10], on=(x(6, 16), Fixed([0, 4, 5, 9, 12, 19]))),
    c("AdaptiveLogSoftmaxWithLoss", 16, 30, cutoffs=[4, 9, 20], div_value=2.0, head_bias=True, on=(x(16), Fixed(21))),
]

DROPOUT = [
    *(
        c(name, 0.3, on=shape, random=True)
        for name, shape in (
            ("Dropout", (3, 4)),
            ("Dropout1d", (2, 3, 4)),
            ("Dropout2d", (2, 3, 4, 4)),
            ("Dropout3d", (2, 3, 2, 2, 2)),
            ("AlphaDropout", (3, 4)),
            ("FeatureAlphaDropout", (2, 3, 4)),
        )
    ),
    c("Dropout", 0.0, on=(3, 4)),
    c("Dropout", 1.0, on=(3, 4)),
    c("Dropout", inplace=True, build=True),
]

EMBEDDING = [
    c("Embedding", 10, 3, on=(I((2, 4), 10),)),
    c("Embedding", 10, 3, padding_idx=-1, on=(Fixed([[1, 9], [9, 3]]),)),
    c("Embedding", 10, 3, padding_idx=2, scale_grad_by_freq=True, on=(Fixed([1, 2, 2, 4, 4]),)),
    c("Embedding", 10, 3, max_norm=1.0, norm_type=1.0, on=(I((2, 4), 10),)),
    c("EmbeddingBag", 10, 3, on=(I((2, 4), 10),)),
    c("EmbeddingBag", 10, 3, mode="sum", on=(I((6,), 10), Fixed([0, 2, 2]))),
    c("EmbeddingBag", 10, 3, mode="max", padding_idx=1, on=(Fixed([[1, 3], [4, 5]]),)),
    c("EmbeddingBag", 10, 3, mode="sum", include_last_offset=True, on=(I((6,), 10), Fixed([0, 2, 6]))),
]

RECURRENT = [
    *(c(name, 3, 4, on=(5, 2, 3)) for name in ("RNN", "LSTM", "GRU")),
    *(c(name, 3, 4, num_layers=2, bidirectional=True, batch_first=True, on=(2, 5, 3)) for name in ("RNN", "LSTM", "GRU")),
    *(c(name, 3, 4, bias=False, on=(5, 3)) for name in ("RNN", "LSTM", "GRU")),
    c("RNN", 3, 4, 2, "relu", on=(x(5, 2, 3), x(2, 2, 4))),
    c("GRU", 3, 4, 2, on=(x(5, 2, 3), x(2, 2, 4))),
    c("LSTM", 3, 4, 2, on=(x(5, 2, 3), (x(2, 2, 4), x(2, 2, 4)))),
    c("LSTM", 3, 4, on=(x(5, 3), (x(1, 4), x(1, 4)))),
    c("GRU", 3, 4, bidirectional=True, on=(x(5, 3), x(2, 4))),
    c("LSTM", 3, 5, 2, proj_size=2, bidirectional=True, on=(5, 2, 3)),
    c("LSTM", 3, 5, proj_size=2, bias=False, on=(x(5, 2, 3), (x(1, 2, 2), x(1, 2, 5)))),
    c("LSTM", 3, 4, num_layers=3, dropout=0.2, on=(5, 2, 3), random=True),
    *(c(f"{name}Cell", 3, 4, on=(2, 3)) for name in ("RNN", "LSTM", "GRU")),
    *(c(f"{name}Cell", 3, 4, bias=False, on=(3,)) for name in ("RNN", "LSTM", "GRU")),
    c("RNNCell", 3, 4, nonlinearity="relu", on=(x(2, 3), x(2, 4))),
    c("GRUCell", 3, 4, on=(x(3), x(4))),
    c("LSTMCell", 3, 4, on=(x(2, 3), (x(2, 4), x(2, 4)))),
]

ATTENTION = [
    c("MultiheadAttention", 8, 2, on=(x(3, 2, 8), x(4, 2, 8), x(4, 2, 8))),
    c("MultiheadAttention", 8, 4, batch_first=True, bias=False, on=(x(2, 3, 8), x(2, 4, 8), x(2, 4, 8))),
    c("MultiheadAttention", 8, 2, kdim=5, vdim=6, add_bias_kv=True, on=(x(3, 2, 8), x(4, 2, 5), x(4, 2, 6))),
    c("MultiheadAttention", 8, 2, add_zero_attn=True, on=(x(3, 8), x(4, 8), x(4, 8))),
    c("MultiheadAttention", 8, 2, on=(x(3, 2, 8), x(3, 2, 8), x(3, 2, 8)), call={"attn_mask": Fixed(MASK), "key_padding_mask": Fixed(PAD)}),
    c(
        "MultiheadAttention",
        8,
        2,
        on=(x(3, 2, 8), x(3, 2, 8), x(3, 2, 8)),
        call={"attn_mask": Fixed(np.where(MASK, -1.5, 0.0)), "average_attn_weights": False},
    ),
    c(
        "MultiheadAttention",
        8,
        2,
        on=(x(3, 2, 8), x(3, 2, 8), x(3, 2, 8)),
        call={"attn_mask": Fixed(MASK), "is_causal": True, "need_weights": False},
    ),
    c("MultiheadAttention", 8, 2, 0.3, on=(x(3, 2, 8), x(3, 2, 8), x(3, 2, 8)), random=True),
    c("TransformerEncoderLayer", 8, 2, 16, 0.0, on=(3, 2, 8)),
    c("TransformerEncoderLayer", 8, 2, 16, 0.0, "gelu", batch_first=True, norm_first=True, on=(2, 3, 8)),
    c("TransformerEncoderLayer", 8, 2, 16, 0.1, bias=False, on=(3, 2, 8), random=True),
    c("TransformerEncoderLayer", 8, 2, 16, 0.0, on=(3, 2, 8), call={"src_mask": Fixed(MASK), "src_key_padding_mask": Fixed(PAD)}),
    c("TransformerDecoderLayer", 8, 2, 16, 0.0, on=(x(3, 2, 8), x(4, 2, 8))),
    c(
        "TransformerDecoderLayer",
        8,
        2,
        16,
        0.0,
        norm_first=True,
        batch_first=True,
        on=(x(2, 3, 8), x(2, 4, 8)),
        call={"tgt_mask": Fixed(MASK)},
    ),
    c("Transformer", 8, 2, 2, 2, 16, 0.0, on=(x(4, 2, 8), x(3, 2, 8))),
    c("Transformer", 8, 2, 1, 1, 16, 0.0, batch_first=True, norm_first=True, on=(x(2, 4, 8), x(2, 3, 8)), call={"tgt_mask": Fixed(MASK)}),
    c("Transformer", 8, 2, 1, 1, 16, on=(x(4, 2, 8), x(3, 2, 8)), random=True),
]

PROBS = x(4, 3, low=0.05, high=0.95)
LOSS = [
    *(c(name, on=(x(4, 3), x(4, 3, grad=False))) for name in ("L1Loss", "MSELoss", "SmoothL1Loss", "HuberLoss")),
    *(c(name, reduction=how, on=(x(4, 3), x(4, 3))) for name in ("L1Loss", "MSELoss") for how in ("sum", "none")),
    c("SmoothL1Loss", beta=0.5, on=(x(4, 3), x(4, 3))),
    c("HuberLoss", "sum", 0.5, on=(x(4, 3), x(4, 3))),
    c("CrossEntropyLoss", on=(x(4, 3), I((4,), 3))),
    c("CrossEntropyLoss", weight=np.array([0.2, 1.0, 2.0]), label_smoothing=0.1, on=(x(4, 3, 2), I((4, 2), 3))),
    c("CrossEntropyLoss", ignore_index=1, reduction="none", on=(x(4, 3), Fixed([0, 1, 2, 1]))),
    c("CrossEntropyLoss", on=(x(4, 3), PROBS)),
    c("CrossEntropyLoss", on=(x(3), Fixed(2))),
    c("LinearCrossEntropyLoss", 4, 3, on=(x(5, 4), I((5,), 3))),
    c("LinearCrossEntropyLoss", 4, 3, bias=True, out_features=(2, 3), on=(x(5, 4), I((5, 2, 3), 3))),
    c("LinearCrossEntropyLoss", 4, 3, bias=True, reduction="sum", label_smoothing=0.1, on=(x(5, 4), I((5,), 3))),
    c("NLLLoss", on=(x(4, 3), I((4,), 3))),
    c("NLLLoss", np.array([0.2, 1.0, 2.0]), reduction="sum", on=(x(2, 3, 4), I((2, 4), 3))),
    c("NLLLoss2d", on=(x(2, 3, 4, 4), I((2, 4, 4), 3))),
    c("BCELoss", on=(PROBS, x(4, 3, low=0, high=1, grad=False))),
    c("BCELoss", weight=np.array([0.2, 1.0, 2.0]), reduction="sum", on=(PROBS, x(4, 3, low=0, high=1))),
    c("BCEWithLogitsLoss", on=(x(4, 3), x(4, 3, low=0, high=1))),
    c("BCEWithLogitsLoss", pos_weight=np.array([0.2, 1.0, 2.0]), reduction="none", on=(x(4, 3), x(4, 3, low=0, high=1))),
    c("KLDivLoss", reduction="batchmean", on=(x(4, 3), PROBS)),
    c("KLDivLoss", reduction="sum", log_target=True, on=(x(4, 3), x(4, 3))),
    c("PoissonNLLLoss", on=(x(4, 3), x(4, 3, low=0, grad=False))),
    c("PoissonNLLLoss", log_input=False, full=True, on=(PROBS, x(4, 3, low=1.5, high=4, grad=False))),
    c("GaussianNLLLoss", on=(x(4, 3), x(4, 3), x(4, 3, low=0.1))),
    c("GaussianNLLLoss", full=True, reduction="sum", on=(x(4, 3), x(4, 3), x(4, 1, low=0.1))),
    c("CTCLoss", on=(x(6, 2, 4), Fixed([[1, 2, 2], [3, 1, 1]]), Fixed([6, 5]), Fixed([3, 1]))),
    c(
        "CTCLoss",
        blank=1,
        reduction="sum",
        zero_infinity=True,
        on=(x(3, 2, 4), Fixed([[2, 2, 2], [3, 2, 2]]), Fixed([3, 3]), Fixed([3, 2])),
    ),
    c("MarginRankingLoss", 0.3, on=(x(4), x(4), Sign((4,)))),
    c("CosineEmbeddingLoss", margin=0.2, on=(x(4, 3), x(4, 3), Sign((4,)))),
    c("HingeEmbeddingLoss", on=(x(4, 3), Sign((4, 3)))),
    c("SoftMarginLoss", on=(x(4, 3), Sign((4, 3)))),
    c("MultiMarginLoss", on=(x(4, 3), I((4,), 3))),
    c("MultiMarginLoss", 2, 0.5, np.array([0.2, 1.0, 2.0]), on=(x(4, 3), I((4,), 3))),
    c("MultiLabelMarginLoss", on=(x(2, 4), Fixed([[3, 0, -1, 1], [2, -1, 0, 0]]))),
    c("MultiLabelSoftMarginLoss", on=(x(4, 3), I((4, 3), 2))),
    c("TripletMarginLoss", on=(x(4, 3), x(4, 3), x(4, 3))),
    c("TripletMarginLoss", 0.5, p=1.0, swap=True, on=(x(4, 3), x(4, 3), x(4, 3))),
    c("TripletMarginWithDistanceLoss", margin=2.0, on=(x(4, 3), x(4, 3), x(4, 3))),
]

VISION = [
    c("Upsample", scale_factor=2, on=(1, 2, 3)),
    c("Upsample", size=(5, 7), on=(1, 2, 3, 4)),
    c("Upsample", scale_factor=(2.0, 1.5), mode="bilinear", align_corners=True, on=(1, 2, 4, 4)),
    c("Upsample", scale_factor=2.0, mode="bicubic", on=(1, 1, 4, 4)),
    c("Upsample", size=6, mode="linear", align_corners=False, on=(1, 2, 4)),
    c("Upsample", scale_factor=1.7, mode="nearest", recompute_scale_factor=True, on=(1, 2, 5)),
    c("Upsample", scale_factor=2, mode="trilinear", on=(1, 1, 2, 3, 2)),
    c("UpsamplingNearest2d", scale_factor=2, on=(1, 2, 3, 4)),
    c("UpsamplingBilinear2d", size=(6, 5), on=(1, 2, 3, 4)),
    c("PixelShuffle", 2, on=(1, 8, 3, 2)),
    c("PixelUnshuffle", 2, on=(1, 2, 6, 4)),
    c("ChannelShuffle", 2, on=(1, 6, 3, 3)),
    c("Unfold", 2, on=(1, 3, 4, 5)),
    c("Unfold", (2, 3), dilation=1, padding=1, stride=2, on=(1, 3, 4, 5)),
    c("Fold", (4, 5), 2, on=(1, 12, 12)),
    c("Fold", (4, 4), (2, 2), stride=2, on=(1, 12, 4)),
    c("CosineSimilarity", on=(x(4, 3), x(4, 3))),
    c("CosineSimilarity", dim=0, eps=1e-6, on=(x(4, 3), x(4, 3))),
    c("PairwiseDistance", on=(x(4, 3), x(4, 3))),
    c("PairwiseDistance", 1.0, keepdim=True, on=(x(4, 3), x(4, 3))),
]

CASES: list[Case] = [*LINEAR, *CONV, *POOL, *PAD_CASES, *NORM, *ACTIVATION, *DROPOUT, *EMBEDDING, *RECURRENT, *ATTENTION, *LOSS, *VISION]
