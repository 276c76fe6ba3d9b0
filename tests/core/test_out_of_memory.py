"""An allocation that fails is an OutOfMemory that says what was asked for and who holds the rest; afterwards half the batch runs.

Each point runs in forks of a process of its own: under a bound of the address space that is lowered until the whole batch does not fit,
and without one, for what half the batch gives in a process that never failed.
"""

from __future__ import annotations

import ctypes
import gc
import hashlib
import json
import os
import resource
import subprocess
import sys
import traceback

import numpy as np
import pytest

import dovetail as dv
from dovetail.errors import OutOfMemory
from tests.contracts.sources import ROOT
from tests.support.figures import note

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc, and bounds the address space")

F, MIB = dv.nn.functional, 1 << 20
ROWS = 1 << 14  # rows of 512 float32: 32 MiB, and so beyond what the C library keeps for reuse


def data(rows: int) -> dv.Tensor:
    """The same numbers in the first rows, however many there are."""
    return (dv.arange(rows * 512, dtype=dv.float32) % 97 / 97 + 0.01).reshape(rows, 512)


def images(rows: int) -> dv.Tensor:
    return data(rows).reshape(rows // 32, 16, 32, 32)


def params(rows: int) -> dv.Tensor:
    p = dv.nn.Parameter(data(rows))
    p.grad = data(rows)
    return p


def in_eval(layer: dv.nn.Module) -> dv.nn.Module:
    with dv.no_grad():
        for p in layer.parameters():
            p.copy_((dv.arange(p.numel()) % 13 / 13 - 0.5).reshape(p.shape))
    return layer.eval()


def stepped(p: dv.Tensor) -> dv.Tensor:
    dv.optim.Adam([p]).step()
    return p


def sent_back(x: dv.Tensor, function) -> dv.Tensor:
    x.requires_grad_()
    function(x).sum().backward()
    return x.grad


# name: what is there before, by the number of rows; what is done with it
POINTS = {
    "add": (data, lambda x: x + x),
    "exp": (data, lambda x: x.exp()),
    "relu": (data, lambda x: x.relu()),
    "power of a number": (data, lambda x: 2.0**x),
    "matmul": (data, lambda x: x @ dv.ones(512, 512)),
    "linear": (data, lambda x: F.linear(x, dv.ones(512, 512), dv.ones(512))),
    "softmax": (data, lambda x: x.softmax(-1)),
    "gelu": (data, lambda x: F.gelu(x)),
    "conv2d": (images, lambda x: F.conv2d(x, dv.ones(16, 16, 3, 3), padding=1)),
    "max_pool2d": (images, lambda x: F.max_pool2d(x, 2, stride=1)),
    "batch_norm": (images, in_eval(dv.nn.BatchNorm2d(16))),
    "layer_norm": (data, lambda x: F.layer_norm(x, (512,))),
    "pad": (images, lambda x: F.pad(x, (1, 1, 1, 1))),
    "interpolate": (images, lambda x: F.interpolate(x, scale_factor=2)),
    "cat": (data, lambda x: dv.cat([x, x])),
    "stack": (data, lambda x: dv.stack([x, x])),
    "double": (data, lambda x: x.double()),
    "half": (data, lambda x: x.half() + 1),
    "index": (data, lambda x: x[dv.arange(x.shape[0])]),
    "gather": (data, lambda x: x.gather(1, dv.arange(512).expand(x.shape[0], 512))),
    "embedding": (lambda n: dv.arange(n), lambda i: F.embedding(i, dv.ones(1 << 14, 512))),
    "sort": (data, lambda x: x.sort(1)[0]),
    "cumsum": (data, lambda x: x.cumsum(1)),
    "where": (data, lambda x: dv.where(x > 0.5, x, -x)),
    "clone": (data, lambda x: x.clone()),
    "contiguous": (data, lambda x: x.t().contiguous()),
    "dropout": (data, lambda x: F.dropout(x, 0.0, training=True) + x),
    "add_ of another type": (data, lambda x: x.add_(x.bool())),
    "zeros": (lambda n: n, lambda n: dv.zeros(n, 512).add_(1)),
    "randn": (lambda n: n, lambda n: dv.randn(n, 512, generator=dv.Generator().manual_seed(3))),
    "arange": (lambda n: n, lambda n: dv.arange(n * 512)),
    "tensor": (lambda n: data(n).numpy(), lambda a: dv.tensor(a)),
    "uniform_": (data, lambda x: x.uniform_(generator=dv.Generator().manual_seed(3))),
    "lstm": (lambda n: data(n).reshape(-1, 64, 512), lambda x: in_eval(dv.nn.LSTM(512, 256, batch_first=True))(x)[0]),
    "backward of mul": (data, lambda x: sent_back(x, lambda x: x * x)),
    "backward of gelu": (data, lambda x: sent_back(x, F.gelu)),
    "Adam": (params, stepped),
}


def digest(t: dv.Tensor) -> str:
    return hashlib.sha256(np.ascontiguousarray(t.detach().numpy()).tobytes()).hexdigest()


def pages(row: str) -> int:
    """A row of /proc/self/status, in bytes."""
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith(row))


def held() -> int:
    """The memory that is held, without what the allocators keep for reuse."""
    gc.collect()
    getattr(dv.cpu, "empty_cache", list)()
    ctypes.CDLL(None).malloc_trim(0)
    return pages("VmRSS")


def run(name: str, rows: int) -> str:
    prepare, do = POINTS[name]
    return digest(do(prepare(rows)))


