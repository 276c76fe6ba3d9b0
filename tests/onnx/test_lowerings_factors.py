"""Linear systems, factorizations and CTC, which are loops in the graph: results and gradients, other sizes, no turns, half types."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

pytest.importorskip("onnxruntime")

import dovetail as dv
from dovetail.errors import DovetailError, UnsupportedError
from dovetail_onnx import export, load
from tests.onnx.running import assert_same, run

F, linalg = dv.nn.functional, dv.linalg


def rand(*shape):
    return dv.from_numpy(np.random.default_rng(sum(shape)).normal(size=shape).astype("f4"))


A = rand(2, 3, 4, 4)
POSITIVE = A @ A.mT + dv.eye(4)
SIGNED = dv.stack([rand(3, 3), -rand(3, 3), dv.eye(3).flip(0), dv.eye(3)[[1, 2, 0]], dv.ones(3, 3).triu(1)])
LABELS, STEPS, LENGTHS = dv.tensor([[1, 2, 2], [3, 1, -1], [0, 0, 0]]), dv.tensor([6, 5, 2]), dv.tensor([3, 2, 0])

CALLS = {
    "inv": (linalg.inv, [A]),
    "inv of a permutation": (linalg.inv, [dv.eye(4)[[2, 0, 3, 1]]]),
    "solve": (linalg.solve, [A, rand(3, 4, 2)]),
    "solve, a vector": (linalg.solve, [A[0, 0], rand(4)]),
    "solve_triangular": (lambda a, b: linalg.solve_triangular(a, b, upper=True), [POSITIVE, rand(2, 3, 4, 2)]),
    "slogdet": (linalg.slogdet, [A]),
    "slogdet of large numbers": (linalg.slogdet, [rand(40, 40) * 100]),
    "lu": (linalg.lu_factor_ex, [A]),
    "lu, higher": (linalg.lu_factor_ex, [rand(2, 5, 3)]),
    "lu, wider": (linalg.lu_factor_ex, [rand(3, 5)]),
    "qr": (linalg.qr, [A]),
    "qr, higher": (linalg.qr, [rand(2, 5, 3)]),
    "qr, wider": (linalg.qr, [rand(3, 5)]),
    "matrix_power": (lambda x: linalg.matrix_power(x, -2), [POSITIVE]),
    "ctc": (lambda x, *rest: F.ctc_loss(x.log_softmax(2), *rest, reduction="none"), [rand(6, 3, 4), LABELS, STEPS, LENGTHS]),
    "ctc, the mean": (lambda x, *rest: F.ctc_loss(x.log_softmax(2), *rest), [rand(6, 3, 4), LABELS, STEPS, LENGTHS]),
    "ctc, one after the other": (lambda x, t: F.ctc_loss(x.log_softmax(2), t, (6, 5), (3, 1)), [rand(6, 2, 4), dv.tensor([1, 2, 2, 3])]),
    "ctc, the last is blank": (lambda x, t: F.ctc_loss(x.log_softmax(1), t, (6,), (2,), blank=3), [rand(6, 4), dv.tensor([0, 2])]),
}  # fmt: skip


def both(call, args, opset=20):
    """What the function and the file read again give, and their gradients."""
    module, found = load(export(call, tuple(args), opset=opset)), []
    for each in (call, module):
        leaves = [x.clone().requires_grad_(x.is_floating_point()) for x in args]
        out = each(*leaves)
        out = list(out) if isinstance(out, tuple) else [out]
        sum((t * t.detach().cos()).sum() for t in out if t.is_floating_point()).backward()
        found.append([t.detach() for t in out] + [x.grad for x in leaves if x.grad is not None])
    assert not module.handed_over
    return found


@pytest.mark.parametrize("name", CALLS)
def test_results_and_gradients(name):
    """`export` has compared the results in onnxruntime."""
    ours, theirs = both(*CALLS[name])
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs):
        assert a.dtype == b.dtype
        np.testing.assert_allclose(b.numpy(), a.numpy(), rtol=1e-4, atol=1e-4 * max(1, float(a.abs().max())))


@pytest.mark.parametrize("name", ["solve", "slogdet", "lu, wider", "qr, higher", "ctc"])
def test_the_oldest_opset(name):
    both(*CALLS[name], opset=13)


@pytest.mark.parametrize("upper", [False, True])
def test_cholesky(upper):
    """The gradient of the graph, which reads one triangle, is on that triangle; its symmetric part is PyTorch's."""
    (out, g), (again, h) = both(lambda x: linalg.cholesky(x, upper=upper), [POSITIVE])
    np.testing.assert_allclose(again.numpy(), out.numpy(), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(((h + h.mT) / 2).numpy(), g.numpy(), rtol=1e-4, atol=1e-4)


def test_signs_and_what_is_singular():
    """A determinant of 0 has the sign 0 and the logarithm -inf; odd permutations turn the sign."""
    proto = export(linalg.slogdet, SIGNED)
    for a, b in zip(run(proto, {proto.graph.input[0].name: SIGNED.numpy()}), np.linalg.slogdet(SIGNED.numpy())):
        np.testing.assert_allclose(a, b, rtol=1e-5)


@pytest.mark.parametrize("mode", ["complete", "r"])
def test_other_modes_of_qr(mode):
    proto = export(lambda x: tuple(t for t in linalg.qr(x, mode) if t.numel()), rand(5, 3))
    assert sum(node.op_type == "Loop" for node in proto.graph.node) == 1


def test_impossible_alignments():
    """Infinite, or 0 where they are to count nothing; without a step there is a loss for the empty sequence alone."""
    args = (rand(3, 3, 4), LABELS, dv.tensor([3, 0, 0]), LENGTHS)
    for zero, expected in ((False, [np.inf, np.inf, 0]), (True, [0, 0, 0])):
        proto = export(lambda *a, zero=zero: F.ctc_loss(*a, zero_infinity=zero, reduction="none"), args)
        (found,) = run(proto, {i.name: x.numpy() for i, x in zip(proto.graph.input, args)})
        assert found.tolist() == expected


def test_free_sizes():
    for call, shape, free in (
        (lambda x: linalg.inv(x + 4 * dv.eye(x.shape[-1])), (2, 4, 4), {0: "n", 1: "m", 2: "m"}),
        (lambda x: linalg.slogdet(x - 4 * dv.eye(x.shape[-1])), (2, 4, 4), {0: "n", 1: "m", 2: "m"}),
        (lambda x: linalg.cholesky(x @ x.mT + dv.eye(x.shape[-1])), (2, 4, 4), {0: "n", 1: "m", 2: "m"}),
        (lambda x: linalg.qr(x), (2, 4, 3), {0: "n"}),
    ):
        proto = export(call, rand(*shape), dynamic_shapes=[free])
        sizes = {name: size for name, size in {"n": 5, "m": 7}.items() if name in free.values()}
        assert_same(proto, call, rand(*shape), sizes, [free], tol=1e-3)
    with pytest.raises(UnsupportedError, match="a QR factorization of matrices with free sizes; fix their sizes"):
        export(linalg.qr, rand(4, 4), dynamic_shapes=[{0: "m", 1: "m"}])


def test_a_recogniser_that_returns_its_loss():
    """Any batch, any length, any number of labels."""
    model = dv.nn.Linear(5, 4)

    def loss(x, labels, steps, lengths):
        return F.ctc_loss(model(x).log_softmax(2), labels, steps, lengths, reduction="sum")

    args = (rand(7, 3, 5), LABELS.clamp(min=0), STEPS, LENGTHS)
    free = [{0: "time", 1: "n"}, {0: "n", 1: "labels"}, {0: "n"}, {0: "n"}]
    proto = export(loss, args, dynamic_shapes=free)
    assert_same(proto, loss, args, {"time": 11, "n": 5, "labels": 4}, free)


def test_a_loop_in_half_precision_stays_in_float32():
    """Also what its body reads from outside, and outputs that a body reads."""

    def model(x):
        y = x * 2
        return y, linalg.cholesky(y)

    proto = export(model, POSITIVE[0], half=True)
    (loop,) = [node for node in proto.graph.node if node.op_type == "Loop"]
    assert proto.graph.output[1].type.tensor_type.elem_type == onnx.TensorProto.FLOAT16
    assert any(value.type.tensor_type.elem_type == onnx.TensorProto.FLOAT for value in loop.attribute[0].g.input)


def test_a_loop_without_turns():
    """What it stacks has no rows, and the type and sizes that its body declares."""
    text = """<ir_version: 8, opset_import: ["" : 18]> g (int64 n, float[3] x) => (float[3] y, int64[m, 3, 2] z) {
      yes = Constant<value: tensor = bool {1}>()
      y, z = Loop(n, yes, x) <body = b (int64 i, bool c, float[3] a) => (bool d, float[3] e, int64[3, 2] f) {
        d = Identity(c)
        e = Add(a, a)
        one = Constant<value: tensor = int64[3, 2] {1, 1, 1, 1, 1, 1}>()
        f = Mul(one, i)
      }>
    }"""
    module = load(onnx.parser.parse_model(text))
    for turns in (0, 2):
        y, z = module(dv.tensor(turns), dv.ones(3))
        assert y.tolist() == [2.0**turns] * 3 and tuple(z.shape) == (turns, 3, 2) and z.dtype is dv.int64


def test_a_loop_without_turns_that_declares_the_impossible():
    """Sizes beyond any memory, and types without tensors: a typed error that names the node, or no rows."""
    text = """<ir_version: 8, opset_import: ["" : 18]> g (int64 n) => (KIND[m, 3] z) {
      yes = Constant<value: tensor = bool {1}>()
      z = Loop(n, yes) <body = b (int64 i, bool c) => (bool d, KIND[A, B] f) { d = Identity(c)  f = Cast<to = 7>(i) }>
    }"""
    for kind, size in (("int64", 2**40), ("string", 2)):
        module = load(onnx.parser.parse_model(text.replace("KIND", kind).replace("A", str(size)).replace("B", str(size))))
        try:
            assert module(dv.tensor(0)).shape[0] == 0
        except DovetailError as error:
            assert "(Loop, ai.onnx 18)" in str(error)
