"""Values and gradients at the points where a function bends or ends: bounds, ties, zeros, infinities and NaN, in both float types."""

from __future__ import annotations

import math
import warnings
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

import dovetail as dv

pytestmark = pytest.mark.parity

BENDS = [-6.0, -3.0, -1.0, -0.5, -0.0, 0.0, 0.5, 1.0, 3.0, 6.0]
ENDS = [math.nan, math.inf, -math.inf, 0.0, -0.0, 1.0, -1.0]
TIES = [0.0, 1.0, -1.0, 2.0, 0.0, -0.0], [0.0, 1.0, 1.0, -2.0, -0.0, 3.0]

OF_ONE = """
    F.relu(x) | F.relu6(x) | F.hardtanh(x) | F.hardswish(x) | F.hardsigmoid(x) | x.abs() | F.leaky_relu(x,0.1) | F.elu(x) | F.selu(x) |
    F.celu(x) | F.softshrink(x) | F.hardshrink(x) | F.tanhshrink(x) | F.threshold(x,0.5,-1) | F.softplus(x) | F.softsign(x) |
    F.logsigmoid(x) | F.mish(x) | F.silu(x) | F.gelu(x) | F.gelu(x,approximate='tanh') | x.clamp(-1,1) | x.clamp(min=0.5) |
    x.clamp(max=0.5) | x.clamp(1,-1) | T.clip(x,T.tensor(-1.0),T.tensor(1.0)) | x.sign() | x.floor() | x.ceil() | x.round() |
    x.trunc() | x.frac() | x.sqrt() | x.rsqrt() | x.reciprocal() | x.log() | x.log1p() | x.log2() | x.log10() | x.exp() | x.expm1() |
    x.exp2() | x.sin() | x.tan() | x.asin() | x.acos() | x.atan() | x.sinh() | x.asinh() | x.acosh() | x.atanh() | x.erf() | x.erfc() |
    x.erfinv() | x.lgamma() | x.digamma() | x.sigmoid() | x.logit() | x.logit(0.1) | x.pow(0) | x.pow(2) | x.pow(0.5) | x.pow(-1) |
    x.pow(3) | T.pow(0.0,x) | T.pow(2,x) | x.sinc() | x.i0() | T.special.entr(x) | T.special.xlog1py(x,x) | x.nan_to_num() |
    x.deg2rad() | x.square() | T.special.ndtr(x) | T.special.log_ndtr(x) | T.special.i1(x) | T.special.erfcx(x) | x.remainder(3) |
    x.fmod(3) | x.prod() | x.cumsum(0) | x.cumprod(0) | x.logcumsumexp(0) | x.max() | x.min() | x.amax() | x.amin() | x.max(0)[0] |
    x.median() | x.nanmedian() | x.mean() | x.std() | x.var(unbiased=False) | x.norm() | x.norm(1) | x.norm(inf) | x.norm(0) |
    x.norm(-inf) | x.norm(0.5) | x.norm(3) | T.linalg.vector_norm(x,2) | T.linalg.vector_norm(x,inf) | T.linalg.vector_norm(x,0) |
    x.logsumexp(0) | x.softmax(0) | x.log_softmax(0) | F.softmin(x,0) | F.normalize(x,dim=0) | x.sort()[0] |
    x.sort(descending=True,stable=True)[0] | x.topk(4)[0] | x.topk(4,largest=False)[0] | x.kthvalue(5)[0] | x.cummax(0)[0] |
    x.cummin(0)[0] | x.mode()[0] | x.quantile(0.5) | x.quantile(0.3) | x.nanquantile(0.3) | x.diff() |
    x.reshape(-1, 1).renorm(2, 0, 1.0) | x.aminmax()[0] | T.nansum(x) | x.nanmean() | x.dist(x*0) | x.dist(x*0,1) | x.dist(x*0,inf) |
    F.glu(x[:6]) | x.cov() | x.unfold(0,3,2) | F.max_pool1d(x.view(1,1,-1),2) | F.max_pool1d(x.view(1,1,-1),3,1,1) |
    F.adaptive_max_pool1d(x.view(1,1,-1),3) | F.avg_pool1d(x.view(1,1,-1),3,2,1) | F.lp_pool1d(x.view(1,1,-1),2,2) |
    F.interpolate(x.view(1,1,-1),7,mode='linear') | F.interpolate(x.view(1,1,-1),scale_factor=1.7,mode='nearest') |
    F.pad(x.view(1,1,-1),(2,2),mode='reflect') | F.pad(x.view(1,1,-1),(2,2),mode='replicate') |
    F.pad(x.view(1,1,-1),(2,2),mode='circular') | F.layer_norm(x,x.shape) | F.layer_norm(x*0,x.shape) |
    F.batch_norm(x.view(-1,1),None,None,training=True) | F.rms_norm(x,x.shape) | T.trapezoid(x) | x.logaddexp(x) | x.hypot(x) |
    x.atan2(x) | x.maximum(x) | x.xlogy(x) | x.copysign(-x) | x.lerp(x,0.5) | x.nextafter(x+1) |
    x.ldexp(T.tensor(2)) | x.float_power(2) | x.masked_fill(x>0,1.0) | x.where(x>0,x*0) | x.view(1, -1).tril() | x.roll(1) |
    x.clone()[[0,0,1]]
"""

