"""Pages that run can be downloaded: as a notebook, and as a script whose cells editors know by `# %%`.

Both are written beside the page when it is, and two links stand below its heading, with the command that installs what the cells use.
What only the site can show is put in plain Markdown:
included code is written out, boxes and figures become their text, links to other pages their words, pictures of the site what they show.
"""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import nbformat
from myst_nb.core.read import is_myst_markdown_notebook, read_myst_markdown_notebook

__all__ = ["behind", "needs", "notebook", "script", "setup"]

INCLUDE = re.compile(r"^```\{literalinclude\} (\S+)\n:pyobject: (\S+)\n```$", re.M)
BOX = re.compile(r"^(:{3,})\{(\w+)\} *([^\n]*)\n((?::[\w-]+:[^\n]*\n)*)(.*?)^\1$", re.M | re.S)
MARK = re.compile(r"^\[\w+\]: <> \(.*\)$\n?", re.M)
PICTURE = re.compile(r"!\[([^]]*)\]\((?!https?:)[^)]*\)")
INSIDE = re.compile(r"\[([^]]+)\]\((?!https?:)[^)]*\)")
WORDS = {"en": ("Download this page", "notebook", "script", "To run it"), "zh": ("下载本页", "笔记本", "脚本", "运行它")}
PLUGINS = Path(__file__).resolve().parents[2] / "plugins"
PACKAGES = {"PIL": "pillow", "IPython": "ipython"}  # whose name differs from their module's
EXAMPLES = {path.stem: path for path in sorted((PLUGINS.parent / "examples").rglob("*.py"))}
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


def notebook(page: Path) -> Any | None:
    """The page as a notebook without outputs; None for a page that does not run."""
    text = page.read_text(encoding="utf-8")
    if not is_myst_markdown_notebook(text):
        return None
    cells = []
    for number, cell in enumerate(read_myst_markdown_notebook(text, path=page).cells):
        if cell.cell_type == "code":
            tags = {"metadata": {"tags": cell.metadata["tags"]}} if "tags" in cell.metadata else {}
            cells.append(nbformat.v4.new_code_cell(cell.source, id=f"cell-{number}", **tags))
        elif plain := _plain(cell.source, page.parent):
            cells.append(nbformat.v4.new_markdown_cell(plain, id=f"cell-{number}"))
    return nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": KERNEL})


def script(made: Any) -> str:
    """A notebook as a program: text in comments, cells apart by `# %%`."""
    parts = []
    for cell in made.cells:
        if cell.cell_type == "code":
            parts.append("# %%\n" + python(cell.source))
        else:
            parts.append("\n".join(["# %% [markdown]", *(f"# {line}".rstrip() for line in cell.source.splitlines())]))
    return "\n\n".join(parts) + "\n"


def python(source: str) -> str:
    """A cell without what only a notebook understands: one that writes its text into a file does so by `pathlib`."""
    first, _, text = source.partition("\n")
    if not first.startswith("%%writefile "):
        return source
    name, mark = first.split(maxsplit=1)[1], '"""' if "'''" in text else "'''"
    return f'__import__("pathlib").Path("{name}").write_text(r{mark}{text}\n{mark}, encoding="utf-8")'


def needs(made: Any) -> list[str]:
    """What pip installs for the cells of a notebook, in the clone: the core, plugins whose names they use, other packages."""
    code = "\n".join(python(cell.source) for cell in made.cells if cell.cell_type == "code")
    plugins = {name for name, pattern in _plugins().items() if pattern.search(code)}
    plugins = plugins.union(*(behind(name) for name in plugins))
    others = _imported(code) | set(re.findall(r"""find_spec\(["'](\w+)""", code))
    others = {name for name in others - sys.stdlib_module_names - {"numpy"} if not name.startswith("dovetail")}
    return ["./core", *(f"./plugins/{name}" for name in sorted(plugins)), *sorted(PACKAGES.get(name, name) for name in others)]


