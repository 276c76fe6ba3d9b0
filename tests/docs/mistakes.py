"""Fifty mistakes that newcomers make, and the page that shows what Dovetail and PyTorch say to each (docs/mistakes.md).

``python -m tests.docs.mistakes`` writes the page again; without PyTorch its column stays as the page has it.
"""

from __future__ import annotations

import importlib
import inspect
import re
import sys
import textwrap
import warnings
from pathlib import Path
from typing import Any

from tests.docs.fifty import MISTAKES, Mistake

__all__ = ["PAGE", "page", "said", "snippet", "stored"]

PAGE = Path(__file__).resolve().parents[2] / "docs" / "mistakes.md"


def said(torch: Any, function: Mistake) -> tuple[str, str]:
    """The class and the text of what ``function`` raises, or else of its first warning."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        torch.manual_seed(0)
        try:
            function(torch)
        except Exception as error:
            return type(error).__name__, "\n".join([str(error).strip(), *getattr(error, "__notes__", ())])
    return (caught[0].category.__name__, str(caught[0].message).strip()) if caught else ("nothing", "(no error and no warning)")


def snippet(function: Mistake) -> str:
    """The lines of the body."""
    source = inspect.getsource(function)
    return re.sub(r"  # type: .*|: Any| -> (Any|None)", "", textwrap.dedent(source.partition('"""\n')[2])).strip()


def stored() -> tuple[str, dict[str, tuple[str, str]]]:
    """The version of PyTorch that the page was written with, and its class and text for every title."""
    text = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    version = re.search(r"PyTorch (\d\S+) \(CPU\)", text)
    rows = re.findall(r"^## \d+\. (.+?)\n.*?^PyTorch: `(\w+)`\n\n```text\n(.*?)\n```$", text, re.M | re.S)
    return version[1] if version else "?", {title: (kind, message) for title, kind, message in rows}


def shown(text: str) -> str:
    """A message as the page has it: lines of at most 84 letters, no addresses, no stack of C++, no folders of the machine."""
    text = re.sub(r"\b0x[0-9a-f]{6,}", "0x…", text.partition("\nException raised from")[0])
    lines = (textwrap.wrap(line, 84, break_long_words=False, break_on_hyphens=False) or [""] for line in text.splitlines())
    return "\n".join(line for wrapped in lines for line in wrapped)


HEAD = """# Fifty mistakes, and what you are told

The mistakes that everybody makes in the first weeks, each with the message of Dovetail and, below it, that of PyTorch {version} (CPU).
Dovetail's errors are formed as *where: what is wrong, with the values received; what was expected; the usual remedy*, and their classes
({{mod}}`dovetail.errors`) derive from those that PyTorch raises, so that an `except` written for PyTorch catches them.

Every snippet begins with `import dovetail as torch`, or `import torch`. The page is written by `python -m tests.docs.mistakes`, and the
tests run every snippet.
"""


def page(theirs: dict[str, tuple[str, str]], version: str) -> str:
    """The text of docs/mistakes.md."""
    import dovetail

    parts = [HEAD.format(version=version)]
    for number, (_, _, function) in enumerate(MISTAKES, 1):
        title = str(function.__doc__)
        parts.append(f"## {number}. {title}\n\n```py\n{snippet(function)}\n```\n")
        for name, (kind, text) in (("Dovetail", said(dovetail, function)), ("PyTorch", theirs[title])):
            parts.append(f"{name}: `{kind}`\n\n```text\n{shown(text)}\n```\n")
    return "\n".join(parts)


def main() -> None:
    """Write the page, with PyTorch's messages anew where it is installed."""
    version, theirs = stored()
    try:
        torch = importlib.import_module("torch")
    except ImportError:
        pass
    else:
        version = torch.__version__.split("+")[0]
        theirs = {str(function.__doc__): said(torch, function) for _, _, function in MISTAKES}
    PAGE.write_text(page(theirs, version), encoding="utf-8")
    sys.stdout.write(f"{len(MISTAKES)} mistakes: {PAGE.name}\n")


if __name__ == "__main__":
    main()
