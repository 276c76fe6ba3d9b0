"""saved_tensors_hooks and save_on_cpu beside PyTorch's: gradients, second gradients, refusals."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import dovetail as dv


def gradients(lib, hooks, double=False):
    lib.manual_seed(0)
    net = lib.nn.Sequential(
        lib.nn.Conv2d(1, 2, 3),
        lib.nn.BatchNorm2d(2),
        lib.nn.Tanh(),
        lib.nn.MaxPool2d(2),
        lib.nn.Flatten(),
        lib.nn.Linear(18, 4),
        lib.nn.LayerNorm(4),
    )
    net.double()
    x = lib.rand(3, 1, 8, 8, dtype=lib.float64, requires_grad=True)
    with hooks(lib):
        out = lib.nn.functional.cross_entropy(net(x), lib.tensor([0, 1, 2])) + x.split(2, dim=2)[0].pow(3).sum()
    if double:
        (g,) = lib.autograd.grad(out, x, create_graph=True)
        g.square().sum().backward()
    else:
        out.backward()
    return [x.grad, *(p.grad for p in net.parameters())]


HOOKS = {
    "plain": lambda lib: lib.autograd.graph.saved_tensors_hooks(lambda t: t, lambda t: t),
    "array": lambda lib: lib.autograd.graph.saved_tensors_hooks(lambda t: t.detach().numpy().copy(), lib.from_numpy),
    "cpu": lambda lib: lib.autograd.graph.save_on_cpu(pin_memory=False),
    "noise": lambda lib: lib.autograd.graph.saved_tensors_hooks(lambda t: t * 2 if t.is_floating_point() else t, lambda t: t),
}


@pytest.mark.parametrize("double", [False, True])
@pytest.mark.parametrize("name", ["plain", "array", "cpu"])
def test_gradients(name, double):
    if double and name == "array":
        return  # neither side keeps a history through NumPy
    for a, b in zip(gradients(dv, HOOKS[name], double), gradients(torch, HOOKS[name], double), strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-7, atol=1e-9)


def small(lib):
    seen = []
    x = lib.tensor([1.0, 2.0], requires_grad=True)
    with lib.autograd.graph.saved_tensors_hooks(lambda t: seen.append(tuple(t.shape)) or t * 3, lambda t: t):
        y = x * lib.tensor([5.0, 7.0])
        z = y.exp()
    z.sum().backward()
    return x.grad.numpy()


def test_what_unpack_gives_is_what_counts():
    np.testing.assert_allclose(small(dv), small(torch), rtol=1e-5)


def test_refusals():
    for lib in (dv, torch):
        x = lib.ones(2, requires_grad=True)
        with lib.autograd.graph.saved_tensors_hooks(lambda t: t, lambda t: 3):
            y = x.exp().sum()
        with pytest.raises(TypeError):
            y.backward()
        with pytest.raises(RuntimeError, match="not here"):  # noqa: SIM117
            with lib.autograd.graph.disable_saved_tensors_hooks("not here"):
                with lib.autograd.graph.saved_tensors_hooks(lambda t: t, lambda t: t):
                    pass
        assert lib.ones(2, requires_grad=True).exp().sum().requires_grad


def test_backward_twice_and_retained_graphs():
    for lib in (dv, torch):
        x = lib.ones(2, requires_grad=True)
        with HOOKS["plain"](lib):
            y = x.exp().sum()
        y.backward(retain_graph=True)
        y.backward()
        with pytest.raises(RuntimeError, match="second time"):
            y.backward()


def test_functions_keep_through_the_hooks_too():
    def run(lib):
        packed = []

        class Square(lib.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                ctx.save_for_backward(x)
                return x * x

            @staticmethod
            def backward(ctx, g):
                (x,) = ctx.saved_tensors
                return 2 * x * g

        x = lib.tensor([3.0], requires_grad=True)
        with lib.autograd.graph.saved_tensors_hooks(lambda t: packed.append(1) or t + 1, lambda t: t):
            y = Square.apply(x)
        y.backward()
        return x.grad.tolist(), len(packed)

    assert run(dv) == run(torch)
