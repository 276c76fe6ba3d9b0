"""PyTorch programs on Dovetail: `install` answers ``import torch`` with it; `report` says what porting a program takes.

>>> from dovetail_torch import report
>>> [(name.name, name.state) for name in report("import torch\\ntorch.ones(2).cuda_array()\\ntorch.no_such_name").names]
[('torch.ones', 'there'), ('torch.no_such_name', 'missing')]
"""

from __future__ import annotations

from typing import Any

__all__ = ["install", "installed", "report", "uninstall"]

_HOME = {"install": "finder", "installed": "finder", "uninstall": "finder", "report": "port"}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