def failing(name: str, room: int) -> dict | None:
    """Run the whole batch with `room` bytes more than are in use; None where it fits, else what was said and what half of it gives."""
    prepare, do = POINTS[name]
    warm = digest(do(prepare(512)))  # code and tables are loaded by the first call
    given, half, error = prepare(ROWS), prepare(ROWS // 2), None
    before, space = held(), pages("VmSize")
    resource.setrlimit(resource.RLIMIT_AS, (space + room, resource.RLIM_INFINITY))
    try:
        done = do(given)
    except MemoryError as e:
        said = {"type": type(e).__name__, "text": str(e), "asked": getattr(e, "asked", 0), "in_use": getattr(e, "in_use", 0), "warm": warm}
        error = type(e)
    else:
        del done
        return None
    assert issubclass(error, RuntimeError), said
    said["grown"] = (held() - before) / before
    del given
    done = do(half)
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    said["half"] = digest(done)
    return said


def forked(function, *args):
    """What a function returns in a fork of this process."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            result = function(*args)
        except BaseException:
            result = {"failed": traceback.format_exc()}
        with os.fdopen(writing, "wb") as file:
            file.write(json.dumps(result).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as file:
        sent = file.read()
    _, status = os.waitpid(pid, 0)
    assert status == 0 and sent, f"the process ended with status {status}"
    result = json.loads(sent)
    assert not isinstance(result, dict) or "failed" not in result, result["failed"]
    return result


def check(name: str) -> dict:
    """Lower the room until the whole batch does not fit; then hold what was promised."""
    room, said = 448 * MIB, None
    while said is None and room > MIB:
        said, room = forked(failing, name, room), int(room * (0.62 if name in TENTH else 0.8))
    assert said is not None, "it always fits"
    assert said["type"] == "OutOfMemory" and "not enough memory" in said["text"] and "live tensors hold" in said["text"], said
    assert said["half"] == forked(run, name, ROWS // 2), "half the batch gives another result than in a fresh process"
    assert said["grown"] <= 0.05, said
    return said


TENTH = ("exp", "matmul", "conv2d", "backward of mul")


@pytest.mark.parametrize("name", [n if n in TENTH else pytest.param(n, marks=pytest.mark.soak) for n in POINTS])
def test_half_the_batch_runs_after_a_failure(name: str) -> None:
    code = f"import json\nfrom tests.core.test_out_of_memory import check\nprint(json.dumps(check({name!r})))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=200, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    note("R15", f"memory left after a failure in {name}", round(said["grown"], 4), "at most 0.05 of what was there before")
    note("R15", f"bytes asked are named in {name}", said["asked"] is not None, "True")
    assert said["asked"], said


def test_what_is_said() -> None:
    """The parameter of a model by its name, the bytes asked, the bytes held, and the remedy."""
    model = dv.nn.Sequential(dv.nn.Linear(5000, 4000), dv.nn.ReLU())  # larger than what other tests may leave
    with pytest.raises(OutOfMemory) as caught:
        dv.ones(1, 1000).expand(1 << 40, 1000) * 2
    error = caught.value
    assert error.asked == 4000 << 40 and error.in_use >= 80_016_000 and len(error.largest) <= 5
    text = str(error)
    assert text.startswith(f"mul: not enough memory for {4000 << 40:,} bytes (arguments ({1 << 40}, 1000) float32); live tensors hold ")
    assert "(4000, 5000) float32 0.weight 80,000,000 bytes" in text
    assert text.endswith("use a smaller batch, no_grad() where no gradient is needed, or del what is not needed")
    assert isinstance(error, dv.OutOfMemoryError) and isinstance(error, RuntimeError) and isinstance(error, MemoryError)
    assert isinstance(error.__context__, MemoryError) and error.__suppress_context__
    del model


def test_a_failure_inside_is_told_once() -> None:
    """What an op says is not said again by the functions around it."""
    big = dv.ones(1, 1000).expand(1 << 40, 1000)
    with pytest.raises(OutOfMemory, match=r"^\w+: not enough memory for [\d,]+ bytes \(arg") as caught:
        F.cosine_similarity(big, big)
    assert str(caught.value).count("not enough memory") == 1


def test_values_kept_for_gradients_are_counted() -> None:
    x = dv.ones(1000, 1000, requires_grad=True)
    y = (x * 2).exp().sum()  # keeps the result of exp, which no tensor shows
    with pytest.raises(OutOfMemory) as caught:
        dv.zeros(1 << 50)
    assert caught.value.in_use >= 8_000_000 and y.requires_grad


class WithText(MemoryError):
    """As CuPy says it."""


@pytest.mark.parametrize(
    "text, asked", [("Out of memory allocating 1,024 bytes (allocated so far: 0 bytes).", 1024), ("std::bad_alloc", None)]
)
def test_other_libraries(text: str, asked: int | None) -> None:
    from dovetail.extend import op

    def forward(input):
        raise WithText(text)

    forward.__annotations__ = {"input": "Array"}
    call = op(forward, name=f"tests_exhausted_{asked}")
    with pytest.raises(OutOfMemory) as caught:
        call(dv.ones(2))
    assert caught.value.asked == asked and str(caught.value).startswith(f"tests_exhausted_{asked}: not enough memory")


CAST = """
import resource
import dovetail as dv

x = dv.ones(16384, 512)
other = x.bool()
space = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (space + 20 * 2**20, resource.RLIM_INFINITY))
for change in (lambda: x.add_(other), lambda: x.requires_grad_().clone().detach().mul_(other)):
    try:
        change()
    except dv.errors.OutOfMemory as error:
        print(error)
"""


def test_a_cast_before_a_change_in_place_says_what_it_needed() -> None:
    done = subprocess.run([sys.executable, "-c", CAST], capture_output=True, text=True, timeout=100, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()
    assert len(said) == 2 and said[0].startswith(
        "add: not enough memory for 33,554,432 bytes (arguments (16384, 512) float32, (16384, 512) bool)"
    ), said
