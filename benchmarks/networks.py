"""The networks that are measured, written once for every framework with PyTorch's face: `torch` is the module that serves."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

__all__ = ["classifier", "gpt", "mnist_cnn", "perceptron", "resnet18", "vae"]


def perceptron(torch: Any, *widths: int) -> Any:
    """Linear layers with ReLU between them."""
    nn, layers = torch.nn, []
    for i, o in pairwise(widths):
        layers += [nn.Linear(i, o), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def mnist_cnn(torch: Any, width: int, dropout: bool) -> Any:
    """The small convolutional network of PyTorch's first example."""
    nn = torch.nn
    kept = nn.Dropout if dropout else (lambda p: nn.Identity())
    return nn.Sequential(
        nn.Conv2d(1, width, 3), nn.ReLU(), nn.Conv2d(width, 2 * width, 3), nn.ReLU(), nn.MaxPool2d(2), kept(0.25), nn.Flatten(),
        nn.Linear(288 * width, 128), nn.ReLU(), kept(0.5), nn.Linear(128, 10),
    )  # fmt: skip


def resnet18(torch: Any, width: int) -> Any:
    """ResNet-18 for 32×32 images: a 3×3 stem without pooling (He et al., 2015, section 4.2's form of it)."""
    nn, functional = torch.nn, torch.nn.functional

    class Block(nn.Module):
        def __init__(self, c: int, o: int, stride: int) -> None:
            super().__init__()
            self.conv1, self.bn1 = nn.Conv2d(c, o, 3, stride, 1, bias=False), nn.BatchNorm2d(o)
            self.conv2, self.bn2 = nn.Conv2d(o, o, 3, 1, 1, bias=False), nn.BatchNorm2d(o)
            self.shortcut = nn.Sequential()
            if stride != 1 or c != o:
                self.shortcut = nn.Sequential(nn.Conv2d(c, o, 1, stride, bias=False), nn.BatchNorm2d(o))

        def forward(self, x: Any) -> Any:
            out = functional.relu(self.bn1(self.conv1(x)))
            return functional.relu(self.bn2(self.conv2(out)) + self.shortcut(x))

    layers, c = [nn.Conv2d(3, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()], width
    for o, stride in ((width, 1), (2 * width, 2), (4 * width, 2), (8 * width, 2)):
        layers += [Block(c, o, stride), Block(o, o, 1)]
        c = o
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(c, 10))


def vae(torch: Any, width: int) -> Any:
    """A variational autoencoder 784-width-20 whose forward is its loss (Kingma and Welling, 2013)."""
    nn, functional = torch.nn, torch.nn.functional

    class Vae(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inside, self.mean, self.spread = nn.Linear(784, width), nn.Linear(width, 20), nn.Linear(width, 20)
            self.back, self.out = nn.Linear(20, width), nn.Linear(width, 784)

        def forward(self, x: Any, noise: Any) -> Any:
            h = functional.relu(self.inside(x))
            mean, spread = self.mean(h), self.spread(h)
            z = mean + noise * torch.exp(0.5 * spread)
            again = torch.sigmoid(self.out(functional.relu(self.back(z))))
            likelihood = functional.binary_cross_entropy(again, x, reduction="sum")
            return likelihood - 0.5 * torch.sum(1 + spread - mean.pow(2) - spread.exp())

    return Vae()


def gpt(torch: Any, width: int, length: int, blocks: int, heads: int) -> Any:
    """A decoder for 65 tokens."""
    nn, functional = torch.nn, torch.nn.functional

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.ln1, self.qkv, self.proj = nn.LayerNorm(width), nn.Linear(width, 3 * width), nn.Linear(width, width)
            self.ln2, self.fc, self.back = nn.LayerNorm(width), nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

        def forward(self, x: Any) -> Any:
            b, t, c = x.shape
            q, k, v = (a.view(b, t, heads, c // heads).transpose(1, 2) for a in self.qkv(self.ln1(x)).split(c, dim=2))
            y = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
            x = x + self.proj(y.transpose(1, 2).contiguous().view(b, t, c))
            return x + self.back(functional.gelu(self.fc(self.ln2(x))))

    class Gpt(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.tokens, self.places = nn.Embedding(65, width), nn.Embedding(length, width)
            self.blocks, self.ln = nn.ModuleList([Block() for _ in range(blocks)]), nn.LayerNorm(width)
            self.head = nn.Linear(width, 65)

        def forward(self, i: Any) -> Any:
            x = self.tokens(i) + self.places(torch.arange(i.shape[1]))
            for block in self.blocks:
                x = block(x)
            return self.head(self.ln(x))

    return Gpt()


def classifier(torch: Any, features: int, width: int) -> Any:
    """An LSTM whose last output is classified."""
    nn = torch.nn

    class Classifier(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm, self.out = nn.LSTM(features, width, batch_first=True), nn.Linear(width, 10)

        def forward(self, x: Any) -> Any:
            return self.out(self.lstm(x)[0][:, -1])

    return Classifier()
