"""NCCL, through CuPy: collectives on the memory of tensors on GPUs, on a stream of their own beside the program's."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import dovetail as dv

from .errors import DistBackendError

__all__ = ["TYPES", "WAYS", "Landing", "Link", "available", "cuda", "name_of", "nccl"]

TYPES = {  # PyTorch's elements: NCCL's, and how many of those one is
    "int8": ("NCCL_INT8", 1), "uint8": ("NCCL_UINT8", 1), "bool": ("NCCL_UINT8", 1), "int32": ("NCCL_INT32", 1),
    "uint32": ("NCCL_UINT32", 1), "int64": ("NCCL_INT64", 1), "uint64": ("NCCL_UINT64", 1), "float16": ("NCCL_FLOAT16", 1),
    "bfloat16": ("NCCL_BFLOAT16", 1), "float32": ("NCCL_FLOAT32", 1), "float64": ("NCCL_FLOAT64", 1), "complex64": ("NCCL_FLOAT32", 2),
    "complex128": ("NCCL_FLOAT64", 2),
}  # fmt: skip
WAYS = {"SUM": "NCCL_SUM", "AVG": "NCCL_AVG", "PRODUCT": "NCCL_PROD", "MIN": "NCCL_MIN", "MAX": "NCCL_MAX"}


def available() -> bool:
    """Whether CuPy has NCCL, and there is a GPU.

    >>> available() <= dv.cuda.is_available()
    True
    """
    if not dv.cuda.is_available():
        return False
    with warnings.catch_warnings(action="ignore"):  # CuPy says how to install NCCL, also where nobody asked for it
        return bool(nccl().available)


def nccl() -> Any:
    """CuPy's module of NCCL, imported when it is first asked for."""
    return import_module("cupy.cuda.nccl")


def cuda() -> Any:
    """CuPy's module of devices, streams and events."""
    return import_module("cupy").cuda


class Landing:
    """Calls of NCCL under way, which a Work asks as it asks a request of MPI. It holds their tensors until they are done."""

    def __init__(self, link: Link, event: Any, kept: Sequence[dv.Tensor]) -> None:
        self.link, self.event, self.kept = link, event, kept

    def Test(self) -> bool:  # MPI's name
        """Whether the calls are done. Raises a DistBackendError with what NCCL reports."""
        self.link.check()
        if self.event.done:
            self.kept = ()
        return not self.kept


