"""What a profiler has seen: events with times, shapes and memory, their averages, PyTorch's table and Chrome's trace."""

from __future__ import annotations

import gzip
import json
import math
import os
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

from dovetail.errors import ValueRangeError
from dovetail.io.atomic import replacing

__all__ = ["EventList", "FunctionEvent", "FunctionEventAvg", "Interval"]

_ZERO = (
    "device_time device_time_total self_device_time_total cuda_time cuda_time_total self_cuda_time_total "
    "device_memory_usage self_device_memory_usage device_index"
).split()
_METRICS = ("self_cpu_time_total", "self_cuda_time_total", "self_xpu_time_total", "self_privateuse1_time_total")


def _time(us: float) -> str:
    if us >= 1e6:
        return f"{us / 1e6:.3f}s"
    return f"{us / 1e3:.3f}ms" if us >= 1e3 else f"{us:.3f}us"


def _memory(n: int) -> str:
    for size, unit in ((1 << 30, "GB"), (1 << 20, "MB"), (1 << 10, "KB")):
        if abs(n) >= size:
            return f"{n / size:.2f} {unit}"
    return f"{n} B"


class Interval:
    """From when to when, in microseconds."""

    def __init__(self, start: float, end: float) -> None:
        self.start, self.end = start, end

    def elapsed_us(self) -> float:
        """How long."""
        return self.end - self.start


class _Times:
    """Names that PyTorch's events have beside what is measured here; there is no time on a device but the CPU's."""

    use_device = None
    device_type = SimpleNamespace(name="CPU", value=0)
    node_id, is_async, is_remote, is_legacy, overload_name = -1, False, False, False, ""
    locals().update(dict.fromkeys(_ZERO, 0))
    cpu_time_total: Any
    self_cpu_time_total: Any
    count: int

    @property
    def cpu_time(self) -> float:
        """The mean time of a call, in microseconds."""
        return self.cpu_time_total / self.count if self.count else 0.0

    def __getattr__(self, name: str) -> Any:
        if name.endswith("_str") and "_time" in name:
            return _time(getattr(self, name.removesuffix("_str")))
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")


class FunctionEvent(_Times):
    """One call: its name, when it ran, within which other, and what it took."""

    count = 1

    def __init__(self, id: int, name: str, start: float, thread: int, scope: int = 0) -> None:
        self.trace_name = name
        self.name = self.key = "ProfilerStep*" if name.startswith("ProfilerStep#") else name
        self.id, self.thread, self.scope = id, thread, scope
        self.time_range = Interval(start, start)
        self.cpu_parent: FunctionEvent | None = None
        self.cpu_children: list[FunctionEvent] = []
        self.input_shapes: list[Any] = []
        self.stack: list[str] = []
        self.concrete_inputs: list[Any] = []
        self.flops = self.self_cpu_memory_usage = 0
        self.sequence_nr, self.walk = -1, 0
        self.is_user_annotation = scope == 7

    @property
    def depth(self) -> int:
        """How many calls this one is inside of."""
        return 0 if self.cpu_parent is None else self.cpu_parent.depth + 1

    @property
    def cpu_time_total(self) -> float:  # type: ignore[override]
        """The time of the call with what it called, in microseconds."""
        return self.time_range.elapsed_us()

    @property
    def self_cpu_time_total(self) -> float:  # type: ignore[override]
        """The time of the call without what it called."""
        return self.cpu_time_total - sum(child.cpu_time_total for child in self.cpu_children)

    @property
    def cpu_memory_usage(self) -> int:
        """Bytes of the results that the call and what it called have made."""
        return self.self_cpu_memory_usage + sum(child.cpu_memory_usage for child in self.cpu_children)

    def __repr__(self) -> str:
        return (
            f"<FunctionEvent id={self.id} name={self.name} cpu_time={self.cpu_time_str} start_us={self.time_range.start} "
            f"end_us={self.time_range.end} cpu_children={[child.id for child in self.cpu_children]} thread={self.thread} "
            f"input_shapes={self.input_shapes} cpu_memory_usage={self.cpu_memory_usage}>"
        )


