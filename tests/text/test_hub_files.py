"""hf://owner/repo/file, against a hub on 127.0.0.1."""

from __future__ import annotations

import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from dovetail.errors import DownloadError, HashMismatch
from dovetail.io.download import download

pytest.importorskip("huggingface_hub")

DATA = bytes(range(256)) * 100
SHA = hashlib.sha256(DATA).hexdigest()


class _Hub(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def answer(self, body: bool):
        self.server.asked.append(self.path)
        known = self.path.endswith(("/owner/repo/resolve/main/sub/w.bin", "/datasets/owner/repo/resolve/v1/w.bin"))
        self.send_response(200 if known else 404)
        if not known:
            self.send_header("X-Error-Code", "EntryNotFound")
        self.send_header("ETag", f'"{SHA}"')
        self.send_header("X-Repo-Commit", "0" * 40)
        self.send_header("Content-Length", str(len(DATA) if known else 0))
        self.end_headers()
        if body and known:
            self.wfile.write(DATA)

    def do_HEAD(self):
        self.answer(False)

    def do_GET(self):
        self.answer(True)


@pytest.fixture
def hub(monkeypatch, tmp_path):
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Hub)
    server.asked = []
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_address[1]}")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)  # which the tests beside set for the process
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.delenv("DOVETAIL_OFFLINE", raising=False)
    yield server
    server.shutdown()
    server.server_close()


def test_a_file_of_the_hub(hub, tmp_path):
    assert download("hf://owner/repo/sub/w.bin", tmp_path / "in" / "w", sha256=SHA, size=len(DATA)) == SHA
    assert download("hf://datasets/owner/repo@v1/w.bin", tmp_path / "in" / "d") == SHA
    assert sorted(p.name for p in (tmp_path / "in").iterdir()) == ["d", "w"] and (tmp_path / "in" / "w").read_bytes() == DATA
    before = len(hub.asked)
    assert download("hf://owner/repo/sub/w.bin", tmp_path / "in" / "w", sha256=SHA) == SHA and len(hub.asked) == before


def test_failures_are_typed(hub, tmp_path, monkeypatch):
    with pytest.raises(DownloadError, match=r"download\('hf://owner/repo/none'\): .*NotFound") as caught:
        download("hf://owner/repo/none", tmp_path / "w")
    assert caught.value.code == 404
    for url in ("hf://owner", "hf://owner/repo", "hf://owner/repo/../x"):
        with pytest.raises(DownloadError, match="the URL is no file of the hub; expected hf://owner/repo/file"):
            download(url, tmp_path / "w")
    with pytest.raises(HashMismatch):
        download("hf://owner/repo/sub/w.bin", tmp_path / "w", sha256="0" * 64)
    monkeypatch.setenv("DOVETAIL_OFFLINE", "1")
    with pytest.raises(DownloadError, match="DOVETAIL_OFFLINE is set"):
        download("hf://owner/repo/sub/w.bin", tmp_path / "w")
    assert list(tmp_path.iterdir()) == []
