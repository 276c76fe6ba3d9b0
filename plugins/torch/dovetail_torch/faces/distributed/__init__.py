"""A world of one process: ``dovetail.distributed``. Every collective is what it is among one member; more need ``dovetail-mpi``."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Sequence
from datetime import timedelta
from enum import Enum
from typing import Any

import dovetail as dv
from dovetail.errors import AssertedError, DovetailError, GradError, ShapeError, TypeMismatch, UnsupportedError, ValueRangeError

__all__ = [
    "GroupMember", "ProcessGroup", "ReduceOp", "Work", "all_gather", "all_gather_into_tensor", "all_gather_object", "all_reduce",
    "all_to_all", "all_to_all_single", "barrier", "broadcast", "broadcast_object_list", "default_pg_timeout", "destroy_process_group",
    "gather", "gather_object", "get_backend", "get_process_group_ranks", "get_rank", "get_world_size", "group", "init_process_group",
    "is_available", "is_backend_available", "is_gloo_available", "is_initialized", "is_mpi_available", "is_nccl_available",
    "is_torchelastic_launched", "is_ucc_available", "is_xccl_available", "monitored_barrier", "new_group", "reduce", "reduce_scatter",
    "reduce_scatter_tensor", "scatter", "scatter_object_list",
]  # fmt: skip

default_pg_timeout = timedelta(minutes=30)
RedOpType = Enum("RedOpType", "SUM AVG PRODUCT MIN MAX BAND BOR BXOR PREMUL_SUM", start=0)


class ReduceOp:
    """How the tensors of the members become one: with one member, by all of them the tensor itself."""

    RedOpType = RedOpType
    SUM, AVG, PRODUCT, MIN, MAX, BAND, BOR, BXOR, PREMUL_SUM = RedOpType


class Work:
    """What a collective with ``async_op=True`` returns: it is done."""

    def wait(self, timeout: timedelta | None = None) -> bool:
        """True: there is nothing to wait for."""
        return True

    def is_completed(self) -> bool:
        """True."""
        return True


class ProcessGroup:
    """A group of this process alone."""

    def __init__(self, backend: str) -> None:
        self._backend = backend

    def rank(self) -> int:
        """The place of this process: 0."""
        return 0

    def size(self) -> int:
        """The number of members: 1."""
        return 1


class _World(type):
    WORLD: ProcessGroup | None = None


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


def is_backend_available(backend: str) -> bool:
    """Whether a backend is there: 'gloo' stands for the memory of this process."""
    return backend.lower() == "gloo"


def is_gloo_available() -> bool:
    """True: the name stands for the memory of this process."""
    return True


def is_nccl_available() -> bool:
    """False."""
    return False


is_mpi_available = is_ucc_available = is_xccl_available = is_nccl_available


def is_torchelastic_launched() -> bool:
    """Whether ``torchrun`` started this process."""
    return os.environ.get("TORCHELASTIC_RUN_ID") is not None


def _from_environment(name: str, given: int) -> int:
    if given >= 0:
        return given
    if name not in os.environ:
        what = f"Error initializing torch.distributed using env:// rendezvous: environment variable {name} expected, but not set"
        raise ValueRangeError("init_process_group", what)
    return int(os.environ[name])


def init_process_group(
    backend: str | None = None, init_method: str | None = None, timeout: timedelta | None = None, world_size: int = -1, rank: int = -1,
    store: Any = None, group_name: str = "", pg_options: Any = None, device_id: Any = None,
) -> None:  # fmt: skip
    """Make the world: of the arguments, or of the variables RANK and WORLD_SIZE, where neither a store nor ``init_method`` is given.

    Raises a ValueError where it has been made, or where rank and size are not known; a RuntimeError for a backend that is not
    'gloo'; an UnsupportedError (NotImplementedError) for more than one process.

    >>> init_process_group("gloo", rank=0, world_size=1)
    >>> get_rank(), get_world_size(), all_reduce(dv.ones(2))
    (0, 1, None)
    >>> destroy_process_group()
    """
    where = "init_process_group"
    if is_initialized():
        raise ValueRangeError(where, "trying to initialize the default process group twice!")
    rank, world_size = _from_environment("RANK", rank), _from_environment("WORLD_SIZE", world_size)
    name = (backend or "gloo").lower().removeprefix("cpu:").partition(",")[0]
    if not is_backend_available(name):
        what = f"Distributed package doesn't have {name.upper()} built in"
        raise GradError(where, what, "expected 'gloo'", "pip install dovetail-mpi for MPI")
    if world_size != 1 or rank != 0:
        raise UnsupportedError(where, f"rank {rank} of {world_size} processes", "one process here", "pip install dovetail-mpi for more")
    _World.WORLD = ProcessGroup(name)


def _member(chosen: ProcessGroup | None = None) -> ProcessGroup:
    if chosen is None and not is_initialized():
        what = "Default process group has not been initialized, please make sure to call init_process_group."
        raise ValueRangeError("distributed", what)
    return chosen or _World.WORLD  # type: ignore[return-value]


def destroy_process_group(group: ProcessGroup | None = None) -> None:
    """Forget the world. Raises an AssertionError where there is none."""
    if group is None and not is_initialized():
        raise AssertedError("destroy_process_group", "Process group cannot be None")
    if group is None or group is _World.WORLD:
        _World.WORLD = None


def new_group(ranks: Sequence[int] | None = None, timeout: Any = None, backend: str | None = None, **options: Any) -> ProcessGroup:
    """A group of some members. Raises a ValueError for a rank that the world has not."""
    if any(rank != 0 for rank in ranks or ()):
        raise ValueRangeError("new_group", f"the ranks {list(ranks or ())} exceed a world of one process")
    return ProcessGroup(backend or _member()._backend)


def get_rank(group: ProcessGroup | None = None) -> int:
    """The place of this process in a group: 0. Raises a ValueError without a world, as all that follow."""
    return _member(group).rank()


def get_world_size(group: ProcessGroup | None = None) -> int:
    """The number of processes in a group: 1."""
    return _member(group).size()


def get_backend(group: ProcessGroup | None = None) -> str:
    """The backend's name."""
    return _member(group)._backend


