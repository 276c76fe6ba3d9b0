"""Trained word vectors, under the names of torchtext: GloVe, FastText, character n-grams, and any file in their format."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

import dovetail
from dovetail import Tensor
from dovetail.errors import FormatError, ShapeError
from dovetail.io.archive import extract
from dovetail.io.download import download

__all__ = ["CharNGram", "FastText", "GloVe", "Vectors", "pretrained_aliases"]

_STANFORD = "http://nlp.stanford.edu/data"
_CHAR = "http://www.logos.t.u-tokyo.ac.jp/~hassy/publications/arxiv2016jmt/jmt_pre-trained_embeddings.tar.gz"


class Vectors:
    """Vectors of words from a text file: a word and its numbers on each line, after a line with their counts where there is one.

    ``name`` is a path, or the name of a file in the folder ``cache``, which is fetched from ``url`` (an archive is unpacked) where it is
    not there. ``max_vectors`` reads only the first ones. A word that is not in the file gets ``unk_init`` of a vector of zeros, by
    default the zeros. Raises a RuntimeError for a line with another count of numbers, a FormatError for one with none.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "v.txt").write_text("it 0.5 1\\nfits 2 3\\n")
    ...     vectors = Vectors(f"{folder}/v.txt")
    >>> vectors["fits"], vectors.get_vecs_by_tokens(["it", "well"]), vectors.dim
    (tensor([2., 3.]), tensor([[0.5000, 1.0000],
            [0.0000, 0.0000]]), 2)
    """

    def __init__(
        self, name: str | os.PathLike[str], cache: str | os.PathLike[str] | None = None, url: str | None = None,
        unk_init: Callable[[Tensor], Tensor] | None = None, max_vectors: int | None = None,
    ) -> None:  # fmt: skip
        self.unk_init = unk_init or Tensor.zero_
        self.cache = Path(".vector_cache" if cache is None else cache)
        self.itos, self.vectors = _read(self._file(Path(name), url), max_vectors)
        self.stoi = {word: i for i, word in enumerate(self.itos)}
        self.dim = self.vectors.shape[1]

    def _file(self, name: Path, url: str | None) -> Path:
        """The file itself, fetched and unpacked where it must be."""
        path = name if name.is_file() else self.cache / name
        if path.is_file():
            return path
        if url is None:
            raise FileNotFoundError(f"Vectors: no vectors found at {path}; expected a file there, or a url to fetch it from")
        archive = self.cache / url.rpartition("/")[2]
        if not archive.is_file():
            download(url, archive)
        if archive == path:
            return path
        if archive.suffix == ".gz" and ".tar" not in archive.name:
            return extract(archive, path)
        unpacked = extract(archive, self.cache / f"{archive.name}.unpacked")
        found = next((file for file in sorted(unpacked.rglob(path.name)) if file.is_file()), None)
        if found is None:
            raise FormatError(archive, None, f"it holds no {path.name}")
        return found

    def __getitem__(self, token: str) -> Tensor:
        at = self.stoi.get(token)
        return self.vectors[at] if at is not None else self.unk_init(dovetail.zeros(self.dim))

    def __contains__(self, token: str) -> bool:
        return token in self.stoi

    def __len__(self) -> int:
        return len(self.vectors)

    def get_vecs_by_tokens(self, tokens: str | list[str], lower_case_backup: bool = False) -> Tensor:
        """The vectors of words (N, dim), or of one (dim,); ``lower_case_backup`` looks a word that is not there up in lower case."""
        words = tokens if isinstance(tokens, list) else [tokens]
        found = dovetail.stack([self[w if not lower_case_backup or w in self.stoi else w.lower()] for w in words])
        return found if isinstance(tokens, list) else found[0]


def _lines(path: Path) -> Iterator[tuple[int, bytes, bytes]]:
    """The number of each line, its word and the rest; a first line of two numbers is left out."""
    with open(path, "rb") as file:
        for number, line in enumerate(file, 1):
            word, _, rest = line.rstrip().partition(b" ")
            if number == 1 and len(rest.split()) == 1:
                continue
            yield number, word, rest


def _read(path: Path, most: int | None) -> tuple[list[str], Tensor]:
    words: dict[str, int] = {}
    rows: list[Any] = []
    dim = 0
    for number, word, rest in _lines(path):
        if most is not None and len(rows) >= most:
            break
        try:
            text = word.decode("utf-8")
        except UnicodeDecodeError:
            continue  # as torchtext does
        if not rest.strip():
            raise FormatError(path, None, f"line {number} has a word and no numbers")
        try:
            row = np.array(rest.split(), dtype=np.float32)
        except ValueError:
            raise FormatError(path, None, f"line {number} has {rest[:30]!r} where numbers were expected") from None
        dim = dim or len(row)
        if len(row) != dim:
            what = f"Vector for token {text} has {len(row)} dimensions, but previously read vectors have {dim} dimensions"
            raise ShapeError("Vectors", f"{what}. All vectors must have the same number of dimensions (line {number} of {path})")
        if text not in words:
            words[text] = len(rows)
            rows.append(row)
    if not rows:
        raise FormatError(path, None, "it holds no vectors")
    return list(words), dovetail.from_numpy(np.stack(rows))


class GloVe(Vectors):
    """GloVe: ``name`` is "840B" or "42B" (300 numbers), "twitter.27B" (25, 50, 100, 200) or "6B" (50, 100, 200, 300).

    Source: Pennington et al. 2014, https://nlp.stanford.edu/projects/glove/.
    """

    url = {
        "42B": f"{_STANFORD}/glove.42B.300d.zip", "840B": f"{_STANFORD}/glove.840B.300d.zip",
        "twitter.27B": f"{_STANFORD}/glove.twitter.27B.zip", "6B": f"{_STANFORD}/glove.6B.zip",
    }  # fmt: skip

    def __init__(self, name: str = "840B", dim: int = 300, **kwargs: Any) -> None:
        super().__init__(f"glove.{name}.{dim}d.txt", url=self.url[name], **kwargs)


class FastText(Vectors):
    """Vectors of Wikipedia in a language. Source: Bojanowski et al. 2016, https://fasttext.cc."""

    url_base = "https://dl.fbaipublicfiles.com/fasttext/vectors-wiki/wiki.{}.vec"

    def __init__(self, language: str = "en", **kwargs: Any) -> None:
        url = self.url_base.format(language)
        super().__init__(url.rpartition("/")[2], url=url, **kwargs)


