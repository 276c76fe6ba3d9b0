"""Pages that are completed when they are read: those of hooks begin with the specification, the first page lists the guides."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

__all__ = ["guides", "setup"]

DOCS = Path(__file__).resolve().parent.parent


def guides() -> list[str]:
    """Pages of the top folder that no other part of the first page names: a new guide is there by its file."""
    named = set(re.findall(r"^(?:.*<)?([\w.-]+)>?$", (DOCS / "index.md").read_text(encoding="utf-8"), re.M))
    return sorted(path.stem for path in DOCS.glob("*.md") if path.stem not in named | {"index"})


def _source_read(app: Any, docname: str, source: list[str]) -> None:
    name = docname.removeprefix("hooks/")
    if docname == "index":
        found = guides()
        source[0] = source[0].replace("[guides]", "\n".join(found)) if found else _without_guides(source[0])
    elif docname == "hooks/index":
        source[0] += _table_of_hooks()
    elif name != docname:
        source[0] = _hook_page(name) + source[0]


def _without_guides(text: str) -> str:
    return re.sub(r"```\{toctree\}(?:(?!```).)*\[guides\]\n```\n", "", text, flags=re.S)


def _table_of_hooks() -> str:
    from dovetail.hooks import HOOKS

    rows = [f"| [`{hook.name}`]({hook.name}.md) | {hook.since} | {_first_line(hook)} |" for hook in HOOKS.values()]
    toc = "\n".join(HOOKS)
    return "\n| hook | since | |\n|---|---|---|\n" + "\n".join(rows) + f"\n\n```{{toctree}}\n:hidden:\n\n{toc}\n```\n"


def _hook_page(name: str) -> str:
    """What the specification of a hook says; docs/hooks/NAME.md holds the example."""
    from dovetail.hooks import HOOKS

    hook = HOOKS[name]
    signature = str(inspect.signature(hook.spec)).replace("'", "")
    about = inspect.cleandoc(hook.spec.__doc__ or "").replace("``", "`")
    answers = "the first answer that is not None" if hook.first_result else "the answers of all plugins, as a list"
    asked = f"the one plugin that claims it under `[{hook.claim}]`" if hook.claim else "every plugin that implements it"
    facts = {"since hook API": hook.since, "asked": asked, "the core takes": answers, "when an implementation raises": hook.on_error}
    table = "\n".join(f"| {what} | {text} |" for what, text in facts.items())
    return f"# {name}\n\n```python\n{name}{signature}\n```\n\n{about}\n\n| | |\n|---|---|\n{table}\n\n## Example\n\n"


def _first_line(hook: Any) -> str:
    return (hook.spec.__doc__ or "").strip().partition("\n")[0].replace("``", "`")


def setup(app: Any) -> None:
    """Complete pages when they are read."""
    app.connect("source-read", _source_read)
