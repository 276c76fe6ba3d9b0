"""A browser without a window, told what to do over WebDriver: Debian's chromium and chromium-driver, on this machine alone."""

from __future__ import annotations

import base64
import contextlib
import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib import request
from urllib.error import HTTPError, URLError

__all__ = ["Browser", "browser", "missing"]

_ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
_OPTIONS = """--headless=new --no-sandbox --disable-gpu --disable-dev-shm-usage --disable-background-networking --hide-scrollbars""".split()
_OPTIONS += ["--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]  # no other machine has a name here


def missing() -> str:
    """What is not installed, in words; empty where all is there."""
    lacking = [name for name in ("chromium", "chromedriver") if shutil.which(name) is None]
    return f"{' and '.join(lacking)} missing: apt-get install chromium chromium-driver" if lacking else ""


class Browser:
    """One window. Names that are not 127.0.0.1 are not found, so that a page that asks for another host fails here too."""

    def __init__(self, address: str) -> None:
        self.address = address
        kept = {"browser": "ALL", "performance": "ALL"}
        wanted = {"browserName": "chrome", "goog:chromeOptions": {"args": _OPTIONS}, "goog:loggingPrefs": kept}
        self.session = f"/session/{self._ask('POST', '/session', {'capabilities': {'alwaysMatch': wanted}})['sessionId']}"

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        call = request.Request(self.address + path, data, {"Content-Type": "application/json"}, method=method)
        try:
            with request.build_opener(request.ProxyHandler({})).open(call, timeout=120) as reply:
                return json.loads(reply.read())["value"]
        except HTTPError as error:
            raise RuntimeError(f"{path}: {json.loads(error.read())['value']['message'][:400]}") from None

    def _do(self, what: str, **body: Any) -> Any:
        return self._ask("POST", f"{self.session}/{what}", body)

    def open(self, url: str) -> None:
        self._do("url", url=url)

    def script(self, text: str, *args: Any) -> Any:
        """The result of a function's body in the page."""
        return self._do("execute/sync", script=text, args=list(args))

    def wait(self, text: str, seconds: float = 60) -> Any:
        """Wait until an expression is true in the page."""
        end = time.monotonic() + seconds
        while not (found := self.script(f"return {text}")):
            if time.monotonic() > end:
                raise TimeoutError(
                    f"{text} in {seconds} s; the page says {self.script('return document.body.innerText')[:500]!r}; {self.log()}"
                )
            time.sleep(0.05)
        return found

    def element(self, selector: str) -> dict[str, str]:
        return self._do("element", using="css selector", value=selector)

    def click(self, selector: str) -> None:
        self._do(f"element/{self.element(selector)[_ELEMENT]}/click")

    def type(self, selector: str, text: str) -> None:
        self._do(f"element/{self.element(selector)[_ELEMENT]}/value", text=text)

    def stroke(self, selector: str, points: list[tuple[float, float]], pointer: str = "mouse") -> None:
        """Draw through points, which are measured from the middle of an element."""
        inside = self.element(selector)
        moves = [{"type": "pointerMove", "duration": 10, "origin": inside, "x": round(x), "y": round(y)} for x, y in points]
        steps = [moves[0], {"type": "pointerDown", "button": 0}, *moves[1:], {"type": "pointerUp", "button": 0}]
        self._do("actions", actions=[{"type": "pointer", "id": pointer, "parameters": {"pointerType": pointer}, "actions": steps}])

    def frame(self, selector: str | None) -> None:
        """Go on inside a frame of the page; None: in the page itself."""
        self._do("frame", id=self.element(selector) if selector else None)

    def size(self, width: int, height: int) -> None:
        self._do("window/rect", width=width, height=height)

    def dark(self, on: bool = True) -> None:
        """Prefer dark colours, as a user's system may."""
        features = [{"name": "prefers-color-scheme", "value": "dark" if on else "light"}]
        self._devtools("Emulation.setEmulatedMedia", features=features)

    def emulate(self, width: int, height: int, phone: bool) -> None:
        """Have the page believe in a screen of that size: also one that is narrower than a window can be."""
        params = {"width": width, "height": height, "deviceScaleFactor": 2 if phone else 1, "mobile": phone}
        self._devtools("Emulation.setDeviceMetricsOverride", **params)

    def phone(self, width: int, height: int) -> None:
        """Be a phone of that size."""
        self.emulate(width, height, phone=True)

    def log(self) -> list[str]:
        """What the page wrote to the console since the last call."""
        return [entry["message"] for entry in self._do("se/log", type="browser")]

    def requests(self) -> list[str]:
        """The addresses that were asked for since the last call."""
        told = [json.loads(entry["message"])["message"] for entry in self._do("se/log", type="performance")]
        return [one["params"]["request"]["url"] for one in told if one["method"] == "Network.requestWillBeSent"]

    def picture(self, path: Path, height: int | None = None) -> Path:
        """The window as a PNG file; of the page from its top, however long, where a height is given."""
        path.parent.mkdir(parents=True, exist_ok=True)
        if height is None:
            data = self._ask("GET", f"{self.session}/screenshot")
        else:
            clip = {"x": 0, "y": 0, "width": self.script("return innerWidth"), "height": height, "scale": 1}
            data = self._devtools("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip)["data"]
        path.write_bytes(base64.b64decode(data))
        return path

    def _devtools(self, command: str, **params: Any) -> Any:
        return self._do("goog/cdp/execute", cmd=command, params=params)

    def close(self) -> None:
        self._ask("DELETE", self.session)


@contextlib.contextmanager
def browser(folder: Path) -> Iterator[Browser]:
    """A browser that keeps its files in a folder, and is gone afterwards."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    driver = shutil.which("chromedriver") or "chromedriver"
    with open(folder / "driver.log", "wb") as log:
        process = subprocess.Popen([driver, f"--port={port}"], stdout=log, stderr=log, cwd=folder)
    try:
        opened = _opened(f"http://127.0.0.1:{port}", process)
        try:
            yield opened
        finally:
            with contextlib.suppress(OSError):
                opened.close()
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _opened(address: str, process: subprocess.Popen[bytes]) -> Browser:
    for _ in range(200):
        try:
            return Browser(address)
        except (URLError, ConnectionError) as error:
            if process.poll() is not None or not isinstance(getattr(error, "reason", error), ConnectionError):
                raise
            time.sleep(0.1)
    raise TimeoutError("chromedriver does not answer")
