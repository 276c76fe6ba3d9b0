"""Sparse tensors: what they say, what they keep, and what is refused."""

from __future__ import annotations

import copy
import pickle  # as process pools use it
import subprocess
import sys

import numpy as np
import pytest

import dovetail as dv
from dovetail.errors import RangeError, ShapeError, TypeMismatch, UnsupportedError


def example(**options):
    return dv.sparse_coo_tensor([[0, 1, 1], [2, 0, 2]], [3.0, 4.0, 5.0], (2, 3), **options)


def test_scipy_comes_with_the_first_product():
    code = (
        "import sys, dovetail as dv\nt = dv.sparse_coo_tensor([[0], [1]], [2.0], (1, 2))\nassert 'scipy' not in sys.modules\n"
        "assert (t @ dv.ones(2, 1)).item() == 2 and 'scipy.sparse' in sys.modules\n"
        "import dovetail.sparse\nfrom dovetail.sparse import FloatTensor, mm\nassert isinstance(t, FloatTensor) and mm is dv.sparse.mm\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_without_the_plugin_the_error_says_which():
    code = (
        "import dovetail as dv\nassert not hasattr(dv, 'sparse_coo_tensor') and dv.ones(1).to_dense() == 1\n"
        "table = dv.nn.Embedding(2, 1, sparse=True)\n"
        "for use in (lambda: dv.sparse_coo_tensor, lambda: dv.eye(2).to_sparse(), lambda: table(dv.tensor([0]))):\n"
        "    try:\n        use()\n    except AttributeError as error:\n        assert 'science' in str(error), error\n"
        "    else:\n        raise AssertionError\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={"DOVETAIL_DISABLE_PLUGINS": "science", **_environment()})


def _environment():
    import os

    return {name: value for name, value in os.environ.items() if name != "DOVETAIL_DISABLE_PLUGINS"}


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda t: t.sort(), UnsupportedError, r"Tensor.sort: not implemented for .* dovetail.sparse_coo; .* to_dense"),
        (lambda t: dv.softmax(t, 1), UnsupportedError, r"softmax: not implemented .* to_dense\(\)"),
        (lambda t: t.exp(), UnsupportedError, r"exp: not implemented"),
        (lambda t: t > 1, UnsupportedError, r"gt: not implemented"),
        (lambda t: dv.where(dv.ones(2, 3) > 0, t, t), UnsupportedError, r"where: not implemented"),
        (lambda t: dv.nn.functional.gelu(t), UnsupportedError, "gelu: not implemented .* to_dense"),
        (lambda t: t + dv.ones(2, 3), ShapeError, r"add\(sparse, dense\) is not supported. Use add\(dense, sparse\) instead."),
        (lambda t: t / t, ShapeError, "Sparse division requires a scalar or zero-dim dense tensor divisor"),
        (lambda t: t @ dv.ones(2, 2), ShapeError, r"Expected dim 0 size 3, got 2"),
        (lambda t: t @ dv.ones(3, 2).double(), RuntimeError, "expected scalar type Float but found Double"),
        (lambda t: t.values(), ShapeError, "Cannot get values on an uncoalesced tensor, please call .coalesce"),
        (lambda t: t.numpy(), TypeMismatch, "can't convert Sparse layout tensor to numpy; Use Tensor.to_dense"),
        (lambda t: np.asarray(t), TypeMismatch, "to_dense"),
        (lambda t: t[0:1], UnsupportedError, "indexing by slices and tensors"),
        (lambda t: t[5], RangeError, "index 5 out of range for tensor of size"),
        (lambda t: t.__setitem__(0, 1), TypeMismatch, "Cannot assign to a sparse tensor"),
        (lambda t: dv.eye(2).coalesce(), ShapeError, "coalesce expected sparse coordinate tensor layout but got Strided"),
        (lambda t: dv.sparse.sampled_addmm(t, t, t), UnsupportedError, "sampled_addmm: not implemented for tensors of the layout"),
        (lambda t: dv.sparse_coo_tensor([[0]], [1.0, 2.0], (3,)), ShapeError, "must have same nnz, but got nnz from indices: 1"),
        (lambda t: example(check_invariants=True).to_sparse_bsr((3, 2)), ShapeError, "must be divisible by given blocksize"),
        (lambda t: dv.sparse_coo_tensor([[7]], [1.0], (3,), check_invariants=True), ShapeError, "size is 3 but found index 7"),
        (lambda t: dv.sparse_coo_tensor([[7]], [1.0], (3,)).to_dense(), ShapeError, "indices do not lie inside the size"),
        (lambda t: dv.sparse_coo_tensor([[0], [7]], [1.0], (3, 3)) @ dv.ones(3, 1), ShapeError, "index lies outside the size"),
        (lambda t: dv.nn.Parameter(t), UnsupportedError, r"Parameter: the layout dovetail.sparse_coo is not supported.*values\(\)"),
        (lambda t: t.requires_grad_().mul_(2), RuntimeError, "leaf Variable that requires grad"),
        (lambda t: dv.zeros_like(t, device="meta"), UnsupportedError, "no sparse tensors on the device meta; expected the CPU"),
    ],
)
def test_refusals(call, error, text):
    with pytest.raises(error, match=text):
        call(example())


