"""The pad in the page about leaving Python, built as the site builds it, reads digits that are drawn into it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("sphinx")
pytest.importorskip("onnx")

from dovetail_onnx.web import runtime
from tests.contracts.sources import ROOT
from tests.support.figures import note
from tools import browser, digits, look

DOCS = ROOT / "docs"


def _built(folder: Path) -> Path:
    """A site of that one page, with the settings of the documentation, without running its cells."""
    source, site = folder / "source", folder / "site"
    (source / "tutorials").mkdir(parents=True)
    shutil.copy(DOCS / "tutorials" / "leave.md", source / "tutorials")
    settings = ["-D", "nb_execution_mode=off", "-D", "root_doc=tutorials/leave", "-D", "viewcode_enable_epub=0"]
    command = [sys.executable, "-m", "sphinx", "-q", "-c", str(DOCS), *settings, str(source), str(site)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return site


@pytest.mark.figures
@pytest.mark.slow
def test_digits_are_read_in_the_built_page(tmp_path: Path) -> None:
    if not all((runtime.folder() / name).is_file() for name, _ in runtime.FILES.values()):
        pytest.skip(f"NOT SEEN: no onnxruntime-web in {runtime.folder()}; run python -m dovetail_onnx.web, which fetches it")
    if lacking := browser.missing():
        pytest.skip(f"NOT SEEN in a browser: {lacking}")
    site = _built(tmp_path)
    with look._served(site) as root, browser.browser(tmp_path) as window:
        window.open(f"{root}/{look.PAD}")
        window.script("document.querySelector('iframe.pad').scrollIntoView({block: 'center', behavior: 'instant'})")
        window.frame("iframe.pad")
        found = digits.read(window)
        assert not [address for address in window.requests() if not address.startswith((root, "blob:", "data:", "about:"))]
    right = sum(digit == taken for digit, taken in zip(digits.DIGITS, found, strict=True))
    note("onnx", "digits drawn by script into the pad of the documentation, read right", f"{right} of 10", f"{look.READ} of 10")
    assert right >= look.READ, found
    assert (site / "tutorials" / "leave.ipynb").is_file() and 'href="leave.py" download' in (site / look.PAD).read_text(encoding="utf-8")
