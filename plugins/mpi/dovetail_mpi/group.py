"""Groups of processes: the world that `init_process_group` makes, and parts of it."""

from __future__ import annotations

import multiprocessing
import os
from collections import deque
from collections.abc import Sequence
from datetime import timedelta
from enum import Enum
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

import dovetail as dv
from dovetail.errors import AssertedError, GradError, UnsupportedError, ValueRangeError

from . import links, mpi
from .backends import is_nccl_available, routes
from .watch import Watch, wait
from .work import Work, agree

if TYPE_CHECKING:
    from .nccl import Link

__all__ = [
    "GroupMember", "ProcessGroup", "ReduceOp", "default_pg_timeout", "destroy_process_group", "get_backend", "get_global_rank",
    "get_group_rank", "get_node_local_rank", "get_process_group_ranks", "get_rank", "get_world_size", "group", "init_process_group",
    "is_available", "is_initialized", "is_torchelastic_launched", "member", "new_group", "new_subgroups",
    "new_subgroups_by_enumeration",
]  # fmt: skip

default_pg_timeout = timedelta(minutes=30)
RedOpType = Enum("RedOpType", "SUM AVG PRODUCT MIN MAX BAND BOR BXOR PREMUL_SUM", start=0)


class ReduceOp:
    """How the tensors of the members become one; AVG divides the sum by their number.

    >>> ReduceOp.SUM.name
    'SUM'
    """

    RedOpType = RedOpType
    SUM, AVG, PRODUCT, MIN, MAX, BAND, BOR, BXOR, PREMUL_SUM = RedOpType


class ProcessGroup:
    """Some processes of the world, or this one alone; ``ranks`` are their places in the world.

    >>> alone = ProcessGroup("gloo")
    >>> alone.rank(), alone.size()
    (0, 1)
    """

    def __init__(
        self, backend: str, ranks: Sequence[int] = (0,), comm: Any = None, watch: Watch | None = None, timeout: timedelta | None = None,
        name: str = "",
    ) -> None:  # fmt: skip
        self.backend, self.routes = routes("ProcessGroup", backend, watch is not None)
        self.ranks, self.watch, self.group_name, self.group_desc = tuple(ranks), watch, name, name
        self.timeout: timedelta = timeout or default_pg_timeout
        self.comm, self.checks = comm, comm and comm.Dup()
        self.queue: deque[Work] = deque()  # collectives whose data do not move yet
        self.receipts: list[Any] = []  # messages that were asked for and are not here yet, in the order of asking
        self.links: dict[int, Link] = {}  # NCCL's communicators, by the GPU
        self.parts: list[ProcessGroup] = []  # of the world: the groups that were made of its members

    def rank(self) -> int:
        """The place of this process."""
        return 0 if self.comm is None else int(self.comm.rank)

    def size(self) -> int:
        """The number of members."""
        return len(self.ranks)

    def name(self) -> str:
        """The backend's name."""
        return self.backend

    def abandon(self, requests: Sequence[Any] | None, error: Exception) -> None:
        """After a wait that failed: let no call of NCCL wait on for a rank that does not come."""
        links.abandon(self, requests, error)

    def close(self) -> None:
        """Give back what NCCL keeps for the group."""
        for link in self.links.values():
            link.close()

    def free(self) -> None:
        """Give back what MPI keeps for the group; every member calls it."""
        self.close()
        for comm in (self.comm, self.checks):
            if comm is not None:
                comm.Free()
        self.comm = self.checks = None


class _World(type):
    WORLD: ProcessGroup | None = None
    LEFT: tuple[ProcessGroup, ...] = ()  # the groups of the world before; MPI takes them back once all ranks have left it
    NON_GROUP_MEMBER = -100  # what `new_group` returns to those who are not in it


class group(metaclass=_World):  # PyTorch's name
    """``group.WORLD`` is the group that `init_process_group` made, or None."""


GroupMember = group


def is_available() -> bool:
    """True: a program may ask on."""
    return True


