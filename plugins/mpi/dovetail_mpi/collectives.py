"""Collectives of one tensor: reduce, broadcast, barrier, and parts of tensors joined or dealt out."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any

import numpy as np

import dovetail as dv
from dovetail.errors import GradError, ShapeError, ValueRangeError

from . import mpi
from .buffers import array, checked, dense, kind, put, reduced, reducer, restore, words
from .group import GroupMember, ProcessGroup, RedOpType, get_group_rank, member
from .links import link
from .work import Work, agree

__all__ = [
    "all_gather_into_tensor", "all_reduce", "all_to_all_single", "barrier", "broadcast", "monitored_barrier", "reduce",
    "reduce_scatter_tensor", "root_of", "run",
]  # fmt: skip


def root_of(where: str, group: ProcessGroup, of_world: int | None, of_group: int | None = None) -> int:
    """A member's place in its group, given by its place in the world or in the group; by default 0."""
    if of_group is None:
        of_group = 0 if of_world is None else of_world if group.ranks == tuple(range(group.size())) else get_group_rank(group, of_world)
    if not 0 <= of_group < group.size():
        raise GradError(
            where,
            f"invalid root rank: {of_group}",
            f"expected 0 to {group.size() - 1}" if group.size() > 1 else "expected 0, in a world of one process",
        )
    return of_group


def run(
    group: ProcessGroup, what: str, start: Any, finish: Any, async_op: bool, alone: Any = None, timeout: timedelta | None = None,
    outputs: list[Any] | None = None, moving: bool = True,
) -> Work | None:  # fmt: skip
    """Do a collective, or begin it; in a world of one process ``alone`` is done in its place. ``outputs`` are what it fills."""
    if group.watch is None and alone is not None:
        alone()
    work = Work(group, what, start, finish, moving=moving)
    work._outputs = outputs
    if async_op:
        return work
    work.wait(timeout)
    return None


def outside(group: Any) -> bool:
    """Whether this process is no member: the call is then nothing, as PyTorch has it."""
    return bool(group == GroupMember.NON_GROUP_MEMBER)


def all_reduce(tensor: dv.Tensor, op: Any = RedOpType.SUM, group: Any = None, async_op: bool = False) -> Work | None:
    """Reduce over all members, in place; half precision is added in single.

    >>> from dovetail import distributed
    >>> distributed.init_process_group("gloo", rank=0, world_size=1)
    >>> t = dv.ones(2)
    >>> all_reduce(t); t
    tensor([1., 1.])
    >>> distributed.destroy_process_group()
    """
    checked("all_reduce", tensor, op)
    return None if outside(group) else _reduced("all_reduce", tensor, op, member(group), None, async_op)


def reduce(
    tensor: dv.Tensor, dst: int | None = None, op: Any = RedOpType.SUM, group: Any = None, async_op: bool = False,
    group_dst: int | None = None,
) -> Work | None:  # fmt: skip
    """Reduce to one member, in place; the tensors of the others are as they were."""
    checked("reduce", tensor, op)
    if outside(group):
        return None
    own = member(group)
    return _reduced("reduce", tensor, op, own, root_of("reduce", own, dst, group_dst), async_op)


def _reduced(where: str, tensor: dv.Tensor, op: Any, group: ProcessGroup, root: int | None, async_op: bool) -> Work | None:
    mine, to = root is None or root == group.rank(), "" if root is None else f" to rank {group.ranks[root]}"
    way, what = link(group, where, f"{where}({op.name}, {kind(tensor)}{to})", tensor, op=op)
    if way is not None or group.watch is None:
        here = dense(tensor)

        def begin() -> list[Any]:
            return [way.all_reduce(here, op.name) if root is None else way.reduce(here, op.name, root)]

        return run(group, what, begin, lambda: mine and restore(tensor, here), async_op, outputs=[tensor])
    wide, result = reducer(op.name, array(tensor), group.size())

    def start() -> list[Any]:
        how, own = mpi.operation(op.name, wide.dtype), mpi.load().IN_PLACE
        if root is None:
            return reduced(group.comm, wide, how)
        return [group.comm.Ireduce(own if mine else wide, wide if mine else None, how, root)]

    return run(group, what, start, lambda: mine and put(tensor, result()), async_op, outputs=[tensor])


