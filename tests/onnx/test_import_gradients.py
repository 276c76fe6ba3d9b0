"""Gradients through imported operators equal finite differences."""

from __future__ import annotations

import numpy as np
import pytest

import dovetail as dv
import dovetail_onnx

onnx = pytest.importorskip("onnx")
from onnx import TensorProto, helper, numpy_helper

from tests.onnx import models, seeds
from tests.support.cupy_standin import standin  # noqa: F401

A = (1, 3, 5, 4)

# (operator, shapes of the float inputs, attributes, other inputs by position, opset)
ROWS = [
    ("Conv", [A, (4, 3, 3, 2)], {"pads": [1, 0, 2, 1], "strides": [2, 1]}, {}, 18),
    ("Conv", [(1, 4, 7), (6, 2, 3), (6,)], {"group": 2, "dilations": [2], "auto_pad": "SAME_LOWER"}, {}, 18),
    ("ConvTranspose", [(1, 2, 4, 3), (2, 3, 3, 3), (3,)], {"strides": [2, 2], "pads": [0, 1, 1, 2], "output_padding": [1, 0]}, {}, 18),
    ("ConvTranspose", [(1, 2, 4), (2, 3, 3)], {"strides": [3], "output_shape": [11]}, {}, 18),
    ("DeformConv", [(1, 2, 4, 4), (2, 2, 2, 2), (1, 8, 3, 3)], {}, {}, 19),
    ("Col2Im", [(1, 8, 9)], {}, {1: np.array([4, 4], "i8"), 2: np.array([2, 2], "i8")}, 18),
    ("AveragePool", [A], {"kernel_shape": [3, 2], "pads": [1, 1, 1, 0], "ceil_mode": 1, "strides": [2, 2]}, {}, 19),
    ("MaxPool", [A], {"kernel_shape": [3, 2], "pads": [1, 1, 1, 0], "dilations": [1, 2]}, {}, 19),
    ("LpPool", [A], {"kernel_shape": [2, 2], "p": 3}, {}, 18),
    ("GlobalLpPool", [A], {}, {}, 18),
    ("BatchNormalization", [A, (3,), (3,), (3,)], {}, {4: np.array([1.0, 2.0, 3.0])}, 15),
    ("InstanceNormalization", [A, (3,), (3,)], {}, {}, 18),
    ("LayerNormalization", [A, (5, 4), (5, 4)], {"axis": 2}, {}, 18),
    ("GroupNormalization", [(2, 6, 5), (6,), (6,)], {"num_groups": 3}, {}, 21),
    ("RMSNormalization", [(3, 5), (5,)], {"stash_type": 11}, {}, 23),
    ("LRN", [A], {"size": 2, "alpha": 0.1}, {}, 18),
    ("LpNormalization", [(3, 5)], {"p": 1}, {}, 18),
    ("MeanVarianceNormalization", [A], {}, {}, 18),
    ("Gemm", [(4, 3), (5, 4), (5,)], {"transA": 1, "transB": 1, "alpha": 0.5, "beta": 2.0}, {}, 18),
    ("Einsum", [(2, 3, 4), (2, 4, 5)], {"equation": "bij,bjk->bik"}, {}, 18),
    ("CumSum", [(3, 4)], {"exclusive": 1, "reverse": 1}, {1: np.array(1)}, 18),
    ("CumProd", [(3, 4)], {"exclusive": 1}, {1: np.array(1)}, 26),
    ("ReduceLogSumExp", [A], {}, {1: np.array([1, 3])}, 18),
    ("ReduceProd", [(2, 3, 2)], {}, {1: np.array([0, 2])}, 18),
    ("ReduceL2", [A], {"keepdims": 0}, {1: np.array([2])}, 18),
    ("TopK", [(3, 5)], {"largest": 0}, {1: np.array([2])}, 18),
    ("Softmax", [(2, 3, 4)], {"axis": 1}, {}, 11),
    ("Selu", [(3, 5)], {}, {}, 18),
    ("PRelu", [A, (3,)], {}, {}, 6),
    ("Shrink", [(3, 5)], {"bias": 0.2, "lambd": 0.4}, {}, 18),
    ("Swish", [(3, 5)], {"alpha": 0.7}, {}, 24),
    ("Gelu", [(3, 5)], {"approximate": "tanh"}, {}, 20),
    ("Gather", [(4, 3)], {"axis": 0}, {1: np.array([[0, -1], [2, 2]])}, 18),
    ("GatherElements", [(3, 3)], {"axis": 1}, {1: np.array([[0, -1], [2, 2], [1, 0]])}, 18),
    ("GatherND", [(2, 3, 4)], {"batch_dims": 1}, {1: np.array([[[2], [0]], [[1], [-1]]])}, 18),
    ("ScatterElements", [(3, 3), (2, 3)], {"reduction": "add"}, {1: np.array([[0, 1, 2], [0, 0, -1]])}, 18),
    ("ScatterND", [(4, 2), (2, 2)], {"reduction": "mul"}, {1: np.array([[1], [3]])}, 18),
    ("Pad", [(3, 4)], {"mode": "reflect"}, {1: np.array([1, 2, 0, -1])}, 18),
    ("Pad", [(3, 4)], {"mode": "wrap"}, {1: np.array([1, 2, 0, 1])}, 19),
    ("Slice", [(5, 6)], {}, {1: np.array([4, 1]), 2: np.array([-99, 6]), 3: np.array([0, 1]), 4: np.array([-2, 3])}, 18),
    ("DepthToSpace", [(1, 8, 2, 3)], {"blocksize": 2, "mode": "CRD"}, {}, 13),
    ("Resize", [(1, 2, 4, 5)], {"mode": "cubic", "antialias": 1}, {2: np.array([1, 1, 0.6, 1.7], "f4")}, 19),
    ("Resize", [(1, 1, 4, 4)], {"mode": "linear", "coordinate_transformation_mode": "align_corners"}, {3: np.array([1, 1, 7, 3])}, 19),
    ("GridSample", [(1, 2, 4, 4), (1, 3, 3, 2)], {"mode": "cubic", "padding_mode": "border"}, {}, 20),
    ("AffineGrid", [(1, 2, 3)], {}, {1: np.array([1, 1, 3, 4])}, 20),
    ("RoiAlign", [(1, 2, 6, 6)], {"output_height": 2, "output_width": 3}, {1: np.array([[0.3, 0.7, 4.2, 5.1]]), 2: np.array([0])}, 16),
    ("MaxUnpool", [(1, 1, 2, 2)], {"kernel_shape": [2, 2], "strides": [2, 2]}, {1: np.array([[[[0, 3], [9, 14]]]])}, 18),
    ("DFT", [(1, 5, 2)], {"onesided": 1}, {}, 20),
    ("STFT", [(1, 9, 1), (4,)], {}, {1: np.array(2)}, 17),
    ("RNN", [(3, 2, 4), (2, 3, 4), (2, 3, 3), (2, 6)], {"direction": "bidirectional"}, {}, 14),
    ("GRU", [(3, 2, 4), (1, 9, 4), (1, 9, 3), (1, 18)], {"linear_before_reset": 1}, {4: np.array([3, 1], "i4")}, 14),
    ("LSTM", [(3, 2, 4), (1, 12, 4), (1, 12, 3), (1, 24)], {"clip": 2.0, "activations": ["HardSigmoid", "Tanh", "Affine"]}, {}, 14),
    ("SoftmaxCrossEntropyLoss", [(3, 4, 2)], {"ignore_index": 1}, {1: np.array([[0, 1], [2, 3], [1, 0]])}, 13),
    ("Attention", [(1, 4, 3, 6), (1, 2, 3, 6), (1, 2, 3, 6)], {"is_causal": 1, "softcap": 2.0}, {}, 23),
]  # fmt: skip


