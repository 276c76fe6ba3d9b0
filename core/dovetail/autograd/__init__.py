"""Recording operations and walking back through them."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ..errors import UnknownAttribute
from .anomaly import detect_anomaly, set_detect_anomaly
from .function import Function, once_differentiable
from .functional import backward, grad
from .gradcheck import GradcheckError, gradcheck, gradgradcheck
from .modes import enable_grad, inference_mode, is_grad_enabled, no_grad, set_grad_enabled, set_multithreading_enabled
from .variable import Variable

__all__ = [
    "Function", "GradcheckError", "Variable", "backward", "detect_anomaly", "enable_grad", "grad", "gradcheck", "gradgradcheck",
    "inference_mode", "is_grad_enabled", "no_grad", "once_differentiable", "set_detect_anomaly", "set_grad_enabled",
    "set_multithreading_enabled",
]  # fmt: skip


if TYPE_CHECKING:
    from . import forward_ad, functional, graph

    profiler: Any
else:

    def __getattr__(name: str) -> Any:
        """A module that is imported when first used, or a clear error for one of PyTorch's that is not here, with what to use instead."""
        if name == "forward_ad":
            return import_module(f"{__name__}.{name}")
        if name == "profiler":  # a plugin's
            from ..plugins.namespaces import resolve

            return resolve(f"autograd.{name}")
        from ..absent import instead

        raise UnknownAttribute(f"module {__name__!r}", f"has no attribute {name!r}", instead(f"autograd.{name}"))
