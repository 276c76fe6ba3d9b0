"""A home that is not there or cannot be written, proxies of the environment: what docs/environment.md promises."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from dovetail.errors import DownloadError
from dovetail.io.download import download


def run(code: str, home: str, **environment: str) -> subprocess.CompletedProcess[str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith(("DOVETAIL_", "XDG_"))}
    variables = {**own, "HOME": home, **environment}
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=variables, timeout=120, check=False)


@pytest.fixture(params=["missing", "unwritable", "a file"])
def home(request, tmp_path):
    """Homes in which nothing can be made, also not by root."""
    if request.param == "a file":
        (tmp_path / "file").write_text("")
        return str(tmp_path / "file")
    if request.param == "unwritable" and not Path("/proc/self").is_dir():
        pytest.skip("the system has no /proc")
    return "/proc/self/fdinfo" if request.param == "unwritable" else str(tmp_path / "file-system" / "gone")


def test_everything_works_without_a_home(home):
    code = (
        "import dovetail as dv\nfrom dovetail import datasets, models, plugins\n"
        "from dovetail.vision.transforms import ToTensor\n"
        "x, y = datasets.load('vision/digits', split='test', transform=ToTensor())[0]\n"
        "dv.nn.functional.cross_entropy(models.create('vision/digits_cnn')(x[None]), dv.tensor([y])).backward()\n"
        "print(len(plugins.models.list()) > 3, plugins.problems())\n"
    )
    done = run(code, home)
    assert done.returncode == 0 and done.stdout == "True []\n" and done.stderr == "", done.stdout + done.stderr


def test_what_must_be_written_there_says_so(home):
    if "gone" in home:
        pytest.skip("it can be made")
    code = "from dovetail.cli.main import dovetail\ndovetail(['plugins', 'disable', 'vision'])"
    done = run(code, home)
    assert done.returncode == 1 and done.stderr.startswith("Error: the settings cannot be written: "), done.stderr
    assert home in done.stderr and "set DOVETAIL_CONFIG to another folder" in done.stderr
    code = "from dovetail import hub\nhub.load_state_dict_from_url('file:///etc/hostname')"
    done = run(code, home)
    assert "_Unreachable: download(" in done.stderr and "cannot be written" in done.stderr


class Proxy(BaseHTTPRequestHandler):
    asked: list[str] = []

    def do_GET(self):
        self.asked.append(self.path)
        self.send_response(200)
        self.send_header("Content-Length", "4")
        self.end_headers()
        self.wfile.write(b"data")

    def do_CONNECT(self):
        self.asked.append(f"CONNECT {self.path}")
        self.send_error(403)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def proxy(monkeypatch):
    """A proxy on 127.0.0.1 that answers for every host."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    Proxy.asked = []
    for name in ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_downloads_go_through_the_proxy_of_the_environment(proxy, monkeypatch, tmp_path):
    monkeypatch.setenv("http_proxy", proxy)
    download("http://files.invalid/a.bin", tmp_path / "a.bin", retries=0)
    assert Proxy.asked == ["http://files.invalid/a.bin"] and (tmp_path / "a.bin").read_bytes() == b"data"
    monkeypatch.setenv("https_proxy", proxy)
    with pytest.raises(DownloadError, match=r"403"):
        download("https://files.invalid/b.bin", tmp_path / "b.bin", retries=0)
    assert Proxy.asked[1:] == ["CONNECT files.invalid:443"]


def test_no_proxy_is_respected(proxy, monkeypatch, tmp_path):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")  # nobody is there
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    download(f"{proxy}/direct.bin", tmp_path / "a.bin", retries=0)
    assert Proxy.asked == ["/direct.bin"]