class FunctionEventAvg(_Times):
    """The calls of one name together."""

    def __init__(self) -> None:
        self.key: Any = None
        self.count = self.flops = 0
        self.cpu_time_total = self.self_cpu_time_total = 0.0
        self.cpu_memory_usage = self.self_cpu_memory_usage = 0
        self.input_shapes: Any = None
        self.stack: list[str] = []
        self.scope, self.cpu_parent, self.cpu_children, self.is_user_annotation = None, None, [], False  # type: ignore[var-annotated]

    def add(self, other: Any) -> FunctionEventAvg:
        """Count another event, or another average, in."""
        if self.key is None:
            for name in ("key", "scope", "cpu_parent", "cpu_children", "input_shapes", "stack", "is_user_annotation"):
                setattr(self, name, getattr(other, name))
        inside = other.cpu_parent
        while inside is not None and inside.key != other.key:
            inside = inside.cpu_parent
        if inside is None:  # a call within one of the same name has been counted with it
            self.cpu_time_total += other.cpu_time_total
            self.cpu_memory_usage += other.cpu_memory_usage
        for name in ("count", "flops", "self_cpu_time_total", "self_cpu_memory_usage"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        return self

    def __iadd__(self, other: Any) -> FunctionEventAvg:
        return self.add(other)

    def __repr__(self) -> str:
        return (
            f"<FunctionEventAvg key={self.key} self_cpu_time={self.self_cpu_time_total_str} cpu_time={self.cpu_time_str} "
            f" self_cuda_time={self.self_cuda_time_total_str} cuda_time={self.cuda_time_str} input_shapes={self.input_shapes} "
            f"cpu_memory_usage={self.cpu_memory_usage} cuda_memory_usage=0>"
        )


class EventList(list[Any]):
    """Events, or averages of them, that are shown as a table."""

    def __init__(self, events: Iterable[Any] = (), profile_memory: bool = False, with_flops: bool = False) -> None:
        super().__init__(events)
        self.profile_memory, self.with_flops = profile_memory, with_flops

    @property
    def self_cpu_time_total(self) -> float:
        """The time of all events, in microseconds."""
        return sum(event.self_cpu_time_total for event in self)

    def key_averages(
        self, group_by_input_shapes: bool = False, group_by_stack_n: int = 0, group_by_overload_name: bool = False
    ) -> EventList:
        """The events of one name (and shapes of inputs, and `group_by_stack_n` lines of the stack) as one."""
        found: dict[Any, FunctionEventAvg] = {}
        for event in self:
            key = (event.key, event.is_user_annotation, str(event.input_shapes) if group_by_input_shapes else "")
            found.setdefault((*key, *event.stack[:group_by_stack_n]), FunctionEventAvg()).add(event)
        for average in found.values():
            average.stack = average.stack[:group_by_stack_n]
            if not group_by_input_shapes:
                average.input_shapes = ""
        return EventList(found.values(), self.profile_memory, self.with_flops)

    def total_average(self) -> FunctionEventAvg:
        """All events as one, by the name ``Total``."""
        total = FunctionEventAvg()
        for event in self:
            total += event
            total.key = None
        total.key = "Total"
        return total

    def export_stacks(self, path: str, metric: str) -> None:
        """Write the stacks as lines ``outer;inner time``, which a flame graph is drawn of; of events with stacks."""
        if metric not in _METRICS:
            raise ValueRangeError("export_stacks", f"metric should be one of: {_METRICS}", f"got {metric!r}")
        table = str.maketrans(" ;\t\n", "____")
        with replacing(path) as file, open(file, "w", encoding="utf-8") as out:
            for event in self:
                value = int(getattr(event, metric.replace("cuda", "device").replace("xpu", "device").replace("privateuse1", "device")))
                if event.stack and value > 0:
                    out.write(";".join(line.translate(table) for line in reversed(event.stack)) + f" {value}\n")

    def export_chrome_trace(self, path: str, metadata: dict[str, str] | None = None, steps: int = 0) -> None:
        """Write the events as JSON for chrome://tracing and Perfetto; compressed where the name ends with ``.gz``."""
        pid, rows = os.getpid(), list[dict[str, Any]]()
        rows += [{"ph": "M", "name": "process_name", "ts": 0, "pid": pid, "tid": 0, "args": {"name": "python"}}]
        for thread in dict.fromkeys(event.thread for event in self):
            row = {"ph": "M", "name": "thread_name", "ts": 0, "pid": pid, "tid": thread, "args": {"name": f"thread {thread}"}}
            rows.append(row)
        for at, event in enumerate(self):
            args = {"External id": event.id, "Ev Idx": at, "Input Dims": event.input_shapes}
            kind = "user_annotation" if event.is_user_annotation else "cpu_op"
            row = {"ph": "X", "cat": kind, "name": event.trace_name, "pid": pid, "tid": event.thread, "ts": event.time_range.start}
            rows.append(
                row | {"dur": event.cpu_time_total, "args": args if event.input_shapes else {"External id": event.id, "Ev Idx": at}}
            )
        whole = {"schemaVersion": 1, "deviceProperties": [], "displayTimeUnit": "ms", **(metadata or {})}
        text = json.dumps(whole | {"traceEvents": rows, "traceName": str(path)}).encode()
        with replacing(path) as file:
            file.write_bytes(gzip.compress(text) if str(path).endswith(".gz") else text)

    def table(
        self, sort_by: str | None = None, row_limit: int = 100, max_src_column_width: int | None = 75,
        max_name_column_width: int | None = 55, max_shapes_column_width: int | None = 80, header: str | None = None,
        top_level_events_only: bool = False, time_unit: str | None = None,
    ) -> str:  # fmt: skip
        """PyTorch's table, by `sort_by` downwards (``"cpu_time_total"``, ``"self_cpu_memory_usage"``, ``"count"`` …)."""
        if not self:
            return ""
        events: list[Any] = list(self)
        if sort_by is not None:
            name = sort_by.replace("cuda", "device").replace("xpu", "device").replace("privateuse1", "device")
            events.sort(key=lambda event: getattr(event, name), reverse=True)
        columns = _columns(self, events, (max_name_column_width, max_shapes_column_width, max_src_column_width), time_unit)
        form = "".join(f"{{: {side}{width}}}  " for _, width, side, _ in columns)
        rule = "".join("-" * width + "  " for _, width, _, _ in columns)
        lines = ["=" * (len(rule) - 2), header] if header is not None else []
        lines += ["=" * (len(rule) - 2), "This report only display top-level ops statistics"] if top_level_events_only else []
        lines += [rule, form.format(*(column[0] for column in columns)), rule]
        shown = [event for event in events if not (top_level_events_only and event.cpu_parent is not None)]
        for event in shown[:row_limit] if row_limit >= 0 else shown:
            lines.append(form.format(*(cell(event) for *_, cell in columns)))
            for entry in event.stack[1:]:
                lines.append(form.format(*[""] * (len(columns) - 1), entry))
            if event.stack:
                lines.append(form.format(*[""] * len(columns)))
        return "\n".join([*lines, rule, f"Self CPU time total: {_in(time_unit, self.self_cpu_time_total)}", ""])

    def __str__(self) -> str:
        return self.table()


def _in(unit: str | None, us: float) -> str:
    scale = {"s": 1e6, "ms": 1e3, "us": 1.0}.get(unit or "")
    return _time(us) if scale is None else f"{us / scale:.3f}{unit}"


def _columns(whole: EventList, events: list[Any], widest: tuple[int | None, int | None, int | None], unit: str | None) -> list[Any]:
    """The columns: head, width, side, and the text of an event's cell."""
    total = whole.self_cpu_time_total

    def width(longest: int, at: int) -> int:
        return longest + 4 if widest[at] is None else min(longest + 4, widest[at] or 0)

    def name(event: Any) -> str:
        limit = widest[0]
        return event.key if limit is None or len(event.key) < limit - 3 else event.key[: limit - 3] + "..."

    def share(us: float) -> str:
        return f"{us * 100.0 / total:.2f}%" if total else "NaN"

    columns: list[Any] = [
        ("Name", width(max(len(e.key) for e in events), 0), ">", name),
        ("Self CPU %", 12, ">", lambda e: share(e.self_cpu_time_total)),
        ("Self CPU", 12, ">", lambda e: _in(unit, e.self_cpu_time_total)),
        ("CPU total %", 12, ">", lambda e: share(e.cpu_time_total)),
        ("CPU total", 12, ">", lambda e: _in(unit, e.cpu_time_total)),
        ("CPU time avg", 12, ">", lambda e: _in(unit, e.cpu_time)),
    ]
    if whole.profile_memory:
        columns += [("CPU Mem", 12, ">", lambda e: _memory(e.cpu_memory_usage))]
        columns += [("Self CPU Mem", 12, ">", lambda e: _memory(e.self_cpu_memory_usage))]
    columns.append(("# of Calls", 12, ">", lambda e: e.count))
    if any(e.input_shapes for e in events):
        shapes = width(max(len(str(e.input_shapes)) for e in events), 1)
        columns.append(("Input Shapes", shapes, ">", lambda e: str(e.input_shapes)[:shapes]))
    stacks = [line for e in events for line in e.stack]
    if stacks:
        columns.append(("Source Location", width(max(map(len, stacks)), 2), "<", lambda e: e.stack[0] if e.stack else ""))
    flops = [e.flops for e in events if e.flops > 0]
    if whole.with_flops and flops:
        step = max(0, min(5, math.floor(math.log10(min(flops)) / 3)))
        head = f"Total {('', 'K', 'M', 'G', 'T', 'P')[step]}FLOPs"
        columns.append((head, 12, ">", lambda e: f"{e.flops * 10.0 ** (-3 * step):8.3f}" if e.flops > 0 else "--"))
    return columns
