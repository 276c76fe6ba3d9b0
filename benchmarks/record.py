"""The one file of figures, build/bench.json: every benchmark writes its section, and keeps those of the others."""

from __future__ import annotations

import json
import os
import platform
import tempfile
from pathlib import Path
from typing import Any

__all__ = ["PATH", "figures", "machine", "record"]

ROOT = Path(__file__).resolve().parent.parent
PATH = ROOT / "build" / "bench.json"


def figures() -> dict[str, Any]:
    """All sections so far."""
    return json.loads(PATH.read_text(encoding="utf-8")) if PATH.exists() else {}


def record(section: str, found: Any, **effort: Any) -> None:
    """Replace a section by what was found, with the machine and how much was measured."""
    whole = {**figures(), section: {"machine": machine(), **effort, "found": found}}
    PATH.parent.mkdir(exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=PATH.parent, encoding="utf-8", delete=False) as file:
        json.dump(whole, file, indent=1)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    Path(file.name).chmod(0o644)
    Path(file.name).replace(PATH)


def machine() -> str:
    """The processor, the cores that may be used, and the system."""
    name = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        name = next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
        if any("avx512f" in line for line in lines if line.startswith("flags")):
            name += ", AVX-512"
    except (OSError, StopIteration):
        pass
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{name}, {cores} cores, Python {platform.python_version()}"
