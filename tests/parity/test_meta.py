"""The device `meta` beside PyTorch's: shapes, types, strides, refusals, modules that are made without memory."""

from __future__ import annotations

import copy
import pickle
import resource
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch

import dovetail as dv

pytest.importorskip("expecttest", reason="PyTorch's tables of tests import it (make parity installs it)")

from . import opinfo
from .both import caught_alike

pytestmark = pytest.mark.parity

# Whose results lie otherwise on the CPU as well (docs/known-differences.md).
LIE_OTHERWISE = (
    "fft.", "linalg.", "cholesky", "lu", "lu_solve", "ormqr", "pca_lowrank", "qr", "svd", "svd_lowrank", "triangular_solve",
    "diagonal", "expand_as", "meshgrid", "narrow", "new_empty_strided", "unravel_index", "unsafe_chunk",
)  # fmt: skip
REFUSED = {  # PyTorch knows the shape; here it comes of values
    "as_strided.partial_views", "chalf", "histc", "linalg.ldl_factor",
    "linspace.tensor_overload", "logspace.tensor_overload", "masked_scatter", "matrix_exp",
    "max_pool2d_with_indices_backward", "nn.functional.batch_norm", "nn.functional.embedding",
    "nn.functional.embedding_bag", "nn.functional.multilabel_margin_loss",
    "nn.functional.rrelu", "nonzero_static", "repeat_interleave", "unravel_index",
}  # fmt: skip


def named(op: Any) -> str:
    return op.name + (f".{op.variant_test_name}" if op.variant_test_name else "")


def without(value: Any) -> Any:
    """The tensors of a value, of either library, on the device `meta`."""
    if isinstance(value, torch.Tensor | dv.Tensor):
        return value.detach().to("meta")
    if isinstance(value, tuple | list):
        return type(value)(map(without, value))
    return {k: without(v) for k, v in value.items()} if isinstance(value, dict) else value


def told(value: Any, strides: bool = True) -> list[Any]:
    """What is to be seen of a result."""
    parts = opinfo._flat(value)
    return [
        (tuple(t.shape), str(t.dtype).rpartition(".")[2], t.device.type, *([tuple(t.stride())] if strides else ()))
        if opinfo.is_tensor(t)
        else t
        for t in parts
    ]


def compared(op: Any) -> int:
    """Run the samples of an entry with both; how many were compared."""
    name, call, count = named(op), opinfo.function(op), 0
    for kind in (torch.float32, torch.int64):
        samples = list(op.sample_inputs("cpu", kind))[:12] if op.supports_dtype(kind, "cpu") else []
        for sample in samples:
            args = without(opinfo.ours((sample.input, sample.args, sample.kwargs)))
            try:
                want = op.op(without(sample.input), *without(sample.args), **without(sample.kwargs))
            except (RuntimeError, AssertionError, TypeError, ValueError):
                continue  # PyTorch has no shape for it
            try:
                got = call(args[0], *args[1], **args[2])
            except opinfo.Absent:
                return 0
            except Exception as error:
                assert name in REFUSED or name.startswith("special."), f"{name}: {error}"
                continue
            loose = name.startswith(LIE_OTHERWISE)
            assert told(got, not loose) == told(want, not loose), name
            count += 1
    return count