def is_initialized() -> bool:
    """Whether `init_process_group` has been called.

    >>> is_initialized()
    False
    """
    return _World.WORLD is not None


def is_torchelastic_launched() -> bool:
    """Whether ``torchrun`` started this process."""
    return os.environ.get("TORCHELASTIC_RUN_ID") is not None


def get_node_local_rank(fallback_rank: int | None = None) -> int:
    """The place of this process on its machine, from LOCAL_RANK. Raises a RuntimeError where it is not set and no other is given."""
    if "LOCAL_RANK" not in os.environ and fallback_rank is None:
        raise GradError(
            "get_node_local_rank", "LOCAL_RANK is not in the environment", "", "start with dovetail launch, or give fallback_rank"
        )
    return int(os.environ.get("LOCAL_RANK", fallback_rank or 0))


def _from_environment(name: str, given: int) -> int:
    if given >= 0:
        return given
    if name not in os.environ and mpi.alone():
        return int(name == "WORLD_SIZE")
    if name not in os.environ:
        what = f"Error initializing torch.distributed using env:// rendezvous: environment variable {name} expected, but not set"
        raise ValueRangeError("init_process_group", what)
    return int(os.environ[name])


def init_process_group(
    backend: str | None = None, init_method: str | None = None, timeout: timedelta | None = None, world_size: int = -1, rank: int = -1,
    store: Any = None, group_name: str = "", pg_options: Any = None, device_id: Any = None,
) -> None:  # fmt: skip
    """Make the world: of the processes that an MPI launcher started (`dovetail launch`, mpiexec, srun), or of this one alone.

    MPI knows rank and size; where they are given too, they must be the same. A process that no launcher of MPI started takes them from the
    arguments, or the variables RANK and WORLD_SIZE, except with ``backend="mpi"``: rank 0 of one. ``timeout`` (30 minutes) bounds every
    later wait for another rank; ``init_method`` and ``store`` are not needed, since MPI has its own.

    ``backend`` is 'mpi' or 'gloo', for tensors of the CPU, and of GPUs through the host's memory; 'nccl' for tensors of GPUs alone; or one
    for each type of device, 'cpu:gloo,cuda:nccl'. None is MPI, and NCCL for tensors of GPUs where it is there. New tensors are made on
    the GPU ``device_id``, where it is given.
    Raises a ValueError where it has been made, or rank and size are not known or contradict MPI; a RuntimeError for a backend
    that is not there; an UnsupportedError (NotImplementedError) for several processes that MPI did not start.

    >>> init_process_group("gloo", rank=0, world_size=1)
    >>> get_rank(), get_world_size()
    (0, 1)
    >>> destroy_process_group()
    """
    where = "init_process_group"
    if is_initialized():
        raise ValueRangeError(where, "trying to initialize the default process group twice!")
    import_module("dovetail.distributed")  # under this name the core finds it
    started = mpi.launched()
    if device_id is not None and (device := dv.device(device_id)).type != "cpu":
        if device.index is None:
            raise ValueRangeError(where, "Please use a device_id with index.", f"got {device_id!r}")
        dv.cuda.set_device(device)
        backend = backend or ("nccl" if device.type == "cuda" and is_nccl_available() else None)
    name, ways = routes(where, backend, started)
    if started and multiprocessing.parent_process() is not None:
        what = f"this process was started by multiprocessing, inside of rank {mpi.place()[0]}, and MPI does not know it"
        remedy = "call the function in every rank in place of starting processes, as torch.multiprocessing.spawn does under dovetail launch"
        raise UnsupportedError(where, what, "expected a process that the MPI launcher started", remedy)
    if started:
        _World.WORLD = _of_mpi(where, name, timeout or default_pg_timeout, rank, world_size)
        return
    if ways.get("cpu") != "mpi" or rank >= 0 or world_size >= 0:
        rank, world_size = _from_environment("RANK", rank), _from_environment("WORLD_SIZE", world_size)
        if world_size != 1 or rank != 0:
            what = f"rank {rank} of {world_size} processes, which no MPI launcher started"
            raise UnsupportedError(where, what, "one process here", f"dovetail launch -n {world_size} program.py starts more")
    _World.WORLD = ProcessGroup(name)


