"""Lowerings that are compositions, over the range of their inputs; and no op without a lowering or a reason."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("onnxruntime")

import dovetail as dv
from dovetail import plugins
from dovetail.errors import UnsupportedError
from dovetail.ops._op import OPS
from dovetail_onnx import explain_export, export, load
from dovetail_onnx.exporter.unlowered import REASONS
from tests.onnx.running import run

INF, NAN = float("inf"), float("nan")
WIDE = dv.tensor([-INF, -7.25, -3.0, -0.5, -1e-3, -0.0, 0.0, 1e-3, 0.3, 0.5, 1.0, 1.5, 2.0, 2.5, 7.99, 8.0, 30.5, 1e5, INF, NAN])
WHOLE = dv.tensor([-(2**40), -12, -1, 0, 1, 7, 18, 2**31, 2**62])
EDGES = dv.tensor([-1.0, 0.0, 0.5, 0.99, 1.0, 1.01, NAN])

CALLS = {
    "lgamma": (dv.lgamma, [WIDE]),
    "digamma": (dv.digamma, [WIDE]),
    "erfinv": (dv.erfinv, [dv.tensor([-1.0, -0.999999, -0.5, -1e-6, 0.0, 0.2, 0.9, 0.99999, 1.0, 1.5, NAN])]),
    "erfinv in float64": (dv.erfinv, [dv.linspace(-0.99999, 0.99999, 101, dtype=dv.float64)]),
    "angle": (dv.angle, [WIDE]),
    "frexp": (dv.frexp, [dv.cat([WIDE, 2.0 ** dv.arange(-126, 128), 2.0 ** dv.arange(-126, 128) * 0.9999999])]),
    "gcd": (dv.gcd, [WHOLE[:, None], WHOLE]),
    "gcd of small types": (dv.gcd, [dv.tensor([200, 12, 0], dtype=dv.uint8), dv.tensor([150, 18, 0], dtype=dv.uint8)]),
    "lcm": (dv.lcm, [dv.tensor([-12, 0, 7, 18])[:, None], dv.tensor([5, 0, -18, 7])]),
    "left shift": (dv.bitwise_left_shift, [WHOLE[:, None], dv.tensor([0, 1, 31, 62, 63, 64])]),
    "left shift of bytes": (dv.bitwise_left_shift, [dv.tensor([1, 255], dtype=dv.uint8)[:, None], dv.tensor([0, 3, 7, 8], dtype=dv.uint8)]),
    "right shift": (dv.bitwise_right_shift, [WHOLE[:, None], dv.tensor([0, 1, 31, 62, 63])]),
    "right shift of int32": (dv.bitwise_right_shift, [dv.tensor([-9, 9], dtype=dv.int32)[:, None], dv.arange(5, dtype=dv.int32)]),
    "bincount": (lambda x: dv.bincount(x, minlength=3), [dv.tensor([0, 2, 2, 7])]),
    "bincount, weighted": (dv.bincount, [dv.tensor([0, 2, 2]), dv.tensor([0.5, 1.5, 2.0])]),
    "histc": (lambda x: dv.histc(x, 4, -1, 1), [EDGES]),
    "unravel_index": (lambda x: dv.unravel_index(x, (3, 4, 5)), [dv.arange(60)]),
    "repeat_interleave": (dv.repeat_interleave, [dv.tensor([2, 0, 3])]),
    "repeat_interleave of rows": (lambda x, n: dv.repeat_interleave(x, n, 0), [dv.rand(3, 2), dv.tensor([2, 0, 3])]),
    "mode": (lambda x: dv.mode(x, 1, True), [dv.tensor([[3.0, 1, 3, 1], [2, 2, 5, 2], [4, 3, 2, 1]])]),
    "mode of whole numbers": (lambda x: dv.mode(x, 0), [dv.tensor([[3, 1], [3, 2], [1, 2]])]),
    "cummax": (lambda x: dv.cummax(x, 1), [dv.tensor([[1.0, 3, 2, 3, NAN, 9, NAN], [-1, -2, -1, 0, 0, -INF, INF]])]),
    "cummin of whole numbers": (lambda x: dv.cummin(x, 0), [dv.tensor([3, 1, 2, 1, 0])]),
    "cummax of one": (lambda x: dv.cummax(x, 0), [dv.tensor([3.0])]),
    "as_strided": (lambda x: dv.as_strided(x, (2, 3), (1, 2), 1), [dv.arange(8.0)]),
    "fill_diagonal": (lambda x: x.clone().fill_diagonal_(7, wrap=True), [dv.rand(7, 3)]),
}  # fmt: skip


@pytest.mark.parametrize("name", CALLS)
def test_values(name):
    """In onnxruntime, and read again: infinities and NaN in the same places, places equal."""
    call, args = CALLS[name]
    proto = export(lambda args: call(*args), (tuple(args),))
    expected = call(*args)
    expected = list(expected) if isinstance(expected, tuple) else [expected]
    feed = {i.name: x.numpy() for i, x in zip(proto.graph.input, args, strict=True)}
    again = load(proto)(**feed)
    for found in (run(proto, feed), [t.detach().numpy() for t in (again if isinstance(again, tuple) else (again,))]):
        for a, b in zip(found, expected, strict=True):
            assert a.dtype == b.numpy().dtype
            np.testing.assert_allclose(a, b.numpy(), rtol=2e-6, atol=1e-6)


def test_free_dimensions():
    """Where a composition follows the size; and where it cannot, it says so."""
    for call, shape in (
        (lambda x: dv.lgamma(x + 1), (3,)),
        (lambda x: dv.mode(x.round(), 1)[0], (3, 4)),
        (lambda x: dv.histc(x, 5, 0, 1), (4,)),
    ):
        export(call, dv.rand(*shape), dynamic_shapes=[{0: "n"}])
    for call in (lambda x: dv.cummax(x, 0)[0], lambda x: x.clone().fill_diagonal_(1), lambda x: x.as_strided((2, 2), (2, 1))):
        with pytest.raises(UnsupportedError, match="free dimension|fix that dimension"):
            export(call, dv.rand(4, 4), dynamic_shapes=[{0: "n"}])
    with pytest.raises(UnsupportedError, match="histc over the range of the data; give min and max"):
        export(lambda x: dv.histc(x, 5), dv.rand(4))
    with pytest.raises(UnsupportedError, match="call contiguous"):
        export(lambda x: x.t().as_strided((2, 2), (2, 1)), dv.rand(4, 4))


def test_every_op_has_a_lowering_or_a_reason():
    assert dv.lu and dv.geqrf  # their ops are made when they are first asked for
    ours = {name for name in OPS if "/" not in name}
    lowered = {key.rpartition("@")[0] for key in plugins.lowerings.list("*@onnx")}
    assert ours - lowered == REASONS.keys() and not lowered & REASONS.keys()
    (row,) = explain_export(dv.linalg.svd, dv.rand(3, 3))
    assert row.reason == REASONS["linalg_svd"] and "(ONNX has no eigenvalues" in str(row)