def behind(plugin: str) -> set[str]:
    """The plugins that a plugin asks for: until they are published, pip finds them in the clone only where they are named."""
    project = tomllib.loads((PLUGINS / plugin / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    found = {name for text in project["dependencies"] for name in re.findall(r"^dovetail-(\w+)", text)}
    return found.union(*(behind(name) for name in found))


def _imported(code: str) -> set[str]:
    """The packages that a program imports; of the examples those that they import."""
    nodes = list(ast.walk(ast.parse(code)))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom) and not node.level}
    tops = {name.partition(".")[0] for name in names}
    ours = tops & EXAMPLES.keys()
    return (tops - ours).union(*(_imported(EXAMPLES[name].read_text(encoding="utf-8")) for name in ours))


@cache
def _plugins() -> dict[str, re.Pattern[str]]:
    """Of each plugin what shows that a program uses it: its package, its keys, its namespaces, its commands."""
    found = {}
    for manifest in sorted(PLUGINS.glob("*/dovetail_*/dovetail.toml")):
        table, name = tomllib.loads(manifest.read_text(encoding="utf-8")), manifest.parts[-3]
        spaces = "|".join(map(re.escape, [name, *table.get("namespaces", {})]))
        commands = "|".join(["(?!)", *table.get("commands", {})])
        ways = (rf"\b(?:dovetail|dv)\.(?:{spaces})\b", rf"\bdovetail_{name}\b", rf"from dovetail import [^\n]*\b{name}\b")
        found[name] = re.compile("|".join([*ways, rf"[\"']{name}/\w", rf"\bdovetail (?:{commands})\b"]))
    return found


def _plain(text: str, folder: Path) -> str:
    """Markdown that every reader of notebooks shows."""
    text = INCLUDE.sub(lambda found: f"```python\n{_object((folder / found[1]).resolve(), found[2])}\n```", text)
    while BOX.search(text):
        text = BOX.sub(lambda found: _box(*found.groups()), text)
    return MARK.sub("", INSIDE.sub(r"\1", PICTURE.sub(r"*\1*", text))).strip()


def _object(file: Path, name: str) -> str:
    """The lines of a function or class of a file."""
    source = file.read_text(encoding="utf-8")
    found = next(node for node in ast.parse(source).body if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == name)
    return "\n".join(source.splitlines()[found.lineno - 1 : found.end_lineno])


def _box(_: str, kind: str, title: str, options: str, body: str) -> str:
    if kind == "figure":
        return f"*{body.strip()}*"
    return f"**{title}**\n\n{body.strip()}" if title else body.strip()


def _links(pagename: str, made: Any) -> Iterator[str]:
    name = pagename.rpartition("/")[2]
    about, *kinds, run = WORDS["zh" if name.endswith(".zh") else "en"]
    yield f'<p class="downloads">{about}: '
    yield " · ".join(f'<a href="{name}.{end}" download>{kind}</a>' for kind, end in zip(kinds, ("ipynb", "py"), strict=True))
    yield f'<br>{run}: <code class="literal">pip install {" ".join(needs(made))}</code></p>'


def _write(app: Any, pagename: str, templatename: str, context: dict[str, Any], doctree: Any) -> None:
    made = notebook(Path(app.env.doc2path(pagename))) if doctree is not None else None
    if made is None or app.builder.name != "html":
        return
    base = Path(app.outdir) / pagename
    base.parent.mkdir(parents=True, exist_ok=True)
    base.with_name(base.name + ".ipynb").write_text(nbformat.writes(made) + "\n", encoding="utf-8")
    base.with_name(base.name + ".py").write_text(script(made), encoding="utf-8")
    context["body"] = context["body"].replace("</h1>", "</h1>\n" + "".join(_links(pagename, made)), 1)


def setup(app: Any) -> None:
    """Write both when a page is written."""
    app.connect("html-page-context", _write)
