"""`make look`: open every page of the built site in headless Chromium, and say what is wrong with it.

Wide and narrow, light and dark: a picture of each into build/look/. Counted: links that lead nowhere, requests to other hosts, pages wider
than the window, tables cut where there is room, pictures that did not load or show one colour, code that stands out too little from its
ground, messages of the browser's console, names that the search does not find, and digits that the pad in a page reads wrong.

Words choose the pages whose path has one of them. The whole site takes a while; `make look ARGS=2/5` opens the second of five parts, and
adds its pictures to those that are there.
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
    """Open the pages, all or those that the words `only` choose (a part K/N, or words of their paths); 0 where nothing is wrong."""
    if lacking := missing():
        print(f"NOT RUN: {lacking}; no page was opened.")
        return 0
    part, of, words = _part(only)
    built = sorted(path.relative_to(site).as_posix() for path in site.rglob("*.html"))
    pages = [page for page in built if not page.startswith(("_modules/", "pad/")) and (not words or any(word in page for word in words))]
    pages = pages[part - 1 :: of]
    if of == 1:
        shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True, exist_ok=True)
    whole = not words and part == 1  # what is asked of the site, not of a page, is asked once
    wrong = links.broken(site) if whole else []
    opened = requests = 0
    with _served(site) as root, tempfile.TemporaryDirectory() as folder, browser(Path(folder)) as window:
        for (shape, (width, height)), page in itertools.product(SHAPES.items(), pages):
            window.emulate(width, height, phone=shape == "phone")
            picture = out / f"{page.removesuffix('.html').replace('/', '.')}-{shape}.png"
            for theme, found, seen in _visit(window, f"{root}/{page}", root, picture):
                wrong += [f"{page} ({shape}, {theme}): {what}" for what in found]
                requests += seen
            opened += 1
        window.emulate(*SHAPES["desktop"], phone=False)
        wrong += _searched(window, root) if whole else []
        wrong += _drawn(window, f"{root}/{PAD}", out) if PAD in pages and (site / "pad").is_dir() else []
    print("\n".join(wrong))
    print(f"{len(pages)} pages, opened {opened} times with {requests} requests; pictures in {out}; {len(wrong)} things are wrong")
    return 1 if wrong or not pages else 0


def _part(only: list[str]) -> tuple[int, int, list[str]]:
    """Which part of how many is asked for, and the other words.

    >>> _part(["2/5", "tutorials"])
    (2, 5, ['tutorials'])
    """
    parts = [found for word in only if (found := re.fullmatch(r"([1-9]\d*)/([1-9]\d*)", word))]
    words = [word for word in only if not re.fullmatch(r"[1-9]\d*/[1-9]\d*", word)]
    return (int(parts[-1][1]), int(parts[-1][2]), words) if parts else (1, 1, words)


def _visit(window: Browser, url: str, root: str, picture: Path) -> Iterator[tuple[str, list[str], int]]:
    """Open a page, and keep a picture of it in each theme: the theme, what is wrong, and how many requests it made."""
    for number, theme in enumerate(THEMES):
        window.dark(theme == "dark")
        if number == 0:
            window.open(url)
            window.wait(f"document.readyState === 'complete' && location.href.startsWith({url!r})")  # a busy machine is not there yet
        facts = window.script(FACTS, FAINT)
        window.picture(picture.with_stem(f"{picture.stem}-{theme}"), min(facts["height"], TALLEST))
        asked = window.requests()
        found = [f"asks {address}" for address in asked if not address.startswith((root, "data:", "blob:", "about:"))]
        found += [f"the console says {entry}" for entry in window.log()]
        found += [f"picture {source} did not load" for source in facts["broken"]]
        found += [f"picture {source} shows one colour" for source in facts["empty"]]
        found += [f"code is faint: {what}" for what in facts["faint"]]
        found += [f"a table is cut: {what}" for what in facts["cut"]]
        if facts["overflow"] > 0:
            found.append(f"is {facts['overflow']} pixels wider than the window ({', '.join(facts['wide'])})")
        yield theme, found, len(asked)


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
