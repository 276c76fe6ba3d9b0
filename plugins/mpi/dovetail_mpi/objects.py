"""Collectives of plain values: what `dovetail.save` can write travels as it writes it, so nothing that arrives is ever run."""

from __future__ import annotations

import copy
import io
from typing import Any

import numpy as np

import dovetail as dv
from dovetail.errors import TypeMismatch

from .collectives import outside, root_of
from .group import ProcessGroup, member
from .work import Work, agree

__all__ = [
    "all_gather_object", "broadcast_object_list", "gather_object", "gathered", "recv_object_list", "scatter_object_list",
    "send_object_list",
]  # fmt: skip


def packed(where: str, value: Any) -> np.ndarray[Any, Any]:
    """The bytes of a value. Raises a TypeError for what is more than tensors, numbers, text and containers of them."""
    file = io.BytesIO()
    try:
        dv.save({"value": value}, file)
    except TypeError as error:
        remedy = "send its state_dict(), or plain values: objects of other classes would need pickle, which can run code"
        raise TypeMismatch(
            where, str(error).partition(": ")[2].partition("; expected")[0], "expected tensors and plain values", remedy
        ) from None
    return np.frombuffer(file.getvalue(), np.uint8)


def unpacked(data: np.ndarray[Any, Any]) -> Any:
    """The value of bytes."""
    return dv.load(io.BytesIO(data.tobytes()), max_header=100_000_000)["value"]


def gathered(where: str, value: Any, group: ProcessGroup) -> list[Any]:
    """Every member's value, at every member."""
    if group.watch is None:
        packed(where, value)
        return [copy.deepcopy(value)]  # as an object that has travelled
    data, sizes = packed(where, value), np.empty(group.size(), np.int64)
    agree(group, f"{where}()")
    own = np.array([data.size])
    Work(group, where, lambda: [group.comm.Iallgather(own, sizes)], checked=False).wait()
    whole = np.empty(int(sizes.sum()), np.uint8)
    Work(group, where, lambda: [group.comm.Iallgatherv(data, [whole, sizes.tolist()])], checked=False).wait()
    return [unpacked(part) for part in np.split(whole, np.cumsum(sizes)[:-1])]


def all_gather_object(object_list: list[Any], obj: Any, group: Any = None) -> None:
    """Put every member's object into the list. Raises a TypeError for what is more than tensors and plain values."""
    if not outside(group):
        object_list[: member(group).size()] = gathered("all_gather_object", obj, member(group))


def gather_object(
    obj: Any, object_gather_list: Any = None, dst: int | None = None, group: Any = None, group_dst: int | None = None
) -> None:
    """Put every member's object into the list of one member."""
    if outside(group):
        return
    own = member(group)
    root, values = root_of("gather_object", own, dst, group_dst), gathered("gather_object", obj, own)
    if root == own.rank():
        object_gather_list[: own.size()] = values


def _sent(where: str, value: Any, group: ProcessGroup, root: int) -> Any:
    """One member's value, at every member."""
    if group.watch is None:
        return copy.deepcopy(value)
    mine = group.rank() == root
    data = packed(where, value) if mine else np.empty(0, np.uint8)
    agree(group, f"{where}(from rank {group.ranks[root]})")
    size = np.array([data.size])
    Work(group, where, lambda: [group.comm.Ibcast(size, root)], checked=False).wait()
    data = data.copy() if mine else np.empty(int(size[0]), np.uint8)
    Work(group, where, lambda: [group.comm.Ibcast(data, root)], checked=False).wait()
    return value if mine else unpacked(data)


def broadcast_object_list(
    object_list: list[Any], src: int | None = None, group: Any = None, device: Any = None, group_src: int | None = None
) -> None:
    """Send one member's objects to all, in place. Raises a TypeError for what is more than tensors and plain values."""
    if outside(group):
        return
    own = member(group)
    root = root_of("broadcast_object_list", own, src, group_src)
    if own.watch is not None:
        object_list[:] = _sent("broadcast_object_list", list(object_list), own, root)


def scatter_object_list(
    scatter_object_output_list: list[Any], scatter_object_input_list: Any = None, src: int | None = None, group: Any = None,
    group_src: int | None = None,
) -> None:  # fmt: skip
    """Put each member's object of one member's list into the output's first place."""
    if outside(group):
        return
    own = member(group)
    root = root_of("scatter_object_list", own, src, group_src)
    values = _sent("scatter_object_list", scatter_object_input_list, own, root)
    scatter_object_output_list[0] = values[own.rank()]


def send_object_list(
    object_list: list[Any], dst: int | None = None, group: Any = None, device: Any = None, group_dst: int | None = None,
    use_batch: bool = False,
) -> None:  # fmt: skip
    """Send objects to one member, who calls `recv_object_list`."""
    from .p2p import peer_of, posted

    data = packed("send_object_list", list(object_list))
    if outside(group):
        return
    own = member(group)
    peer = peer_of("send_object_list", own, dst, group_dst)
    for part in (np.array([data.size]), data):
        posted(own, dv.from_numpy(part.copy()), peer, 0).wait()


def recv_object_list(
    object_list: list[Any], src: int | None = None, group: Any = None, device: Any = None, group_src: int | None = None,
    use_batch: bool = False,
) -> int:  # fmt: skip
    """Receive the objects of `send_object_list`, in place, and return the sender's rank."""
    from .p2p import Receipt, peer_of

    if outside(group):
        return -1
    own, size = member(group), dv.zeros(1, dtype=dv.int64)
    first = Receipt(own, size, None if src is None and group_src is None else peer_of("recv_object_list", own, src, group_src), 0)
    first.wait()
    data = dv.zeros(int(size), dtype=dv.uint8)
    Receipt(own, data, root_of("recv_object_list", own, first.source_rank()), 0).wait()
    object_list[:] = unpacked(data.numpy())
    return first.source_rank()
