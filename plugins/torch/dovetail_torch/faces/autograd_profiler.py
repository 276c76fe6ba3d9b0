"""``dovetail.autograd.profiler``: the older face of ``dovetail.profiler``; ranges for NVIDIA's and Intel's tools are refused."""

from __future__ import annotations

from typing import Any

from dovetail.errors import UnsupportedError
from dovetail_torch.faces.profiler import Recorder, record_function
from dovetail_torch.faces.profiler_events import EventList, FunctionEvent, FunctionEventAvg

__all__ = ["EventList", "FunctionEvent", "FunctionEventAvg", "emit_itt", "emit_nvtx", "profile", "record_function"]


class profile:
    """Record what runs inside the block; with ``enabled=False`` nothing.

    >>> import dovetail as dv
    >>> with profile() as p:
    ...     _ = dv.ones(2) + 1
    >>> p.key_averages()[0].key
    'aten::add'
    """

    def __init__(
        self, enabled: bool = True, *, use_cuda: bool = False, use_device: str | None = None, record_shapes: bool = False,
        with_flops: bool = False, profile_memory: bool = False, with_stack: bool = False, with_modules: bool = False,
        use_kineto: bool = False, use_cpu: bool = True, experimental_config: Any = None, acc_events: bool = False,
        custom_trace_id_callback: Any = None, post_processing_timeout_s: float | None = None, activity_filters: Any = None,
    ) -> None:  # fmt: skip
        self.enabled, self.entered = enabled, False
        self.recorder = Recorder(record_shapes, profile_memory, with_stack, with_flops)
        self.function_events: EventList | None = None

    def __enter__(self) -> profile:
        if self.entered:
            raise RuntimeError("Profiler context manager is not reentrant")
        self.entered = self.enabled
        if self.enabled:
            self.recorder.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        if self.enabled:
            self.recorder.__exit__()
            self.function_events = self.recorder.events

    def _events(self) -> EventList:
        if self.function_events is None:
            raise RuntimeError("Profiler didn't finish running")
        return self.function_events

    def table(self, sort_by: str | None = None, row_limit: int = 100, **more: Any) -> str:
        """The table of all events."""
        return self._events().table(sort_by, row_limit, **more)

    def key_averages(
        self, group_by_input_shape: bool = False, group_by_stack_n: int = 0, group_by_overload_name: bool = False
    ) -> EventList:
        """The events of one name together."""
        return self._events().key_averages(group_by_input_shape, group_by_stack_n, group_by_overload_name)

    def total_average(self) -> FunctionEventAvg:
        """All events as one."""
        return self._events().total_average()

    def export_chrome_trace(self, path: str) -> None:
        """Write the events for chrome://tracing and Perfetto."""
        self._events().export_chrome_trace(path)

    def export_stacks(self, path: str, metric: str = "self_cpu_time_total") -> None:
        """Write the stacks for a flame graph."""
        self._events().export_stacks(path, metric)

    @property
    def self_cpu_time_total(self) -> float:
        """The time of all events, in microseconds."""
        return self._events().self_cpu_time_total

    def __str__(self) -> str:
        return "<unfinished torch.autograd.profile>" if self.function_events is None else str(self.function_events)


def emit_nvtx(enabled: bool = True, record_shapes: bool = False) -> Any:
    """Refused: an UnsupportedError (RuntimeError)."""
    raise UnsupportedError("emit_nvtx", "ranges for NVIDIA's tools are not emitted", "", "use dovetail.profiler.profile, or cuda.nvtx")


def emit_itt(enabled: bool = True, record_shapes: bool = False) -> Any:
    """Refused: an UnsupportedError (RuntimeError)."""
    raise UnsupportedError("emit_itt", "ranges for Intel's tools are not emitted", "", "use dovetail.profiler.profile")
