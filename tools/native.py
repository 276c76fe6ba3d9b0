"""`make sanitize`: the native kernels built with sanitizers, and their tests on that build."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tools.env import ROOT, ensure

__all__ = ["sanitize"]

SOURCE, TESTS = ROOT / "plugins" / "cpu", ROOT / "tests" / "cpu"


def sanitize(arguments: list[str]) -> int:
    """Run tests/cpu on a build with AddressSanitizer and UBSan, and the thread pool under ThreadSanitizer."""
    compiler = os.environ.get("CXX") or shutil.which("g++")
    if not compiler:
        print("sanitize: there is no g++ here", file=sys.stderr)
        return 2
    python = ensure("test", "native")
    return _threads(compiler) or _memory(compiler, python, arguments)


def _threads(compiler: str) -> int:
    program = ROOT / "build" / "pool_stress"
    program.parent.mkdir(exist_ok=True)
    flags = ["-std=c++20", "-O1", "-g", "-fsanitize=thread", "-pthread"]
    if code := _run([compiler, *flags, str(TESTS / "pool_stress.cpp"), str(SOURCE / "src" / "pool.cpp"), "-o", str(program)]):
        return code
    print("ThreadSanitizer, the pool:", end=" ", flush=True)
    return _run([str(program)], {**os.environ, "TSAN_OPTIONS": "die_after_fork=0"})


def _memory(compiler: str, python: str, arguments: list[str]) -> int:
    build, tools = ROOT / "build" / "sanitize", Path(python).parent
    path = {**os.environ, "PATH": f"{tools}{os.pathsep}{os.environ.get('PATH', '')}", "CXX": compiler}
    configure = [
        "cmake",
        "-S",
        str(SOURCE),
        "-B",
        str(build),
        "-G",
        "Ninja",
        f"-DPython_EXECUTABLE={python}",
        "-DSANITIZE=address;undefined",
    ]
    for command in (configure, ["cmake", "--build", str(build)]):
        if code := _run([str(tools / command[0]), *command[1:]], path):
            return code
    module = next(build.glob("_native*"))
    found = [
        subprocess.run([compiler, f"-print-file-name={name}"], capture_output=True, text=True, check=True).stdout.strip()
        for name in _PRELOADED
    ]
    told = {"DOVETAIL_CPU_NATIVE": str(module), "ASAN_OPTIONS": "detect_leaks=0", "LD_PRELOAD": " ".join(found), "OMP_NUM_THREADS": "2"}
    print("AddressSanitizer and UBSan, tests/cpu:", flush=True)
    return _run([python, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(TESTS), *arguments], {**os.environ, **told})


_PRELOADED = ("libasan.so", "libubsan.so", "libstdc++.so")  # before Python itself; leaks are Python's own


def _run(command: list[str], environment: dict[str, str] | None = None) -> int:
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode
