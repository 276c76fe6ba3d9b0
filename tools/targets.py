"""The targets: each is one function, and the first line of its docstring is its line in `make help`."""

from __future__ import annotations

import datetime
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Callable
from pathlib import Path

from tools import look as _look
from tools import native as _native
from tools import size as _size
from tools.env import ROOT, ensure, members

__all__ = ["main", "released"]

_MAKES = ("build", "dist", "docs/_build", "dovetail-demo", ".pytest_cache", ".mypy_cache", ".ruff_cache", ".hypothesis")
_SPREAD = ("tests/parity", "tests/onnx", "tests/text")  # long tests that measure neither time nor memory: a process a core
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"), "1")


def main(arguments: list[str]) -> int:
    """Run the target named first, with the rest as its arguments."""
    name, *rest = arguments or ["help"]
    if name not in TARGETS:
        print(f"tools: there is no target {name!r}; there are {', '.join(TARGETS)}", file=sys.stderr)
        return 2
    return TARGETS[name](rest)


def demo(arguments: list[str]) -> int:
    """train a small model, draw what it learned, and leave the files in dovetail-demo/"""
    return _python(ensure(), "-m", "dovetail", "demo", *arguments)


def test(arguments: list[str]) -> int:
    """run the tests; those against PyTorch only where it is installed"""
    python = ensure("test")
    if _has(python, "torch"):
        return _pytest(python, *arguments)
    print("NOT RUN: tests/parity compares with PyTorch, which is not installed here. To run it: make parity", flush=True)
    code = _pytest(python, "--ignore=tests/parity", "-m", "not gpu and not soak and not parity and not ecosystem", *arguments)
    print("NOT RUN: tests/parity (PyTorch is not installed; make parity)", flush=True)
    return code


def parity(arguments: list[str]) -> int:
    """install PyTorch beside us and compare values, gradients, shapes, types and errors"""
    return _pytest(ensure("test", "parity"), "-m", "not gpu and not soak and not ecosystem", *(arguments or ["tests/parity"]))


def lint(arguments: list[str]) -> int:
    """ruff over everything (rules, then form), mypy over the core"""
    python = ensure("lint")
    runs = (("ruff", "check", ".", *arguments), ("ruff", "format", "--check", "."), ("mypy",))
    return max([_python(python, "-m", *run) for run in runs])


def docs(arguments: list[str]) -> int:
    """build the documentation into docs/_build/html; a warning is an error"""
    return _python(ensure("docs", "models"), "-m", "sphinx", "-W", "--keep-going", "-q", "docs", "docs/_build/html", *arguments)


def look(arguments: list[str]) -> int:
    """open every page of the built documentation in headless Chromium; pictures into build/look"""
    return _look.look(ROOT / "docs" / "_build" / "html", ROOT / "build" / "look", arguments)


def bench(arguments: list[str]) -> int:
    """measure side by side with PyTorch"""
    return _python(ensure("bench"), "-m", "benchmarks", *arguments)


def size(arguments: list[str]) -> int:
    """count the core's code lines by subsystem; fail above the ceiling"""
    return _size.main()


def wheels(arguments: list[str]) -> int:
    """build a wheel of the core and of every plugin into dist/; with --release they need what the wheels of a release need"""
    python, release = ensure("build"), "--release" in arguments
    rest = [word for word in arguments if word != "--release"]
    shutil.rmtree(ROOT / "dist", ignore_errors=True)
    with tempfile.TemporaryDirectory() as folder:
        for member in members():
            source = released(member, Path(folder)) if release else member
            if code := _python(python, "-m", "build", "--wheel", "--outdir", str(ROOT / "dist"), str(source), *rest):
                return code
    for wheel in sorted((ROOT / "dist").glob("*.whl")):
        print(f"{wheel.stat().st_size / 1000:8.0f} kB  {wheel.relative_to(ROOT)}")
    return 0


def released(member: Path, folder: Path) -> Path:
    """The sources of a member's release: itself, or a copy whose dependencies hold those of [tool.dovetail.release] too."""
    text = (member / "pyproject.toml").read_text(encoding="utf-8")
    more = tomllib.loads(text)["tool"].get("dovetail", {}).get("release", {}).get("dependencies", ())
    if not more:
        return member
    copy = shutil.copytree(member, folder / member.name, ignore=shutil.ignore_patterns("__pycache__"))
    lines = "".join(f"    {json.dumps(' '.join(one.split()))},\n" for one in more)
    (copy / "pyproject.toml").write_text(text.replace("\ndependencies = [\n", f"\ndependencies = [\n{lines}", 1), encoding="utf-8")
    return copy


def test_gpu(arguments: list[str]) -> int:
    """run every op, layer and optimizer row on a CUDA device, where there is one"""
    if not (shutil.which("nvidia-smi") or Path("/dev/nvidia0").exists()):
        print("NOT RUN: there is no NVIDIA GPU on this machine; the same rows ran on the stand-in for CuPy in `make test`.")
        print("0 passed, 0 failed, 0 skipped")
        return 0
    return _python(ensure("gpu"), "-m", "pytest", "-m", "gpu", "tests/gpu", *arguments)


