"""What goes wrong between processes, under PyTorch's names."""

from __future__ import annotations

from dovetail.errors import DovetailError

__all__ = ["DistBackendError", "DistError", "DistNetworkError"]


class DistError(DovetailError, RuntimeError):
    """Processes that do not fit together: a rank that asks for another collective, has ended, or does not answer."""


class DistBackendError(DistError):
    """What MPI itself reports, or an MPI that is not there."""


class DistNetworkError(DistError):
    """A rank or a host that cannot be reached."""
