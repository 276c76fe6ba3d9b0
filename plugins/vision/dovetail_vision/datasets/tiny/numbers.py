"""Tiny sets of images that lie in arrays: MATLAB files, binary files, tables."""

from __future__ import annotations

import bz2
from pathlib import Path

import numpy as np

from .make import pixels, text

__all__ = ["semeion", "stl10", "svhn", "usps"]


def svhn(folder: Path) -> None:
    """Four digits to train on, two to test on."""
    from scipy.io import savemat

    for name, labels in (("train", [1, 2, 10, 4]), ("test", [10, 3])):
        found = {"X": pixels(len(labels), 32, 32, 3, len(labels)), "y": np.array(labels, np.uint8)[:, None]}
        savemat(folder / f"{name}_32x32.mat", found, do_compression=True)


def stl10(folder: Path) -> None:
    """Three images to train on, two to test on, one without a label."""
    base = folder / "stl10_binary"
    base.mkdir()
    for name, labels in (("train", [1, 2, 10]), ("test", [3, 4]), ("unlabeled", [0])):
        (base / f"{name}_X.bin").write_bytes(pixels(len(labels), len(labels), 3, 96, 96).tobytes())
        if name != "unlabeled":
            (base / f"{name}_y.bin").write_bytes(bytes(labels))
    text(base / "class_names.txt", *"airplane bird car cat deer dog horse monkey ship truck".split())
    text(base / "fold_indices.txt", "0 2 ", "1 2 ", *["0 "] * 8)


def usps(folder: Path) -> None:
    """Three digits to train on, two to test on."""
    for name, labels in (("usps.bz2", (1, 2, 3)), ("usps.t.bz2", (10, 1))):
        values = pixels(len(labels), len(labels), 256) / 127.5 - 1
        rows = (f"{label} " + " ".join(f"{i}:{v:.6g}" for i, v in enumerate(row, 1)) for label, row in zip(labels, values, strict=True))
        (folder / name).write_bytes(bz2.compress("".join(f"{row} \n" for row in rows).encode()))


def semeion(folder: Path) -> None:
    """Three digits."""
    marks = np.eye(10, dtype=np.uint8)[:3]
    rows = np.concatenate([pixels(3, 3, 256, most=2), marks], 1)
    text(folder / "semeion.data", *(" ".join([f"{v:.4f}" for v in row[:256]] + [str(v) for v in row[256:]]) + " " for row in rows))
