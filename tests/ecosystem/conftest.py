"""Figures of the plugin contract: each test writes what it measured into one JSON file, which `make ecosystem` prints as a table."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.contracts.sources import ROOT
from tests.support.figures import note

CORE = ROOT / "core"
RELEASES = Path(__file__).parent / "releases"


class Site:
    """A folder of fake distributions, and processes that see them and no real plugin."""

    def __init__(self, folder: Path, packages: list[str], extra: tuple[str, ...] = ()) -> None:
        self.folder, self.packages, self.extra = folder / "site", packages, extra
        self.home = folder
        self.folder.mkdir(exist_ok=True)

    def write(self, path: str, text: str | bytes) -> Path:
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text.encode() if isinstance(text, str) else text)
        return file

    def add(self, name: str, manifest: str | bytes, code: dict[str, str] | None = None, *, api: str = 'api = ">=1.0,<2"\n') -> None:
        """Install the distribution dovetail-NAME."""
        package = f"dovetail_{name}"
        self.write(f"{package}-0.1.0.dist-info/METADATA", f"Metadata-Version: 2.4\nName: dovetail-{name}\nVersion: 0.1.0\n\n")
        self.write(f"{package}-0.1.0.dist-info/entry_points.txt", f"[dovetail.plugins]\n{name} = {package}:dovetail.toml\n")
        self.write(f"{package}/__init__.py", "")
        self.write(f"{package}/dovetail.toml", manifest if isinstance(manifest, bytes) else api + manifest)
        for file, source in (code or {}).items():
            self.write(f"{package}/{file}", source)

    def run(self, code: str, *arguments: str, core: Path = CORE, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a program in a new process with its own cache and settings."""
        path = os.pathsep.join([str(self.folder), *self.extra, str(core), *self.packages])
        variables = {name: value for name, value in os.environ.items() if not name.startswith("DOVETAIL_")}
        variables |= {"PYTHONPATH": path, "DOVETAIL_CACHE": str(self.home / "cache"), "DOVETAIL_CONFIG": str(self.home / "config")}
        variables |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", **environment}
        command = [sys.executable, "-S", "-c", code, *arguments]
        return subprocess.run(command, capture_output=True, text=True, env=variables, timeout=120, check=False, cwd=self.home)


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Folders with all that is installed but the plugins."""
    twins = []
    for folder in {p for p in sys.path if p.endswith(("site-packages", "dist-packages"))}:
        twin = tmp_path_factory.mktemp("packages")
        for entry in Path(folder).iterdir():
            if not entry.name.startswith("dovetail"):
                (twin / entry.name).symlink_to(entry)
        twins.append(str(twin))
    return twins


@pytest.fixture
def site(tmp_path: Path, packages: list[str]) -> Site:
    return Site(tmp_path, packages)


@pytest.fixture
def figure() -> Any:
    """Note a figure: ``figure("P1", "what", value, "bar")``; the file is named by DOVETAIL_FIGURES."""
    return note
