"""`grad_fn` says PyTorch's names, so that a printed loss reads the same; those that our graph has no node for are not in the table."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest
import torch

import dovetail as dv

pytestmark = pytest.mark.parity

CALLS = """
x.sum() | x.sum(1) | x.sum(dtype=T.float64) | x.mean() | x.mean(0) | x.max() | x.max(0)[0] | x.min() | x.min(0)[0] | x.amax(0)
x.amin(1) | x[0] | x[1:] | x[:,1] | x[:,1:] | x[0,1] | x[...,0] | x[None] | x[:,None] | x[0:1,0] | x[:] | x[x>0] | x[T.tensor([0])]
x[T.tensor([0]),1:] | x@x.T | b@x.T | b@b.mT | x@x[0] | x[0]@x[0] | F.linear(x,x) | F.linear(x,x,x[:,0]) | F.linear(b,x) | x**2
2**x | x**x | x/2 | x/x | x-1 | x*2 | x%2 | x.reshape(4,3) | x.view(12) | x.flatten() | x.T | x.mT | x.transpose(0,1)
x.permute(1,0) | x.clamp(0) | x.clamp(0,1) | x.clamp(max=1) | x.squeeze() | x.unsqueeze(0) | F.cross_entropy(x,t)
F.cross_entropy(x,t,reduction='none') | F.cross_entropy(x,t,reduction='sum') | F.l1_loss(x,x.detach())
F.l1_loss(x,x.detach(),reduction='none') | F.mse_loss(x,x.detach()) | F.smooth_l1_loss(x,x.detach()) | F.huber_loss(x,x.detach())
F.binary_cross_entropy(x.sigmoid(),x.detach().sigmoid()) | F.binary_cross_entropy_with_logits(x,x.detach().sigmoid())
F.kl_div(x,x.detach()) | F.kl_div(x,x.detach(),reduction='batchmean') | F.triplet_margin_loss(x,x+1,x-1)
F.cosine_embedding_loss(x,x,T.ones(3)) | F.hinge_embedding_loss(x,T.ones(3,4)) | F.margin_ranking_loss(x,x,x.detach())
F.gaussian_nll_loss(x,x,T.ones(3,4)) | F.poisson_nll_loss(x,x.detach()) | x.norm() | x.norm(dim=1) | T.linalg.norm(x) | x.std()
x.var(0) | x.prod() | x.prod(0) | F.dropout(x) | F.batch_norm(x,None,None,training=True) | F.batch_norm(x,T.zeros(4),T.ones(4))
F.conv2d(b[None],T.randn(1,2,1,1)) | F.conv1d(b,T.randn(1,3,1)) | F.conv_transpose2d(b[None],T.randn(2,1,1,1)) | T.where(x>0,x,0)
x.expand(2,3,4) | x.split(2)[0] | x.chunk(2)[0] | x.unbind()[0] | T.einsum('ij->i',x) | x.median() | x.median(0)[0]
x.masked_fill(x>0,0) | x.gather(0,T.zeros(1,4,dtype=T.int64)) | x.index_select(0,T.tensor([0])) | x.double() | x.clone()
x.T.contiguous() | x.softmax(1) | x.log_softmax(1) | F.gelu(x) | F.silu(x) | F.leaky_relu(x) | F.elu(x) | F.selu(x) | F.softplus(x)
F.hardtanh(x) | F.relu6(x) | F.relu(x) | F.prelu(x,T.ones(1)) | F.logsigmoid(x) | F.mish(x) | F.hardswish(x) | F.normalize(x)
T.stack([x,x]) | T.cat([x,x]) | x.cumsum(0) | x.cumprod(0) | x.logsumexp(0) | x.topk(2)[0] | x.sort()[0] | x.argmax() | -x | abs(x)
x.exp() | x.log1p() | x.repeat(2,1) | x.roll(1) | x.flip(0) | x.triu() | x.diagonal() | x.trace() | F.pad(x,(1,1))
F.layer_norm(x,(4,)) | F.embedding(T.tensor([1]),x) | T.nn.GRU(4,2)(b)[0] | T.nn.RNN(4,2)(b)[0] | T.nn.LSTM(4,2)(b)[1][0]
T.nn.MultiheadAttention(4,2)(b,b,b)[0] | T.nn.TransformerEncoderLayer(4,2,8)(b) | x.square() | x.add(x,alpha=2) | x+1 | x.sub(x)
x.lerp(x,0.5) | x.addmm(x,T.ones(4,4)) | x.mm(x.T) | x.mv(x[0]) | x[0].dot(x[0]) | T.outer(x[0],x[0]) | F.max_pool2d(b[None],1)
F.max_pool1d(b,1) | F.avg_pool2d(b[None],1) | F.adaptive_avg_pool2d(b[None],1)
F.scaled_dot_product_attention(b[None],b[None],b[None]) | F.instance_norm(b) | F.unfold(b[None],2)
F.ctc_loss(b.log_softmax(2),T.tensor([[1],[1],[1]]),T.tensor([2,2,2]),T.tensor([1,1,1])) | x.scatter_add(0,T.zeros(1,4).long(),x)
x.index_add(0,T.tensor([0]),x[:1]) | x.fmod(2) | x.remainder(2) | T.maximum(x,x) | T.minimum(x,x) | T.atan2(x,x) | T.sigmoid(x)
T.det(x@x.T) | T.linalg.inv(x@x.T) | T.linalg.solve(x@x.T,x) | T.linalg.svd(x)[1] | T.linalg.qr(x)[0] | T.linalg.cholesky(x@x.T)
T.linalg.eigh(x@x.T)[0] | T.fft.rfft(x) | T.fft.fft(x).abs() | T.cosine_similarity(x,x) | x.unfold(0,2,1) | x.select(0,1)
x.narrow(0,0,1) | x.movedim(0,1) | x.swapaxes(0,1) | x.take(T.tensor([0])) | x.new_zeros(3) | T.meshgrid(x[0],x[1])[0]
x.to(T.float64) | x.type(T.float64) | x.float() | x.view_as(x) | x.reshape(3,4) | x.ravel() | x.unflatten(1,(2,2)) | T.hstack([x,x])
T.vstack([x,x]) | T.nn.Linear(4,2)(x) | T.nn.Linear(4,2,bias=False)(x) | T.nn.Linear(4,2)(b)
T.nn.Sequential(T.nn.Linear(4,1),T.nn.Flatten(0,1))(x) | x.clone().add_(1) | x.clone().mul_(2) | x.clone().clamp_(0)
x.clone().relu_() | x.std(0) | x.var() | x.nansum() | x.nanmean() | x.relu().sum(-1) | x.tril() | x.logcumsumexp(0) | x.cummax(0)[0]
F.linear(x,T.ones(2,4),T.zeros(2))
x.kthvalue(1)[0] | x.mode()[0] | x.erf() | x.real | T.addcmul(x,x,x) | T.addcdiv(x,x,x) | x.sign() | x.round() | x.rsqrt()
T.pow(x,0.5) | x.sqrt() | x.true_divide(2) | T.nn.utils.parameters_to_vector([x,x])
x.t() | x[0].t() | x.squeeze(0) | x.squeeze((0,)) | x.amax() | x.amin() | x.aminmax()[0] | T.std_mean(x)[1] | T.var_mean(x,0)[0]
x.masked_select(x>0) | x.clamp_min(0) | x.clamp_max(1) | x.div(2,rounding_mode='floor') | x.addmm(x,T.ones(4,4)) | x[0].addmv(x.T,x[:,0])
F.nll_loss(x,t) | F.nll_loss(b,T.zeros(2,4).long()) | F.cross_entropy(b[None],T.zeros(1,3,4).long())
F.cross_entropy(x,t,label_smoothing=0.1) | F.cross_entropy(x,x.detach())
F.group_norm(b,1) | F.glu(x) | F.celu(x) | F.pixel_shuffle(b.reshape(1,24,1,1)[:,:4],2) | F.pixel_unshuffle(b[None,:,:2,:2],2)
F.interpolate(b[None],scale_factor=2) | F.interpolate(b[None],scale_factor=2,mode='bilinear') | F.interpolate(b,size=8,mode='linear')
F.interpolate(b[None],size=2,mode='nearest-exact') | F.grid_sample(b[None],T.zeros(1,1,1,2)) | F.pad(b,(1,1),'reflect')
F.pad(b[None],(1,1,1,1),'replicate') | T.nn.Conv1d(3,2,1)(b[0]) | T.nn.GRU(4,2)(x)[0] | T.bernoulli(x.sigmoid())
T.einsum('ij,jk->ik',x,x.T) | T.nn.utils.rnn.pack_sequence([x,x[:2]]).data | T.nn.LSTM(4,2)(T.nn.utils.rnn.pack_sequence([x,x[:2]]))[0].data
F.dropout2d(b)
"""


def values(T: ModuleType) -> dict[str, Any]:
    """The names that the calls speak of."""
    T.manual_seed(0)
    x, b = T.randn(3, 4, requires_grad=True), T.randn(2, 3, 4, requires_grad=True)
    return {"T": T, "F": T.nn.functional, "x": x, "b": b, "t": T.tensor([0, 1, 2])}


def name_of(T: ModuleType, call: str) -> str | None:
    node = eval(call, values(T)).grad_fn  # noqa: S307  (the table above)
    return None if node is None else node.name()


@pytest.mark.parametrize("call", [call.strip() for line in CALLS.strip().splitlines() for call in line.split(" | ")])
def test_a_node_has_pytorch_s_name(call: str) -> None:
    assert name_of(dv, call) == name_of(torch, call)


def test_writing_into_a_tensor_names_the_copy() -> None:
    for T in (torch, dv):
        y = T.ones(3, requires_grad=True).clone()
        y[0] = 2
        assert repr(y) == "tensor([2., 1., 1.], grad_fn=<CopySlices>)"


def test_a_name_stays_when_the_graph_is_freed() -> None:
    for T in (torch, dv):
        x = T.ones(2, 3, requires_grad=True)
        loss = T.nn.functional.cross_entropy(x, T.tensor([0, 1]))
        loss.backward()
        assert repr(loss) == "tensor(1.0986, grad_fn=<NllLossBackward0>)"
