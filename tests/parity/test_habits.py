"""Habits of users with tensors, each as PyTorch answers it: formats, sequences, NumPy beside tensors, copies, pickles, hasattr."""

from __future__ import annotations

import copy
import io
import pickle
import subprocess
import sys
import time
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

import dovetail as dv

pytestmark = pytest.mark.parity

HABITS = """
f"{t.sum():.4f}" | f"{t[0, 1]:>8}" | f"{t[0]}" | "%d %s" % (t[0, 1], t[0, 1]) | format(t.mean(), "e") | str(t.shape)
repr(t.dtype)[-7:] | str(type(t)) | str(T.Tensor)
reversed(t[0]) | reversed(t.sum()) | sorted(t[0]) | max(t[0]) | sum(t) | list(map(float, t[0])) | 3.0 in t | len(t)
[*t[0]] | dict(zip("ab", t))
np.exp(t) | np.sqrt(t) | np.where(t > 2, t, 0) | np.stack([t, t]) | np.concatenate([t, a]) | np.argmax(t)
np.isnan(t) | np.linalg.norm(t)
t + a | t * a | t @ a.T | np.float64(2) * t | t * np.float64(2) | np.int64(2) * T.ones(2)
np.float32(2.5) + T.ones(2, dtype=T.float16)
a[T.tensor(1)] | a[t[0].long() % 2] | [1, 2][T.tensor(1)] | range(T.tensor(2)) | np.zeros(T.tensor(3))
np.zeros(t.shape) | t[np.array([1, 0])]
T.tensor(a) | T.tensor([a, a])[1] | T.tensor(np.float32(1)) | T.as_tensor(a[0, 0]) | T.Tensor(a).dtype == T.float32
T.from_numpy(a)[1:]
int(t[0, 1]) | round(T.tensor(2.346), 2) | abs(-t) | divmod(t[0], 2)[1] | complex(t[0, 1]) | bool(t[0, 0])
T.tensor(3).__index__() | hash(t) == hash(t)
copy.deepcopy(t) | copy.copy(t).data_ptr() == t.data_ptr() | copy.deepcopy({"a": [t]})["a"][0]
pickle.loads(pickle.dumps(t)) | t.tolist() | np.asarray(t)
t == None | t is None | t in [1] | "x" in t | iter(T.tensor(1.0)) | len(T.tensor(1.0)) | bool(t) | float(t)
T.tensor(1.5).__index__() | t[5] | t.nothing
"""


def answer(T: ModuleType, call: str) -> Any:
    """What a habit gives, in neutral words; of an error its class among the builtins."""
    names = {"T": T, "np": np, "copy": copy, "pickle": pickle}
    names |= {"t": T.arange(6.0, dtype=T.float64).reshape(2, 3), "a": np.linspace(0, 1, 6).reshape(2, 3)}
    try:
        return plain(eval(call, names))  # noqa: S307  (the table above)
    except Exception as error:
        return next(kind.__name__ for kind in type(error).__mro__ if kind.__module__ == "builtins")


def plain(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if hasattr(value, "tolist"):
        return type(value).__name__, str(value.dtype).split(".")[-1], tuple(value.shape), value.tolist()
    return value.replace("dovetail.", "").replace("torch.", "") if isinstance(value, str) else value


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # PyTorch's __array_wrap__
@pytest.mark.parametrize("call", [call.strip() for line in HABITS.strip().splitlines() for call in line.split(" | ")])
def test_a_habit_gives_what_pytorch_gives(call: str) -> None:
    assert answer(dv, call) == answer(torch, call)


def test_arrays_come_first_too() -> None:
    """PyTorch refuses an array on the left of an operator; here it stands as on the right."""
    t, a = dv.arange(3.0, dtype=dv.float64), np.array([1.0, 2.0, 3.0])
    for found, expected in ((a * t, t * a), (a + t, t + a), (a - t, -(t - a)), (a @ t, t @ a)):
        assert isinstance(found, dv.Tensor) and found.tolist() == expected.tolist()


def test_a_curve_of_tensors_is_drawn() -> None:
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots()
    (line,) = axes.plot(dv.arange(3.0), dv.tensor([1.0, 4.0, 9.0]))
    (other,) = axes.plot([dv.tensor(0.5), dv.tensor(0.25)])
    axes.hist(dv.rand(20))
    figure.savefig(io.BytesIO())
    plt.close(figure)
    assert line.get_ydata().tolist() == [1.0, 4.0, 9.0] and np.asarray(other.get_ydata(), float).tolist() == [0.5, 0.25]


def test_looking_for_an_attribute_costs_little_and_changes_nothing() -> None:
    t = dv.ones(3, 3, requires_grad=True)
    y = t * 2
    before = y._version, y.grad_fn, sorted(vars(t)), set(sys.modules)
    start = time.perf_counter()
    for _ in range(1000):
        assert hasattr(t, "shape") and not hasattr(t, "no_such_thing") and not hasattr(t, "__cuda_array_interface__")
    assert time.perf_counter() - start < 0.5
    for name in {n for n in dir(t) if not n.startswith("_")} - {"imag"}:  # of complex numbers, in PyTorch too
        assert hasattr(t, name)
    assert (y._version, y.grad_fn, sorted(vars(t))) == before[:3] and t.grad is None
    assert not {m for m in set(sys.modules) - before[3] if m.partition(".")[0] in ("cupy", "scipy", "torchvision")}


POOL = """
import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor
import dovetail as torch

def work(model, x):
    return model(x).detach() * 2

if __name__ == "__main__":
    torch.manual_seed(0)
    model, x = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.ReLU(), torch.nn.BatchNorm1d(2)).eval(), torch.randn(4, 3)
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        found = pool.submit(work, model, x).result()
    assert torch.equal(found, work(model, x))
    print("same")
"""


def test_tensors_and_modules_go_to_other_processes(tmp_path: Any) -> None:
    script = tmp_path / "pool.py"
    script.write_text(POOL)
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False)
    assert done.stdout == "same\n", done.stderr


def test_every_public_name_is_offered_for_completion() -> None:
    for module in (dv, dv.nn, dv.nn.functional, dv.nn.init, dv.optim, dv.optim.lr_scheduler, dv.linalg, dv.fft, dv.autograd, dv.utils.data):
        missing = [name for name in getattr(module, "__all__", ()) if name not in dir(module)]
        assert not missing, (module.__name__, missing)
    assert {"sum", "backward", "grad", "shape", "add_", "view", "numpy"} <= set(dir(dv.ones(1))) and "fc.weight" not in dir(
        dv.nn.Linear(1, 1)
    )
    assert {"weight", "bias", "forward", "state_dict"} <= set(dir(dv.nn.Linear(1, 1)))
