"""Activations and losses that are made of a few pieces: one kernel for their values, one for their slopes times a gradient."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

import dovetail as dv
from dovetail.extend import Array, Kernel, op
from dovetail.graph.raw import OPS

from . import _native

__all__ = [
    "clamp", "elu", "glu", "hardshrink", "hardsigmoid", "hardswish", "hardtanh", "huber_loss", "l1_loss", "leaky_relu", "leaky_relu_grad",
    "logsigmoid", "smooth_l1_loss", "softplus", "softshrink", "threshold",
]  # fmt: skip
(
    LEAKY_RELU, ELU, SOFTPLUS, LOGSIGMOID, HARDTANH, HARDSWISH, HARDSIGMOID, MAGNITUDE, HUBER, SOFTSHRINK, HARDSHRINK, THRESHOLD,
) = range(12)  # fmt: skip  # as in curves.h


@op(name="cpu/slope", dtypes="same")
def slope(grad: Array, input: Array, curve: int, a: float, b: float, c: float) -> Array:
    """`grad`, of the shape of the input or one number, times the slope of a curve at `input`."""
    return _native.slope(curve, np.ascontiguousarray(grad).reshape(grad.shape), np.ascontiguousarray(input).reshape(input.shape), a, b, c)


@slope.vjp("grad")
def _(g: Any, grad_shape: Any, input: Any, curve: int, a: float, b: float, c: float) -> Any:
    found = slope(g, input, curve, a, b, c)
    return found if tuple(found.shape) == tuple(grad_shape) else found.sum()


@slope.vjp("input")
def _(g: Any, grad: Any, input: Any, curve: int, a: float, b: float, c: float) -> Any:
    return g * grad * _bend(curve, input, a, b, c)


def _bend(curve: int, x: Any, a: float, b: float, c: float) -> Any:
    """The second derivative."""
    flat = dv.zeros_like(x)
    if curve == ELU:
        return dv.where(x <= 0, dv.exp(x.clamp(max=0) * c) * (a * b * c * c), flat)
    if curve in (SOFTPLUS, LOGSIGMOID):
        s = dv.sigmoid(x * a if curve == SOFTPLUS else -x)
        return dv.where(x * a > b, flat, s * (1 - s) * a) if curve == SOFTPLUS else s * (s - 1)
    if curve == HARDSWISH:
        return dv.where((x > -3) & (x < 3), flat + 1 / 3, flat)
    return dv.where(x.abs() < a, flat + 1 / b, flat) if curve == HUBER else flat


def _activation(curve: int, rule: Callable[..., Any] | None = None) -> Kernel:
    def call(native: Callable[..., Any]) -> Callable[..., Any]:
        def forward(input: Array, a: float = 0.0, b: float = 0.0, c: float = 1.0) -> Array:
            return native(curve, input, a, b, c) if c > 0 else NotImplemented  # celu's alpha may be negative

        return forward

    return Kernel(call(_native.curve), rule, into=call(_native.curve_))


def _bounded(native: Callable[..., Any]) -> Callable[..., Any]:
    def forward(input: Array, min: Any, max: Any) -> Array:
        return native(HARDTANH, input, -math.inf if min is None else float(min), math.inf if max is None else float(max), 0.0)

    return forward


clamp = Kernel(_bounded(_native.curve), into=_bounded(_native.curve_))  # at a bound the gradient of clamp passes: its own rule serves
leaky_relu_grad = Kernel(lambda grad, input, negative_slope: _native.slope(LEAKY_RELU, grad, input, negative_slope, 0.0, 0.0))
leaky_relu = _activation(LEAKY_RELU)
elu = _activation(ELU, lambda g, input, alpha, scale, input_scale: slope(g, input, ELU, alpha, scale, input_scale))
softplus = _activation(SOFTPLUS, lambda g, input, beta, threshold: slope(g, input, SOFTPLUS, beta, threshold, 0.0))
logsigmoid = _activation(LOGSIGMOID, lambda g, input: slope(g, input, LOGSIGMOID, 0.0, 0.0, 0.0))
hardtanh = _activation(HARDTANH, lambda g, input, min_val, max_val: slope(g, input, HARDTANH, min_val, max_val, 0.0))
hardswish = _activation(HARDSWISH, lambda g, input: slope(g, input, HARDSWISH, 0.0, 0.0, 0.0))
hardsigmoid = _activation(HARDSIGMOID, lambda g, input: slope(g, input, HARDSIGMOID, 0.0, 0.0, 0.0))
hardshrink = _activation(HARDSHRINK, lambda g, input, lambd: slope(g, input, HARDSHRINK, lambd, 0.0, 0.0))
threshold = _activation(THRESHOLD, lambda g, input, threshold: slope(g, input, THRESHOLD, threshold, 0.0, 0.0))
softshrink = Kernel(
    lambda input, lambd: (
        _native.curve(SOFTSHRINK, input, lambd, 0.0, 0.0) if 0 <= lambd < math.inf else NotImplemented
    ),  # the reference refuses it
    lambda g, input, lambd: slope(g, input, SOFTSHRINK, lambd, 0.0, 0.0),
)


@op(name="cpu/glu_grad", dtypes="same")
def glu_grad(grad: Array, input: Array, dim: int) -> Array:
    """The gradient of the gated linear unit, both halves in one pass."""
    return _native.glu_grad(grad, input, dim)


def _gate_rule(g: Any, input: Any, dim: int) -> Any:
    """A gradient that is itself to be differentiated is the reference's, made of ops."""
    return OPS["glu"].reference.rules[None].function(g, input, dim) if dv.is_grad_enabled() else glu_grad(g, input, dim)


glu = Kernel(_native.glu, _gate_rule)


def _loss(curve: int, divided: bool) -> Kernel:
    """The kernel of a loss f(input - target, bound), divided by the bound where it is the smooth one."""

    def forward(input: Array, target: Array, reduction: str, bound: float) -> Array:
        d = _native.sub(input, target)
        each = d if d is NotImplemented or not d.size else _native.curve(curve, d, bound, bound if divided else 1.0, 0.0)
        if each is NotImplemented or not each.size:
            return NotImplemented
        return each if reduction == "none" else (_native.mean if reduction == "mean" else _native.sum)(each, None, False, None)

    def rule(g: Any, input: Any, target: Any, reduction: str, bound: float, needs: Any) -> Any:
        d = input - target
        by_input = slope(g / d.numel() if reduction == "mean" else g, d, curve, bound, bound if divided else 1.0, 0.0)
        return by_input if needs[0] else None, -by_input if needs[1] else None

    return Kernel(forward, rule)


l1_loss, huber_loss, smooth_l1_loss = _loss(MAGNITUDE, False), _loss(HUBER, False), _loss(HUBER, True)
