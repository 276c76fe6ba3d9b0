"""Tiny sets of faces, of pictures with captions, and of patches."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from .make import photo, pixels, text

__all__ = ["fer2013", "fer2013_apart", "flickr", "lfw", "phototour", "sbu"]


def _faces(folder: Path, name: str, head: str, *rows: tuple[str, ...]) -> None:
    numbers = (" ".join(map(str, pixels(i, 48 * 48))) for i in range(len(rows)))
    text(folder / "fer2013" / name, head, *(",".join(row).replace("PIXELS", face) for row, face in zip(rows, numbers, strict=True)))


def fer2013(folder: Path) -> None:
    """Two faces to train on and two to test on, in one table."""
    rows = (("3", "PIXELS", "Training"), ("0", "PIXELS", "Training"), ("6", "PIXELS", "PublicTest"), ("2", "PIXELS", "PrivateTest"))
    _faces(folder, "fer2013.csv", "emotion,pixels,Usage", *rows)


def fer2013_apart(folder: Path) -> None:
    """The same in a table for each part."""
    _faces(folder, "train.csv", "emotion,pixels", ("3", "PIXELS"), ("0", "PIXELS"))
    _faces(folder, "test.csv", "pixels", ("PIXELS",))


def flickr(folder: Path) -> None:
    """Two photographs with two captions each, in both formats."""
    for number, name in enumerate(("17_a.jpg", "23_b.jpg")):
        photo(folder / name, number)
    rows = (("17", ("a cat", "a cat sits")), ("99", ()), ("23", ("a dog", "a dog runs")))
    page = "".join(
        (f"<tr><td><a href='x'>http://www.flickr.com/photos/me/{n}/</a></td>" if captions else "<tr><td>Image Not Found</td>")
        + f"<td><ul>{''.join(f'<li>{caption} </li>' for caption in captions)}</ul></td></tr>\n"
        for n, captions in rows
    )
    text(folder / "captions.html", f"<html><head><title>17</title></head><body><table border=1>\n{page}</table></body></html>")
    files = {"17": "17_a.jpg", "23": "23_b.jpg"}
    text(folder / "captions.token", *(f"{files[n]}#{i}\t{caption}" for n, captions in rows for i, caption in enumerate(captions)))


def lfw(folder: Path) -> None:
    """Two people with three photographs, as lists of people and of pairs."""
    base = folder / "lfw-py"
    for number, (name, i) in enumerate((("Ann", 1), ("Bo_Li", 1), ("Bo_Li", 2))):
        photo(base / "lfw_funneled" / name / f"{name}_{i:04d}.jpg", number)
    text(base / "lfw-names.txt", "Ann\t1", "Bo_Li\t2")
    text(base / "peopleDevTrain.txt", "2", "Ann\t1", "Bo_Li\t2")
    text(base / "people.txt", "2", "1", "Bo_Li\t2", "1", "Ann\t1")
    text(base / "pairsDevTrain.txt", "1", "Bo_Li\t1\t2", "Ann\t1\tBo_Li\t2")
    text(base / "pairs.txt", "2\t1", *["Bo_Li\t1\t2", "Ann\t1\tBo_Li\t2"] * 2)


def phototour(folder: Path) -> None:
    """Two bitmaps of four patches each, and two pairs."""
    base = folder / "liberty"
    base.mkdir()
    for i in range(2):
        Image.fromarray(pixels(i, 128, 128)).save(base / f"patches000{i}.bmp")
    text(base / "info.txt", *(f"{i // 2} 0" for i in range(8)))
    text(base / "m50_100000_100000_0.txt", "0 0 0 1 0 0 0", "2 1 0 7 3 0 0")


def sbu(folder: Path) -> None:
    """Three addresses, two of whose photographs are there; an empty archive stands for the published one."""
    base = folder / "dataset"
    for number, name in enumerate(("1_a.jpg", "2_b.jpg")):
        photo(base / name, number)
    (folder / "SBUCaptionedPhotoDataset.tar.gz").write_bytes(np.zeros(1, np.uint8).tobytes())
    text(base / "SBU_captioned_photo_dataset_urls.txt", *(f"http://127.0.0.1/static/{name}" for name in ("1_a.jpg", "gone.jpg", "2_b.jpg")))
    text(base / "SBU_captioned_photo_dataset_captions.txt", "a cat", "gone", "a dog runs")
