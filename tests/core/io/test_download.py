"""The downloader against a server that fails in every way: no wrong file in place, little fetched twice, every failure typed."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path
from urllib.error import URLError

import pytest

from dovetail.errors import DownloadError, HashMismatch
from dovetail.io import download as module
from dovetail.io.download import download
from tests.core.io.faulty import FAULTS, serve
from tests.support.figures import note

DATA = random.Random(0).randbytes(400_000)
SHA = hashlib.sha256(DATA).hexdigest()


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(module, "_PAUSE", 0.001)
    monkeypatch.delenv("DOVETAIL_OFFLINE", raising=False)
    monkeypatch.setenv("no_proxy", "*")


@pytest.fixture
def server():
    with serve(DATA) as running:
        yield running


def only(folder: Path, *names: str) -> None:
    assert sorted(os.listdir(folder)) == sorted(names)


@pytest.mark.parametrize(
    "script",
    [
        ["well"], ["dated"], ["truncated"], ["truncated dated"], ["truncated bare"], ["truncated", "truncated", "truncated"], ["long"],
        ["truncated", "ignores range"], ["truncated", "ignores condition"], ["truncated", "wrong part"], ["wrong part"], ["chunked"],
        ["chunked, cut"], ["chunked, cut", "truncated"], ["hangs up"], ["garbage"], ["another name"], ["moved"], ["moved", "500"], ["416"],
        ["500", "502", "503", "429"], ["truncated", "503", "moved"], ["truncated", "416"], ["corrupt and cut"],
    ],
)  # fmt: skip
def test_what_can_be_mended_is(server, tmp_path, script):
    server.script[:] = script
    target = tmp_path / "deep" / "weights.bin"
    assert download(server.url, target, sha256=SHA, size=len(DATA)) == SHA
    assert target.read_bytes() == DATA and not server.script
    only(target.parent, "weights.bin")


@pytest.mark.parametrize(
    ("script", "error", "text"),
    [
        (["404"], DownloadError, "the server answers 404 Not Found; is the address right?"),
        (["403"], DownloadError, "the server answers 403"),
        (["500"] * 5, DownloadError, "the server answers 500 Internal Server Error (5 attempts); try again later"),
        (["truncated bare"] * 5, DownloadError, "the connection ended after 240,000 of 400,000 bytes (5 attempts)"),
        (["hangs up"] * 5, DownloadError, "RemoteDisconnected"),
        (["garbage"] * 5, DownloadError, "(5 attempts)"),
        (["to file"], DownloadError, "Redirection to url 'file:///etc/passwd' is not allowed"),
        (["to ftp"], DownloadError, "the server sends to 'ftp://127.0.0.1/x'; expected http or https"),
        (["to data"], DownloadError, "not allowed"),
        (["round"] * 40, DownloadError, "infinite loop"),
        (["corrupt"], HashMismatch, "is not the file expected: SHA-256 is"),
        (["changes"], HashMismatch, "is not the file expected"),
        (["gzip"], HashMismatch, "bytes; expected 400,000"),
    ],
)
def test_what_cannot_be_mended_is_typed(server, tmp_path, script, error, text):
    server.script[:] = script
    (tmp_path / "weights.bin").write_bytes(b"the old file")
    with pytest.raises(error) as caught:
        download(server.url, tmp_path / "weights.bin", sha256=SHA, size=len(DATA))
    assert text in str(caught.value)
    assert isinstance(caught.value, URLError if error is DownloadError else RuntimeError)
    assert (tmp_path / "weights.bin").read_bytes() == b"the old file"
    only(tmp_path, "weights.bin")


def test_the_status_can_be_asked(server, tmp_path):
    for script in (["404"], ["503"] * 5):
        server.script[:] = script
        with pytest.raises(DownloadError) as caught:
            download(server.url, tmp_path / "x")
        assert caught.value.code == int(script[0])


@pytest.mark.figures
@pytest.mark.parametrize("script", [["truncated"], ["truncated dated", "dated"], ["truncated", "truncated", "503"]])
def test_little_is_fetched_twice(server, tmp_path, script):
    server.script[:] = script
    download(server.url, tmp_path / "w", md5=hashlib.md5(DATA).hexdigest())
    note("S13", f"fetched after {', '.join(script)}", f"{server.sent / len(DATA):.2f} of the file", "1.1")
    assert server.sent <= 1.1 * len(DATA) and server.requests[1]["Range"] == "bytes=240000-"


def test_a_later_call_goes_on_where_an_earlier_one_stopped(server, tmp_path):
    server.script[:] = ["truncated", "500"]
    with pytest.raises(DownloadError):
        download(server.url, tmp_path / "w", sha256=SHA, retries=1)
    only(tmp_path, ".w.part", ".w.part.json")
    assert download(server.url, tmp_path / "w", sha256_prefix=SHA[:8].upper()) == SHA
    assert server.sent == len(DATA)
    only(tmp_path, "w")


def test_what_was_complete_but_not_renamed_is_not_fetched_again(server, tmp_path):
    (tmp_path / ".w.part").write_bytes(DATA)
    note = {"url": server.url, "validator": f'"{hashlib.md5(DATA).hexdigest()}"', "size": len(DATA)}
    (tmp_path / ".w.part.json").write_text(json.dumps(note))
    download(server.url, tmp_path / "w", sha256=SHA)
    assert not server.requests and (tmp_path / "w").read_bytes() == DATA
    only(tmp_path, "w")


@pytest.mark.parametrize("note", ["", "{", "[]", '{"url": 3}', '{"url": "URL", "validator": null, "size": 1}', "ANOTHER", "DAMAGED"])
def test_leftovers_of_the_dead_do_no_harm(server, tmp_path, note):
    (tmp_path / ".w.part").write_bytes(b"x" * 500_000)
    good = {"url": server.url, "validator": '"old"', "size": 400_000}
    if note == "DAMAGED":  # our part is not what it says it is: seen by the hash, and fetched anew
        (tmp_path / ".w.part").write_bytes(bytes(1000))
        good["validator"] = f'"{hashlib.md5(DATA).hexdigest()}"'
    text = json.dumps(good) if note in ("ANOTHER", "DAMAGED") else note.replace("URL", server.url)
    (tmp_path / ".w.part.json").write_text(text)
    assert download(server.url, tmp_path / "w", sha256=SHA) == SHA
    only(tmp_path, "w")


def test_without_a_hash_nothing_of_an_earlier_call_is_used(server, tmp_path):
    server.script[:] = ["truncated", "500"]
    with pytest.raises(DownloadError):
        download(server.url, tmp_path / "w", retries=1)
    only(tmp_path)
    assert download(server.url, tmp_path / "w") == SHA and server.sent == 1.6 * len(DATA)
    server.data = b"newer"
    download(server.url, tmp_path / "w")
    assert (tmp_path / "w").read_bytes() == b"newer"


def test_a_file_that_fits_is_left_as_it_is(server, tmp_path):
    (tmp_path / "w").write_bytes(DATA)
    assert download(server.url, tmp_path / "w", sha256=SHA) == SHA
    assert download("http://127.0.0.1:1/", tmp_path / "w", md5=hashlib.md5(DATA).hexdigest()) == SHA
    assert not server.requests


@pytest.mark.parametrize("size", [100, 399_999, 400_001])
def test_the_declared_size_counts(server, tmp_path, size):
    for script in ("well", "chunked"):
        server.script[:] = [script]
        with pytest.raises(HashMismatch, match=f"{size:,}"):
            download(server.url, tmp_path / "w", size=size)
    only(tmp_path)


def test_packed_on_the_way_only_with_a_hash(server, tmp_path):
    server.script[:] = ["gzip"]
    with pytest.raises(DownloadError, match="the server sends it as gzip, unasked; give a hash of the bytes it sends"):
        download(server.url, tmp_path / "w")
    server.script[:] = ["gzip"]
    assert len(download(server.url.replace(".bin", ".gz"), tmp_path / "w")) == 64


def test_a_server_that_drips_is_given_up(server, tmp_path):
    server.script[:] = ["slow", "slow", "well"]
    assert download(server.url, tmp_path / "w", timeout=0.15, sha256=SHA) == SHA
    server.script[:] = ["stops"] * 2
    server.release.clear()
    with pytest.raises(DownloadError, match="timed out"):
        download(server.url, tmp_path / "x", timeout=0.1, retries=0)


@pytest.mark.parametrize("old, new", [("https", "http"), ("https", "file"), ("http", "ftp"), ("http", "")])
def test_no_redirect_to_a_weaker_scheme(old, new):
    with pytest.raises(DownloadError, match="the server sends to"):
        module._Redirects().redirect_request(module.request.Request(f"{old}://a.org/x"), None, 302, "", {}, f"{new}://b.org/x")


def test_schemes(tmp_path):
    source = tmp_path / "a b.bin"
    source.write_bytes(DATA)
    assert download(source.as_uri(), tmp_path / "w", sha256=SHA) == SHA and (tmp_path / "w").read_bytes() == DATA
    for url, text in {
        "ftp://127.0.0.1/x": "the scheme is 'ftp'; expected http, https or file",
        "x": "the scheme is ''",
        (tmp_path / "none").as_uri(): "the file cannot be read: ",
        tmp_path.as_uri(): "the file cannot be read: ",
        "file://elsewhere/x": "it is on the host 'elsewhere'",
        "http://127.0.0.1:port/x": "(1 attempts)",
    }.items():
        with pytest.raises(DownloadError) as caught:
            download(url, tmp_path / "y", retries=0)
        assert text in str(caught.value)
    with pytest.raises(HashMismatch):
        download(source.as_uri(), tmp_path / "y", md5="0" * 32)
    only(tmp_path, "a b.bin", "w")


def test_names_and_certificates_that_are_wrong_are_not_tried_again(tmp_path, monkeypatch):
    for reason, text in (
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "the host is not known"),
        (ssl.SSLCertVerificationError("self-signed"), "the server's certificate is not trusted"),
    ):
        asked = []

        def refuse(*_, reason=reason, asked=asked):
            asked.append(1)
            raise URLError(reason)

        monkeypatch.setattr(module, "_open", refuse)
        with pytest.raises(DownloadError, match=text):
            download("https://nowhere.invalid/x", tmp_path / "x")
        assert len(asked) == 1


def test_offline(server, tmp_path, monkeypatch):
    monkeypatch.setenv("DOVETAIL_OFFLINE", "1")
    with pytest.raises(DownloadError) as caught:
        download(server.url, tmp_path / "w", sha256=SHA)
    where = tmp_path / "w"
    assert f"DOVETAIL_OFFLINE is set, and {where} is not there; unset it, or fetch the file elsewhere and put it at {where}" in str(
        caught.value
    )
    where.write_bytes(b"wrong")
    with pytest.raises(DownloadError, match="the file that is there is another: SHA-256 is"):
        download(server.url, where, sha256=SHA)
    where.write_bytes(DATA)
    assert download(server.url, where, sha256=SHA) == SHA and not server.requests


def test_what_cannot_be_written_is_typed(server, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("x")
    for target in (tmp_path / "file" / "w", tmp_path):
        with pytest.raises(DownloadError, match="cannot be written"):
            download(server.url, target)
    only(tmp_path, "file")
    take = module._Part._count

    def full(part, chunk):
        take(part, chunk)
        part.file = Full(part.file)

    class Full:
        def __init__(self, file):
            self.closed, self.fileno, self.close = False, file.fileno, file.close

        def write(self, data):
            raise OSError(28, "No space left on device")

    monkeypatch.setenv("DOVETAIL_HOME", str(tmp_path / "file"))
    with pytest.raises(DownloadError, match=r"hub/w cannot be written: Not a directory; set DOVETAIL_HOME to a folder that can be$"):
        download(server.url, tmp_path / "file" / "hub" / "w")
    monkeypatch.setattr(module._Part, "_count", full)
    with pytest.raises(DownloadError, match="w cannot be written: No space left on device"):
        download(server.url, tmp_path / "w", sha256=SHA)
    only(tmp_path, "file")


def test_progress_is_shown_on_a_terminal_only(server, tmp_path, monkeypatch, capsys):
    download(server.url, tmp_path / "w")
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    server.script[:] = ["truncated"]
    download(server.url, tmp_path / "w2")
    assert "w2: 100%" in capsys.readouterr().err
    download(server.url, tmp_path / "w3", progress=False)
    assert capsys.readouterr().err == ""


PROGRAM = "import sys; from dovetail.io.download import download; print(download(sys.argv[1], sys.argv[2], sha256=sys.argv[3]))"


def start(url: str, target: Path) -> subprocess.Popen:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen([sys.executable, "-c", PROGRAM, url, str(target), SHA], env=environment, stdout=subprocess.PIPE, text=True)


def waited(condition) -> bool:
    end = time.monotonic() + 20
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    return condition()


def test_two_processes_and_a_killed_one(server, tmp_path):
    target, part = tmp_path / "w", tmp_path / ".w.part"
    server.script[:] = ["stops"]
    killed = start(server.url, target)
    assert waited(lambda: part.exists() and part.stat().st_size >= len(DATA) * 2 // 3 - 4096)
    other = start(server.url, target)
    time.sleep(0.4)
    assert other.poll() is None and len(server.requests) == 1, "the other one waits"
    killed.send_signal(signal.SIGKILL)
    assert killed.wait() == -signal.SIGKILL
    third = start(server.url, target)
    assert [other.communicate()[0].strip(), third.communicate()[0].strip()] == [SHA, SHA]
    assert target.read_bytes() == DATA and len(server.requests) == 2, "and goes on; the third finds the file"
    assert server.sent <= 1.1 * len(DATA)
    only(tmp_path, "w")


def one_random_run(draw: random.Random, folder: Path) -> None:
    """Any faults in any order, perhaps over an old file: the right file, or the old one and a typed error."""
    data = draw.randbytes(draw.choice([1, 300, 5000, 70_000]))
    known = {"sha256": hashlib.sha256(data).hexdigest(), "sha256_prefix": hashlib.sha256(data).hexdigest()[:8]}
    known |= {"md5": hashlib.md5(data).hexdigest(), "size": len(data)}
    chosen = {name: known[name] for name in draw.sample(sorted(known), draw.randint(1, 4))}
    target, old = folder / "w", draw.choice([None, b"old"])
    if old is not None:
        target.write_bytes(old)
    names = [name for name in FAULTS if name not in ("slow", "stops", "late")]
    hashed = chosen.keys() != {"size"}
    if not hashed:  # nothing could tell
        names = [name for name in names if name not in ("corrupt", "corrupt and cut", "changes", "ignores condition")]
    with serve(data) as server:
        for _ in range(draw.randint(1, 3)):
            server.script[:] = draw.choices(names, k=draw.randint(0, 6))
            script = list(server.script)
            try:
                download(server.url, target, progress=False, retries=draw.randint(0, 4), **chosen)
            except (DownloadError, HashMismatch):
                assert (target.read_bytes() if target.exists() else None) in (old, data), (script, chosen)
            else:
                assert target.read_bytes() == data, (script, chosen)
            server.data = data  # where it changed meanwhile
    left = {name for name in os.listdir(folder) if name != "w"}
    assert left <= {".w.part", ".w.part.json"} and (hashed or not left)
    for name in os.listdir(folder):
        (folder / name).unlink()


def test_random_runs(tmp_path):
    for seed in range(40):
        one_random_run(random.Random(seed), tmp_path)


@pytest.mark.soak
def test_a_thousand_random_runs(tmp_path):
    for seed in range(1000):
        one_random_run(random.Random(10_000 + seed), tmp_path)
    note(
        "S13", f"random runs with {len(FAULTS)} kinds of answers: the right file, or the old one and a typed error", "1000 of 1000", "1,000"
    )
