"""The mean loss and the metrics of an evaluation."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import dovetail as dv
from dovetail.errors import ValueRangeError

__all__ = ["Evaluation", "watched"]


def watched(monitor: str, results: Mapping[str, Any]) -> float:
    """The one number among an epoch's results that is watched. Raises a ValueRangeError when it is not there, or is a list of numbers."""
    value = results.get(monitor)
    if not isinstance(value, float):
        what = f"monitor is {monitor!r}, which is {'a list of numbers' if monitor in results else 'no result'}"
        single = [name for name, one in results.items() if isinstance(one, float)]
        raise ValueRangeError("Trainer", what, f"expected one of {', '.join(single)}")
    return value


class Evaluation:
    """Gathers losses, outputs and targets. A metric that is a function is computed once from all of them, as it is defined.

    >>> found = Evaluation({"error": lambda output, target: (output - target).abs().mean()})
    >>> found.add(1.0, 1, dv.tensor([1.0]), dv.tensor([0.0]))
    >>> found.add(0.0, 3, dv.tensor([1.0, 1.0, 1.0]), dv.tensor([1.0, 1.0, 1.0]))
    >>> found.results()
    {'loss': 0.25, 'error': 0.25}
    """

    def __init__(self, metrics: Mapping[str, Any]) -> None:
        self._running = {name: metric for name, metric in metrics.items() if hasattr(metric, "update") and hasattr(metric, "compute")}
        self._functions = {name: metric for name, metric in metrics.items() if name not in self._running}
        self._names, self._sum, self._samples = list(metrics), 0.0, 0
        self._outputs: list[Any] = []
        self._targets: list[Any] = []
        for metric in self._running.values():
            metric.reset()

    def add(self, loss: float, samples: int, output: Any, target: Any) -> None:
        """Take in a batch."""
        self._sum, self._samples = self._sum + loss * samples, self._samples + samples
        for metric in self._running.values():
            metric.update(output, target)
        if self._functions:
            self._outputs.append(output.detach().cpu())
            self._targets.append(target.detach().cpu())

    def results(self) -> dict[str, Any]:
        """The mean loss of a sample, and each metric: a number, or a list of them."""
        found: dict[str, Any] = {"loss": self._sum / self._samples if self._samples else math.nan}
        if self._functions and self._outputs:
            output, target = dv.cat(self._outputs), dv.cat(self._targets)
        for name in self._names:
            if name in self._running:
                found[name] = _plain(self._running[name].compute())
            else:
                found[name] = _plain(self._functions[name](output, target)) if self._outputs else math.nan
        return found


def _plain(value: Any) -> Any:
    """A number, or nested lists of numbers, which a line of JSON can hold."""
    if isinstance(value, dv.Tensor):
        value = value.tolist()
    return [_plain(part) for part in value] if isinstance(value, list | tuple) else float(value)
