"""The parts around the kernels: threads, memory, instruction sets, switches."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

import dovetail as dv
import dovetail_cpu
from dovetail_cpu import _native

SOURCES = Path(__file__).resolve().parents[2] / "plugins" / "cpu" / "src"


def python(program: str, **environment: str) -> str:
    """What a program prints in a process of its own."""
    told = {**os.environ, "PYTHONWARNINGS": "error", **environment}
    done = subprocess.run([sys.executable, "-c", program], env=told, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_core_runs_on_kernels_without_being_told() -> None:
    made = dv.ones(8, 8) @ dv.ones(8, 8)
    before = dovetail_cpu.memory_stats()
    made = made @ made
    after = dovetail_cpu.memory_stats()
    assert after["hits"] + after["misses"] > before["hits"] + before["misses"] and made.tolist() == [[512.0] * 8] * 8


def test_set_num_threads_reaches_the_pool() -> None:
    before = dv.get_num_threads()
    try:
        dv.set_num_threads(3)
        assert _native.get_num_threads() == 3
    finally:
        dv.set_num_threads(before)
    assert _native.get_num_threads() == before


def test_nothing_runs_before_the_first_kernel() -> None:
    count = "len(__import__('os').listdir('/proc/self/task'))"
    if not Path("/proc/self/task").exists():
        pytest.skip("there is no /proc to count threads in")
    program = f"import numpy as np\nbefore = {count}\nfrom dovetail_cpu import _native\nidle = {count}\n"
    program += "_native.set_num_threads(3)\nx = np.ones((512, 512), 'f4')\n_native.matmul(x, x)\n"
    program += f"print(idle - before, {count} - before)"
    assert python(program) == "0 2"


def test_a_forked_child_starts_anew() -> None:
    if not hasattr(os, "fork"):
        pytest.skip("this system has no fork")
    program = (
        "import os\nimport numpy as np\nfrom dovetail_cpu import _native\n_native.set_num_threads(2)\nx = np.ones((512, 512), 'f4')\n"
        "_native.matmul(x, x)\npid = os.fork()\nok = bool((_native.matmul(x, x) == 512).all())\n"
        "if not pid:\n    os._exit(0 if ok else 1)\nprint(ok, os.waitpid(pid, 0)[1])\n"
    )
    assert python(program) == "True 0"


def test_threads_of_python_may_call_at_once() -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((300, 300)).astype("f4")
    want = _native.matmul(x, x).tobytes()
    wrong = []

    def work() -> None:
        for _ in range(20):
            if _native.matmul(x, x).tobytes() != want:
                wrong.append(1)

    crew = [threading.Thread(target=work) for _ in range(4)]
    for t in crew:
        t.start()
    for t in crew:
        t.join()
    assert not wrong


def test_memory_is_kept_for_the_next_array_and_can_be_given_back() -> None:
    x = np.ones((256, 256), "f4")
    dovetail_cpu.empty_cache()
    first = _native.add(x, x)
    held = dovetail_cpu.memory_stats()["allocated"]
    del first
    stats = dovetail_cpu.memory_stats()
    assert stats["cached"] >= x.nbytes and held - stats["allocated"] >= x.nbytes
    hits = stats["hits"]
    again = _native.add(x, x)
    assert dovetail_cpu.memory_stats()["hits"] == hits + 1 and again.flags.owndata
    del again
    dovetail_cpu.set_cache_limit(0)
    try:
        assert dovetail_cpu.memory_stats()["cached"] == 0
        del x
    finally:
        dovetail_cpu.set_cache_limit(1 << 30)
    with pytest.raises(ValueError, match="set_cache_limit: limit is -1; expected a number of bytes, 0 for no cache"):
        dovetail_cpu.set_cache_limit(-1)


def test_memory_is_counted_as_asked_for() -> None:
    x = np.ones(1000, "f4")
    before = dovetail_cpu.memory_stats()["allocated"]
    y = _native.add(x, x)
    assert dovetail_cpu.memory_stats()["allocated"] == before + 4000  # blocks are of 4096 bytes
    z = _native.add(x, x)
    del z
    assert dovetail_cpu.memory_stats()["peak"] >= before + 8000
    dovetail_cpu.reset_peak_memory_stats()
    assert dovetail_cpu.memory_stats()["peak"] == before + 4000
    del y
    assert dovetail_cpu.memory_stats()["allocated"] == before


def test_numpys_arrays_can_be_counted_too() -> None:
    program = "import numpy as np\nfrom dovetail_cpu import _native, memory_stats as stats\n_native.count_numpy()\n"
    program += "before = stats()['allocated']\nx = np.ones(1000)\nprint(stats()['allocated'] - before)\ndel x\n"
    program += "print(stats()['allocated'] - before)"
    assert python(program).split() == ["8000", "0"]


def test_an_optimizer_with_a_kernel_keeps_its_states_alone() -> None:
    model = dv.nn.Linear(500, 500)
    optimizer = dv.optim.Adam(model.parameters())
    model(dv.ones(1, 500)).sum().backward()
    tracemalloc.start()
    optimizer.step()
    held = tracemalloc.take_snapshot().filter_traces([tracemalloc.DomainFilter(True, np.lib.tracemalloc_domain)])
    tracemalloc.stop()
    assert sum(trace.size for trace in held.traces) < 2.1 * sum(p.numel() * 4 for p in model.parameters())


_SHARED_PAGES = """
import os
from pathlib import Path
import numpy as np
import dovetail_cpu
from dovetail_cpu import _native

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

