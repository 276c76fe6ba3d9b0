"""Figures that pages state, and whether the command that prints them stands beside them.

A figure is a number with a unit of time, memory, speed or share, in prose or in a table (also where the table's head has the unit).
Beside it means: in its section, or in what a page says before its first section. A command is a target of `make`, a module or a file
of this repository that runs, a subcommand of `dovetail` that prints sizes or shares, or a cell of the page that runs when it is built.
"""

from __future__ import annotations

import importlib.util
import itertools
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.contracts.sources import ROOT
from tools.targets import TARGETS

__all__ = ["commands", "figures", "pages", "unproved"]

UNIT = r"(?:ns|µs|us|ms|s|seconds?|minutes?|hours?|[kKMGT]i?B|bytes|percent|(?:tokens|samples|images|MB|GB|[MGT]FLOP)/s|times)(?![\w/])"
PRINTING = ("demo", "doctor", "weights list", "models info", "datasets info", "checkpoint list")  # of `dovetail`: sizes, shares, times
WORDS = "two three four five six seven eight nine ten twenty thirty fifty hundred thousand".split()
AS = "as|the|its|their|more|less|faster|slower"  # "three times as many", but not "tried three times"
FIGURE = re.compile(
    rf"(?<![\w.,×^-])\d[\d,.]*(?: (?:million|billion))?(?:[ -]?{UNIT}| ?%| ?×(?! ?\d)| ?[秒倍]| ?分钟)"
    rf"|\b(?:{'|'.join(WORDS)}) times (?:{AS})\b"
)
HEAD = re.compile(rf"(?<!\w)(?:{UNIT}|%)", re.M)
FENCE = re.compile(r"^(`{3,}|~{3,})(.*?)\n.*?^\1`*$", re.M | re.S)
SHOWN = re.compile(r"`([^`\n]+)`|^(?: {4}|\t)(\S.*)$", re.M)
SECTION = re.compile(r"^#{2,6} ", re.M)


def pages() -> list[Path]:
    """The pages of the site and the files that begin a folder."""
    docs = [page for page in ROOT.glob("docs/**/*.md") if "_build" not in page.parts]
    return sorted([*docs, *ROOT.glob("*.md"), ROOT / "core/README.md", *ROOT.glob("plugins/*/README.md")])


def figures(text: str) -> list[str]:
    """The figures of a piece of Markdown, code left out.

    >>> figures("It took 3.5 ms on 28 × 28 pixels, `t = 4 s` of it for nothing; 99 % of them were right, three times as many.")
    ['3.5 ms', '99 %', 'three times as']
    >>> figures("| step | live, MB |\\n|---|---:|\\n| one | 17.5 |")
    ['17.5 under live, MB']
    """
    text = re.sub(r"^(?: {4}|\t)[^\n]*$|<!--.*?-->|\{[a-z:]+\}`[^`]*`|`[^`\n]*`|\]\([^)]*\)", " ", FENCE.sub("", text), flags=re.M | re.S)
    return [found.group().strip() for found in FIGURE.finditer(text)] + list(_tabled(text))


def _tabled(text: str) -> Iterator[str]:
    """Numbers below a head that has the unit."""
    head: list[str] = []
    lines = text.splitlines()
    for line, below in zip(lines, [*lines[1:], ""], strict=True):
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")] if line.lstrip().startswith("|") else []
        if re.match(r"\s*\|[-:| ]+\|\s*$", below):
            head = cells
        elif cells and not set(line) <= set("|-: "):
            yield from (
                f"{c} under {h}" for h, c in zip(head, cells, strict=False) if HEAD.search(h) and re.fullmatch(r"[\d.,]+\*{0,2}", c)
            )
        elif not cells:
            head = []


def commands(text: str) -> list[str]:
    """The commands that a piece of Markdown names and that are there.

    >>> commands("By `make soak`, `python -m benchmarks.memory`, `make coffee` and `tests/none.py`.")
    ['make soak', 'python -m benchmarks.memory']
    """
    fenced = [line for fence in FENCE.finditer(text) for line in fence.group().splitlines()[1:-1]]
    said = [a or b for a, b in SHOWN.findall(FENCE.sub("", text))] + fenced
    cells = ["cell"] if re.search(r"^`{3,}\{code-cell\}", text, re.M) else []
    return [line for line in said if _runs(line)] + cells


@cache
def _runs(line: str) -> bool:
    line = line.removeprefix("$ ")
    if found := re.match(r"make ([\w-]+)", line):
        return found[1] in TARGETS
    if found := re.match(r"python3? -m ((?:benchmarks|tests|docs)[\w.]*)", line):
        return _is_there(found[1])
    if found := re.match(r"(?:python3? )?((?:tests|benchmarks|examples)/[\w/.-]+\.py)", line):
        return (ROOT / found[1]).is_file()
    return any(line.startswith(f"dovetail {name}") for name in PRINTING)


def _is_there(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def unproved(text: str) -> list[tuple[str, str]]:
    """Each figure without a command beside it, with the line that it stands in."""
    starts = [0, *(found.start() for found in SECTION.finditer(_blank(text))), len(text)]
    sections = [text[a:b] for a, b in itertools.pairwise(starts)]
    if any(not command.startswith(("cell", "dovetail ")) for command in commands(sections[0])):
        return []
    found = []
    for section in sections:
        if not commands(section):
            found += [(figure, _line(section, figure)) for figure in figures(section)]
    return found


def _blank(text: str) -> str:
    """The text with its code made of spaces, so that a comment in code is no heading."""
    return FENCE.sub(lambda fence: re.sub(r"[^\n]", " ", fence.group()), text)


def _line(section: str, figure: str) -> str:
    number = figure.partition(" under ")[0]
    return next((line for line in section.splitlines() if number in line), "")