def _of_mpi(where: str, name: str, timeout: timedelta, rank: int, size: int) -> ProcessGroup:
    """The processes that MPI started. That all have come here is waited for before anything is made together."""
    MPI = mpi.load()
    world = MPI.COMM_WORLD
    for what, given, real in (("rank", rank, world.rank), ("world_size", size, world.size)):
        if given >= 0 and given != real:
            raise ValueRangeError(where, f"{what} is {given}, and MPI's is {real}", "expected the same", f"leave {what} out")
    clean = np.array([not any(one.queue or one.receipts for one in _World.LEFT)], np.int32)
    start, ranks = world.Iallreduce(MPI.IN_PLACE, clean, MPI.MIN), range(world.size)
    stub = Watch.__new__(Watch)  # until all are here there is nobody to tell
    stub.look, stub.gone, stub.rank = (lambda: None), {}, world.rank  # type: ignore[method-assign]
    wait(start.Test, where, stub, ranks, timeout)
    if clean[0]:  # all have left the world before, and nothing in it is under way
        for one in _World.LEFT:
            one.free()
        if _World.LEFT:
            _World.LEFT[-1].watch.free()  # type: ignore[union-attr]
    _World.LEFT = ()
    return ProcessGroup(name, ranks, world.Dup(), Watch(world.Dup()), timeout, "0")


def member(chosen: Any = None) -> ProcessGroup:
    """The group that an argument means: the world, where it is None. Raises a ValueError without a world."""
    if chosen is None and not is_initialized():
        what = "Default process group has not been initialized, please make sure to call init_process_group."
        raise ValueRangeError("distributed", what)
    return chosen or _World.WORLD  # type: ignore[return-value]


def destroy_process_group(group: Any = None) -> None:
    """Forget the world, or a group; nobody is waited for. What MPI keeps for a world is given back when all make the next one, or end.

    Raises an AssertionError where there is none.
    """
    if group is None and not is_initialized():
        raise AssertedError("destroy_process_group", "Process group cannot be None")
    world = _World.WORLD
    if group is None or group is world:
        for one in (*world.parts, world) if world is not None else ():
            one.close()
        if world is not None and world.watch is not None:
            world.watch.end("has called destroy_process_group")
            _World.LEFT = (*world.parts, world)
        _World.WORLD = None
    elif group is not _World.NON_GROUP_MEMBER and not (group.watch and group.watch.gone):
        group.free()
    elif group is not _World.NON_GROUP_MEMBER:
        group.close()


def new_group(
    ranks: Sequence[int] | None = None, timeout: timedelta | None = None, backend: str | None = None, pg_options: Any = None,
    use_local_synchronization: bool = False, group_desc: str | None = None, device_id: Any = None, sort_ranks: bool = True,
) -> Any:  # fmt: skip
    """A group of some members; every process of the world calls it, and those outside get ``GroupMember.NON_GROUP_MEMBER``.

    Raises a ValueError for a rank that the world has not, or that is named twice.
    """
    world = member()
    chosen = list(range(world.size())) if ranks is None else sorted(ranks) if sort_ranks else list(ranks)
    if any(not 0 <= rank < world.size() for rank in chosen) or len(set(chosen)) != len(chosen):
        of = "one process" if world.size() == 1 else f"{world.size()} processes"
        raise ValueRangeError("new_group", f"the ranks {chosen} exceed a world of {of}, or are not different")
    if world.watch is None:
        return ProcessGroup(backend or world.backend)
    if not use_local_synchronization:
        agree(world, f"new_group({chosen})")
    if world.rank() not in chosen:
        return _World.NON_GROUP_MEMBER
    part = world.comm.group.Incl(chosen)
    comm = world.comm.Create_group(part)
    made = ProcessGroup(backend or world.backend, chosen, comm, world.watch, timeout or world.timeout, group_desc or str(chosen))
    world.parts.append(made)
    return made


