"""Namespaces, MATLAB files, the SciPy optimizer, and refusals of distributions."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

import dovetail as dv
from dovetail.distributions import (
    Bernoulli,
    Categorical,
    ContinuousBernoulli,
    Dirichlet,
    Distribution,
    Geometric,
    Independent,
    LKJCholesky,
    LowRankMultivariateNormal,
    MixtureSameFamily,
    MultivariateNormal,
    Normal,
    TransformedDistribution,
    Uniform,
    Wishart,
    biject_to,
    kl_divergence,
    register_kl,
    transforms,
    utils,
)
from dovetail.distributions import constraints as c
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
        (
            lambda: Normal(0.0, -1.0),
            r"Normal: Expected parameter scale .* to satisfy the constraint GreaterThan\(lower_bound=0.0\), but found",
        ),
        (lambda: Normal(dv.tensor(float("nan")), 1.0), "Normal: Expected parameter loc"),
        (lambda: Categorical(dv.tensor([-1.0, 2.0])), "Categorical: Expected parameter probs"),
        (lambda: Categorical(), "Either `probs` or `logits` must be specified, but not both. neither is given"),
        (lambda: Bernoulli(0.5, 0.0), "Either `probs` or `logits` must be specified, but not both. both are given"),
        (lambda: Uniform(1.0, 0.0), r"Uniform\(low: 1.0, high: 0.0\) to satisfy the constraint LessThan\(upper_bound=0.0\)"),
        (lambda: Geometric(0.0), r"Geometric: Expected parameter probs .* to be positive but found invalid values"),
        (lambda: ContinuousBernoulli(1.5, validate_args=True), "The parameter probs has invalid values: 1.5; expected 0 <= probs <= 1"),
        (lambda: Dirichlet(dv.tensor(1.0)), "`concentration` parameter must be at least one-dimensional."),
        (
            lambda: MultivariateNormal(dv.zeros(2)),
            "Exactly one of covariance_matrix or precision_matrix or scale_tril may be specified. got 0",
        ),
        (lambda: MultivariateNormal(dv.zeros(2), dv.tensor([[1.0, 2.0], [2.0, 1.0]])), "PositiveDefinite"),
        (
            lambda: LowRankMultivariateNormal(dv.zeros(2), dv.zeros(3, 1), dv.ones(2)),
            r"must be a batch of matrices with shape 2 x m; got loc \(2,\)",
        ),
        (lambda: LowRankMultivariateNormal(dv.zeros(4, 2), dv.zeros(3, 2, 1), dv.ones(2)), "Incompatible batch shapes"),
        (lambda: LKJCholesky(1), "integer greater than or equal to 2. Found dim=1."),
        (lambda: Wishart(1.0, dv.eye(2)), "Value of df=1.0 expected to be greater than ndim - 1 = 1."),
        (
            lambda: MixtureSameFamily(Categorical(dv.ones(2)), Normal(dv.zeros(3), 1.0)),
            r"\(2\) does not equal `component_distribution.batch_shape",
        ),
        (lambda: Normal(0.0, "x"), r"must all be instances of Number or Tensor \(got float, str\)"),
        (
            lambda: Normal(dv.zeros(2), 1.0).log_prob(dv.zeros(3)),
            r"Value is not broadcastable with batch_shape\+event_shape: .*\[3\]\) vs .*\[2\]",
        ),
        (lambda: Dirichlet(dv.ones(3)).log_prob(dv.ones(2)), "The right-most size of value must match event_shape"),
        (
            lambda: Bernoulli(0.5).log_prob(dv.tensor(0.5)),
            r"Expected value argument .* to be within the support \(Boolean\(\)\) of the distribution",
        ),
        (lambda: Normal(0.0, 1.0).log_prob(0.0), "The value argument to log_prob must be a Tensor; got float"),
        (lambda: TransformedDistribution(Normal(0.0, 1.0), "exp"), "transforms must be a Transform or a list of Transforms, but was 'exp'"),
        (lambda: Independent(Normal(0.0, 1.0), 1), r"actual 1 vs 0"),
        (lambda: transforms.ExpTransform(cache_size=2), "cache_size is 2; cache_size must be 0 or 1"),
        (lambda: transforms.ReshapeTransform((2,), (3,)), "in_shape, out_shape have different numbers of elements"),
        (lambda: transforms.CorrCholeskyTransform().forward_shape((2,)), "Input is not a flattened lower-diagonal number"),
        (lambda: utils.vec_to_tril_matrix(dv.zeros(2)), "which cannot be expressed as the lower triangular part"),
        (lambda: utils.tril_matrix_to_vec(dv.zeros(2, 2), 2), r"diag \(2\) provided is outside \[-2, 1\]."),
    ],
)
def test_refusals(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_what_has_no_closed_form_says_so():
    with pytest.raises(NotImplementedError, match="No KL.* is implemented for p type Normal and q type Poly.*register_kl"):
        kl_divergence(Normal(0.0, 1.0), type("Poly", (Distribution,), {"arg_constraints": {}})())
    with pytest.raises(NotImplementedError, match="cross KL-divergence between different exponential families"):
        kl_divergence(Normal(0.0, 1.0), Bernoulli(0.5))
    with pytest.raises(NotImplementedError, match="Cannot transform _Boolean constraints"):
        biject_to(c.boolean)
    with pytest.raises(NotImplementedError, match=r"Bernoulli.rsample: it has no closed form"):
        Bernoulli(0.5).rsample()
    with pytest.raises(NotImplementedError, match="it is not monotone|not monotone"):
        _ = transforms.AbsTransform().sign
    with pytest.raises(ValueError, match="Cannot determine validity of dependent constraint"):
        c.dependent.check(dv.zeros(1))


def test_checks_can_be_switched_off():
    assert Normal(0.0, -1.0, validate_args=False).scale.item() == -1.0


def test_distributions_of_ones_own():
    """A subclass says what it has not: checks that it cannot make are a warning, `expand` needs one's own constructor."""

    class Odd(Distribution):
        def log_prob(self, value):
            self._validate_sample(value)
            return value

    with pytest.warns(UserWarning, match="does not define `arg_constraints`"):
        odd = Odd((2,))
    with pytest.warns(UserWarning, match="does not define `support`"):
        odd.log_prob(dv.zeros(2))

    class Shifted(Normal):
        def __init__(self, loc):
            super().__init__(loc + 1.0, 1.0)

    with pytest.raises(NotImplementedError, match=r"Subclass Shifted of Normal .* must also define a custom .expand\(\) method."):
        Shifted(dv.zeros(2)).expand((3, 2))
    with pytest.warns(FutureWarning, match="sample_n"):
        assert Normal(dv.zeros(2), 1.0).sample_n(3).shape == (3, 2)


