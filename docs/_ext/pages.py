"""Pages that are completed when they are read: those of hooks begin with the specification, the first page lists the guides."""

from __future__ import annotations

import importlib
import inspect
import re
from pathlib import Path
from typing import Any

__all__ = ["guides", "setup"]

DOCS = Path(__file__).resolve().parent.parent
_NAVIGATIONS: dict[Any, Any] = {}  # of sources, by their depth and what the theme asks for
_TITLES: dict[str, Any] = {}  # the table of contents of each page, without its headings


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


def _published() -> dict[str, tuple[Any, Any]]:
    """The hooks that plugins publish, by name: the plugin, and the specification."""
    from dovetail import plugins

    found = [(plugin, name, target) for plugin in plugins.installed() for name, target in plugin.publishes.items()]
    return {f"{plugin.name}/{name}": (plugin, plugins.load_target(target, plugin.name)) for plugin, name, target in found}


def _table_of_hooks() -> str:
    from dovetail.hooks import HOOKS

    rows = [f"| [`{hook.name}`]({hook.name}.md) | {hook.since} | {_first_line(hook.spec)} |" for hook in HOOKS.values()]
    rows += [f"| [`{name}`]({name}.md) | {plugin.distribution} | {_first_line(spec)} |" for name, (plugin, spec) in _published().items()]
    toc = "\n".join([*HOOKS, *_published()])
    return "\n| hook | since | |\n|---|---|---|\n" + "\n".join(rows) + f"\n\n```{{toctree}}\n:hidden:\n\n{toc}\n```\n"


def _hook_page(name: str) -> str:
    """What the specification of a hook says; docs/hooks/NAME.md holds the example."""
    from dovetail.hooks import HOOKS

    if name in HOOKS:
        hook = HOOKS[name]
        spec, function = hook.spec, name
        answers = "the first answer that is not None" if hook.first_result else "the answers of all plugins, as a list"
        asked = f"the one plugin that claims it under `[{hook.claim}]`" if hook.claim else "every plugin that implements it"
        facts = {"since hook API": hook.since, "asked": asked, "the core takes": answers, "when an implementation raises": hook.on_error}
    else:
        plugin, spec = _published()[name]
        function = name.replace("/", "_")
        about = importlib.import_module(spec.__module__)
        facts = {
            "published by": plugin.distribution,
            "asked": "every plugin that implements it",
            "when an implementation raises": about.ON_ERROR,
        }
    signature = str(inspect.signature(spec)).replace("'", "")
    text = inspect.cleandoc(spec.__doc__ or "").replace("``", "`")
    table = "\n".join(f"| {what} | {text} |" for what, text in facts.items())
    return f"# {name}\n\n```python\n{function}{signature}\n```\n\n{text}\n\n| | |\n|---|---|\n{table}\n\n## Example\n\n"


def _first_line(spec: Any) -> str:
    return (spec.__doc__ or "").strip().partition("\n")[0].replace("``", "`")


def _navigation(app: Any, pagename: str, templatename: str, context: dict[str, Any], doctree: Any) -> None:
    """The navigation holds titles, so it is made from titles: entries of the reference, thousands, are not copied for each page.

    Sources stand in no table of contents: all that lie equally deep share one.
    """
    make = context.get("toctree")
    if make is None:
        return

    def toctree(**options: Any) -> Any:
        shared = pagename.startswith("_modules/")
        key = (pagename.count("/"), *sorted(options.items()))
        if shared and key in _NAVIGATIONS:
            return _NAVIGATIONS[key]
        whole = app.env.tocs
        app.env.tocs = titles(whole) if options.get("titles_only") else whole
        try:
            made = make(**options)
        finally:
            app.env.tocs = whole
        if shared:
            _NAVIGATIONS[key] = made
        return made

    context["toctree"] = toctree


def titles(tocs: dict[str, Any]) -> dict[str, Any]:
    """Tables of contents with the titles of pages and what lies below them as pages, without headings and names."""
    from sphinx import addnodes

    for name in tocs.keys() - _TITLES.keys():
        toc = tocs[name].deepcopy()
        for entry in toc.children:
            if len(entry) > 1:
                below = list(entry.findall(addnodes.toctree))
                entry[1][:] = below
                if not below:
                    entry.pop(1)
        _TITLES[name] = toc
    return _TITLES


def _language(app: Any, pagename: str, templatename: str, context: dict[str, Any], doctree: Any) -> None:
    """Readers aloud, fonts and line breaks go by the language that a page says it has."""
    if pagename.endswith(".zh"):
        context["language"] = "zh-CN"


def setup(app: Any) -> None:
    """Complete pages when they are read, and share what sources have in common when they are written."""
    app.connect("source-read", _source_read)
    app.connect("html-page-context", _language)
    app.connect("html-page-context", _navigation, priority=400)  # before the theme asks for the navigation