def get_process_group_ranks(group: ProcessGroup | None) -> list[int]:
    """The members of a group: ``[0]``."""
    return [_member(group).rank()]


def _alone(where: str, group: ProcessGroup | None, *peers: int | None) -> None:
    _member(group)
    if any(peer for peer in peers):
        raise GradError(where, f"invalid root rank: {next(peer for peer in peers if peer)}", "expected 0, in a world of one process")


def _reducible(where: str, tensor: Any, op: Any) -> None:
    """Refuse what is no tensor, and a reduction by bits of what has none."""
    if not isinstance(tensor, dv.Tensor):
        raise TypeMismatch(where, f"Expected parameter `tensor` of type Tensor, got {type(tensor).__name__}")
    if op in (RedOpType.BAND, RedOpType.BOR, RedOpType.BXOR) and tensor.is_floating_point():
        raise GradError(where, f"Cannot use ReduceOp.{op.name} with non-integral dtype", f"got {tensor.dtype}")


def _copied(where: str, targets: Sequence[Any], sources: Sequence[Any], mixed: type[DovetailError] = ValueRangeError) -> None:
    """Copy the one element of a list to the other's; types that differ raise `mixed`, shapes a ShapeError (RuntimeError)."""
    if len(targets) != 1 or len(sources) != 1:
        raise GradError(where, f"got lists of {len(targets)} and {len(sources)}", "expected one element for each of the processes: 1")
    to, source = targets[0], sources[0]
    for tensor in (to, source):
        _reducible(where, tensor, None)
    if to.dtype != source.dtype:
        raise mixed(where, f"Invalid usage of tensors with different dtypes, {to.dtype} and {source.dtype}")
    if to.shape != source.shape:
        raise ShapeError(where, f"invalid tensor size (expected {tuple(source.shape)}, got {tuple(to.shape)})")
    with dv.no_grad():
        to.copy_(source)


def _done(async_op: bool) -> Work | None:
    return Work() if async_op else None


def all_reduce(tensor: dv.Tensor, op: Any = RedOpType.SUM, group: ProcessGroup | None = None, async_op: bool = False) -> Work | None:
    """Reduce over all members, in place: of one, the tensor as it is."""
    _reducible("all_reduce", tensor, op)
    _alone("all_reduce", group)
    return _done(async_op)


def reduce(tensor: dv.Tensor, dst: int | None = None, op: Any = RedOpType.SUM, group: Any = None, async_op: bool = False) -> Work | None:
    """Reduce to one member, in place."""
    _reducible("reduce", tensor, op)
    _alone("reduce", group, dst)
    return _done(async_op)


def broadcast(tensor: dv.Tensor, src: int | None = None, group: ProcessGroup | None = None, async_op: bool = False) -> Work | None:
    """Send one member's tensor to all, in place."""
    _reducible("broadcast", tensor, None)
    _alone("broadcast", group, src)
    return _done(async_op)


def barrier(group: ProcessGroup | None = None, async_op: bool = False, device_ids: Any = None, timeout: Any = None) -> Work | None:
    """Wait for all members."""
    _alone("barrier", group)
    return _done(async_op)


