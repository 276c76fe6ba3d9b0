"""The modules of devices: the GPU through CuPy (on the stand-in), the CPU, and devices that are not here."""

from __future__ import annotations

import importlib
import sys

import pytest

import dovetail as dv
from tests.support.cupy_standin import install, standin  # noqa: F401

NO_GPU = pytest.mark.skipif(dv.cuda.is_available(), reason="there is a GPU")


def test_properties_of_a_gpu(standin) -> None:
    known = dv.cuda.get_device_properties(0)
    assert known.name == dv.cuda.get_device_name() == "CuPy stand-in" and known.total_memory == 80 << 30 and known.warp_size == 32
    assert dv.cuda.get_device_capability("cuda:0") == (known.major, known.minor) == (9, 0) and dv.cuda.get_arch_list() == ["sm_90"]
    assert dv.cuda.is_bf16_supported() and dv.cuda.is_tf32_supported() and dv.cuda.is_initialized() and dv.cuda.init() is None
    assert dv.cuda.mem_get_info() == dv.accelerator.get_memory_info(0) == (64 << 30, 80 << 30)
    assert dv.cuda.can_device_access_peer(0, 0) is False
    with pytest.raises(ValueError, match="Expected a cuda device, but got: cpu"):
        dv.cuda.get_device_name("cpu")


def test_memory_of_a_gpu(standin) -> None:
    stats = dv.cuda.memory_stats()
    assert list(stats) == [f"{what}_bytes.all.{when}" for what in ("allocated", "reserved") for when in ("current", "peak")]
    assert (
        "reserved_bytes.all.peak: 0" in dv.cuda.memory_summary() and dv.accelerator.memory_reserved() == dv.cuda.max_memory_reserved() == 0
    )
    dv.cuda.set_per_process_memory_fraction(0.5)
    dv.accelerator.empty_cache()


def test_blocks_on_a_gpu() -> None:
    with install(2):
        with dv.cuda.device(1), dv.accelerator.device_index(None):
            assert dv.cuda.current_device() == dv.accelerator.current_device_index() == 1
            there = dv.ones(1, device="cuda")
        assert dv.cuda.current_device() == 0 and there.device.index == 1
        with dv.cuda.device_of(there):
            assert dv.cuda.current_device() == 1
        with dv.cuda.device_of(dv.ones(1)):
            assert dv.cuda.current_device() == 0


def test_random_numbers_of_a_gpu(standin) -> None:
    dv.cuda.manual_seed_all(5)
    first = dv.rand(3, device="cuda").tolist()
    assert dv.cuda.initial_seed() == 5
    dv.cuda.manual_seed(5)
    assert dv.rand(3, device="cuda").tolist() == first
    dv.cuda.seed()
    assert dv.rand(3, device="cuda").tolist() != first
    for refused in (dv.cuda.get_rng_state, dv.cuda.get_rng_state_all, lambda: dv.cuda.set_rng_state(dv.ones(1)), dv.cuda.graph):
        with pytest.raises(RuntimeError, match="no such function for it"):
            refused()


def test_legacy_classes_of_a_gpu(standin) -> None:
    made = dv.cuda.LongTensor([1, 2])
    assert made.is_cuda and made.dtype is dv.int64 and made.type() == "dovetail.cuda.LongTensor"
    assert isinstance(made, dv.cuda.LongTensor) and not isinstance(made, dv.LongTensor) and not isinstance(dv.ones(1), dv.cuda.FloatTensor)
    moved = dv.ones(2).type(dv.cuda.HalfTensor)
    assert moved.is_cuda and moved.dtype is dv.float16 and moved.type(dv.FloatTensor).device.type == "cpu"


@NO_GPU
def test_without_a_gpu_what_needs_one_says_so() -> None:
    for call in (dv.cuda.current_device, dv.cuda.Stream, dv.cuda.Event, dv.cuda.mem_get_info, dv.accelerator.memory_allocated):
        for kind in (RuntimeError, AssertionError):  # PyTorch raises now the one, now the other
            with pytest.raises(kind, match="CuPy"):
                call()
    with pytest.raises(TypeError, match=r"cuda.FloatTensor: this type is not available without CuPy"):
        dv.cuda.FloatTensor(2)
    with pytest.raises(RuntimeError, match=r"cuda.CUDAGraph: no such device here.*ask dovetail.cuda.is_available\(\) first"):
        dv.cuda.CUDAGraph()
    with pytest.raises(ModuleNotFoundError, match="nvidia-smi"):
        dv.cuda.utilization()


def test_the_cpu_is_there() -> None:
    assert dv.cpu.is_available() and dv.cpu.device_count() == 1 and dv.cpu.current_device() == "cpu" and dv.cpu.synchronize() is None
    with importlib.import_module("dovetail.cpu.amp").autocast():
        assert dv.is_autocast_enabled("cpu")
    with pytest.raises(AttributeError):
        dv.cpu.no_such_name


def test_devices_that_are_not_here_cost_nothing_and_can_be_listed() -> None:
    for name in ("mps", "xpu", "mtia"):
        module = importlib.import_module(f"dovetail.{name}")
        assert set(module.__all__) == set(dir(module)) and not module.is_available() and module.device_count() == 0
        assert module.is_available is module.is_available and module.is_available.__qualname__ == "is_available"
        with pytest.raises(RuntimeError, match=rf"{name}.synchronize: .*ask dovetail.{name}.is_available\(\) first"):
            module.synchronize()
        with pytest.raises(AttributeError, match=f"module 'dovetail.{name}' has no attribute 'nothing'"):
            module.nothing
    assert dv.xpu.memory_stats() is not dv.xpu.memory_stats()
    assert "cupy" not in sys.modules or dv.cuda.is_available()


def test_meta_has_shapes_and_no_memory() -> None:
    with dv.device("meta"):
        net = dv.nn.Sequential(dv.nn.Linear(1_000_000, 1_000_000), dv.nn.ReLU(), dv.nn.Linear(1_000_000, 2))
    assert repr(net[2].bias) == "Parameter containing:\ntensor(..., device='meta', size=(2,), requires_grad=True)"
    t = dv.empty(2, 3, device="meta").t() + 1
    assert t.is_meta and t.shape == (3, 2) and t.stride() == (1, 3) and t.add_(1) is t and (t @ t.t()).shape == (3, 3)
    refused = "Cannot copy out of meta tensor; no data!"
    with pytest.raises(NotImplementedError, match=f"to: {refused}; Please use Module.to_empty"):
        net.to("cpu")
    with pytest.raises(NotImplementedError, match=f"meta: {refused}; make the tensor on the CPU"):
        t.tolist()
    with pytest.raises(NotImplementedError, match=r"Tensor.item\(\) cannot be called on meta tensors"):
        bool(t.sum())
    with pytest.raises(NotImplementedError, match="how many elements are not zero depends on values"):
        t[t > 0]
    with pytest.raises(RuntimeError, match="must match the existing size"):
        t[0] = dv.ones(5, device="meta")
