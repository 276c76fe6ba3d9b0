"""What a project asks of those who report: the output of `dovetail doctor`, and weaknesses in private."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.contracts.sources import ROOT

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
