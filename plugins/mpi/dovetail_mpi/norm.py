"""Batch normalisation by the statistics of all ranks' batches: what `nn.SyncBatchNorm` calls."""

from __future__ import annotations

from typing import Any

import numpy as np

import dovetail as dv
from dovetail.errors import ValueRangeError

from . import mpi
from .buffers import array, dense
from .group import ProcessGroup, member
from .links import link
from .work import Work

__all__ = ["sync_batch_norm"]


class _Gather(dv.autograd.Function):
    """Every rank's row, as a table; its gradient is the sum of what all ranks ask of this rank's row."""

    @staticmethod
    def forward(ctx: Any, row: dv.Tensor, group: ProcessGroup) -> dv.Tensor:
        ctx.group = group
        way, what = link(group, "SyncBatchNorm", "SyncBatchNorm(statistics)", row)
        if way is not None:
            here = dense(row)
            rows = here.new_empty((group.size(), here.numel()))
            Work(group, what, lambda: [way.all_gather(here, rows)], checked=False).wait()
            return rows
        own = array(row)
        table = np.empty((group.size(), own.size), own.dtype)
        Work(group, what, lambda: [group.comm.Iallgather(own, table)], checked=False).wait()
        return dv.from_numpy(table).to(row.device)

    @staticmethod
    def backward(ctx: Any, g: dv.Tensor) -> Any:
        group = ctx.group
        way, what = link(group, "SyncBatchNorm", "SyncBatchNorm(gradient)", g)
        if way is not None:
            rows = dense(g).clone()
            Work(group, what, lambda: [way.all_reduce(rows, "SUM")], checked=False).wait()
            return rows[group.rank()].clone(), None
        whole = array(g).copy()
        own, into = mpi.load().IN_PLACE, mpi.load().SUM
        Work(group, what, lambda: [group.comm.Iallreduce(own, whole, into)], checked=False).wait()
        return dv.from_numpy(whole[group.rank()].copy()).to(g.device), None


def sync_batch_norm(
    input: dv.Tensor, running_mean: dv.Tensor | None, running_var: dv.Tensor | None, weight: dv.Tensor | None, bias: dv.Tensor | None,
    training: bool = True, momentum: float = 0.1, eps: float = 1e-5, group: Any = None,
) -> dv.Tensor:  # fmt: skip
    """y = (x - mean) / √(var + eps) · weight + bias by the mean and the (biased) variance of all ranks' inputs (N, C, …).

    Ranks may have batches of other sizes, also of none: their means and sums of squares are joined, weighed by their sizes (Chan and
    others, 1979), in one exchange forward and one backward. Half precision is normalised in single. Raises a ValueError where all ranks
    together have one value per channel.
    """
    x = input.float() if input.dtype in (dv.float16, dv.bfloat16) else input
    channels, dims = x.shape[1], [d for d in range(x.ndim) if d != 1]
    shape = [1, channels, *[1] * (x.ndim - 2)]
    count = x.numel() // channels
    mean = x.sum(dims) / max(1, count)
    squares = (x - mean.reshape(shape)).square().sum(dims)
    table = _Gather.apply(dv.cat([mean, squares, dv.tensor([count], dtype=x.dtype, device=x.device)]), member(group))
    counts = table[:, -1:].detach()
    total = float(counts.sum())
    if total <= 1:
        raise ValueRangeError("SyncBatchNorm", f"Expected more than 1 value per channel when training, got input size {tuple(input.shape)}")
    means = table[:, :channels]
    mean = (means * counts).sum(0) / total
    squares = (table[:, channels:-1] + (means - mean).square() * counts).sum(0)
    with dv.no_grad():
        if running_mean is not None:
            running_mean.copy_((1 - momentum) * running_mean + momentum * mean)
        if running_var is not None:
            running_var.copy_((1 - momentum) * running_var + momentum * squares / (total - 1))
    out = (x - mean.reshape(shape)) * (squares / total + eps).rsqrt().reshape(shape)
    out = out if weight is None else out * weight.reshape(shape)
    out = out if bias is None else out + bias.reshape(shape)
    return out.to(input.dtype)
