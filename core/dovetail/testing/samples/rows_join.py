"""Rows of joining tensors and taking them apart."""

import numpy as np

from .row import Row, T

A, B, C = T(2, 3), T(4, 3), T(2, 5, 3)


def cut(x, at, dim):
    return tuple(np.split(x, at, dim))


ROWS = [
    Row("cat", [[A, B]], ref=np.concatenate, promote=None, errors=[
        ([[]], {}, ValueError, "expected a non-empty list of Tensors"),
        ([[A, C]], {}, RuntimeError, "Tensors must have same number of dimensions: got 2 and 3"),
        ([[A, T(2, 4)]], {}, RuntimeError, "Sizes of tensors must match except in dimension 0. Expected size 3 but got size 4"),
        ([[A, T()]], {}, RuntimeError, "zero-dimensional tensor (at position 1) cannot be concatenated"),
        ([[A, 1]], {}, TypeError, "expected Tensor as element 1"),
        ([A], {}, TypeError, "must be tuple of Tensors, not Tensor"),
    ]),
    Row("cat", [[A, T(2, 0), T(2, 1)], -1], ref=lambda xs, dim: np.concatenate(xs, -1), promote=None, name="last"),
    Row("cat", [[A, B]], ref=np.vstack, call="vstack", promote=None, name="vstack",
        errors=[([[]], {}, RuntimeError, "expects a non-empty TensorList")]),
    Row("cat", [[A, T(2, 1)]], ref=np.hstack, call="hstack", promote=None, name="hstack"),
    Row("cat", [[T(3), T(3)]], ref=np.dstack, call="dstack", promote=None, name="dstack"),
    Row("cat", [[T(3), T(3, 2)]], ref=np.column_stack, call="column_stack", promote=None, name="column_stack"),
    Row("cat", [T(2, 3), T(4)], ref=lambda a, b: np.block([[a, np.zeros((2, 4))], [np.zeros((1, 3)), b[None]]]), call="block_diag",
        promote=None, name="block_diag", errors=[([C], {}, RuntimeError, "Input tensors must have 2 or fewer dimensions")]),
    Row("stack", [[A, A, A], 1], ref=lambda xs, dim: np.stack(xs, 1), promote=None, errors=[
        ([[]], {}, RuntimeError, "expects a non-empty TensorList"),
        ([[A, B]], {}, RuntimeError, "expects each tensor to be equal size, but got [2, 3] at entry 0 and [4, 3] at entry 1"),
        ([[A, A], 3], {}, IndexError, "Dimension out of range (expected to be in range of [-3, 2], but got 3)"),
    ]),
    Row("stack", [[T(), T()]], ref=np.stack, promote=None, name="numbers"),
    Row("stack", [T(2), T(3)], ref=lambda a, b: np.array([[x, y] for x in a for y in b]), call="cartesian_prod", promote=None,
        name="cartesian_prod"),
    Row("stack", [T(4), 3], ref=np.vander, call="vander", promote=None, name="vander",
        errors=[([A], {}, RuntimeError, "x must be a one-dimensional tensor")]),
    Row("split", [C, 2, 1], ref=lambda x, n, dim: cut(x, [2, 4], 1), promote=None, errors=[
        ([C, 0], {}, RuntimeError, "split_size can only be 0 if dimension size is 0, but got dimension size of 2"),
        ([C, -1], {}, RuntimeError, "expects split_size be non-negative, but got split_size=-1"),
        ([C, [1, 2], 1], {}, RuntimeError, "expects split_sizes to sum exactly to 5"),
        ([T(), 1], {}, RuntimeError, "expects at least a 1-dimensional tensor"),
    ]),
    Row("split", [C, [1, 0, 4], 1], ref=lambda x, n, dim: cut(x, [1, 1], 1), promote=None, name="sizes"),
    Row("split", [C, 3, 1], ref=lambda x, n, dim: cut(x, [2, 4], 1), call="chunk", promote=None, name="chunk",
        errors=[([C, 0], {}, RuntimeError, "expects `chunks` to be greater than 0, got: 0")]),
    Row("split", [C, 2, 1], ref=lambda x, n, dim: cut(x, [3], 1), call="tensor_split", promote=None, name="tensor_split",
        errors=[([C, 0], {}, RuntimeError, "number of sections must be larger than 0, got 0")]),
    Row("getitem", [C, [1, 4], 1], ref=lambda x, at, dim: cut(x, [1, 4], 1), call="tensor_split", promote=None, name="cut at"),
    Row("split", [T(2, 4), 2], ref=np.hsplit, call="hsplit", promote=None, name="hsplit",
        errors=[([C, 2], {}, RuntimeError, "the size of the dimension 5 is not divisible by the split_size 2")]),
    Row("split", [T(4, 3), 2], ref=np.vsplit, call="vsplit", promote=None, name="vsplit"),
    Row("split", [T(1, 3, 4), 2], ref=np.dsplit, call="dsplit", promote=None, name="dsplit"),
    Row("unbind", [C, 1], ref=lambda x, dim: tuple(x[:, i] for i in range(5)), promote=None,
        errors=[([T()], {}, IndexError, "Dimension specified as 0 but tensor has no dimensions")]),
    Row("unsqueeze", [T(3), C], ref=lambda a, b: (a[None, :, None], b), call="atleast_3d", promote=None, name="atleast_3d"),
    Row("unsqueeze", [T(3), T()], ref=lambda a, b: tuple(map(np.atleast_2d, (a, b))), call="atleast_2d", promote=None, name="atleast_2d"),
    Row("reshape", [T(), T(2)], ref=lambda a, b: tuple(map(np.atleast_1d, (a, b))), call="atleast_1d", promote=None, name="atleast_1d"),
    Row("complex", [A, T(3)], ref=lambda a, b: a + 1j * b, promote=None, errors=[
        ([A, T(2, 3, dtype="float32")], {}, RuntimeError, "Expected object of scalar type Double but got scalar type Float"),
        ([T(2, dtype="int64"), A], {}, RuntimeError, "Expected both inputs to be Half, Float or Double tensors but got Long"),
    ]),
    Row("complex", [A, T(3)], ref=lambda r, a: r * np.exp(1j * a), call="polar", promote=None, name="polar"),
]  # fmt: skip
