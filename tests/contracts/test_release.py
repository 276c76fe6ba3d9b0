"""What is published needs more than a checkout: `pip install dovetail` brings the kernels where there is a wheel of them."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.contracts.sources import ROOT
from tools.targets import released

PLACE = {"platform_python_implementation": "CPython", "python_version": "3.11"}
WHEELS = [("linux", "x86_64"), ("linux", "aarch64"), ("darwin", "arm64"), ("darwin", "x86_64"), ("win32", "AMD64")]
NONE = [("emscripten", "wasm32"), ("linux", "riscv64"), ("win32", "x86")]


@pytest.fixture(scope="module")
def needed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Requirement]:
    copy = released(ROOT / "core", tmp_path_factory.mktemp("release"))
    project = tomllib.loads((copy / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return {one.name: one for one in map(Requirement, project["dependencies"])}


@pytest.mark.parametrize(("system", "machine"), WHEELS + NONE)
def test_the_core_of_a_release_needs_the_kernels_where_there_are_wheels(needed, system, machine) -> None:
    where = {**PLACE, "sys_platform": system, "platform_machine": machine}
    assert needed["dovetail-cpu"].marker.evaluate(where) is ((system, machine) in WHEELS)
    assert not needed["dovetail-cpu"].marker.evaluate({**where, "python_version": "3.15"})
    assert not needed["dovetail-cpu"].marker.evaluate({**where, "platform_python_implementation": "PyPy"})


def test_the_platforms_are_those_that_wheels_are_built_for() -> None:
    built = tomllib.loads((ROOT / "plugins/cpu/pyproject.toml").read_text(encoding="utf-8"))["tool"]["cibuildwheel"]
    names = {"linux": "linux", "macos": "darwin", "windows": "win32"}
    assert {(to, arch) for name, to in names.items() for arch in built[name]["archs"]} == set(WHEELS)
    assert max(int(one.removeprefix("cp3").removesuffix("-*")) for one in built["build"]) == 14


def test_a_release_changes_nothing_else(needed, tmp_path: Path) -> None:
    project = tomllib.loads((ROOT / "core/pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert set(needed) == {Requirement(one).name for one in project["dependencies"]} | {"dovetail-cpu"}
    assert released(ROOT / "plugins/text", tmp_path) == ROOT / "plugins/text"