class Link:
    """NCCL's communicator of one group on one GPU. Tensors given to its methods are dense, and on that GPU."""

    def __init__(self, size: int, rank: int, identity: bytes, index: int) -> None:
        self.size, self.rank, self.index, self.ended = size, rank, index, ""
        self._landings: list[Landing] = []
        with cuda().Device(index):
            self._communicator = nccl().NcclCommunicator(size, identity, rank)
            self._stream = cuda().Stream(non_blocking=True)

    def all_reduce(self, tensor: dv.Tensor, way: str) -> Landing:
        """Reduce in place."""
        at, count, kind = _memory(tensor)
        return self._issue([tensor], [("allReduce", at, at, count, kind, _way(way, tensor))])

    def reduce(self, tensor: dv.Tensor, way: str, root: int) -> Landing:
        """Reduce in place at one member."""
        at, count, kind = _memory(tensor)
        return self._issue([tensor], [("reduce", at, at, count, kind, _way(way, tensor), root)])

    def broadcast(self, tensor: dv.Tensor, root: int) -> Landing:
        """Give all one member's tensor."""
        return self.spread([tensor], [root])

    def spread(self, tensors: Sequence[dv.Tensor], roots: Sequence[int]) -> Landing:
        """Give all each of these tensors from its member: with one for each, an all-gather of parts that differ in size."""
        pairs = [(_memory(tensor), root) for tensor, root in zip(tensors, roots, strict=True)]
        return self._issue(tensors, [("broadcast", at, at, count, kind, root) for (at, count, kind), root in pairs if count])

    def all_gather(self, part: dv.Tensor, whole: dv.Tensor) -> Landing:
        """Join all members' parts."""
        at, count, kind = _memory(part)
        return self._issue([part, whole], [("allGather", at, whole.data_ptr(), count, kind)])

    def reduce_scatter(self, whole: dv.Tensor, part: dv.Tensor, way: str) -> Landing:
        """Reduce wholes, and give each member its part."""
        at, count, kind = _memory(part)
        return self._issue([whole, part], [("reduceScatter", whole.data_ptr(), at, count, kind, _way(way, part))])

    def exchange(self, values: dv.Tensor, sent: Sequence[int], into: dv.Tensor, received: Sequence[int]) -> Landing:
        """Send each member its run of elements, and take one from each, at once."""
        calls: list[tuple[Any, ...]] = []
        for name, tensor, counts in (("send", values, sent), ("recv", into, received)):
            at, _, kind = _memory(tensor)
            each = TYPES[name_of(tensor)][1]
            for peer, count in enumerate(counts):
                if count:
                    calls.append((name, at, count * each, kind, peer))
                at += count * tensor.element_size()
        return self._issue([values, into], calls)

    def _issue(self, kept: Sequence[dv.Tensor], calls: Sequence[tuple[Any, ...]]) -> Landing:
        """Begin calls, as one group, after all that the program's stream has been given so far."""
        self.check()
        with cuda().Device(self.index):
            self._stream.wait_event(cuda().get_current_stream().record(_event()))
            try:
                nccl().groupStart()
                try:
                    for name, *arguments in calls:
                        getattr(self._communicator, name)(*arguments, self._stream.ptr)
                finally:
                    nccl().groupEnd()
            except nccl().NcclError as error:
                raise self._failed(error) from error
            landing = Landing(self, self._stream.record(_event()), kept)
        self._landings = [*(one for one in self._landings if one.kept and not one.event.done), landing]  # memory must last as long
        return landing

    def check(self) -> None:
        """Raise a DistBackendError with what NCCL reports, or for what this link was ended."""
        if self.ended:
            raise DistBackendError("NCCL", f"the communicator was ended before: {self.ended}", "", "make the process group again")
        try:
            self._communicator.check_async_error()
        except nccl().NcclError as error:
            raise self._failed(error) from error

    def _failed(self, error: Exception) -> DistBackendError:
        self.abort(str(error))
        return DistBackendError("NCCL", f"rank {self.rank} of {self.size} on cuda:{self.index}: {error}", "", "NCCL_DEBUG=INFO says more")

    def busy(self) -> bool:
        """Whether calls are under way."""
        return any(one.kept and not one.event.done for one in self._landings)

    def abort(self, why: str) -> None:
        """End the communicator, and calls that wait for others; nobody is waited for."""
        if not self.ended:
            self.ended = why
            self._communicator.abort()

    def close(self) -> None:
        """Give back what NCCL keeps."""
        if self.busy():
            self.abort("the process group was destroyed")
        elif not self.ended:
            self.ended = "the process group was destroyed"
            self._communicator.destroy()


def name_of(tensor: dv.Tensor) -> str:
    """The type of the elements, as it is named in `TYPES`.

    >>> name_of(dv.ones(1))
    'float32'
    """
    return str(tensor.dtype).rpartition(".")[2]


def _memory(tensor: dv.Tensor) -> tuple[int, int, int]:
    """Address, number of NCCL's elements, and their type."""
    name, each = TYPES[name_of(tensor)]
    return tensor.data_ptr(), tensor.numel() * each, getattr(nccl(), name)


def _way(name: str, tensor: dv.Tensor) -> int:
    """NCCL's reduction. The sum of bools is whether any is True: as bytes they have a largest one, where a sum would overflow."""
    return getattr(nccl(), WAYS["MAX" if name == "SUM" and tensor.dtype == dv.bool else name])  # type: ignore[no-any-return]


def _event() -> Any:
    return cuda().Event(disable_timing=True)