def test_ambiguous_divergences_warn(monkeypatch):
    from dovetail.distributions import kl

    monkeypatch.setattr(kl, "_KL_REGISTRY", dict(kl._KL_REGISTRY))
    monkeypatch.setattr(kl, "_KL_MEMOIZE", {})
    mine = type("Mine", (Normal,), {})
    register_kl(mine, Normal)(lambda p, q: "left")
    register_kl(Normal, mine)(lambda p, q: "right")
    assert kl_divergence(mine(0.0, 1.0), Normal(0.0, 1.0)) == "left" and kl_divergence(Normal(0.0, 1.0), mine(0.0, 1.0)) == "right"
    with pytest.warns(RuntimeWarning, match=r"Ambiguous kl_divergence\(Mine, Mine\). Please register_kl\(Mine, Mine\)"):
        assert kl_divergence(mine(0.0, 1.0), mine(0.0, 1.0)) == "left"
    with pytest.raises(TypeError, match="Expected a Distribution subclass but got 1"):
        register_kl(1, Normal)


@pytest.mark.filterwarnings("ignore:Singular sample detected")
def test_distributions_are_copied_and_pickled():
    import copy
    import pickle

    tanh = TransformedDistribution(Normal(dv.zeros(2), 1.0), [transforms.TanhTransform(cache_size=1), transforms.AffineTransform(0.0, 2.0)])
    assert tanh.transforms[0].inv.inv is tanh.transforms[0]
    for distribution in (tanh, Wishart(4.0, dv.eye(2)), Categorical(logits=dv.zeros(3)), Uniform(0.0, 1.0), LKJCholesky(3)):
        value = distribution.sample()
        sent = pickle.loads(pickle.dumps(distribution))  # noqa: S301 as a process pool does
        for other in (copy.copy(distribution), copy.deepcopy(distribution), sent):
            assert repr(other) == repr(distribution) and repr(other.support) == repr(distribution.support)
            assert dv.equal(other.log_prob(value), distribution.log_prob(value))


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
