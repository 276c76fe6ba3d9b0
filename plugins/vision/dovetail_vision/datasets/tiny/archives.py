"""Tiny archives as their publishers pack them."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import numpy as np
from PIL import Image

from .make import pixels

__all__ = ["imagenet"]


def _jpeg(seed: int) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels(seed, 6, 8, 3)).save(out, "JPEG")
    return out.getvalue()


def _tar(files: dict[str, bytes], mode: str = "w") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as tar:  # type: ignore[call-overload]
        for name, data in files.items():
            about = tarfile.TarInfo(name)
            about.size = len(data)
            tar.addfile(about, io.BytesIO(data))
    return out.getvalue()


def imagenet(folder: Path) -> None:
    """The three archives of ImageNet: two classes with three images to train on and three to validate."""
    from scipy.io import savemat

    kind = [(name, object) for name in ("ILSVRC2012_ID", "WNID", "words", "gloss", "num_children", "children", "wordnet_height")]
    rows = [
        (1, "n01440764", "tench, Tinca tinca", "a fish", 0, np.zeros((1, 0)), 0),
        (2, "n01443537", "goldfish", "small", 0, np.zeros((1, 0)), 0),
        (1001, "n01439121", "cyprinid", "a kind of fish", 2, np.array([[1, 2]]), 1),
    ]
    synsets = np.empty((len(rows), 1), kind)
    for i, row in enumerate(rows):
        synsets[i, 0] = row
    meta = io.BytesIO()
    savemat(meta, {"synsets": synsets})
    base = "ILSVRC2012_devkit_t12/data/"
    kit = {f"{base}meta.mat": meta.getvalue(), f"{base}ILSVRC2012_validation_ground_truth.txt": b"1\n2\n1\n"}
    (folder / "ILSVRC2012_devkit_t12.tar.gz").write_bytes(_tar(kit, "w:gz"))
    train = {"n01440764": 2, "n01443537": 1}
    inner = {f"{wnid}.tar": _tar({f"{wnid}_{i}.JPEG": _jpeg(i) for i in range(count)}) for wnid, count in train.items()}
    (folder / "ILSVRC2012_img_train.tar").write_bytes(_tar(inner))
    (folder / "ILSVRC2012_img_val.tar").write_bytes(_tar({f"ILSVRC2012_val_0000000{i}.JPEG": _jpeg(5 + i) for i in (1, 2, 3)}))
