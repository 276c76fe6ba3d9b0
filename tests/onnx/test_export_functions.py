"""Functions, exported with free dimensions and compared in onnxruntime at sizes never traced, and at the oldest and newest opset."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

pytest.importorskip("onnxruntime")

import dovetail as dv
from dovetail_onnx import export
from tests.onnx.running import assert_same

nn, F = dv.nn, dv.nn.functional
X = dv.from_numpy(np.random.default_rng(0).random((2, 3, 8, 8), dtype=np.float32))
FREE = [{0: "n", 2: "h", 3: "w"}]
SQUARE = [{0: "n", 2: "h", 3: "h"}]
LEVELS = dv.tensor([0.1, 0.5, 0.9])


def whole(x):
    return (x * 20).long() - 10


def writes(x):
    y = x.clone()
    y[:, 0] = 1
    y[y > 0.5] = 0
    y[:, :, dv.tensor([1, 2])] = 2
    y.relu_()
    y.view(-1).add_(1)
    return y


def writes_through_views(x):
    y = x * 1
    z = y[:, 1]
    w = y.transpose(1, 2)[:, 0:2]
    z.mul_(3)
    w[..., 0] += 5
    y[0, 0, ::2] = x[0, 0, ::2] * 7
    return y, z, w


def writes_to_its_input(x):
    x[:, 0] *= 2
    return x + 1, x


def writes_to_new_memory(x):
    y = dv.zeros(x.shape[0], x.shape[3])
    y[:, 1:] = x[:, 0, 0, 1:]
    y[:, -1] += 2
    return y


def writes_through_a_mask(x):
    y = x.clone()
    y.transpose(0, 1)[:, x[:, 0] > 0.5] = 0
    return y


def causal(x):
    length = x.shape[-1]
    seen = dv.ones(length, length, dtype=dv.bool).tril()
    scores = (x @ x.transpose(-1, -2)) / length**0.5
    return scores.masked_fill(~seen, float("-inf")).softmax(-1) @ x + dv.arange(length)


INDEXING = {
    "slices": lambda x: x[-1, ..., None, -2:, :-3],
    "steps": lambda x: x[:, 1:, ::2, dv.tensor([1, 2])],
    "half": lambda x: x[:, :, : x.shape[2] // 2],
    "mask": lambda x: x[x > 0.5],
    "mask beside a slice": lambda x: x[:, x[0, :, 0, 0] > -1],
    "index arrays first": lambda x: x[dv.tensor([0, 1]), dv.tensor([1, 1])],
    "index arrays between": lambda x: x[:, dv.tensor([0, 1]), dv.tensor([1, -1])],
    "index arrays apart": lambda x: x[dv.tensor([0, 1]), :, dv.tensor([1, -1])],
    "masked_select": lambda x: x.masked_select(x > 0.5),
    "nonzero": lambda x: ((x > 0.9).nonzero(), dv.argwhere(x > 0.9)),
    "gather": lambda x: x.gather(1, (x * 3).long().clamp(0, 2)),
    "index_select": lambda x: x.index_select(1, dv.tensor([2, 0])),
    "index_add": lambda x: x.index_add(1, dv.tensor([0, 2]), x[:, :2]),
    "scatter": lambda x: x.scatter(1, (x[:, :1] * 3).long().clamp(0, 2), x * 2),
    "scatter_add": lambda x: dv.zeros_like(x).scatter_add(1, (x * 3).long().clamp(0, 2), x),
    "take": lambda x: x.take(dv.tensor([[0, 3], [5, 1]])),
    "one_hot": lambda x: F.one_hot((x * 4).long(), 5),
    "unbind": lambda x: x.unbind(1),
    **{f.__name__: f for f in (writes, writes_through_views, writes_to_its_input, writes_to_new_memory, writes_through_a_mask)},
}

SHAPES = {
    "view": lambda x: (x.view(x.shape[0], -1), x.reshape(x.shape[0] * 3, x.shape[2], x.shape[3]), x.permute(0, 2, 3, 1).reshape(-1, 3)),
    "flatten": lambda x: (x.flatten(1), x.flatten(), x.unsqueeze(-1).squeeze(-1)),
    "expand": lambda x: (x[:, :1].expand(-1, 4, -1, -1), x[:1].expand_as(x)),
    "repeat": lambda x: x.repeat(1, 2, 1, 1).repeat_interleave(2, 1).tile(2, 1),
    "movedim": lambda x: (x.movedim(1, -1), x.mT, x.swapaxes(0, 1)),
    "cat": lambda x: (dv.cat([x, x.long(), x[:, :1]], 1), dv.stack([x, x + 1], -1), dv.hstack([x, x])),
    "chunk": lambda x: (*x.chunk(3, 1), *x.split([1, 2], 1)),
    "flip": lambda x: x.flip(1, 3).roll(1, 2).roll((1, 2), (2, 3)),
    "roll all": lambda x: x.roll(3),
    "unfold": lambda x: x.unfold(2, 3, 2),
    "triangles": lambda x: (x.tril(-1) + x.triu(2), dv.tril(dv.ones(x.shape[2], x.shape[2]))),
    "windows": lambda x: F.unfold(F.pad(x, (1, 1, 2, 0)), 3),
    "pads": lambda x: (F.pad(x, (1, -1, 2, 0), value=2.0), F.pad(x, (1, 1, 2, 0), mode="reflect"), F.pad(x, (1, 1, 2, 0), mode="circular")),
    "new tensors": lambda x: dv.ones_like(x) + x.new_zeros(x.shape[0], 1, 1, 1) + dv.full((x.shape[2], 1), 2.0),
    "ranges": lambda x: (
        dv.arange(x.shape[0]) + dv.ones(x.shape[2], x.shape[0]).sum(0),
        dv.arange(2, x.shape[2] + 4, 2),
        dv.eye(x.shape[3]),
    ),
    "meshgrid": lambda x: dv.meshgrid(dv.arange(x.shape[2]), dv.arange(x.shape[3]), indexing="ij"),
    "structures": lambda x: {"a": x, "b": [x + 1, (x,)]},
}

MATHS = {
    "numbers of sizes": lambda x: x / x.shape[2] + x.shape[3] - x.numel() / x.shape[0] + x * x.shape[-1] ** -0.5,
    "types": lambda x: ((x * 10).double().to(dv.int64) // 2 + 1.5, x.half().float(), x > 0.5, (x > 0.5).float(), x.bool()),
    "integers": lambda x: (whole(x) // 3, whole(x) % 3, dv.div(whole(x), 3, rounding_mode="trunc"), dv.fmod(whole(x), 3), whole(x).abs()),
    "remainders": lambda x: ((x - 0.5) % 0.3, dv.fmod(x - 0.5, 0.3), (x - 0.5) // 0.3),
    "clamps": lambda x: (x.clamp(0.2, 0.8), x.clamp_min(dv.tensor(0.2)), whole(x).clamp(max=3), dv.maximum(x, 1 - x)),
    "powers": lambda x: (x**2 + 2**x + (x + 1) ** -0.5, (x + 1).rsqrt(), x.square(), x.sqrt()),
    "functions": lambda x: (x.sin() + x.atan2(x - 0.5), x.erf(), x.expm1(), x.log1p(), x.sinh(), dv.hypot(x, x), x.sinc()),
    "logarithms": lambda x: (dv.xlogy(x, x) + dv.logaddexp(x, x * 2), (x + 1).log2(), (x + 1).log10(), x.logit(0.1)),
    "rounding": lambda x: ((x * 100).round(), x.round(decimals=1), (x * -9).trunc(), (x * 9).frac(), (x * 9).ceil(), (x - 0.5).sign()),
    "nan_to_num": lambda x: ((x / 0 * 0).nan_to_num(1.5), (x / 0).isinf(), (x / 0 * 0).isnan(), x.isfinite()),
    "comparisons": lambda x: (
        ((x > 0.5) & (x < 0.7) | ~(x == 0.5)).any(1),
        (x > 0.5).all(3).all(2),
        x != x.round(),
        dv.isclose(x, x + 1e-9),
    ),
    "where": lambda x: (
        dv.where(x > 0.5, x, 0.0) + dv.where(x > 0.5, 1, 2),
        x.masked_fill(x > 0.5, -1),
        dv.isin(whole(x), dv.tensor([1, 2])),
    ),
    "searchsorted": lambda x: (dv.bucketize(x, LEVELS), dv.bucketize(x, LEVELS, right=True)),
    "sums": lambda x: (
        x.sum(),
        x.sum((2, 3)),
        x.mean(1, keepdim=True),
        (x > 0.5).sum(1),
        x.prod(1),
        x.logsumexp((1, 2)),
        x.count_nonzero(),
    ),
    "spreads": lambda x: (x.std(1), x.std((2, 3)), x.var(), x.var(dim=(1,), keepdim=True, unbiased=False)),
    "norms": lambda x: (x.norm(), x.norm(p=1, dim=2), x.norm(p=3, dim=1), x.norm(p=float("inf")), F.normalize(x)),
    "extremes": lambda x: (x.max(1), x.max(), x.argmax(), x.argmin(2), x.min(-1), x.amax((1, 2)), *x.aminmax()),
    "order": lambda x: (x.topk(2, -1), x.sort(-1), x.argsort(1, descending=True), x.kthvalue(2, 1), x.median(-1), x.median()),
    "running": lambda x: (x.cumsum(-1), x.logcumsumexp(1)),
    "unique": lambda x: whole(x).unique(),
    "einsum": lambda x: (dv.einsum("nchw,ncvw->nhv", x, x), dv.einsum("nchw,ncvw,nc->nhv", x, x, x[:, :, 0, 0])),
    "products": lambda x: (dv.outer(x[0, 0, 0], x[0, 0, :, 0]), dv.bmm(x[:, 0], x[:, 1].transpose(1, 2)), x.mT @ x, dv.cdist(x, x + 0.1)),
    "softmax": lambda x: (x.softmax(1), x.log_softmax(-1), F.softmin(x, 1), F.gelu(x), F.silu(x), F.softplus(x, 2.0, 1.0)),
    "normalisation": lambda x: (
        F.group_norm(x, 1),
        F.instance_norm(x),
        F.batch_norm(x, dv.zeros(3), dv.ones(3)),
        F.local_response_norm(x, 3),
    ),
}

IMAGES = {
    "attention": lambda x: (F.scaled_dot_product_attention(x, x, x), F.scaled_dot_product_attention(x, x, x, is_causal=True)),
    "masked attention": lambda x: F.scaled_dot_product_attention(x, x, x, attn_mask=x[:1, :1, :, :1] > 0.3),
    "grid_sample": lambda x: F.grid_sample(x, x[:, :2].permute(0, 2, 3, 1) * 2.4 - 1.2, align_corners=False),
    "nearest grid": lambda x: F.grid_sample(x, x[:, :2].permute(0, 2, 3, 1) * 3 - 1.5, "nearest", "reflection", align_corners=True),
    "by a factor": lambda x: F.interpolate(x, scale_factor=1.5, mode="bilinear"),
    "to sizes": lambda x: F.interpolate(x, size=(x.shape[2] * 2, x.shape[3] // 2)),
    "to its own size": lambda x: F.interpolate(x, size=x.shape[2:], mode="bilinear", align_corners=True),
    "area": lambda x: F.interpolate(x, size=(3, 5), mode="area"),
    "nearest-exact": lambda x: F.interpolate(x, scale_factor=1.7, mode="nearest-exact"),
    "adaptive": lambda x: (F.adaptive_avg_pool2d(x, (2, 3)), F.adaptive_avg_pool2d(x, 1), F.adaptive_max_pool2d(x, 1)),
    "cosine_similarity": lambda x: F.cosine_similarity(x, x.flip(1)),
}

ADDING = {"index_add", "scatter_add"}  # ONNX adds where indices point since opset 16
TABLE = {**INDEXING, **SHAPES, **MATHS, **IMAGES}


@pytest.mark.parametrize("name", TABLE)
def test_at_sizes_never_traced(name):
    proto = export(TABLE[name], X, dynamic_shapes=FREE)
    for n, h, w in ((9, 12, 15), (3, 16, 12)):
        assert_same(proto, TABLE[name], X, {"n": n, "h": h, "w": w}, FREE)


@pytest.mark.parametrize("name", TABLE)
def test_oldest_and_newest_opset(name):
    for opset in (16 if name in ADDING else 13, onnx.defs.onnx_opset_version()):
        proto = export(TABLE[name], X, opset=opset)  # which verifies it
        assert proto.opset_import[0].version == opset


def test_squares():
    functions = (
        causal,
        lambda x: x.diagonal(0, 2, 3),
        lambda x: x + dv.linspace(-1, 1, x.shape[2]),
        lambda x: x + dv.from_numpy(np.triu(np.full((1, x.shape[2], x.shape[2]), -np.inf, "f"), 1)),
        lambda x: x.masked_fill(dv.from_numpy(np.tri(x.shape[2], dtype=bool)), 0),
        lambda x: x + nn.Transformer.generate_square_subsequent_mask(x.shape[2]),
        lambda x: x + (dv.arange(x.shape[2])[None, :] - dv.arange(x.shape[3])[:, None]) * 0.5,
        lambda x: x + dv.arange(x.shape[2] - 1, -1, -1) + dv.tensor(x.shape[2]) + dv.tensor([1.0 / x.shape[2]]),
    )
    for function in functions:
        proto = export(function, X, dynamic_shapes=SQUARE)
        assert_same(proto, function, X, {"n": 5, "h": 19}, SQUARE)


def test_multiples():
    """A dimension that must be a multiple is found to be one."""

    def parts(x):
        n, c, h, w = x.shape
        blocks = x.view(n, c, h // 4, 4, w // 2, 2).permute(0, 2, 4, 3, 5, 1)
        return blocks.reshape(-1, 8, c), F.pixel_unshuffle(x, 2)

    proto = export(parts, X, dynamic_shapes=FREE)
    assert_same(proto, parts, X, {"n": 3, "h": 64, "w": 20}, FREE)


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
def test_antialias(mode):
    def smaller(x):
        return F.interpolate(x, scale_factor=0.5, mode=mode, antialias=True)

    assert_same(export(smaller, X, dynamic_shapes=FREE), smaller, X, {"n": 3, "h": 64, "w": 20}, FREE)
    with pytest.raises(NotImplementedError, match="antialiasing needs opset 18, got 17; export with a newer opset"):
        export(smaller, X, opset=17)


@pytest.mark.parametrize("name", sorted(ADDING))
def test_adding_up(name):
    with pytest.raises(NotImplementedError, match=f"export: {name}: adding up where an index points needs opset 16, got 15"):
        export(TABLE[name], X, opset=15)


def test_bits():
    def bits(x):
        return ((x * 100).int() & 7) | ((x * 10).int() ^ 3)

    export(bits, X)
    with pytest.raises(NotImplementedError, match="bitwise and of integers needs opset 18"):
        export(bits, X, opset=17)


@pytest.mark.parametrize("dtype", ["float64", "float16"])
def test_other_floating_types(dtype):
    model = dv.nn.Sequential(dv.nn.Linear(8, 4), dv.nn.GELU(), dv.nn.LayerNorm(4)).to(getattr(dv, dtype))
    proto = export(model, X.to(getattr(dv, dtype)))
    assert {w.data_type for w in proto.graph.initializer} == {getattr(onnx.TensorProto, {"float64": "DOUBLE", "float16": "FLOAT16"}[dtype])}
