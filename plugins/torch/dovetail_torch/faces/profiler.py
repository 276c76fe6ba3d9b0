"""``dovetail.profiler``: what ran, how often and how long, by PyTorch's names; only this thread, and only ops of Dovetail."""

from __future__ import annotations

import os
import socket
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Iterable
from enum import Enum
from functools import cache, wraps
from typing import Any

import dovetail
from dovetail.autograd.engine import late
from dovetail.autograd.modes import STATE, observing
from dovetail.errors import UnsupportedError
from dovetail.nn import functional
from dovetail_torch.faces.profiler_events import EventList, FunctionEvent

__all__ = [
    "ProfilerAction", "ProfilerActivity", "Recorder", "kineto_available", "profile", "record_function", "schedule", "supported_activities",
    "tensorboard_trace_handler",
]  # fmt: skip

ProfilerActivity = Enum("ProfilerActivity", {"CPU": 0, "XPU": 1, "MTIA": 2, "CUDA": 3, "HPU": 4, "PrivateUse1": 5})
ProfilerAction = Enum("ProfilerAction", {"NONE": 0, "WARMUP": 1, "RECORD": 2, "RECORD_AND_SAVE": 3, "DEVICE_STOPPED": 4})
ProfilerAction.__doc__, ProfilerActivity.__doc__ = "What a schedule says of a step.", "What can be watched: here the CPU."

_NAMES = {  # PyTorch's names of ops that are known by others here
    "add_scaled": "add", "sum_to": "sum", "expand_to": "expand", "cast": "to", "move": "to", "getitem": "index", "setitem": "index_put_",
    "matmul_nt": "mm", "matmul_tn": "mm", "matmul_folded_tn": "mm", "matmul_folded_nt": "mm", "linear_grad": "mm",
    "attention": "scaled_dot_product_attention", "cross_entropy": "cross_entropy_loss",
    "lstm_layer": "lstm", "gru_layer": "gru", "convolution_input_grad": "convolution_backward",
    "convolution_weight_grad": "convolution_backward", "relu_grad": "threshold_backward", "softmax_grad": "_softmax_backward_data",
    "log_softmax_grad": "_log_softmax_backward_data", "batch_norm_infer": "batch_norm", "copy": "copy_", "fill": "fill_",
    "median_all": "median", "clamp_between": "clamp", "avg_pool": "avg_pool2d", "max_pool": "max_pool2d", "alias": "alias",
}  # fmt: skip


@cache
def _name(op: str) -> str:
    """The name that PyTorch's table has for an op; ``dovetail::`` before those that only we have."""
    if op in _NAMES:
        return f"aten::{_NAMES[op]}"
    if op.endswith("_grad"):
        return f"aten::{op.removesuffix('_grad')}_backward"
    own = op.strip("_") if not hasattr(dovetail.Tensor, op) else op
    known = hasattr(dovetail.Tensor, own) or hasattr(functional, own) or own.startswith(("linalg_", "fft_")) or own == "convolution"
    return f"aten::{op}" if known or hasattr(dovetail, own) else f"dovetail::{op}"


def _within(op: str, args: Any) -> list[str]:
    """What PyTorch calls inside the op: the product of a linear layer, the convolution of ``conv2d``."""
    if op == "linear":
        return ["aten::addmm" if len(args) > 2 and args[2] is not None else "aten::mm"]
    if op == "matmul":
        dims = args[0].ndim, args[1].ndim
        return ["aten::" + {(2, 2): "mm", (1, 1): "dot", (2, 1): "mv", (1, 2): "mv"}.get(dims, "bmm")]
    return [f"aten::_{op}"] if op in ("softmax", "log_softmax") else ["aten::_convolution"] if op == "convolution" else []


def _flops(op: str, args: Any, out: Any) -> int:
    if op in ("linear", "matmul"):
        return 2 * out.numel() * args[0].shape[-1]
    if op == "convolution":
        return 2 * out.numel() * args[1][0].numel()
    return out.numel() if op in ("add", "mul") else 0


