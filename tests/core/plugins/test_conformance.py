"""The conformance kit against sabotaged plugins, each caught by the check that is meant for it, and honest ones, none accused."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

import dovetail as dv
from dovetail import plugins
from dovetail.errors import UnknownNameError
from dovetail.testing import conformance
from dovetail.testing.scaffold import KINDS, write
from tests.core.plugins.sabotage import GOOD, HONEST, MODEL, SABOTAGE


@pytest.fixture(autouse=True)
def undone(monkeypatch):
    """What sabotage changes in this process is put back."""
    environment, kind, names = dict(os.environ), dv.get_default_dtype(), set(vars(dv.Tensor))
    yield
    dv.set_default_dtype(kind)
    os.environ.clear()
    os.environ.update(environment)
    for name in set(vars(dv.Tensor)) - names:
        delattr(dv.Tensor, name)


def run(name: str, rows: bool) -> conformance.Report:
    """The report of a plugin; of its rows alone, which is quicker, where nothing else is asked for."""
    checks = [one for one in conformance.plan(name) if bool(one.subject.kind) is rows or not rows]
    report = conformance.Report(len(checks))
    for one in checks:
        report.take(one)
    return report


@pytest.mark.parametrize("name", SABOTAGE)
def test_a_sabotaged_plugin_is_caught_by_the_intended_check(site, name):
    rows, code, intended = SABOTAGE[name]
    site.add("dovetail-bad", rows, code={"code.py": code} if isinstance(code, str) else code)
    report = run("bad", not intended.startswith("plugin:"))
    assert intended in report.failed, str(report)
    assert not report.well


@pytest.mark.parametrize("name", HONEST)
def test_an_honest_plugin_is_not_accused(site, name):
    rows, code = HONEST[name]
    site.add("dovetail-bad", rows, code={"code.py": code})
    report = run("bad", False)
    assert not report.failed and report.well, str(report)
    assert len(report.passed) + len(report.skipped) == report.planned


def test_a_broken_plugin_has_a_failed_check(site):
    site.add("dovetail-bad", "[models]\nx = 3\n")
    assert next(iter(run("bad", False).failed)) == "plugin:manifest_is_right"
    with pytest.raises(UnknownNameError, match="there is no plugin 'nobody'; installed: bad"):
        conformance.plan("nobody")


@pytest.mark.parametrize("kind", KINDS)
def test_the_scaffold_of_every_kind_passes_with_no_edit(site, kind):
    folder = write("scaffolded", [kind], site.folder.parent / "made")
    package = folder / "dovetail_scaffolded"
    files = {
        str(path.relative_to(package)): path.read_text() for path in package.rglob("*") if path.is_file() and path.name != "dovetail.toml"
    }
    site.add("dovetail-scaffolded", (package / "dovetail.toml").read_text(), code=files, api="")
    report = run("scaffolded", False)
    assert report.well and len(report.passed) > 10, str(report)


@pytest.mark.parametrize("name", ["vision", "onnx", "data", "9", "a b", "Ünï", "dovetail", ""])
def test_names_that_no_plugin_can_have(tmp_path, name):
    with pytest.raises(ValueError, match=r"first-party|module of the core|cannot be a plugin's name"):
        write(name, ["model"], tmp_path / "x")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("")
    with pytest.raises(ValueError, match="is not empty; expected a new folder"):
        write("bells", ["model"], tmp_path / "full")


def test_pytest_counts_what_was_planned(site, tmp_path, bare_packages):
    site.add("dovetail-good", MODEL.replace("bad", "good"), code={"code.py": GOOD})
    test = tmp_path / "test_it.py"
    path = os.pathsep.join([str(site.folder), os.path.dirname(os.path.dirname(plugins.__file__)) + "/..", *bare_packages.values()])

    def pytest_(text: str, *arguments: str) -> tuple[int, str]:
        test.write_text(f"from dovetail.testing import conformance\n{text}")
        command = [
            sys.executable,
            "-S",
            "-m",
            "pytest",
            "-q",
            "-p",
            "dovetail_pytest",
            "-p",
            "no:cacheprovider",
            "-p",
            "no:xdist",
            str(test),
            *arguments,
        ]
        done = subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False, cwd=tmp_path)
        return done.returncode, done.stdout

    planned = len(conformance.plan("good"))
    status, out = pytest_("test_conformance = conformance.tests('good')\n")
    assert status == 0 and f"conformance of good: {planned} planned, " in out and " 0 failed" in out, out
    assert "  skipped, the manifest declares no number of parameters: models.good/thing (1)" in out, out
    status, out = pytest_("test_conformance = conformance.tests('good')\n", "-k", "gradients")
    assert status == 0 and "FEWER" not in out
    (tmp_path / "conftest.py").write_text("def pytest_collection_modifyitems(items):\n    del items[3:]\n")
    status, out = pytest_("test_conformance = conformance.tests('good')\n")
    assert status == 1 and "FEWER THAN PLANNED" in out, out
