"""Namespaces, MATLAB files, the SciPy optimizer, and refusals of distributions."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from dovetail.distributions import (
    Bernoulli,
    Categorical,
    Dirichlet,
    MultivariateNormal,
    Normal,
    TransformedDistribution,
    Uniform,
    kl_divergence,
    transforms,
)
from dovetail.distributions import constraints as c

import dovetail as dv
from dovetail.errors import FormatError


def test_namespaces_come_at_first_touch():
    code = (
        "import sys, dovetail as dv\nassert 'scipy' not in sys.modules and 'dovetail_science' not in sys.modules\n"
        "from dovetail.distributions import Normal\nfrom dovetail.signal.windows import hann\nimport dovetail.distributions.kl\n"
        "from dovetail.distributions.transforms import TanhTransform\nfrom dovetail.distributions.normal import Normal as again\n"
        "from dovetail.distributions.multivariate_normal import MultivariateNormal\nassert again is Normal\n"
        "assert 'scipy' not in sys.modules\n"
        "assert dv.special.expit is dv.sigmoid and dv.distributions.Normal is Normal\n"
        "assert abs(dv.special.ndtr(dv.tensor(0.0)).item() - 0.5) < 1e-7 and 'scipy' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Normal(0.0, -1.0), r"Normal: parameter scale .* outside GreaterThan\(lower_bound=0.0\)"),
        (lambda: Normal(dv.tensor(float("nan")), 1.0), "Normal: parameter loc"),
        (lambda: Categorical(dv.tensor([-1.0, 2.0])), "Categorical: parameter probs"),
        (lambda: Categorical(), "neither probs nor logits is given"),
        (lambda: Bernoulli(0.5, 0.0), "both probs and logits are given"),
        (lambda: Uniform(1.0, 0.0), "expected every low below its high"),
        (lambda: Dirichlet(dv.tensor(1.0)), "concentration has no dimension"),
        (lambda: MultivariateNormal(dv.zeros(2)), "0 matrices are given"),
        (lambda: MultivariateNormal(dv.zeros(2), dv.tensor([[1.0, 2.0], [2.0, 1.0]])), "PositiveDefinite"),
        (lambda: Normal(0.0, "x"), "got float, str; expected numbers and tensors"),
        (lambda: Normal(dv.zeros(2), 1.0).log_prob(dv.zeros(3)), r"expected one that broadcasts with batch and event shape \(2,\)"),
        (lambda: Bernoulli(0.5).log_prob(dv.tensor(0.5)), "outside the support"),
        (lambda: Normal(0.0, 1.0).log_prob(0.0), "value is float; expected a Tensor"),
        (lambda: TransformedDistribution(Normal(0.0, 1.0), "exp"), "expected a Transform or a list"),
        (lambda: transforms.ExpTransform(cache_size=2), "cache_size is 2; expected 0 or 1"),
    ],
)
def test_refusals(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_what_has_no_closed_form_says_so():
    with pytest.raises(NotImplementedError, match="no closed form for Normal and Bernoulli.*register_kl"):
        kl_divergence(Normal(0.0, 1.0), Bernoulli(0.5))
    with pytest.raises(NotImplementedError, match=r"Bernoulli.rsample: it has no closed form"):
        Bernoulli(0.5).rsample()
    with pytest.raises(NotImplementedError, match="it is not monotone|not monotone"):
        _ = transforms.AbsTransform().sign
    with pytest.raises(ValueError, match="cannot be checked"):
        c.dependent.check(dv.zeros(1))


def test_checks_can_be_switched_off():
    assert Normal(0.0, -1.0, validate_args=False).scale.item() == -1.0


def test_matlab_files(tmp_path):
    scipy_io = pytest.importorskip("scipy.io")
    state = {
        "layer.weight": dv.arange(6.0).reshape(2, 3),
        "steps": dv.tensor(7),
        "on": dv.tensor([True, False]),
        "z": dv.tensor([[1 + 2j]]),
    }
    dv.save(state, tmp_path / "w.mat")
    found = scipy_io.loadmat(tmp_path / "w.mat")
    assert np.array_equal(found["layer_weight"], [[0, 1, 2], [3, 4, 5]])
    again = dv.load(tmp_path / "w.mat")
    assert all(dv.equal(again[name], state[name]) and again[name].dtype is state[name].dtype for name in state) and set(again) == set(state)
    scipy_io.savemat(tmp_path / "m.mat", {"row": np.arange(3.0), "yes": np.array([True])})
    assert {name: t.shape for name, t in dv.load(tmp_path / "m.mat").items()} == {"row": (1, 3), "yes": (1, 1)}
    with pytest.raises(FormatError, match="MATLAB does not have; expected float32"):
        dv.save({"h": dv.zeros(2, 2, dtype=dv.float16)}, tmp_path / "h.mat")
    with pytest.raises(FormatError, match="two tensors would be called 'a_b'"):
        dv.save({"a.b": dv.zeros(1), "a_b": dv.zeros(1)}, tmp_path / "h.mat")
    assert not (tmp_path / "h.mat").exists()
    scipy_io.savemat(tmp_path / "s.mat", {"who": {"name": "x"}})
    with pytest.raises(FormatError, match="variable 'who' is of type .*no tensor"):
        dv.load(tmp_path / "s.mat")
    (tmp_path / "t.mat").write_bytes((tmp_path / "w.mat").read_bytes()[:150])
    with pytest.raises(FormatError, match="t.mat"):
        dv.load(tmp_path / "t.mat")


@pytest.mark.parametrize("method", ["L-BFGS-B", "BFGS", "CG", "TNC", "SLSQP"])
def test_scipy_minimizes_rosenbrock(method):
    xy = dv.nn.Parameter(dv.tensor([-1.2, 1.0], dtype=dv.float64))
    optimizer = dv.plugins.optimizers.load("science/ScipyMinimize")([xy], method=method, max_iter=200)

    def closure():
        optimizer.zero_grad()
        loss = (1 - xy[0]) ** 2 + 100 * (xy[1] - xy[0] ** 2) ** 2
        loss.backward()
        return loss

    assert abs(optimizer.step(closure).item() - 24.2) < 1e-9
    assert np.allclose(xy.detach().numpy(), 1, atol=2e-2)


def test_scipy_minimize_refuses():
    from dovetail.science.optim import ScipyMinimize

    x = dv.nn.Parameter(dv.zeros(2))
    with pytest.raises(ValueError, match="method is 'newton'; expected one of L-BFGS-B"):
        ScipyMinimize([x], method="newton")
    with pytest.raises(ValueError, match="BFGS takes no bounds"):
        ScipyMinimize([x], method="BFGS", bounds=(0, 1))
    with pytest.raises(NotImplementedError, match="there is no closure"):
        ScipyMinimize([x]).step()
