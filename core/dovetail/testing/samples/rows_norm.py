"""Rows of the norms."""

import numpy as np

from .row import I, Row, T

_F = "nn.functional."


def standard(x, axes, eps=1e-5):
    return (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + eps)


def channel(t, x):
    return t.reshape(-1, *(1,) * (x.ndim - 2))


def layer(x, shape, w=None, b=None, eps=1e-5):
    out = standard(x, tuple(range(-len(shape), 0)), eps)
    out = out if w is None else out * w
    return out if b is None else out + b


def rms(x, shape, w=None, eps=None):
    axes = tuple(range(-len(shape), 0))
    out = x / np.sqrt((x * x).mean(axes, keepdims=True) + eps)
    return out if w is None else out * w


def group(x, groups, w=None, b=None, eps=1e-5):
    out = standard(x.reshape(len(x), groups, -1), -1, eps).reshape(x.shape)
    return out if w is None else out * channel(w, x) + channel(b, x)


def batch(x, mean, var, w=None, b=None, training=False, momentum=0.1, eps=1e-5):
    if training:
        out = standard(x, (0, *range(2, x.ndim)), eps)
    else:
        out = (x - channel(mean, x)) / np.sqrt(channel(var, x) + eps)
    return out if w is None else out * channel(w, x) + channel(b, x)


def instance(x, mean=None, var=None, w=None, b=None):
    out = standard(x, tuple(range(2, x.ndim)))
    return out if w is None else out * channel(w, x) + channel(b, x)


def response(x, size, alpha=1e-4, beta=0.75, k=1.0):
    padded = np.pad(x * x, [(0, 0), (size // 2, (size - 1) // 2), *[(0, 0)] * (x.ndim - 2)])
    mean = sum(padded[:, i : i + x.shape[1]] for i in range(size)) / size
    return x / (k + alpha * mean) ** beta


_V = T(4, positive=True, grad=False)
_M = T(4, grad=False)

ROWS = [
    Row("layer_norm", [T(3, 4, 5), (5,), T(5), T(5)], call=f"{_F}layer_norm", ref=layer, covers=("layer_norm_grad",), promote=None,
        errors=[([T(2, 3), (4,)], {}, RuntimeError, "Given normalized_shape=[4], expected input with shape [*, 4]"),
                ([T(2, 3), (3,), T(4)], {}, RuntimeError, "Expected weight to be of same shape as normalized_shape"),
                ([I(2, 3, high=4), (3,)], {}, RuntimeError, "not implemented for")]),
    Row("layer_norm", [T(2, 3, 4), (3, 4)], call=f"{_F}layer_norm", ref=layer, promote=None, name="two dimensions"),
    Row("rms_norm", [T(3, 4, 5), (5,), T(5)], dict(eps=1e-5), call=f"{_F}rms_norm", ref=rms, promote=None,
        errors=[([T(2, 3), (4,)], {}, RuntimeError, "Given normalized_shape=[4]")]),
    Row("group_norm", [T(3, 4, 5), 2, T(4), T(4)], call=f"{_F}group_norm", ref=group, promote=None,
        errors=[([T(2, 3, 4), 2], {}, RuntimeError, "to be divisible by num_groups"),
                ([T(2, 4, 4), 2, T(3)], {}, RuntimeError, "number of channels in input"),
                ([T(1, 2), 2], {}, ValueError, "Expected more than 1 value per channel")]),
    Row("group_norm", [T(3, 4, 2, 3), 4], call=f"{_F}group_norm", ref=group, promote=None, name="each channel"),
    Row("batch_norm", [T(5, 4, 3), None, None, T(4), T(4), True], call=f"{_F}batch_norm", ref=batch, covers=("batch_norm_grad",),
        promote=None,
        errors=[([T(1, 3), None, None], dict(training=True), ValueError, "Expected more than 1 value per channel when training"),
                ([T(2, 3), None, None], {}, RuntimeError, "Expected running_mean to be defined when training=False"),
                ([T(2, 3), T(4), T(3)], {}, RuntimeError, "running_mean should contain 3 elements not 4")]),
    Row("batch_norm", [T(6, 4), None, None, T(4), T(4), True], call=f"{_F}batch_norm", ref=batch, promote=None, name="rows"),
    Row("batch_norm", [T(3, 4, 2, 2), None, None], dict(training=True, eps=1e-3), call=f"{_F}batch_norm", ref=batch, promote=None,
        name="images"),
    Row("batch_norm", [T(3, 4, 2), _M, _V, T(4), T(4)], call=f"{_F}batch_norm", ref=batch, covers=("batch_norm_infer",), promote=None,
        name="running"),
    Row("instance_norm", [T(3, 4, 5), None, None, T(4), T(4)], call=f"{_F}instance_norm", ref=instance, promote=None,
        errors=[([T(2, 3, 1)], {}, ValueError, "Expected more than 1 spatial element when training")]),
    Row("local_response_norm", [T(2, 5, 3), 3], dict(alpha=0.1, k=2.0), call=f"{_F}local_response_norm", ref=response, promote=None,
        errors=[([T(2, 3), 2], {}, ValueError, "Expected 3D or higher dimensionality input")]),
]  # fmt: skip
