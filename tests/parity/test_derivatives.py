"""autograd.functional: the same Jacobians, Hessians and products as PyTorch's, and the same errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import dovetail as dv

A, B = np.arange(1.0, 4.0), np.array([[0.5, -1.0, 2.0], [1.5, 0.25, -0.75]])


def leaves(framework: Any) -> tuple[Any, Any]:
    return framework.tensor(A), framework.tensor(B)


def same(mine: Any, other: Any) -> None:
    assert isinstance(mine, tuple) == isinstance(other, tuple)
    if isinstance(mine, tuple):
        assert len(mine) == len(other)
        for x, y in zip(mine, other, strict=True):
            same(x, y)
        return
    assert mine.requires_grad == other.requires_grad and tuple(mine.shape) == tuple(other.shape)
    np.testing.assert_allclose(mine.detach().numpy(), other.detach().numpy(), rtol=1e-12, atol=1e-14)


def vector(x: Any) -> Any:
    return x.exp() * x.flip(0)


def several(x: Any, y: Any) -> Any:
    return (y @ x).sin(), (y * x).prod(), x * 2


def energy(x: Any, y: Any) -> Any:
    return ((y @ x) ** 3).sum() + x.prod()


CALLS = {
    "jacobian": lambda f, x, y, **kw: f.jacobian(vector, x, **kw),
    "jacobian_several": lambda f, x, y, **kw: f.jacobian(several, (x, y), **kw),
    "hessian": lambda f, x, y, **kw: f.hessian(lambda x: (x**4).sum(), x, **kw),
    "hessian_several": lambda f, x, y, **kw: f.hessian(energy, (x, y), **kw),
    "vjp": lambda f, x, y, **kw: f.vjp(vector, x, x.flip(0), **kw),
    "jvp": lambda f, x, y, **kw: f.jvp(vector, x, x.flip(0), **kw),
    "jvp_several": lambda f, x, y, **kw: f.jvp(several, (x, y), (x.flip(0), y), **kw),
    "hvp": lambda f, x, y, **kw: f.hvp(energy, (x, y), (x.flip(0), y), **kw),
    "vhp": lambda f, x, y, **kw: f.vhp(energy, (x, y), (x.flip(0), y), **kw),
    "hvp_of_one_element": lambda f, x, y, **kw: f.hvp(lambda x: (x**3).sum().reshape(1, 1), x, x.flip(0), **kw),
    "hessian_of_one_element": lambda f, x, y, **kw: f.hessian(lambda x: (x**3).sum().reshape(1, 1), x, **kw),
}


@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize("name", CALLS)
def test_derivatives(name: str, create_graph: bool) -> None:
    mine = CALLS[name](dv.autograd.functional, *leaves(dv), create_graph=create_graph)
    other = CALLS[name](torch.autograd.functional, *leaves(torch), create_graph=create_graph)
    same(mine, other)


def test_a_jacobian_can_be_differentiated() -> None:
    got = []
    for framework in (dv, torch):
        x = leaves(framework)[0].requires_grad_()
        framework.autograd.functional.jacobian(vector, x, create_graph=True).square().sum().backward()
        got.append(x.grad.numpy())
    np.testing.assert_allclose(*got, rtol=1e-12)


def test_errors() -> None:
    for framework in (dv, torch):
        f, (x, _) = framework.autograd.functional, leaves(framework)
        with pytest.raises(RuntimeError, match="single element"):
            f.hessian(vector, x)
        with pytest.raises(RuntimeError, match="does not require gradients"):
            f.jacobian(lambda x: x.detach(), x, strict=True)
        with pytest.raises(RuntimeError, match="independent of input 1"):
            f.jacobian(lambda x, y: x * 2, (x, x), strict=True)
        with pytest.raises(RuntimeError, match="can only be None if the user-provided function returns a single Tensor with a single el"):
            f.vjp(vector, x)
        for product in (f.jvp, f.hvp, f.vhp):
            with pytest.raises(RuntimeError, match="can only be None if the input to the user-provided function is a single Tensor with"):
                product(lambda x: x.sum(), x)
        for name in ("hvp", "vhp"):
            with pytest.raises(RuntimeError, match=f"returned by the function given to {name} should contain a single element"):
                getattr(f, name)(vector, x, x)
        with pytest.raises(RuntimeError, match="invalid size"):
            f.vjp(vector, x, framework.ones(2))
