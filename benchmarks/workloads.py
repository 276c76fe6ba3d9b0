"""Whole steps of well-known models, in program text that ports by its imports: conv, batch norm and relu are separate calls.

A case is a function of the framework, of what compiles a function or module (nothing, for eager), and of its sizes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from benchmarks import networks

__all__ = ["CASES", "Built", "Case", "tolerance"]


@dataclass
class Built:
    """A step to repeat, what it computed last, and of what it was made."""

    step: Callable[[], None]
    result: Callable[[], list[float]]
    model: Any = None
    inputs: list[Any] = field(default_factory=list)


Case = Callable[..., Built]


def _as_it_is(function: Any) -> Any:
    return function


def _trained(model: Any, optimizer: Any, inputs: list[Any], loss_of: Callable[..., Any]) -> Built:
    """A training step, and what is compared: the loss and the size of each parameter."""
    losses = []

    def step() -> None:
        optimizer.zero_grad()
        loss = loss_of(*inputs)
        loss.backward()
        optimizer.step()
        losses[:] = [loss]

    return Built(step, lambda: [losses[0].item(), *(p.norm().item() for p in model.parameters())], model, inputs)


def _inferred(torch: Any, compiled: Any, model: Any, x: Any) -> Built:
    model.eval()
    forward, out = compiled(model), []

    def step() -> None:
        with torch.no_grad():
            out[:] = [forward(x)]

    return Built(step, lambda: out[0].flatten()[:64].tolist(), model, [x])


def resnet_training(torch: Any, compiled: Any = _as_it_is, *, batch: int = 16, width: int = 64, size: int = 32) -> Built:
    """ResNet-18, 16 images of 3×32×32, SGD with momentum."""
    model = networks.resnet18(torch, width)
    x, y = torch.randn(batch, 3, size, size), torch.randint(0, 10, (batch,))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    forward, loss = compiled(model), torch.nn.functional.cross_entropy
    return _trained(model, optimizer, [x, y], lambda x, y: loss(forward(x), y))


def resnet_inference(torch: Any, compiled: Any = _as_it_is, *, batch: int = 16, width: int = 64, size: int = 32) -> Built:
    """The same, forward in evaluation."""
    return _inferred(torch, compiled, networks.resnet18(torch, width), torch.randn(batch, 3, size, size))


def mnist(torch: Any, compiled: Any = _as_it_is, *, batch: int = 64, width: int = 32, dropout: bool = False) -> Built:
    """The small convolutional network of PyTorch's first example, 64 images, Adam."""
    model = networks.mnist_cnn(torch, width, dropout)
    x, y = torch.randn(batch, 1, 28, 28), torch.randint(0, 10, (batch,))
    forward, loss = compiled(model), torch.nn.functional.cross_entropy
    return _trained(model, torch.optim.Adam(model.parameters(), lr=1e-3), [x, y], lambda x, y: loss(forward(x), y))


def mnist_dropout(torch: Any, compiled: Any = _as_it_is, **sizes: int) -> Built:
    """The same with its two dropouts, whose masks differ: the losses agree in size only."""
    built = mnist(torch, compiled, dropout=True, **sizes)
    with_loss = built.result
    built.result = lambda: with_loss()[1:]
    return built


def mlp(torch: Any, compiled: Any = _as_it_is, *, batch: int = 64, width: int = 256) -> Built:
    """784-256-10, 64 rows, Adam."""
    model = networks.perceptron(torch, 784, width, 10)
    x, y = torch.randn(batch, 784), torch.randint(0, 10, (batch,))
    forward, loss = compiled(model), torch.nn.functional.cross_entropy
    return _trained(model, torch.optim.Adam(model.parameters(), lr=1e-3), [x, y], lambda x, y: loss(forward(x), y))


def small_mlp(torch: Any, compiled: Any = _as_it_is, *, batch: int = 128, width: int = 128) -> Built:
    """4-128-128-2, 128 rows, AdamW."""
    model = networks.perceptron(torch, 4, width, width, 2)
    x, y = torch.randn(batch, 4), torch.randn(batch, 2)
    forward, loss = compiled(model), torch.nn.functional.mse_loss
    return _trained(model, torch.optim.AdamW(model.parameters(), lr=1e-3), [x, y], lambda x, y: loss(forward(x), y))


