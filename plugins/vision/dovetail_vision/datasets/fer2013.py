"""FER2013: facial expressions from tables of pixels."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from PIL import Image

from dovetail import from_numpy

from ._files import intact, parsed, read_csv
from .vision import Change, Root, VisionDataset, one_of

__all__ = ["FER2013"]

_HOW = (
    "You can download it from https://www.kaggle.com/c/challenges-in-representation-learning-facial-expression-recognition-challenge, "
    "which asks for an account"
)


class FER2013(VisionDataset):
    """35,887 grey faces of 48 × 48 with seven expressions: 28,709 to train on, 7,178 to test on.

    A sample is ``(image, label)``: a PIL image of mode "L" and an int, None to test on where only ``test.csv`` is there. The files lie
    in ``root/fer2013``: ``fer2013.csv``, or ``icml_face_data.csv``, or ``train.csv`` and ``test.csv``; ``verify=False`` takes ones with
    another MD5.

    Source: I. Goodfellow et al., Challenges in Representation Learning, 2013, https://arxiv.org/abs/1307.0414.

    >>> from dovetail_vision.datasets import tiny
    >>> with tiny.made(tiny.fer2013) as root:
    ...     [label for _, label in FER2013(root, verify=False)]
    [3, 0]
    """

    _RESOURCES: ClassVar[dict[str, tuple[str, str]]] = {
        "train": ("train.csv", "3f0dfb3d3fd99c811a1299cb947e3131"),
        "test": ("test.csv", "b02c2298636a634e8c2faabbf3ea9a23"),
        "fer": ("fer2013.csv", "f8428a1edbd21e88f42c73edd2a14f95"),
        "icml": ("icml_face_data.csv", "b114b9e04e6949e5fe8b6a98b3892b1d"),
    }

    def __init__(
        self, root: Root, split: str = "train", transform: Change = None, target_transform: Change = None, *, verify: bool = True
    ) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self._split = one_of(self, "split", split, ("train", "test"))
        base = Path(self.root) / "fer2013"
        kind = next((kind for kind in ("fer", "icml") if (base / self._RESOURCES[kind][0]).exists()), split)
        name, md5 = self._RESOURCES[kind]
        path = intact(base / name, md5 if verify else None, _HOW)
        with parsed(path, "a table with emotion, pixels (48 × 48 numbers from 0 to 255) and, of both parts, Usage"):
            rows = [{key.strip(): value for key, value in row.items()} for row in read_csv(path, _HOW)]
            if kind in ("fer", "icml"):
                wanted = ("Training",) if split == "train" else ("PublicTest", "PrivateTest")
                rows = [row for row in rows if row["Usage"] in wanted]
            self._samples = [(self._pixels(row["pixels"]), None if kind == "test" else int(row["emotion"])) for row in rows]

    @staticmethod
    def _pixels(text: str) -> Any:
        values = np.array(text.split(), np.int64)
        if values.min() < 0 or values.max() > 255:
            raise ValueError(f"pixels from {values.min()} to {values.max()}")
        return from_numpy(values.astype(np.uint8).reshape(48, 48))

    def __getitem__(self, idx: int) -> tuple[Any, Any]:
        pixels, label = self._samples[idx]
        return self._each(Image.fromarray(pixels.numpy()), label)

    def __len__(self) -> int:
        return len(self._samples)

    def extra_repr(self) -> str:
        """The line that names the split."""
        return f"split={self._split}"
