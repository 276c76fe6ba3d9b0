"""Each algorithm on one small problem against stored results of PyTorch 2.13, and settings out of range."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import dovetail as dv
from dovetail import nn, optim
from dovetail.autograd.node import wrap
from dovetail.errors import UnsupportedError, ValueRangeError
from tests.support.cupy_standin import standin  # noqa: F401

START = [[1.0, -2.0], [0.5, 3.0]]
GOLDEN: list[tuple[str, dict[str, Any], list[float]]] = [
    ("SGD", dict(lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.1), [-1.4813112403, -1.9182285875, -0.1816923462, 1.05421283]),
    ("Adam", dict(lr=0.1, amsgrad=True, weight_decay=0.1), [0.2230596771, -1.8926271875, -0.2430791139, 2.4666997678]),
    ("AdamW", dict(lr=0.1), [0.2162396186, -2.0393182413, -0.2439969263, 2.7251781734]),
    ("RMSprop", dict(lr=0.1, centered=True, momentum=0.5), [-0.9321923085, -0.3625345365, -0.7103198463, 0.7413228465]),
    ("Adadelta", dict(lr=0.5), [0.9929393336, -2.0044032591, 0.4874187864, 2.9936325946]),
    ("Adagrad", dict(lr=0.1, lr_decay=0.1), [0.7771138413, -2.0434522311, 0.0797404706, 2.8780517019]),
    ("Adamax", dict(lr=0.1), [0.4499703051, -2.0047835431, -0.1482974479, 2.8223016159]),
    ("NAdam", dict(lr=0.1), [0.68495356, -2.1786776487, -0.1072111868, 2.7422395557]),
    ("RAdam", dict(lr=0.1, betas=(0.8, 0.9)), [0.5336436487, -1.9950071424, -0.0082338507, 2.886072949]),
    ("ASGD", dict(lr=0.1, t0=1), [0.6961004709, -2.2755151622, -0.0871933356, 2.7124739043]),
    ("Rprop", dict(lr=0.1), [-0.2915904, -2.02, -0.016064, 2.7975]),
    ("Adafactor", dict(lr=0.1), [-0.0973876047, -2.5086550884, -0.05339607, 2.8818007318]),
]
IDS = [name for name, _, _ in GOLDEN]


def run(name: str, settings: dict[str, Any], start: Any) -> Any:
    p = nn.Parameter(wrap(start))
    optimizer = getattr(optim, name)([p], **settings)
    for t in range(8):
        a = p._a
        p.grad = wrap(np.sin(a * (1 + t)) + 0.1 * t if isinstance(a, np.ndarray) else _cupy_sin(a, t))
        optimizer.step()
    return p._a


def _cupy_sin(a: Any, t: int) -> Any:
    import cupy

    return cupy.sin(a * (1 + t)) + 0.1 * t


@pytest.mark.parametrize("row", GOLDEN, ids=IDS)
def test_stored_results(row: tuple[str, dict[str, Any], list[float]]) -> None:
    name, settings, expected = row
    np.testing.assert_allclose(run(name, settings, np.array(START)).ravel(), expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("row", GOLDEN, ids=IDS)
def test_on_a_gpu(row: tuple[str, dict[str, Any], list[float]], standin: Any) -> None:
    """The same numbers by CuPy; only Adafactor, as in PyTorch, waits for the GPU (for two norms per step)."""
    name, settings, expected = row
    before = standin.host_copies
    out = run(name, settings, standin.cupy.array(START))
    assert isinstance(out, standin.cupy.ndarray)
    assert standin.host_copies == before or name == "Adafactor"
    np.testing.assert_allclose(standin.cupy.asnumpy(out).ravel(), expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("kind", ["float16", "bfloat16"])
@pytest.mark.parametrize("name", ["SGD", "AdamW", "RMSprop"])
def test_half_precision_keeps_its_type(name: str, kind: str) -> None:
    p = nn.Parameter(wrap(np.array(START).astype(dv.bfloat16.np if kind == "bfloat16" else kind)))
    optimizer = getattr(optim, name)([p], lr=0.5)
    p.grad = wrap(np.ones_like(p._a))
    optimizer.step()
    assert str(p.dtype) == f"dovetail.{kind}" and (p._a.astype(float) < np.array(START)).all()
    assert all(str(v.dtype) == f"dovetail.{kind}" for k, v in optimizer.state[p].items() if k != "step")


ERRORS: list[tuple[str, dict[str, Any], str]] = [
    ("SGD", dict(lr=-1.0), "Invalid learning rate: -1.0"),
    ("SGD", dict(nesterov=True), "Nesterov momentum requires a momentum and zero dampening"),
    ("Adam", dict(betas=(1.0, 0.9)), "Invalid beta parameter at index 0: 1.0"),
    ("AdamW", dict(eps=-1.0), "Invalid epsilon value: -1.0"),
    ("RMSprop", dict(alpha=-1.0), "Invalid alpha value"),
    ("Adadelta", dict(rho=1.5), "Invalid rho value: 1.5"),
    ("Adagrad", dict(initial_accumulator_value=-1.0), "Invalid initial_accumulator_value"),
    ("Rprop", dict(etas=(1.0, 0.5)), "Invalid eta values: 1.0, 0.5"),
    ("NAdam", dict(momentum_decay=-0.2), "Invalid momentum_decay value"),
    ("Adafactor", dict(d=0.5), "Clipping threshold d should be >= 1"),
    ("Muon", dict(adjust_lr_fn="x"), "Adjust learning rate function x is not supported"),
]


@pytest.mark.parametrize("row", ERRORS, ids=str)
def test_settings_out_of_range(row: tuple[str, dict[str, Any], str]) -> None:
    name, settings, text = row
    with pytest.raises(ValueRangeError, match=f"^{name}: {text}"):
        getattr(optim, name)([nn.Parameter(wrap(np.zeros((2, 2))))], **settings)


def test_what_is_not_supported() -> None:
    p = nn.Parameter(wrap(np.zeros(2)))
    with pytest.raises(UnsupportedError, match="differentiable=True is not supported"):
        optim.SGD([p], differentiable=True)
    with pytest.raises(UnsupportedError, match="`fused` and `foreach` cannot be `True` together"):
        optim.Adam([p], fused=True, foreach=True)
    with pytest.raises(ValueRangeError, match="Muon only supports 2D parameters"):
        optim.Muon([p])
    p.grad = wrap(np.zeros(2))
    with pytest.raises(UnsupportedError, match="does not support dense gradients, please consider Adam instead"):
        optim.SparseAdam([p]).step()


def test_muon_moves_along_an_orthogonal_matrix() -> None:
    p = nn.Parameter(wrap(np.zeros((6, 4))))
    muon = optim.Muon([p], lr=1.0, weight_decay=0.0)
    p.grad = wrap(np.random.RandomState(0).randn(6, 4))
    muon.step()
    singular = np.linalg.svd(p._a, compute_uv=False) / np.sqrt(6 / 4)
    assert singular.min() > 0.6 and singular.max() < 1.3


@pytest.mark.parametrize("search", [None, "strong_wolfe"])
def test_lbfgs_finds_the_minimum_of_a_quadratic(search: str | None) -> None:
    scale = np.array([1.0, 4.0, 9.0])
    p = nn.Parameter(wrap(np.array([3.0, -2.0, 1.0])))
    lbfgs = optim.LBFGS([p], lr=1 if search else 0.5, line_search_fn=search, max_iter=60)

    def closure() -> float:
        p.grad = wrap(scale * p._a)
        return float((scale * p._a**2).sum() / 2)

    assert lbfgs.step(closure) == 17.0
    assert np.abs(p._a).max() < 1e-4
    state = lbfgs.state[p]
    assert state["func_evals"] >= state["n_iter"] > 1 and len(state["old_dirs"]) == len(state["ro"])


def test_lbfgs_refusals() -> None:
    p, q = nn.Parameter(wrap(np.ones(1))), nn.Parameter(wrap(np.ones(1)))
    with pytest.raises(ValueRangeError, match="doesn't support per-parameter options"):
        optim.LBFGS([{"params": [p]}, {"params": [q]}])
    with pytest.raises(UnsupportedError, match="only 'strong_wolfe' is supported"):
        optim.LBFGS([p], line_search_fn="x").step(lambda: 0.0)
