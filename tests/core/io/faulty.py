"""A server on 127.0.0.1 that answers each request as a script says, well or badly, and counts the bytes it sends."""

from __future__ import annotations

import gzip
import hashlib
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

__all__ = ["FAULTS", "Faulty", "serve"]


class Faulty(ThreadingHTTPServer):
    """Serves ``data``; ``script`` holds the names of the next answers' faults, after them all is well."""

    daemon_threads = True

    def __init__(self, data: bytes) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.data, self.script, self.sent, self.requests = data, [], 0, []  # type: ignore[var-annotated]
        self.release = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/files/weights.bin"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up are part of the game."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Faulty

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        self.server.requests.append(dict(self.headers))
        self.close_connection = True
        fault = self.server.script.pop(0) if self.server.script else "well"
        FAULTS[fault](self)

    def etag(self) -> str:
        return f'"{hashlib.md5(self.server.data).hexdigest()}"'

    def head(self, status: int, length: int | None, **headers: str) -> None:
        self.send_response(status)
        if length is not None:
            self.send_header("Content-Length", str(length))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def send(self, data: bytes) -> None:
        for start in range(0, len(data), 4096):
            self.wfile.write(data[start : start + 4096])
            self.server.sent += len(data[start : start + 4096])

    def asked(self) -> int:
        """The first byte that is asked for, where the condition holds."""
        wanted = self.headers.get("Range", "")
        return int(wanted[6:-1]) if wanted and self.headers.get("If-Range") in (self.etag(), _DATE) else 0

    def whole_or_rest(self, validator: dict[str, str], body: Any = None, cut: int | None = None) -> None:
        data, start = self.server.data, self.asked()
        if start >= len(data) > 0:
            return self.head(416, 0, Content_Range=f"bytes */{len(data)}")
        sent = data[start:] if body is None else body(data[start:])
        if start:
            span = f"bytes {start}-{len(data) - 1}/{len(data)}"
            self.head(206, len(data) - start, Content_Range=span, **validator)
        else:
            self.head(200, len(data), Accept_Ranges="bytes", **validator)
        self.send(sent if cut is None else sent[: len(sent) * cut // 100])


_DATE = "Fri, 01 Jan 2060 00:00:00 GMT"  # a clock that is wrong


def _well(h: _Handler) -> None:
    h.whole_or_rest({"ETag": h.etag()})


def _dated(h: _Handler) -> None:
    h.whole_or_rest({"Last_Modified": _DATE, "Date": _DATE, "ETag": 'W/"weak"'})


def _truncated(h: _Handler) -> None:
    h.whole_or_rest({"ETag": h.etag()}, cut=60)


def _truncated_dated(h: _Handler) -> None:
    h.whole_or_rest({"Last_Modified": _DATE}, cut=60)


def _truncated_bare(h: _Handler) -> None:
    h.whole_or_rest({}, cut=60)


def _changes(h: _Handler) -> None:
    """Half of it, and then the file is another one."""
    h.whole_or_rest({"ETag": h.etag()}, cut=50)
    h.server.data = bytes(reversed(h.server.data))


def _long(h: _Handler) -> None:
    h.whole_or_rest({"ETag": h.etag()}, lambda rest: rest + b"more")


def _corrupt(h: _Handler) -> None:
    h.whole_or_rest({"ETag": h.etag()}, lambda rest: bytes([rest[0] ^ 1]) + rest[1:])


def _corrupt_and_cut(h: _Handler) -> None:
    h.whole_or_rest({"ETag": h.etag()}, lambda rest: bytes([rest[0] ^ 1]) + rest[1:], cut=60)


def _ignores_range(h: _Handler) -> None:
    h.head(200, len(h.server.data), ETag=h.etag())
    h.send(h.server.data)


def _ignores_condition(h: _Handler) -> None:
    """The rest of another file, as if it fitted."""
    start = int(h.headers.get("Range", "bytes=0-")[6:-1])
    size = len(h.server.data)
    h.head(206, size - start, Content_Range=f"bytes {start}-{size - 1}/{size}", ETag='"another"')
    h.send(bytes(size - start))


def _wrong_part(h: _Handler) -> None:
    h.head(206, 3, Content_Range=f"bytes 1-3/{len(h.server.data)}", ETag=h.etag())
    h.send(h.server.data[1:4])


def _chunked(h: _Handler, upto: int = 100, end: bool = True) -> None:
    h.head(200, None, Transfer_Encoding="chunked", ETag=h.etag())
    data = h.server.data[: len(h.server.data) * upto // 100]
    for start in range(0, len(data), 5000):
        piece = data[start : start + 5000]
        h.wfile.write(b"%x\r\n" % len(piece))
        h.send(piece)
        h.wfile.write(b"\r\n")
    h.wfile.write(b"0\r\n\r\n" if end else b"")


def _gzip(h: _Handler) -> None:
    packed = gzip.compress(h.server.data)
    h.head(200, len(packed), Content_Encoding="gzip")
    h.send(packed)


def _slow(h: _Handler) -> None:
    h.head(200, len(h.server.data), ETag=h.etag())
    for i in range(30):
        h.send(h.server.data[i : i + 1])
        h.wfile.flush()
        if h.server.release.wait(0.05):
            break


def _stops(h: _Handler) -> None:
    """Sends two thirds and then nothing, until the test is over."""
    h.head(200, len(h.server.data), ETag=h.etag())
    h.send(h.server.data[: len(h.server.data) * 2 // 3])
    h.wfile.flush()
    h.server.release.wait(20)


def _late(h: _Handler) -> None:
    time.sleep(0.3)
    _well(h)


def _status(code: int) -> Any:
    return lambda h: h.head(code, 0)


def _redirect(where: str) -> Any:
    return lambda h: h.head(302, 0, Location=where)


FAULTS: dict[str, Any] = {
    "well": _well, "dated": _dated, "truncated": _truncated, "truncated dated": _truncated_dated, "truncated bare": _truncated_bare,
    "changes": _changes, "long": _long, "corrupt": _corrupt, "corrupt and cut": _corrupt_and_cut, "ignores range": _ignores_range,
    "ignores condition": _ignores_condition, "wrong part": _wrong_part, "chunked": _chunked,
    "chunked, cut": lambda h: _chunked(h, 50, False), "gzip": _gzip, "slow": _slow, "stops": _stops, "late": _late,
    "hangs up": lambda h: None, "garbage": lambda h: h.wfile.write(b"SSH-2.0-x\r\n\r\n"),
    "another name": lambda h: h.whole_or_rest({"Content_Disposition": 'attachment; filename="../../evil"', "ETag": h.etag()}),
    "moved": _redirect("/elsewhere/weights.bin"), "to file": _redirect("file:///etc/passwd"), "to ftp": _redirect("ftp://127.0.0.1/x"),
    "to data": _redirect("data:text/plain,x"), "round": _redirect("/files/weights.bin"),
    **{str(code): _status(code) for code in (403, 404, 416, 429, 500, 502, 503)},
}  # fmt: skip


@contextmanager
def serve(data: bytes) -> Iterator[Faulty]:
    """Run the server for the block."""
    server = Faulty(data)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.release.set()
        server.shutdown()
        server.server_close()
        thread.join()