def broadcast(
    tensor: dv.Tensor, src: int | None = None, group: Any = None, async_op: bool = False, group_src: int | None = None
) -> Work | None:
    """Send one member's tensor to all, in place."""
    checked("broadcast", tensor)
    if outside(group):
        return None
    own = member(group)
    root = root_of("broadcast", own, src, group_src)
    way, what = link(own, "broadcast", f"broadcast({kind(tensor)} from rank {own.ranks[root]})", tensor)
    if way is not None or own.watch is None:
        here = dense(tensor)
        return run(own, what, lambda: [way.broadcast(here, root)], lambda: restore(tensor, here), async_op, outputs=[tensor])
    values = array(tensor)
    return run(own, what, lambda: [own.comm.Ibcast(words(values), root)], lambda: put(tensor, values), async_op, outputs=[tensor])


def barrier(
    group: Any = None, async_op: bool = False, device_ids: Any = None, timeout: timedelta | None = None
) -> Work | None:  # fmt: skip
    """Wait for all members, for as long as ``timeout`` (the group's, where it is None)."""
    return None if outside(group) else run(member(group), "barrier()", list, None, async_op, timeout=timeout, moving=False)


def monitored_barrier(group: Any = None, timeout: timedelta | None = None, wait_all_ranks: bool = False) -> None:
    """As `barrier`. Raises a DistError that names this rank and the group's; which of them did not come is not known."""
    if not outside(group):
        run(member(group), "monitored_barrier()", list, None, False, timeout=timeout, moving=False)


def _divides(where: str, whole: dv.Tensor, part: dv.Tensor, size: int) -> None:
    """Refuse a whole that is not one part for each member, in a row or in a dimension of its own."""
    if whole.dtype != part.dtype:
        raise GradError(where, f"Invalid usage of tensors with different dtypes, {whole.dtype} and {part.dtype}")
    shapes = [(size, *part.shape), (size * part.shape[0], *part.shape[1:]) if part.ndim else (size,)]
    if tuple(whole.shape) not in (shapes if size > 1 else shapes[1:]):
        raise ShapeError(where, f"invalid tensor size (expected {shapes[1]} or {shapes[0]}, got {tuple(whole.shape)})")


def all_gather_into_tensor(output_tensor: dv.Tensor, input_tensor: dv.Tensor, group: Any = None, async_op: bool = False) -> Work | None:
    """Copy every member's tensor into one, in the order of their ranks."""
    where = "all_gather_into_tensor"
    for tensor in (output_tensor, input_tensor):
        checked(where, tensor)
    if outside(group):
        return None
    own = member(group)
    _divides(where, output_tensor, input_tensor, own.size())
    way, what = link(own, where, f"{where}({kind(input_tensor)})", input_tensor, output_tensor)
    if way is not None or own.watch is None:
        one, every = dense(input_tensor), dense(output_tensor)
        copy, finish = partial(restore, output_tensor, one), partial(restore, output_tensor, every)
        return run(own, what, lambda: [way.all_gather(one, every)], finish, async_op, copy, outputs=[output_tensor])
    part, whole = array(input_tensor), array(output_tensor)

    def start() -> list[Any]:
        return [own.comm.Iallgather(words(part), words(whole))]

    return run(own, what, start, lambda: put(output_tensor, whole), async_op, outputs=[output_tensor])


def reduce_scatter_tensor(
    output: dv.Tensor, input: dv.Tensor, op: Any = RedOpType.SUM, group: Any = None, async_op: bool = False
) -> Work | None:
    """Reduce the tensors of all members, and give each its part."""
    where = "reduce_scatter_tensor"
    for tensor in (output, input):
        checked(where, tensor, op)
    if outside(group):
        return None
    own = member(group)
    _divides(where, input, output, own.size())
    return scattered(where, output, input, op, own, async_op)


