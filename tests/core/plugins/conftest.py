"""Fake distributions on sys.path: a folder of packages with *.dist-info, forgotten after each test."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

import dovetail as dv
from dovetail import plugins
from dovetail.cli.main import dovetail as program

CORE = str(Path(plugins.__file__).parents[2])


class Site:
    """A site-packages folder that a test fills."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)

    def write(self, path: str, text: str | bytes) -> Path:
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text.encode() if isinstance(text, str) else text)
        return file

    def add(
        self,
        distribution: str,
        manifest: str | bytes | None = "",
        *,
        name: str | None = None,
        package: str | None = None,
        version: str = "0.1.0",
        api: str = 'api = ">=1.0,<2"\n',
        code: dict[str, str] | None = None,
        points: bytes | None = None,
    ) -> Path:
        """Install a distribution; ``manifest`` None leaves it without dovetail.toml, ``code`` is file → source."""
        package = package or distribution.replace("-", "_")
        name = name or distribution.removeprefix("dovetail-")
        info = f"{distribution.replace('-', '_')}-{version}.dist-info"
        self.write(f"{info}/METADATA", f"Metadata-Version: 2.4\nName: {distribution}\nVersion: {version}\n\nText.\n")
        self.write(
            f"{info}/entry_points.txt", points or f"[console_scripts]\nx = y:z\n[dovetail.plugins]\n{name} = {package}:dovetail.toml\n"
        )
        self.write(f"{package}/__init__.py", "")
        for file, source in (code or {}).items():
            self.write(f"{package}/{file}", source)
        if manifest is not None:
            self.write(f"{package}/dovetail.toml", manifest if isinstance(manifest, bytes) else api + manifest)
        importlib.invalidate_caches()
        return self.folder / info

    def model(self, distribution: str, source: str = "def net(**config):\n    return Net(config)\n", extra: str = "") -> None:
        """Install a distribution with one model, ``ns/net``."""
        namespace = distribution.removeprefix("dovetail-")
        package = distribution.replace("-", "_")
        head = "class Net:\n    def __init__(self, config): self.config = config\n"
        row = f'[models."{namespace}/net"]\ntarget = "{package}.models:net"\nsummary = "A net"\n'
        self.add(distribution, extra + row, code={"models.py": head + source})


@pytest.fixture(scope="session")
def bare_packages(tmp_path_factory) -> dict[str, str]:
    """Each site-packages folder, and a twin of links to all in it but the plugins that are really installed."""
    twins = {}
    for folder in {p for p in sys.path if p.endswith(("site-packages", "dist-packages"))}:
        twin = tmp_path_factory.mktemp("packages")
        for entry in Path(folder).iterdir():
            if not (entry.name.startswith("dovetail") and entry.name.endswith((".dist-info", ".egg-info"))):
                (twin / entry.name).symlink_to(entry)
        twins[folder] = str(twin)
    return twins


@pytest.fixture(scope="session")
def real_kernels() -> None:
    """Kernels are installed once, at the first op of a process: were it one of a test here, later tests would miss the real ones."""
    dv.ones(1) + 1


@pytest.fixture(autouse=True)
def quiet_environment(tmp_path, monkeypatch, bare_packages, real_kernels):
    """No plugin of the machine, no cache or settings of the user; registries and imports are undone afterwards."""
    for name in [name for name in os.environ if name.startswith("DOVETAIL_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("DOVETAIL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("DOVETAIL_CONFIG", str(tmp_path / "config"))
    monkeypatch.setattr(sys, "path", [bare_packages.get(p, p) for p in sys.path])
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    before, finders = set(sys.modules), list(sys.meta_path)
    plugins.reset()
    yield
    plugins.reset()
    sys.meta_path[:] = finders
    for name in set(sys.modules) - before:
        if not getattr(sys.modules[name], "__file__", None) or str(tmp_path) in str(sys.modules[name].__file__):
            del sys.modules[name]


@pytest.fixture
def site(tmp_path, monkeypatch) -> Site:
    # not syspath_prepend: what it restores at the end is the list that quiet_environment put there
    monkeypatch.setattr(sys, "path", [str(tmp_path / "site"), *sys.path])
    importlib.invalidate_caches()
    return Site(tmp_path / "site")


@pytest.fixture
def process(site, bare_packages):
    """Run a program in a new process that sees the fake site and no real plugin; gives what subprocess.run gives."""

    def run(program: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        path = os.pathsep.join([str(site.folder), CORE, *bare_packages.values()])
        # -S: no site-packages but those on PYTHONPATH
        command = [sys.executable, "-S", *arguments] if not program else [sys.executable, "-S", "-c", program, *arguments]
        variables = {**os.environ, "PYTHONPATH": path, **environment}
        return subprocess.run(command, capture_output=True, text=True, env=variables, timeout=60, check=False)

    return run


@pytest.fixture
def python(process):
    """Run a program likewise, which must end with this status; gives its standard output."""

    def run(program: str, *arguments: str, status: int = 0, **environment: str) -> str:
        done = process(program, *arguments, **environment)
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout

    return run


@pytest.fixture
def run_cli():
    """Run the command line in this process; gives what it prints, with single spaces."""

    def run(*arguments: str, status: int = 0) -> str:
        plugins.reset()
        result = CliRunner().invoke(program, list(arguments))
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == status, result.output
        return " ".join(result.output.split())

    return run
