"""What a project asks of those who report, and that its recipes of packages fit the projects that they pack."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from tests.contracts.sources import ROOT
from tools.env import members

FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("[!c]*.yml"))


@pytest.mark.parametrize("form", FORMS, ids=lambda path: path.stem)
def test_forms_ask_for_the_doctor(form: Path) -> None:
    text = form.read_text(encoding="utf-8")
    part = text.partition("id: doctor")[2]
    assert "dovetail doctor" in part and "required: true" in part, form


def test_the_threats_name_tests_and_rows_that_there_are() -> None:
    text = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| ") and not line.startswith("| Input")]
    measured = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
    assert len(rows) >= 15
    for row in rows:
        held = row.split("|")[4]
        paths = re.findall(r"`(tests/[\w/.]+)`", held)
        assert paths and all((ROOT / path).exists() for path in paths), row
        for name in re.findall(r"\b[SRN]\d+\b", held):
            assert f"| {name} |" in measured, (name, row)


def test_the_image_holds_every_plugin_and_what_it_needs() -> None:
    """pip finds none of ours elsewhere until they are published, so an image without one of them would not be built."""
    text = (ROOT / "packaging/docker/Dockerfile").read_text(encoding="utf-8")
    for member in members():
        project = tomllib.loads((member / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        source = member.relative_to(ROOT).as_posix()
        assert re.search(rf"""/src/{source}(?![\w/])""", text), f"the first stage does not build {source}"
        assert re.search(rf"""[ "]{project["name"]}(?![\w/-])""", text), f"the second stage does not install {project['name']}"


def test_the_recipe_asks_for_what_the_core_needs() -> None:
    project = tomllib.loads((ROOT / "core/pyproject.toml").read_text(encoding="utf-8"))["project"]
    text = (ROOT / "packaging/conda/recipe.yaml").read_text(encoding="utf-8")
    run = text.partition("\n  run:\n")[2].partition("\n\n")[0]
    conda = {"isal": "python-isal"}  # whose name there is another one
    needed = [re.match(r"([\w-]+)>=([\d.]+)", line) for line in project["dependencies"]]
    asked = {f"{conda.get(found[1], found[1])} >={found[2]}" for found in needed if found}
    assert asked | {f"python {project['requires-python']}"} == set(re.findall(r"- (.+)", run))
    assert f'version: "{project["version"]}"' in text
