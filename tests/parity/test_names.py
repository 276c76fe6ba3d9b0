"""Names that PyTorch has at several places: the same answers at each."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import dovetail as dv
from tests.parity.both_ways import same

X = "T.linspace(-2, 3, 24).reshape(2, 3, 4)"
ROWS = f"""
T.dropout({X}, 0.5, True)
T.dropout({X}, 0.5, False)
T.dropout({X}, 1.5, True)
T.dropout({X})
T.dropout_({X}, 0.5, True)
T.alpha_dropout({X}, 0.5, True)
T.alpha_dropout_({X}, 0.5, True)
T.feature_alpha_dropout({X}, 0.5, True)
T.embedding(T.ones(3, 2), T.tensor([0, 2]))
T.embedding(T.ones(3, 2, requires_grad=True), T.tensor([0, 2]), 1, True, False)
T.batch_norm({X}, T.ones(3), None, T.zeros(3), T.ones(3), True, 0.1, 1e-5, True)
T.batch_norm({X}, None, None, T.zeros(3), T.ones(3), False, 0.1, 1e-5, False)
T.batch_norm({X})
T.instance_norm({X}, None, T.ones(3), None, None, True, 0.1, 1e-5, True)
T.layer_norm({X}, (4,), T.ones(4), T.ones(4), 1e-3, False)
T.layer_norm({X}, (5,))
T.rms_norm({X}, (4,), None, 1e-3)
T.group_norm({X}, 3, None, None, 1e-5, True)
T.group_norm({X}, 2)
T.adaptive_max_pool1d({X}, 3)
T.bilinear(T.ones(2, 3), T.ones(2, 4), T.ones(5, 3, 4))
T.bilinear(T.ones(2, 3), T.ones(2, 4), T.ones(5, 3, 3))
T.kl_div({X}, {X}.abs())
T.kl_div({X}, {X}.abs(), 2, log_target=True)
T.kl_div({X}, {X}.abs(), "sum")
T.binary_cross_entropy_with_logits({X}, T.ones(2, 3, 4), None, T.ones(4), 0)
T.poisson_nll_loss({X}, T.ones(2, 3, 4), True, False, 1e-8, 2)
T.hinge_embedding_loss({X}, T.ones(2, 3, 4), 1.0, 1), T.hinge_embedding_loss({X}, T.ones(2, 3, 4))
T.kl_div({X}, {X}.abs(), 1)
T.cosine_embedding_loss(T.ones(2, 3), T.ones(2, 3), -T.ones(2), 0.5, 0)
T.margin_ranking_loss(T.ones(2), T.zeros(2), -T.ones(2), 0.5, 2)
T.triplet_margin_loss(T.ones(2, 3), T.zeros(2, 3), T.ones(2, 3), reduction=0)
T.rrelu_({X}, 0.1, 0.3, True)
T.view_as_real(T.view_as_complex({X}.reshape(2, 6, 2)))
T.view_as_complex({X}.reshape(2, 6, 2)).stride()
T.view_as_complex({X}.reshape(12, 2).requires_grad_()).is_leaf
T.autograd.grad((T.view_as_complex(w := {X}.reshape(2, 6, 2).requires_grad_()) * (2 + 1j)).abs().sum(), w)
T.view_as_complex({X}[..., :2])
T.view_as_complex({X}[..., :3])
T.view_as_complex(T.zeros(2, 3)[:, :2])
T.view_as_complex(T.zeros(2, 2).t()[:, :1].expand(2, 2))
T.view_as_complex(T.ones(2, 2, dtype=T.int64))
T.view_as_complex(T.zeros(0, 2))
T.view_as_real(T.tensor(1 + 2j))
T.view_as_real({X})
T.detach(T.ones(2, requires_grad=True))
T.detach_(T.ones(2, requires_grad=True) * 2)
T.detach_((T.ones(2, requires_grad=True) * 2)[:1])
T.detach(3)
T.is_inference({X}), T.get_device({X}), T.is_signed({X}), T.is_same_size({X}, T.ones(2)), {X}.get_device()
T.get_device(3)
T.is_conj({X}), T.is_neg({X})
T.is_conj(3)
T.is_neg(3)
T.typename({X}), T.typename(3), T.typename(len), T.typename(dict)
T.spmm(T.ones(2, 3), T.ones(3, 4))
T.spmm(T.ones(2, 3), T.ones(2, 4))
T.index_put_(T.zeros(3), (T.tensor([0, 0]),), T.ones(2), True)
T.renorm({X}, 2, 1, 1.5)
T.renorm({X}.requires_grad_(), 1, -1, 3)
{X}.renorm_(float("inf"), 0, 1.0)
{X}.double().renorm(3, 2, 0.5)
T.renorm(T.ones(3), 2, 0, 1)
T.renorm(T.ones(3, 2), -1, 0, 1)
T.renorm(T.ones(3, 2), 1, 0, -1)
T.renorm(T.ones(3, 2), 1, 4, 1)
T.renorm(T.ones(3, 2, dtype=T.int64), 1, 0, 1)
T.index_reduce(T.ones(3, 2), 0, T.tensor([2, 2, 0]), T.arange(6.).reshape(3, 2), "mean")
T.index_reduce(T.ones(3, 2), 1, T.tensor([1, 1]), T.arange(6.).reshape(3, 2), "amax", include_self=False)
T.ones(3, 2).index_reduce_(0, T.tensor([2]), T.full((1, 2), 5.0), "prod")
T.index_reduce(T.tensor(1.), 0, T.tensor(0), T.tensor(2.), "mean")
T.index_reduce(T.ones(3, 2), 0, T.tensor([0, 0]).int(), T.ones(2, 2), "mean")
T.index_reduce(T.ones(3, 2), 0, T.tensor([0, 0]), T.ones(2, 2), "sum")
T.index_reduce(T.ones(3, 2), 0, T.tensor([0, 5]), T.ones(2, 2), "mean")
T.index_reduce(T.ones(3, 2), 0, T.tensor([0, 0]), T.ones(2, 3), "mean")
T.index_reduce(T.ones(3, 2), 0, T.tensor([0, 0]), T.ones(2, 2).long(), "mean")
{X}.sum_to_size(3, 1), {X}.sum_to_size((1, 3, 4)), {X}.sum_to_size(2, 3, 4)
{X}.sum_to_size(2)
T.ones(2).map_(T.tensor([4.0]), lambda a, b: a + b)
T.ones(2).map_(T.ones(3), lambda a, b: a)
T.ones(2).map_(T.ones(2).long(), lambda a, b: a)
T.ones(2, requires_grad=True).map_(T.ones(2), lambda a, b: a)
T.ones(2).share_memory_(), T.ones(2).is_shared()
T.use_deterministic_algorithms(False), T.are_deterministic_algorithms_enabled(), T.get_deterministic_debug_mode()
T.set_deterministic_debug_mode("warn"), T.is_deterministic_algorithms_warn_only_enabled(), T.set_deterministic_debug_mode(0)
T.set_deterministic_debug_mode("x")
T.set_deterministic_debug_mode(1.5)
T.use_deterministic_algorithms(1)
""".strip().split("\n")


@pytest.mark.parametrize("text", ROWS)
def test_one_answer(text: str) -> None:
    same(text)


A = "np.arange(1.0, 3.0)"
NUMPY = f"""
np.sin(T.ones(2)), np.exp(T.tensor(1.0)), np.sqrt(T.tensor([4])), np.abs(T.tensor([-1]))
np.sin(T.ones(3, 2).t())
np.sin(T.nn.Parameter(T.ones(2), requires_grad=False))
np.add(T.ones(2), 1), np.subtract(1, T.ones(2)), np.add(T.ones(2), {A}), np.add({A}, T.ones(2))
np.multiply({A}.astype(np.float32), T.ones(2)), np.maximum(T.ones(2), 2), np.power(T.ones(2), 2)
np.greater(T.ones(2), 0), np.isnan(T.ones(2)), np.isfinite(T.tensor(1.0))
np.modf(T.ones(2)), np.add.reduce(T.ones(2)), np.add.accumulate(T.ones(2)), np.add.outer(T.ones(2), T.ones(2))
np.matmul(T.ones(2, 2), T.ones(2, 2)), np.clip(T.ones(2), 0, 1), np.round(T.ones(2)), np.cumsum(T.ones(2))
np.dot({A}, T.ones(2)), np.concatenate([T.ones(2), T.ones(2)]), np.linalg.norm(T.ones(2)), np.stack([T.ones(2)] * 2)
np.add(T.ones(2), T.ones(2), out={A})
np.sin(T.ones(2, requires_grad=True))
np.add({A}, T.ones(2, requires_grad=True))
T.ones(2) + {A}, T.ones(2) * {A}, {A} / T.ones(2), {A} == T.ones(2)
np.float64(2) * T.ones(2), T.ones(2) * np.float64(2), np.float32(2) * T.ones(2), np.int64(3) + T.ones(2)
np.float64(2) * T.ones(2, requires_grad=True)
""".strip().split("\n")


@pytest.mark.parametrize("text", NUMPY)
def test_functions_of_numpy(text: str) -> None:
    same(text)


def test_an_array_beside_a_tensor_keeps_the_gradient() -> None:
    """PyTorch refuses ``ndarray * tensor`` and what requires a gradient on either side; here it is ``tensor * tensor``."""
    x = dv.ones(2, requires_grad=True)
    (np.array([1.0, 2.0], dtype=np.float32) * x + x * np.array([1.0, 1.0], dtype=np.float32)).sum().backward()
    assert x.grad.tolist() == [2.0, 3.0]
    a = np.ones(2)
    a += dv.ones(2)
    assert isinstance(a, dv.Tensor) and a.tolist() == [2.0, 2.0]


WINDOWS = [
    f"T.{name}_window({arguments})"
    for name in ("hann", "hamming", "blackman", "bartlett", "kaiser")
    for arguments in """4 | 7 | 1 | 2 | 0 | 1, False | 2, False | 9, periodic=False | 400 | 5, dtype=T.float64 | 6, dtype=T.float16 | -1
        4.5 | 4, dtype=T.int64 | 8, requires_grad=True""".replace("\n", "|").split("|")
] + ["T.hamming_window(6, True, 0.5, 0.4)", "T.kaiser_window(6, False, 3.0)", "T.hann_window(4, True, 0.5)"]


@pytest.mark.parametrize("text", WINDOWS)
def test_windows(text: str) -> None:
    same(text, 1e-3 if "float16" in text else 2e-6)


CLOSE = """
T.ones(2), T.ones(3)
T.ones(2), T.zeros(2)
T.ones(2), T.ones(2) + 1e-7
T.ones(2), T.ones(2) * 1.1, rtol=0.2, atol=0
T.ones(2), T.ones(2) * 1.1, rtol=0.2
1, 1.0
1.0, 1.0 + 1e-9
T.ones(1), 1.0
[1, 2], [1]
(1, 2), [1, 2]
[T.ones(1)], [T.zeros(1)]
{"a": 1}, {"b": 1}
{"a": T.ones(1)}, {"a": T.ones(1)}
None, None
None, 1
"a", "a"
T.ones(1), T.ones(1).double()
T.ones(1), T.ones(1).double(), check_dtype=False
T.tensor([float("nan")]), T.tensor([float("nan")])
T.tensor([float("nan")]), T.tensor([float("nan")]), equal_nan=True
T.tensor([float("inf")]), T.tensor([float("inf")])
np.ones(2), np.ones(2)
np.ones(2), T.ones(2).double()
T.ones(2, 2), T.ones(2, 2).t(), check_stride=True
T.tensor([1, 2]), T.tensor([1, 3])
T.tensor([2**60]), T.tensor([2**60 + 1])
T.tensor([True]), T.tensor([False])
True, False
1 + 1j, 1 + 2j
T.nn.Parameter(T.ones(1)), T.ones(1)
T.nn.Parameter(T.ones(1)), T.ones(1), allow_subclasses=False
T.ones(0), T.ones(0)
T.ones(2).bfloat16(), T.ones(2).bfloat16() * 1.01
""".strip().split("\n")


@pytest.mark.parametrize("text", CLOSE)
def test_assert_close(text: str) -> None:
    same(f"__import__('importlib').import_module(T.__name__ + '.testing').assert_close({text})")


@pytest.mark.parametrize(
    "text",
    [
        "T.tensor([1., 2., 3.]), T.tensor([1., 2.5, 3.5])",
        "T.tensor([1., 2.]).half(), T.tensor([1., 2.3]).half()",
        "T.tensor([1, 5, 7]), T.tensor([1, 3, 0])",
        "T.tensor([1, 5, 7]), T.tensor([1, 3, 9]), rtol=0.1, atol=0",
        "T.tensor([2**62, 5]), T.tensor([2**62 + 1, 5])",
        "T.tensor([True]), T.tensor([False])",
        "T.tensor([1., float('nan')]), T.tensor([1., 2.])",
        "T.tensor([1 + 1j, 3]), T.tensor([1., 2.]) + 0j",
        "T.tensor(1), T.tensor(3)",
        "T.tensor(1.1), T.tensor(3.3)",
        "1, 3",
    ],
)
def test_assert_close_names_the_differences(text: str) -> None:
    said = []
    for library in (torch, dv):
        with pytest.raises(AssertionError) as caught:
            eval(f"T.testing.assert_close({text})", {"T": library})  # noqa: S307 - the lines of our own table
        said.append(str(caught.value))
    assert said[1] == said[0]


def test_what_assert_close_says() -> None:
    with pytest.raises(AssertionError, match=r"Mismatched elements: 1 / 2 \(50.0%\)\nGreatest absolute difference: 1.0 at index \(1,"):
        dv.testing.assert_close({"a": dv.zeros(2)}, {"a": dv.tensor([0.0, 1.0])})
    with pytest.raises(AssertionError, match="^mine: Scalars"):
        dv.testing.assert_close(1.0, 2.0, msg=lambda text: f"mine: {text}")


ANOMALY = "(T.zeros(2, requires_grad=True) * 0).sqrt().sum().backward()"
MODES = f"""
[T.autograd.detect_anomaly().__enter__(), T.is_anomaly_enabled(), T.set_anomaly_enabled(False), T.is_anomaly_enabled()]
[m := T.autograd.set_detect_anomaly(True), {ANOMALY}][1]
[m := T.autograd.set_detect_anomaly(True, False), {ANOMALY}, T.is_anomaly_check_nan_enabled(), T.is_anomaly_enabled()][1:]
[m := T.autograd.set_detect_anomaly(True), m.__exit__(None, None, None), {ANOMALY}, T.is_anomaly_enabled()][1:]
""".strip().split("\n")


@pytest.mark.parametrize("text", MODES)
def test_anomaly_mode(text: str) -> None:
    try:
        same(text)
    finally:
        for T in (dv, torch):
            T.autograd.set_detect_anomaly(False)


SMALL = """
T.block_diag()
T.tensor([T.tensor([1.0]), T.tensor([2.0])])
T.tensor([T.tensor([[1.0]]), T.tensor(2), 3])
T.tensor([[T.tensor([1])], [T.tensor([2.5])]])
T.as_tensor((T.tensor([True]),))
T.tensor([T.tensor([1.0, 2.0]), T.tensor([2.0, 3.0])])
T.tensor([T.zeros(0)])
T.full((2,), "a")
T.full((2,), [1])
T.full((2,), None)
T.ones(2, 2).index_select(1, [0])
T.positive(3)
T.fmod(T.ones(2), None)
~T.tensor([1.0])
T.bitwise_not(T.tensor([1.0]))
T.nn.Linear(2, 3)(None)
F.linear(None, T.ones(2, 2))
T.sign(T.tensor([1j]))
[x := T.ones(2), x.__setitem__(x > 0, T.zeros(5, 5, 5))]
[x := T.ones(2, 2), x.__setitem__(T.tensor([0]), T.zeros(5, 5, 5))]
[x := T.ones(1, 4, 1, 1), T.pixel_shuffle(x, 1).add_(1), T.pixel_shuffle(x, 2).add_(1)]
[x := T.ones(1, 4, 1, 1), T.pixel_unshuffle(x, 1).add_(1), T.channel_shuffle(x, 1).add_(1)]
""".strip().split("\n")


@pytest.mark.parametrize("text", SMALL)
def test_small_ones(text: str) -> None:
    same(text)
