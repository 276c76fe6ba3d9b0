"""A ResNet-18 at 64 × 64, the digits CNN and an MLP as C programs beside our own: `python -m benchmarks c99`.

One image, one thread, no Winograd. The programs are compiled with ``-O3 -march=native``; times are the least processor time of a run, which
neighbours disturb little. The bar is 5 times our own.
"""

from __future__ import annotations

import argparse
import ctypes
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.record import record

__all__ = ["main", "measured"]

_BAR = 5.0


def measured(model: Any, x: Any, folder: Path, rounds: int) -> dict[str, float]:
    """Milliseconds of both, seconds of writing and compiling, and how far the results are apart."""
    import numpy as np

    import dovetail as dv
    from dovetail.onnx import to_c

    start = time.process_time()
    made = to_c(model, folder / "net.c", x)
    written = time.process_time() - start
    start = time.perf_counter()
    flags = ["-std=c99", "-O3", "-march=native", "-fPIC", "-shared"]
    subprocess.run(["gcc", *flags, str(folder / "net.c"), "-o", str(folder / "net.so"), "-lm"], check=True)
    compiled = time.perf_counter() - start
    loaded = ctypes.CDLL(str(folder / "net.so"))
    if len(made.files) > 2:
        loaded.net_load(made.files[0].encode())
    with dv.no_grad():
        wanted = model(x).numpy()
    given, found = x.numpy(), np.empty_like(wanted)
    call = (ctypes.c_size_t(len(given)), ctypes.c_void_p(given.ctypes.data), ctypes.c_void_p(found.ctypes.data))

    def ours() -> None:
        with dv.no_grad():
            model(x)

    times = _least({"ours": ours, "c": lambda: loaded.net_run(*call)}, rounds)
    apart = float(abs(found - wanted).max() / abs(wanted).max())
    return {**times, "ratio": times["c"] / times["ours"], "apart": apart, "written": written, "compiled": compiled}


def _least(runs: dict[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """The least processor time of each, in milliseconds; they take turns."""
    least = dict.fromkeys(runs, float("inf"))
    for _ in range(rounds):
        for name, run in runs.items():
            start = time.process_time()
            run()
            least[name] = min(least[name], 1e3 * (time.process_time() - start))
    return least


def main(arguments: list[str]) -> int:
    """Print and record the figures; exit code 1 where the program takes more than five times as long."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.c99", description=__doc__)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=30)
    chosen = parser.parse_args(arguments)
    if shutil.which("gcc") is None:
        print("c99: there is no gcc here", file=sys.stderr)
        return 2
    import dovetail as dv

    dv.set_num_threads(1)
    dv.backends.cpu.winograd = "off"
    dv.manual_seed(0)
    mlp = dv.nn.Sequential(dv.nn.Linear(784, 256), dv.nn.ReLU(), dv.nn.Linear(256, 10))
    cases = {
        "vision/resnet18 at 64 x 64": (dv.models.create("vision/resnet18"), (3, 64, 64)),
        "vision/digits_cnn": (dv.models.create("vision/digits_cnn"), (1, 28, 28)),
        "MLP 784-256-10": (mlp, (784,)),
    }
    figures = {}
    for name, (model, shape) in cases.items():
        with tempfile.TemporaryDirectory() as folder:
            found = measured(model.eval(), dv.randn(chosen.batch, *shape), Path(folder), chosen.rounds)
        figures[name] = {**found, "met": found["ratio"] <= _BAR and found["apart"] <= 1e-5}
        print(f"{name}: C {found['c']:.3f} ms, ours {found['ours']:.3f} ms, ratio {found['ratio']:.2f} (bar {_BAR:.0f})")
        print(f"  results {found['apart']:.1e} apart; written in {found['written']:.1f} s, compiled in {found['compiled']:.1f} s")
    record("c99", figures, batch=chosen.batch, rounds=chosen.rounds)
    return int(not all(found["met"] for found in figures.values()))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