OF_TWO = """
    x.maximum(y) | x.minimum(y) | x.fmax(y) | x.fmin(y) | x.atan2(y) | x.hypot(y) | x.pow(y) | x.xlogy(y) | x.logaddexp(y) |
    x.logaddexp2(y) | x.copysign(y) | x.fmod(y) | x.remainder(y) | x.div(y) | x.div(y,rounding_mode='floor') |
    x.div(y,rounding_mode='trunc') | x.clamp(min=y) | x.clamp(max=y) | x.clamp(y,x) | x.dist(y) | x.dist(y,1) | T.where(x>y,x,y) |
    F.smooth_l1_loss(x,y,reduction='none') | F.smooth_l1_loss(x,y,beta=2.0) | F.smooth_l1_loss(x,y,beta=0.0) |
    F.huber_loss(x,y,reduction='none',delta=2.0) | F.l1_loss(x,y) | F.mse_loss(x,y,reduction='sum') |
    F.pairwise_distance(x.view(2,3),y.view(2,3)) | F.pairwise_distance(x.view(2,3),y.view(2,3),p=1) |
    F.pairwise_distance(x.view(2,3),y.view(2,3),p=inf) | F.pairwise_distance(x.view(2,3),x.view(2,3)*1) |
    F.cosine_similarity(x.view(2,3),y.view(2,3)) | F.cosine_similarity(x.view(2,3)*0,y.view(2,3)) | T.cdist(x.view(2,3),y.view(2,3)) |
    T.cdist(x.view(2,3),x.view(2,3)) | T.cdist(x.view(2,3),x.view(2,3),p=1) | T.cdist(x.view(2,3),x.view(2,3),p=inf) |
    T.cdist(x.view(2,3),x.view(2,3),p=0) | T.cdist(x.view(2,3),x.view(2,3),p=0.5) | T.cdist(x.view(2,3),y.view(2,3),p=3) |
    F.hinge_embedding_loss(x,T.tensor([1.,-1,1,-1,-1,1],dtype=x.dtype)) |
    F.margin_ranking_loss(x,y,T.tensor([1.,-1,1,-1,-1,1],dtype=x.dtype),reduction='none') |
    F.margin_ranking_loss(x,y,T.tensor([1.,-1,1,-1,-1,1],dtype=x.dtype),margin=1.0) |
    F.soft_margin_loss(x,T.tensor([1.,-1,1,-1,-1,1],dtype=x.dtype)) |
    F.cosine_embedding_loss(x.view(2,3),y.view(2,3),T.tensor([1.,-1]),margin=0.0) |
    F.triplet_margin_loss(x.view(2,3),y.view(2,3),x.view(2,3)*1.0) |
    F.triplet_margin_loss(x.view(2,3),x.view(2,3)*1,x.view(2,3)*1.0,margin=0.0) |
    F.triplet_margin_loss(x.view(2,3),y.view(2,3),x.view(2,3)*1.0,swap=True) | F.kl_div(x,y.abs(),reduction='none') |
    F.kl_div(x,y,log_target=True,reduction='none') | F.poisson_nll_loss(x,y.abs(),reduction='none',full=True) |
    F.poisson_nll_loss(x.abs(),y.abs(),log_input=False,reduction='none') |
    F.gaussian_nll_loss(x,y,x.abs(),reduction='none',full=True) | F.binary_cross_entropy(x.clamp(0,1),y.clamp(0,1),reduction='none') |
    F.binary_cross_entropy_with_logits(x,y.clamp(0,1),reduction='none') | F.multi_margin_loss(x.view(2,3),T.tensor([0,1])) |
    F.multi_margin_loss(x.view(2,3),T.tensor([0,1]),p=2,margin=0.0) |
    F.multilabel_margin_loss(x.view(2,3),T.tensor([[0,-1,1],[1,2,-1]])) |
    F.multilabel_soft_margin_loss(x.view(2,3),(y.view(2,3)>0).double()) |
    F.cross_entropy(x.view(2,3),T.tensor([0,2]),label_smoothing=0.1) | F.cross_entropy(x.view(2,3),T.tensor([-100,-100])) |
    F.cross_entropy(x.view(2,3),y.view(2,3).softmax(1),label_smoothing=0.3) |
    F.nll_loss(x.view(2,3),T.tensor([0,2]),T.tensor([0.,1,2],dtype=x.dtype)) |
    F.nll_loss(x.view(2,3),T.tensor([0,-100]),reduction='none') | F.prelu(x.view(1,6),y[:1]) | F.prelu(x.view(1,6),y) |
    T.linalg.norm(x.view(2,3)) | T.linalg.norm(x.view(2,3),'nuc') | T.linalg.norm(x.view(2,3),2) | T.linalg.norm(x.view(2,3),-2) |
    T.linalg.norm(x.view(2,3),1) | T.linalg.norm(x.view(2,3),inf) | T.linalg.norm(x.view(2,3),-1) |
    T.linalg.matrix_norm(x.view(2,3)*0) | x.scatter_reduce(0,T.tensor([0,0,1,1,2,2]),y,'amax') |
    x.scatter_reduce(0,T.tensor([0,0,1,1,2,2]),y,'amin',include_self=False) | x.scatter_reduce(0,T.tensor([0,0,1,1,2,2]),y,'prod') |
    x.scatter_reduce(0,T.tensor([0,0,1,1,2,2]),y,'mean') | x.index_reduce(0,T.tensor([0,0,1,1,2,2]),y,'amax') |
    x.index_reduce(0,T.tensor([0,0,1,1,2,2]),y,'prod') |
    T.nn.functional.embedding_bag(T.tensor([[0,1],[1,1]]),T.stack([x,y]),mode='max') | F.max_pool2d(T.stack([x,y])[None,None],2) |
    F.max_pool2d((T.stack([x,y])*0)[None,None],2) |
    F.fractional_max_pool2d(T.stack([x,y,x,y])[None,None],2,output_size=(2,3),_random_samples=T.tensor([[[0.3,0.6]]],dtype=x.dtype)) |
    F.adaptive_max_pool2d(T.stack([x,y])[None,None],(1,2)) | T.stack([x,y]).max(0)[0] | T.stack([x,y]).amax(0) |
    T.stack([x,y]).amax((0,1)) | T.stack([x,y]).median(0)[0] | T.stack([x,y,x]).median(0)[0] | T.stack([x,y]).prod(0) |
    T.stack([x,y]).cumprod(0) | T.stack([x,y]).std(0) | T.stack([x,x]).std(0) | T.stack([x,x]).var(0) | T.stack([x,y]).norm(dim=0) |
    T.stack([x*0,y]).norm(dim=1) | T.stack([x*0,y]).norm(1,dim=1) | T.stack([x*0,y]).norm(inf,dim=1) | F.normalize(T.stack([x*0,y])) |
    T.stack([x,y]).logsumexp(0) | F.local_response_norm(T.stack([x,y])[None],2) |
    F.grid_sample(T.stack([x,y])[None,None],T.tensor([[[[-1.,-1],[1,1],[0,0]]]],dtype=x.dtype),align_corners=True) |
    F.interpolate(T.stack([x,y])[None,None],(3,4),mode='bilinear',align_corners=True) |
    F.interpolate(T.stack([x,y])[None,None],(3,4),mode='bicubic') |
    F.interpolate(T.stack([x,y])[None,None],(5,3),mode='bilinear',antialias=True) |
    F.interpolate(T.stack([x,y])[None,None],(3,4),mode='area') | F.interpolate(T.stack([x,y])[None,None],(3,4),mode='nearest-exact') |
    T.kron(x,y) | T.cross(x.view(2,3),y.view(2,3),dim=1) |
    T.nn.functional.bilinear(x.view(2,3),y.view(2,3),T.ones(2,3,3,dtype=x.dtype)) |
    F.scaled_dot_product_attention(x.view(1,2,3),y.view(1,2,3),x.view(1,2,3),attn_mask=T.tensor([[True,False],[False,False]]))
"""

