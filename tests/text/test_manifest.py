"""dovetail.toml says what the code has, and importing the package imports nothing heavy."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import dovetail as dv
import dovetail_text
from dovetail_text import tokenizers, transforms
from tests.support.figures import note

FOLDER = Path(dovetail_text.__file__).parent
MANIFEST = tomllib.loads((FOLDER / "dovetail.toml").read_text(encoding="utf-8"))


def test_every_row_is_registered_and_all_public_things_have_a_row():
    assert set(MANIFEST["tokenizers"]) <= set(dv.plugins.tokenizers) and set(MANIFEST["transforms"]) <= set(dv.plugins.transforms)
    loaded = {dv.plugins.tokenizers.load(key) for key in MANIFEST["tokenizers"]}
    assert loaded == {tokenizers.BasicEnglish, tokenizers.Char, tokenizers.HFTokenizer, tokenizers.Word}
    assert {dv.plugins.transforms.load(key).__name__ for key in MANIFEST["transforms"]} == set(transforms.__all__)
    for kind in ("tokenizers", "transforms", "datasets", "collates"):
        assert all(row["summary"] for row in MANIFEST[kind].values())


def test_datasets_say_whose_they_are():
    for key, row in MANIFEST["datasets"].items():
        assert row["license"] and row["citation"] and row["splits"] and set(row["sizes"]) == set(row["splits"]), key
        own = "offline" in row["tags"] or row["target"].startswith(("dovetail_text.datasets.torchtext:", "dovetail_text.datasets.iwslt:"))
        assert ("hf" in row) == ("hub" in row["tags"]) and (own or row["target"] == "dovetail_text.datasets.hub:hf")


def test_the_namespace_is_the_package():
    assert dv.text is dovetail_text and dv.text.tokenizers is tokenizers


def test_the_package_imports_nothing_until_asked():
    code = f"import sys; sys.path[:0] = {[str(FOLDER.parent)]!r}\nimport dovetail_text\n"
    code += "assert not {'numpy', 'dovetail'} & set(sys.modules)\nassert 'tokenizers' in dir(dovetail_text)\n"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_unknown_names_are_attribute_errors():
    with pytest.raises(AttributeError, match="module 'dovetail_text' has no attribute 'nets'"):
        dovetail_text.nets


def test_the_import_takes_less_than_a_tenth_of_a_second_over_the_core():
    code = "import sys, time, dovetail\nbegun = time.process_time()\nimport dovetail_text\nbare = time.process_time() - begun\n"
    code += "import dovetail.nn, dovetail.utils.data, dovetail.datasets, dovetail.models, dovetail.io\nbegun = time.process_time()\n"
    code += "[getattr(dovetail_text, name) for name in dovetail_text.__all__]\nparts = bare + time.process_time() - begun\n"
    code += "heavy = {'tokenizers', 'datasets', 'sacrebleu', 'sentencepiece', 'huggingface_hub', 'pandas', 'pyarrow'} & set(sys.modules)\n"
    code += "assert not heavy, heavy\nprint(bare, parts)"
    runs = [subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split() for _ in range(3)]
    bare, parts = (min(float(run[place]) for run in runs) * 1000 for place in (0, 1))
    note("text", "import of dovetail_text over the core, best of 3, ms of processor time", round(bare, 1), "100")
    note("text", "the same with all of its parts imported", round(parts, 1), "(for information)")
    assert bare < 100
