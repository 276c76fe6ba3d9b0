"""The environment of the targets: `.venv`, made once and renewed when a pyproject changes.

Each dependency group leaves a stamp that holds a fingerprint of every pyproject.toml, so a second run only compares it.
uv is used where it is on PATH, pip otherwise and wherever uv fails.
"""

from __future__ import annotations

import ast
import hashlib
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import IO

__all__ = ["ROOT", "ensure", "members", "native", "requirements"]

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
STAMPS = VENV / ".stamps"
_ALONE = {"models"}  # groups of packages that bring files only, and are installed without what they say they need


def members() -> list[Path]:
    """Folders of the distributions: the core, then every plugin that has a pyproject.toml."""
    return [ROOT / "core", *sorted(path.parent for path in ROOT.glob("plugins/*/pyproject.toml"))]


def requirements(group: str) -> list[str]:
    """Requirements of a dependency group of the workspace, with the groups that it includes."""
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["dependency-groups"]
    found: list[str] = []
    for entry in groups[group]:
        found += [entry] if isinstance(entry, str) else requirements(entry["include-group"])
    return found


def ensure(*groups: str) -> str:
    """Make `.venv` hold every member and these dependency groups; return its interpreter.

    With DOVETAIL_HERE=1 nothing is installed: the running interpreter serves as it is, with the members on its path.
    """
    if os.environ.get("DOVETAIL_HERE") == "1":
        os.environ["PYTHONPATH"] = os.pathsep.join(map(str, members()))
        return sys.executable
    if not PYTHON.exists():
        _say(f"making {VENV.name}")
        _make_venv()
    version = _version()
    if not version.startswith(f"{sys.version_info[0]}.{sys.version_info[1]}."):
        _say(f"{VENV.name} has Python {version}, so that is used (delete it to use {sys.version.split()[0]})")
    fingerprint = _fingerprint()
    for name in ("members", *groups):
        stamp = STAMPS / name
        if stamp.is_file() and stamp.read_text() == fingerprint:
            continue
        _say(f"installing {name} into {VENV.name}")
        what = _editables() if name == "members" else requirements(name)
        if not _install(["--no-deps", *what] if name in _ALONE else what):
            sys.exit("set-up: the installation failed; pip's message is above")
        STAMPS.mkdir(exist_ok=True)
        stamp.write_text(fingerprint)
    _build_native()
    return str(PYTHON)


def native() -> list[Path]:
    """The members that are compiled."""
    return [folder for folder in members() if (folder / "CMakeLists.txt").exists()]


def _build_native() -> None:
    """Compile and install the members that need it; without a compiler say so in one line and go on."""
    for folder in native():
        stamp = STAMPS / f"native-{folder.name}"
        digest = hashlib.sha256(_version().encode())
        for path in sorted([folder / "CMakeLists.txt", folder / "pyproject.toml", *folder.glob("src/**/*.*")]):
            digest.update(path.read_bytes())
        if stamp.is_file() and stamp.read_text() == digest.hexdigest():
            continue
        _say(f"compiling {folder.relative_to(ROOT)}")
        log = VENV / f"{folder.name}-build.log"
        with log.open("wb") as out:
            made = _install(["--no-deps", "-e", str(folder)], out)
        if not made:
            _say(f"{folder.name} was not compiled (a C++20 compiler is needed; {log.relative_to(ROOT)} says more): NumPy serves instead")
        STAMPS.mkdir(exist_ok=True)
        stamp.write_text(digest.hexdigest())


def _say(what: str) -> None:
    print(f"set-up: {what}", file=sys.stderr, flush=True)


def _version() -> str:
    """Python version of `.venv`, as `venv` and uv both write it."""
    lines = (VENV / "pyvenv.cfg").read_text(encoding="utf-8").splitlines()
    settings = {key.strip(): value.strip() for key, _, value in (line.partition("=") for line in lines)}
    return settings.get("version") or settings["version_info"]


def _fingerprint() -> str:
    """A digest of the checkout's place, the Python of `.venv` and every pyproject.toml."""
    digest = hashlib.sha256(f"{ROOT}\n{_version()}\n".encode())
    for folder in (ROOT, *members()):
        digest.update(f"{folder.name}\n".encode() + (folder / "pyproject.toml").read_bytes())
    return digest.hexdigest()


def _make_venv() -> None:
    uv = shutil.which("uv")
    if uv and not _run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(VENV)]):
        return
    if _run([sys.executable, "-m", "venv", "--clear", str(VENV)]):
        sys.exit("set-up: could not make .venv; on Debian and Ubuntu, install the package python3-venv")


def _editables() -> list[str]:
    """Requirement arguments for the members; one with a demo comes with what that needs."""
    made = [folder for folder in members() if folder not in native()]
    return [word for folder in made for word in ("-e", f"{folder}[demo]" if "demo" in _extras(folder) else str(folder))]


def _extras(folder: Path) -> dict[str, list[str]]:
    project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return project.get("optional-dependencies", {})


def _install(what: list[str], out: IO[bytes] | None = None) -> bool:
    """Install with uv where it is on PATH, else with pip; False when it failed. `out` takes what they say."""
    uv = shutil.which("uv")
    if uv:
        if not _run([uv, "pip", "install", "--quiet", "--python", str(PYTHON), *what], _uv_environment(), out):
            return True
        if out is None:
            _say("uv could not; trying pip")
    if _run([str(PYTHON), "-c", "import importlib.util as u, sys; sys.exit(u.find_spec('pip') is None)"]):
        _run([str(PYTHON), "-m", "ensurepip"], out=out)
    return not _run([str(PYTHON), "-m", "pip", "install", "-qq", "--disable-pip-version-check", *what], out=out)


def _run(command: list[str], environment: dict[str, str] | None = None, out: IO[bytes] | None = None) -> int:
    told = subprocess.STDOUT if out is not None else None
    return subprocess.run(command, cwd=ROOT, env=environment, stdout=out, stderr=told, check=False).returncode


def _uv_environment() -> dict[str, str]:
    """The environment for uv, told of the package sources that pip is configured with (uv does not read them)."""
    environment = dict(os.environ)
    listing = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False)
    for line in listing.stdout.splitlines():
        key, _, value = line.partition("=")
        name = _UV_NAMES.get(key.rpartition(".")[2])
        if name:
            separator = "," if name == "UV_FIND_LINKS" else " "
            environment.setdefault(name, separator.join(ast.literal_eval(value).split()))
            environment.setdefault("UV_INDEX_STRATEGY", "unsafe-best-match")  # pip's own rule: the best of all sources
    return environment


_UV_NAMES = {"index-url": "UV_DEFAULT_INDEX", "extra-index-url": "UV_INDEX", "find-links": "UV_FIND_LINKS", "cert": "SSL_CERT_FILE"}
