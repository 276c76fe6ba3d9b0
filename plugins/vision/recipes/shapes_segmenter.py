"""How vision/shapes_segmenter@v1 was made: 28,000 pictures of vision/shapes in two passes, each seen once, about five minutes on 2 cores.

pip install dovetail dovetail-vision
python plugins/vision/recipes/shapes_segmenter.py shapes_segmenter.safetensors
"""

from __future__ import annotations

import time
from typing import Any

import dovetail as dv
from dovetail import Tensor, nn
from dovetail.nn import functional as F
from dovetail.optim.lr_scheduler import OneCycleLR
from dovetail.utils.data import DataLoader
from dovetail_vision.datasets import Shapes
from dovetail_vision.metrics import evaluate
from dovetail_vision.models.shapes import shapes_segmenter
from dovetail_vision.transforms import functional as TF

BATCH, DECAY = 8, 1e-2
MEAN, STD = [0.5, 0.5, 0.5], [0.25, 0.25, 0.25]


def prepared(image: Any) -> Tensor:
    """What ``weights.transforms()`` makes of an image of 96 × 96."""
    return TF.normalize(TF.convert_image_dtype(TF.pil_to_tensor(image), dv.float32), MEAN, STD)


def pair(image: Any, classes: Any) -> tuple[Tensor, Tensor]:
    """An image and the classes of its pixels, as tensors."""
    return prepared(image), classes.long()


def learn(model: nn.Module, seed: int, pictures: int, rate: float) -> None:
    """One pass over pictures of this seed, each seen once, up to this rate and down again."""
    optimizer = dv.optim.AdamW(model.parameters(), lr=rate, weight_decay=DECAY)
    schedule = OneCycleLR(optimizer, rate, total_steps=pictures // BATCH, pct_start=0.15)
    drawn = Shapes(size=pictures, target_type="semantic", transforms=pair, seed=seed)
    begin, total = time.perf_counter(), 0.0
    for step, (images, classes) in enumerate(DataLoader(drawn, BATCH, num_workers=1, drop_last=True), 1):
        loss = F.cross_entropy(model(images)["out"], classes)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        total += loss.item()
        if step % 500 == 0:
            print(f"{step * BATCH:6} pictures  loss {total / 500:.4f}  {time.perf_counter() - begin:5.0f} s", flush=True)
            total = 0.0


def main(path: str) -> None:
    """Train, print the score on the 500 pictures held out, and save."""
    dv.set_num_threads(1)
    dv.manual_seed(0)
    model = shapes_segmenter()
    learn(model, 0, 20_000, 4e-3)
    dv.manual_seed(2)  # so that the second pass can be made alone
    learn(model, 2, 8_000, 2e-3)
    found = evaluate(model, Shapes(split="test", target_type="semantic"), transform=prepared, num_classes=6)
    print(
        f"held out: mIoU {found['miou']:.4f}, pixels {found['pixel_accuracy']:.4f}, each class {[round(one, 4) for one in found['ious']]}"
    )
    dv.save(model.state_dict(), path)


if __name__ == "__main__":
    from _arguments import arguments  # its neighbour, where this is run as a program

    main(*arguments(__doc__))
