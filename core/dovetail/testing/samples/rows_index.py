"""Rows of indexing, gathering and scattering."""

import numpy as np

from .row import B, I, Row, T

X, V, C = T(3, 4), T(5), T(2, 3, 4)
IDX = I(3, 2, high=4)
_OUT = "is out of bounds for dimension"


def put_along(x, index, src, how):
    """Element by element, as the documentation of scatter has it, along dimension 1."""
    out = np.array(x)
    for i in range(index.shape[0]):
        for j in range(index.shape[1]):
            at = i, index[i, j]
            out[at] = how(out[at], src[i, j])
    return out


def reduced(x, index, src, how, include_self):
    """scatter_reduce along dimension 1 by collecting what goes to each place."""
    places = [[[x[i, j]] for j in range(x.shape[1])] for i in range(x.shape[0])]
    for i in range(index.shape[0]):
        for j in range(index.shape[1]):
            places[i][index[i, j]].append(src[i, j])
    pick = lambda got: how(got if include_self or len(got) == 1 else got[1:])
    return np.array([[pick(got) for got in row] for row in places])


def with_slices(x, dim, index, source, how):
    out = np.array(x)
    for k, i in enumerate(index):
        at = (slice(None),) * dim + (i,)
        out[at] = how(out[at], np.take(source, k, dim))
    return out


def replaced(x, at, src):
    out = np.array(x)
    out[at] = src
    return out


