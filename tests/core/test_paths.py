"""Import paths of PyTorch programs outside nn, and what stands behind them."""

from __future__ import annotations

import importlib
import warnings

import pytest

import dovetail as dv

PATHS = """
utils.data.sampler.SubsetRandomSampler utils.data.dataset.Dataset utils.data.dataloader.DataLoader utils.data.dataloader.default_collate
utils.data.distributed.DistributedSampler utils.data.DistributedSampler utils.data._utils.collate.default_collate
utils.data._utils.worker.get_worker_info autograd.variable.Variable autograd.gradcheck.gradcheck autograd.function.Function
utils.hooks.RemovableHandle utils.dlpack.to_dlpack utils.dlpack.from_dlpack utils.checkpoint.checkpoint
utils.checkpoint.checkpoint_sequential utils.model_zoo.load_url hub.load_state_dict_from_url
compiler.disable compiler.is_compiling accelerator.current_accelerator
jit.script jit.ScriptModule types.Device types.Number version.__version__ version.debug
""".split()


@pytest.mark.parametrize("path", PATHS)
def test_path(path: str) -> None:
    module, _, name = f"dovetail.{path}".rpartition(".")
    assert getattr(importlib.import_module(module), name) is not None


def test_a_function_keeps_its_place_beside_the_module_of_its_name() -> None:
    importlib.import_module("dovetail.autograd.gradcheck")
    assert callable(dv.autograd.gradcheck) and isinstance(dv.ones(1), dv.autograd.Variable)
    assert not isinstance(1.0, dv.autograd.Variable) and dv.autograd.Variable(dv.ones(1), requires_grad=True).requires_grad


def test_jit_leaves_functions_and_modules_as_they_are() -> None:
    jit, net = dv.jit, dv.nn.Linear(1, 1)
    assert jit.script(net) is net and jit.trace(net, dv.ones(1)) is net and not isinstance(net, jit.ScriptModule)
    assert jit.ignore(len) is len and jit.ignore(drop=True)(len) is len and jit.unused(len) is len and not jit.is_scripting()
    with pytest.raises(RuntimeError, match="eval"):
        jit.freeze(net)
    with pytest.raises(RuntimeError, match="TorchScript"):
        jit.load("x.pt")


def test_compile_takes_pytorchs_options() -> None:
    net = dv.nn.Linear(1, 1)
    made = dv.compile(net, mode="max-autotune", fullgraph=True, dynamic=False, backend="inductor")
    assert made._orig_mod is net and list(net.state_dict()) == ["weight", "bias"]
    assert dv.compile(dynamic=True)(len).__name__ == "len" and dv.compile(len, disable=True) is len
    assert dv.compiler.disable(len) is len and dv.compiler.disable(recursive=False)(len) is len
    assert not dv.compiler.is_compiling() and dv.compiler.reset() is None
    with pytest.raises(RuntimeError, match="Either mode or options can be specified"):
        dv.compile(net, mode="default", options={})
    with pytest.raises(RuntimeError, match="Unrecognized mode=fast, should be one of: default, lite, reduce-overhead"):
        dv.compile(net, mode="fast")
    with pytest.raises(AssertionError, match="A callable function is expected, but <class 'int'> is provided"):
        dv.compile(3)


def test_the_accelerator_is_the_gpu_or_none() -> None:
    assert dv.accelerator.is_available() == dv.cuda.is_available() and dv.accelerator.device_count() == dv.cuda.device_count()
    if not dv.cuda.is_available():
        assert dv.accelerator.current_accelerator() is None


def test_a_checkpoint_keeps_no_intermediate_values_and_runs_twice() -> None:
    calls = []

    def part(x: dv.Tensor) -> dv.Tensor:
        calls.append(1)
        return x.exp().sin().exp()

    x = dv.ones(3, requires_grad=True)
    y = dv.utils.checkpoint.checkpoint(part, x, use_reentrant=False)
    assert not any(hasattr(v, "shape") for v in y.grad_fn.saved)
    y.sum().backward()
    (want,) = dv.autograd.grad(part(x).sum(), x)
    assert len(calls) == 3 and dv.equal(x.grad, want)


def test_a_checkpoint_says_what_it_cannot_do_again() -> None:
    checkpoint, x = dv.utils.checkpoint.checkpoint, dv.ones(2, requires_grad=True)
    ways = iter([lambda t: t.exp(), lambda t: t.exp().sin()])
    with pytest.raises(RuntimeError, match="A different number of tensors"):
        checkpoint(lambda t: next(ways)(t), x, use_reentrant=False).sum().backward()
    given = x * 1
    y = checkpoint(lambda t: t.exp(), given, use_reentrant=False)
    given.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()
    with pytest.warns(UserWarning, match="use_reentrant"):
        checkpoint(dv.exp, x)
    with pytest.warns(UserWarning, match="None of the inputs"):
        assert not checkpoint(dv.exp, dv.ones(2), use_reentrant=True).requires_grad
    with pytest.raises(ValueError, match="Unexpected keyword"):
        checkpoint(dv.exp, x, use_reentrant=True, more=1)


def test_a_distributed_sampler_needs_to_know_its_place() -> None:
    with pytest.raises(ValueError, match="distributed package"):
        dv.utils.data.DistributedSampler(range(4))
    with warnings.catch_warnings(), pytest.raises(ValueError, match="Invalid rank 2"):
        dv.utils.data.DistributedSampler(range(4), 2, 2)
