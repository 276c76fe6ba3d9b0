"""Rows of views, copies that move elements, and triangles."""

import numpy as np

import dovetail as dv
from dovetail.device import Device

from .row import I, Row, T

X, V, C, M = T(3, 4), T(5), T(2, 3, 4), T(4, 4)
_RANGE = ([C, 3], {}, IndexError, "Dimension out of range (expected to be in range of")


def windows(x, dim, size, step):
    view = np.lib.stride_tricks.sliding_window_view(x, size, axis=dim)
    return view[(slice(None),) * dim + (slice(None, None, step),)]


ROWS = [
    Row(
        "reshape",
        [C, (4, -1)],
        ref=lambda x, shape: x.reshape(4, -1),
        promote=None,
        errors=[
            ([C, (5, 5)], {}, RuntimeError, "shape '[5, 5]' is invalid for input of size 24"),
            ([C, (-1, -1)], {}, RuntimeError, "only one dimension can be inferred"),
            ([C, (-2, 12)], {}, RuntimeError, "invalid shape dimension -2"),
        ],
    ),
    Row("reshape", [C], ref=lambda x: x.reshape(-1), call="ravel", promote=None, empty=True, name="ravel"),
    Row("reshape", [C, 1], ref=lambda x, start: x.reshape(2, 12), call="flatten", promote=None, name="flatten"),
    Row("reshape", [C, T(24)], ref=lambda x, y: x.reshape(24), call="Tensor.reshape_as", promote=None, grad=False,
        why="the second tensor only lends its shape", name="reshape_as"),
    Row("view", [C, 2, 3, 2, -1], ref=lambda x, *shape: x.reshape(2, 3, 2, 2), call="Tensor.view", promote=None,
        errors=[([C, (5, 5)], {}, RuntimeError, "shape '[5, 5]' is invalid for input of size 24")]),
    Row("view", [C, 2, (2, -1)], ref=lambda x, dim, sizes: x.reshape(2, 3, 2, 2), call="unflatten", promote=None, name="unflatten",
        errors=[([C, 2, (3, 3)], {}, RuntimeError, "don't multiply up to the size of dim 2 (4) in the input tensor")]),
    Row("squeeze", [T(1, 3, 1)], ref=np.squeeze, promote=None, errors=[_RANGE]),
    Row("squeeze", [T(1, 3, 1), (0, 1)], ref=lambda x, dims: x[0], promote=None, name="some"),
    Row("unsqueeze", [C, -1], ref=lambda x, dim: x[..., None], promote=None, empty=True,
        errors=[([C, 5], {}, IndexError, "Dimension out of range (expected to be in range of [-4, 3], but got 5)")]),
    Row("expand_to", [T(2, 1, 4), (3, 2, 5, -1)], ref=lambda x, size: np.broadcast_to(x, (3, 2, 5, 4)), call="broadcast_to", promote=None,
        errors=[
            ([C, (2, 3, 5)], {}, RuntimeError, "The expanded size of the tensor (5) must match the existing size (4)"),
            ([C, (4,)], {}, RuntimeError, "must be greater or equal to the number of dimensions in the tensor (3)"),
        ]),
    Row("expand_to", [T(4, 1), T(3)], ref=lambda a, b: tuple(np.broadcast_arrays(a, b)), call="broadcast_tensors", promote=None,
        name="together", errors=[([X, V], {}, RuntimeError, "must match the size of tensor b (5) at non-singleton dimension 1")]),
    Row("expand_to", [T(3), T(2)], {"indexing": "xy"}, ref=lambda a, b, indexing: tuple(np.meshgrid(a, b)), call="meshgrid", promote=None,
        name="meshgrid", errors=[([X], {}, RuntimeError, "Expected 0D or 1D tensor in the tensor list but got: [3, 4]")]),
    Row("transpose", [C, 0, -1], ref=lambda x, a, b: np.swapaxes(x, 0, 2), promote=None, empty=True,
        errors=[([C, 0, 3], {}, IndexError, "Dimension out of range (expected to be in range of [-3, 2], but got 3)")]),
    Row("transpose", [X], ref=lambda x: x.T, call="t", promote=None, name="t",
        errors=[([C], {}, RuntimeError, "expects a tensor with <= 2 dimensions, but self is 3D")]),
    Row("transpose", [C], ref=lambda x: np.swapaxes(x, 1, 2), call="adjoint", promote=None, name="adjoint",
        errors=[([V], {}, RuntimeError, "is only supported on matrices or batches of matrices. Got 1-D tensor.")]),
    Row("permute", [C, (2, 0, 1)], ref=lambda x, dims: x.transpose(2, 0, 1), promote=None,
        errors=[
            ([C, (0, 0, 1)], {}, RuntimeError, "duplicate dims are not allowed"),
            ([C, (0, 1)], {}, RuntimeError, "does not match the length of the desired ordering of dimensions"),
        ]),
    Row("permute", [C, (0, 1), (2, 0)], ref=np.moveaxis, call="movedim", promote=None, name="movedim",
        errors=[([C, (0, 1), (2,)], {}, RuntimeError, "should contain the same number of dims as destination")]),
    Row("unfold_dim", [T(2, 7), 1, 3, 2], ref=windows, call="Tensor.unfold", promote=None, covers=("unfold_grad",),
        errors=[
            ([X, 1, 5, 1], {}, RuntimeError, "maximum size for tensor at dimension 1 is 4 but size is 5"),
            ([X, 1, 2, 0], {}, RuntimeError, "step is 0 but must be > 0"),
        ]),
    Row("diagonal", [C, 1, 1, 2], ref=np.diagonal, promote=None,
        errors=[([C, 0, 1, 1], {}, RuntimeError, "diagonal dimensions cannot be identical 1, 1")]),
    # of one element, as any other depends on where an input lies: tests/core/test_views.py has those
    Row("as_strided", [T(), (2, 3), (0, 0)], ref=lambda x, *rest: np.full((2, 3), x), promote=None,
        errors=[
            ([X, (5, 5), (5, 1)], {}, RuntimeError, "are out of bounds for storage of size"),
            ([X, (2,), (-1,)], {}, RuntimeError, "Negative strides are not supported"),
        ]),
    Row("clone", [X], ref=np.copy, promote=None, empty=True, errors=[([3], {}, TypeError, "must be Tensor, not int")]),
    Row("copy", [T(3, 4, grad=False), T(4)], ref=lambda x, src: np.broadcast_to(src, (3, 4)), call="Tensor.copy_", promote=None, errors=[
        ([T(4), X], {}, RuntimeError, "output with shape [4] doesn't match the broadcast shape [3, 4]"),
        ([T(4), "1"], {}, TypeError, "must be Tensor, not str"),
    ]),
    Row("move", [dv.arange(3), Device("cpu"), True], ref=lambda *rest: np.arange(3), promote=None),  # not on a GPU: it leaves it
    Row("view_dtype", [T(6, dtype="float32", grad=False), dv.int32], ref=lambda x, kind: x.astype("float32").view("int32"),
        call="Tensor.view", promote=None, name="view as int32",
        errors=[([T(3, dtype="float32"), dv.float64], {}, RuntimeError, "self.size(-1) must be divisible by 2 to view Float as Double")]),
    Row("fill_diagonal", [X, 2.5], ref=lambda x, v: np.where(np.eye(3, 4, dtype=bool), v, x), promote=None,
        errors=[([V, 1.0], {}, RuntimeError, "dimensions must larger than 1")]),
    Row("flip", [C, (0, 2)], ref=np.flip, promote=None, empty=True,
        errors=[([C, (0, 0)], {}, RuntimeError, "dim 0 appears multiple times in the list of dims")]),
    Row("flip", [C, 3, (0, 2)], ref=lambda x, k, dims: np.rot90(x, 3, (0, 2)), call="rot90", promote=None, name="rot90",
        errors=[([C, 1, (1, 1)], {}, RuntimeError, "expected rotation dims to be different, but got dim0 = 1 and dim1 = 1")]),
    Row("flip", [X], ref=np.fliplr, call="fliplr", promote=None, name="fliplr", errors=[([V], {}, RuntimeError, "Input must be >= 2-d")]),
    Row("flip", [X], ref=np.flipud, call="flipud", promote=None, name="flipud"),
    Row("roll", [C, (1, -2), (0, 2)], ref=np.roll, promote=None, empty=True,
        errors=[([C, (1, 1), (0,)], {}, RuntimeError, "shifts and dimensions must align. shifts: 2, dims:1")]),
    Row("roll", [X, 5], ref=np.roll, promote=None, name="flattened"),
    Row("repeat", [X, 2, 3, 1], ref=lambda x, *times: np.tile(x, (2, 3, 1)), call="Tensor.repeat", promote=None, name="repeat",
        errors=[([C, 2], {}, RuntimeError, "Number of dimensions of repeat dims can not be smaller")]),
    Row("repeat", [C, (2,)], ref=np.tile, call="tile", promote=None, name="tile"),
    Row("repeat", [X, 2, 1], ref=np.repeat, call="repeat_interleave", promote=None, name="repeat_interleave",
        errors=[([X, -1, 1], {}, RuntimeError, "Repeats must be non-negative")]),
    Row("index_select", [X, I(3, high=4), 0], ref=np.repeat, call="repeat_interleave", promote=None, name="repeat_interleave each",
        covers=("_spread",), sync=True,
        errors=[([X, I(2, high=4), 0], {}, RuntimeError, "repeats must have the same size as input along dim")]),
    Row("tril", [C, 1], ref=np.tril, promote=None, errors=[([V], {}, RuntimeError, "input tensor must have at least 2 dimensions")]),
    Row("triu", [C, -1], ref=np.triu, promote=None, errors=[([V], {}, RuntimeError, "input tensor must have at least 2 dimensions")]),
    Row("diag_embed", [X, 1], ref=lambda x, k: np.stack([np.diag(row, 1) for row in x]), promote=None,
        errors=[([X, 0, 1, 1], {}, RuntimeError, "diagonal dimensions cannot be identical 1, 1")]),
    Row("diag_embed", [V], ref=np.diag, call="diag", promote=None, name="diag of a vector",
        errors=[([C], {}, RuntimeError, "Supports 1D or 2D tensors. Got 3D")]),
    Row("diagonal", [M, -1], ref=np.diag, call="diag", promote=None, name="diag of a matrix"),
    Row("diag_embed", [X, 1], ref=np.diagflat, call="diagflat", promote=None, name="diagflat"),
]  # fmt: skip
