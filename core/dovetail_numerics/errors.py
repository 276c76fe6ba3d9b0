"""The errors that numerical methods raise, and how a message is formed; `dovetail.errors` has them too, with all others.

Each class also derives from the built-in that PyTorch raises in the same place, so that programs that catch still catch.
"""

from __future__ import annotations

__all__ = [
    "DeviceError", "DistributionError", "DovetailError", "DtypeError", "SeedTypeError", "ShapeError", "StateError", "TypeMismatch",
    "UnsupportedError", "ValueRangeError", "say",
]  # fmt: skip


def say(where: str, what: str, expected: str = "", remedy: str = "") -> str:
    """Form a message by the house formula.

    ``where: what is wrong, with the values received; what was expected; the usual remedy``. A part that ends a sentence ends it.

    >>> say("conv2d", "input has 4 channels", "weight expects 3", "is the input channels-last?")
    'conv2d: input has 4 channels; weight expects 3; is the input channels-last?'
    """
    return f"{where}: " + "; ".join(part for part in (what, expected, remedy) if part).replace(".; ", ". ")


class DovetailError(Exception):
    """The root of every error that Dovetail raises on purpose; its parts are those of :func:`say`, or one whole message.

    >>> print(ShapeError("cat", "sizes differ: 2 and 3", "", "use stack"))
    cat: sizes differ: 2 and 3; use stack
    """

    def __init__(self, where: str = "", what: str = "", expected: str = "", remedy: str = "") -> None:
        super().__init__(say(where, what, expected, remedy) if what else where)


class ShapeError(DovetailError, RuntimeError):
    """Shapes that do not fit together."""


class DtypeError(DovetailError, RuntimeError):
    """An element type that the operation does not take."""


class DeviceError(DovetailError, RuntimeError):
    """Arrays on different devices, or a device that is not there."""


class UnsupportedError(DovetailError, NotImplementedError):
    """PyTorch has this; Dovetail does not, and says so. (A NotImplementedError is a RuntimeError.)"""


class TypeMismatch(DovetailError, TypeError):
    """An argument of a type that the operation does not take."""


class ValueRangeError(DovetailError, ValueError):
    """A value outside what the parameter allows."""


class DistributionError(DovetailError, RuntimeError):
    """A parameter outside what its distribution allows: a RuntimeError, as PyTorch raises."""


class StateError(DovetailError, RuntimeError):
    """A generator state that is not one."""


class SeedTypeError(TypeMismatch, RuntimeError):
    """A seed that is not an integer (PyTorch raises a RuntimeError here)."""


for _shown in (DovetailError, ShapeError, DtypeError, DeviceError, UnsupportedError, TypeMismatch, ValueRangeError):
    _shown.__module__ = "dovetail.errors"  # where users catch them, and what a traceback names
