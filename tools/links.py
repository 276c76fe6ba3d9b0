"""Links of a built site that lead nowhere: each page is read, and every address inside the site is looked for, with its anchor."""

from __future__ import annotations

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

__all__ = ["broken"]


class _Page(HTMLParser):
    """The anchors of a page, and what it points at."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.targets: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if value and (name == "id" or (name == "name" and tag == "a")):
                self.anchors.add(value)
            elif value and (name == "src" or (name == "href" and tag != "base")):
                self.targets.append(value)


def broken(site: Path) -> list[str]:
    """One text for each link inside the site whose file or anchor is not there."""
    pages = {path: _Page(path.read_text(encoding="utf-8")) for path in sorted(site.rglob("*.html"))}
    found = []
    for path, page in pages.items():
        for target in dict.fromkeys(page.targets):
            address, anchor = urldefrag(target)
            parts = urlsplit(address)
            if parts.scheme or parts.netloc:
                continue
            file = (path.parent / unquote(parts.path)).resolve() if parts.path else path.resolve()
            file = file / "index.html" if file.is_dir() else file
            other = pages.get(site / file.relative_to(site.resolve())) if file.is_relative_to(site.resolve()) else None
            if not file.is_file() or (anchor and other is not None and unquote(anchor) not in other.anchors):
                found.append(f"{path.relative_to(site).as_posix()}: the link to {target} leads nowhere")
    return found


if __name__ == "__main__":
    said = broken(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/_build/html"))
    print("\n".join([*said, f"{len(said)} links lead nowhere"]))
    sys.exit(bool(said))