# Where ours is another on purpose: what PyTorch has there is an accident of its formula.
OTHERS = {
    ("x.logit()", "bends"): "the slope at -0 is that from below; PyTorch's is that from above",
    ("x.logit()", "ends"): "likewise",
    ("F.gelu(x)", "ends", "float32"): "infinity stays infinite; PyTorch's is a NaN in float32 alone",
    ("x.digamma()", "bends"): "at its poles the gradient is infinite; PyTorch's is 1e31 to 1e33",
    ("x.digamma()", "ends"): "likewise",
    ("T.special.log_ndtr(x)", "ends"): "the slope at -inf is infinite; PyTorch's is a NaN",
    ("x.prod()", "ends"): "the product of all others is a NaN where a NaN is among them; PyTorch's is 0 beside two zeros",
    ("x.cumprod(0)", "ends"): "likewise",
    ("x.norm(inf)", "ends"): "a NaN among the elements is the norm, and the gradient; PyTorch's is 0",
    ("x.norm(-inf)", "ends"): "likewise",
    ("T.linalg.vector_norm(x,inf)", "ends"): "likewise",
    ("x.dist(x*0,inf)", "ends"): "likewise",
    ("x.reshape(-1, 1).renorm(2, 0, 1.0)", "ends"): "the gradient of a row whose norm is a NaN is one",
    ("F.interpolate(x.view(1,1,-1),7,mode='linear')", "ends"): "an element that counts nothing adds nothing, though it is infinite",
    ("T.cdist(x.view(2,3),x.view(2,3),p=0)", "ties"): "counts have no gradient; PyTorch's is zeros",
}


