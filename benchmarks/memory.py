"""Live memory at the peak of a training step, beside PyTorch: `python -m benchmarks.memory [NAME …]`.

Both are asked for what their allocators were asked for: PyTorch's profiler records every request for a tensor's memory and its return;
ours come from the allocator of dovetail-cpu, which serves NumPy's arrays too for the occasion. Both include parameters, gradients and the
optimizer's state, and neither what a kernel takes for the time of a call. The growth of resident memory beside them has that, and all code.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.duel import Side
from benchmarks.record import figures, record
from benchmarks.worker import framework
from benchmarks.workloads import CASES

__all__ = ["main"]

_STEPS = 3  # the first makes the optimizer's state
_TRAINING = [case for case in CASES if "inference" not in case and "forward" not in case and "dropout" not in case]


def _torch_live(torch: Any, case: str) -> int:
    """The largest sum of PyTorch's requests that were open at one time of the last step."""
    from torch.profiler import ProfilerActivity, profile, record_function

    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as seen:
        built = CASES[case](torch)
        for _ in range(_STEPS):
            with record_function("a step"):
                built.step()
    events = seen.profiler.kineto_results.events()
    last = max(event.start_ns() for event in events if event.name() == "a step")
    live = peak = 0
    for event in sorted((e for e in events if e.name() == "[memory]"), key=lambda e: e.start_ns()):
        live += event.nbytes()
        peak = max(peak, live) if event.start_ns() >= last else peak
    return peak


def _our_live(torch: Any, case: str) -> int:
    """The most that arrays held at one time of the last step."""
    from dovetail_cpu import _native, memory_stats, reset_peak_memory_stats

    _native.count_numpy()
    torch.rand(1)  # the generator's own state is in arrays too; PyTorch's is in no tensor
    before = memory_stats()["allocated"]
    built = CASES[case](torch)
    for _ in range(_STEPS - 1):
        built.step()
    gc.collect()
    reset_peak_memory_stats()
    built.step()
    return memory_stats()["peak"] - before


def _resident(torch: Any, case: str) -> int:
    """How much resident memory grows from an idle framework to the peak of three steps."""
    CASES["chain 8x8"](torch, times=2).step()  # whatever is loaded at first use
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts here
    before = _kilobytes("VmRSS")
    built = CASES[case](torch)
    for _ in range(_STEPS):
        built.step()
    return (_kilobytes("VmHWM") - before) * 1024


def _kilobytes(name: str) -> int:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return int(next(line for line in lines if line.startswith(name)).split()[1])


def _ask(side: Side, case: str, what: str) -> int:
    command = [sys.executable, "-m", "benchmarks.memory", "--worker", side.framework, case, what]
    told = subprocess.run(command, env=side.environment(), check=True, stdout=subprocess.PIPE, text=True).stdout
    return json.loads(told.splitlines()[-1])


def _worker(name: str, case: str, what: str) -> int:
    torch = framework(Side(name))
    measure = _resident if what == "resident" else _torch_live if name == "torch" else _our_live
    print(measure(torch, case))
    return 0


def main(arguments: list[str]) -> int:
    """Print and record the table; exit code 1 where our live memory is above PyTorch's."""
    if arguments[:1] == ["--worker"]:
        return _worker(*arguments[1:])
    rows = []
    resident = os.path.exists("/proc/self/clear_refs")
    print(f"{'case':22} {'live MB':>9} {'torch':>9} {'ratio':>6}   {'resident':>9} {'torch':>9}")
    for case in _TRAINING:
        if arguments and not any(part.lower() in case.lower() for part in arguments):
            continue
        kinds = ("live", "resident") if resident else ("live",)
        row: dict[str, Any] = {"case": case}
        for kind in kinds:
            row[kind], row[f"torch {kind}"] = (_ask(Side(name), case, kind) for name in ("dovetail", "torch"))
        row["met"] = row["live"] <= row["torch live"]
        rows.append(row)
        told = [f"{row.get(kind, 0) / 1e6:9.2f}" for kind in ("live", "torch live", "resident", "torch resident")]
        ratio = row["live"] / row["torch live"]
        print(f"{case:22} {told[0]} {told[1]} {ratio:6.3f}   {told[2]} {told[3]}  {'met' if row['met'] else 'MISSED'}", flush=True)
    kept = {row["case"]: row for row in [*figures().get("memory", {}).get("found", []), *rows]}  # cases that were not measured now stay
    record("memory", [kept[case] for case in _TRAINING if case in kept])
    return int(not all(row["met"] for row in rows))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
