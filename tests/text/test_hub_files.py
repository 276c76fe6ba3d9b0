"""hf://owner/repo/file, and models by their names, against a hub on 127.0.0.1."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from dovetail.errors import DownloadError, HashMismatch
from dovetail.io.download import download
from dovetail_text.models import BertConfig, BertModel
from dovetail_text.tokenizers import train_wordpiece

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


class _Models(BaseHTTPRequestHandler):
    """A hub with one model: what it is made of, and its files."""

    def log_message(self, *_):
        pass

    def _found(self):
        path, files = self.path.split("?")[0], self.server.files
        if path.startswith("/api/models/owner/tiny/tree/"):
            rows = [{"type": "file", "path": name, "size": len(data), "oid": "0" * 40} for name, data in files.items()]
            return json.dumps(rows).encode()
        if path.startswith("/api/models/owner/tiny/"):
            names = [{"rfilename": name} for name in files]
            return json.dumps({"id": "owner/tiny", "sha": "0" * 40, "siblings": names}).encode()
        return files.get(path.partition(f"/owner/tiny/resolve/{'0' * 40}/")[2])

    def _answer(self, body):
        found = self._found()
        self.server.asked.append(self.path)
        self.send_response(404 if found is None else 200)
        if found is None:
            self.send_header("X-Error-Code", "RepoNotFound")
        self.send_header("ETag", f'"{hashlib.sha256(found or b"").hexdigest()}"')
        self.send_header("X-Repo-Commit", "0" * 40)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(found or b"")))
        self.end_headers()
        if body and found:
            self.wfile.write(found)

    def do_HEAD(self):
        self._answer(False)

    def do_GET(self):
        self._answer(True)


MODULES = (("Transformer", ""), ("Pooling", "1_Pooling"))


@pytest.fixture
def models_hub(tmp_path):
    """The address of the hub is fixed when huggingface_hub is imported, so that programs run in a process of their own."""
    folder = tmp_path / "made"
    tokenizer = train_wordpiece(["it fits well"] * 4, 40)
    BertModel(BertConfig(len(tokenizer), 12, 2, 3, 20)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    parts = [
        {"type": f"sentence_transformers.models.{kind}", "path": path} for kind, path in (("Transformer", ""), ("Pooling", "1_Pooling"))
    ]
    (folder / "modules.json").write_text(json.dumps(parts))
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text('{"pooling_mode_cls_token": true}')
    (folder / "onnx").mkdir()
    (folder / "onnx" / "model.safetensors").write_bytes(b"of no use here")
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Models)
    server.files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    server.asked = []
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_models_and_tokenizers_by_their_names_on_the_hub(models_hub, tmp_path):
    program = "import sys\nfrom dovetail_text.models import AutoModel, BertModel\nfrom dovetail_text.tokenizers import AutoTokenizer\n"
    program += "from dovetail_text.errors import HubError\n"
    program += "model, tokenizer = AutoModel.from_pretrained('owner/tiny'), AutoTokenizer.from_pretrained('owner/tiny')\n"
    program += "print(type(model).__name__, model(**tokenizer('it fits', return_tensors='pt')).last_hidden_state.shape)\n"
    program += "from dovetail_text.models import AutoConfig\n"
    program += "asked = {'revision': 'main', 'trust_remote_code': True}\n"
    program += "configs = [kind.from_pretrained('owner/tiny', **asked) for kind in (AutoConfig, type(model.config))]\n"
    program += "assert configs == [model.config] * 2, configs\n"
    program += "from dovetail_text.models import SentenceEncoder\nencoder = SentenceEncoder.from_pretrained('owner/tiny')\n"
    program += "print(encoder.pooling, encoder.encode(['it fits', 'well']).shape)\n"
    program += "try:\n    BertModel.from_pretrained('owner/nothing')\nexcept HubError as error:\n    print(error)\n"
    env = {**os.environ, "HF_HOME": str(tmp_path / "cache"), "HF_HUB_OFFLINE": "0", "no_proxy": "*"}
    env["HF_ENDPOINT"] = f"http://127.0.0.1:{models_hub.server_address[1]}"
    ran = subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == 0, ran.stderr
    first, sentences, second = ran.stdout.splitlines()
    assert sentences == "cls dovetail.Size([2, 12])"
    assert first == "BertModel dovetail.Size([1, 4, 12])"
    assert second.startswith("from_pretrained: 'owner/nothing' is no folder, and the hub did not give it: ")
    assert not any("onnx" in path for path in models_hub.asked)
    models_hub.asked.clear()
    env["HF_HUB_OFFLINE"] = "1"  # once fetched, it opens without a network
    again = subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, text=True, timeout=120, check=False)
    assert again.stdout.splitlines()[0] == first and not models_hub.asked


def test_what_is_no_name_of_the_hub_is_a_path(tmp_path):
    for name in (tmp_path / "none", "./none", "a/b/c", "../a", ""):
        with pytest.raises(FileNotFoundError):
            BertModel.from_pretrained(name)
