"""Whole steps of well-known models beside PyTorch eager, in the same program text: conv, batch norm and relu as separate calls.

Speed-up is PyTorch's time over ours, the framework's overhead included. Convolutions are measured twice: with Winograd's
transforms, and without them (exact). Run as ``python -m benchmarks.training [NAME …]``.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from typing import Any

from benchmarks.duel import duel
from benchmarks.overhead import Built, chain

__all__ = ["BARS", "CASES", "main"]


def _trained(torch: Any, model: Any, optimizer: Any, loss_of: Callable[[], Any]) -> Built:
    """A training step, and what is compared: the loss and the size of each parameter."""
    losses = []

    def step() -> None:
        optimizer.zero_grad()
        loss = loss_of()
        loss.backward()
        optimizer.step()
        losses[:] = [loss]

    return step, lambda: [losses[0].item(), *(p.norm().item() for p in model.parameters())]


def _inferred(torch: Any, model: Any, x: Any) -> Built:
    model.eval()
    out = []

    def step() -> None:
        with torch.no_grad():
            out[:] = [model(x)]

    return step, lambda: out[0].flatten()[:64].tolist()


def _resnet18(torch: Any) -> Any:
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

    layers, c = [nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64), nn.ReLU()], 64
    for o, stride in ((64, 1), (128, 2), (256, 2), (512, 2)):
        layers += [Block(c, o, stride), Block(o, o, 1)]
        c = o
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 10))


def resnet_training(torch: Any) -> Built:
    """ResNet-18, 16 images of 3×32×32, SGD with momentum."""
    model, x, y = _resnet18(torch), torch.randn(16, 3, 32, 32), torch.randint(0, 10, (16,))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    return _trained(torch, model, optimizer, lambda: torch.nn.functional.cross_entropy(model(x), y))


def resnet_inference(torch: Any) -> Built:
    """The same, forward in evaluation."""
    return _inferred(torch, _resnet18(torch), torch.randn(16, 3, 32, 32))


def _mnist(torch: Any, dropout: bool) -> Built:
    nn = torch.nn
    kept = nn.Dropout if dropout else (lambda p: nn.Identity())
    model = nn.Sequential(
        nn.Conv2d(1, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2), kept(0.25), nn.Flatten(),
        nn.Linear(9216, 128), nn.ReLU(), kept(0.5), nn.Linear(128, 10),
    )  # fmt: skip
    x, y = torch.randn(64, 1, 28, 28), torch.randint(0, 10, (64,))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    return _trained(torch, model, optimizer, lambda: nn.functional.cross_entropy(model(x), y))


def mnist(torch: Any) -> Built:
    """The small convolutional network of PyTorch's first example, 64 images, Adam."""
    return _mnist(torch, False)


def mnist_dropout(torch: Any) -> Built:
    """The same with its two dropouts, whose masks differ: the losses agree in size only."""
    step, result = _mnist(torch, True)
    return step, lambda: result()[1:]


def mlp(torch: Any) -> Built:
    """784-256-10, 64 rows, Adam."""
    nn = torch.nn
    model = nn.Sequential(nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 10))
    x, y = torch.randn(64, 784), torch.randint(0, 10, (64,))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    return _trained(torch, model, optimizer, lambda: nn.functional.cross_entropy(model(x), y))


def small_mlp(torch: Any) -> Built:
    """4-128-128-2, 128 rows, AdamW."""
    nn = torch.nn
    model = nn.Sequential(nn.Linear(4, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 2))
    x, y = torch.randn(128, 4), torch.randn(128, 2)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    return _trained(torch, model, optimizer, lambda: nn.functional.mse_loss(model(x), y))


