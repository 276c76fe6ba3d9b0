"""Tiny sets in files of other packages' formats: LMDB, HDF5, NumPy."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image

from .make import pixels

__all__ = ["lsun", "moving_mnist", "pcam"]


def lsun(folder: Path) -> None:
    """Two bridges and a tower."""
    import lmdb

    for number, (name, count) in enumerate((("bridge_train", 2), ("tower_train", 1))):
        with lmdb.open(str(folder / f"{name}_lmdb"), map_size=1 << 20) as env, env.begin(write=True) as change:
            for i in range(count):
                out = io.BytesIO()
                Image.fromarray(pixels(10 * number + i, 6, 8, 3)).save(out, "WEBP", lossless=True)
                change.put(f"{i:040x}".encode(), out.getvalue())


def moving_mnist(folder: Path) -> None:
    """Two videos of twenty frames."""
    (folder / "MovingMNIST").mkdir()
    np.save(folder / "MovingMNIST" / "mnist_test_seq.npy", pixels(0, 20, 2, 64, 64))


def pcam(folder: Path) -> None:
    """Three patches in each part."""
    import h5py

    (folder / "pcam").mkdir()
    for number, part in enumerate(("train", "valid", "test")):
        with h5py.File(folder / "pcam" / f"camelyonpatch_level_2_split_{part}_x.h5", "w") as file:
            file["x"] = pixels(number, 3, 96, 96, 3)
        with h5py.File(folder / "pcam" / f"camelyonpatch_level_2_split_{part}_y.h5", "w") as file:
            file["y"] = np.array([0, 0, 1], np.uint8).reshape(3, 1, 1, 1)