def scattered(where: str, output: dv.Tensor, input: dv.Tensor, op: Any, group: ProcessGroup, async_op: bool) -> Work | None:
    """Reduce a row of parts, and give this member its own."""
    way, what = link(group, where, f"{where}({op.name}, {kind(output)})", input, output, op=op)
    if way is not None or group.watch is None:
        parts, part = dense(input), dense(output)
        copy, finish = partial(restore, output, parts), partial(restore, output, part)
        return run(group, what, lambda: [way.reduce_scatter(parts, part, op.name)], finish, async_op, copy, outputs=[output])
    whole = array(input)
    wide, result = reducer(op.name, whole.copy().reshape(group.size(), -1), group.size())
    own = np.empty_like(wide[0])

    def start() -> list[Any]:
        return [group.comm.Ireduce_scatter_block(wide, own, mpi.operation(op.name, wide.dtype))]

    def ended() -> None:
        wide[0] = own
        put(output, result()[0])

    return run(group, what, start, ended, async_op, outputs=[output])


def all_to_all_single(
    output: dv.Tensor, input: dv.Tensor, output_split_sizes: Any = None, input_split_sizes: Any = None, group: Any = None,
    async_op: bool = False,
) -> Work | None:  # fmt: skip
    """Send each member its part of the first dimension; the parts are equal where their sizes are not given."""
    where = "all_to_all_single"
    if outside(group):
        return None
    own = member(group)
    sizes = [_splits(where, t, given, own.size()) for t, given in ((output, output_split_sizes), (input, input_split_sizes))]
    if output.dtype != input.dtype:
        raise ValueRangeError(where, f"Invalid usage of tensors with different dtypes, {output.dtype} and {input.dtype}")
    if own.watch is None and output.shape != input.shape:
        raise ShapeError(where, f"invalid tensor size (expected {tuple(input.shape)}, got {tuple(output.shape)})")
    received, sent = ([n * int(np.prod(t.shape[1:])) for n in count] for t, count in zip((output, input), sizes, strict=True))
    restore(output, exchange(where, own, input, sent, output, received))
    return Work() if async_op else None


def _splits(where: str, tensor: dv.Tensor, given: Any, size: int) -> list[int]:
    checked(where, tensor)
    length = tensor.shape[0] if tensor.ndim else 1
    if not given:
        if length % size:
            raise GradError(where, f"Tensor's dim 0 does not divide equally across group size, got {length} for {size}")
        return [length // size] * size
    if len(given) != size:
        raise GradError(where, "Number of tensor splits not equal to group size", f"got {list(given)}")
    if sum(given) != length:
        raise GradError(where, "Split sizes doesn't match total dim 0 size", f"got {list(given)} for {tuple(tensor.shape)}")
    return list(given)


def exchange(where: str, group: ProcessGroup, input: dv.Tensor, sent: list[int], output: dv.Tensor, received: list[int]) -> dv.Tensor:
    """Send every member its run of elements, and return those that came, in the output's memory where it is contiguous.

    What each sends is compared with what is expected of it before.
    """
    way, what = link(group, where, f"{where}({kind(input).split()[0]})", input, output)
    if group.watch is None:
        return dense(input)
    agree(group, what)
    announced = np.empty(group.size(), np.int64)
    counts = np.array(sent, np.int64)
    Work(group, where, lambda: [group.comm.Ialltoall(counts, announced)], checked=False).wait()
    wrong = np.flatnonzero(announced != received)
    flags = np.array([len(wrong)])
    Work(group, where, lambda: [group.comm.Iallreduce(mpi.load().IN_PLACE, flags, mpi.load().MAX)], checked=False).wait()
    if len(wrong):
        at = wrong[0]
        said = f"rank {group.ranks[at]} sends {announced[at]} elements, and there is room for {received[at]}"
        raise ShapeError(where, said, "expected the same", "compare the split sizes of all ranks")
    if flags[0]:
        raise ShapeError(
            where, "another rank was sent parts of other sizes than it has room for", "expected the same", "its error says more"
        )
    if way is not None:
        here, there = dense(input), dense(output)
        Work(group, what, lambda: [way.exchange(here, sent, there, received)], checked=False).wait()
        return there
    values, into = array(input), array(output)
    each = words(values).size // max(1, values.size)
    sizes, rooms = [n * each for n in sent], [n * each for n in received]
    Work(group, where, lambda: [group.comm.Ialltoallv([words(values), sizes], [words(into), rooms])], checked=False).wait()
    return output if output.device.type == "cpu" and output.is_contiguous() else dv.from_numpy(into)