def test_saving_is_refused_with_what_to_save(tmp_path):
    with pytest.raises(TypeError, match="cannot save adj of type dovetail_science.sparse"):
        dv.save({"adj": example()}, tmp_path / "a.safetensors")


def test_copies_pickles_and_modules():
    t = example(requires_grad=True)
    dv.sparse.mm(t, dv.ones(3, 1)).sum().backward()
    twin = copy.deepcopy(t)
    assert twin.requires_grad and twin.grad.to_dense().tolist() == t.grad.to_dense().tolist() and twin is not t
    twin = pickle.loads(pickle.dumps(example()))  # noqa: S301 - our own bytes
    assert twin.to_dense().tolist() == [[0, 0, 3], [4, 0, 5]]

    class Net(dv.nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("adj", example())

    net = Net().double()
    assert net.adj.dtype is dv.float64 and "adj" in net.state_dict()
    net.adj = example()
    net.load_state_dict(Net().state_dict())
    assert copy.deepcopy(net).adj.to_dense().equal(example().to_dense())


def test_a_large_product_agrees_with_scipy():
    from scipy.sparse import random

    a = random(300, 200, 0.05, random_state=np.random.default_rng(0), format="coo")
    x = np.random.default_rng(1).standard_normal((200, 17))
    index = dv.from_numpy(np.stack([a.row, a.col]).astype(np.int64))
    values = dv.from_numpy(a.data).requires_grad_()
    t = dv.sparse_coo_tensor(index, values, a.shape)
    for form in (t, t.to_sparse_csr(), t.to_sparse_csc(), t.to_sparse_bsr((3, 2))):
        np.testing.assert_allclose((form @ dv.from_numpy(x)).detach().numpy(), a @ x, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose((t @ t.t()).to_dense().detach().numpy(), (a @ a.T).toarray(), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("dtype", [dv.float64, dv.complex128])
def test_products_have_right_gradients(dtype):
    index = dv.tensor([[0, 0, 1, 2, 0], [1, 2, 0, 2, 1]])
    values = dv.randn(5, dtype=dtype, requires_grad=True)
    x = dv.randn(3, 2, dtype=dtype, requires_grad=True)

    def product(v, x):
        return dv.sparse.mm(dv.sparse_coo_tensor(index, v, (3, 3)), x)

    if dtype is dv.float64:
        assert dv.autograd.gradcheck(product, (values, x)) and dv.autograd.gradgradcheck(product, (values, x))
    dense = dv.zeros(3, 3, dtype=dtype).index_put(tuple(index), values, accumulate=True)
    mine, theirs = (dv.autograd.grad((y * y).abs().sum(), (values, x)) for y in (product(values, x), dense @ x))
    assert all(dv.allclose(a, b) for a, b in zip(mine, theirs, strict=True))


def test_softmax_and_sums_have_right_gradients():
    index = dv.tensor([[0, 0, 1, 2, 0], [1, 2, 0, 2, 1]])
    values = dv.randn(5, 2, dtype=dv.float64, requires_grad=True)

    def make(v):
        return dv.sparse_coo_tensor(index, v, (3, 3, 2))

    for function in (
        lambda v: dv.sparse.softmax(make(v), 1).to_dense(),
        lambda v: dv.sparse.log_softmax(make(v), 2).to_dense(),
        lambda v: dv.sparse.sum(make(v), (0, 2)).to_dense(),
        lambda v: (make(v) * make(v)).to_dense(),
        lambda v: dv.cat([make(v), make(v) * 2], 1).index_select(1, dv.tensor([1, 4, 1])).to_dense(),
    ):
        assert dv.autograd.gradcheck(function, (values,))


def test_batches_of_compressed_matrices():
    dense = dv.tensor([[[1.0, 0], [0, 2]], [[0, 3], [4, 0]]])
    t = dense.to_sparse_csr()
    assert t.crow_indices().shape == (2, 3) and t.to_dense().equal(dense)
    assert repr(t).splitlines()[-1].strip() == "layout=dovetail.sparse_csr)"


def test_a_sparse_leaf_has_the_gradients_of_pytorch():
    t = example(requires_grad=True)
    (t @ dv.ones(3, 1)).sum().backward()
    assert not t.grad.is_sparse and t.grad.tolist() == [[1, 1, 1], [1, 1, 1]]
    t.grad = None
    dv.sparse.mm(t, dv.ones(3, 1)).sum().backward()
    assert t.grad.is_sparse and t.grad.to_dense().tolist() == [[0, 0, 1], [1, 0, 1]]
