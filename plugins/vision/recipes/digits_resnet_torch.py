"""How vision/digits_resnet@torch was made: PyTorch 2.13 trains a small ResNet on the digits, prints its score and saves its state dict.

pip install torch==2.13.0 dovetail-vision        # which has the digits
python plugins/vision/recipes/digits_resnet_torch.py digits_resnet_torch.pth
"""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

EPOCHS, BATCH, RATE, MEAN, STD = 12, 64, 5e-3, 0.3, 0.38


class BasicBlock(nn.Module):
    """torchvision's: two 3 × 3 convolutions beside the way straight on."""

    def __init__(self, inplanes: int, planes: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inplanes, planes, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(planes, planes, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.downsample = None
        if stride != 1 or inplanes != planes:
            self.downsample = nn.Sequential(nn.Conv2d(inplanes, planes, 1, stride, bias=False), nn.BatchNorm2d(planes))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        identity = x if self.downsample is None else self.downsample(x)
        out = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        return self.relu(out + identity)


class DigitsResNet(nn.Module):
    """Three stages of one block each, for images of 8 × 8."""

    def __init__(self, num_classes: int = 10, width: int = 16) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, width, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.layer1 = nn.Sequential(BasicBlock(width, width))
        self.layer2 = nn.Sequential(BasicBlock(width, 2 * width, 2))
        self.layer3 = nn.Sequential(BasicBlock(2 * width, 4 * width, 2))
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(4 * width, num_classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.fc(torch.flatten(self.avgpool(x), 1))


def digits(split: str) -> tuple[torch.Tensor, torch.Tensor]:
    """The scans (N, 1, 8, 8) as the network sees them, and their labels."""
    from dovetail_vision.datasets import Digits

    data = Digits(split=split)
    images = torch.from_numpy(data.data.numpy().astype(np.float32) / 255)
    return ((images - MEAN) / STD).unsqueeze(1), torch.from_numpy(data.targets.numpy())


def main(path: str) -> None:
    """Train on the scans as they are, and save."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    (images, labels), (held_out, answers) = digits("train"), digits("test")
    model = DigitsResNet()
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS * (len(labels) // BATCH))
    for epoch in range(EPOCHS):
        model.train()
        for rows in torch.randperm(len(labels)).split(BATCH):
            if len(rows) < BATCH:
                continue
            loss = F.cross_entropy(model(images[rows]), labels[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        model.eval()
        with torch.no_grad():
            right = int((model(held_out).argmax(1) == answers).sum())
        print(f"epoch {epoch + 1:2}  loss {loss.item():.4f}  held out {right}/{len(answers)}  {right / len(answers):.4f}")
    torch.save(model.state_dict(), path)
    print(f"{path}: {sum(p.numel() for p in model.parameters()):,} parameters")


if __name__ == "__main__":
    from _arguments import arguments  # its neighbour, where this is run as a program

    main(*arguments(__doc__))
