"""The cases in tinygrad: the whole step under `TinyJit`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tinygrad import Tensor, TinyJit, nn

from benchmarks.peers.parts import parts
from benchmarks.workloads import Built, Case

__all__ = ["CASES"]

Weights = dict[str, Any]


def _linear(w: Weights, name: str, x: Any) -> Any:
    return x.linear(w[f"{name}.weight"].T, w[f"{name}.bias"])


def _mlp(w: Weights, x: Any) -> Any:
    names = sorted({name.split(".")[0] for name in w}, key=int)
    for name in names[:-1]:
        x = _linear(w, name, x).relu()
    return _linear(w, names[-1], x)


def _cnn(w: Weights, x: Any) -> Any:
    for name in "0", "2":
        x = x.conv2d(w[f"{name}.weight"], w[f"{name}.bias"]).relu()
    return _linear(w, "10", _linear(w, "7", x.max_pool2d((2, 2)).flatten(1)).relu())


def _vae(w: Weights, x: Any, noise: Any) -> Any:
    h = _linear(w, "inside", x).relu()
    mean, spread = _linear(w, "mean", h), _linear(w, "spread", h)
    again = _linear(w, "out", _linear(w, "back", mean + noise * (0.5 * spread).exp()).relu()).sigmoid()
    likelihood = -(x * again.log().maximum(-100) + (1 - x) * (1 - again).log().maximum(-100)).sum()
    return likelihood - 0.5 * (1 + spread - mean.pow(2) - spread.exp()).sum()


def _trained(case: str, loss: Callable[..., Any], optimizer: Any = nn.optim.Adam) -> Case:
    def build(peer: Any, **sizes: int) -> Built:
        weights, inputs = parts(case, sizes)
        w, given = {name: Tensor(a) for name, a in weights.items()}, [Tensor(a) for a in inputs]
        adam, seen = optimizer(list(w.values()), lr=1e-3), []

        @TinyJit
        def train(*inputs: Any) -> Any:
            with Tensor.train():
                adam.zero_grad()
                value = loss(w, *inputs).backward()
                return value.realize(*adam.schedule_step())

        def step() -> None:
            seen[:] = [train(*given).item()]

        return Built(step, lambda: [seen[0], *(w[name].square().sum().sqrt().item() for name in weights)])

    return build


def _chain(peer: Any, times: int = 100, size: int = 8) -> Built:
    _, (a, b) = parts("chain 8x8", {"times": 1, "size": size})
    a, b, seen = Tensor(a), Tensor(b), []

    @TinyJit
    def gradient(a: Any, b: Any) -> Any:
        x = a
        for _ in range(times):
            x = (x * b + a).tanh()
        return x.sum().gradient(a)[0].realize()

    def step() -> None:
        seen[:] = [gradient(a, b).numpy()]

    return Built(step, lambda: seen[0].ravel().tolist())


CASES: dict[str, Case] = {
    "MNIST CNN": _trained("MNIST CNN", lambda w, x, y: _cnn(w, x).sparse_categorical_crossentropy(y)),
    "MLP 784-256-10": _trained("MLP 784-256-10", lambda w, x, y: _mlp(w, x).sparse_categorical_crossentropy(y)),
    "MLP 4-128-128-2": _trained("MLP 4-128-128-2", lambda w, x, y: (_mlp(w, x) - y).square().mean(), nn.optim.AdamW),
    "VAE": _trained("VAE", _vae),
    "chain 8x8": _chain,
}
