"""The examples of docs/text.md run, one after the other, and print what the page says."""

from __future__ import annotations

import contextlib
import io
import re

from tests.contracts.sources import ROOT

BLOCK = re.compile(r"```(python|text)\n(.*?)```", re.S)


def test_the_page_runs():
    blocks = BLOCK.findall((ROOT / "docs" / "text.md").read_text(encoding="utf-8"))
    assert len(blocks) >= 10
    names, printed = {}, ""
    for language, text in blocks:
        if language == "text":
            assert printed.split() == text.split(), f"it prints\n{printed}"
            continue
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            try:
                exec(compile(text, "docs/text.md", "exec"), names)  # noqa: S102 - a page of our own
            except ValueError as error:
                print(f"{type(error).__name__}: {error}")
        printed = out.getvalue()