def rows(table: str) -> list[str]:
    return [row.strip() for row in table.replace("\n", " ").split(" | ")]


def outcome(library: ModuleType, row: str, points: tuple[list[float], ...], kind: str) -> Any:
    """The result and the gradients of a weighted sum of it, or the class of the error."""
    given = [library.tensor(p, dtype=getattr(library, kind), requires_grad=True) for p in points]
    names = {"T": library, "F": library.nn.functional, "inf": math.inf, **dict(zip("xy", given, strict=False))}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            out = eval(row, names)  # noqa: S307 - the lines of our own table
            weights = library.arange(1, out.numel() + 1).to(out.dtype).reshape(out.shape)
            found = library.autograd.grad((out * weights).sum(), given, allow_unused=True)
        except Exception as error:
            return next(c.__name__ for c in type(error).__mro__ if c.__module__ == "builtins")
    return [None if one is None else np.array(one.detach().tolist()) for one in (out, *found)]


def alike(mine: Any, expected: Any, kind: str) -> bool:
    if not isinstance(mine, list) or not isinstance(expected, list):
        return type(mine) is type(expected) and mine == expected
    close = {"rtol": 1e-4, "atol": 1e-5} if kind == "float32" else {"rtol": 1e-9, "atol": 1e-10}
    return all(
        (a is None) == (b is None) and (a is None or np.allclose(a, b, equal_nan=True, **close))
        for a, b in zip(mine, expected, strict=True)
    )


@pytest.mark.parametrize("kind", ["float32", "float64"])
@pytest.mark.parametrize(("where", "table", "points"), [("bends", OF_ONE, (BENDS,)), ("ends", OF_ONE, (ENDS,)), ("ties", OF_TWO, TIES)])
def test_edges_are_those_of_pytorch(where: str, table: str, points: tuple[list[float], ...], kind: str) -> None:
    wrong = []
    for row in rows(table):
        mine, expected = outcome(dv, row, points, kind), outcome(torch, row, points, kind)
        same = alike(mine, expected, kind)
        if same == ((row, where) in OTHERS or (row, where, kind) in OTHERS):
            wrong.append(f"{row}: {mine} and not {expected}" if not same else f"{row}: agrees, though it is among OTHERS")
    assert not wrong, "\n".join(wrong)
