"""ONNX models as trainable modules: `load` reads one, `operators` says which operators there are."""

from __future__ import annotations

from .module import OnnxModule, load
from .table import operators

__all__ = ["OnnxModule", "load", "operators"]