def new_subgroups(
    group_size: int | None = None, group: Any = None, timeout: timedelta | None = None, backend: str | None = None, pg_options: Any = None,
    group_desc: str | None = None,
) -> tuple[Any, list[Any]]:  # fmt: skip
    """Groups of ``group_size`` neighbours each: that of this process, and all of them. Raises a ValueError where they do not come out even.

    >>> init_process_group("gloo", rank=0, world_size=1)
    >>> new_subgroups(1)[0].size()
    1
    >>> destroy_process_group()
    """
    where, ranks = "new_subgroups", get_process_group_ranks(group)
    if group_size is None:
        raise ValueRangeError(where, "group_size is None, and processes here have no GPUs to count", "expected how many a group has")
    if group_size <= 0:
        raise ValueRangeError(where, f"The arg 'group_size' ({group_size}) must be positive")
    if group_size > len(ranks):
        raise ValueRangeError(where, f"The arg 'group_size' ({group_size}) must not exceed the world size ({len(ranks)})")
    if len(ranks) % group_size:
        raise ValueRangeError(where, f"The world size ({len(ranks)}) must be divisible by '{group_size=}'")
    runs = [ranks[at : at + group_size] for at in range(0, len(ranks), group_size)]
    return new_subgroups_by_enumeration(runs, timeout, backend, pg_options, group_desc)


def new_subgroups_by_enumeration(
    ranks_per_subgroup_list: Sequence[Sequence[int]], timeout: timedelta | None = None, backend: str | None = None, pg_options: Any = None,
    group_desc: str | None = None,
) -> tuple[Any, list[Any]]:  # fmt: skip
    """A group of each of the lists: that of this process, or None, and all of them. Raises a ValueError for a rank in two of them."""
    where, every = "new_subgroups_by_enumeration", [rank for ranks in ranks_per_subgroup_list or () for rank in ranks]
    if not ranks_per_subgroup_list:
        raise ValueRangeError(where, "The arg 'ranks_per_subgroup_list' cannot be empty")
    if twice := sorted({rank for rank in every if every.count(rank) > 1}):
        raise ValueRangeError(where, f"Rank {twice[0]} has appeared in two subgroups, of {[*map(list, ranks_per_subgroup_list)]}")
    made = [new_group(ranks, timeout, backend, pg_options, group_desc=group_desc) for ranks in ranks_per_subgroup_list]
    own = [one for one, ranks in zip(made, ranks_per_subgroup_list, strict=True) if get_rank() in ranks]
    return (own[0] if own else None), made


def get_rank(group: Any = None) -> int:
    """The place of this process in a group, -1 outside. Raises a ValueError without a world, as all that follow."""
    return -1 if group == _World.NON_GROUP_MEMBER else member(group).rank()


def get_world_size(group: Any = None) -> int:
    """The number of processes in a group, -1 outside."""
    return -1 if group == _World.NON_GROUP_MEMBER else member(group).size()


def get_backend(group: Any = None) -> str:
    """The backend's name."""
    return member(group).backend


def get_process_group_ranks(group: ProcessGroup | None) -> list[int]:
    """The members of a group, by their places in the world."""
    return list(member(group).ranks)


def get_group_rank(group: ProcessGroup, global_rank: int) -> int:
    """The place in a group of a process of the world. Raises a ValueError for one that is not in it."""
    ranks = member(group).ranks
    if global_rank not in ranks:
        raise ValueRangeError("get_group_rank", f"Global rank {global_rank} is not part of group {list(ranks)}")
    return ranks.index(global_rank)


def get_global_rank(group: ProcessGroup, group_rank: int) -> int:
    """The place in the world of a member of a group. Raises a ValueError for one that is not there."""
    ranks = member(group).ranks
    if not 0 <= group_rank < len(ranks):
        raise ValueRangeError("get_global_rank", f"Group rank {group_rank} is not part of group {list(ranks)}")
    return ranks[group_rank]
