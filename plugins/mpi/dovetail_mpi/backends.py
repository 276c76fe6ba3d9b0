"""Backends: under which names MPI and NCCL are asked for, and which of them moves the tensors of a type of device."""

from __future__ import annotations

from dovetail.errors import GradError, ValueRangeError

from . import mpi, nccl

__all__ = [
    "Backend", "is_backend_available", "is_gloo_available", "is_mpi_available", "is_nccl_available", "is_ucc_available",
    "is_xccl_available", "routes",
]  # fmt: skip


class Backend(str):
    """The name of a backend, in small letters; the known ones are its attributes.

    >>> Backend("GLOO") == Backend.GLOO
    True
    """

    UNDEFINED, GLOO, NCCL, XCCL, UCC, MPI = "undefined", "gloo", "nccl", "xccl", "ucc", "mpi"

    def __new__(cls, name: str) -> Backend:
        return super().__new__(cls, name.lower())


def is_backend_available(backend: str) -> bool:
    """Whether a backend is there: 'mpi', 'gloo', under which name MPI moves tensors of the CPU too, or 'nccl'; or all of 'cpu:gloo,…'.

    >>> is_backend_available("gloo"), is_backend_available("ucc"), is_backend_available("cpu:gloo,cuda:ucc")
    (True, False, False)
    """
    there = {"gloo": is_gloo_available, "mpi": is_mpi_available, "nccl": is_nccl_available}
    names = [pair.rpartition(":")[2] for pair in backend.lower().split(",")]
    return all(name in there and there[name]() for name in names)


def is_gloo_available() -> bool:
    """True: under this name MPI, or the memory of one process, moves tensors of the CPU."""
    return True


def is_mpi_available() -> bool:
    """Whether mpi4py is installed."""
    return mpi.available()


def is_nccl_available() -> bool:
    """Whether CuPy has NCCL, and there is a GPU."""
    return nccl.available()


def is_ucc_available() -> bool:
    """False."""
    return False


is_xccl_available = is_ucc_available


def routes(where: str, backend: str | None, started: bool) -> tuple[str, dict[str, str]]:
    """A group's name of its backend, and the backend of each type of device; ``started`` says that MPI runs.

    Tensors of GPUs travel by NCCL, or through the host's memory. Raises a RuntimeError for a backend that is not there, a ValueError for
    a text that is none.

    >>> routes("init_process_group", "gloo", False)
    ('gloo', {'cpu': 'gloo', 'cuda': 'gloo'})
    >>> routes("init_process_group", "cpu:gloo", False)
    ('cpu:gloo', {'cpu': 'gloo'})
    """
    if backend is None or backend.lower() == Backend.UNDEFINED:
        host = "mpi" if started else "gloo"
        backend = f"cpu:{host},cuda:nccl" if is_nccl_available() else host
    name, made = backend.lower(), {}  # type: str, dict[str, str]
    for pair in name.split(",") if ":" in name else ():
        device, _, one = pair.partition(":")
        if not device or not one or ":" in one:
            raise ValueRangeError(where, f"Invalid device:backend pairing: {pair}", "expected a text such as 'cpu:gloo,cuda:nccl'")
        if device in made:
            raise ValueRangeError(where, f"Duplicate device type {device} in backend string: {backend}")
        made[device] = one
    made = made or ({"cuda": name} if name == Backend.NCCL else {"cpu": name, "cuda": name})
    for device, one in [*made.items()]:
        if (started and one == "mpi") or is_backend_available(one):
            continue
        if one == Backend.NCCL and "cpu" in made:
            del made[device]  # a program for either machine: only its tensors on GPUs need NCCL
            continue
        remedy = {
            "mpi": mpi.INSTALL,
            "nccl": "it needs a GPU (cuda.is_available()) and NCCL (cupy.cuda.nccl.available; pip install nvidia-nccl-cu13)",
        }
        what = f"Distributed package doesn't have {one.upper()} built in"
        raise GradError(where, what, "expected 'mpi' or 'gloo'", remedy.get(one, ""))
    return name, made
