"""Tensors as MPI and NCCL send and fill them: contiguous arrays on the host, or tensors on a GPU, and the way back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import dovetail as dv
from dovetail.errors import DovetailError, GradError, ShapeError, TypeMismatch, ValueRangeError

from . import mpi

__all__ = ["array", "checked", "dense", "flat", "kind", "put", "reduced", "reducer", "restore", "row", "same", "words"]

_PIECE, _PIECES = 2**18, 64  # elements of a message at least, and messages at most
_BITS = ("BAND", "BOR", "BXOR")


def checked(where: str, tensor: Any, op: Any = None) -> None:
    """Refuse what is no tensor, and a reduction that its elements do not have."""
    if not isinstance(tensor, dv.Tensor):
        raise TypeMismatch(where, f"Expected parameter `tensor` of type Tensor, got {type(tensor).__name__}")
    if op is not None and op.name in _BITS and (tensor.is_floating_point() or tensor.is_complex()):
        raise GradError(where, f"Cannot use ReduceOp.{op.name} with non-integral dtype", f"got {tensor.dtype}")
    if op is not None and op.name in ("MIN", "MAX") and tensor.is_complex():
        raise ValueRangeError(where, f"{where} does not support ReduceOp.{op.name} on complex tensors")
    if op is not None and op.name == "PREMUL_SUM":
        raise GradError(where, "Cannot use ReduceOp.PREMUL_SUM with MPI or NCCL", "", "multiply the tensor, and use SUM")


def kind(tensor: dv.Tensor) -> str:
    """The type and the shape, as members compare them.

    >>> kind(dv.ones(2, 3))
    'float32 (2, 3)'
    """
    return f"{str(tensor.dtype).rpartition('.')[2]} {tuple(tensor.shape)}"


def array(tensor: dv.Tensor) -> np.ndarray[Any, Any]:
    """The elements in order: the tensor's own memory where that is contiguous and the host's, else a copy."""
    return np.ascontiguousarray(tensor.detach().cpu().resolve_conj().numpy()).reshape(tensor.shape)


def put(tensor: dv.Tensor, values: np.ndarray[Any, Any]) -> None:
    """Give a tensor the elements of an array; nothing to do where they are its own memory."""
    own = tensor.detach()
    if own.device.type != "cpu" or not np.shares_memory(own.numpy(), values):
        with dv.no_grad():
            own.copy_(dv.from_numpy(values.reshape(tensor.shape)))


def dense(tensor: dv.Tensor) -> dv.Tensor:
    """The elements in order, where they are: the tensor's own memory where that is contiguous, else a copy.

    >>> t = dv.arange(6).reshape(2, 3)
    >>> dense(t).data_ptr() == t.data_ptr(), dense(t.T).data_ptr() == t.data_ptr()
    (True, False)
    """
    return tensor.detach().resolve_conj().contiguous()


def restore(tensor: dv.Tensor, values: dv.Tensor) -> None:
    """Give a tensor the elements of another; nothing to do where they are its own memory, as `dense` may have it."""
    if tensor.data_ptr() != values.data_ptr():
        with dv.no_grad():
            tensor.detach().copy_(values.reshape(tensor.shape))


def row(tensors: Sequence[dv.Tensor]) -> dv.Tensor:
    """The elements of tensors in a row, where they are."""
    return dv.cat([dense(t).reshape(-1) for t in tensors])


def words(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The same memory as elements that MPI knows: bytes, where it has no such type."""
    return values.reshape(-1).view(np.uint8) if values.dtype.isbuiltin != 1 or values.dtype == np.float16 else values.reshape(-1)


def flat(tensors: Sequence[dv.Tensor]) -> np.ndarray[Any, Any]:
    """The elements of tensors in a row."""
    return np.concatenate([array(t).reshape(-1) for t in tensors])


def same(where: str, targets: Sequence[Any], sources: Sequence[Any], size: int, mixed: type[DovetailError] = ValueRangeError) -> None:
    """Refuse lists that are not one tensor for each member, all of one shape and type."""
    for count in {len(t) for t in (targets, sources)} - {1}:
        if count != size:
            lengths = f"{len(targets)} and {len(sources)}"
            raise GradError(where, f"got lists of {lengths}", f"expected one element for each of the processes: {size}")
    if size == 1 and not (targets and sources):
        raise GradError(where, f"got lists of {len(targets)} and {len(sources)}", "expected one element for each of the processes: 1")
    first = (*sources, *targets)[0]
    for tensor in (*targets, *sources):
        checked(where, tensor)
    for tensor in (*targets, *sources):
        if tensor.dtype != first.dtype:
            raise mixed(where, f"Invalid usage of tensors with different dtypes, {tensor.dtype} and {first.dtype}")
    for tensor in (*targets, *sources):
        if tensor.shape != first.shape:
            raise ShapeError(where, f"invalid tensor size (expected {tuple(first.shape)}, got {tuple(tensor.shape)})")


def reducer(name: str, values: np.ndarray[Any, Any], members: int) -> tuple[np.ndarray[Any, Any], Callable[[], np.ndarray[Any, Any]]]:
    """An array that MPI can reduce, of the same values, and what gives the result from it in the type of the first."""
    half = values.dtype.isbuiltin != 1 or values.dtype == np.float16  # MPI has no half precision: it is added in single
    wide = values.astype(np.float32) if half else values

    def result() -> np.ndarray[Any, Any]:
        if name == "AVG":
            np.floor_divide(wide, members, out=wide) if wide.dtype.kind in "iu" else np.divide(wide, members, out=wide)
        if half:
            values[...] = wide.astype(values.dtype)
        return values

    return wide, result


def reduced(comm: Any, values: np.ndarray[Any, Any], how: Any) -> list[Any]:
    """Begin to reduce an array over all members, in place, and return the requests; one for a long array would take twice the time."""
    row = values.reshape(-1)
    step = max(_PIECE, -(-row.size // _PIECES))
    return [comm.Iallreduce(mpi.load().IN_PLACE, row[at : at + step], how) for at in range(0, max(row.size, 1), step)]
