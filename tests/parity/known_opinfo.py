"""Where entries of PyTorch's table of operators are answered otherwise on purpose, and why."""

from __future__ import annotations

__all__ = ["ABSENT", "KNOWN"]

# names of entries that are not run
ABSENT: dict[str, str] = {}

# entry: kind of call ("all" for every kind): why
KNOWN: dict[str, dict[str, str]] = {}
