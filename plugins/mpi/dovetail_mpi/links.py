"""How tensors travel in a group: by NCCL, or through the host; and how the members meet on their GPUs.

A group has a link of NCCL's for each GPU that its members use, made when all of them come with their first tensor there. MPI stays in
front: it compares what ranks were asked for, spreads NCCL's id, and tells of ranks that ended while NCCL waits for them.
"""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import dovetail as dv
from dovetail.errors import GradError, TypeMismatch, ValueRangeError

from .errors import DistBackendError
from .nccl import TYPES, WAYS, Landing, Link, cuda, name_of, nccl
from .watch import wait
from .work import Work

if TYPE_CHECKING:
    from .group import ProcessGroup

__all__ = ["abandon", "backend", "link"]

_ROW = 1000  # bytes in which a rank says where its GPU is, and the first one also NCCL's id


def backend(group: ProcessGroup, where: str, tensor: dv.Tensor) -> str:
    """The backend of a tensor's device. Raises a RuntimeError for a device for which the group has none."""
    device = tensor.device.type
    if device not in group.routes:
        has = f"the group's backend is {group.backend!r}"
        if f"{device}:nccl" in group.backend:
            has += ", and NCCL is not here (cupy.cuda.nccl.available)"
        remedy = "init_process_group('cpu:gloo,cuda:nccl') is for tensors of both, or move the tensor"
        raise GradError(where, f"No backend type associated with device type {device}", has, remedy)
    return group.routes[device]


def link(group: ProcessGroup, where: str, what: str, *tensors: dv.Tensor, op: Any = None) -> tuple[Any, str]:
    """The `Link` by which tensors travel, and what ranks compare; None for those that travel through the host.

    All members of the group come here with their first tensors on GPUs. Raises a RuntimeError for a device without a backend; what NCCL
    has no form of is refused as PyTorch refuses it.
    """
    device = tensors[0].device
    if backend(group, where, tensors[0]) != "nccl":
        return None, what
    for tensor in tensors:
        if tensor.device != device:
            raise ValueRangeError(where, f"Tensors must be on one GPU, got {device} and {tensor.device}")
        if name_of(tensor) not in TYPES:
            raise TypeMismatch(where, f"Input tensor data type is not supported for NCCL process group: {name_of(tensor)}")
    if op is not None:
        _refuse(where, tensors[0], op.name)
    if group.watch is None:
        return None, what
    index = device.index or 0
    if index not in group.links:
        group.links[index] = _joined(group, what, index)
    return group.links[index], f"{what} by NCCL"


def abandon(group: ProcessGroup, requests: Sequence[Any] | None, error: Exception) -> None:
    """After a wait that failed: end links on which calls wait for a rank that does not come, and would hold their GPU for good."""
    if group.watch is not None and (group.watch.gone or any(isinstance(one, Landing) for one in requests or ())):
        for one in group.links.values():
            if one.busy():
                one.abort(str(error))


def _joined(group: ProcessGroup, what: str, index: int) -> Link:
    """Meet the other members: all learn NCCL's id from the first, and that no two of them have one GPU, for which NCCL would wait."""
    title, mine = f"NCCL(communicator for {what})", {"place": _place(index), "host": socket.gethostname(), "gpu": index}
    if group.rank() == 0:
        try:
            mine["id"] = nccl().get_unique_id().hex()
        except Exception as error:  # the others must hear of it
            mine["error"] = f"rank {group.ranks[0]} has no id of NCCL's: {type(error).__name__}: {error}"[:500]
    row, rows = np.frombuffer(json.dumps(mine).encode().ljust(_ROW), np.uint8), np.empty((group.size(), _ROW), np.uint8)
    Work(group, title, lambda: [group.comm.Iallgather(row, rows)]).wait()
    told = [json.loads(one.tobytes()) for one in rows]
    if "error" in told[0]:
        raise DistBackendError(title, told[0]["error"])
    places = [one["place"] for one in told]
    for at, place in enumerate(places):
        if (first := places.index(place)) != at:
            ranks = f"ranks {group.ranks[first]} and {group.ranks[at]} are on one GPU (cuda:{told[at]['gpu']} of {told[at]['host']})"
            remedy = 'call cuda.set_device(int(os.environ["LOCAL_RANK"])) before tensors are made, and start no more ranks than GPUs'
            raise DistBackendError(title, ranks, "expected one GPU for each rank", remedy)
    return _made(group, title, bytes.fromhex(told[0]["id"]), index)


def _made(group: ProcessGroup, title: str, identity: bytes, index: int) -> Link:
    """NCCL waits for all members while it makes a communicator: in a thread, so that this one hears of a member that is lost."""
    made: list[Any] = []

    def make() -> None:
        try:
            made.append(Link(group.size(), group.rank(), identity, index))
        except Exception as error:  # raised below, in the thread that asked
            made.append(error)

    thread = threading.Thread(target=make, daemon=True)
    thread.start()
    wait(lambda: not thread.is_alive(), title, group.watch, group.ranks, group.timeout)  # type: ignore[arg-type]
    if isinstance(made[0], Exception):
        raise DistBackendError(title, f"NCCL reports {made[0]}", "", "NCCL_DEBUG=INFO says more") from made[0]
    return made[0]  # type: ignore[no-any-return]


def _place(index: int) -> str:
    """Which GPU of which running machine this is, whatever number or name it has here."""
    boot = Path("/proc/sys/kernel/random/boot_id")
    return f"{boot.read_text().strip() if boot.exists() else socket.gethostname()} {cuda().Device(index).pci_bus_id}"


def _refuse(where: str, tensor: dv.Tensor, name: str) -> None:
    if name not in WAYS:
        raise ValueRangeError(where, f"Cannot use ReduceOp.{name} with NCCL", f"expected {', '.join(WAYS)}", "move the tensor to the CPU")
    if tensor.is_complex() and name not in ("SUM", "AVG"):
        raise ValueRangeError(where, f"{where} does not support ReduceOp.{name} on complex tensors")
    if tensor.dtype == dv.bool and name == "AVG":
        raise TypeMismatch(where, "Cannot use ReduceOp.AVG with boolean inputs")
