"""Python in pages that the build does not execute runs here: each page in a process and a folder of its own.

A block under a line `<!-- not run: why -->` is left out. Pages with cells are executed when the documentation is built; those of hooks
and of plugins have tests of their own, because they need files around them.
"""

from __future__ import annotations

import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from docs._ext import pages
from tests.contracts.sources import ROOT

DOCS = ROOT / "docs"
ELSEWHERE = {"plugins", "plugins-debugging", "plugins-stability", "text", "text-models"}
BLOCK = re.compile(r"(<!-- not run: .+? -->\n+)?^```python\n(.*?)^```", re.M | re.S)


def _blocks(page: Path) -> list[str]:
    text = page.read_text(encoding="utf-8")
    return [] if "file_format: mystnb" in text else [code for left_out, code in BLOCK.findall(text) if not left_out]


def _all_pages() -> list[Path]:
    return sorted(p for p in DOCS.rglob("*.md") if "_build" not in p.parts)


def _pages() -> list[Path]:
    found = [p for p in _all_pages() if "hooks" not in p.parts and p.stem not in ELSEWHERE]
    return [page for page in (ROOT / "README.md", ROOT / "README.zh-CN.md", *found) if _blocks(page)]


@pytest.mark.parametrize("page", _pages(), ids=lambda page: page.relative_to(ROOT).as_posix())
def test_the_code_of_a_page_runs(page: Path, tmp_path: Path) -> None:
    code = "\n".join(_blocks(page))
    for module in re.findall(r"^(?:from|import) (torch|torchvision|safetensors|transformers)\b", code, re.M):
        pytest.importorskip(module)
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.parametrize("page", [p for p in _all_pages() if p.stem != "mistakes"], ids=lambda page: page.relative_to(DOCS).as_posix())
def test_code_fits_where_it_is_read(page: Path) -> None:
    """Ruff (docs/ruff.toml) sees to the blocks of Python; cells and manifests are counted here alone."""
    code = re.findall(r"^```(?:python|toml|sh|\{code-cell\}.*)\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S)
    assert [line for block in code for line in block.splitlines() if len(line) > 90] == []


def test_the_first_page_names_every_page() -> None:
    index = (DOCS / "index.md").read_text(encoding="utf-8")
    assert "[guides]" in index
    tops = {p.stem for p in DOCS.glob("*.md")} - {"index"}
    named = {name for name in tops if re.search(rf"^{re.escape(name)}$", index, re.M)}
    assert set(pages.guides()) == tops - named


def test_each_tutorial_leads_to_the_next() -> None:
    order = re.findall(r"^tutorials/(\w+)$", (DOCS / "index.md").read_text(encoding="utf-8"), re.M)
    assert set(order) == {page.stem for page in (DOCS / "tutorials").glob("*.md")}
    for name, after in pairwise(order):
        led = re.search(r"Next: \[[^]]+\]\((\w+)\.md\)", (DOCS / f"tutorials/{name}.md").read_text(encoding="utf-8"))
        assert led and led[1] == after, f"{name} leads to {led and led[1]}, not to {after}"


def test_without_guides_their_part_is_left_out() -> None:
    index = (DOCS / "index.md").read_text(encoding="utf-8")
    left = pages._without_guides(index)
    assert "Guides" not in left and "[guides]" not in left
    assert left.count("```{toctree}") == index.count("```{toctree}") - 1


def test_the_tours_show_the_same_code() -> None:
    """But for the one line that they print in words."""
    cells = []
    for name in ("tour.md", "tour.zh.md"):
        text = (DOCS / name).read_text(encoding="utf-8")
        cells.append([re.sub(r'f"\{accuracy.*', "", cell) for cell in re.findall(r"^```\{code-cell\}\n(.*?)^```", text, re.M | re.S)])
    assert len(cells[0]) == 8 and cells[0] == cells[1]


def test_the_start_pages_show_the_same() -> None:
    """Program, output and commands; what a command does is said in each language."""
    shown = []
    for name in ("start.md", "start.zh.md"):
        text = (DOCS / name).read_text(encoding="utf-8")
        lines = re.findall(r"^    (.+?)(?: +# .*)?$", re.sub(r"^```python\n.*?^```", "", text, flags=re.M | re.S), re.M)
        shown.append((re.findall(r"^```python\n(.*?)^```", text, re.M | re.S), lines, re.findall(r"^## ", text, re.M)))
    assert shown[0] == shown[1] and len(shown[0][0]) == 1 and len(shown[0][1]) == 11 and len(shown[0][2]) == 5
    for one, other in (
        ("start.md", "start.zh.md"),
        ("start.zh.md", "start.md"),
        ("start.zh.md", "tour.zh.md"),
        ("tour.zh.md", "start.zh.md"),
    ):
        assert f"({other})" in (DOCS / one).read_text(encoding="utf-8")
