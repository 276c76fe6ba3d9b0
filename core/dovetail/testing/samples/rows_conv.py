"""Rows of convolution, transposed convolution, unfold and fold."""

import itertools

import numpy as np

from .row import Row, T


def per_dim(v, n):
    return tuple(v) if isinstance(v, tuple | list) else (v,) * n


def conv(x, w, b=None, stride=1, padding=0, dilation=1, groups=1):
    """The definition, one output position at a time."""
    n = w.ndim - 2
    stride, dilation = per_dim(stride, n), per_dim(dilation, n)
    if padding == "same":
        total = [d * (k - 1) for k, d in zip(w.shape[2:], dilation, strict=True)]
        sides = [(t // 2, t - t // 2) for t in total]
    else:
        sides = [(p, p) for p in per_dim(0 if padding == "valid" else padding, n)]
    x = np.pad(x, [(0, 0), (0, 0), *sides])
    reach = [d * (k - 1) + 1 for k, d in zip(w.shape[2:], dilation, strict=True)]
    outs = [(m - r) // s + 1 for m, r, s in zip(x.shape[2:], reach, stride, strict=True)]
    out = np.zeros((x.shape[0], w.shape[0], *outs), x.dtype)
    per = w.shape[0] // groups
    for at in itertools.product(*map(range, outs)):
        window = x[(..., *(slice(a * s, a * s + r, d) for a, s, r, d in zip(at, stride, reach, dilation, strict=True)))]
        for o in range(w.shape[0]):
            c = o // per * w.shape[1]
            part = window[:, c : c + w.shape[1]] * w[o]
            out[(slice(None), o, *at)] = part.reshape(len(x), -1).sum(1)
    return out if b is None else out + b.reshape(-1, *(1,) * n)


def transposed(x, w, b=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1):
    """Each input element writes its kernel."""
    n = w.ndim - 2
    stride, padding, extra, dilation = (per_dim(v, n) for v in (stride, padding, output_padding, dilation))
    full = [(m - 1) * s + d * (k - 1) + 1 + e for m, s, d, k, e in zip(x.shape[2:], stride, dilation, w.shape[2:], extra, strict=True)]
    out = np.zeros((x.shape[0], w.shape[1] * groups, *full), x.dtype)
    per = x.shape[1] // groups
    for at in itertools.product(*map(range, x.shape[2:])):
        for c in range(x.shape[1]):
            o = c // per * w.shape[1]
            spans = (slice(a * s, a * s + d * (k - 1) + 1, d) for a, s, d, k in zip(at, stride, dilation, w.shape[2:], strict=True))
            value = x[(slice(None), c, *at)].reshape(-1, 1, *(1,) * n)
            out[(slice(None), slice(o, o + w.shape[1]), *spans)] += value * w[c]
    out = out[(..., *(slice(p, m - p) for p, m in zip(padding, full, strict=True)))]
    return out if b is None else out + b.reshape(-1, *(1,) * n)


def unfold(x, kernel, dilation=1, padding=0, stride=1):
    k = per_dim(kernel, 2)
    c = x.shape[1]
    w = np.zeros((c * k[0] * k[1], 1, *k))
    for j, (i, t) in enumerate(itertools.product(range(c), np.ndindex(*k))):
        w[(j, 0, *t)] = 1
        assert j // (k[0] * k[1]) == i
    return conv(x, w, None, stride, padding, dilation, c).reshape(len(x), len(w), -1)


_E = [
    ([T(1, 3, 4, 4), T(2, 4, 2, 2)], {}, RuntimeError, "to have 4 channels, but got 3 channels instead"),
    ([T(4, 4), T(2, 4, 2, 2)], {}, RuntimeError, "Expected 3D (unbatched) or 4D (batched) input to conv2d"),
    ([T(1, 4, 4, 4), T(2, 4, 2, 2), T(3)], {}, RuntimeError, "expected bias to be 1-dimensional with 2 elements"),
    ([T(1, 4, 4, 4), T(2, 4, 5, 5)], {}, RuntimeError, "Kernel size can't be greater than actual input size"),
    ([T(1, 4, 4, 4), T(3, 2, 2, 2)], dict(groups=2), RuntimeError, "divisible by 2 at dimension 0"),
    ([T(1, 4, 4, 4), T(2, 4, 2, 2)], dict(stride=0), RuntimeError, "non-positive stride is not supported"),
    ([T(1, 4, 4, 4), T(2, 4, 2, 2)], dict(padding=-1), RuntimeError, "negative padding is not supported"),
    ([T(1, 4, 4, 4), T(2, 4, 2, 2)], dict(padding="same", stride=2), RuntimeError, "not supported for strided convolutions"),
    ([T(1, 4, 4, 4), T(2, 4, 2, 2)], dict(padding="foo"), RuntimeError, "Invalid padding string"),
    ([T(1, 4, 4, 4), T(2, 4, 2, 2, dtype="float32")], {}, RuntimeError, "should be the same"),
    ([T(1, 4, 4, 4), T(2, 4, 2, 2)], dict(stride=(1, 1, 1)), RuntimeError, "stride must be a single int or a tuple of 2 ints"),
]
_ET = [
    ([T(1, 3, 4, 4), T(2, 4, 2, 2)], {}, RuntimeError, "to have 2 channels, but got 3 channels instead"),
    ([T(1, 2, 4, 4), T(2, 4, 2, 2)], dict(output_padding=1), RuntimeError, "output padding must be smaller than either stride or dilation"),
    ([T(1, 2, 1, 1), T(2, 4, 2, 2)], dict(padding=1), RuntimeError, "Output size is too small"),
]

ROWS = [
    Row("conv1d", [T(2, 4, 7), T(3, 4, 3), T(3)], dict(stride=2, padding=1), ref=conv, promote=None,
        errors=[([T(1, 3, 4), T(2, 4, 2)], {}, RuntimeError, "to have 4 channels")]),
    Row("conv2d", [T(2, 3, 5, 6), T(4, 3, 3, 2), T(4)], ref=conv, promote=None, errors=_E,
        covers=("convolution", "convolution_input_grad", "convolution_weight_grad")),
    Row("conv2d", [T(2, 4, 5, 5), T(6, 2, 3, 3)], dict(stride=2, padding=1, groups=2), ref=conv, promote=None, name="groups"),
    Row("conv1d", [T(2, 3, 5, dtype="complex128"), T(4, 3, 2, dtype="complex128")], dict(stride=2), ref=conv, promote=None, name="complex"),
    Row("conv2d", [T(2, 3, 6, 6), T(6, 1, 3, 3), T(6)], dict(padding=2, dilation=2, groups=3), ref=conv, promote=None, name="depthwise"),
    Row("conv2d", [T(2, 3, 4, 5), T(2, 3, 1, 1)], dict(stride=(1, 2)), ref=conv, promote=None, name="1x1"),
    Row("conv2d", [T(2, 3, 4, 5), T(2, 3, 2, 3)], dict(padding="same"), ref=conv, promote=None, name="same"),
    Row("conv2d", [T(1, 2, 12, 12), T(3, 2, 3, 3)], dict(padding="valid"), ref=conv, promote=None, name="many positions"),
    Row("conv2d", [T(3, 4, 5), T(2, 3, 2, 2), T(2)], ref=lambda x, w, b: conv(x[None], w, b)[0], promote=None, name="one sample"),
    Row("conv3d", [T(1, 2, 3, 4, 3), T(2, 2, 2, 2, 2), T(2)], dict(padding=1, stride=2), ref=conv, promote=None,
        errors=[([T(1, 3, 4, 4, 4), T(2, 4, 2, 2, 2)], {}, RuntimeError, "to have 4 channels")]),
    Row("conv_transpose1d", [T(2, 4, 5), T(4, 3, 3), T(3)], dict(stride=2, padding=1, output_padding=1), ref=transposed, promote=None,
        errors=[([T(1, 3, 4), T(2, 4, 2)], {}, RuntimeError, "to have 2 channels")]),
    Row("conv_transpose1d", [T(2, 3, 4, dtype="complex128"), T(3, 2, 2, dtype="complex128")], dict(stride=2), ref=transposed, promote=None,
        name="complex"),
    Row("conv_transpose2d", [T(2, 4, 3, 3), T(4, 2, 3, 2), T(2)], ref=transposed, promote=None, errors=_ET),
    Row("conv_transpose2d", [T(2, 4, 3, 3), T(4, 3, 2, 2), T(6)], dict(stride=2, groups=2, dilation=2), ref=transposed, promote=None,
        name="groups"),
    Row("conv_transpose3d", [T(1, 2, 2, 3, 2), T(2, 2, 2, 2, 2), T(2)], dict(stride=(2, 1, 1)), ref=transposed, promote=None,
        errors=[([T(1, 3, 4, 4, 4), T(2, 4, 2, 2, 2)], {}, RuntimeError, "to have 2 channels")]),
    Row("conv_tbc", [T(5, 2, 3), T(2, 3, 4), T(4)], dict(pad=1), promote=None,
        ref=lambda x, w, b, pad: conv(x.transpose(1, 2, 0), w.transpose(2, 1, 0), b, 1, pad).transpose(2, 0, 1),
        errors=[([T(5, 2), T(2, 3, 4), T(4)], {}, RuntimeError, "Input must have 3 dims")]),
    Row("im2col", [T(2, 3, 5, 6), (3, 2)], dict(dilation=1, padding=1, stride=2), call="nn.functional.unfold", ref=unfold,
        covers=("col2im",),
        errors=[([T(1, 3, 2, 2), 3], {}, RuntimeError, "calculated shape of the array of sliding blocks")]),
    Row("col2im", [T(2, 8, 9), (4, 4), 2], call="nn.functional.fold",
        ref=lambda x, size, k: transposed(x.reshape(2, 8, 9, 1).transpose(0, 1, 3, 2).reshape(2, 8, 3, 3),
                                          np.eye(8).reshape(8, 2, 2, 2)),
        errors=[([T(1, 8, 4), (4, 4), 2], {}, RuntimeError, "to match the calculated number of sliding blocks"),
                ([T(1, 7, 9), (4, 4), 2], {}, RuntimeError, "divisible by the product of kernel_size")]),
]  # fmt: skip
