"""``torch._subclasses.fake_tensor``: no tensor here is a fake one; those without memory are on the device ``meta``."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

from dovetail.errors import UnsupportedError

__all__ = ["FakeTensor", "FakeTensorMode", "is_fake", "unset_fake_temporarily"]

__path__: list[str] = []  # `import torch._subclasses.fake_tensor` asks for a package


class FakeTensor:
    """A tensor of which only the shape is known: none is one."""


class FakeTensorMode:
    """A block that makes such tensors: to make one is an UnsupportedError."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise UnsupportedError("FakeTensorMode", "there are no fake tensors", "", 'make tensors with device="meta"')


def is_fake(x: Any) -> bool:
    """False."""
    return False


def unset_fake_temporarily() -> AbstractContextManager[None]:
    """A block that changes nothing."""
    return nullcontext()