SRC = T(3, 2)
ROWS = [
    Row("getitem", [C, (slice(None), 1, slice(None, None, 2))], ref=lambda x, at: x[at], call="Tensor.__getitem__", promote=None,
        covers=("getitem_grad",), errors=[
            ([C, 5], {}, IndexError, "index 5 is out of bounds for dimension 0 with size 2"),
            ([C, (0, 0, -5)], {}, IndexError, "index -5 is out of bounds for dimension 2 with size 4"),
            ([C, (0, 0, 0, 0)], {}, IndexError, "too many indices for tensor of dimension 3"),
            ([T(), 0], {}, IndexError, "invalid index of a 0-dim tensor"),
            ([C, 1.5], {}, IndexError, "only integers, slices (`:`), ellipsis (`...`), None and long or byte Variables are valid"),
            ([C, slice(None, None, -1)], {}, ValueError, "step must be greater than zero"),
        ]),
    Row("getitem", [C, (None, ..., 0)], ref=lambda x, at: x[at], call="Tensor.__getitem__", promote=None, name="new and rest"),
    Row("index", [C, I(2, 2, high=2)], ref=lambda x, at: x[at], call="Tensor.__getitem__", promote=None,
        name="rows", errors=[
            ([C, T(2)], {}, IndexError, "tensors used as indices must be long, int, byte or bool tensors"),
            ([C, I(2, low=5, high=6)], {}, IndexError, "index 5 is out of bounds for dimension 0 with size 2"),
            ([C, (I(2, high=2), I(3, high=3))], {}, IndexError, "indexing tensors could not be broadcast together with shapes [2], [3]"),
            ([C, B(3)], {}, IndexError, "The shape of the mask [3] at index 0 does not match the shape of the indexed tensor [2, 3, 4]"),
        ]),
    Row("index", [C, (0, slice(None), I(3, high=4))], ref=lambda x, at: x[0][:, at[2]], call="Tensor.__getitem__", promote=None,
        name="number first"),
    Row("index", [C, (I(3, high=2), slice(1, None), I(3, high=4))], ref=lambda x, at: x[at], call="Tensor.__getitem__", promote=None,
        name="apart"),
    Row("index", [C, (slice(None), I(2, 1, high=3), I(2, high=4))], ref=lambda x, at: x[at], call="Tensor.__getitem__", promote=None,
        name="together"),
    Row("index", [C, B(2, 3)], ref=lambda x, at: x[at], call="Tensor.__getitem__", promote=None, sync=True, name="mask"),
    Row("index", [X, B(3, 4)], ref=lambda x, m: x[m], call="masked_select", promote=None, sync=True, name="masked_select",
        errors=[([X, X], {}, RuntimeError, "masked_select: expected BoolTensor for mask")]),
    Row("getitem", [C, 1, 2], ref=lambda x, dim, i: x[:, 2], call="select", promote=None, name="select", errors=[
        ([C, 1, 3], {}, IndexError, "index 3 out of range for tensor of size [2, 3, 4] at dimension 1"),
        ([T(), 0, 0], {}, IndexError, "cannot be applied to a 0-dim tensor"),
    ]),
    Row("getitem", [C, 2, 1, 2], ref=lambda x, *rest: x[:, :, 1:3], call="narrow", promote=None, name="narrow", errors=[
        ([C, 2, 3, 2], {}, RuntimeError, "start (3) + length (2) exceeds dimension size (4)."),
        ([C, 2, 5, 0], {}, IndexError, "start out of range (expected to be in range of [-4, 4], but got 5)"),
    ]),
    Row("setitem", [X, (B(3),), T(4)], ref=lambda x, at, v: replaced(x, at[0], v), call="index_put", promote=None, errors=[
        ([X, (I(2, high=3),), T(3, 4)], {}, RuntimeError, "cannot be broadcast to indexing result of shape [2, 4]"),
        ([X, (I(2, high=3),), T(2, 4, dtype="float32")], {}, RuntimeError, "requires the source and destination dtypes match"),
    ]),
    Row("setitem", [X, (I(6, high=3), I(6, high=4)), T(6)], {"accumulate": True}, call="index_put", promote=None, name="accumulate",
        ref=lambda x, at, v, accumulate: x + sum(replaced(np.zeros((3, 4)), (i, j), u) for i, j, u in zip(*at, v, strict=True))),
    Row("setitem", [X, T(3), 1, 2], ref=lambda x, src, dim, i: replaced(x, (slice(None), 2), src), call="select_scatter",
        promote=None, name="select_scatter",
        errors=[([X, T(4), 1, 2], {}, RuntimeError, "expected src to have a size equal to the slice of self")]),
    Row("setitem", [X, T(3, 2), 1, 0, 4, 2], ref=lambda x, src, *rest: replaced(x, (slice(None), slice(0, 4, 2)), src),
        call="slice_scatter", promote=None, name="slice_scatter"),
    Row("diagonal_scatter", [X, T(3), 1], ref=lambda x, src, k: replaced(x, (np.arange(3), np.arange(3) + 1), src), promote=None,
        errors=[([X, T(4)], {}, RuntimeError, "expected src to have a size equal to the diagonal of self")]),
    Row("gather", [X, 1, IDX], ref=lambda x, dim, index: np.take_along_axis(x, index, 1), promote=None, covers=("gather_grad",),
        errors=[
            ([X, 1, I(3, 1, low=7, high=8)], {}, RuntimeError, "index 7 is out of bounds for dimension 1 with size 4"),
            ([X, 1, I(3, 1, low=-1, high=0)], {}, RuntimeError, "index -1 is out of bounds"),
            ([X, 1, I(3, high=4)], {}, RuntimeError, "Index tensor must have the same number of dimensions as input tensor"),
            ([X, 1, I(4, 1, high=4)], {}, RuntimeError, "to be no larger than self [3, 4] apart from dimension 1"),
        ]),
    Row("gather", [X, 0, I(2, 2, high=3)], ref=lambda x, dim, index: np.take_along_axis(x[:, :2], index, 0), promote=None, name="smaller"),
    Row("gather", [X, I(1, 4, high=3), 0], ref=np.take_along_axis, call="take_along_dim", promote=None, name="take_along_dim",
        errors=[([X, I(4, high=3), 0], {}, RuntimeError, "input and indices should have the same number of dimensions")]),
    Row("index_select", [C, 1, I(4, high=3)], ref=lambda x, dim, i: x[:, i], promote=None, errors=[
        ([C, 1, I(1, low=3, high=4)], {}, IndexError, "index out of range in self"),
        ([C, 1, I(1, low=-1, high=0)], {}, IndexError, "index out of range in self"),
        ([C, 1, I(2, 2, high=3)], {}, IndexError, "Index is supposed to be a vector"),
        ([C, 1, V], {}, RuntimeError, "Expected dtype int32 or int64 for index"),
    ]),
    Row("take", [X, I(2, 3, low=-12, high=12)], ref=np.take, promote=None, errors=[
        ([X, I(1, low=12, high=13)], {}, IndexError, "out of range: tried to access index 12 on a tensor of 12 elements."),
    ]),
    Row("argwhere", [B(3, 4)], ref=np.argwhere, promote=None, sync=True, errors=[([3], {}, TypeError, "must be Tensor, not int")]),
    Row("nonzero", [B(3, 4)], {"as_tuple": True}, ref=lambda x, as_tuple: np.nonzero(x), promote=None, sync=True,
        errors=[([3], {}, TypeError, "must be Tensor, not int")]),
    Row("unravel_index", [I(5, high=24), (2, 3, 4)], ref=np.unravel_index, promote=None,
        errors=[([I(2, high=3), (1.5,)], {}, TypeError, "must be tuple of ints")]),
    Row("one_hot", [I(2, 3, high=4), 5], ref=lambda x, n: np.eye(5, dtype=np.int64)[x], call="nn.functional.one_hot", promote=None,
        errors=[
            ([I(3, low=2, high=3), 2], {}, RuntimeError, "Class values must be smaller than num_classes."),
            ([I(3, low=-1, high=0)], {}, RuntimeError, "Class values must be non-negative."),
            ([V], {}, RuntimeError, "is only applicable to index tensor of type LongTensor."),
            ([I(0, high=2)], {}, RuntimeError, "Can not infer total number of classes from empty tensor."),
        ]),
    Row("scatter", [X, 1, I(3, 1, high=4), T(3, 1)], ref=lambda x, d, i, s: put_along(x, i, s, lambda a, b: b), promote=None, errors=[
        ([X, 1, I(3, 1, low=4, high=5), SRC], {}, RuntimeError, f"index 4 {_OUT} 1 with size 4"),
        ([X, 1, IDX, T(3, 2, dtype="float32")], {}, RuntimeError, "Expected self.dtype to be equal to src.dtype"),
        ([X, 1, IDX, T(3, 1)], {}, RuntimeError, "to be no larger than src [3, 1]"),
        ([X, 1, IDX, 1.0], {"reduce": "no"}, RuntimeError, "reduce argument must be either add or multiply."),
    ]),
    Row("scatter", [X, 1, I(3, 1, high=4), T(5, 2)], ref=lambda x, d, i, s: put_along(x, i, s, lambda a, b: b), promote=None,
        name="larger src"),
    Row("scatter", [V, 0, I(high=5), T()], ref=lambda x, d, i, s: replaced(x, i, s), promote=None, name="one element"),
    Row("scatter", [X, 1, IDX], {"value": 2.5, "reduce": "add"}, promote=None, name="add a number",
        ref=lambda x, d, i, value, reduce: put_along(x, i, np.full((3, 2), 2.5), np.add)),
    Row("scatter", [X, 1, IDX, 2.5], {"reduce": "multiply"}, promote=None, name="times a number", grad=False,
        why="PyTorch has no derivative of it either", sync=True,
        ref=lambda x, d, i, s, reduce: put_along(x, i, np.full((3, 2), 2.5), np.multiply)),
    Row("scatter_add", [X, 1, IDX, SRC], ref=lambda x, d, i, s: put_along(x, i, s, np.add), promote=None, errors=[
        ([X, 1, I(3, 1, low=4, high=5), SRC], {}, RuntimeError, f"index 4 {_OUT} 1 with size 4"),
    ]),
    Row("scatter_reduce", [X, 1, I(3, 5, high=4), T(3, 5), "sum"], promote=None,
        ref=lambda x, d, i, s, how: reduced(x, i, s, np.sum, True),
        errors=[([X, 1, IDX, SRC, "median"], {}, RuntimeError, "reduce argument must be either sum, prod, mean, amax or amin")]),
    *(
        Row("scatter_reduce", [X, 1, I(3, 5, high=4), T(3, 5), how], {"include_self": own}, promote=None, name=f"{how} {own}",
            ref=lambda x, d, i, s, how, include_self, f=f: reduced(x, i, s, f, include_self))
        for how, f in (("mean", np.mean), ("amax", np.max), ("amin", np.min))
        for own in (True, False)
    ),
    *(
        Row("scatter_reduce", [X, 1, I(3, 5, high=4), T(3, 5), "prod"], {"include_self": own}, promote=None, name=f"prod {own}", sync=True,
            ref=lambda x, d, i, s, how, include_self: reduced(x, i, s, np.prod, include_self))
        for own in (True, False)
    ),
    Row("index_add", [X, 1, I(5, high=4), T(3, 5)], {"alpha": 2}, promote=None,
        ref=lambda x, d, i, s, alpha: with_slices(x, 1, i, s * 2, np.add), errors=[
            ([X, 1, I(2, high=4), T(3, 5)], {}, RuntimeError, "Number of indices (2) should be equal to source.size(dim): (5), for dim: 1"),
            ([X, 1, I(2, low=4, high=5), T(3, 2)], {}, IndexError, f"index 4 {_OUT} 1 with size 4"),
            ([X, 1, I(2, high=4), T(3, 2, dtype="float32")], {}, RuntimeError, "must have the same scalar type"),
        ]),
    Row("index_copy", [X, 1, I(1, high=4), T(3, 1)], promote=None, ref=lambda x, d, i, s: with_slices(x, 1, i, s, lambda a, b: b),
        errors=[([X, 1, I(1, low=4, high=5), T(3, 1)], {}, IndexError, f"index 4 {_OUT} 1 with size 4")]),
    Row("index_fill", [X, 1, I(2, high=4), 1.5], promote=None, ref=lambda x, d, i, v: replaced(x, (slice(None), i), v), errors=[
        ([X, 1, I(2, high=4), T(2)], {}, RuntimeError, "only supports a 0-dimensional value tensor, but got tensor with 1 dimension"),
        ([X, 1, I(1, low=4, high=5), 1.0], {}, IndexError, "out of range"),
    ]),
    Row("index_fill", [X, 0, I(1, high=3), T()], promote=None, ref=lambda x, d, i, v: replaced(x, i, v), name="a tensor"),
    Row("put", [X, I(1, low=-12, high=12), T(1)], promote=None, ref=lambda x, i, s: replaced(x.reshape(-1), i, s).reshape(3, 4), errors=[
        ([X, I(1, low=12, high=13), T(1)], {}, IndexError, "out of range: tried to access index 12 on a tensor of 12 elements."),
        ([X, I(2, high=12), T(1)], {}, IndexError, "Expected source and index to have the same number of elements"),
    ]),
    Row("put", [X, I(6, high=12), T(6), True], promote=None, name="accumulate",
        ref=lambda x, i, s, add: x + np.bincount(i, s, 12).reshape(3, 4)),
    Row("masked_scatter", [X, B(3, 4), T(3, 3)], promote=None, sync=True,
        ref=lambda x, m, s: replaced(x, m, s.reshape(-1)[: m.sum()]),
        errors=[([X, B(3, 4), T(2)], {}, RuntimeError, "Number of elements of source < number of ones in mask")]),
]  # fmt: skip