class Recorder:
    """The observer that writes calls down while it is entered."""

    def __init__(self, shapes: bool = False, memory: bool = False, stack: bool = False, flops: bool = False) -> None:
        self.shapes, self.memory, self.stack, self.flops = shapes, memory, stack, flops
        self.events = EventList((), memory, flops)
        self.open: list[FunctionEvent] = []
        self.top: list[FunctionEvent] = []
        self.thread, self.seen = threading.get_native_id(), 0

    def __enter__(self) -> Recorder:
        self.watch = observing(self)
        self.watch.__enter__()
        _RECORDERS.append(self)
        self.before, late.inspect = late.inspect, self.node
        return self

    def __exit__(self, *error: Any) -> None:
        late.inspect = self.before
        _RECORDERS.remove(self)
        self.watch.__exit__(None, None, None)
        while self.open:
            self.close(self.open[-1])
        self.events.sort(key=lambda event: (event.time_range.start, event.depth))

    def begin(self, name: str, scope: int = 0) -> FunctionEvent:
        """Note that something begins."""
        event = FunctionEvent(len(self.events) + 1, name, time.perf_counter_ns() / 1e3, self.thread, scope)
        if self.open:
            event.cpu_parent = self.open[-1]
        event.walk = id(STATE.walk) if STATE.walk is not None else 0
        (self.open[-1].cpu_children if self.open else self.top).append(event)
        self.events.append(event)
        self.open.append(event)
        return event

    def close(self, event: FunctionEvent) -> None:
        """Note that it ends, and what began inside it."""
        now = time.perf_counter_ns() / 1e3
        while event in self.open:
            self.open.pop().time_range.end = now

    def __call__(self, op: Any, args: Any, run: Callable[[], Any]) -> Any:
        name = f"aten::conv{args[1].ndim - 2}d" if op.name == "convolution" and STATE.walk is None else _name(op.name)
        event = self.begin(name)
        inner = [self.begin(within) for within in _within(op.name, args)]
        try:
            out = run()
        finally:
            self.close(event)
        deepest = inner[-1] if inner else event
        if self.shapes:
            for e in (event, *inner):
                e.input_shapes = [list(a.shape) if isinstance(a, dovetail.Tensor) else [] for a in args]
        if self.memory and op.alias is None:
            results = [t for t in (out if isinstance(out, tuple | list) else (out,)) if isinstance(t, dovetail.Tensor)]
            deepest.self_cpu_memory_usage = sum(t.numel() * t.element_size() for t in results)
        if self.flops and isinstance(out, dovetail.Tensor):
            deepest.flops = _flops(op.name, args, out)
        if self.stack:
            frames = [f for f in traceback.extract_stack()[:-1] if f"{os.sep}dovetail{os.sep}" not in f.filename]
            event.stack = [f"{f.filename}({f.lineno}): {f.name}" for f in reversed(frames) if f.filename != __file__]
        return out

    def node(self, node: Any, grads: Any) -> None:
        """A node of the graph has run: what came since the one before it was inside."""
        if self.before is not None:
            self.before(node, grads)
        if threading.get_native_id() != self.thread:
            return
        siblings = self.open[-1].cpu_children if self.open else self.top
        walk, first = id(STATE.walk), len(siblings)
        while first and siblings[first - 1].walk == walk and siblings[first - 1].id > self.seen:
            first -= 1
        inside = siblings[first:]
        outer = self.begin(f"autograd::engine::evaluate_function: {node.name()}")
        inner = self.begin(node.name(), 1)
        inner.sequence_nr = outer.sequence_nr = node.seq
        if inside:
            outer.time_range.start = inner.time_range.start = inside[0].time_range.start
        self.close(outer)
        del siblings[first : first + len(inside)]
        inner.cpu_children[:] = inside
        for event in inside:
            event.cpu_parent = inner
        self.seen = len(self.events)


_RECORDERS: list[Recorder] = []


class record_function:
    """A range of the user's own in what a profiler records; a context manager and a decorator.

    >>> with profile() as p, record_function("mine"):
    ...     _ = dovetail.ones(2) * 3
    >>> [event.key for event in p.events()]
    ['mine', 'aten::mul']
    """

    def __init__(self, name: str, args: str | None = None) -> None:
        self.name, self.args = name, args

    def __enter__(self) -> record_function:
        thread = threading.get_native_id()
        self.events = [(r, r.begin(self.name, 7)) for r in _RECORDERS if r.thread == thread]
        return self

    def __exit__(self, *error: Any) -> None:
        for recorder, event in self.events:
            recorder.close(event)

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def inside(*args: Any, **kwargs: Any) -> Any:
            with record_function(self.name, self.args):
                return function(*args, **kwargs)

        return inside


