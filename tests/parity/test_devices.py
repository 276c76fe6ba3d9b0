"""Questions about devices without a GPU: PyTorch's CPU build and Dovetail give the same value, or errors that one `except` catches."""

from __future__ import annotations

import importlib
import types
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
import torch

import dovetail as dv

from .both import caught_alike

pytestmark = [pytest.mark.parity, pytest.mark.skipif(torch.cuda.is_available() or dv.cuda.is_available(), reason="there is a GPU")]

# Classes and blocks that do nothing until they are used, and what is about the machine.
OTHERS = {
    "GreenContext", "StreamContext", "device", "cudaStatus", "CudaError", "DeferredCudaCallError", "caching_allocator_disabled",
    "stream", "list_gpu_processes", "check_error", "get_capabilities", "Stream", "Event", "current_stream", "set_stream", "device_index",
    "attach_out_of_memory_observer", "use_mem_pool",
}  # fmt: skip
MODULES = ("cuda", "mps", "xpu", "mtia", "cpu", "accelerator")


def functions() -> Iterator[str]:
    for module in MODULES:
        theirs = importlib.import_module(f"torch.{module}")
        for name in sorted(set(theirs.__all__) - OTHERS):
            if not isinstance(getattr(theirs, name), types.ModuleType) and not name.endswith(("Storage", "Tensor")):
                yield f"{module}.{name}"


def answer(top: Any, path: str, args: tuple[Any, ...]) -> tuple[Any, BaseException | None]:
    module, _, name = path.partition(".")
    found = getattr(getattr(top, module), name)
    if not callable(found):
        return found, None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return found(*args), None
        except Exception as error:
            return None, error


@pytest.mark.parametrize("path", list(functions()))
def test_one_answer(path: str) -> None:
    for args in ((), (0,)):
        (theirs, expected), (mine, error) = answer(torch, path, args), answer(dv, path, args)
        if isinstance(expected, TypeError | AttributeError | KeyError):
            continue  # a wrong argument, or PyTorch stumbles over a part of itself that was not built
        if expected is None:
            assert error is None and (mine == theirs or list(mine) == list(theirs)), f"{path}{args}: {mine!r} {error!r}, PyTorch {theirs!r}"
        else:
            assert error is not None and caught_alike(error, expected), f"{path}{args}: we {error!r} {mine!r}, PyTorch {expected!r}"


CALLS = """
T.cuda.device(0).__enter__()
T.cuda.device(-1).__enter__()
T.cuda.device('cuda:0').idx
T.cuda.device('cpu')
T.cuda.device_of(T.ones(1)).__enter__()
T.cuda.can_device_access_peer(0, 1)
T.cuda.set_rng_state(T.zeros(16, dtype=T.uint8))
T.cuda.set_device('cpu')
T.cuda.set_device(-1)
T.cuda.synchronize('cuda:0')
T.cuda.is_bf16_supported(False)
T.cuda.stream(None).__enter__()
T.cuda.set_stream(None)
T.cuda.set_per_process_memory_fraction(0.5)
T.zeros(1, device='cuda')
T.ones(1).cuda()
T.ones(1).to('cuda')
T.ones(1).type('torch.cuda.FloatTensor')
isinstance(T.ones(1), T.cuda.FloatTensor)
T.device('cuda:1').index
T.Stream('cuda')
T.Event('cuda')
T.Stream().query(), T.Stream('cpu').synchronize(), T.Event().query(), T.Event().synchronize(), T.Stream().wait_event(T.Event())
str(T.Stream().device)
T.Event().elapsed_time(T.Event())
T.cpu.Event().record(), T.cpu.Event().query(), T.cpu.Stream().wait_stream(T.cpu.Stream()), T.cpu.Stream().record_event()
T.cpu.current_stream() is T.cpu.current_stream()
T.accelerator.device_index(None).__enter__()
T.accelerator.device_index(0).__enter__()
T.mps.set_rng_state(T.ones(1))
issubclass(T.OutOfMemoryError, RuntimeError), T.cuda.OutOfMemoryError is T.OutOfMemoryError
T.cpu.amp.GradScaler().is_enabled()
""".strip().split("\n")


@pytest.mark.parametrize("call", CALLS)
def test_calls(call: str) -> None:
    found = []
    for T in (torch, dv):
        importlib.import_module(f"{T.__name__}.cpu.amp")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                found.append((eval(call, {"T": T}), None))  # noqa: S307 - the lines above
            except Exception as error:
                found.append((None, error))
    (theirs, expected), (mine, error) = found
    if expected is None:
        assert error is None and mine == theirs, f"{mine!r} {error!r}, PyTorch {theirs!r}"
    else:
        assert error is not None and caught_alike(error, expected), f"we {error!r} {mine!r}, PyTorch {expected!r}"