def soak(arguments: list[str]) -> int:
    """run the long tests at full counts, and write what they measured into build/reliability.json and docs/reliability.md"""
    python = ensure("test")
    run = [python, "-m", "pytest", "-q", "-m", "soak or figures", "-o", "faulthandler_timeout=2700"]
    spread = [folder for folder in _SPREAD if folder != "tests/parity" or _has(python, "torch")]
    alone = [*run, *(f"--ignore={folder}" for folder in _SPREAD)]
    runs = [[*run, *arguments]] if arguments else [alone, [*run, "-n", str(min(os.cpu_count() or 1, 8)), "--dist", "load", *spread]]
    code, _ = _figures("reliability", *runs)
    _python(python, "-m", "benchmarks.reliability_page")
    return code


def sanitize(arguments: list[str]) -> int:
    """run the tests of the native kernels on builds with sanitizers of memory, of undefined behaviour and of threads"""
    return _native.sanitize(arguments)


def kernels(arguments: list[str]) -> int:
    """check the native kernels without Python, each instruction set, and 64-bit ARM where a compiler and an emulator are"""
    return _native.kernels(arguments)


def ecosystem(arguments: list[str]) -> int:
    """measure the plugin contract: faults, names, releases, the scaffold in fresh environments; into build/ecosystem.json"""
    python = ensure("test", "build")
    return _figures("ecosystem", [python, "-m", "pytest", "-q", "-m", "ecosystem or not ecosystem", "tests/ecosystem", *arguments])[0]


def _figures(name: str, *commands: list[str]) -> tuple[int, list[dict[str, str]]]:
    """Run tests, one command after the other, and write what they note into ``build/NAME.json``; print it as a table."""
    notes, report = ROOT / "build" / f"{name}.jsonl", ROOT / "build" / f"{name}.json"
    report.parent.mkdir(exist_ok=True)
    notes.unlink(missing_ok=True)
    environment = {**os.environ, **_ONE_THREAD, "DOVETAIL_FIGURES": str(notes)}
    code = max([subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode for command in commands])
    figures = [json.loads(line) for line in notes.read_text(encoding="utf-8").splitlines()] if notes.exists() else []
    about = {
        "machine": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        "cores": os.cpu_count(),
        "date": datetime.date.today().isoformat(),
        "failed": bool(code),
    }
    report.write_text(json.dumps({**about, "figures": figures}, indent=1), encoding="utf-8")
    for row in sorted({figure["row"] for figure in figures}):
        mine = [figure for figure in figures if figure["row"] == row]
        shown = mine if len(mine) < 20 else [{"what": f"{len(mine)} cases", "value": mine[0]["value"], "bar": mine[0]["bar"]}]
        for figure in shown:
            print(f"{row:9} {figure['what']:70} {figure['value']!s:>14}   bar: {figure['bar']}")
    print(f"written to {report.relative_to(ROOT)}")
    return code, figures


def clean(arguments: list[str]) -> int:
    """remove what the targets built; .venv stays (delete it to start anew)"""
    for name in _MAKES:
        shutil.rmtree(ROOT / name, ignore_errors=True)
    for top in ("core", "plugins", "tests", "tools", "docs", "benchmarks"):
        for cache in list((ROOT / top).rglob("__pycache__")):
            shutil.rmtree(cache, ignore_errors=True)
    return 0


def show_help(arguments: list[str]) -> int:
    """list the targets"""
    for name, target in TARGETS.items():
        print(f"  make {name:10} {target.__doc__}")
    print('Arguments: make test ARGS="-k conv". Without make: python3 -m tools TARGET [ARGUMENTS]')
    print("DOVETAIL_HERE=1 uses the Python that runs as it is, and installs nothing.")
    return 0


def _python(python: str, *arguments: str) -> int:
    return subprocess.run([python, *arguments], cwd=ROOT, check=False).returncode


def _pytest(python: str, *arguments: str) -> int:
    """Run pytest with a worker a core, one BLAS thread a worker; a later `-n` in the arguments wins."""
    workers = min(os.cpu_count() or 1, 8)
    spread = ["-n", str(workers), "--dist", "loadfile"] if workers > 1 else []
    command = [python, "-m", "pytest", "-q", *spread, *arguments]
    return subprocess.run(command, cwd=ROOT, env={**os.environ, **_ONE_THREAD}, check=False).returncode


def _has(python: str, module: str) -> bool:
    code = f"import importlib.util, sys; sys.exit(importlib.util.find_spec({module!r}) is None)"
    return _python(python, "-c", code) == 0


TARGETS: dict[str, Callable[[list[str]], int]] = {
    "demo": demo,
    "test": test,
    "lint": lint,
    "docs": docs,
    "look": look,
    "bench": bench,
    "parity": parity,
    "size": size,
    "wheels": wheels,
    "test-gpu": test_gpu,
    "soak": soak,
    "sanitize": sanitize,
    "kernels": kernels,
    "ecosystem": ecosystem,
    "clean": clean,
    "help": show_help,
}
