"""Weights by key: packaged files, downloads, the cache, pins, the command line, and hub."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

import dovetail as dv
from dovetail import hub, models, plugins, weights
from dovetail.errors import DownloadError, FormatError, HashMismatch, PluginError, UnknownNameError, UnsupportedError, ValueRangeError

CODE = """from dovetail import nn, weights as w
def net(weights=None):
    made = nn.Linear(2, 1)
    if weights is not None:
        made.load_state_dict(w.load(weights))
    return made
class Scale:
    def __init__(self, by=1.0): self.by = by
    def __call__(self, x): return x * self.by
"""


def sha(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def save(value: float, path: Path) -> Path:
    path.parent.mkdir(exist_ok=True, parents=True)
    dv.save({"weight": dv.full((1, 2), value), "bias": dv.zeros(1)}, path)
    return path


@pytest.fixture
def published(site, tmp_path, monkeypatch) -> Path:
    """A plugin with weights in its package (v1) and elsewhere (v2, of whose hash only the first digits are known)."""
    monkeypatch.setenv("DOVETAIL_HOME", str(tmp_path / "home"))
    own, other = save(1, site.folder / "dovetail_audio" / "data" / "v1.safetensors"), save(2, tmp_path / "publisher" / "net-v2.safetensors")
    rows = f"""
