"""The page of known differences shows every row of the table, with its reason."""

from __future__ import annotations

import importlib.util

from tests.contracts.sources import ROOT


def test_the_page_has_every_row() -> None:
    spec = importlib.util.spec_from_file_location("known", ROOT / "tests" / "parity" / "known.py")
    assert spec is not None and spec.loader is not None
    known = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(known)
    page = (ROOT / "docs" / "known-differences.md").read_text(encoding="utf-8")
    rows = [(row, why) for (_, row), why in known.KNOWN.items()] + [(row, why) for row, (_, why) in known.KNOWN_TYPES.items()]
    rows += [(name, why) for (name, _), (_, why) in known.KNOWN_SURFACE.items()]
    missing = [(row, why) for row, why in rows if f"`{row}`" not in page or why not in page]
    assert not missing, f"docs/known-differences.md lacks {missing}"
