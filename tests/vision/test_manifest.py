"""dovetail.toml says what the code has, and importing the package imports nothing heavy."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

import dovetail_vision
from dovetail_vision import transforms
from dovetail_vision.datasets import _fetch, digits

FOLDER = Path(dovetail_vision.__file__).parent
MANIFEST = tomllib.loads((FOLDER / "dovetail.toml").read_text(encoding="utf-8"))
ENTRIES = [(k, key) for k, rows in MANIFEST.items() if k not in ("api", "hooks", "formats", "weights") for key in rows]


@pytest.mark.parametrize("kind, key", ENTRIES)
def test_targets_resolve(kind, key):
    entry = MANIFEST[kind][key]
    module, _, name = entry["target"].partition(":")
    assert callable(getattr(import_module(module), name))
    assert (kind == "commands" or key.startswith("vision/")) and entry["summary"]


@pytest.mark.parametrize("module", [transforms, transforms.v2])
def test_every_transform_is_listed(module):
    names = {name for name in module.__all__ if isinstance(getattr(module, name), type)} - {
        "AutoAugmentPolicy",
        "InterpolationMode",
        "Transform",
    }
    targets = [entry["target"].split(":") for entry in MANIFEST["transforms"].values()]
    listed = {name for path, name in targets if getattr(import_module(path), name) is getattr(module, name, None)}
    assert listed == names


def test_what_is_said_of_the_digits_is_so():
    entry = MANIFEST["datasets"]["vision/digits"]
    assert entry["sha256"] == digits._SHA256
    assert entry["bytes"] == (FOLDER / "datasets/data/digits.csv.gz").stat().st_size
    assert entry["sizes"] == {name: len(digits.Digits(split=name)) for name in entry["splits"]}
    note = (FOLDER / "datasets/data/DATA.md").read_text(encoding="utf-8")
    assert all(text in note for text in (entry["sha256"], "10.24432/C50P49", "CC BY 4.0", "Alpaydin", "Kaynak"))


@pytest.mark.parametrize("name", ["digits_cnn", "digits_resnet"])
def test_what_is_said_of_the_model_is_so(name):
    entry = MANIFEST["models"][f"vision/{name}"]
    model = getattr(import_module(entry["target"].partition(":")[0]), name)()
    assert sum(value.numel() for value in model.parameters()) == entry["params"]


def test_what_is_said_of_the_weights_is_so():
    row = MANIFEST["weights"]["vision/digits_resnet@torch"]
    data = (FOLDER / row["file"]).read_bytes()
    assert (hashlib.sha256(data).hexdigest(), len(data)) == (row["sha256"], row["bytes"]) and len(data) < 400_000
    note = (FOLDER / "weights/WEIGHTS.md").read_text(encoding="utf-8")
    assert all(text in note for text in (row["sha256"], "CC BY 4.0", "10.24432/C50P49", "recipes/digits_resnet_torch.py", "445 of the 451"))


def test_the_package_imports_nothing_until_asked():
    code = (
        "import sys, dovetail_vision\n"
        "assert not {'PIL', 'numpy', 'dovetail'} & set(sys.modules), sorted(sys.modules)\n"
        "assert 'models' in dir(dovetail_vision)\n"
    )
    path = f"import sys; sys.path[:0] = {[str(FOLDER.parent)]!r}\n"
    subprocess.run([sys.executable, "-c", path + code], check=True)


def test_unknown_names_are_attribute_errors():
    with pytest.raises(AttributeError, match="module 'dovetail_vision' has no attribute 'nets'"):
        dovetail_vision.nets


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist", "cifar10", "cifar100"])
def test_what_is_downloaded_has_a_full_hash(name):
    row = MANIFEST["datasets"][f"vision/{name}"]
    module, _, kind = row["target"].partition(":")
    dataset = getattr(import_module(module), kind)
    pins = [_fetch.PINNED[md5] for md5 in ([dataset.tgz_md5] if "url" in row else [md5 for _, md5 in dataset.resources])]
    assert all(len(sha256) == 64 for sha256, _ in pins) and sum(size for _, size in pins) == row["bytes"]
    assert "url" not in row or (row["url"], row["md5"], row["sha256"]) == (dataset.url, dataset.tgz_md5, pins[0][0])
