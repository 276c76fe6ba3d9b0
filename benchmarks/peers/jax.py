"""The cases in JAX: forward, gradient and update of a step under one `jit`, which may reuse the memory of what it replaces."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from benchmarks.peers.parts import parts
from benchmarks.workloads import Built, Case

__all__ = ["CASES"]

_PRECISE = partial(jnp.matmul, precision=jax.lax.Precision.HIGHEST)
Weights = dict[str, Any]


def _linear(w: Weights, name: str, x: Any) -> Any:
    return _PRECISE(x, w[f"{name}.weight"].T) + w[f"{name}.bias"]


def _cross_entropy(logits: Any, y: Any) -> Any:
    return -jnp.take_along_axis(jax.nn.log_softmax(logits), y[:, None], 1).mean()


def _mlp(w: Weights, x: Any) -> Any:
    names = sorted({name.split(".")[0] for name in w}, key=int)
    for name in names[:-1]:
        x = jax.nn.relu(_linear(w, name, x))
    return _linear(w, names[-1], x)


def _cnn(w: Weights, x: Any) -> Any:
    for name in "0", "2":
        x = jax.lax.conv_general_dilated(x, w[f"{name}.weight"], (1, 1), "VALID", dimension_numbers=("NCHW", "OIHW", "NCHW"))
        x = jax.nn.relu(x + w[f"{name}.bias"][:, None, None])
    x = jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")
    return _linear(w, "10", jax.nn.relu(_linear(w, "7", x.reshape(len(x), -1))))


def _vae(w: Weights, x: Any, noise: Any) -> Any:
    h = jax.nn.relu(_linear(w, "inside", x))
    mean, spread = _linear(w, "mean", h), _linear(w, "spread", h)
    again = jax.nn.sigmoid(_linear(w, "out", jax.nn.relu(_linear(w, "back", mean + noise * jnp.exp(0.5 * spread)))))
    least = partial(jnp.maximum, -100.0)  # of a logarithm, as in PyTorch
    likelihood = -(x * least(jnp.log(again)) + (1 - x) * least(jnp.log(1 - again))).sum()
    return likelihood - 0.5 * (1 + spread - mean**2 - jnp.exp(spread)).sum()


def _norm(w: Weights, name: str, x: Any) -> Any:
    x = x - x.mean(-1, keepdims=True)
    return x * jax.lax.rsqrt((x * x).mean(-1, keepdims=True) + 1e-5) * w[f"{name}.weight"] + w[f"{name}.bias"]


def _gpt(w: Weights, i: Any, heads: int = 8) -> Any:
    b, t = i.shape
    x = w["tokens.weight"][i] + w["places.weight"][:t]
    c, mask = x.shape[-1], jnp.tril(jnp.ones((t, t), bool))
    for n in range(sum(name.endswith("qkv.bias") for name in w)):
        at = f"blocks.{n}"
        qkv = _linear(w, f"{at}.qkv", _norm(w, f"{at}.ln1", x)).reshape(b, t, 3, heads, c // heads)
        q, k, v = qkv.transpose(2, 0, 3, 1, 4)
        scores = jnp.where(mask, _PRECISE(q, k.swapaxes(-1, -2)) / (c // heads) ** 0.5, -jnp.inf)
        y = _PRECISE(jax.nn.softmax(scores), v).transpose(0, 2, 1, 3).reshape(b, t, c)
        x = x + _linear(w, f"{at}.proj", y)
        wide = jax.nn.gelu(_linear(w, f"{at}.fc", _norm(w, f"{at}.ln2", x)), approximate=False)
        x = x + _linear(w, f"{at}.back", wide)
    return _linear(w, "head", _norm(w, "ln", x))


def _lstm(w: Weights, x: Any) -> Any:
    into = _PRECISE(x, w["lstm.weight_ih_l0"].T) + w["lstm.bias_ih_l0"] + w["lstm.bias_hh_l0"]

    def step(state: Any, row: Any) -> Any:
        h, c = state
        i, f, g, o = jnp.split(row + _PRECISE(h, w["lstm.weight_hh_l0"].T), 4, -1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        return (jax.nn.sigmoid(o) * jnp.tanh(c), c), None

    zeros = jnp.zeros((len(x), w["out.weight"].shape[1]))
    return _linear(w, "out", jax.lax.scan(step, (zeros, zeros), into.swapaxes(0, 1))[0][0])


def _adam(w: Weights, g: Weights, m: Weights, v: Weights, n: Any, decay: float) -> tuple[Weights, Weights, Weights]:
    """Adam with PyTorch's defaults and lr=1e-3; with a decay, AdamW."""
    each = jax.tree.map
    m = each(lambda m, g: m + 0.1 * (g - m), m, g)
    v = each(lambda v, g: 0.999 * v + 0.001 * g * g, v, g)
    one, two = 1 - 0.9**n, 1 - 0.999**n
    w = each(lambda w, m, v: w * (1 - 1e-3 * decay) - 1e-3 / one * m / (jnp.sqrt(v) / jnp.sqrt(two) + 1e-8), w, m, v)
    return w, m, v


