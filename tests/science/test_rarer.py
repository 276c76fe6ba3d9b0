"""What the core hands to the plugin: the same results as in the core, typed errors, gradients, and what the error says without it."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

import dovetail as dv
from dovetail.nn import functional as F

NAMES = """
lobpcg pca_lowrank svd_lowrank segment_reduce random_streams.poisson random_streams.binomial
nn.AdaptiveLogSoftmaxWithLoss nn.FractionalMaxPool2d nn.LinearCrossEntropyLoss nn.functional.linear_cross_entropy
nn.functional.fractional_max_pool2d nn.modules.adaptive.AdaptiveLogSoftmaxWithLoss nn.modules.pooling.FractionalMaxPool3d
nn.utils.weight_norm nn.utils.spectral_norm nn.utils.fuse_conv_bn_eval nn.utils.fusion.fuse_linear_bn_eval
""".split()


def values(*shape: int, seed: int = 0) -> dv.Tensor:
    return dv.tensor(np.random.RandomState(seed).standard_normal(shape), requires_grad=True)


def test_without_the_plugin_the_error_says_what_to_install() -> None:
    program = f"""
import dovetail
from dovetail.errors import UnknownAttribute
for name in {NAMES!r}:
    try:
        found = dovetail
        for part in name.split("."):
            found = getattr(found, part)
        print(name, "is there")
    except UnknownAttribute as error:
        assert "dovetail-science" in str(error), error
"""
    run = subprocess.run(
        [sys.executable, "-c", program], env={**os.environ, "DOVETAIL_PLUGINS": "none"}, capture_output=True, text=True, check=False
    )
    assert (run.returncode, run.stdout) == (0, ""), run.stdout + run.stderr


@pytest.mark.parametrize("name", NAMES)
def test_the_names_are_the_cores(name: str) -> None:
    found = dv
    for part in name.split("."):
        found = getattr(found, part)
    assert callable(found)


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


def test_typed_errors() -> None:
    with pytest.raises(TypeError, match="argument 'A' must be Tensor, not list"):
        dv.svd_lowrank([[1.0]])
    with pytest.raises(RuntimeError, match="A must be square"):
        dv.lobpcg(dv.ones(2, 3, requires_grad=True))
    with pytest.raises(NotImplementedError, match="not implemented for"):
        dv.segment_reduce(dv.ones(2, dtype=dv.int64), "sum", lengths=dv.tensor([2]))