def monitored_barrier(group: ProcessGroup | None = None, timeout: Any = None, wait_all_ranks: bool = False) -> None:
    """Wait for all members."""
    _alone("monitored_barrier", group)


def all_gather(tensor_list: list[Any], tensor: dv.Tensor, group: ProcessGroup | None = None, async_op: bool = False) -> Work | None:
    """Copy every member's tensor into the list's."""
    _alone("all_gather", group)
    _copied("all_gather", tensor_list, [tensor])
    return _done(async_op)


def gather(tensor: dv.Tensor, gather_list: Any = None, dst: int | None = None, group: Any = None, async_op: bool = False) -> Work | None:
    """Copy every member's tensor into the list's of one member."""
    _alone("gather", group, dst)
    _copied("gather", gather_list or [], [tensor])
    return _done(async_op)


def scatter(tensor: dv.Tensor, scatter_list: Any = None, src: int | None = None, group: Any = None, async_op: bool = False) -> Work | None:
    """Copy each member's element of one member's list."""
    _alone("scatter", group, src)
    _copied("scatter", [tensor], scatter_list or [])
    return _done(async_op)


def reduce_scatter(output: dv.Tensor, input_list: list[Any], op: Any = RedOpType.SUM, group: Any = None, async_op: bool = False) -> Any:
    """Reduce the lists' elements, and give each member its own."""
    _reducible("reduce_scatter", output, op)
    return scatter(output, input_list, None, group, async_op)


def all_to_all(output_tensor_list: list[Any], input_tensor_list: list[Any], group: Any = None, async_op: bool = False) -> Work | None:
    """Send each member its element."""
    _alone("all_to_all", group)
    _copied("all_to_all", output_tensor_list, input_tensor_list)
    return _done(async_op)


def all_gather_into_tensor(output_tensor: dv.Tensor, input_tensor: dv.Tensor, group: Any = None, async_op: bool = False) -> Work | None:
    """Copy every member's tensor into one."""
    _alone("all_gather_into_tensor", group)
    _copied("all_gather_into_tensor", [output_tensor], [input_tensor], GradError)
    return _done(async_op)


def reduce_scatter_tensor(output: dv.Tensor, input: dv.Tensor, op: Any = RedOpType.SUM, group: Any = None, async_op: bool = False) -> Any:
    """Reduce the tensors, and give each member its part."""
    _reducible("reduce_scatter_tensor", output, op)
    return all_gather_into_tensor(output, input, group, async_op)


def all_to_all_single(
    output: dv.Tensor, input: dv.Tensor, output_split_sizes: Any = None, input_split_sizes: Any = None, group: Any = None,
    async_op: bool = False,
) -> Work | None:  # fmt: skip
    """Send each member its part; the sizes of parts, where they are given, are those of the tensors."""
    _alone("all_to_all_single", group)
    for tensor, sizes in ((output, output_split_sizes), (input, input_split_sizes)):
        if sizes and len(sizes) != 1:
            raise GradError("all_to_all_single", "Number of tensor splits not equal to group size", f"got {list(sizes)}")
        if sizes and sizes[0] != tensor.shape[0]:
            raise GradError(
                "all_to_all_single", "Split sizes doesn't match total dim 0 size", f"got {list(sizes)} for {tuple(tensor.shape)}"
            )
    _copied("all_to_all_single", [output], [input])
    return _done(async_op)


def broadcast_object_list(object_list: list[Any], src: int | None = None, group: Any = None, device: Any = None) -> None:
    """Send one member's objects to all, in place."""
    _alone("broadcast_object_list", group, src)


def _objects(name: str, doc: str) -> Callable[..., None]:
    def put(target: list[Any], value: Any) -> None:
        target[0] = copy.deepcopy(value)  # as an object that has travelled

    def all_gather_object(object_list: list[Any], obj: Any, group: ProcessGroup | None = None) -> None:
        _alone(name, group)
        put(object_list, obj)

    def gather_object(obj: Any, object_gather_list: Any = None, dst: int | None = None, group: ProcessGroup | None = None) -> None:
        _alone(name, group, dst)
        put(object_gather_list, obj)

    def scatter_object_list(output: list[Any], inputs: Any = None, src: int | None = None, group: ProcessGroup | None = None) -> None:
        _alone(name, group, src)
        put(output, inputs[0])

    made: Any = {f.__name__: f for f in (all_gather_object, gather_object, scatter_object_list)}[name]
    made.__qualname__, made.__doc__ = name, doc
    return made


all_gather_object = _objects("all_gather_object", "Put every member's object into the list.")
gather_object = _objects("gather_object", "Put every member's object into the list of one member.")
scatter_object_list = _objects("scatter_object_list", "Put each member's object of one member's list into the output's first place.")