[models."audio/net"]
target = "dovetail_audio.code:net"
[models."audio/more"]
target = "dovetail_audio.code:net"
[transforms."audio/scale"]
target = "dovetail_audio.code:Scale"
[weights."audio/net@v1"]
model = "audio/net"
file = "data/v1.safetensors"
sha256 = "{sha(own)}"
bytes = {own.stat().st_size}
license = "MIT"
transforms = "audio/scale"
transforms_config = {{ by = 3.0 }}
[weights."audio/net@v2"]
model = "audio/net"
url = "{other.as_uri()}"
sha256_prefix = "{sha(other)[:8]}"
default = true
[weights."audio/more@a"]
model = "audio/more"
[weights."audio/more@b"]
model = "audio/more"
"""
    site.add("dovetail-audio", rows, code={"code.py": CODE})
    plugins.reset()  # what saved the files above looked already
    return other


def test_packaged_weights(published, site):
    assert weights.list("audio/net@*") == ["audio/net@v1", "audio/net@v2"]
    assert models.create("audio/net", weights="v1").weight.tolist() == [[1.0, 1.0]]
    assert models.create("audio/net", weights="V1").weight.tolist() == [[1.0, 1.0]]
    assert weights.path("audio/net@v1") == site.folder / "dovetail_audio" / "data" / "v1.safetensors"
    assert weights.transforms("audio/net@v1")(2.0) == 6.0
    (site.folder / "dovetail_audio" / "data" / "v1.safetensors").write_bytes(b"other")
    with pytest.raises(HashMismatch, match="v1.safetensors: has 5 bytes; expected"):
        weights.load("audio/net@v1")


def test_fetched_weights_are_kept_and_pinned(published, tmp_path):
    model = models.create("audio/net", weights="DEFAULT")
    assert model.weight.tolist() == [[2.0, 2.0]]
    kept = tmp_path / "home" / "hub" / "checkpoints" / "audio" / "net@v2" / "net-v2.safetensors"
    assert weights.path("audio/net@v2") == kept and sha(kept) == sha(published)
    lock = (tmp_path / "home" / "hub" / "dovetail.lock").read_text()
    assert f'["audio/net@v2"]\nurl = "{published.as_uri()}"\nsha256 = "{sha(published)}"\nbytes = {kept.stat().st_size}\n' in lock
    published.unlink()
    assert weights.load(weights.get("audio/net@v2"))["weight"].tolist() == [[2.0, 2.0]]


def test_a_pinned_file_that_changes_is_refused(published, tmp_path):
    kept, before = weights.path("audio/net@v2"), sha(published)
    lock = tmp_path / "home" / "hub" / "dovetail.lock"
    lock.write_text(lock.read_text().replace(before, before[:8] + "0" * 56))  # the same prefix, another file
    with pytest.raises(HashMismatch, match=r"was pinned to this at its first download, in .*dovetail.lock"):
        weights.path("audio/net@v2")
    assert sha(kept) == before
    Path("dovetail.lock").write_text(f'["audio/net@v2"]\nurl = "{published.as_uri()}"\nsha256 = "{before}"\n')
    assert weights.path("audio/net@v2") == kept, "the project's lock goes first"
    Path("dovetail.lock").write_text("[[")
    with pytest.raises(FormatError, match="mend it, or delete it to pin anew"):
        weights.path("audio/net@v2")


def test_a_pin_is_of_one_url_and_prefix(published, tmp_path):
    text = f'["audio/net@v2"]\nurl = "https://other.org/x"\nsha256 = "{"0" * 64}"\n'
    Path("dovetail.lock").write_text(text)
    weights.path("audio/net@v2")
    assert sha(published) in Path("dovetail.lock").read_text(), "pinned anew, in the project's lock"


def test_what_is_not_there_is_said(published, monkeypatch):
    with pytest.raises(ValueRangeError, match="it has no default weights, but audio/more@a, audio/more@b; expected one of these keys"):
        models.create("audio/more", weights="DEFAULT")
    with pytest.raises(UnknownNameError, match=r"weights.get\('audio/net@v3'\)"):
        models.create("audio/net", weights="v3")
    with pytest.raises(UnsupportedError, match="it has neither a file nor a url; its model brings it itself"):
        weights.path("audio/more@a")
    with pytest.raises(UnsupportedError, match="the manifest names no transform for it"):
        weights.transforms("audio/net@v2")
    published.unlink()
    with pytest.raises(DownloadError, match="cannot be read"):
        weights.path("audio/net@v2")


@pytest.mark.parametrize("path", ["/etc/passwd", "../x", "a/../../x", "a b", ""])
def test_files_outside_the_package_are_no_manifest(site, path):
    site.add("dovetail-audio", f'[weights."audio/x@v1"]\nmodel = "audio/x"\nfile = "{path}"\n')
    with pytest.raises(PluginError, match="expected the path of a file inside the package"):
        weights.get("audio/x@v1")


def test_the_command_line(published, tmp_path, run_cli):
    out = run_cli("weights", "list", "audio/net@*")
    assert "audio/net@v1" in out and "SHA-256, first 8 digits" in out and "no" in out.split()
    assert run_cli("weights", "list", "x*") == "No plugin that is installed brings such weights."
    assert "license MIT" in run_cli("weights", "info", "audio/net@v1")
    assert "UnknownNameError" not in run_cli("weights", "info", "audio/nope@v1", status=1)
    kept = run_cli("weights", "path", "audio/net@v2")
    assert Path(kept).is_file() and "/home/hub/checkpoints/audio/net@v2/" in kept
    row = json.loads(run_cli("weights", "info", "audio/net@v2", "--json"))
    assert row["there"] is True and row["pinned"] == sha(published) and row["path"] == kept
    assert "nothing to pin, its full SHA-256 is declared" in run_cli("weights", "pin", "audio/net@v1")
    assert "(written to dovetail.lock)" in run_cli("weights", "pin", "audio/net@v2")
    assert sha(published) in Path("dovetail.lock").read_text() and "pinned" in run_cli("weights", "list")
    assert [found["key"] for found in json.loads(run_cli("weights", "list", "*v1", "--json"))] == ["audio/net@v1"]


def test_hub_keeps_files_by_name(published, tmp_path, monkeypatch, capsys):
    named = published.with_name(f"net-{sha(published)[:8]}.safetensors")
    published.rename(named)
    state = hub.load_state_dict_from_url(named.as_uri(), progress=False, check_hash=True)
    kept = tmp_path / "home" / "hub" / "checkpoints" / named.name
    assert state["weight"].tolist() == [[2.0, 2.0]] and capsys.readouterr().out == f'Downloading: "{named.as_uri()}" to {kept}\n'
    before = named.read_bytes()
    named.write_bytes(b"changed")
    assert hub.load_state_dict_from_url(named.as_uri(), check_hash=True) and capsys.readouterr().out == ""
    kept.write_bytes(b"damaged")
    with pytest.raises(RuntimeError, match="is not the file expected: SHA-256 is"):
        hub.load_state_dict_from_url(named.as_uri(), check_hash=True)
    named.write_bytes(before)
    assert hub.load_state_dict_from_url(named.as_uri(), check_hash=True)
    hub.load_state_dict_from_url(named.as_uri(), model_dir=str(tmp_path / "mine"), file_name="w.safetensors", map_location="cpu")
    assert (tmp_path / "mine" / "w.safetensors").read_bytes() == before
    monkeypatch.setattr("dovetail.io.pins._dir", None)
    hub.set_dir(tmp_path / "chosen")
    assert hub.get_dir() == str(tmp_path / "chosen") and dv.utils.model_zoo.load_url(named.as_uri())
    assert (tmp_path / "chosen" / "checkpoints" / named.name).is_file()


def test_hub_runs_no_code():
    for call in (hub.load, hub.help):
        with pytest.raises(UnsupportedError, match="it would run hubconf.py of 'pytorch/vision'"):
            call("pytorch/vision", "resnet18", pretrained=True)
    with pytest.raises(NotImplementedError, match="hub.list"):
        hub.list("pytorch/vision")
