"""What PyTorch takes where arithmetic would take more, op by op in one place: tensors alone, real numbers alone.

`Op` reads the tables once; a call that is in order never meets them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["DIM_WITH_KEEPDIM", "ONE_TYPE", "REAL", "TENSORS", "TENSOR_FIRST", "plain_types"]

# no Python number may stand for any array of these
TENSORS = frozenset(
    "addcdiv addcmul atan2 fmax fmin gcd gru_layer huber_loss hypot isclose l1_loss layer_norm lcm linear logaddexp logaddexp2 "
    "logical_and logical_or logical_xor lstm_layer maximum minimum mse_loss nextafter prelu rnn_layer scatter_add scatter_reduce "
    "smooth_l1_loss".split()
)
# nor for the first of these
TENSOR_FIRST = frozenset("clamp_between copysign eq fmod ge gt le lt ne".split())
# complex numbers have no place in these
REAL = frozenset(
    "amax amin argmax argmin argsort attention avg_pool batch_norm batch_norm_infer bincount clamp_between cross_entropy ctc cummax "
    "cummin deg2rad digamma elu erfc erfinv gelu gru_layer hardshrink hardsigmoid hardswish hardtanh huber_loss i0 i1 "
    "kthvalue leaky_relu lgamma log_softmax logit logsigmoid lstm_layer max max_of_ranges max_pool maximum min minimum mish mode "
    "mse_loss nansum polygamma prelu rad2deg relu resample rnn_layer round signbit smooth_l1_loss softmax softplus softshrink sort "
    "threshold topk xlogy".split()
)
# beside half precision a number among the arguments of these is rounded to it; see _prepare.py
ROUNDED = frozenset(("add_scaled", "hardshrink"))
# the tensors of these have one type; nothing is promoted
ONE_TYPE = frozenset("gru_layer lstm_layer rnn_layer".split())
# keepdim means nothing to these where dim is not given
DIM_WITH_KEEPDIM = frozenset("mean prod sum".split())

_FLOATS = frozenset(np.dtype(t) for t in "efd")
_COMPLEX = _FLOATS | {np.dtype(t) for t in "FD"}
_REALS = _FLOATS | {np.dtype(t) for t in "?BHILQbhilq"}


def plain_types(name: str, dtypes: str | None) -> frozenset[Any]:
    """The NumPy types that an op takes as they are, when all its arrays have that one."""
    found = _REALS if dtypes in (None, "promote") else _FLOATS
    return (found if name in REAL else found | _COMPLEX) - ({np.dtype("e")} if name in ROUNDED else set())
