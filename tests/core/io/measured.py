"""What the tests of hostile files share: small safetensors files, a header of one's own, and a process's peak of memory."""

from __future__ import annotations

import resource
from pathlib import Path

import numpy as np
from safetensors.numpy import save as pack

__all__ = ["SEEDS", "headed", "peak"]

SEEDS = [
    pack({"a": np.arange(12, dtype=np.float32).reshape(3, 4), "b": np.ones(3, np.int64), "e": np.ones((0, 2))}, {"made by": "a test"}),
    pack({f"layer.{i}.weight": np.full((2, 3), i, np.float16) for i in range(20)}),
    pack({"x": np.array(1.5)}),
]


def headed(text: str | bytes, data: bytes = b"") -> bytes:
    """A safetensors file with this header."""
    text = text.encode() if isinstance(text, str) else text
    return len(text).to_bytes(8, "little") + text + data


def peak() -> int:
    """The peak of this process's memory in kB; ru_maxrss would be that of its parent too."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
