"""`dovetail embed`, `dovetail generate` and examples/semantic_search.py: what they say, write and refuse."""

from __future__ import annotations

import importlib.util
import json
import os

import numpy as np
import pytest
from click.testing import CliRunner

pytest.importorskip("tokenizers")

import dovetail as dv
from dovetail.cli.main import dovetail as program
from dovetail_text.charlm import char_gpt
from dovetail_text.models import GPT, GPTConfig, minilm
from dovetail_text.tokenizers import HFTokenizer, train_bpe
from tests.contracts.sources import ROOT

installed = pytest.mark.skipif(importlib.util.find_spec(minilm.MODULE) is None, reason=f"{minilm.PACKAGE} is not installed")


def run(*arguments):
    return CliRunner().invoke(program, list(map(str, arguments)))


@pytest.fixture
def folder(tmp_path):
    """A tiny GPT-2 with its tokenizer, as transformers writes them."""
    dv.manual_seed(0)
    tokenizer = train_bpe(["the statement of the statement is a statement"] * 3, 270)
    place = tmp_path / "tiny"
    GPT(GPTConfig(len(tokenizer), 32, 1, 2, 16)).save_pretrained(place)
    (place / "tokenizer.json").write_text(tokenizer.backend.to_str(), encoding="utf-8")
    return place


@installed
def test_embed_says_what_is_near(tmp_path):
    (tmp_path / "more.txt").write_text("\ufeffA loaf without kneading\n", encoding="utf-8")
    result = run("embed", "Baking bread the lazy way", "The train is late", "--file", tmp_path / "more.txt", "--json")
    rows = json.loads(result.output)
    assert [row["text"] for row in rows] == ["Baking bread the lazy way", "The train is late", "A loaf without kneading"]
    bread, train, loaf = (np.array(row["embedding"]) for row in rows)
    assert bread @ loaf > 0.4 > bread @ train and abs(bread @ bread - 1) < 1e-5
    shown = run("embed", "one", "two").output
    assert "384 numbers" in shown and "likeness" in shown and shown.count("1.00") == 2


@installed
def test_embed_writes_an_archive(tmp_path):
    result = run("embed", "one", "two", "--out", tmp_path / "v.npz")
    assert result.exit_code == 0 and "2 vectors of 384 numbers" in result.output
    assert dv.load(tmp_path / "v.npz")["embeddings"].shape == (2, 384)
    assert "ends in .npz" in run("embed", "one", "--out", tmp_path / "v.txt").output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["embed"], "there is no text"),
        (["embed", "a", "--model", "nothing/there"], "there is no such folder"),
        (["embed", "--file", "missing.txt"], "missing.txt"),
        (["embed", "--file", "latin.txt"], "latin.txt at byte 1: it is not UTF-8"),
        (["generate", "a", "--model", "text/nothing"], "text/nothing"),
        (["generate", "a", "--model", "text/lstm_lm"], "no default weights"),
        (["generate", "a", "--weights", "no.safetensors"], "there is no such file"),
        (["generate", "a", "--model", "tiny", "--weights", "v1"], "a folder has its own weights"),
        (["generate", "a", "--model", "empty"], "config.json"),
        (["generate", "a", "--model", "other"], "model_type 'vit'; expected one of"),
        (["generate", "", "--model", "tiny"], "the prompt is empty"),
        (["generate", "a", "--model", "tiny", "--top-p", "2"], "top_p is 2.0"),
        (["generate", "a", "--model", "tiny", "--temperature", "0"], "temperature is 0.0"),
    ],
)
def test_what_is_wrong_is_said(arguments, said, folder, monkeypatch):
    monkeypatch.chdir(folder.parent)
    (folder.parent / "latin.txt").write_bytes(b"\x61\xe4\n")
    for name, text in (("empty", None), ("other", '{"model_type": "vit"}')):
        (folder.parent / name).mkdir()
        if text:
            (folder.parent / name / "config.json").write_text(text)
    result = run(*arguments)
    assert result.exit_code == 1 and said in result.output and "Traceback" not in result.output, result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)


