"""How vision/shapes_detector@v1 was made: a ResNet that knows shapes, then one pass over 8,000 pictures of vision/shapes, each seen once.

That takes about five minutes on 2 cores, one of them for the ResNet (shapes_backbone.py), unless a file that holds it is named.

pip install dovetail dovetail-vision
python plugins/vision/recipes/shapes_detector.py shapes_detector.safetensors [shapes_backbone.safetensors]
"""

from __future__ import annotations

import time
from typing import Any

import shapes_backbone

import dovetail as dv
from dovetail import Tensor
from dovetail.optim.lr_scheduler import OneCycleLR
from dovetail.utils.data import DataLoader
from dovetail_vision.datasets import Shapes
from dovetail_vision.metrics import evaluate
from dovetail_vision.models.shapes import shapes_detector
from dovetail_vision.transforms import functional as TF

PICTURES, BATCH, RATE, DECAY = 8_000, 8, 2e-3, 1e-2


def pair(image: Any, target: dict[str, Any]) -> tuple[Tensor, dict[str, Tensor]]:
    """An image in 0..1, and the boxes and labels that the model learns from."""
    return TF.convert_image_dtype(TF.pil_to_tensor(image), dv.float32), {name: target[name] + 0 for name in ("boxes", "labels")}


def main(path: str, backbone: str = "") -> None:
    """Train, print COCO's figures on the 500 pictures held out, and save."""
    dv.manual_seed(0)
    dv.set_num_threads(1)
    model = shapes_detector()
    model.backbone.body.load_state_dict(dv.load(backbone) if backbone else shapes_backbone.trained())
    optimizer = dv.optim.AdamW(model.parameters(), lr=RATE, weight_decay=DECAY)
    schedule = OneCycleLR(optimizer, RATE, total_steps=PICTURES // BATCH, pct_start=0.15)
    loader = DataLoader(Shapes(size=PICTURES, transforms=pair), BATCH, num_workers=1, drop_last=True, collate_fn=list)
    begin, total = time.perf_counter(), 0.0
    for step, samples in enumerate(loader, 1):  # every picture is another: nothing to shuffle
        images, targets = zip(*samples, strict=True)
        loss = sum(model(list(images), list(targets)).values())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        total += loss.item()
        if step % 250 == 0:
            print(f"{step * BATCH:6} pictures  loss {total / 250:.4f}  {time.perf_counter() - begin:5.0f} s", flush=True)
            total = 0.0
    found = evaluate(model, Shapes(split="test"))
    print("held out: " + "  ".join(f"{name} {value:.4f}" for name, value in found.items()))
    dv.save(model.state_dict(), path)
    print(f"{path}: {sum(p.numel() for p in model.parameters()):,} parameters, {time.perf_counter() - begin:.0f} s")


if __name__ == "__main__":
    from _arguments import arguments  # its neighbour, where this is run as a program

    main(*arguments(__doc__, read="backbone"))
