"""Settings of the documentation site (`make docs`)."""

from __future__ import annotations

project = "Dovetail"
author = "The Dovetail authors"
copyright = author
extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 3
html_theme = "furo"
html_title = "Dovetail"


def _hook_page(app, docname, source):
    """Begin the page of a hook with what its specification says; docs/hooks/NAME.md holds the example."""
    import inspect

    from dovetail.hooks import HOOKS

    name = docname.removeprefix("hooks/")
    if docname == "hooks/index":
        rows = [f"| [`{hook.name}`]({hook.name}.md) | {hook.since} | {_first_line(hook)} |" for hook in HOOKS.values()]
        source[0] += "\n| hook | since | |\n|---|---|---|\n" + "\n".join(rows) + "\n"
    if name == docname or name not in HOOKS:
        return
    hook = HOOKS[name]
    signature = str(inspect.signature(hook.spec)).replace("'", "")
    about = inspect.cleandoc(hook.spec.__doc__ or "").replace("``", "`")
    answers = "the first answer that is not None" if hook.first_result else "the answers of all plugins, as a list"
    asked = f"the one plugin that claims it under `[{hook.claim}]`" if hook.claim else "every plugin that implements it"
    facts = {"since hook API": hook.since, "asked": asked, "the core takes": answers, "when an implementation raises": hook.on_error}
    table = "\n".join(f"| {what} | {text} |" for what, text in facts.items())
    source[0] = f"# {name}\n\n```python\n{name}{signature}\n```\n\n{about}\n\n| | |\n|---|---|\n{table}\n\n## Example\n\n{source[0]}"


def _first_line(hook):
    return (hook.spec.__doc__ or "").strip().partition("\n")[0].replace("``", "`")


def setup(app):
    app.connect("source-read", _hook_page)
