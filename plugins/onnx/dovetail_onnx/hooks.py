"""What happens when: weights are read from an ONNX file, and the installation is looked at."""

from __future__ import annotations

from typing import Any

from dovetail.hooks import hookimpl

__all__ = ["doctor", "open_weights"]


@hookimpl
def open_weights(path: str) -> dict[str, Any]:
    """The initializers of the model, by name."""
    from .weights import read

    return read(path)


@hookimpl
def doctor() -> list[tuple[str, bool, str]]:
    """Which version of the onnx package is here."""
    import onnx

    return [("onnx", True, f"{onnx.__version__}, opset {onnx.defs.onnx_opset_version()}")]