def vae(torch: Any, compiled: Any = _as_it_is, *, batch: int = 128, width: int = 400) -> Built:
    """A variational autoencoder 784-400-20, 128 rows, Adam."""
    model, x, noise = networks.vae(torch, width), torch.rand(batch, 784), torch.randn(batch, 20)
    return _trained(model, torch.optim.Adam(model.parameters(), lr=1e-3), [x, noise], compiled(model))


def _texts(torch: Any, batch: int, length: int) -> Any:
    return torch.randint(0, 65, (batch, length))


def gpt_training(
    torch: Any, compiled: Any = _as_it_is, *, batch: int = 8, length: int = 128, width: int = 256, blocks: int = 4, heads: int = 8
) -> Built:
    """8 texts of 128 tokens, 4 blocks of width 256 with 8 heads, AdamW."""
    model = networks.gpt(torch, width, length, blocks, heads)
    x, y = _texts(torch, batch, length), _texts(torch, batch, length)
    forward, loss = compiled(model), torch.nn.functional.cross_entropy
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    return _trained(model, optimizer, [x, y], lambda x, y: loss(forward(x).view(-1, 65), y.view(-1)))


def gpt_inference(
    torch: Any, compiled: Any = _as_it_is, *, batch: int = 8, length: int = 128, width: int = 256, blocks: int = 4, heads: int = 8
) -> Built:
    """The same, forward in evaluation."""
    return _inferred(torch, compiled, networks.gpt(torch, width, length, blocks, heads), _texts(torch, batch, length))


def lstm(torch: Any, compiled: Any = _as_it_is, *, batch: int = 32, length: int = 50, width: int = 128) -> Built:
    """An LSTM 64→128 over 32 sequences of 50 steps, the last output classified, Adam."""
    model = networks.classifier(torch, 64, width)
    x, y = torch.randn(batch, length, 64), torch.randint(0, 10, (batch,))
    forward, loss = compiled(model), torch.nn.functional.cross_entropy
    return _trained(model, torch.optim.Adam(model.parameters(), lr=1e-3), [x, y], lambda x, y: loss(forward(x), y))


def chain(torch: Any, compiled: Any = _as_it_is, *, times: int = 100, size: int = 8) -> Built:
    """100 × (mul, add, tanh) on 8×8 with gradient, forward and backward."""
    a, b = torch.randn(size, size, requires_grad=True), torch.randn(size, size)

    def chained(a: Any, b: Any) -> Any:
        x = a
        for _ in range(times):
            x = torch.tanh(x * b + a)
        return x.sum()

    forward = compiled(chained)

    def step() -> None:
        a.grad = None
        forward(a, b).backward()

    return Built(step, lambda: a.grad.flatten().tolist(), None, [a, b])


def chain_forward(torch: Any, compiled: Any = _as_it_is, *, times: int = 100, size: int = 8) -> Built:
    """The same without gradient."""
    a, b, out = torch.randn(size, size), torch.randn(size, size), []

    def chained(a: Any, b: Any) -> Any:
        x = a
        for _ in range(times):
            x = torch.tanh(x * b + a)
        return x

    forward = compiled(chained)

    def step() -> None:
        with torch.no_grad():
            out[:] = [forward(a, b)]

    return Built(step, lambda: out[0].flatten().tolist(), None, [a, b])


CASES: dict[str, Case] = {
    "ResNet-18 training": resnet_training, "ResNet-18 inference": resnet_inference, "MNIST CNN": mnist, "MNIST CNN, dropout": mnist_dropout,
    "MLP 784-256-10": mlp, "MLP 4-128-128-2": small_mlp, "VAE": vae, "GPT training": gpt_training, "GPT inference": gpt_inference,
    "LSTM": lstm, "chain 8x8": chain, "chain 8x8, forward": chain_forward,
}  # fmt: skip


def tolerance(case: str) -> float:
    """How far, relative to its size, a number of this case may be from PyTorch's after one step.

    Adam divides a gradient by its own size, so where a gradient is nearly nothing its rounding decides a whole step.
    """
    return 0.1 if "dropout" in case else 2e-2 if "ResNet" in case else 2e-3
