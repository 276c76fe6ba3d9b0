"""Tokenizers from tiktoken's and sentencepiece's files: the numbers that those packages give, and hostile files."""

from __future__ import annotations

import base64
import random
from pathlib import Path

import pytest

from dovetail.errors import FormatError
from dovetail_text.data import functional
from dovetail_text.datasets import PyDoc
from dovetail_text.tokenizers import from_ranks, from_sentencepiece, train_bpe, train_unigram
from dovetail_text.tokenizers.ranks import PATTERNS, read_ranks
from dovetail_text.transforms import SentencePieceTokenizer
from dovetail_text.transforms.bpe import bytes_to_unicode

ODD = ["", "  x", "Hello  world ", "naïve café 你好 🙂", "ＡＢＣ①", "It's 1234567 I'LL\r\n\n  x", "a\tb"]


@pytest.fixture(scope="module")
def lines() -> list[str]:
    return [line.strip() for line in PyDoc(split="train").text.splitlines() if line.strip()][:2500]


@pytest.fixture(scope="module")
def ranks(lines: list[str]) -> dict[bytes, int]:
    byte = {letter: b for b, letter in bytes_to_unicode().items()}
    vocab = train_bpe(lines, 600, special_tokens=[]).get_vocab()
    return {bytes(byte[letter] for letter in token): rank for token, rank in vocab.items()}


@pytest.mark.parametrize("pattern", PATTERNS)
def test_ranks_give_what_tiktoken_gives(ranks: dict[bytes, int], lines: list[str], pattern: str, tmp_path: Path) -> None:
    tiktoken = pytest.importorskip("tiktoken")
    reference = tiktoken.Encoding("x", pat_str=PATTERNS[pattern], mergeable_ranks=ranks, special_tokens={"<|end|>": 900})
    file = tmp_path / "x.tiktoken"
    file.write_bytes(b"\n".join(base64.b64encode(token) + b" %d" % rank for token, rank in ranks.items()))
    assert read_ranks(file) == ranks
    ours = from_ranks(file, pattern, {"<|end|>": 900})
    for text in [*lines[:300], *ODD, "a<|end|>b"]:
        ids = reference.encode(text, allowed_special="all")
        assert ours.encode(text).ids == ids, text
        assert ours.decode(ids) == reference.decode(ids)


@pytest.mark.parametrize("kind", ["unigram", "bpe"])
@pytest.mark.parametrize("fallback", [False, True])
def test_pieces_give_what_sentencepiece_gives(lines: list[str], kind: str, fallback: bool, tmp_path: Path) -> None:
    spm = pytest.importorskip("sentencepiece")
    spm.SentencePieceTrainer.train(
        sentence_iterator=iter(lines), model_prefix=str(tmp_path / "m"), vocab_size=700, model_type=kind, byte_fallback=fallback,
        character_coverage=0.995, user_defined_symbols=["<extra>"], minloglevel=2,
    )  # fmt: skip
    reference, ours = spm.SentencePieceProcessor(model_file=str(tmp_path / "m.model")), from_sentencepiece(tmp_path / "m.model")
    for text in [*lines[:300], *ODD]:
        if "====" in text or "----" in text:  # runs that fall into pieces of one score in several ways
            continue
        ids = reference.encode(text)
        assert ours.encode(text).ids == ids, text
        if 0 not in ids:
            assert ours.decode(ids) == reference.decode(ids)