def _trained(case: str, loss: Callable[..., Any], decay: float = 0.0) -> Case:
    def build(peer: Any, **sizes: int) -> Built:
        weights, inputs = parts(case, sizes)
        w, inputs = {name: jnp.array(a) for name, a in weights.items()}, [jnp.array(a) for a in inputs]
        state = [w, jax.tree.map(jnp.zeros_like, w), jax.tree.map(jnp.zeros_like, w), jnp.array(0.0)]
        seen: list[Any] = []

        @partial(jax.jit, donate_argnums=(0, 1, 2))
        def train(w: Weights, m: Weights, v: Weights, n: Any, *inputs: Any) -> Any:
            value, g = jax.value_and_grad(loss)(w, *inputs)
            return value, *_adam(w, g, m, v, n + 1, decay), n + 1

        def step() -> None:
            seen[:], state[:] = (out := train(*state, *inputs))[:1], out[1:]
            seen[0].block_until_ready()

        return Built(step, lambda: [float(seen[0]), *(float(jnp.linalg.norm(state[0][name].ravel())) for name in weights)])

    return build


def _inferred(case: str, forward: Callable[..., Any]) -> Case:
    def build(peer: Any, **sizes: int) -> Built:
        weights, (x,) = parts(case, sizes)
        w, x, run, seen = {name: jnp.array(a) for name, a in weights.items()}, jnp.array(x), jax.jit(forward), []

        def step() -> None:
            seen[:] = [run(w, x).block_until_ready()]

        return Built(step, lambda: seen[0].ravel()[:64].tolist())

    return build


def _chain(peer: Any, times: int = 100, size: int = 8) -> Built:
    _, (a, b) = parts("chain 8x8", {"times": 1, "size": size})
    a, b, seen = jnp.array(a), jnp.array(b), []

    @jax.jit
    @jax.grad
    def gradient(a: Any, b: Any) -> Any:
        x = a
        for _ in range(times):
            x = jnp.tanh(x * b + a)
        return x.sum()

    def step() -> None:
        seen[:] = [gradient(a, b).block_until_ready()]

    return Built(step, lambda: seen[0].ravel().tolist())


CASES: dict[str, Case] = {
    "MNIST CNN": _trained("MNIST CNN", lambda w, x, y: _cross_entropy(_cnn(w, x), y)),
    "MLP 784-256-10": _trained("MLP 784-256-10", lambda w, x, y: _cross_entropy(_mlp(w, x), y)),
    "MLP 4-128-128-2": _trained("MLP 4-128-128-2", lambda w, x, y: ((_mlp(w, x) - y) ** 2).mean(), decay=0.01),
    "VAE": _trained("VAE", _vae),
    "GPT training": _trained("GPT training", lambda w, i, y: _cross_entropy(_gpt(w, i).reshape(-1, 65), y.reshape(-1)), decay=0.01),
    "GPT inference": _inferred("GPT inference", _gpt),
    "LSTM": _trained("LSTM", lambda w, x, y: _cross_entropy(_lstm(w, x), y)),
    "chain 8x8": _chain,
}
