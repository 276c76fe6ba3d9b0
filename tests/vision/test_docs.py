"""The cells of docs/vision.md run, one after the other, and print what the page promises."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "vision.md"


@pytest.mark.skipif(not PAGE.exists(), reason="the documentation is not in this copy")
def test_the_page_on_images_runs(tmp_path):
    cells = re.findall(r"^```\{code-cell\}\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.M | re.S)
    assert len(cells) == 14
    done = subprocess.run([sys.executable, "-c", "\n".join(cells)], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "dovetail.Size([16, 3, 32, 32]) dovetail.float32 dovetail.Size([16])"
    assert "['green', 'red'] 40 dovetail.Size([3, 20, 20])" in lines and "1.0" in lines
    assert "dovetail.Size([96, 96])" in lines and lines.count("True") == 2
    assert lines[-1].startswith("data/MNIST/raw/train-images-idx3-ubyte: Dataset not found")
