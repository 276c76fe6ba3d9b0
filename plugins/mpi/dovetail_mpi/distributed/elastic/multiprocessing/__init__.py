"""What programs for ``torchrun`` import of its processes: `errors`."""

from . import errors

__all__ = ["errors"]
