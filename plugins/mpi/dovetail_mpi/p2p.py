"""From one rank to another: send and recv."""

from __future__ import annotations

from typing import Any

import dovetail as dv
from dovetail.errors import GradError, ShapeError, ValueRangeError

from . import mpi
from .buffers import array, checked, kind, put, words
from .collectives import outside, root_of
from .group import ProcessGroup, member
from .links import backend
from .work import Work

__all__ = ["P2POp", "Receipt", "batch_isend_irecv", "irecv", "isend", "peer_of", "posted", "recv", "send"]


def peer_of(where: str, group: ProcessGroup, of_world: int | None, of_group: int | None) -> int:
    """Another member's place in its group. Raises a ValueError for this process itself."""
    peer = root_of(where, group, of_world, of_group)
    if peer == group.rank():
        raise ValueRangeError(where, f"Invalid {'destination' if 'send' in where else 'source'} rank: {peer} is this process itself")
    return peer


def isend(tensor: dv.Tensor, dst: int | None = None, group: Any = None, tag: int = 0, group_dst: int | None = None) -> Work | None:
    """Begin to send a tensor to one member; it may be changed once the work is done."""
    checked("isend", tensor)
    if outside(group):
        return None
    own = member(group)
    backend(own, "isend", tensor)
    return posted(own, tensor, peer_of("isend", own, dst, group_dst), tag)


def posted(group: ProcessGroup, tensor: dv.Tensor, peer: int, tag: int) -> Work:
    """Begin to send, through the host."""
    values, what = array(tensor), f"isend({kind(tensor)} to rank {group.ranks[peer]})"
    return Work(group, what, lambda: [group.comm.Isend(words(values), peer, tag)], ordered=False)


def irecv(tensor: dv.Tensor, src: int | None = None, group: Any = None, tag: int = 0, group_src: int | None = None) -> Work | None:
    """Begin to receive a tensor, in place, from one member, or from any where no ``src`` is given.

    Waiting for it raises a ShapeError (RuntimeError) where what arrives is not of the tensor's size.
    """
    checked("irecv", tensor)
    if outside(group):
        return None
    own = member(group)
    backend(own, "irecv", tensor)
    if own.watch is None:
        raise ValueRangeError("irecv", "there is nobody to receive from in a world of one process")
    return Receipt(own, tensor, None if src is None and group_src is None else peer_of("irecv", own, src, group_src), tag)


class Receipt(Work):
    """A receipt under way: a message is looked at before it is taken, so that sizes can be compared, and is that of the first who asked."""

    def __init__(self, group: ProcessGroup, tensor: dv.Tensor, peer: int | None, tag: int) -> None:
        self._values, self._kind, self._tag = array(tensor), kind(tensor), tag
        self._peer = mpi.load().ANY_SOURCE if peer is None else peer
        what = f"irecv({self._kind} from {'any rank' if peer is None else f'rank {group.ranks[peer]}'})"
        super().__init__(group, what, finish=lambda: put(tensor, self._values), ordered=False)
        group.receipts.append(self)

    def _advance(self) -> bool:
        group: Any = self._group
        while not self._done and not self._requests:
            status = mpi.load().Status()
            message = group.comm.Improbe(self._peer, self._tag, status)
            if message is None:
                return False
            next(one for one in group.receipts if one._wants(status))._take(message, status)
        return super()._advance()

    def _wants(self, status: Any) -> bool:
        return self._tag == status.tag and self._peer in (mpi.load().ANY_SOURCE, status.source)

    def _take(self, message: Any, status: Any) -> None:
        group: Any = self._group
        group.receipts.remove(self)
        self._source, room = group.ranks[status.source], words(self._values)
        if status.count == room.nbytes:
            self._requests = [message.Irecv(room)]
            return
        message.Recv(bytearray(status.count))
        text = f"{status.count} bytes came from rank {self._source}, and {self._kind} has {room.nbytes}"
        self._done, self._error = True, ShapeError("irecv", text, "expected the same shape and type on both sides")


def send(tensor: dv.Tensor, dst: int | None = None, group: Any = None, tag: int = 0, group_dst: int | None = None) -> None:
    """Send a tensor to one member. Raises a ValueError for this process itself."""
    if (work := isend(tensor, dst, group, tag, group_dst)) is not None:
        work.wait()


def recv(tensor: dv.Tensor, src: int | None = None, group: Any = None, tag: int = 0, group_src: int | None = None) -> int:
    """Receive a tensor, in place, and return the sender's rank; without ``src`` from any member. -1 for who is no member."""
    if (work := irecv(tensor, src, group, tag, group_src)) is None:
        return -1
    work.wait()
    return work.source_rank()


class P2POp:
    """An `isend` or `irecv` to come, for `batch_isend_irecv`."""

    def __init__(self, op: Any, tensor: dv.Tensor, peer: int | None = None, group: Any = None, tag: int = 0, group_peer: int | None = None):
        if op not in (isend, irecv):
            raise GradError("P2POp", "Invalid ``op``", "expected distributed.isend or distributed.irecv")
        self.op, self.tensor, self.peer, self.group, self.tag, self.group_peer = op, tensor, peer, group, tag, group_peer

    def begin(self) -> Work | None:
        """Call it."""
        started: Work | None = self.op(self.tensor, self.peer, self.group, self.tag, self.group_peer)
        return started


def batch_isend_irecv(p2p_op_list: list[P2POp]) -> list[Work]:
    """Begin several at once, and return their works."""
    return [work for op in p2p_op_list if (work := op.begin()) is not None]
