"""docs/environment.md names every variable of the sources, and no other."""

from __future__ import annotations

import re

from tests.contracts.sources import ROOT

PAGE = ROOT / "docs" / "environment.md"
NAME = re.compile(r"\bDOVETAIL_[A-Z_]*[A-Z]\b")
SUFFIXES = {".py", ".cpp", ".h", ".toml"}


def test_the_page_names_each_variable_of_the_sources():
    sources = [
        path for top in ("core", "plugins") for path in (ROOT / top).rglob("*") if path.suffix in SUFFIXES and "build" not in path.parts
    ]
    used = {name for path in sources for name in NAME.findall(path.read_text(encoding="utf-8"))}
    told = set(NAME.findall(PAGE.read_text(encoding="utf-8")))
    assert used - told == set() and told - used == set()
    rows = re.findall(r"^\| `(DOVETAIL_\w+)` \| .{10}", PAGE.read_text(encoding="utf-8"), re.M)
    assert sorted(rows) == sorted(used)
