"""What the core hands to the plugin: the same results as in the core, typed errors, gradients, and what the error says without it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

import dovetail as dv

NAMES = """
lobpcg pca_lowrank svd_lowrank segment_reduce random_streams.poisson random_streams.binomial
optim.SparseAdam poisson binomial kron nn.utils.fuse_conv_bn_eval nn.utils.fusion.fuse_linear_bn_eval
lu lu_solve lu_unpack geqrf orgqr ormqr triangular_solve linalg.lu linalg.lu_factor linalg.lu_factor_ex linalg.lu_solve
linalg.householder_product linalg.matrix_power linalg.cond linalg.multi_dot linalg.tensorinv linalg.tensorsolve linalg.vander
matrix_power chain_matmul vander gradient cartesian_prod combinations cov corrcoef histogramdd istft bartlett_window
blackman_window hamming_window kaiser_window
""".split()


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
import io, numpy
with io.BytesIO() as file:
    numpy.savez(file, x=numpy.ones(2))
    file.seek(0)
    for call in (lambda: dovetail.ones(2, 2).cov(), lambda: dovetail.load(file)):
        try:
            print(call(), "is there")
        except (UnknownAttribute, ModuleNotFoundError) as error:
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


def test_typed_errors() -> None:
    with pytest.raises(TypeError, match="argument 'A' must be Tensor, not list"):
        dv.svd_lowrank([[1.0]])
    with pytest.raises(RuntimeError, match="A must be square"):
        dv.lobpcg(dv.ones(2, 3, requires_grad=True))
    with pytest.raises(NotImplementedError, match="not implemented for"):
        dv.segment_reduce(dv.ones(2, dtype=dv.int64), "sum", lengths=dv.tensor([2]))
