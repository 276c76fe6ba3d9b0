"""How results lie in memory: strides, and which results share memory, on inputs that are transposed, expanded or cut."""

from __future__ import annotations

import copy
import functools
import itertools
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import dovetail as dv

INPUTS: dict[str, Callable[[Any], Any]] = {
    "contiguous": lambda T: T.arange(24.0).reshape(2, 3, 4),
    "last two": lambda T: T.arange(24.0).reshape(2, 3, 4).transpose(1, 2),
    "first two": lambda T: T.arange(24.0).reshape(2, 3, 4).transpose(0, 1),
    "reversed": lambda T: T.arange(24.0).reshape(2, 3, 4).transpose(0, 2),
    "rotated": lambda T: T.arange(24.0).reshape(2, 3, 4).permute(1, 2, 0),
    "expanded": lambda T: T.arange(4.0).expand(2, 3, 4),
    "expanded inside": lambda T: T.arange(8.0).reshape(2, 1, 4).expand(2, 3, 4),
    "cut": lambda T: T.arange(48.0).reshape(2, 3, 8)[..., ::2],
    "cut and transposed": lambda T: T.arange(48.0).reshape(2, 8, 3)[:, ::2].transpose(1, 2),
    "one sample": lambda T: T.arange(12.0).reshape(1, 3, 4).transpose(1, 2),
    "heads": lambda T: T.arange(120.0).reshape(2, 3, 4, 5).transpose(1, 2),
    "expanded images": lambda T: T.arange(20.0).reshape(4, 5).expand(2, 3, 4, 5),
    "matrix": lambda T: T.arange(12.0).reshape(3, 4).t(),
    "expanded rows": lambda T: T.arange(3.0).expand(4, 3),
    "channels last": lambda T: T.arange(120.0).reshape(2, 3, 4, 5).contiguous(memory_format=T.channels_last),
}

COPIES = """
x.clone(); x.clone(memory_format=T.preserve_format); x.contiguous(); x.detach().clone(); x[None].clone(); x.diagonal(0, -2, -1).clone()
T.zeros_like(x); T.ones_like(x); T.empty_like(x); T.full_like(x, 2); T.rand_like(x); T.randn_like(x); T.randint_like(x, 3)
x.double(); x.to(T.int64); x.bool(); x.half(); x.to(x.dtype, copy=True); x.to(T.complex64).conj().clone(); x.long() + x; x.half() + x.half()
T.tensor(x); T.tensor(x.numpy()); x.new_tensor(x); x.long().floor()
x.flip(0); x.flip(-1); x.rot90(); x.nan_to_num(); x.half().exp(); x.lgamma(); x.digamma(); x.long() / 2; T.nn.functional.pad(x, (-1, 0))
x.index_fill(1, T.tensor([0]), 1.); x.put(T.tensor([0]), T.tensor([1.])); x.index_put((T.tensor([0]),), T.tensor(1.))
"""
FRESH = """
T.cat([x, x]); T.cat([x, x], -1); T.hstack([x, x]); T.vstack([x, x]); T.stack([x, x], -1); x.roll(1, 0); x.roll(1)
F.softmax(x, -1); F.softmax(x, 0); F.log_softmax(x, 1); F.softmin(x, 1); F.logsigmoid(x); F.glu(T.cat([x, x], 0), 0)
x.cumsum(0); x.cumsum(-1); x.cumprod(1); x.cummax(1); x.cummin(0); x.logcumsumexp(1); T.cumulative_trapezoid(x, dim=1)
x.sum(0); x.sum(1); x.sum(-1); x.sum(1, keepdim=True); x.sum((0, 1)); x.mean(1); x.mean(-1, keepdim=True); x.nansum(1); x.prod(1)
x.std(1); x.var(0); x.var(1, keepdim=True); T.var_mean(x, 1); T.std_mean(x, 0); x.all(1); x.any(0); x.count_nonzero(1); x.logsumexp(1)
x.amax(1); x.amin(0); x.aminmax(dim=0); x.max(1); x.min(0); x.argmax(1); x.median(1); x.mode(1); x.kthvalue(1, 1); x.norm(dim=1)
x.norm(1, 1); F.cosine_similarity(x, x, dim=1); F.pairwise_distance(x, x); T.cdist(x, x); T.trapezoid(x, dim=1)
x.masked_fill(x > 3, 1.); x.masked_fill(x[0] > 3, 0.); x.tril(); x.triu(1); x.gather(1, x.long() * 0); F.one_hot(x.long(), 120)
x.repeat(*[1] * x.dim()); x.repeat(*[2] * x.dim()); x.tile(2); x.repeat_interleave(2, 0); x.repeat_interleave(1, 1); x.repeat_interleave(2)
F.layer_norm(x, x.shape[-1:]); F.batch_norm(x, None, None, training=True); F.instance_norm(x); x.topk(2, 1); x.to(T.complex64).angle()
F.batch_norm(x, T.zeros(x.shape[1]), T.ones(x.shape[1])); F.scaled_dot_product_attention(x, x, x); x @ x.transpose(-1, -2)
F.scaled_dot_product_attention(x, x, x, is_causal=True); F.linear(x, T.ones(5, x.shape[-1])); T.einsum('...ij->...ji', x)
T.einsum('...ij->...j', x); T.cat([x, T.zeros(x.shape)], 1); T.cat([T.zeros(x.shape), x], -1)
"""
ELEMENTWISE = """
x.exp(); x + 1; x * x; x > 3; x + x.sum(); x.clamp(0, 3); x.relu(); x.abs(); x.lerp(x, .5); F.gelu(x); F.silu(x); F.dropout(x, .5, False)
x - x[:1]; T.where(x > 3, x, 1.); x.addcmul(x, x); F.mse_loss(x, x, reduction='none'); x.logical_not(); x.isnan(); T.complex(x, x)
"""
CALLS = [call.strip() for lines in (COPIES, FRESH, ELEMENTWISE) for call in lines.replace("\n", ";").split(";") if call.strip()]