def test_generate_from_a_folder(folder):
    first, again = (run("generate", "the state", "--model", folder, "--max-new-tokens", 12, "--seed", 3) for _ in range(2))
    assert first.exit_code == 0, first.output
    assert first.output.startswith("the state") and first.output.endswith("\n") and first.output == again.output
    greedy = run("generate", "the state", "--model", folder, "--max-new-tokens", 12, "--greedy").output
    assert greedy == run("generate", "the state", "--model", folder, "--max-new-tokens", 12, "--greedy", "--seed", 9).output


def test_what_answers_is_not_given_the_prompt_again(folder):
    from dovetail_text.models import T5ForConditionalGeneration

    dv.manual_seed(1)
    sizes = {"d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 1, "num_heads": 2}
    tokenizer = HFTokenizer.from_folder(folder)
    model = T5ForConditionalGeneration(T5ForConditionalGeneration.config_class(vocab_size=len(tokenizer), **sizes)).eval()
    model.save_pretrained(folder)
    ids = model.generate(tokenizer.encode("the state").ids, 9, eos=model.config.eos_token_id).tolist()
    result = run("generate", "the state", "--model", folder, "--greedy", "--max-new-tokens", 9)
    assert result.exit_code == 0 and result.output == tokenizer.decode(ids[1:], skip_special_tokens=True) + "\n", result.output


def test_generate_with_a_file(tmp_path):
    dv.manual_seed(0)
    dv.save(char_gpt().state_dict(), tmp_path / "own.safetensors")
    result = run("generate", "if x:", "--weights", tmp_path / "own.safetensors", "--max-new-tokens", 5, "--seed", 0)
    assert result.exit_code == 0 and len(result.output) == 5 + 5 + 1, result.output
    result = run("generate", "日", "--weights", tmp_path / "own.safetensors")
    assert result.exit_code == 1 and "日" in result.output


@pytest.fixture(scope="module")
def searcher():
    spec = importlib.util.spec_from_file_location("semantic_search", ROOT / "examples" / "semantic_search.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_only_changed_files_are_embedded_again(searcher, tmp_path):
    seen = []

    def encode(texts):
        seen.extend(texts)
        return np.array([[text.count("a"), text.count("b"), 1] for text in texts], np.float32)

    folder = tmp_path / "notes"
    folder.mkdir()
    (folder / "a.txt").write_text("aaa\naa\n\n\nbb\n")
    (folder / "b.md").write_text("bbb")
    (folder / "empty.txt").write_text("\n")
    (folder / "c.bin").write_bytes(b"\0")
    pieces, vectors, changed = searcher.update(folder, encode)
    assert pieces == [("a.txt", 1, "aaa aa"), ("a.txt", 5, "bb"), ("b.md", 1, "bbb")] and changed == 3 and len(vectors) == 3
    assert searcher.update(folder, encode)[2] == 0 and len(seen) == 3
    (folder / "a.txt").write_text("ab")
    os.utime(folder / "a.txt", ns=(1, 1))
    pieces, vectors, changed = searcher.update(folder, encode)
    assert changed == 1 and seen[3:] == ["ab"] and vectors.tolist() == [[1, 1, 1], [0, 3, 1]]
    assert searcher.search("bbbb", pieces, vectors, encode, 1)[0][1][0] == "b.md"
    (folder / "b.md").unlink()
    assert [piece[0] for piece in searcher.update(folder, encode)[0]] == ["a.txt"]
    (tmp_path / "notes.index.npz").write_bytes(b"PK broken")
    assert searcher.update(folder, encode)[2] == 2


@installed
def test_search_by_meaning(searcher, tmp_path, capsys):
    (tmp_path / "shop.txt").write_text("Goods may be returned within 30 days for a full refund.\n\nWe are closed on Mondays.\n")
    (tmp_path / "bread.md").write_text("# Bread\n\nMix flour and water, and let the dough rest overnight.\n")
    assert searcher.main([str(tmp_path), "how do I get my money back", "--top", "1"]) == 0
    assert "shop.txt:1  Goods may be returned" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        searcher.main([str(tmp_path / "nowhere"), "x"])


def test_generate_by_default_reads_like_the_manual():
    result = run("generate", "The ", "--max-new-tokens", 60, "--seed", 0)
    assert result.exit_code == 0 and len(result.output) == 4 + 60 + 1, result.output
    letters = sum(char.islower() or char in ' \n"_' for char in result.output)
    assert letters > 0.8 * len(result.output) and result.output.count(" ") >= 5
