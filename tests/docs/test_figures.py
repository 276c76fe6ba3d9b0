"""Every figure of the pages has the command that prints it beside it; those that are no measurements say where they come from."""

from __future__ import annotations

import doctest

import pytest

from tests.contracts.sources import ROOT
from tests.docs import figures as scan
from tests.docs.figures import commands, figures, pages, unproved

# Settings, limits and formats: (page, figure, a piece of its line) -> the file that sets it, and how it stands there.
SET = {
    ("docs/data.md", "30 seconds", "A worker that hangs"): ("docs/data.md", "`timeout=30`"),
    ("docs/distributed.md", "30 minutes", "init_process_group(timeout"): ("plugins/mpi/dovetail_mpi/group.py", "timedelta(minutes=30)"),
    ("docs/environment.md", "1 GiB", "DOVETAIL_CPU_CACHE"): ("plugins/cpu/src/allocator.cpp", "limit = size_t(1) << 30"),
    ("docs/hooks/open_weights.md", "64 bytes", "`head` holds the first"): ("core/dovetail/io/formats.py", "head = file.read(64)"),
    ("docs/onnx.md", "2 GB", "which is what one file holds"): ("plugins/onnx/dovetail_onnx/exporter/write.py", "ROOM = 2**31 - 2**20"),
    ("docs/onnx-web.md", "33 MB", "fetched from the npm registry"): ("plugins/onnx/dovetail_onnx/web/runtime.py", "33_106_585"),
    ("docs/onnx-web.md", "268 MB", "models up to"): ("plugins/onnx/dovetail_onnx/web/__init__.py", "_LARGEST = 256 << 20"),
}
# Sections that say themselves that they measure nothing.
RECKONED = {("docs/distributed.md", "## On paper: 7 billion parameters"): "Nothing in this section was measured."}
PAGES = {page.relative_to(ROOT).as_posix(): page.read_text(encoding="utf-8") for page in pages()}


def _without_reckoning(name: str) -> str:
    text = PAGES[name]
    for (page, head), confession in RECKONED.items():
        if page == name:
            before, _, rest = text.partition(head)
            section, mark, after = rest.partition("\n## ")
            assert section.strip().startswith(confession)
            text = before + mark + after
    return text


@pytest.mark.parametrize("name", PAGES)
def test_every_figure_has_its_command_beside_it(name: str) -> None:
    settings = {(figure, piece) for page, figure, piece in SET if page == name}
    lacking = [
        f"{figure}: {line}"
        for figure, line in unproved(_without_reckoning(name))
        if not any(figure == known and piece in line for known, piece in settings)
    ]
    assert lacking == [], "name the command that prints it in the same section, or say in SET where it is set"


@pytest.mark.parametrize(("where", "source"), SET.items(), ids=lambda part: part[0])
def test_a_setting_is_still_what_the_page_says(where: tuple[str, str, str], source: tuple[str, str]) -> None:
    page, figure, piece = where
    file, text = source
    assert text in (ROOT / file).read_text(encoding="utf-8")
    assert any(figure == found and piece in line for found, line in unproved(PAGES[page])), "the exception is needed no more"


def test_the_scan_finds_what_lacks_a_command() -> None:
    page = "# P\n\nWords.\n\n## A\n\nIt takes 12 ms.\n\n## B\n\nIt takes 13 ms, says `make bench`.\n\n```sh\n# 14 ms in code\n```\n"
    assert unproved(page) == [("12 ms", "It takes 12 ms.")]
    assert unproved(page.replace("Words.", "All by `make bench`.")) == []
    assert unproved(page.replace("Words.", "All by `make coffee`.")) == [("12 ms", "It takes 12 ms.")]
    assert unproved("| a | s |\n|---|---:|\n| x | 0.25 |\n") == [("0.25 under s", "| x | 0.25 |")]
    assert figures("8 × 8 digits, 1,346 of them; a×b; 30% and 2 tokens/s; chapter 3 says") == ["30%", "2 tokens/s"]
    assert commands("`tests/docs/figures.py`, `python -m benchmarks.growth`, `dovetail demo`, `dovetail nothing`") == [
        "tests/docs/figures.py",
        "python -m benchmarks.growth",
        "dovetail demo",
    ]


def test_the_examples_of_the_scan() -> None:
    ran = doctest.testmod(scan)
    assert ran.attempted == 3 and ran.failed == 0


def test_most_figures_are_seen() -> None:
    """Of pages that are full of them, a count that a scan which sees nothing would not reach."""
    assert len(figures(PAGES["docs/performance.md"])) > 50 and len(figures(PAGES["docs/distributed.md"])) > 30
