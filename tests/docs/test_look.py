"""`make look` sees what is wrong with a page."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tools import look

PAGE = """<!doctype html><meta name="viewport" content="width=device-width"><title>x</title><body><article>{}</article></body>"""


def test_without_chromium_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(look.shutil, "which", lambda name: None)
    assert look.look(tmp_path, tmp_path / "out", []) == 0
    assert capsys.readouterr().out.startswith("NOT RUN: ")


@pytest.mark.skipif(not (shutil.which("chromium") and shutil.which("chromedriver")), reason="chromium is not installed")
def test_faults_are_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site = tmp_path / "site"
    site.mkdir()
    (site / "favicon.ico").write_bytes(b"")
    faults = {
        "outside": '<script src="https://elsewhere.example/x.js"></script>',
        "wide": '<div style="width: 2000px">wide</div>',
        "broken": '<img src="none.png">',
        "good": "<p>nothing is wrong here</p>",
    }
    for name, text in faults.items():
        (site / f"{name}.html").write_text(PAGE.format(text), encoding="utf-8")
    assert look.look(site, tmp_path / "out", ["outside", "wide", "broken", "good"]) == 1
    said = capsys.readouterr().out
    assert "outside.html (desktop, light): asks https://elsewhere.example/x.js" in said
    assert "wide.html (phone, dark): is " in said and "pixels wider than the window" in said
    assert "broken.html (desktop, dark): picture" in said
    assert "good.html" not in said
    assert len(list((tmp_path / "out").glob("*.png"))) == 16
