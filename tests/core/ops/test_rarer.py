"""What programs seldom ask for: imported when it is first used, the core's own, with typed errors."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

import dovetail as dv

MODULES = """
func autograd.derivatives autograd.forward_ad nn.grad nn.utils.fusion nn.utils.parametrizations nn.utils.parametrize nn.utils.stateless
optim.swa_utils optim.sparse_adam cpu.streams cuda.streams ops.count_draws ops.grouped ops.inverse_stft ops.linalg_more ops.lowrank
ops.lu_factors ops.segments ops.sequences ops.statistics ops.windows_more
""".split()


def test_each_is_imported_when_it_is_first_used() -> None:
    program = f"""
import sys
import dovetail as dv
from dovetail import nn, optim
assert not [name for name in {MODULES!r} if f"dovetail.{{name}}" in sys.modules]
print(dv.eye(2).cov().shape, dv.autograd.functional.jacobian(dv.sin, dv.zeros(())), dv.linalg.matrix_power(dv.eye(1), 3), dv.vmap.__name__)
print(nn.utils.parametrize.is_parametrized(nn.Linear(1, 1)), optim.swa_utils.SWALR.__name__, dv.cpu.Stream().query(), dv.Event().query())
"""
    environment = {**os.environ, "DOVETAIL_PLUGINS": "none"}
    run = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)
    assert run.stdout.splitlines() == ["dovetail.Size([2, 2]) tensor(1.) tensor([[1.]]) vmap", "False SWALR True True"], run.stderr


def test_typed_errors() -> None:
    with pytest.raises(TypeError, match="argument 'A' must be Tensor, not list"):
        dv.svd_lowrank([[1.0]])
    with pytest.raises(TypeError, match="argument 'mat_a' must be Tensor, not int"):
        dv.nn.functional.grouped_mm(1, 2)
    with pytest.raises(RuntimeError, match="A must be square"):
        dv.lobpcg(dv.ones(2, 3, requires_grad=True))
    with pytest.raises(NotImplementedError, match="not implemented for"):
        dv.segment_reduce(dv.ones(2, dtype=dv.int64), "sum", lengths=dv.tensor([2]))