def strides(out: Any) -> Any:
    """The strides of a result or of each of several; those of dimensions of length 1 mean nothing."""
    if isinstance(out, tuple):
        return tuple(strides(one) for one in out)
    return tuple(None if n == 1 else s for n, s in zip(out.shape, out.stride(), strict=True)) if out.numel() else None


def answer(T: Any, call: str, given: str) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return strides(eval(call, {"T": T, "F": T.nn.functional, "x": INPUTS[given](T)}))  # noqa: S307
    except (RuntimeError, ValueError):
        return "refused"


@pytest.mark.parametrize("call", CALLS)
def test_strides(call: str) -> None:
    for given in INPUTS:
        want, got = answer(torch, call, given), answer(dv, call, given)
        assert got == want, f"{given}: {got}, PyTorch's are {want}"


@pytest.mark.parametrize(
    ("q", "k", "v", "options"),
    [
        ((2, 4, 3, 8), (2, 4, 3, 8), (2, 4, 3, 8), {}),
        ((2, 4, 3, 8), (2, 6, 3, 8), (2, 6, 3, 8), {}),
        ((2, 4, 3, 8), (2, 4, 3, 8), (2, 4, 3, 8), {"is_causal": True}),
        ((2, 4, 3, 8), (2, 4, 3, 8), (2, 4, 3, 8), {"dropout_p": 0.5}),
        ((2, 4, 3, 8), (1, 4, 3, 8), (1, 4, 3, 8), {}),
        ((2, 4, 3, 8), (2, 4, 3, 8), (2, 4, 3, 5), {}),
        ((4, 3, 8), (4, 3, 8), (4, 3, 8), {}),
    ],
)
@pytest.mark.parametrize("grad", [False, True])
def test_attention_lies_as_its_query(q: Any, k: Any, v: Any, options: Any, grad: bool) -> None:
    found = []
    for T in (torch, dv):
        given = [T.ones(*shape, requires_grad=grad).transpose(-3, -2) for shape in (q, k, v)]
        found.append(strides(T.nn.functional.scaled_dot_product_attention(*given, **options)))
    assert found[0] == found[1]


@pytest.mark.parametrize("order", [*itertools.permutations(range(3))])
def test_attention_of_heads_in_any_order(order: tuple[int, ...]) -> None:
    """As `MultiheadAttention` has them, (L, N, heads, E) in memory with gaps between rows: values, gradients, the result's layout."""
    draw = np.random.default_rng(0).standard_normal
    arrays = [draw([(2, 3, 5)[d] for d in order] + [2 * 4]).astype("f") for _ in range(3)]
    found = []
    for T in (torch, dv):
        given = [T.from_numpy(a.copy())[..., :4].permute(*(order.index(d) for d in range(3)), 3).requires_grad_() for a in arrays]
        out = T.nn.functional.scaled_dot_product_attention(*given)
        found.append((strides(out), [t.detach().numpy() for t in (out, *T.autograd.grad((out * out).sum(), given))]))
    assert found[0][0] == found[1][0]
    for mine, theirs in zip(found[1][1], found[0][1], strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-5)


