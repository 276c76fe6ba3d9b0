"""The distributions are complete and alike, and the Makefile and its Python twin agree."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.contracts.sources import ROOT
from tools.env import members, requirements
from tools.targets import TARGETS


def project(folder: Path) -> dict:
    return tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.mark.parametrize("folder", members(), ids=lambda folder: folder.name)
def test_distribution_is_complete(folder: Path) -> None:
    data = project(folder)
    package = folder / data["name"].replace("-", "_")
    assert (package / "py.typed").is_file()
    assert (folder / data["readme"]).is_file()
    assert (folder / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()
    assert f"\n## {data['version']}" in (folder / "CHANGELOG.md").read_text(encoding="utf-8")
    assert data["license"] == "Apache-2.0"
    assert data["requires-python"] == ">=3.11"


@pytest.mark.parametrize("folder", members()[1:], ids=lambda folder: folder.name)
def test_plugin_has_its_manifest(folder: Path) -> None:
    for value in project(folder)["entry-points"]["dovetail.plugins"].values():
        package, _, manifest = value.partition(":")
        assert (folder / package / manifest).is_file(), f"{folder.name}: {value} names a file that is not there"


def test_the_workspace_names_no_plugin() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8") + (ROOT / "Makefile").read_text(encoding="utf-8")
    assert not [folder.name for folder in members()[1:] if f"plugins/{folder.name}" in text or f"dovetail-{folder.name}" in text]


def test_makefile_lists_the_targets() -> None:
    listed = re.search(r"^TARGETS := (.*)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert listed and {*listed[1].split(), "help"} == set(TARGETS)


def test_help_and_unknown_target() -> None:
    command = [sys.executable, "-m", "tools"]
    assert "make test" in subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    unknown = subprocess.run([*command, "tset"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert unknown.returncode == 2
    assert "there is no target 'tset'" in unknown.stderr


def test_torch_is_pinned_and_kept_out_of_the_tests() -> None:
    assert requirements("parity")[:1] == requirements("bench") == ["torch==2.13.0"]
    assert not [name for name in requirements("dev") if name.startswith("torch")]
