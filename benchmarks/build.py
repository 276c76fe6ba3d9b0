"""How long the native kernels take to build, and how large their wheel and module are: `python -m benchmarks build`."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

from benchmarks.record import ROOT, record

__all__ = ["main"]

SECONDS, MEGABYTES = 60.0, 2.0


def main() -> int:
    """Build the wheel as pip does, its tools installed afresh; exit code 1 when a bar is missed."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--wheel-dir", folder, str(ROOT / "plugins" / "cpu")]
        start = time.perf_counter()
        subprocess.run(command, check=True)
        seconds = time.perf_counter() - start
        wheel = next(Path(folder).glob("*.whl"))
        size = wheel.stat().st_size / 1e6
        with zipfile.ZipFile(wheel) as archive:
            module = sum(one.file_size for one in archive.infolist() if "_native" in one.filename) / 1e6
    met = seconds < SECONDS and size < MEGABYTES
    print(f"kernels: built in {seconds:.1f} s (bar {SECONDS:.0f}); wheel {size:.2f} MB (bar {MEGABYTES:.0f}), module {module:.2f} MB")
    record("build", {"seconds": seconds, "wheel": size, "module": module, "met": met})
    return int(not met)


if __name__ == "__main__":
    raise SystemExit(main())