@pytest.mark.parametrize("op", opinfo.TABLE[::24], ids=named)
def test_ops(op: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        compared(op)


@pytest.mark.soak
@pytest.mark.parametrize("op", opinfo.TABLE, ids=named)
def test_all_ops(op: Any) -> None:
    test_ops(op)


def alike(run: Callable[[Any], Any]) -> None:
    """The same text or value, or errors that one `except` catches."""
    found: list[Any] = []
    for T in (torch, dv):
        try:
            found.append(str(run(T)).replace("dovetail.", "torch."))
        except Exception as error:
            found.append(error)
    want, got = found
    assert caught_alike(got, want) if isinstance(want, Exception) else got == want, f"{got!r}, PyTorch {want!r}"


def m(T: Any, *shape: int, **options: Any) -> Any:
    return T.empty(*shape, device="meta", **options)


@pytest.mark.parametrize(
    "run",
    [
        lambda T: m(T, 3, 2),
        lambda T: m(T, 0, dtype=T.int64),
        lambda T: m(T, dtype=T.bool),
        lambda T: m(T, 2, requires_grad=True) * 2,
        lambda T: T.nn.Parameter(m(T, 3)),
        lambda T: m(T, 2).max(0),
        lambda T: (T.device("meta"), T.device("meta", 0), m(T, 2).device, m(T, 2).is_meta, T.ones(1).is_meta, m(T, 2).get_device()),
        lambda T: T.ones(3, 2).t().to("meta").stride(),
        lambda T: T.ones(2, 3, 4, 5).to(memory_format=T.channels_last).to("meta").stride(),
        lambda T: (m(T, 2).type(), m(T, 2).data_ptr(), m(T, 2).is_shared(), len(m(T, 2)), m(T, 2).nbytes),
        lambda T: T.tensor([1.0, 2.0], device="meta"),
        lambda T: [f(3, device="meta") for f in (T.zeros, T.ones, T.rand, T.randn, T.randperm, T.arange, T.eye)],
        lambda T: (T.full((2,), 3, device="meta"), T.linspace(0, 1, 3, device="meta"), T.as_tensor([1.0], device="meta")),
        lambda T: (T.zeros_like(m(T, 2)), m(T, 2).new_ones(3), T.zeros_like(T.ones(2), device="meta")),
        lambda T: (m(T, 3, 2).copy_(T.ones(3, 2)), m(T, 2).zero_(), m(T, 2).add_(1), m(T, 2).normal_()),
        lambda T: (m(T, 3)[0], m(T, 3)[m(T, 2, dtype=T.int64)], m(T, 3)[[0, 1]], list(m(T, 2, 2))),
        lambda T: m(T, 2) + T.tensor(1.0),
        lambda T: m(T).item(),
        lambda T: m(T, 2).item(),
        lambda T: bool(m(T)),
        lambda T: float(m(T, 1)),
        lambda T: m(T, 2).tolist(),
        lambda T: m(T, 2).numpy(),
        lambda T: m(T, 2).cpu(),
        lambda T: m(T, 2).to("cpu"),
        lambda T: T.ones(2).copy_(m(T, 2)),
        lambda T: m(T, 2) + T.ones(2),
        lambda T: m(T, 2).nonzero(),
        lambda T: m(T, 2)[m(T, 2) > 0],
        lambda T: T.masked_select(m(T, 2), m(T, 2) > 0),
        lambda T: T.unique(m(T, 2)),
        lambda T: T.bincount(m(T, 2, dtype=T.int64)),
        lambda T: T.equal(m(T, 2), m(T, 2)),
        lambda T: T.allclose(m(T, 2), m(T, 2)),
        lambda T: m(T, 2).share_memory_(),
        lambda T: T.utils.dlpack.to_dlpack(m(T, 2)),
        lambda T: f"{m(T):.2f}",
        lambda T: m(T, 2).add_(T.ones(3, device="meta")),
    ],
)
def test_tensors(run: Callable[[Any], Any]) -> None:
    alike(run)


def test_no_random_number_is_drawn() -> None:
    for T in (torch, dv):
        T.manual_seed(0)
        T.nn.Linear(3, 3, device="meta")
        T.rand(3, device="meta")
        T.nn.functional.dropout(m(T, 4))
        assert abs(T.rand(1).item() - 0.4963) < 1e-4


def test_a_large_model_takes_no_memory() -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with dv.device("meta"):
        net = dv.nn.TransformerEncoder(dv.nn.TransformerEncoderLayer(4096, 32, 16384), 12)
    assert sum(p.numel() for p in net.parameters()) == 2_416_558_080 and all(p.is_meta for p in net.parameters())
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000


NETS: dict[str, Callable[[Any], tuple[Any, Any]]] = {
    "cnn": lambda T: (
        T.nn.Sequential(T.nn.Conv2d(3, 8, 3), T.nn.BatchNorm2d(8), T.nn.ReLU(), T.nn.MaxPool2d(2), T.nn.Flatten(), T.nn.Linear(72, 5)),
        T.randn(2, 3, 8, 8),
    ),
    "lstm": lambda T: (T.nn.LSTM(4, 5, 2, batch_first=True, bidirectional=True), T.randn(3, 7, 4)),
    "transformer": lambda T: (T.nn.TransformerEncoderLayer(16, 4, 32, batch_first=True), T.randn(2, 5, 16)),
    "embedding": lambda T: (T.nn.Sequential(T.nn.Embedding(10, 4), T.nn.LayerNorm(4), T.nn.GELU()), T.zeros(2, 3, dtype=T.int64)),
}


@pytest.mark.parametrize("name", NETS)
def test_training(name: str) -> None:
    seen = []
    for T in (torch, dv):
        with T.device("meta"):
            net, x = NETS[name](T)
            out = net(x)
            first = out[0] if isinstance(out, tuple) else out
            loss = T.nn.functional.mse_loss(first, T.zeros_like(first))
            loss.backward()
            for kind in (T.optim.SGD, T.optim.AdamW):
                kind(net.parameters(), lr=0.1).step()
            norm = T.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        seen.append((told(first), told(loss), [told(p.grad) for p in net.parameters()], told(norm)))
    assert seen[0] == seen[1]


def test_modules_get_memory() -> None:
    net = dv.nn.Linear(3, 2, device="meta")
    with pytest.raises(NotImplementedError, match=r"Cannot copy out of meta tensor; no data!.*Module.to_empty\(\)"):
        net.to("cpu")
    assert net.to_empty(device="cpu") is net and net.weight.device.type == "cpu" and net.weight.requires_grad
    full, net = dv.nn.Linear(3, 2), dv.nn.Linear(3, 2, device="meta")
    with pytest.warns(
        UserWarning, match=r"for weight: copying from a non-meta parameter .* which is a no-op\. \(Did you mean to pass `assign=True`"
    ):
        net.load_state_dict(full.state_dict())
    assert net.weight.is_meta
    net.load_state_dict(full.state_dict(), assign=True)
    x = dv.ones(1, 3)
    assert dv.equal(net(x), full(x)) and isinstance(net.weight, dv.nn.Parameter)
    with pytest.raises(RuntimeError, match='parameter named "weight".*Cannot copy out of meta tensor; no data!'):
        full.load_state_dict(dv.nn.Linear(3, 2, device="meta").state_dict())


def test_copies_and_files(tmp_path: Any) -> None:
    t = dv.empty(3, 2, device="meta").t()
    stored = pickle.loads(pickle.dumps(t))  # noqa: S301
    for one in (copy.deepcopy(t), stored, t.clone()):
        assert one.is_meta and one.shape == (2, 3)
    with pytest.raises(NotImplementedError, match="Cannot copy out of meta tensor"):
        dv.save({"w": t}, tmp_path / "w.safetensors")
    with pytest.raises(RuntimeError, match="there are no addresses for"):
        dv.empty(1 << 60, device="meta")


def test_views_share_and_copies_do_not() -> None:
    t = dv.empty(4, 6, device="meta")
    assert t.reshape(24)._base is t and t.contiguous() is t and t.t().contiguous()._base is None
    assert t.to(dv.float64).stride() == (6, 1) and t.half().dtype is dv.float16
