"""``dovetail.utils.benchmark``: how long a statement takes, in quantiles of repeated runs."""

from __future__ import annotations

import enum
import math
import time
import timeit
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import dovetail as dv
from dovetail.errors import UnsupportedError, ValueRangeError

__all__ = ["Compare", "Language", "Measurement", "TaskSpec", "Timer", "select_unit", "timer", "trim_sigfig", "unit_to_english"]

_UNITS = {"ns": (1e-9, "nanosecond"), "us": (1e-6, "microsecond"), "ms": (1e-3, "millisecond"), "s": (1.0, "second")}


class Language(enum.Enum):
    """What a statement is written in: Python."""

    PYTHON = 0
    CPP = 1


def timer() -> float:
    """The clock, after the GPU has finished where there is one."""
    if dv.cuda.is_initialized():
        dv.cuda.synchronize()
    return time.perf_counter()


def select_unit(t: float) -> tuple[str, float]:
    """The unit in which a time reads well, and its length in seconds.

    >>> select_unit(2e-5)
    ('us', 1e-06)
    """
    unit = {-1: "ms", -2: "us"}.get(math.floor(math.log10(t) / 3), "ns" if t < 1 else "s") if t > 0 else "ns"
    return unit, _UNITS[unit][0]


def unit_to_english(u: str) -> str:
    """``"us"`` → ``"microsecond"``."""
    return _UNITS[u][1]


def trim_sigfig(x: float, n: int) -> float:
    """Keep this many significant digits of a number."""
    magnitude = math.ceil(math.log10(abs(x)))
    return float(np.round(x / 10 ** (magnitude - n)) * 10 ** (magnitude - n))


@dataclass(frozen=True)
class TaskSpec:
    """What is measured, without the result."""

    stmt: str
    setup: str
    global_setup: str = ""
    label: str | None = None
    sub_label: str | None = None
    description: str | None = None
    env: str | None = None
    num_threads: int = 1

    @property
    def title(self) -> str:
        """The label, or the statement."""
        text = self.label or self.stmt.strip()
        return f"{text}: {self.sub_label}" if self.sub_label else text


@dataclass
class Measurement:
    """Times of repeated runs, in seconds for one: ``mean``, ``median``, ``iqr``, ``times``."""

    number_per_run: int
    raw_times: list[float]
    task_spec: TaskSpec
    metadata: dict[Any, Any] | None = None
    stmt = property(lambda self: self.task_spec.stmt)
    label = property(lambda self: self.task_spec.label)
    sub_label = property(lambda self: self.task_spec.sub_label)
    description = property(lambda self: self.task_spec.description)
    num_threads = property(lambda self: self.task_spec.num_threads)
    title = property(lambda self: self.task_spec.title)
    env = property(lambda self: self.task_spec.env)

    @property
    def times(self) -> list[float]:
        """Seconds for one, run by run."""
        return [t / self.number_per_run for t in self.raw_times]

    @property
    def mean(self) -> float:
        """Their mean."""
        return float(np.mean(self.times))

    @property
    def median(self) -> float:
        """Their median."""
        return float(np.median(self.times))

    @property
    def iqr(self) -> float:
        """The distance of their quartiles."""
        return float(np.quantile(self.times, 0.75) - np.quantile(self.times, 0.25))

    @property
    def significant_figures(self) -> int:
        """How many digits of the median mean something, by the 99 % interval that the quartiles suggest."""
        n, middle = len(self.times), self.median
        lower, upper = np.quantile(self.times, 0.25), np.quantile(self.times, 0.75)
        spread = max((upper - lower) / 1.349 / math.sqrt(n) * 1.645, middle / 1e5)
        return max(int(-math.log10(2 * spread / middle)) + 1, 0) if middle else 0

    @property
    def has_warnings(self) -> bool:
        """Whether the times spread so far that the result says little."""
        return self.iqr / self.median > 0.1

    def meets_confidence(self, threshold: float = 0.1) -> bool:
        """Whether the quartiles lie closer than this part of the median."""
        return self.iqr / self.median < threshold

    @staticmethod
    def merge(measurements: Iterable[Measurement]) -> list[Measurement]:
        """Measurements of the same task joined."""
        found: dict[TaskSpec, Measurement] = {}
        for one in measurements:
            have = found.setdefault(one.task_spec, Measurement(one.number_per_run, [], one.task_spec))
            have.raw_times += [t * have.number_per_run for t in one.times]
        return list(found.values())

    def __repr__(self) -> str:
        unit, scale = select_unit(self.median)
        lines = [f"<dovetail.utils.benchmark.Measurement object at {id(self):#x}>", self.title]
        lines += [text for text in (self.description, f"setup: {self.task_spec.setup}" if self.task_spec.setup != "pass" else "") if text]
        threads = f"{self.num_threads} thread{'s' if self.num_threads > 1 else ''}"
        if len(self.times) > 1:
            low, high = np.quantile(self.times, 0.25) / scale, np.quantile(self.times, 0.75) / scale
            lines += [f"  Median: {self.median / scale:.2f} {unit}", f"  IQR:    {self.iqr / scale:.2f} {unit} ({low:.2f} to {high:.2f})"]
        else:
            lines.append(f"  {self.median / scale:.2f} {unit}")
        count = len(self.times)
        runs = "runs per measurement" if count > 1 else "runs "
        lines.append(f"  {count} measurement{'s' if count > 1 else ''}, {self.number_per_run} {runs}, {threads}")
        return "\n".join(lines)


