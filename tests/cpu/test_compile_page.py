"""The examples of docs/compile.md run, one after the other, and print what the page says."""

from __future__ import annotations

import contextlib
import io
import re

from tests.contracts.sources import ROOT

BLOCK = re.compile(r"```(python|text)\n(.*?)```", re.S)


def test_the_page_runs():
    blocks = BLOCK.findall((ROOT / "docs" / "compile.md").read_text(encoding="utf-8"))
    assert len(blocks) == 8
    names, printed = {"__name__": "page"}, ""
    for language, text in blocks:
        if language == "text":
            assert printed == text
            continue
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            exec(compile(text, "docs/compile.md", "exec"), names)  # noqa: S102 - a page of our own
        printed = out.getvalue()