def module_and_values(op, shapes, attributes, others, opset):
    """The operator as a module, the other inputs in it as constants; and float64 values for the rest."""
    if opset > onnx.defs.onnx_opset_version():
        pytest.skip(f"onnx {onnx.__version__} has no opset {opset}")
    free = (at for at in range(99) if at not in others)
    names = {next(free): "x" for _ in shapes} | dict.fromkeys(others, "i")
    order = [f"{names[at]}{at}" if at in names else "" for at in range(max(names) + 1)]
    weights = [numpy_helper.from_array(np.asarray(value), f"i{at}") for at, value in others.items()]
    node = helper.make_node(op, order, ["y"], **attributes)
    inputs = [helper.make_tensor_value_info(name, TensorProto.DOUBLE, None) for name in order if name.startswith("x")]
    graph = helper.make_graph([node], "g", inputs, [helper.make_value_info("y", onnx.TypeProto())], weights)
    module = dovetail_onnx.load(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)]))
    rng = np.random.default_rng(3)
    return module, [dv.from_numpy(rng.normal(size=shape)).requires_grad_() for shape in shapes]


IDS = [f"{at}-{row[0]}" for at, row in enumerate(ROWS)]


@pytest.mark.parametrize("row", ROWS, ids=IDS)
def test_gradient(row):
    module, values = module_and_values(*row)
    assert dv.autograd.gradcheck(module, values, fast_mode=True) and not module.handed_over


@pytest.mark.parametrize("row", ROWS, ids=IDS)
def test_on_the_gpu(standin, row):
    """On the stand-in for CuPy: the same results and gradients as on the CPU, constants and shapes notwithstanding."""
    module, values = module_and_values(*row)
    expected = module(*values)
    expected.sum().backward()
    there = [value.detach().to("cuda").requires_grad_() for value in values]
    found = module.to("cuda")(*there)
    assert found.device.type == "cuda"
    found.sum().backward()
    np.testing.assert_allclose(found.detach().cpu().numpy(), expected.detach().numpy(), rtol=1e-6, atol=1e-9)
    for ours, theirs in zip(there, values):
        np.testing.assert_allclose(ours.grad.cpu().numpy(), theirs.grad.numpy(), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("name", models.SEEDS)
def test_whole_models_on_the_gpu(standin, name):
    module = dovetail_onnx.load(models.SEEDS[name]())
    shape = {"mlp": (3, 6), "convnet": (2, 2, 5, 5)}.get(name, (4,))
    x = dv.from_numpy(np.random.default_rng(0).normal(size=shape).astype("f4"))
    expected = module(x)
    found = module.to("cuda")(x.to("cuda"))
    for ours, theirs in zip(found if isinstance(found, tuple) else [found], expected if isinstance(expected, tuple) else [expected]):
        np.testing.assert_allclose(ours.detach().cpu().numpy(), theirs.detach().numpy(), rtol=1e-5, atol=1e-6)


def test_bounds_of_another_branch_are_not_stored_ones():
    """One branch has a bound as an initializer, the other computes one of the same name, to which a gradient flows."""
    made = seeds.written("""g (float[3] x) => (float[3] y) <bool no = {0}, float w = {1}, float high = {2}> {
        y = If (no) <
            then_branch = t () => (float[3] p) <float low = {-1}> { p = Clip(x, low, high) },
            else_branch = e () => (float[3] q) { low = Neg(w) q = Clip(x, low, high) }
        > }""")
    module = dovetail_onnx.load(made, trainable=lambda name: name == "w")
    module(dv.tensor([-3.0, 0.0, 5.0])).sum().backward()
    assert module.w.grad.item() == -1