class CharNGram(Vectors):
    """Means of vectors of character n-grams. Source: Hashimoto et al. 2016, https://arxiv.org/abs/1611.01587."""

    name, url = "charNgram.txt", _CHAR

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(self.name, url=self.url, **kwargs)

    def __getitem__(self, token: str) -> Tensor:
        """The mean of the n-grams of a word, of one to four characters, each once; the shape is (1, dim), as torchtext's is."""
        letters = ["#BEGIN#", *token, "#END#"] if token != "<unk>" else []
        grams = {f"{n}gram-{''.join(letters[i : i + n])}": None for n in (2, 3, 4) for i in range(len(letters) - n + 1)}
        found = [self.vectors[self.stoi[gram]] for gram in grams if gram in self.stoi]
        return dovetail.stack(found).mean(0)[None] if found else self.unk_init(dovetail.zeros(self.dim))[None]


def _alias(kind: type[Vectors], **settings: Any) -> Callable[..., Vectors]:
    return lambda **kwargs: kind(**settings, **kwargs)  # type: ignore[call-arg]


#: Vectors by the names that torchtext gives them.
pretrained_aliases: dict[str, Callable[..., Vectors]] = {
    "charngram.100d": _alias(CharNGram), "fasttext.en.300d": _alias(FastText, language="en"),
    "fasttext.simple.300d": _alias(FastText, language="simple"),
    **{f"glove.{name}.300d": _alias(GloVe, name=name, dim=300) for name in ("42B", "840B")},
    **{f"glove.twitter.27B.{dim}d": _alias(GloVe, name="twitter.27B", dim=dim) for dim in (25, 50, 100, 200)},
    **{f"glove.6B.{dim}d": _alias(GloVe, name="6B", dim=dim) for dim in (50, 100, 200, 300)},
}  # fmt: skip