@pytest.mark.parametrize("kind", ["unigram", "bpe"])
def test_torchtexts_sentencepiece(lines: list[str], kind: str, tmp_path: Path) -> None:
    spm = pytest.importorskip("sentencepiece")
    (tmp_path / "lines.txt").write_text("\n".join(lines), encoding="utf-8")
    functional.generate_sp_model(tmp_path / "lines.txt", vocab_size=600, model_type=kind, model_prefix=str(tmp_path / "m"))
    path = str(tmp_path / "m.model")
    reference, pieces = spm.SentencePieceProcessor(model_file=path), SentencePieceTokenizer(path)
    with open(path, "rb") as file:
        model = functional.load_sp_model(file)
    texts = [text for text in [*lines[:100], *ODD, "好 好好x"] if "====" not in text and "----" not in text]
    assert pieces(texts) == [pieces(text) for text in texts] == [reference.EncodeAsPieces(text) for text in texts]
    assert list(functional.sentencepiece_tokenizer(model)(texts)) == pieces(texts)
    ids = list(functional.sentencepiece_numericalizer(model)(iter(texts)))
    assert ids == [reference.EncodeAsIds(text) for text in texts]
    known = [(text, row) for text, row in zip(texts, ids, strict=True) if 0 not in row]
    assert [model.DecodeIds(row) for _, row in known] == [reference.DecodeIds(row) for _, row in known]
    assert model.DecodePieces(pieces(lines[0])) == reference.DecodePieces(pieces(lines[0]))
    assert (model.GetPieceSize(), model.unk_id(), model.PieceToId("no piece")) == (600, 0, 0) and model.IdToPiece(0) == "<unk>"
    with pytest.raises(IndexError, match="IdToPiece: there is no piece 600; expected 0 to 599"):
        model.IdToPiece(600)
    with pytest.raises(TypeError, match="SentencePieceTokenizer: Input type not supported: int"):
        pieces(3)
    with pytest.raises(ValueError, match="generate_sp_model: .*ocabulary size"):
        functional.generate_sp_model(tmp_path / "lines.txt", vocab_size=10**6, model_type=kind, model_prefix=str(tmp_path / "n"))
    (tmp_path / "broken.model").write_text("no model")
    with pytest.raises(FormatError, match=r"broken.model .*is it a sentencepiece model\?"):
        SentencePieceTokenizer(tmp_path / "broken.model")


def test_unigram_is_learned(lines: list[str]) -> None:
    tokenizer = train_unigram(lines[:600], 300)
    text = lines[3]
    assert tokenizer.decode(tokenizer.encode(text).ids) == text and len(tokenizer.encode(text).ids) < len(text)
    assert tokenizer.unk_token == "<unk>"
    with pytest.raises(ValueError, match="special_tokens lacks '<unk>'"):
        train_unigram(lines, 300, special_tokens=["<pad>"])


@pytest.mark.parametrize(
    "text, match",
    [
        ("YQ== 1 2\n", "line 1 is"), ("!!!! 1\n", "line 1 is"), ("YQ== x\n", "line 1 is"), ("YQ== 1\nYg== 1\n", "a rank is there twice"),
        ("YQ== 1\n", "255 of the 256 single bytes have no rank"), ("YQ== -1\n", "or negative"),
    ],
)  # fmt: skip
def test_broken_rank_files(text: str, match: str, tmp_path: Path) -> None:
    file = tmp_path / "x.tiktoken"
    file.write_text(text)
    with pytest.raises(FormatError, match=match):
        from_ranks(file)


def test_hostile_sentencepiece_files(tmp_path: Path) -> None:
    spm = pytest.importorskip("sentencepiece")
    spm.SentencePieceTrainer.train(
        sentence_iterator=iter(["it fits well"] * 50),
        model_prefix=str(tmp_path / "m"),
        vocab_size=20,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    good, rng, file = (tmp_path / "m.model").read_bytes(), random.Random(0), tmp_path / "x.model"
    refused = 0
    for _ in range(300):
        data = bytearray(good)
        for _ in range(rng.randint(1, 4)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        file.write_bytes(bytes(data[: rng.randint(0, len(data))]) if rng.random() < 0.3 else bytes(data))
        try:
            from_sentencepiece(file).encode("it fits")
        except (FormatError, NotImplementedError, ValueError):
            refused += 1
    assert refused > 50