def supported_activities() -> set[Any]:
    """What can be watched.

    >>> supported_activities()
    {<ProfilerActivity.CPU: 0>}
    """
    return {ProfilerActivity.CPU}


def kineto_available() -> bool:
    """False: PyTorch's library for traces is not used."""
    return False


def schedule(
    *, wait: int, warmup: int, active: int, repeat: int = 0, skip_first: int = 0, skip_first_wait: int = 0
) -> Callable[[int], Any]:
    """What to do at each step: after `skip_first`, cycles of `wait`, `warmup` and `active` steps, `repeat` of them (0: without end).

    Raises an AssertionError for numbers that are no counts.

    >>> [schedule(wait=1, warmup=1, active=1)(step).name for step in range(4)]
    ['NONE', 'WARMUP', 'RECORD_AND_SAVE', 'NONE']
    """
    if wait < 0 or warmup < 0 or active <= 0 or repeat < 0 or skip_first < 0:
        raise AssertionError(
            f"Invalid profiler schedule arguments. Got wait={wait} (need >= 0), warmup={warmup} (need >= 0), "
            f"active={active} (need > 0), repeat={repeat} (need >= 0), skip_first={skip_first} (need >= 0)."
        )
    if warmup == 0:
        warnings.warn("Profiler won't be using warmup, this can skew profiler results", stacklevel=2)
    length = wait + warmup + active

    def at(step: int) -> Any:
        if step < 0:
            raise AssertionError(f"Step must be non-negative. Got {step}.")
        if step < skip_first:
            return ProfilerAction.NONE
        step += (wait if skip_first_wait else 0) - skip_first
        place = step % length
        if (repeat > 0 and step / length >= repeat) or place < wait:
            return ProfilerAction.NONE
        if place < wait + warmup:
            return ProfilerAction.WARMUP
        return ProfilerAction.RECORD if place < length - 1 else ProfilerAction.RECORD_AND_SAVE

    return at


def tensorboard_trace_handler(dir_name: str, worker_name: str | None = None, use_gzip: bool = False) -> Callable[[Any], None]:
    """For ``on_trace_ready``: write each trace into a folder, by worker and time."""

    def write(p: Any) -> None:
        os.makedirs(dir_name, exist_ok=True)
        worker = worker_name or f"{socket.gethostname()}_{os.getpid()}"
        p.export_chrome_trace(os.path.join(dir_name, f"{worker}.{time.time_ns()}.pt.trace.json" + ".gz" * use_gzip))

    return write


