"""The operator Gradient of ``ai.onnx.preview.training``: the derivative of a value by others, through the nodes between them."""

from __future__ import annotations

from typing import Any

import dovetail as dv
from dovetail.errors import FormatError

from .program import Program, Run, Step

__all__ = ["Gradient"]


class Gradient:
    """A Gradient node; ``steps`` are those before it, of which the ones on the way from ``xs`` to ``y`` run again."""

    def __init__(self, steps: list[Step], attributes: dict[str, Any], inputs: list[str], where: str, path: object) -> None:
        xs, zs = attributes.get("xs", []), attributes.get("zs", [])
        if inputs != [*xs, *zs] or "y" not in attributes:
            raise FormatError(path, None, f"{where} takes {inputs}; expected those that xs {xs} and zs {zs} name, and a y")
        self.count, self.y = len(xs), attributes["y"]
        needed, kept = {self.y}, []
        for step in reversed(steps):
            if needed & set(step.outputs) - set(inputs):
                kept.append(step)
                needed |= {*step.inputs, *getattr(step.call, "free", ())} - {""}
        self.free = needed - {name for step in kept for name in step.outputs}
        again = [Step(step.call, step.inputs, step.outputs, step.where) for step in reversed(kept)]
        self.program = Program(inputs, [self.y], again, {}, {})

    def __call__(self, values: list[Any], env: dict[str, Any], run: Run) -> list[Any]:
        with dv.enable_grad():
            leaves = [value.detach().requires_grad_() for value in values[: self.count]]
            (y,) = self.program([*leaves, *values[self.count :]], env, run)
            found = dv.autograd.grad(y, leaves, dv.ones_like(y), allow_unused=True)
        return [dv.zeros_like(leaf) if grad is None else grad for leaf, grad in zip(leaves, found)]