@dataclass
class Timer:
    """Measure a statement.

    >>> m = Timer("x + 1", globals={"x": 1}).blocked_autorange(min_run_time=0.01)
    >>> 0 < m.median < 1
    True
    """

    stmt: str | Callable[[], Any] = "pass"
    setup: str = "pass"
    global_setup: str = ""
    timer: Callable[[], float] = timer
    globals: dict[str, Any] | None = None
    label: str | None = None
    sub_label: str | None = None
    description: str | None = None
    env: str | None = None
    num_threads: int = 1
    language: Any = Language.PYTHON
    _timer: Any = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if str(self.language).lower() in ("c++", "cpp", "language.cpp"):
            raise UnsupportedError("benchmark.Timer", "statements in C++ are not compiled here", "", "use a Python statement")
        if self.global_setup:
            raise ValueRangeError("benchmark.Timer", f"global_setup is {self.global_setup!r}", "it is C++ only")
        self.globals = {"torch": dv, **(self.globals or {})}
        self._timer = timeit.Timer(self.stmt, self.setup, self.timer, self.globals)
        fields = (self.label, self.sub_label, self.description, self.env, self.num_threads)
        self._task = TaskSpec(str(self.stmt), self.setup, "", *fields)

    def _times(self, number: int) -> float:
        before = dv.get_num_threads()
        dv.set_num_threads(self.num_threads)
        try:
            return max(float(self._timer.timeit(number)), 1e-9)
        finally:
            dv.set_num_threads(before)

    def timeit(self, number: int = 1_000_000) -> Measurement:
        """One measurement of this many runs."""
        self._times(max(number // 100, 2))
        return Measurement(number, [self._times(number)], self._task)

    def repeat(self, repeat: int = -1, number: int = -1) -> None:
        """Not there, as in PyTorch: use `blocked_autorange`."""
        raise UnsupportedError("Timer.repeat", "see `Timer.blocked_autorange.`")

    autorange = repeat

    def _block(self, min_run_time: float) -> int:
        """How many runs make a block long enough for the clock."""
        number = 1
        while (taken := self._times(number)) < min_run_time / 1000 and number < 10**9:
            number = number * 10
        return number if taken else 1

    def blocked_autorange(self, callback: Callable[[int, float], Any] | None = None, min_run_time: float = 0.2) -> Measurement:
        """Blocks of runs until this many seconds have gone: many measurements at little cost for the clock."""
        number, times = self._block(min_run_time), list[float]()
        while sum(times) < min_run_time or len(times) < 1:
            times.append(self._times(number))
            if callback is not None:
                callback(number, times[-1])
        return Measurement(number, times, self._task)

    def adaptive_autorange(
        self, threshold: float = 0.1, *, min_run_time: float = 0.01, max_run_time: float = 10.0,
        callback: Callable[[int, float], Any] | None = None,
    ) -> Measurement:  # fmt: skip
        """Blocks of runs until the quartiles lie closer than `threshold` of the median, or the time is up."""
        number, times = self._block(0.05), list[float]()
        while True:
            times.append(self._times(number))
            if callback is not None:
                callback(number, times[-1])
            made = Measurement(number, times, self._task)
            if sum(times) >= max_run_time or (sum(times) >= min_run_time and len(times) >= 4 and made.meets_confidence(threshold)):
                return made

    def collect_callgrind(self, *_: Any, **__: Any) -> None:
        """Not here: Valgrind counts PyTorch's instructions."""
        raise UnsupportedError("Timer.collect_callgrind", "instructions are not counted", "", "use blocked_autorange")


class Compare:
    """Measurements side by side: a row for each sub-label, a column for each description."""

    def __init__(self, results: list[Measurement]) -> None:
        self._results: list[Measurement] = []
        self.extend_results(results)

    def extend_results(self, results: list[Measurement]) -> None:
        """Add measurements. Raises a ValueError for anything else."""
        if not all(isinstance(one, Measurement) for one in results):
            raise ValueRangeError("Compare", f"got {[type(one).__name__ for one in results]}", "expected Measurements")
        self._results += results

    def trim_significant_figures(self) -> None:
        """Nothing: numbers are shown with three digits."""

    colorize = highlight_warnings = trim_significant_figures

    def __str__(self) -> str:
        results = Measurement.merge(self._results)
        if not results:
            return ""
        unit, scale = select_unit(min(one.median for one in results))
        columns = list(dict.fromkeys(one.description or "" for one in results))
        rows: dict[Any, dict[str, str]] = {}
        for one in results:
            key = (one.label or "", one.num_threads, one.env or "", one.sub_label or one.stmt)
            rows.setdefault(key, {})[one.description or ""] = f"{one.median / scale:.3g}"
        width = max(len(str(key[3])) for key in rows) + 8
        lines = ["", " " * width + "".join(f"| {name:^10} " for name in columns)]
        for (label, threads, env, name), cells in rows.items():
            head = f"[{label}] {env}{threads} thr. {name}".strip()
            lines.append(f"{head:<{width}}" + "".join(f"| {cells.get(column, ''):>10} " for column in columns))
        return "\n".join([*lines, "", f"Times are in {unit_to_english(unit)}s ({unit})."])

    def print(self) -> None:
        """Show the table."""
        print(self)
