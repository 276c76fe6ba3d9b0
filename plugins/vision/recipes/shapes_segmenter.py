"""How vision/shapes_segmenter@v1 was made: one pass over 20,000 pictures of vision/shapes, each seen once, about eight minutes on 2 cores.

pip install dovetail dovetail-vision
python plugins/vision/recipes/shapes_segmenter.py shapes_segmenter.safetensors
"""

from __future__ import annotations

import sys
import time
from typing import Any

import dovetail as dv
from dovetail import Tensor
from dovetail.nn import functional as F
from dovetail.optim.lr_scheduler import OneCycleLR
from dovetail.utils.data import DataLoader
from dovetail_vision.datasets import Shapes
from dovetail_vision.metrics import evaluate
from dovetail_vision.models.shapes import shapes_segmenter
from dovetail_vision.transforms import functional as TF

PICTURES, BATCH, RATE, DECAY = 20_000, 8, 4e-3, 1e-2
MEAN, STD = [0.5, 0.5, 0.5], [0.25, 0.25, 0.25]


def prepared(image: Any) -> Tensor:
    """What ``weights.transforms()`` makes of an image of 96 × 96."""
    return TF.normalize(TF.convert_image_dtype(TF.pil_to_tensor(image), dv.float32), MEAN, STD)


def pair(image: Any, classes: Any) -> tuple[Tensor, Tensor]:
    """An image and the classes of its pixels, as tensors."""
    return prepared(image), classes.long()


def main(path: str, pictures: int = PICTURES) -> None:
    """Train, print the score on the 500 pictures held out, and save."""
    dv.manual_seed(0)
    dv.set_num_threads(1)
    model = shapes_segmenter()
    optimizer = dv.optim.AdamW(model.parameters(), lr=RATE, weight_decay=DECAY)
    schedule = OneCycleLR(optimizer, RATE, total_steps=pictures // BATCH, pct_start=0.15)
    drawn = Shapes(size=pictures, target_type="semantic", transforms=pair)
    begin, total = time.perf_counter(), 0.0
    loader = DataLoader(drawn, BATCH, num_workers=1, drop_last=True)  # every picture is another: nothing to shuffle
    for step, (images, classes) in enumerate(loader, 1):
        loss = F.cross_entropy(model(images)["out"], classes)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        total += loss.item()
        if step % 500 == 0:
            print(f"{step * BATCH:6} pictures  loss {total / 500:.4f}  {time.perf_counter() - begin:5.0f} s", flush=True)
            total = 0.0
    found = evaluate(model, Shapes(split="test", target_type="semantic"), transform=prepared, num_classes=6)
    print(
        f"held out: mIoU {found['miou']:.4f}, pixels {found['pixel_accuracy']:.4f}, each class {[round(one, 4) for one in found['ious']]}"
    )
    dv.save(model.state_dict(), path)
    print(f"{path}: {sum(p.numel() for p in model.parameters()):,} parameters, {time.perf_counter() - begin:.0f} s")


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
