"""What a framework takes before it does anything, beside others: `python -m benchmarks.footprint`.

pip installs each into a folder of its own, with all that it needs; then fresh processes import it. Counted are the bytes of the folder
(without bytecode), the time that a processor spends on an import, and the memory that the process has taken by then. What pip does not
find is left out.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.record import ROOT, record

__all__ = ["main"]

ROUNDS = 7
FRAMEWORKS = {
    "Dovetail": ("dovetail", ["./core"]),
    "PyTorch, its build for CPUs": ("torch", ["torch==2.13.0+cpu", "numpy"]),
    "JAX": ("jax.numpy", ["jax"]),
    "tinygrad": ("tinygrad", ["tinygrad==0.10.3"]),
    "Keras 3, on JAX": ("keras", ["keras>=3", "jax"]),
    "MLX, its build for CPUs": ("mlx.core", ["mlx[cpu]"]),
}


def _installed(packages: list[str], folder: Path) -> bool:
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-compile", "--target", str(folder)]
    return subprocess.run([*pip, *packages], cwd=ROOT, check=False).returncode == 0


def _imported(module: str, folder: Path) -> tuple[float, int]:
    """Seconds of a processor, and the most bytes of memory at one time, of a process that sees the folder alone."""
    environment = {**os.environ, "PYTHONPATH": str(folder), "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
    # not the most that wait4 tells of, which counts what the parent had when the process began
    program = f"import {module}; print(*(line for line in open('/proc/self/status') if line.startswith('VmHWM')))"
    child = subprocess.Popen([sys.executable, "-S", "-c", program], cwd=folder, env=environment, stdout=subprocess.PIPE, text=True)
    said = child.stdout.read() if child.stdout else ""
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise RuntimeError(f"footprint: import {module} ended with status {child.returncode}; its message is above")
    return used.ru_utime + used.ru_stime, int(said.rpartition("VmHWM:")[2].split()[0]) * 1024


def main(rounds: int = ROUNDS) -> int:
    """Print and record the figures."""
    found = {}
    for name, (module, packages) in FRAMEWORKS.items():
        with tempfile.TemporaryDirectory() as place:
            if not _installed(packages, folder := Path(place)):
                print(f"{name}: NOT RUN, pip found no {' '.join(packages)}")
                continue
            size = sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file())
            _imported(module, folder)  # writes the bytecode, and warms the disk
            runs = [_imported(module, folder) for _ in range(rounds)]
        found[name] = {"bytes": size, "import": min(time for time, _ in runs), "memory": min(memory for _, memory in runs)}
        print(f"{name:28} {size / 1e6:7.0f} MB on disk, imported in {found[name]['import']:.2f} s", flush=True)
    record("footprint", found, rounds=rounds)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
