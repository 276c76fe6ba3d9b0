"""Modules that only ported programs ask for, reached below `dovetail` where dovetail-torch is installed."""

from __future__ import annotations

import multiprocessing as pythons
import os
import pickle
import subprocess
import sys
import types

import numpy as np
import pytest

import dovetail as dv
from dovetail import library, multiprocessing, serialization, storage
from dovetail.errors import UnsupportedError
from dovetail.utils import _pytree, benchmark, collect_env
from dovetail.utils.data.datapipes import IterDataPipe, functional_datapipe
from tests.support.cupy_standin import standin  # noqa: F401


def test_storages_are_views_of_memory() -> None:
    x = dv.arange(6.0).reshape(2, 3)
    assert x[1:].untyped_storage() == x.untyped_storage() and x.untyped_storage() != x.clone().untyped_storage()
    x.storage().fill_(2)
    x.storage()[0] = 5.0
    assert x.tolist() == [[5.0, 2.0, 2.0], [2.0, 2.0, 2.0]]
    assert x.bfloat16().storage().tolist() == [5.0] + [2.0] * 5 and dv.FloatStorage([1, 2]).tolist() == [1.0, 2.0]
    assert isinstance(x.storage(), dv.FloatStorage) and dv.is_storage(x.storage()) and storage.TypedStorage is dv.TypedStorage
    assert repr(dv.zeros(1).storage()) == " 0.0\n[dovetail.storage.TypedStorage(dtype=dovetail.float32, device=cpu) of size 1]"
    with pytest.raises(IndexError, match="index 9 out of range for storage of size 6"):
        x.storage()[9]


def test_a_storage_of_a_gpu(standin) -> None:
    x = dv.arange(6.0, device="cuda").reshape(2, 3)
    assert x.untyped_storage().nbytes() == 24 and x[1:].untyped_storage().data_ptr() == x.data_ptr() and x.storage().is_cuda


def test_a_gradient_of_ones_own() -> None:
    @library.custom_op("tests::scaled", mutates_args=())
    def scaled(x: dv.Tensor, n: int) -> dv.Tensor:
        return x.sin() * n

    library.register_autograd(
        "tests::scaled",
        lambda ctx, g: (g * ctx.saved_tensors[0].cos() * ctx.n, None),
        setup_context=lambda ctx, inputs, output: (ctx.save_for_backward(inputs[0]), setattr(ctx, "n", inputs[1])),
    )
    x = dv.tensor([0.5], requires_grad=True)
    scaled(x, 3).backward()
    np.testing.assert_allclose(x.grad.numpy(), 3 * np.cos([0.5]), rtol=1e-6)
    with pytest.raises(RuntimeError, match="Expected a value of type 'Tensor' for argument 'x'"):
        scaled(1, 2)
    with pytest.raises(NotImplementedError, match="dovetail.extend.op"):
        library.Library("tests", "DEF")
    with pytest.raises(ValueError, match="expected 'namespace::name'"):
        library.custom_op("nothing", mutates_args=())(len)


def test_an_op_without_a_gradient_says_so() -> None:
    @library.custom_op("tests::plain", mutates_args=())
    def plain(x: dv.Tensor) -> dv.Tensor:
        return x.clone()

    with pytest.raises(RuntimeError, match="no autograd formula was registered"):
        plain(dv.ones(1, requires_grad=True)).backward()


def test_measurements() -> None:
    timer = benchmark.Timer("x + 1", globals={"x": 1}, label="add", sub_label="ints", description="Python")
    measured = timer.blocked_autorange(min_run_time=0.02)
    assert 0 < measured.median < 1e-3 and measured.iqr >= 0 and len(measured.times) > 5 and measured.title == "add: ints"
    assert "IQR:" in repr(measured) and "measurements, " in repr(measured) and "1 thread" in repr(measured)
    once = timer.timeit(10)
    assert once.number_per_run == 10 and len(once.times) == 1 and "1 measurement, 10 runs" in repr(once)
    assert "Python" in str(benchmark.Compare([measured, once])) and benchmark.select_unit(3e-4) == ("us", 1e-6)
    with pytest.raises(NotImplementedError, match="C\\+\\+"):
        benchmark.Timer("1", language="c++")


def test_what_a_report_says() -> None:
    assert "cuda available: " in collect_env.get_pretty_env_info() and collect_env.get_env_info().torch_version.startswith("dovetail ")


def test_pipes_have_operations_as_methods() -> None:
    @functional_datapipe("tests_doubled")
    class Doubled(IterDataPipe):
        def __init__(self, source: object) -> None:
            self.source = source

        def __iter__(self):
            return (2 * x for x in self.source)

    assert list(Doubled([1]).tests_doubled()) == [4]
    assert next(iter(dv.utils.data.DataLoader(Doubled([1, 2]), batch_size=2))).tolist() == [2, 4]
    with pytest.raises(AttributeError, match="torchdata are not here"):
        Doubled([1]).shuffle
    with pytest.raises(ValueError, match="already taken"):
        functional_datapipe("tests_doubled")(Doubled)


def test_safe_classes_are_remembered_and_never_made(tmp_path) -> None:
    with serialization.safe_globals([set]):
        assert set in serialization.get_safe_globals()
        dv.save({"w": dv.ones(1)}, tmp_path / "x.dvt")
        assert serialization.get_unsafe_globals_in_checkpoint(tmp_path / "x.dvt") == []
    assert set not in serialization.get_safe_globals()
    with pytest.raises(NotImplementedError, match="map_location"):
        serialization.register_package(1, len, len)
    with pytest.raises(UnsupportedError, match=r"mapped tensors are private: .* expected MAP_PRIVATE \(2\), got 1"):
        serialization.set_default_mmap_options(1)
    other = {"little": "BIG", "big": "LITTLE"}[sys.byteorder]
    with pytest.raises(UnsupportedError, match=f"are read in this machine's, {sys.byteorder}; got LoadEndianness.{other}"):
        serialization.set_default_load_endianness(serialization.LoadEndianness[other])


