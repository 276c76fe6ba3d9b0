"""Every page that runs can be downloaded as a notebook and as a script, which hold its cells and nothing that only the site can show."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat")
pytest.importorskip("myst_nb")

from docs._ext import notebooks
from tests.contracts.sources import ROOT

DOCS = ROOT / "docs"
PAGES = [
    page for page in sorted(DOCS.rglob("*.md")) if "_build" not in page.parts and page.read_text("utf-8").startswith("---\nfile_format")
]
CELL = re.compile(r"^```\{code-cell\}[^\n]*\n((?::[^\n]*\n)*)\n*(.*?)^```", re.M | re.S)


def test_every_tutorial_runs():
    assert {page for page in (DOCS / "tutorials").glob("*.md")} <= set(PAGES) and len(PAGES) >= 15


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_notebook_holds_the_cells_of_the_page(page: Path) -> None:
    made = notebooks.notebook(page)
    nbformat.validate(made)
    expected = [code.strip() for _, code in CELL.findall(page.read_text(encoding="utf-8"))]
    assert [cell.source.strip() for cell in made.cells if cell.cell_type == "code"] == expected
    text = "\n".join(cell.source for cell in made.cells if cell.cell_type == "markdown")
    assert text.startswith("# ")
    assert not re.findall(r"^(?::::|```\{).*|\]\((?!https?://).*?\)|^\[\w+\]: <>.*", text, re.M)
    program = notebooks.script(made)
    cells = [node for code in expected for node in ast.parse(notebooks.python(code)).body]
    assert "".join(map(ast.dump, ast.parse(program).body)) == "".join(map(ast.dump, cells))
    assert program.count("# %%") == len(made.cells)
    assert 'environ["DOVETAIL_DOCS"]' not in program  # which only the build of the site sets


@pytest.mark.parametrize("text", ["x = 1\\n", 'a = """two\nlines"""', "b = '''one'''"])
def test_a_cell_that_writes_a_file_writes_it_as_a_program(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    exec(notebooks.python(f"%%writefile made.py\n{text}"))  # noqa: S102 - a text of our own
    assert (tmp_path / "made.py").read_text(encoding="utf-8") == f"{text}\n"
    assert notebooks.python("x = 1") == "x = 1"


def test_a_page_without_cells_is_no_notebook() -> None:
    assert notebooks.notebook(DOCS / "start.md") is None


def test_what_only_the_site_can_show_becomes_text(tmp_path: Path) -> None:
    (tmp_path / "code.py").write_text("import os\n\n\ndef f(x):\n    return x  # as it is\n", encoding="utf-8")
    text = """---
file_format: mystnb
---

# Title

See [the other](../other.md) and [a place](https://example.org/x).

::::{tip} Boxes
:class: wide

Inside [it](x.md#y).
::::

:::{figure} a.png
:alt: words

The caption.
:::

```{literalinclude} code.py
:pyobject: f
```

![a plot](_static/plot.png)

[pad]: <> ()
"""
    (tmp_path / "page.md").write_text(text, encoding="utf-8")
    (cell,) = notebooks.notebook(tmp_path / "page.md").cells
    assert cell.source == (
        "# Title\n\nSee the other and [a place](https://example.org/x).\n\n**Boxes**\n\nInside it.\n\n*The caption.*\n\n"
        "```python\ndef f(x):\n    return x  # as it is\n```\n\n*a plot*"
    )


def test_what_a_page_uses_is_named(tmp_path: Path) -> None:
    needs = lambda name: notebooks.needs(notebooks.notebook(DOCS / "tutorials" / f"{name}.md"))
    assert needs("tensors") == ["./core", "matplotlib"]
    assert needs("leave")[:3] == ["./core", "./plugins/onnx", "./plugins/vision"]
    assert "./plugins/train" in needs("longruns") and "gymnasium" in needs("cartpole") and "./plugins/text" in needs("lora")
    assert {"./plugins/torch", "./plugins/mpi"} <= set(needs("profiling")) & set(needs("porting"))  # the one asks for the other
    assert "hatchling" in needs("plugin")  # which a cell looks for
    cells = "import os\nimport numpy as np\nfrom PIL import Image\nimport dovetail as dv\ndv.special.erf(x)\nrun('dovetail generate')"
    (tmp_path / "page.md").write_text(f"---\nfile_format: mystnb\n---\n\n# T\n\n```{{code-cell}}\n{cells}\n```\n", encoding="utf-8")
    assert notebooks.needs(notebooks.notebook(tmp_path / "page.md")) == ["./core", "./plugins/science", "./plugins/text", "pillow"]


INSTALL = re.compile(r"""pip install ((?:(?:-e )?["']?\.{1,2}/\S+ *)+)""")
CLONE = [
    page
    for page in (*ROOT.glob("*.md"), *ROOT.glob("*/README.md"), *ROOT.glob("plugins/*/README.md"), *DOCS.rglob("*.md"))
    if "_build" not in page.parts
]


def test_what_is_installed_from_a_clone_is_whole() -> None:
    """The packages that one of the clone asks for are named with it: PyPI does not have them, and a `dovetail` there is another's."""
    found = [(page, line) for page in CLONE for line in INSTALL.findall(page.read_text(encoding="utf-8"))]
    assert len(found) > 12
    for page, line in found:
        folders = set(re.findall(r"\./(core|plugins/[a-z]+)", line))
        asked = {f"plugins/{name}" for folder in folders - {"core"} for name in notebooks.behind(folder.rpartition("/")[2])}
        assert folders >= asked | ({"core"} if folders else set()), f"{page.relative_to(ROOT)}: pip install {line}"


def test_a_script_runs(tmp_path: Path) -> None:
    (tmp_path / "tensors.py").write_text(notebooks.script(notebooks.notebook(DOCS / "tutorials" / "tensors.md")), encoding="utf-8")
    done = subprocess.run([sys.executable, "tensors.py"], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0 and "tensor([" in done.stdout, done.stderr[-2000:]
