"""`make look`: open every page of the built site in headless Chromium, and say what is wrong with it.

Wide and narrow, light and dark: a picture of each into build/look/. Counted: links that lead nowhere, requests to other hosts, pages wider
than the window, pictures that did not load or show one colour, code that stands out too little from its ground, messages of the browser's
console, names that the search does not find, and digits that the pad in a page reads wrong.
"""

from __future__ import annotations

import functools
import http.server
import itertools
import re
import shutil
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tools import digits, links
from tools.browser import Browser, browser, missing

__all__ = ["look"]

SHAPES = {"desktop": (1280, 900), "phone": (390, 844)}
THEMES = ("light", "dark")
TALLEST = 9000  # pixels of a page that its picture shows
SEARCHES = {"conv2d": "dovetail.nn.functional.conv2d", "DataLoader": "dovetail.data.DataLoader", "register_models": "register_models"}
PAD = "tutorials/leave.html"
READ = 9  # of ten digits, at least
FAINT = 3.0  # WCAG's ratio for large text; comments and line numbers are meant to stand back
FACTS = Path(__file__).with_name("look.js").read_text(encoding="utf-8")


def look(site: Path, out: Path, only: list[str]) -> int:
    """Open the pages (those whose path has one of the words `only`); 0 where nothing is wrong."""
    if lacking := missing():
        print(f"NOT RUN: {lacking}; no page was opened.")
        return 0
    built = sorted(path.relative_to(site).as_posix() for path in site.rglob("*.html"))
    pages = [page for page in built if not page.startswith(("_modules/", "pad/")) and (not only or any(word in page for word in only))]
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    wrong = links.broken(site) if not only else []
    opened = requests = 0
    with _served(site) as root, tempfile.TemporaryDirectory() as folder, browser(Path(folder)) as window:
        for (shape, (width, height)), theme in itertools.product(SHAPES.items(), THEMES):
            window.emulate(width, height, phone=shape == "phone")
            window.dark(theme == "dark")
            for page in pages:
                picture = out / f"{page.removesuffix('.html').replace('/', '.')}-{shape}-{theme}.png"
                found, seen = _visit(window, f"{root}/{page}", root, picture)
                wrong += [f"{page} ({shape}, {theme}): {what}" for what in found]
                opened, requests = opened + 1, requests + seen
        window.emulate(*SHAPES["desktop"], phone=False)
        wrong += [] if only else _searched(window, root)
        wrong += _drawn(window, f"{root}/{PAD}", out) if PAD in pages and (site / "pad").is_dir() else []
    print("\n".join(wrong))
    print(f"{len(pages)} pages, opened {opened} times with {requests} requests; pictures in {out}; {len(wrong)} things are wrong")
    return 1 if wrong or not pages else 0


def _visit(window: Browser, url: str, root: str, picture: Path) -> tuple[list[str], int]:
    """Open a page, keep a picture of it; what is wrong, and how many requests it made."""
    window.open(url)
    facts = window.script(FACTS, FAINT)
    window.picture(picture, min(facts["height"], TALLEST))
    asked = window.requests()
    found = [f"asks {address}" for address in asked if not address.startswith((root, "data:", "blob:", "about:"))]
    found += [f"the console says {entry}" for entry in window.log()]
    found += [f"picture {source} did not load" for source in facts["broken"]]
    found += [f"picture {source} shows one colour" for source in facts["empty"]]
    found += [f"code is faint: {what}" for what in facts["faint"]]
    if facts["overflow"] > 0:
        found.append(f"is {facts['overflow']} pixels wider than the window ({', '.join(facts['wide'])})")
    return found, len(asked)


def _searched(window: Browser, root: str) -> list[str]:
    """Words from which the site's own search does not lead to their name."""
    lost = []
    for word, name in SEARCHES.items():
        window.open(f"{root}/search.html?q={word}")
        try:
            window.wait(f"document.querySelector('#search-results')?.innerText.includes('{name}')", 15)
            print(f"search for {word!r}: {name} is found")
        except TimeoutError:
            lost.append(f"search for {word!r}: {name} is not found")
    return lost


def _drawn(window: Browser, url: str, out: Path) -> list[str]:
    """Draw ten digits into the pad of a page."""
    window.open(url)
    window.script("document.querySelector('iframe.pad').scrollIntoView({block: 'center', behavior: 'instant'})")
    window.frame("iframe.pad")
    found = digits.read(window)
    digits.draw(window, 3)
    window.frame(None)
    window.picture(out / "pad.png")
    right = sum(digit == taken for digit, taken in zip(digits.DIGITS, found, strict=True))
    print(f"pad in {PAD}: {right} of {len(found)} digits are read right")
    return [] if right >= READ else [f"pad in {PAD}: {list(digits.DIGITS)} are read as {found}"]


@contextmanager
def _served(site: Path) -> Iterator[str]:
    handler = functools.partial(_Quiet, directory=str(site))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


if __name__ == "__main__":
    root = Path(__file__).resolve().parent.parent
    sys.exit(look(root / "docs/_build/html", root / "build/look", [re.sub(r"\.(md|html)$", "", word) for word in sys.argv[1:]]))
