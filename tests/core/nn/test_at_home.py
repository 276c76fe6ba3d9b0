"""What programs seldom use and the core has all the same: old norms by hooks, fractional pooling, the loss of a linear layer."""

from __future__ import annotations

import numpy as np
import pytest

import dovetail as dv
from dovetail.nn import functional as F


def values(*shape: int, seed: int = 0) -> dv.Tensor:
    return dv.tensor(np.random.RandomState(seed).standard_normal(shape), requires_grad=True)


def test_functions_that_share_a_modules_name() -> None:
    from dovetail.nn.utils.spectral_norm import SpectralNorm
    from dovetail.nn.utils.weight_norm import WeightNorm

    assert callable(dv.nn.utils.weight_norm) and callable(dv.nn.utils.spectral_norm)
    layer = dv.nn.utils.weight_norm(dv.nn.Linear(2, 3))
    assert isinstance(next(iter(layer._forward_pre_hooks.values())), WeightNorm)
    assert SpectralNorm("weight", 1, 0, 1e-12).n_power_iterations == 1


@pytest.mark.parametrize("shape", [(5, 3), (5, 2, 3)])
def test_linear_cross_entropy(shape: tuple[int, ...]) -> None:
    x, weight, bias = values(4, 3), values(*shape, seed=1), values(*shape[:-1], seed=2)
    target = dv.tensor(np.random.RandomState(3).randint(0, 5, (4, *shape[1:-1])))
    scores = dv.einsum("nf,c...f->nc...", x, weight) + bias
    out = F.linear_cross_entropy(x, weight, target, linear_bias=bias)
    dv.testing.assert_close(out, F.cross_entropy(scores, target))
    assert dv.autograd.gradcheck(lambda x, w, b: F.linear_cross_entropy(x, w, target, linear_bias=b), (x, weight, bias))
    with pytest.raises(RuntimeError, match=r"expected \(N, F\), \(C, F\) and \(N,\)"):
        F.linear_cross_entropy(values(2, 4, 3), values(5, 3), dv.zeros(2, 4, dtype=dv.int64))
    with pytest.raises(TypeError, match="argument 'target' must be Tensor, not int"):
        F.linear_cross_entropy(x, weight, 3)


@pytest.mark.parametrize("n", [2, 3])
def test_fractional_max_pool(n: int) -> None:
    x, samples = values(1, 2, *(6,) * n), dv.tensor(np.random.RandomState(1).uniform(0.1, 0.9, (1, 2, n)))
    pool = getattr(F, f"fractional_max_pool{n}d_with_indices")
    found, at = pool(x, 2, output_size=3, _random_samples=samples)
    assert found.shape == (1, 2, *(3,) * n)
    dv.testing.assert_close(x.flatten(2).gather(2, at.flatten(2)).reshape(found.shape), found)
    one, again = pool(x[0], 2, output_size=3, _random_samples=samples)
    assert dv.equal(one, found[0]) and dv.equal(again, at[0])
    assert dv.autograd.gradcheck(lambda x: pool(x, 2, output_size=3, _random_samples=samples)[0], (x,))
    with pytest.raises(ValueError, match="requires specifying either an output_size or an output_ratio"):
        pool(x, 2)
    with pytest.raises(TypeError, match="argument 'input' must be Tensor, not list"):
        pool([1.0], 2, 3)
