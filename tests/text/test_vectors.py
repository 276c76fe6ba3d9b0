"""Word vectors: files as torchtext reads them, fetched and unpacked, and what is refused."""

from __future__ import annotations

import gzip
import zipfile
from pathlib import Path

import pytest

import dovetail as dv
from dovetail.errors import FormatError
from dovetail_text import vocab
from dovetail_text.vectors import GloVe, Vectors, pretrained_aliases

TEXT = "3 2\nit 0.5 1\nfits 2 3\nit 9 9\nWell -1 1e-3\n"


def test_a_file(tmp_path: Path) -> None:
    (tmp_path / "v.vec").write_bytes(TEXT.encode() + b"\xff\xfe 1 2\n")
    vectors = vocab.Vectors("v.vec", cache=tmp_path, unk_init=lambda t: t.fill_(7))
    assert vectors.itos == ["it", "fits", "Well"] and len(vectors) == 3 and vectors.dim == 2 and "it" in vectors and "no" not in vectors
    assert vectors["it"].tolist() == [0.5, 1] and vectors["no"].tolist() == [7, 7] and vectors.vectors.dtype is dv.float32
    assert vectors.get_vecs_by_tokens(["FITS", "Well"], lower_case_backup=True).tolist() == [[2, 3], [-1, pytest.approx(1e-3)]]
    assert vectors.get_vecs_by_tokens("fits").shape == (2,)
    assert len(Vectors(tmp_path / "v.vec", max_vectors=2)) == 2
    layer = dv.nn.Embedding.from_pretrained(vectors.vectors)
    assert layer(dv.tensor([1])).tolist() == [[2, 3]]


@pytest.mark.parametrize("kind", ["zip", "gz"])
def test_it_is_fetched_and_unpacked_once(kind: str, tmp_path: Path) -> None:
    source = tmp_path / f"source.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(source, "w") as file:
            file.writestr("deep/v.txt", TEXT)
    else:
        source.write_bytes(gzip.compress(TEXT.encode()))
    cache = tmp_path / "cache"
    for _ in range(2):
        assert Vectors("v.txt", cache=cache, url=source.as_uri()).itos == ["it", "fits", "Well"]
        source.unlink(missing_ok=True)


def test_glove_is_found_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "glove.6B.50d.txt").write_text("it " + " ".join(["1"] * 50))
    assert GloVe("6B", 50, cache=tmp_path)["it"].sum() == 50
    assert pretrained_aliases["glove.6B.50d"](cache=tmp_path).dim == 50


@pytest.mark.parametrize(
    "text, error, match",
    [
        ("it 1 2\nfits 1\n", RuntimeError, "Vector for token fits has 1 dimensions, but previously read vectors have 2 dimensions"),
        ("it 1 2\nfits\n", FormatError, "line 2 has a word and no numbers"), ("it 1 x\n", FormatError, "where numbers were expected"),
        ("", FormatError, "it holds no vectors"),
    ],
)  # fmt: skip
def test_broken_files(text: str, error: type[Exception], match: str, tmp_path: Path) -> None:
    (tmp_path / "v.txt").write_text(text)
    with pytest.raises(error, match=match):
        Vectors(tmp_path / "v.txt")


def test_what_is_not_there_says_where_it_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no vectors found at .*nothing\.txt"):
        Vectors("nothing.txt", cache=tmp_path)
