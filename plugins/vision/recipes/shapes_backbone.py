"""What the ResNet of the small models learns first: to name single shapes, as the large ones learn from ImageNet; about a minute.

pip install dovetail dovetail-vision
python plugins/vision/recipes/shapes_backbone.py shapes_backbone.safetensors
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
from dovetail_vision.models.shapes import TinyResNet
from dovetail_vision.transforms import functional as TF

PICTURES, SIDE, EPOCHS, BATCH, RATE, DECAY = 5_000, 48, 4, 64, 4e-3, 1e-2


def windows(image: Any, target: dict[str, Any]) -> tuple[Tensor, Tensor]:
    """A square around the middle of each shape (N, 3, SIDE, SIDE), uint8, and the number of each shape's class from 0."""
    pixels, (x1, y1, x2, y2) = TF.pil_to_tensor(image), target["boxes"].unbind(1)
    corners = [((a + b) / 2 - SIDE / 2).round().clamp(0, pixels.shape[1] - SIDE).long().tolist() for a, b in ((y1, y2), (x1, x2))]
    return dv.stack([pixels[:, y : y + SIDE, x : x + SIDE] for y, x in zip(*corners, strict=True)]), target["labels"] - 1


def turned(images: Tensor, quarter: int, mirrored: bool) -> Tensor:
    """A batch turned and mirrored, which changes no shape's name."""
    images = dv.rot90(images, quarter, (2, 3))
    return images.flip(3) if mirrored else images


def trained(pictures: int = PICTURES) -> dict[str, Tensor]:
    """The state dict of a `TinyResNet` that tells the five shapes apart."""
    dv.manual_seed(0)
    dv.set_num_threads(1)
    begin = time.perf_counter()
    loader = DataLoader(Shapes(size=pictures, seed=1, transforms=windows), 50, num_workers=1, collate_fn=list)
    images, labels = (dv.cat(parts) for parts in zip(*(sample for batch in loader for sample in batch), strict=True))
    last = len(labels) - len(labels) // 10  # a tenth is held out
    body = TinyResNet(16)
    model = nn.Sequential(body, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(128, 5))
    optimizer = dv.optim.AdamW(model.parameters(), lr=RATE, weight_decay=DECAY)
    schedule = OneCycleLR(optimizer, RATE, total_steps=EPOCHS * (last // BATCH), pct_start=0.15)
    print(f"{len(labels)} shapes, {time.perf_counter() - begin:.0f} s", flush=True)
    for epoch in range(1, EPOCHS + 1):
        model.train()
        for number, at in enumerate(dv.randperm(last).split(BATCH)):
            if len(at) < BATCH:
                continue
            loss = F.cross_entropy(model((turned(images[at], number % 4, number % 8 > 3).float() / 255 - 0.5) / 0.25), labels[at])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        model.eval()
        with dv.no_grad():
            answers = [model((few.float() / 255 - 0.5) / 0.25).argmax(1) for few in images[last:].split(200)]
        share = float((dv.cat(answers) == labels[last:]).float().mean())
        print(f"epoch {epoch}  loss {loss.item():.4f}  held out {share:.4f}  {time.perf_counter() - begin:.0f} s", flush=True)
    return body.state_dict()


if __name__ == "__main__":
    from _arguments import arguments  # its neighbour, where this is run as a program

    path, *numbers = arguments(__doc__, "pictures")
    dv.save(trained(*numbers), path)
