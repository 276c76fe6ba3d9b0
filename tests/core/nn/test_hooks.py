"""Hooks around forward and backward, of one module and of all."""

from __future__ import annotations

import pytest

import dovetail as dv
from dovetail import nn
from dovetail.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook, register_module_full_backward_hook


class Double(nn.Module):
    def forward(self, x, add=0.0):
        return x * 2 + add


def test_forward_hooks_see_and_replace():
    layer = Double()
    pre = layer.register_forward_pre_hook(lambda m, args: (args[0] + 1,))
    post = layer.register_forward_hook(lambda m, args, out: out * 10)
    assert layer(dv.ones(1)).item() == 40.0
    pre.remove()
    assert layer(dv.ones(1)).item() == 20.0
    post.remove()
    assert layer(dv.ones(1)).item() == 2.0


def test_hooks_with_kwargs_and_order():
    layer, seen = Double(), []
    layer.register_forward_pre_hook(lambda m, args, kwargs: (args, {"add": kwargs["add"] + 1}), with_kwargs=True)
    layer.register_forward_hook(lambda m, args, kwargs, out: seen.append(kwargs["add"]), with_kwargs=True)
    layer.register_forward_hook(lambda *a: seen.append("first"), prepend=True)
    assert layer(dv.ones(1), add=1.0).item() == 4.0 and seen == ["first", 2.0]


def test_always_called_hook_runs_on_failure():
    class Fails(nn.Module):
        def forward(self, x):
            raise RuntimeError("no")

    seen = []
    layer = Fails()
    layer.register_forward_hook(lambda m, args, out: seen.append(out), always_call=True)
    layer.register_forward_hook(lambda m, args, out: seen.append("never"))
    with pytest.raises(RuntimeError, match="no"):
        layer(1)
    assert seen == [None]


def test_hooks_on_all_modules_take_the_options_of_one():
    class Fails(nn.Module):
        def forward(self, x, add=0.0):
            raise RuntimeError("no")

    seen = []
    note = lambda m, args, kwargs, out: seen.append((type(m).__name__, kwargs, None if out is None else out.item()))
    with register_module_forward_hook(note, with_kwargs=True, always_call=True):
        Double()(dv.ones(1), add=1.0)
        with pytest.raises(RuntimeError, match="no"):
            Fails()(dv.ones(1), add=2.0)
    assert seen == [("Double", {"add": 1.0}, 3.0), ("Fails", {"add": 2.0}, None)]
    assert list(Double()._forward_hooks) == []


def test_backward_hooks_see_and_replace():
    layer, seen = Double(), {}

    def hook(module, grad_input, grad_output):
        seen["in"], seen["out"] = grad_input[0].item(), grad_output[0].item()
        return (grad_input[0] * 100,)

    layer.register_full_backward_pre_hook(lambda m, grad_output: (grad_output[0] * 5,))
    layer.register_full_backward_hook(hook)
    x = dv.ones(1, requires_grad=True)
    layer(x).sum().backward()
    assert seen == {"in": 10.0, "out": 5.0} and x.grad.item() == 1000.0


def test_backward_hook_without_input_gradient():
    layer, seen = nn.Linear(2, 1), []
    layer.register_full_backward_hook(lambda m, gi, go: seen.append((gi[0], go[0].item())))
    layer(dv.ones(1, 2)).sum().backward()
    assert seen == [(None, 1.0)] and layer.weight.grad is not None


def test_hooks_on_all_modules():
    seen = []
    net = nn.Sequential(nn.Identity(), nn.Linear(1, 1))
    with register_module_forward_pre_hook(lambda m, args: seen.append("pre")), register_module_forward_hook(lambda *a: seen.append("post")):
        net(dv.ones(1))
    assert seen == ["pre", "pre", "post", "pre", "post", "post"]
    net(dv.ones(1))
    assert len(seen) == 6
    handle = register_module_full_backward_hook(lambda m, gi, go: seen.append(type(m).__name__))
    net(dv.ones(1, requires_grad=True)).sum().backward()
    handle.remove()
    assert seen[6:] == ["Linear", "Identity", "Sequential"]