# each gives the input after its result was written to, and the result: (made of, call)
WRITTEN = [
    ("T.arange(3.)", "x.repeat(2, 1)"),
    ("T.arange(2.).reshape(2, 1)", "x.repeat(1, 4)"),
    ("T.arange(2.)", "x.repeat(1)"),
    ("T.arange(2.)", "x.tile(2, 1)"),
    ("T.arange(3.).reshape(1, 3)", "x.repeat_interleave(3, 0)"),
    ("T.ones(1)", "x.repeat_interleave(3)"),
    ("T.arange(4.).reshape(1, 1, 2, 2)", "T.pixel_shuffle(x, 1)"),
    ("T.arange(4.).reshape(1, 4, 1, 1)", "T.pixel_shuffle(x, 2)"),
    ("T.arange(4.).reshape(1, 4, 1, 1)", "T.pixel_unshuffle(x, 1)"),
    ("T.arange(4.).reshape(1, 4, 1, 1)", "T.channel_shuffle(x, 1)"),
    ("T.arange(3.).expand(2, 3).clone()", "x.flatten()"),
    ("T.zeros(3, 3)", "T.einsum('ii->i', x)"),
    ("T.zeros(2, 3)", "T.einsum('ij->ji', x)"),
    ("T.zeros(2, 3, 3)", "T.einsum('...i->i...', x)"),
    ("T.zeros(2, 3)", "T.einsum('ij->i', x)"),
    ("T.zeros(2, 3)", "T.einsum(x, [0, 1], [1, 0])"),
]


@pytest.mark.parametrize(("made", "call"), WRITTEN)
def test_written_results(made: str, call: str) -> None:
    found = []
    for T in (torch, dv):
        x = eval(made, {"T": T})  # noqa: S307
        out = eval(call, {"T": T, "x": x})  # noqa: S307
        out[0] = 9
        out.mul_(2)
        found.append([x.tolist(), out.tolist()])
    assert found[0] == found[1]


@pytest.mark.parametrize("given", ["last two", "reversed", "heads", "matrix", "channels last"])
def test_deep_copies_keep_their_layout(given: str) -> None:
    found = []
    for T in (torch, dv):
        x = INPUTS[given](T)
        found.append([strides(copy.deepcopy(one)) for one in (x, T.nn.Parameter(x), x.clone().requires_grad_())])
    assert found[0] == found[1]


def test_gradients_of_what_is_repeated() -> None:
    found: list[Any] = []
    for T in (torch, dv):
        grads = []
        for call in (lambda x: x.repeat(2, 2), lambda x: x.repeat_interleave(2, 1), lambda x: x.repeat(0, 3), lambda x: x.tile(3, 1, 2)):
            x = T.arange(3.0).reshape(1, 3).requires_grad_()
            y = call(x)
            y[..., 0] = 9  # no view of a leaf
            (y * y).sum().backward()
            grads.append(x.grad.tolist())
        found.append(grads)
    assert found[0] == found[1]


@pytest.mark.parametrize("given", INPUTS)
def test_random_numbers_land_where_pytorch_puts_them(given: str) -> None:
    found = []
    for T in (torch, dv):
        T.manual_seed(0)
        x = INPUTS[given](T)
        found.append([T.rand_like(x).tolist(), T.randint_like(x, 9).tolist(), x.clone().uniform_().tolist()])
    assert found[0] == found[1]


