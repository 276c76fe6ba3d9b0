"""`make look`: open every page of the built site in headless Chromium, and say what is wrong with it.

Wide and narrow, light and dark: a picture of each into build/look/. Counted: requests to other hosts, pages wider than the window, pictures
that did not load, messages of the browser's console, and names that the search does not find. Chromium and chromedriver are spoken to by
the WebDriver protocol itself, so nothing needs to be installed in Python.
"""

from __future__ import annotations

import base64
import functools
import http.server
import itertools
import json
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

__all__ = ["look"]

SHAPES = {"desktop": (1280, 900), "phone": (390, 844)}
THEMES = ("light", "dark")
TALLEST = 9000  # pixels of a page that its picture shows
SEARCHES = {"conv2d": "dovetail.nn.functional.conv2d", "DataLoader": "dovetail.data.DataLoader", "register_models": "register_models"}
FACTS = """
const wide = [...document.querySelectorAll('article *')].filter(e => e.getBoundingClientRect().right > innerWidth + 1
    && !e.closest('pre, .table-wrapper, .math-block, math, .highlight')).slice(0, 3).map(e => e.tagName + '.' + e.className);
return {overflow: document.documentElement.scrollWidth - innerWidth, wide: wide,
        height: document.documentElement.scrollHeight, title: document.title,
        broken: [...document.images].filter(i => i.complete && !i.naturalWidth).map(i => i.src)};
"""


def look(site: Path, out: Path, only: list[str]) -> int:
    """Open the pages (those whose path has one of the words `only`); 0 where nothing is wrong."""
    if not (shutil.which("chromium") and shutil.which("chromedriver")):
        print("NOT RUN: chromium and chromedriver are not installed, so no page was opened.")
        return 0
    built = sorted(path.relative_to(site).as_posix() for path in site.rglob("*.html") if "_modules" not in path.parts)
    pages = [page for page in built if not only or any(word in page for word in only)]
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    wrong, opened, requests = [], 0, 0
    with _served(site) as root, _driver() as port:
        for shape, (width, height) in SHAPES.items():
            with _Browser(port, width, height) as browser:
                for page, theme in itertools.product(pages, THEMES):
                    picture = out / f"{page.removesuffix('.html').replace('/', '.')}-{shape}-{theme}.png"
                    found, seen = browser.visit(f"{root}/{page}", root, theme, picture)
                    wrong += [f"{page} ({shape}, {theme}): {what}" for what in found]
                    opened, requests = opened + 1, requests + seen
                for word, name in SEARCHES.items() if shape == "desktop" and not only else ():
                    if not browser.finds(root, word, name):
                        wrong.append(f"search for {word!r}: {name} is not found")
    print("\n".join(wrong))
    print(f"{len(pages)} pages, opened {opened} times with {requests} requests; pictures in {out}; {len(wrong)} things are wrong")
    return 1 if wrong or not pages else 0


class _Browser:
    """One session of Chromium with a window of a fixed size."""

    def __init__(self, port: int, width: int, height: int) -> None:
        self.root, self.size = f"http://127.0.0.1:{port}", (width, height)

    def __enter__(self) -> _Browser:
        arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-dev-shm-usage",
            "--hide-scrollbars",
            "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
        ]
        options: dict[str, Any] = {"args": [*arguments, "--window-size={},{}".format(*self.size)]}
        if self.size[0] < 500:  # windows are no narrower than that; a phone is emulated
            options["mobileEmulation"] = {"deviceMetrics": {"width": self.size[0], "height": self.size[1], "pixelRatio": 2.0}}
        wanted = {"browserName": "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": {"performance": "ALL", "browser": "ALL"}}
        answer = self._ask("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
        self.root += f"/session/{answer['sessionId']}"
        return self

    def __exit__(self, *_: object) -> None:
        self._ask("DELETE", "")

    def visit(self, url: str, root: str, theme: str, picture: Path) -> tuple[list[str], int]:
        """Open a page in a theme, keep a picture of it; what is wrong, and how many requests it made."""
        self._ask("POST", "/url", {"url": url})
        self._run(f"document.body.dataset.theme = '{theme}'; document.querySelectorAll('details').forEach(d => d.open = false);")
        facts = self._run(FACTS)
        picture.write_bytes(base64.b64decode(self._picture(min(facts["height"], TALLEST))))
        asked = [m["params"]["request"]["url"] for m in self._log("performance") if m["method"] == "Network.requestWillBeSent"]
        found = [f"asks {address}" for address in asked if not address.startswith((root, "data:", "blob:", "about:"))]
        found += [f"the console says {entry}" for entry in self._log("browser")]
        found += [f"picture {source} did not load" for source in facts["broken"]]
        if facts["overflow"] > 0:
            found.append(f"is {facts['overflow']} pixels wider than the window ({', '.join(facts['wide'])})")
        return found, len(asked)

    def finds(self, root: str, word: str, name: str) -> bool:
        """Whether the site's own search leads from a word to a name."""
        self._ask("POST", "/url", {"url": f"{root}/search.html?q={word}"})
        for _ in range(100):
            time.sleep(0.1)
            if name in self._run("return document.querySelector('#search-results')?.innerText ?? ''"):
                return True
        return False

    def _picture(self, height: int) -> str:
        clip = {"x": 0, "y": 0, "width": self.size[0], "height": height, "scale": 1}
        wanted = {"format": "png", "captureBeyondViewport": True, "clip": clip}
        return self._ask("POST", "/goog/cdp/execute", {"cmd": "Page.captureScreenshot", "params": wanted})["data"]

    def _run(self, script: str) -> Any:
        return self._ask("POST", "/execute/sync", {"script": script, "args": []})

    def _log(self, kind: str) -> list[Any]:
        entries = self._ask("POST", "/se/log", {"type": kind})
        return [json.loads(e["message"])["message"] if kind == "performance" else e["message"] for e in entries]

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.root + path, data, {"Content-Type": "application/json"}, method=method)
        with urllib.request.urlopen(request, timeout=120) as answer:
            return json.load(answer)["value"]


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


@contextmanager
def _driver() -> Iterator[int]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(["chromedriver", f"--port={port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(100):
            with socket.socket() as test:
                if test.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield port
    finally:
        process.terminate()
        process.wait()


if __name__ == "__main__":
    root = Path(__file__).resolve().parent.parent
    sys.exit(look(root / "docs/_build/html", root / "build/look", [re.sub(r"\.(md|html)$", "", word) for word in sys.argv[1:]]))
