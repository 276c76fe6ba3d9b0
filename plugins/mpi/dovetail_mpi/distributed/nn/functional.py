"""Collectives as functions: they return what the in-place ones write, and the gradient goes the other way round the ranks.

All ranks must take part in the backward pass as in the forward, since it communicates too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dovetail import Tensor, empty, empty_like, stack
from dovetail.autograd import Function

from ... import collectives, lists
from ...group import ReduceOp, get_rank, get_world_size

__all__ = ["all_gather", "all_reduce", "all_to_all", "broadcast", "reduce", "reduce_scatter"]


def _on_copy(ctx: Any, collective: Callable[..., Any], tensor: Tensor, *way: Any) -> Tensor:
    """What a collective that writes into its tensor makes of a copy; its other arguments are kept for the gradient."""
    ctx.way = way
    out = tensor.contiguous().clone()
    collective(out, *way)
    return out


class _AllReduce(Function):
    @staticmethod
    def forward(ctx: Any, tensor: Tensor, op: Any, group: Any) -> Tensor:
        return _on_copy(ctx, collectives.all_reduce, tensor, op, group)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        return _AllReduce.apply(g, *ctx.way), None, None


class _AllGather(Function):
    @staticmethod
    def forward(ctx: Any, tensor: Tensor, group: Any) -> tuple[Tensor, ...]:
        ctx.group = group
        out = [empty_like(tensor.contiguous()) for _ in range(get_world_size(group))]
        lists.all_gather(out, tensor.contiguous(), group)
        return tuple(out)

    @staticmethod
    def backward(ctx: Any, *g: Tensor) -> Any:
        return _AllReduce.apply(stack(g), ReduceOp.SUM, ctx.group)[get_rank(ctx.group)], None


class _Broadcast(Function):
    @staticmethod
    def forward(ctx: Any, tensor: Tensor, src: int, group: Any) -> Tensor:
        return _on_copy(ctx, collectives.broadcast, tensor, src, group)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        src, group = ctx.way
        whole = _Reduce.apply(g, src, ReduceOp.SUM, group)
        return whole * (get_rank() == src), None, None


class _Reduce(Function):
    @staticmethod
    def forward(ctx: Any, tensor: Tensor, dst: int, op: Any, group: Any) -> Tensor:
        return _on_copy(ctx, collectives.reduce, tensor, dst, op, group)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        dst, _, group = ctx.way
        return _Broadcast.apply(g, dst, group), None, None, None


class _ReduceScatter(Function):
    @staticmethod
    def forward(ctx: Any, output: Tensor, op: Any, group: Any, *parts: Tensor) -> Tensor:
        ctx.group = group
        out = output.contiguous().clone()
        lists.reduce_scatter(out, [part.contiguous() for part in parts], op, group)
        return out

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        return (None, None, None, *_AllGather.apply(g, ctx.group))


class _AllToAll(Function):
    @staticmethod
    def forward(ctx: Any, group: Any, shapes: Any, *parts: Tensor) -> tuple[Tensor, ...]:
        ctx.group, ctx.shapes = group, [part.shape for part in parts]
        out = [empty(shape, dtype=parts[0].dtype, device=parts[0].device) for shape in shapes]
        lists.all_to_all(out, [part.contiguous() for part in parts], group)
        return tuple(out)

    @staticmethod
    def backward(ctx: Any, *g: Tensor) -> Any:
        return (None, None, *_AllToAll.apply(ctx.group, ctx.shapes, *g))


def all_reduce(tensor: Tensor, op: Any = ReduceOp.SUM, group: Any = None) -> Tensor:
    """The tensors of all ranks joined by `op`; the gradient is that of all ranks, joined likewise."""
    out: Tensor = _AllReduce.apply(tensor, op, group)
    return out


def all_gather(tensor: Tensor, group: Any = None) -> tuple[Tensor, ...]:
    """Every rank's tensor, all of one shape; the gradient sums what all ranks ask of this rank's."""
    out: tuple[Tensor, ...] = _AllGather.apply(tensor, group)
    return out


def broadcast(tensor: Tensor, src: int, group: Any = None) -> Tensor:
    """The tensor of rank `src`; its gradient is the sum of all ranks', and that of the others' tensors zero."""
    out: Tensor = _Broadcast.apply(tensor, src, group)
    return out


def reduce(tensor: Tensor, dst: int, op: Any = ReduceOp.SUM, group: Any = None) -> Tensor:
    """On rank `dst` the tensors of all ranks joined by `op`; the gradient is that of rank `dst`."""
    out: Tensor = _Reduce.apply(tensor, dst, op, group)
    return out


def reduce_scatter(output: Tensor, input_list: Any, op: Any = ReduceOp.SUM, group: Any = None) -> Tensor:
    """This rank's part of the lists of all ranks joined by `op`, in the shape of `output`, which stays as it is."""
    out: Tensor = _ReduceScatter.apply(output, op, group, *input_list)
    return out


def all_to_all(output_tensor_list: Any, input_tensor_list: Any, group: Any = None) -> tuple[Tensor, ...]:
    """From every rank the part of its list that is for this one, in the shapes of `output_tensor_list`, which stays as it is."""
    out: tuple[Tensor, ...] = _AllToAll.apply(group, [t.shape for t in output_tensor_list], *input_tensor_list)
    return out
