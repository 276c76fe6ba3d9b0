"""Collectives of lists with one tensor for each member."""

from __future__ import annotations

from typing import Any

import numpy as np

import dovetail as dv

from .buffers import array, checked, dense, flat, kind, put, restore, row, same, words
from .collectives import exchange, outside, root_of, run, scattered
from .group import ProcessGroup, RedOpType, member
from .links import backend, link
from .work import Work

__all__ = ["all_gather", "all_to_all", "gather", "reduce_scatter", "scatter"]


def _spread(tensors: Any, values: Any) -> None:
    for tensor, one in zip(tensors, values, strict=True):
        put(tensor, one)


def _restored(tensors: Any, values: Any) -> None:
    for tensor, one in zip(tensors, values, strict=True):
        restore(tensor, one)


def _rooted(where: str, group: Any, of_world: int | None, of_group: int | None) -> tuple[ProcessGroup, int, bool]:
    """The group that is meant, the place of the root in it, and whether it is this process's."""
    own = member(group)
    root = root_of(where, own, of_world, of_group)
    return own, root, root == own.rank()


def all_gather(tensor_list: list[Any], tensor: dv.Tensor, group: Any = None, async_op: bool = False) -> Work | None:
    """Copy every member's tensor into the list's."""
    if outside(group):
        return None
    own = member(group)
    checked("all_gather", tensor)
    same("all_gather", tensor_list, [tensor], own.size())
    way, what = link(own, "all_gather", f"all_gather({kind(tensor)})", tensor, *tensor_list)
    if way is not None or own.watch is None:
        here = dense(tensor)
        rows = here.new_empty((own.size(), *here.shape))
        finish, alone = (lambda: _restored(tensor_list, rows)), lambda: restore(tensor_list[0], here)
        return run(own, what, lambda: [way.all_gather(here, rows)], finish, async_op, alone)
    part = array(tensor)
    whole = np.empty((own.size(), *part.shape), part.dtype)

    def start() -> list[Any]:
        return [own.comm.Iallgather(words(part), words(whole))]

    return run(own, what, start, lambda: _spread(tensor_list, whole), async_op)


def gather(
    tensor: dv.Tensor, gather_list: Any = None, dst: int | None = None, group: Any = None, async_op: bool = False,
    group_dst: int | None = None,
) -> Work | None:  # fmt: skip
    """Copy every member's tensor into the list's of one member; the others give none."""
    if outside(group):
        return None
    own, root, mine = _rooted("gather", group, dst, group_dst)
    checked("gather", tensor)
    backend(own, "gather", tensor)
    if mine:
        same("gather", gather_list or [], [tensor], own.size())
    part = array(tensor)
    whole = np.empty((own.size() if mine else 0, *part.shape), part.dtype)

    def start() -> list[Any]:
        return [own.comm.Igather(words(part), words(whole) if mine else None, root)]

    what = f"gather({kind(tensor)} to rank {own.ranks[root]})"
    return run(own, what, start, lambda: mine and _spread(gather_list, whole), async_op, lambda: put(gather_list[0], part))


def scatter(
    tensor: dv.Tensor, scatter_list: Any = None, src: int | None = None, group: Any = None, async_op: bool = False,
    group_src: int | None = None,
) -> Work | None:  # fmt: skip
    """Copy each member's element of one member's list; the others give none."""
    if outside(group):
        return None
    own, root, mine = _rooted("scatter", group, src, group_src)
    checked("scatter", tensor)
    backend(own, "scatter", tensor)
    if mine:
        same("scatter", [tensor], scatter_list or [], own.size())
    into, whole = array(tensor), flat(scatter_list) if mine else None

    def start() -> list[Any]:
        return [own.comm.Iscatter(None if whole is None else words(whole), words(into), root)]

    what = f"scatter({kind(tensor)} from rank {own.ranks[root]})"
    return run(own, what, start, lambda: put(tensor, into), async_op, lambda: put(tensor, array(scatter_list[0])))


def reduce_scatter(
    output: dv.Tensor, input_list: list[Any], op: Any = RedOpType.SUM, group: Any = None, async_op: bool = False
) -> Work | None:
    """Reduce the lists' elements over all members, and give each its own."""
    checked("reduce_scatter", output, op)
    if outside(group):
        return None
    own = member(group)
    same("reduce_scatter", [output], input_list, own.size())
    return scattered("reduce_scatter", output, row(input_list), op, own, async_op)


def all_to_all(output_tensor_list: list[Any], input_tensor_list: list[Any], group: Any = None, async_op: bool = False) -> Work | None:
    """Send each member its element; elements may be of different sizes."""
    where = "all_to_all"
    if outside(group):
        return None
    own = member(group)
    if own.watch is None:
        same(where, output_tensor_list, input_tensor_list, 1)
    for tensor in (*output_tensor_list, *input_tensor_list):
        checked(where, tensor)
    same(where, [t.reshape(-1)[:0] for t in output_tensor_list], [t.reshape(-1)[:0] for t in input_tensor_list], own.size())
    sent, received = ([t.numel() for t in tensors] for tensors in (input_tensor_list, output_tensor_list))
    came = exchange(where, own, row(input_tensor_list), sent, row(output_tensor_list), received)
    _restored(output_tensor_list, came.reshape(-1).split(received))
    return Work() if async_op else None
