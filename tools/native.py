"""`make sanitize` and `make kernels`: the native kernels built with sanitizers, and without Python for other processors."""

from __future__ import annotations

import os
import platform
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from tools.env import ROOT, ensure

__all__ = ["kernels", "sanitize"]

SOURCE, TESTS = ROOT / "plugins" / "cpu", ROOT / "tests" / "cpu"


def sanitize(arguments: list[str]) -> int:
    """Run tests/cpu on a build with AddressSanitizer and UBSan, and the thread pool under ThreadSanitizer."""
    compiler = os.environ.get("CXX") or shutil.which("g++")
    if not compiler:
        print("sanitize: there is no g++ here", file=sys.stderr)
        return 2
    python = ensure("test", "native")
    return _threads(compiler) or _memory(compiler, python, arguments)


def kernels(arguments: list[str]) -> int:
    """Check the kernels without Python against plain loops: each instruction set of this processor, then 64-bit ARM.

    DOVETAIL_CROSS_CXX names a compiler for Linux on aarch64, with its arguments (`zig c++ -target aarch64-linux-musl`), else
    `aarch64-linux-gnu-g++` is looked for; DOVETAIL_QEMU names an emulator, else qemu-aarch64-static or qemu-aarch64.
    """
    compiler = os.environ.get("CXX") or shutil.which("g++") or shutil.which("clang++")
    if not compiler:
        print("NOT RUN: there is no C++ compiler here", file=sys.stderr)
        return 2
    python = ensure("native")
    program = _alone(python, "native", compiler, arguments)
    if program is None:
        return 1
    intel = platform.machine().lower() in ("x86_64", "amd64")
    code = 0
    for name in ("avx512", "avx2", "baseline") if intel else ("baseline",):
        print(f"{platform.machine()},", end=" ", flush=True)
        found = _run([str(program)], {**os.environ, "DOVETAIL_CPU_ISA": name})
        if found == _NO_SUCH_SET and name != "baseline":
            print(f"NOT RUN: {name}", flush=True)
        else:
            code = code or found
    return code or _aarch64(python)


_NO_SUCH_SET = 2  # what the program ends with on a processor without the set


def _aarch64(python: str) -> int:
    cross = os.environ.get("DOVETAIL_CROSS_CXX") or shutil.which("aarch64-linux-gnu-g++")
    emulator = os.environ.get("DOVETAIL_QEMU") or shutil.which("qemu-aarch64-static") or shutil.which("qemu-aarch64")
    if platform.machine().lower() in ("aarch64", "arm64"):
        return 0  # was the native one
    missing = [
        name for name, there in (("a cross compiler (DOVETAIL_CROSS_CXX)", cross), ("an emulator (DOVETAIL_QEMU)", emulator)) if not there
    ]
    if missing or not cross or not emulator:
        print(f"NOT RUN: aarch64 (NEON), for want of {' and '.join(missing)}", flush=True)
        return 0
    target = ["-DCMAKE_SYSTEM_NAME=Linux", "-DCMAKE_SYSTEM_PROCESSOR=aarch64", "-DCMAKE_EXE_LINKER_FLAGS=-static"]
    program = _alone(python, "aarch64", cross, target)
    if program is None:
        return 1
    print("aarch64 under emulation,", end=" ", flush=True)
    return _run([emulator, str(program)])


def _alone(python: str, name: str, compiler: str, settings: list[str]) -> Path | None:
    """The program of tests/cpu/kernels_alone*.cpp on the kernels, built by a compiler; None where that failed."""
    build, cmake = ROOT / "build" / f"kernels-{name}", Path(python).parent / "cmake"
    parts = ";".join(shutil.which(word) or word if i == 0 else word for i, word in enumerate(shlex.split(compiler)))
    sources = ";".join(str(path) for path in sorted(TESTS.glob("kernels_alone*.cpp")))
    configure = [str(cmake), "-S", str(SOURCE), "-B", str(build), "-G", "Ninja", f"-DALONE={sources}", f"-DCMAKE_CXX_COMPILER={parts}"]
    path = {**os.environ, "PATH": f"{cmake.parent}{os.pathsep}{os.environ.get('PATH', '')}"}
    for command in ([*configure, *settings], [str(cmake), "--build", str(build)]):
        done = subprocess.run(command, cwd=ROOT, env=path, check=False, capture_output=True, text=True)
        print("".join(line for line in done.stdout.splitlines(keepends=True) if "warning:" in line), end="")
        if done.returncode:
            print(f"{name}: {' '.join(command[:3])} failed\n{done.stdout[-4000:]}{done.stderr[-2000:]}", file=sys.stderr)
            return None
    return build / "alone"


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
