"""Python overhead on small tensors, beside PyTorch: what an op, its recording and its backward cost.

Bars: the chain at or under 0.9 of PyTorch's time, the MLP step at or under 0.5.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.duel import duel

__all__ = ["BARS", "CASES", "main"]

Built = tuple[Callable[[], None], Callable[[], list[float]]]


def chain(torch: Any) -> Built:
    """100 × (mul, add, tanh) on 8×8 with gradient, forward and backward."""
    a = torch.randn(8, 8, requires_grad=True)
    b = torch.randn(8, 8)

    def step() -> None:
        a.grad = None
        x = a
        for _ in range(100):
            x = torch.tanh(x * b + a)
        x.sum().backward()

    return step, lambda: a.grad.flatten().tolist()


def chain_forward(torch: Any) -> Built:
    """The same without gradient."""
    a, b = torch.randn(8, 8), torch.randn(8, 8)
    out = []

    def step() -> None:
        x = a
        with torch.no_grad():
            for _ in range(100):
                x = torch.tanh(x * b + a)
        out[:] = [x]

    return step, lambda: out[0].flatten().tolist()


def mlp(torch: Any) -> Built:
    """One training step of a 4-128-128-2 MLP with AdamW on 128 rows."""
    nn = torch.nn
    model = nn.Sequential(nn.Linear(4, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 2))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    x, y = torch.randn(128, 4), torch.randn(128, 2)
    losses = []

    def step() -> None:
        loss = nn.functional.mse_loss(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses[:] = [loss]

    return step, lambda: [losses[0].item(), *(p.sum().item() for p in model.parameters())]


CASES: dict[str, Callable[[Any], Built]] = {"chain 8x8": chain, "chain 8x8, forward": chain_forward, "MLP 4-128-128-2, AdamW": mlp}
BARS = {"chain 8x8": 0.9, "MLP 4-128-128-2, AdamW": 0.5}


def main() -> int:
    """Print the table; exit code 1 when a bar is missed."""
    print(f"{'case':34} {'ours us':>10} {'torch us':>10} {'ratio':>8}   range")
    missed = False
    for case in CASES:
        result = duel("benchmarks.overhead", case)
        bar = BARS.get(case)
        missed |= bar is not None and result.ratio > bar
        print(result.line() + ("" if bar is None else f"   bar {bar} {'missed' if result.ratio > bar else 'met'}"))
    return int(missed)


if __name__ == "__main__":
    raise SystemExit(main())
