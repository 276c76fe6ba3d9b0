"""Streams and events of a GPU, on the stand-in for CuPy, and of the CPU."""

from __future__ import annotations

import pytest

import dovetail as dv
from tests.support.cupy_standin import standin  # noqa: F401


def test_streams_and_events(standin) -> None:
    before = dv.cuda.current_stream()
    assert before == dv.cuda.default_stream() and dv.accelerator.current_stream() == before
    s = dv.cuda.Stream()
    assert s != before and isinstance(s, dv.Stream) and s.device == dv.device("cuda", 0)
    with dv.cuda.stream(s), dv.cuda.stream(None):
        assert dv.cuda.current_stream() == s
        start = dv.cuda.Event(enable_timing=True)
        start.record()
    with s:
        assert dv.cuda.current_stream() == s
    assert dv.cuda.current_stream() == before
    end = s.record_event()
    s.wait_event(end)
    before.wait_stream(s)
    end.wait()
    end.synchronize()
    assert s.query() and end.query() and start.elapsed_time(end) == 0.0
    assert type(dv.Stream("cuda")) is dv.cuda.Stream and type(dv.Event("cuda", enable_timing=True)) is dv.cuda.Event
    dv.cuda.set_stream(s)
    try:
        assert dv.cuda.current_stream() == s
    finally:
        dv.cuda.set_stream(before)


def test_the_cpu_has_one_stream_which_is_empty() -> None:
    with dv.cpu.stream(dv.cpu.current_stream()), dv.Stream() as s:
        assert s.query() and s.synchronize() is None and s.record_event() is None
    with pytest.raises(ValueError, match="enable_timing"):
        dv.Event().elapsed_time(dv.Event())
