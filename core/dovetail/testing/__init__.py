"""What tests need: `assert_close`, and for plugins the conformance kit, its pytest plugin and the scaffold of a new plugin."""

from __future__ import annotations

from typing import Any

from .comparison import assert_allclose, assert_close

__all__ = ["assert_allclose", "assert_close", "conformance", "make_tensor"]


def __getattr__(name: str) -> Any:
    """The kit, imported when it is first asked for: programs that only compare tensors do not wait for it."""
    import importlib

    if name == "make_tensor":
        return importlib.import_module(f"{__name__}.making").make_tensor
    if name != "conformance":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return importlib.import_module(f"{__name__}.conformance")