def vae(torch: Any) -> Built:
    """A variational autoencoder 784-400-20, 128 rows, Adam (Kingma and Welling, 2013)."""
    nn, functional = torch.nn, torch.nn.functional

    class Vae(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inside, self.mean, self.spread = nn.Linear(784, 400), nn.Linear(400, 20), nn.Linear(400, 20)
            self.back, self.out = nn.Linear(20, 400), nn.Linear(400, 784)

        def forward(self, x: Any, noise: Any) -> Any:
            h = functional.relu(self.inside(x))
            mean, spread = self.mean(h), self.spread(h)
            z = mean + noise * torch.exp(0.5 * spread)
            again = torch.sigmoid(self.out(functional.relu(self.back(z))))
            likelihood = functional.binary_cross_entropy(again, x, reduction="sum")
            return likelihood - 0.5 * torch.sum(1 + spread - mean.pow(2) - spread.exp())

    model, x, noise = Vae(), torch.rand(128, 784), torch.randn(128, 20)
    return _trained(torch, model, torch.optim.Adam(model.parameters(), lr=1e-3), lambda: model(x, noise))


def _gpt(torch: Any) -> Any:
    """A decoder of 4 blocks of width 256 with 8 heads, for 65 tokens."""
    nn, functional = torch.nn, torch.nn.functional

    class Block(nn.Module):
        def __init__(self, width: int, heads: int) -> None:
            super().__init__()
            self.heads = heads
            self.ln1, self.qkv, self.proj = nn.LayerNorm(width), nn.Linear(width, 3 * width), nn.Linear(width, width)
            self.ln2, self.fc, self.back = nn.LayerNorm(width), nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

        def forward(self, x: Any) -> Any:
            b, t, c = x.shape
            q, k, v = (a.view(b, t, self.heads, c // self.heads).transpose(1, 2) for a in self.qkv(self.ln1(x)).split(c, dim=2))
            y = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
            x = x + self.proj(y.transpose(1, 2).contiguous().view(b, t, c))
            return x + self.back(functional.gelu(self.fc(self.ln2(x))))

    class Gpt(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.tokens, self.places = nn.Embedding(65, 256), nn.Embedding(128, 256)
            self.blocks, self.ln, self.head = nn.ModuleList([Block(256, 8) for _ in range(4)]), nn.LayerNorm(256), nn.Linear(256, 65)

        def forward(self, i: Any) -> Any:
            x = self.tokens(i) + self.places(torch.arange(i.shape[1]))
            for block in self.blocks:
                x = block(x)
            return self.head(self.ln(x))

    return Gpt()


def gpt_training(torch: Any) -> Built:
    """8 texts of 128 tokens, AdamW."""
    model, x, y = _gpt(torch), torch.randint(0, 65, (8, 128)), torch.randint(0, 65, (8, 128))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    return _trained(torch, model, optimizer, lambda: torch.nn.functional.cross_entropy(model(x).view(-1, 65), y.view(-1)))


def gpt_inference(torch: Any) -> Built:
    """The same, forward in evaluation."""
    return _inferred(torch, _gpt(torch), torch.randint(0, 65, (8, 128)))


def lstm(torch: Any) -> Built:
    """An LSTM 64→128 over 32 sequences of 50 steps, the last output classified, Adam."""
    nn = torch.nn

    class Classifier(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm, self.out = nn.LSTM(64, 128, batch_first=True), nn.Linear(128, 10)

        def forward(self, x: Any) -> Any:
            return self.out(self.lstm(x)[0][:, -1])

    model, x, y = Classifier(), torch.randn(32, 50, 64), torch.randint(0, 10, (32,))
    return _trained(torch, model, torch.optim.Adam(model.parameters(), lr=1e-3), lambda: nn.functional.cross_entropy(model(x), y))


CASES: dict[str, Callable[[Any], Built]] = {
    "ResNet-18 training": resnet_training, "ResNet-18 inference": resnet_inference, "MNIST CNN": mnist, "MNIST CNN, dropout": mnist_dropout,
    "MLP 784-256-10": mlp, "MLP 4-128-128-2": small_mlp, "VAE": vae, "GPT training": gpt_training, "GPT inference": gpt_inference,
    "LSTM": lstm, "chain 8x8": chain,
}  # fmt: skip
#: The least speed-up over PyTorch eager on a quiet machine.
BARS = {
    "ResNet-18 training": 1.3, "ResNet-18 inference": 1.5, "MNIST CNN": 1.8, "MLP 784-256-10": 2.0, "MLP 4-128-128-2": 2.5, "VAE": 1.5,
    "GPT training": 1.05, "GPT inference": 1.05, "LSTM": 1.2, "chain 8x8": 1.4,
}  # fmt: skip
_EXACT = {"ResNet-18 training": 0.95, "ResNet-18 inference": 0.95, "MNIST CNN": 0.95}  # without Winograd's transforms


def main(names: list[str]) -> int:
    """Print the table; exit code 1 when a bar is missed."""
    chosen = [case for case in CASES if not names or any(name.lower() in case.lower() for name in names)]
    print(f"{'case':34} {'ours us':>10} {'torch us':>10} {'speed-up':>8}   range        bar")
    missed, speeds = False, []
    for case in chosen:
        for winograd, bar in (("auto", BARS.get(case)), ("off", _EXACT.get(case))):
            if winograd == "off" and bar is None:
                continue
            loose = 0.1 if "dropout" in case else 2e-2 if "ResNet" in case else 2e-3
            r = duel("benchmarks.training", case, rounds=9, seconds=0.5, tolerance=loose, winograd=winograd)
            speed = 1 / r.ratio
            speeds += [speed] if winograd == "auto" and case in BARS else []
            missed |= bar is not None and speed < bar
            told = "" if bar is None else f"{bar} {'missed' if speed < bar else 'met'}"
            title = case if winograd == "auto" else f"{case}, exact"
            print(
                f"{title:34} {r.ours * 1e6:10.0f} {r.theirs * 1e6:10.0f} {speed:8.2f}   {1 / r.high:.2f}-{1 / r.low:.2f}    {told}",
                flush=True,
            )
    if len(speeds) > 1:
        print(f"geometric mean {math.exp(sum(map(math.log, speeds)) / len(speeds)):.2f} (bar 1.5)")
    return int(missed)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
