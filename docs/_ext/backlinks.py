"""Source pages link back to where a name is described; names that are only mentioned there have no such place, and lose the link."""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import Any

__all__ = ["setup", "without_dead_ends"]

_BACK = re.compile(r'<a class="viewcode-back" href="([^"#]+)#([^"]+)">\[docs\]</a>')


@functools.cache
def _anchors(page: Path) -> frozenset[str]:
    return frozenset(re.findall(r'\bid="([^"]+)"', page.read_text(encoding="utf-8"))) if page.is_file() else frozenset()


def without_dead_ends(text: str, folder: Path) -> str:
    """The text of a page of this folder without links back to anchors that are not there."""
    return _BACK.sub(lambda link: link[0] if link[2] in _anchors((folder / link[1]).resolve()) else "", text)


def _mend(app: Any, exception: Exception | None) -> None:
    if exception is not None or app.builder.format != "html":
        return
    _anchors.cache_clear()
    for path in (Path(app.outdir) / "_modules").rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        if (mended := without_dead_ends(text, path.parent)) != text:
            path.write_text(mended, encoding="utf-8")


def setup(app: Any) -> dict[str, bool]:
    """Have the pages looked through when the site has been written."""
    app.connect("build-finished", _mend)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