class profile:
    """Record what runs inside the block, or at the steps that `schedule` names; `on_trace_ready(self)` is called after each cycle.

    `record_shapes`, `profile_memory` (bytes of results), `with_stack` and `with_flops` note more. Times of other threads and of devices
    are not seen; ``with_modules`` changes nothing.

    >>> with profile(record_shapes=True) as p:
    ...     _ = dovetail.ones(2, 3) @ dovetail.ones(3, 1)
    >>> [(row.key, row.count, row.input_shapes) for row in p.key_averages(group_by_input_shape=True)]
    [('aten::matmul', 1, [[2, 3], [3, 1]]), ('aten::mm', 1, [[2, 3], [3, 1]])]
    """

    def __init__(
        self, *, activities: Iterable[Any] | None = None, schedule: Callable[[int], Any] | None = None,
        on_trace_ready: Callable[..., Any] | None = None, record_shapes: bool = False, profile_memory: bool = False,
        with_stack: bool = False, with_flops: bool = False, with_modules: bool = False, experimental_config: Any = None,
        execution_trace_observer: Any = None, acc_events: bool = False, use_cuda: bool | None = None,
        custom_trace_id_callback: Callable[[], str] | None = None, post_processing_timeout_s: float | None = None,
    ) -> None:  # fmt: skip
        if execution_trace_observer is not None:
            raise UnsupportedError("profile()", "execution traces are not written", "", "leave execution_trace_observer out")
        self.activities = set(activities) if activities else supported_activities()
        if ProfilerActivity.CUDA in self.activities:
            warnings.warn("CUDA is not available, disabling CUDA profiling", stacklevel=2)
        if not self.activities & supported_activities():
            raise AssertionError("No activities specified for the profiler")
        self.record_steps, self.schedule = schedule is not None, schedule or (lambda step: ProfilerAction.RECORD)
        self.on_trace_ready, self.acc_events = on_trace_ready, acc_events
        self.record_shapes, self.profile_memory, self.with_stack, self.with_flops = record_shapes, profile_memory, with_stack, with_flops
        self.with_modules, self.step_num, self.step_rec_fn = with_modules, 0, None
        self.current_action = self.schedule(0)
        self.profiler: Recorder | None = None
        self.metadata: dict[str, str] = {}

    def __enter__(self) -> profile:
        self.start()
        return self

    def __exit__(self, *error: Any) -> None:
        self.stop()

    def start(self) -> None:
        """Begin, as entering the block does."""
        self._pass("NONE", self.current_action.name)
        self._range(True)

    def stop(self) -> None:
        """End, as leaving the block does."""
        self._range(False)
        self._pass(self.current_action.name, None)

    def step(self) -> None:
        """Say that the next step begins."""
        self._range(False)
        before, self.step_num = self.current_action.name, self.step_num + 1
        self.current_action = self.schedule(self.step_num)
        self._pass(before, self.current_action.name)
        self._range(True)

    def _range(self, begins: bool) -> None:
        if self.step_rec_fn is not None:
            self.step_rec_fn.__exit__()
            self.step_rec_fn = None
        if begins and self.record_steps:
            self.step_rec_fn = record_function(f"ProfilerStep#{self.step_num}")
            self.step_rec_fn.__enter__()

    def _pass(self, before: str, after: str | None) -> None:
        """From one action to the next: stop recording, hand the trace over, start again."""
        recording = before.startswith("RECORD")
        if before in ("WARMUP", "RECORD") and (after == "NONE" or (before, after) == ("RECORD", "WARMUP")):
            warnings.warn(f"Incorrect schedule: {before} followed by {after}", stacklevel=3)
        if not recording and before == "WARMUP" and after in ("NONE", None):
            self._start()
            self._stop()
        if recording and (before == "RECORD_AND_SAVE" or after in (None, "NONE", "WARMUP")):
            self._stop()
            if self.on_trace_ready and (before == "RECORD_AND_SAVE" or after is None):
                self.on_trace_ready(self)
        if after in ("RECORD", "RECORD_AND_SAVE") and (not recording or before == "RECORD_AND_SAVE"):
            self._start()

    def _start(self) -> None:
        kept = self.profiler.events if self.acc_events and self.profiler is not None else ()
        self.profiler = Recorder(self.record_shapes, self.profile_memory, self.with_stack, self.with_flops)
        self.profiler.events.extend(kept)
        self.profiler.__enter__()

    def _stop(self) -> None:
        if self.profiler is not None:
            self.profiler.__exit__()

    def _need(self, what: str) -> EventList:
        if self.profiler is None:
            raise AssertionError(f"Profiler must be initialized before {what}")
        return self.profiler.events

    def events(self) -> EventList:
        """All events of the last cycle, in the order in which they began. An AssertionError before there are any."""
        return self._need("accessing events")

    def key_averages(
        self, group_by_input_shape: bool = False, group_by_stack_n: int = 0, group_by_overload_name: bool = False
    ) -> EventList:
        """The events of one name together."""
        return self._need("getting key averages").key_averages(group_by_input_shape, group_by_stack_n, group_by_overload_name)

    def export_chrome_trace(self, path: str, use_python_export: bool = False) -> None:
        """Write the last cycle for chrome://tracing and Perfetto; compressed where the name ends with ``.gz``."""
        self._need("exporting chrome trace").export_chrome_trace(path, self.metadata)

    def export_stacks(self, path: str, metric: str = "self_cpu_time_total") -> None:
        """Write the stacks for a flame graph (``with_stack=True``)."""
        self._need("exporting stacks").export_stacks(path, metric)

    def export_memory_timeline(self, path: str, device: str | None = None) -> None:
        """Not written: an UnsupportedError (RuntimeError)."""
        raise UnsupportedError("profile.export_memory_timeline", "timelines of memory are not written", "", "use profile_memory=True")

    def add_metadata(self, key: str, value: str) -> None:
        """A text that the trace carries."""
        self.metadata[key] = str(value)

    def add_metadata_json(self, key: str, value: str) -> None:
        """JSON that the trace carries, as text."""
        self.metadata[key] = value