PROGRAM = """\
import os, signal, sys
import dovetail as dv
from dovetail import multiprocessing as mp

def fill(rank, queue, x):
    queue.put((rank, x[rank], dv.nn.Linear(2, 1), x.dtype))

def fail(rank, how):
    if rank == 1:
        if how == "raise":
            raise ValueError("this one failed")
        if how == "exit":
            sys.exit(3)
        os.kill(os.getpid(), signal.SIGTERM)

if __name__ == "__main__":
    queue = mp.get_context("spawn").SimpleQueue()
    x = dv.arange(6).reshape(2, 3).bfloat16()
    running = mp.spawn(fill, (queue, x), nprocs=2, join=False)
    got = sorted([queue.get(), queue.get()], key=lambda row: row[0])
    assert len(running.pids()) == 2
    while not running.join():
        pass
    assert [row[1].tolist() for row in got] == x.tolist() and got[0][3] is dv.bfloat16 and len(list(got[0][2].parameters())) == 2
    for how, kind in (("raise", mp.ProcessRaisedException), ("exit", mp.ProcessExitedException), ("kill", mp.ProcessExitedException)):
        try:
            mp.start_processes(fail, (how,), nprocs=2, start_method="fork" if how != "raise" else "spawn")
        except kind as error:
            print(how, error.error_index, getattr(error, "exit_code", None), getattr(error, "signal_name", None), "failed" in str(error))
    print("done")
"""


def test_spawned_processes(tmp_path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    done = subprocess.run([sys.executable, "program.py"], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["raise 1 None None True", "exit 1 3 None False", "kill 1 -15 SIGTERM False", "done"]


def test_names_of_pythons_multiprocessing() -> None:
    assert multiprocessing.Queue == pythons.Queue and multiprocessing.cpu_count() == os.cpu_count()
    assert multiprocessing.get_sharing_strategy() in multiprocessing.get_all_sharing_strategies()
    with pytest.raises(AssertionError, match="expected 'file_descriptor' or 'file_system'"):
        multiprocessing.set_sharing_strategy("telepathy")
    error = multiprocessing.ProcessExitedException("ended", 1, 2, -9, "SIGKILL")
    assert pickle.loads(pickle.dumps(error)).signal_name == "SIGKILL"  # noqa: S301 - our own bytes


def test_trees_of_classes_of_ones_own() -> None:
    class Pair:
        def __init__(self, a: object, b: object) -> None:
            self.a, self.b = a, b

    _pytree.register_pytree_node(Pair, lambda p: ((p.a, p.b), None), lambda children, _: Pair(*children))
    made = _pytree.tree_map(lambda x: x + 1, {"p": Pair(1, [2])})
    assert (made["p"].a, made["p"].b) == (2, [3])
    with pytest.raises(ValueError, match="already registered"):
        _pytree.register_pytree_node(Pair, len, len)


def test_what_is_not_there_says_what_to_use() -> None:
    for name, use in (
        ("fx", "graph.trace"),
        ("export", "onnx.export"),
        ("quantization", "no quantization"),
        ("utils.bottleneck", "dovetail.profiler"),
    ):
        with pytest.raises(ModuleNotFoundError, match=f"there is no module named 'dovetail.{name}'; .*{use}"):
            __import__(f"dovetail.{name}")
    with pytest.raises(AttributeError, match="graph.trace"):
        dv.fx
    assert not hasattr(dv, "quantization")


def test_without_the_plugin_the_error_says_what_to_install() -> None:
    code = (
        "import dovetail as dv\n"
        "for name in ('multiprocessing', 'utils._pytree', 'cuda.nvtx'):\n"
        "    try: __import__('dovetail.' + name)\n"
        "    except ModuleNotFoundError as error: print(error)\n"
        "assert not hasattr(dv.cuda, 'nvtx') and not hasattr(dv, 'FloatStorage') and dv.cuda.is_available() is False\n"
        "try: dv.ones(1).storage()\n"
        "except ModuleNotFoundError as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env=os.environ | {"DOVETAIL_DISABLE_PLUGINS": "torch"}
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 4 and all("torch" in line for line in done.stdout.splitlines()), done.stdout


def test_ranges_for_the_profiler(standin, monkeypatch) -> None:
    calls = []
    nvtx = types.SimpleNamespace(RangePush=lambda m: calls.append(m), RangePop=lambda: calls.append("pop"), Mark=lambda m: calls.append(m))
    monkeypatch.setitem(sys.modules, "cupy.cuda.nvtx", nvtx)
    monkeypatch.setattr(sys.modules["cupy.cuda"], "nvtx", nvtx, raising=False)
    with dv.cuda.nvtx.range("step {}", 3):
        dv.cuda.nvtx.mark("half way")
    assert calls == ["step 3", "half way", "pop"] and dv.utils._pytree is _pytree
    with pytest.raises(NotImplementedError, match="range_push"):
        dv.cuda.nvtx.range_start("x")


def test_pieces_on_gpus(standin) -> None:
    from dovetail.cuda import comm

    parts = comm.scatter(dv.arange(4.0), [0])
    assert parts[0].is_cuda and comm.gather(parts).tolist() == [0, 1, 2, 3] and comm.broadcast(dv.ones(2), [0])[0].is_cuda
    assert comm.reduce_add([dv.ones(2, device="cuda"), dv.ones(2, device="cuda")]).tolist() == [2.0, 2.0]
