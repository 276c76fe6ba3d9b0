"""Figures that tests measure: noted where DOVETAIL_FIGURES names a file, for one JSON that a target writes and the docs show."""

from __future__ import annotations

import json
import os
from typing import Any

__all__ = ["note"]


def note(row: str, what: str, value: Any, bar: str) -> None:
    """Note a figure: ``note("P1", "what", value, "bar")``; `row` is the bar's name in the plan of what is promised."""
    path = os.environ.get("DOVETAIL_FIGURES")
    if path:
        with open(path, "a", encoding="utf-8") as file:
            file.write(json.dumps({"row": row, "what": what, "value": value, "bar": bar}) + "\n")
