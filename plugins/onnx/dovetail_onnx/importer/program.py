"""A graph made ready to run: a list of steps over an environment of named values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import dovetail as dv
from dovetail.errors import DovetailError, FormatError, OutOfMemory

from .host import Host, plain

__all__ = ["Program", "Run", "Step", "explained"]


class Run:
    """What holds for one call of a model: its parameters and buffers, its mode, its device, and which nodes left the tensors."""

    __slots__ = ("device", "handed", "path", "state", "training")

    def __init__(self, path: object, state: Callable[[str], Any], training: bool, device: Any, handed: dict[str, str]) -> None:
        self.path, self.state, self.training, self.device, self.handed = path, state, training, device, handed


class Step:
    """One node: ``call(values, environment, run)`` gives its outputs; ``drop`` names the values that nobody needs afterwards."""

    __slots__ = ("call", "drop", "inputs", "outputs", "sizes", "where")

    def __init__(self, call: Callable[..., Any], inputs: list[str], outputs: list[str], where: str) -> None:
        self.call, self.inputs, self.outputs, self.where = call, inputs, outputs, where
        self.drop: tuple[str, ...] = ()
        self.sizes = getattr(call, "sizes", False)  # whether it also takes values that are no tensors yet


class Program:
    """The steps of one graph. ``free`` are the names that it takes from the graphs around it, ``types`` what it declares of its outputs."""

    __slots__ = ("constants", "free", "inputs", "outputs", "state", "steps", "types")

    def __init__(self, inputs: list[str], outputs: list[str], steps: list[Step], constants: dict[str, Any], state: dict[str, str]) -> None:
        self.inputs, self.outputs, self.steps = inputs, outputs, steps
        self.constants, self.state = constants, state
        self.free: set[str] = set()
        self.types: list[Any] = []

    def __call__(self, values: list[Any], outer: dict[str, Any], run: Run) -> list[Any]:
        """Run the steps on the values of the inputs, seeing ``outer``'s names too."""
        env = {**outer, **self.constants}
        for name, key in self.state.items():
            env[name] = Host.of(run.state(key))
        env.update(zip(self.inputs, values))
        for step in self.steps:
            try:
                values = [env[name] if name else None for name in step.inputs]
                found = step.call(values if step.sizes else list(map(plain, values)), env, run)
                if len(found) < len([name for name in step.outputs if name]):
                    raise FormatError(run.path, None, f"gives {len(found)} outputs, and the node names {len(step.outputs)}")
            except Exception as error:
                raise explained(error, step.where, run.path) from error
            env.update(zip(step.outputs, found))
            for name in step.drop:
                env.pop(name, None)
        return [plain(env[name]) for name in self.outputs]


def explained(error: Exception, where: str, path: object) -> Exception:
    """The error again, with the node in front: of the same class where it is Dovetail's, a FormatError otherwise."""
    if isinstance(error, FormatError):
        return FormatError(path, None, f"{where}: {error.reason}")
    if isinstance(error, DovetailError):
        try:
            return type(error)(f"{where}: {error}")
        except TypeError:
            error.add_note(where)
            return error
    if isinstance(error, MemoryError):
        return OutOfMemory(f"{where}: {error}")
    return FormatError(path, None, f"{where}: cannot be computed ({type(error).__name__}: {error})")


def on_device(values: list[Any], run: Run) -> list[Any]:
    """Bring constants to where the model computes, if any of the values is there already."""
    if run.device.type == "cpu":
        return values
    there = any(isinstance(value, dv.Tensor) and value.device.type != "cpu" for value in values)
    return [value.to(run.device) if there and isinstance(value, dv.Tensor) else value for value in values]