x = np.zeros(100_000, np.float32)
before = resident()
made = [_native.add(x, i) for i in range(200)]
assert all(a[0] == i and a[-1] == i for i, a in enumerate(made))
most, held = resident(), 200 * x.nbytes
assert most - before >= held, (most, before)
kept = made[::40]
del made
dovetail_cpu.empty_cache()
assert most - resident() > held / 3, resident()  # five regions of 8 MiB at most are held by what is kept
assert [float(a[7]) for a in kept] == [0, 40, 80, 120, 160]
del kept
dovetail_cpu.empty_cache()
assert most - resident() > held * 3 / 4, resident()
print("given back")
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="it reads Linux's /proc")
@pytest.mark.skipif("asan" in os.environ.get("LD_PRELOAD", ""), reason="the sanitizer of memory keeps what is freed")
def test_blocks_that_share_pages_go_back_when_none_is_in_use() -> None:
    """In a process of its own, whose memory nothing else changes."""
    assert python(_SHARED_PAGES) == "given back"


def test_arrays_of_kernels_outlive_what_made_them() -> None:
    made = [_native.add(np.full((n, 7), 1.0), 1) for n in range(200)]
    dovetail_cpu.empty_cache()
    assert all((a == 2).all() and a.shape == (n, 7) for n, a in enumerate(made))


@pytest.mark.parametrize("name", ["avx512", "avx2", "baseline"])
def test_another_instruction_set_may_be_chosen(name: str) -> None:
    program = "import dovetail_cpu, sys\ntry: print(dovetail_cpu.instruction_set())\nexcept ImportError as e: print(e)"
    said = python(program, DOVETAIL_CPU_ISA=name)
    assert said == name or said == "dovetail_cpu: this processor has none of the instruction sets of the build"


def test_every_instruction_set_passes_the_numbers() -> None:
    """The other set of this processor runs the same tests of numbers, in a process of its own."""
    if dovetail_cpu.instruction_set() != "avx512":
        pytest.skip("this processor has one set only")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        str(Path(__file__).with_name("test_numbers.py")),
        "-k",
        "2 or not threads",
    ]
    done = subprocess.run(command, env={**os.environ, "DOVETAIL_CPU_ISA": "avx2"}, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout[-2000:]


def test_without_the_plugin_the_reference_serves() -> None:
    program = "import dovetail as dv, sys\nx = dv.ones(2, 2) @ dv.ones(2, 2)\nprint('dovetail_cpu' in sys.modules, x.tolist())"
    assert python(program, DOVETAIL_DISABLE_PLUGINS="cpu") == "False [[2.0, 2.0], [2.0, 2.0]]"


def test_a_wrong_switch_is_refused() -> None:
    dv.backends.cpu.winograd = "maybe"
    try:
        with pytest.raises(ValueError, match=r"backends\.cpu\.winograd: it is 'maybe'; expected 'auto' or 'off'"):
            dv.nn.functional.conv2d(dv.ones(1, 1, 3, 3), dv.ones(1, 1, 3, 3))
    finally:
        dv.backends.cpu.winograd = "auto"


def test_files_stay_readable() -> None:
    long = {str(p.relative_to(SOURCES)): n for p in SOURCES.rglob("*.*") if (n := len(p.read_text(encoding="utf-8").splitlines())) > 400}
    assert not long
