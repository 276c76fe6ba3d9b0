"""Training for days: a loop with callbacks, `dovetail train`, and a view inside the model; see dovetail.toml for what there is."""

from __future__ import annotations

from typing import Any

__all__ = ["FlopCounterMode", "check_finite", "draw", "nonfinite_check", "summary"]

_HOME = {  # the view inside: imported when a name is first asked for
    "FlopCounterMode": "flop_counter",
    "check_finite": "nonfinite",
    "draw": "drawing",
    "nonfinite_check": "nonfinite",
    "summary": "model_summary",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return [*__all__]