# x, one and volume lie in channels-last order, weights and ys do not; `last(…)` puts into it
IMAGES = """
conv2d(x, w, b); conv2d(x, w); conv2d(y, last(w)); conv2d(x, last(w)); conv2d(x, T.ones(4, 1, 3, 3), groups=4)
conv2d(x, T.ones(6, 4, 1, 1)); conv2d(y, last(T.ones(4, 1, 3, 3)), groups=4); conv2d(y, last(T.ones(6, 4, 1, 1)))
conv2d(x.double(), w.double()); conv2d(x.bfloat16(), w.bfloat16()); conv2d(one, w, stride=2, padding=1); conv2d(x, w, dilation=2)
conv2d(last(T.ones(2, 1, 6, 8)), T.ones(6, 1, 3, 3)); conv2d(x[0], w); conv2d(T.ones(2, 6, 8, 8).permute(0, 3, 1, 2)[:, :4], w)
conv2d(y, w); conv3d(volume, T.ones(6, 4, 3, 3, 3))
conv3d(T.ones(2, 4, 5, 6, 8), T.ones(6, 4, 3, 3, 3).contiguous(memory_format=T.channels_last_3d)); conv_transpose2d(x, T.ones(4, 6, 3, 3))
conv_transpose2d(y, last(T.ones(4, 6, 3, 3))); conv_transpose2d(x, T.ones(4, 6, 3, 3), stride=2, padding=1)
conv_transpose3d(volume, T.ones(4, 6, 3, 3, 3)); max_pool2d(x, 2); max_pool2d(x, 2, return_indices=True); max_pool2d(one, 2)
max_pool2d(x.long(), 2); avg_pool2d(x, 2); lp_pool2d(x, 2, 2); adaptive_avg_pool2d(x, (2, 3)); adaptive_avg_pool2d(x, (4, 5))
adaptive_max_pool2d(x, (2, 3)); adaptive_max_pool2d(x, (2, 3), return_indices=True); max_pool3d(volume, 2); avg_pool3d(volume, 2)
adaptive_avg_pool3d(volume, 2); adaptive_max_pool3d(volume, 2); fractional_max_pool2d(x, 2, output_size=2)
max_unpool2d(*F.max_pool2d(x, 2, return_indices=True), 2); batch_norm(x, b[:4], b[:4] + 1); batch_norm(x, None, None, training=True)
batch_norm(volume, None, None, training=True); batch_norm(volume, b[:4], b[:4] + 1); instance_norm(x); group_norm(x, 2)
group_norm(volume, 2); layer_norm(x, (8,)); interpolate(x, scale_factor=2); interpolate(x, scale_factor=2, mode='bilinear')
interpolate(x, scale_factor=2, mode='bicubic'); interpolate(x, scale_factor=2, mode='nearest-exact')
interpolate(x, scale_factor=2, mode='area'); interpolate(one, scale_factor=2)
interpolate(x, size=(3, 4), mode='bilinear', antialias=True); interpolate(volume, scale_factor=2)
interpolate(volume, scale_factor=2, mode='trilinear'); interpolate(x, size=(6, 8)); pad(x, (1, 1, 1, 1))
pad(x, (1, 1, 1, 1), mode='reflect'); pad(x, (1, 1, 1, 1), mode='replicate'); channel_shuffle(x, 2); pad(x, (1, 1, 1, 1), mode='circular')
pad(volume, (1, 1, 1, 1, 1, 1)); pad(volume, (1, 1, 1, 1, 1, 1), mode='replicate'); pixel_unshuffle(x, 2)
grid_sample(x, T.zeros(2, 3, 4, 2), align_corners=False); unfold(x, 3); dropout2d(x, .5); dropout(x, .5); prelu(x, T.ones(4))
normalize(x); hardswish(x)
"""


@pytest.mark.parametrize("call", [call.strip() for call in IMAGES.replace("\n", ";").split(";") if call.strip()])
def test_images_in_channels_last_order_stay_in_it(call: str) -> None:
    found = []
    for T in (torch, dv):
        last = functools.partial(T.Tensor.contiguous, memory_format=T.channels_last)
        given = {
            "x": last(T.ones(2, 4, 6, 8)),
            "y": T.ones(2, 4, 6, 8),
            "one": last(T.ones(1, 4, 6, 8)),
            "w": T.ones(6, 4, 3, 3),
            "b": T.zeros(6),
        }
        given["volume"] = T.ones(2, 4, 5, 6, 8).contiguous(memory_format=T.channels_last_3d)
        for form in (T.nn.functional, T):  # `F.pad`, `T.channel_shuffle` …
            if hasattr(form, call.partition("(")[0]):
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    found.append(strides(eval(f"form.{call}", {"form": form, "T": T, "F": T.nn.functional, "last": last, **given})))  # noqa: S307
                break
    assert found[1] == found[0]


def test_a_whole_network_in_channels_last_order() -> None:
    """PyTorch's own demonstration: a converted model keeps the order of its input; so do gradients of images."""
    for T in (torch, dv):
        nn = T.nn
        net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 4, 3)).to(
            memory_format=T.channels_last
        )
        x = T.ones(2, 3, 16, 16).to(memory_format=T.channels_last).requires_grad_()
        out = net(x)
        assert out.is_contiguous(memory_format=T.channels_last) and not out.is_contiguous()
        assert net[0].weight.is_contiguous(memory_format=T.channels_last)
        out.sum().backward()
        with pytest.raises(RuntimeError, match="view size is not compatible"):
            out.view(2, -1)
