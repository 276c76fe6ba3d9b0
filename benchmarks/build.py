"""How long the native kernels take to build, and how large their wheel and module are: `python -m benchmarks build`.

The bar is for the build, from the sources to the wheel. Before it the tools are installed afresh, as pip does for every build of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
import tomllib
import zipfile
from pathlib import Path

from benchmarks.record import ROOT, record

__all__ = ["main"]

SECONDS, MEGABYTES = 60.0, 2.0
SOURCE = ROOT / "plugins" / "cpu"


def _seconds(*arguments: str, **variables: str) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-m", "pip", "-q", *arguments], check=True, env={**os.environ, **variables})
    return time.perf_counter() - start


def main() -> int:
    """Install the tools, build the wheel; exit code 1 when a bar is missed."""
    needed = tomllib.loads((SOURCE / "pyproject.toml").read_text(encoding="utf-8"))["build-system"]["requires"]
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as tools:
        before = _seconds("install", "--target", tools, *needed, "ninja")
        path = f"{tools}/bin{os.pathsep}{os.environ.get('PATH', '')}"
        seconds = _seconds("wheel", "--no-deps", "--no-build-isolation", "-w", folder, str(SOURCE), PYTHONPATH=tools, PATH=path)
        wheel = next(Path(folder).glob("*.whl"))
        size = wheel.stat().st_size / 1e6
        with zipfile.ZipFile(wheel) as archive:
            module = sum(one.file_size for one in archive.infolist() if "_native" in one.filename) / 1e6
    met = seconds < SECONDS and size < MEGABYTES
    print(f"tools installed in {before:.1f} s; built in {seconds:.1f} s (bar {SECONDS:.0f})")
    print(f"wheel {size:.2f} MB (bar {MEGABYTES:.0f}), module {module:.2f} MB")
    record("build", {"tools": before, "seconds": seconds, "wheel": size, "module": module, "met": met})
    return int(not met)


if __name__ == "__main__":
    raise SystemExit(main())
