"""Sparse tensors beside PyTorch's: constructors, functions, text, gradients, optimizers; rows that differ on purpose are below."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import dovetail as dv
from tests.parity.both import category

pytest.importorskip("dovetail_science")

ROWS = [row for row in Path(__file__).with_name("sparse_rows.txt").read_text().splitlines() if not row.startswith("#")]

NAMES = """
i = T.tensor([[0, 0, 1, 2, 0], [1, 2, 0, 2, 1]]); v = T.tensor([1.0, 2, 3, 4, 5])
sp = T.sparse_coo_tensor(i, v, (3, 4)); spc = sp.coalesce(); csr = spc.to_sparse_csr()
x = T.randn(4, 2); d = T.arange(12.0).view(3, 4)
h = T.sparse_coo_tensor(i[:1], T.arange(10.0).view(5, 2), (3, 2))
one = T.sparse_coo_tensor([[0], [1]], [2.0], (3, 4))
"""


def told(value: Any, T: Any) -> Any:
    """All that can be seen of a result."""
    if isinstance(value, tuple | list):
        return [told(v, T) for v in value]
    if not isinstance(value, T.Tensor):
        return repr(value).replace("dovetail.", "torch.")
    layout = str(value.layout).rpartition(".")[2]
    seen = [layout, tuple(value.shape), str(value.dtype).rpartition(".")[2], value.requires_grad]
    if layout != "strided":
        seen += [value.sparse_dim(), value.dense_dim(), value.is_coalesced() if layout == "sparse_coo" else None]
    return [*seen, re.sub(r"\s+", " ", repr(value.detach())).replace("dovetail.", "torch.")]


def answer(T: Any, row: str) -> tuple[Any, BaseException | None]:
    names: dict[str, Any] = {"T": T, "F": T.nn.functional}
    T.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exec(NAMES, names)  # noqa: S102 - our own text
        *before, last = row.split(";")
        try:
            for statement in before:
                exec(statement.strip(), names)  # noqa: S102 - a row of our own table
            return told(eval(last.strip(), names), T), None  # noqa: S307 - a row of our own table
        except Exception as error:
            return None, error


@pytest.mark.parametrize("row", ROWS)
def test_one_answer(row: str) -> None:
    (mine, error), (theirs, expected) = answer(dv, row), answer(torch, row)
    if expected is not None or error is not None:
        assert expected is not None, f"we raise {error!r}; PyTorch answers {theirs}"
        assert error is not None, f"PyTorch raises {expected!r}; we answer {mine}"
        assert isinstance(error, category(expected)), f"we raise {error!r}; PyTorch {expected!r}"
        return
    assert mine == theirs


# We compute these, and PyTorch refuses: (row, the values)
MORE = {
    "csr / 2": [3.0, 1.0, 1.5, 2.0],
    "csr.pow(2)": [36.0, 4.0, 9.0, 16.0],
    "(csr - csr * 2).to_sparse()": [-6.0, -2.0, -3.0, -4.0],
    "T.add(sp, d).to_sparse()": [7.0, 4.0, 3.0, 7.0, 5.0, 6.0, 7.0, 8.0, 9.0, 14.0, 11.0],
    "(sp @ csr.t())": [40.0, 8.0, 9.0, 8.0, 16.0],
}


@pytest.mark.parametrize("row", MORE)
def test_what_pytorch_refuses(row: str) -> None:
    assert answer(torch, row)[1] is not None
    names: dict[str, Any] = {"T": dv}
    exec(NAMES, names)  # noqa: S102 - our own text
    assert eval(row, names).values().tolist() == MORE[row]  # noqa: S307 - a row of our own table


LOSSES = """
(s @ x).pow(2).sum()
T.mm(s, x).pow(2).sum()
T.spmm(s, x).pow(2).sum()
T.mv(s, x[:, 0]).pow(2).sum()
(x.t() @ s.t()).pow(2).sum()
(T.mm(x.t(), s.t()) ** 2).sum()
T.sparse.mm(s, x).pow(2).sum()
T.sparse.mm(s, x).pow(2).sum() + (s @ x).sum()
T.sparse.addmm(T.ones(3, 2), s, x, beta=2, alpha=3).pow(2).sum()
T.sparse.sum(s)
T.sparse.sum(s, 0).to_dense().pow(2).sum()
T.sparse.sum(s, dim=1).to_dense().pow(2).sum()
s.sum() * 2
s.to_dense().pow(2).sum()
(s * 2).to_dense().pow(2).sum()
(s * T.tensor(3.0)).to_dense().pow(2).sum()
(s / 2).to_dense().pow(2).sum()
(s + s).to_dense().pow(2).sum()
(s - s * 2).to_dense().pow(2).sum()
s.coalesce().values().pow(2).sum()
T.sparse.softmax(s, 1).to_dense().pow(2).sum()
T.sparse.log_softmax(s, 0).to_dense().pow(2).sum()
(d + s).pow(2).sum()
(d - s).pow(2).sum()
s.t().to_dense().pow(2).sum()
s.transpose(0, 1).to_dense().pow(2).sum()
s.abs().to_dense().sum()
s.pow(2).to_dense().sum()
s.clone().to_dense().sum()
s.double().to_dense().sum()
s.to_sparse_csr().to_dense().pow(2).sum()
T.sparse.sampled_addmm(s, d, w).to_dense().pow(2).sum()
T.sparse.mm(s, x, "mean").pow(2).sum()
T.sparse.mm(s, x, "amax").pow(2).sum()
d.sparse_mask(s.detach()).to_dense().pow(2).sum()
""".strip().split("\n")


def gradients(T: Any, kind: str, loss: str) -> Any:
    """The loss and the gradients of a sparse tensor (or its values) and three dense ones."""
    i, v = T.tensor([[0, 0, 1, 2, 0], [1, 2, 0, 2, 1]]), T.tensor([1.0, 2, 3, 4, 5])
    leaf = s = T.sparse_coo_tensor(i, v, (3, 4))
    if kind == "values":
        leaf = v.requires_grad_()
        s = T.sparse_coo_tensor(i, v, (3, 4))
    else:
        leaf = s = {"coo": s, "coalesced": s.coalesce(), "csr": s.to_sparse_csr()}[kind].requires_grad_()
    x, d = (T.linspace(-1, 2, n).reshape(shape).requires_grad_() for n, shape in ((8, (4, 2)), (12, (3, 4))))
    w = T.linspace(0, 1, 16).reshape(4, 4).requires_grad_()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            out = eval(loss, {"T": T, "s": s, "x": x, "d": d, "w": w})  # noqa: S307 - a row of our own table
            out.backward()
        except RuntimeError as error:
            return error
        found = [out.detach().numpy()]
        for t in (leaf, x, d, w):
            g = t.grad
            found += [None] if g is None else [str(g.layout).rpartition(".")[2], g.to_dense().numpy()]
    return found


@pytest.mark.parametrize("kind", ["values", "coo", "coalesced", "csr"])
@pytest.mark.parametrize("loss", LOSSES)
def test_gradients(kind: str, loss: str) -> None:
    mine, theirs = gradients(dv, kind, loss), gradients(torch, kind, loss)
    if isinstance(theirs, RuntimeError):
        if not isinstance(mine, RuntimeError):
            pytest.skip(f"PyTorch has no gradient here ({str(theirs).splitlines()[0][:60]})")
        return
    assert not isinstance(mine, RuntimeError), mine
    assert [type(x) for x in mine] == [type(x) for x in theirs]
    for a, b in zip(mine, theirs, strict=True):
        if isinstance(b, str) or b is None:
            assert a == b
        else:
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


OPTIMIZERS = {
    "SGD": lambda T, p: T.optim.SGD(p, lr=0.1),
    "momentum": lambda T, p: T.optim.SGD(p, lr=0.05, momentum=0.9, dampening=0.3),
    "Nesterov": lambda T, p: T.optim.SGD(p, lr=0.05, momentum=0.9, nesterov=True),
    "SGD upwards": lambda T, p: T.optim.SGD(p, lr=0.01, maximize=True),
    "SGD with decay": lambda T, p: T.optim.SGD(p, lr=0.1, weight_decay=0.1),
    "Adagrad": lambda T, p: T.optim.Adagrad(p, lr=0.1, lr_decay=0.01, initial_accumulator_value=0.1),
    "Adagrad with decay": lambda T, p: T.optim.Adagrad(p, lr=0.1, weight_decay=0.1),
    "SparseAdam": lambda T, p: T.optim.SparseAdam(list(p), lr=0.1, betas=(0.8, 0.99)),
    "SparseAdam upwards": lambda T, p: T.optim.SparseAdam(list(p), lr=0.1, maximize=True),
    "Adam": lambda T, p: T.optim.Adam(p),
    "AdamW": lambda T, p: T.optim.AdamW(p),
    "RMSprop": lambda T, p: T.optim.RMSprop(p),
    "Adadelta": lambda T, p: T.optim.Adadelta(p),
    "NAdam": lambda T, p: T.optim.NAdam(p),
}


def trained(T: Any, make: Any, mode: str, padding: int | None) -> Any:
    rng = np.random.RandomState(0)
    more = {"mode": mode} if mode else {}
    module = (T.nn.EmbeddingBag if mode else T.nn.Embedding)(7, 3, sparse=True, padding_idx=padding, **more).double()
    with T.no_grad():
        module.weight.copy_(T.tensor(rng.randn(7, 3)))
    optimizer = make(T, module.parameters())
    seen = []
    for _ in range(5):
        optimizer.zero_grad()
        (module(T.tensor(rng.randint(0, 7, (4, 3)))) ** 2).sum().backward()
        assert module.weight.grad.is_sparse
        optimizer.step()
        seen.append(module.weight.detach().numpy().copy())
    state = {k: sorted(v) for k, v in optimizer.state_dict()["state"].items()}
    return np.stack(seen), module.weight.grad.coalesce()._nnz(), state


@pytest.mark.parametrize("mode", ["", "sum", "mean"])
@pytest.mark.parametrize("padding", [None, 2])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers_of_sparse_gradients(name: str, mode: str, padding: int | None) -> None:
    try:
        expected = trained(torch, OPTIMIZERS[name], mode, padding)
    except RuntimeError as error:
        with pytest.raises(RuntimeError, match=re.escape(str(error))):
            trained(dv, OPTIMIZERS[name], mode, padding)
        return
    found = trained(dv, OPTIMIZERS[name], mode, padding)
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-10, atol=1e-12)
    assert found[1:] == expected[1:]


def accumulated(T: Any) -> list[Any]:
    """Sparse gradients that meet others, dense ones, hooks and the ways to clear them."""
    table = T.nn.Embedding(5, 2, sparse=True)
    weight, seen = table.weight, []
    weight.data.copy_(T.arange(10.0).view(5, 2))

    def note() -> None:
        g = weight.grad
        seen.append([g.is_sparse, g.to_dense().tolist()])

    table(T.tensor([1, 2])).sum().backward()
    note()
    table(T.tensor([2, 2])).sum().backward()
    note()
    (table(T.tensor([1])) @ weight.t()).sum().backward()
    note()
    table.zero_grad()
    (table(T.tensor([1, 2])) + table(T.tensor([0, 1])) + table(T.tensor([3, 3]))).pow(2).sum().backward()
    note()
    weight.grad.mul_(0.5)
    note()
    T.optim.SGD(table.parameters(), lr=1.0).zero_grad(set_to_none=False)
    note()
    (got,) = T.autograd.grad(table(T.tensor([[1, 2]])).pow(2).sum(), weight)
    seen.append([got.is_sparse, got.to_dense().tolist()])
    weight.register_hook(lambda g: seen.append(g.is_sparse))
    weight.grad = None
    (table(T.tensor([1, 3])).sum() + weight.sum() + table(T.tensor([1, 1])).sum() + weight.sum()).backward()
    note()
    weight.grad = None
    T.nn.functional.embedding(T.tensor([1, 1]), weight * 2, sparse=True).sum().backward()
    note()
    return seen


def test_sparse_gradients_meet_others() -> None:
    for mine, theirs in zip(accumulated(dv), accumulated(torch), strict=True):
        assert mine == theirs


def attention(T: Any) -> Any:
    """The sparse product of pyGAT: a user's Function that keeps a sparse tensor."""

    class SpecialSpmm(T.autograd.Function):
        @staticmethod
        def forward(ctx: Any, indices: Any, values: Any, shape: Any, b: Any) -> Any:
            a = T.sparse_coo_tensor(indices, values, shape)
            ctx.save_for_backward(a, b)
            ctx.N = shape[0]
            return T.matmul(a, b)

        @staticmethod
        def backward(ctx: Any, grad_output: Any) -> Any:
            a, b = ctx.saved_tensors
            edge_idx = a._indices()[0, :] * ctx.N + a._indices()[1, :]
            grad_values = grad_output.matmul(b.t()).view(-1)[edge_idx]
            return None, grad_values, None, a.t().matmul(grad_output)

    v = T.tensor([1.0, 2, 3, 4], requires_grad=True)
    b = T.arange(6.0).view(3, 2).requires_grad_()
    out = SpecialSpmm.apply(T.tensor([[0, 1, 2, 2], [1, 0, 2, 0]]), v, T.Size([3, 3]), b)
    out.pow(2).sum().backward()
    return [t.tolist() for t in (out, v.grad, b.grad)]


def test_a_function_of_ones_own_keeps_a_sparse_tensor() -> None:
    assert attention(dv) == attention(torch)


def arguments(T: Any) -> Any:
    """Sparse tensors with a history as arguments of a Function; a Function whose gradient is sparse; what leaves are."""

    class Product(T.autograd.Function):
        @staticmethod
        def forward(ctx: Any, s: Any, x: Any, dense: bool) -> Any:
            ctx.save_for_backward(s, x)
            ctx.dense = dense
            return T.mm(s, x)

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            s, x = ctx.saved_tensors
            outer = g @ x.t()
            return outer if ctx.dense else outer.sparse_mask(s.detach()), s.t().detach() @ g, None

    class Rows(T.autograd.Function):
        @staticmethod
        def forward(ctx: Any, w: Any, index: Any) -> Any:
            ctx.index, ctx.size = index, w.shape
            return w[index]

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return T.sparse_coo_tensor(ctx.index[None], g, ctx.size), None

    seen = []
    for dense in (True, False):
        for change in (lambda s: s, lambda s: (s * 2).coalesce()):
            x, v = T.ones(3, 2, requires_grad=True), T.tensor([1.0, 2.0, 3.0], requires_grad=True)
            s = T.sparse_coo_tensor([[0, 1, 2], [1, 0, 2]], v, (3, 3))
            Product.apply(change(s), x, dense).pow(2).sum().backward()
            seen += [v.grad.tolist(), x.grad.tolist()]
        leaf = T.eye(3).to_sparse().requires_grad_()
        Product.apply(leaf, x, dense).pow(2).sum().backward()
        seen += [leaf.grad.is_sparse, leaf.grad.to_dense().tolist()]
    w = T.arange(8.0).view(4, 2).requires_grad_()
    Rows.apply(w, T.tensor([1, 3, 1])).pow(2).sum().backward()
    seen += [w.grad.is_sparse, w.grad.to_dense().tolist()]
    seen += [s.is_leaf, s.requires_grad, s.grad_fn is None, s.detach().is_leaf, leaf.is_leaf, leaf.grad_fn]
    grads = T.autograd.grad(T.sparse.mm(leaf, x).sum(), [leaf, x])
    seen += [[g.is_sparse, g.to_dense().tolist()] for g in grads]
    leaf.requires_grad = False
    return [*seen, leaf.requires_grad, (leaf @ x).requires_grad]


def test_sparse_arguments_of_functions() -> None:
    for mine, theirs in zip(arguments(dv), arguments(torch), strict=True):
        assert mine == theirs


FROM_DENSE = """
x.to_sparse().to_dense().pow(2).sum()
x.to_sparse(1).to_dense().pow(2).sum()
x.to_sparse_csr().values().pow(2).sum()
x.to_sparse_csc().to_dense().pow(2).sum()
x.to_sparse_bsr((1, 2)).to_dense().pow(2).sum()
x.to_sparse().sum() * 2
(x.to_sparse() @ y).pow(2).sum()
(x.to_sparse_csr() @ y).pow(2).sum()
(y.t() @ x.to_sparse().t()).pow(2).sum()
T.sparse.mm(x.to_sparse(), y).pow(2).sum()
T.sparse.mm(y.t().to_sparse(), x.t().to_sparse()).to_dense().pow(2).sum()
T.addmm(T.ones(3, 2), x.to_sparse(), y).pow(2).sum()
T.sparse.sum(x.to_sparse(), 1).to_dense().pow(2).sum()
T.sparse.softmax(x.to_sparse(), 1).to_dense().pow(2).sum()
T.stack([x.to_sparse(), x.to_sparse()]).to_dense().pow(2).sum()
(x.to_sparse() * 2 + x.to_sparse()).to_dense().pow(2).sum()
x.sparse_mask(m).to_dense().pow(2).sum()
(m @ y).pow(2).sum() + (m.to_sparse_csr() @ y).sum()
T.mv(m, y[:, 0]).pow(2).sum()
x.add(m, alpha=3).pow(2).sum()
T.autograd.grad(((x.to_sparse() @ y) ** 3).sum(), y, create_graph=True)[0].pow(2).sum()
T.autograd.grad(((y.t() @ x.to_sparse().t()) ** 3).sum(), y, create_graph=True)[0].pow(2).sum()
""".strip().split("\n")


@pytest.mark.parametrize("loss", FROM_DENSE)
def test_gradients_of_dense_tensors_behind_sparse_ones(loss: str) -> None:
    found = []
    for T in (dv, torch):
        x = T.tensor([[0.0, 1, 2, 0], [3, 0, 0, 4], [0, 5, 0, 6]], requires_grad=True)
        y = T.linspace(-1, 1, 8).reshape(4, 2).requires_grad_()
        m = T.sparse_coo_tensor([[0, 1, 2], [1, 0, 3]], [1.0, 2.0, 3.0], (3, 4)).coalesce()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            eval(loss, {"T": T, "x": x, "y": y, "m": m}).backward()  # noqa: S307 - a row of our own table
        found.append([None if t.grad is None else t.grad.numpy() for t in (x, y)])
    for mine, theirs in zip(*found, strict=True):
        assert (mine is None) == (theirs is None)
        if mine is not None:
            np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "text", ["T.mm(a, x)", "a @ x", "T.sparse.mm(a, F.linear(x, w))", "T.spmm(a, x)", "a * 2", "T.sparse.softmax(a, 1)"]
)
def test_types_under_autocast(text: str) -> None:
    found = []
    for T in (dv, torch):
        names = {"T": T, "F": T.nn.functional, "a": T.eye(3).to_sparse(), "x": T.ones(3, 2, requires_grad=True), "w": T.ones(2, 2)}
        with T.autocast("cpu", dtype=T.bfloat16):
            out = eval(text, names)  # noqa: S307 - a row of our own table
        found.append([str(out.dtype).rpartition(".")[2], out.detach().to_dense().float().tolist()])
    assert found[0] == found[1]


def test_second_gradients() -> None:
    def run(T: Any) -> Any:
        v = T.tensor([1.0, 2.0, 3.0], dtype=T.float64, requires_grad=True)
        x = T.tensor([[1.0], [2.0]], dtype=T.float64, requires_grad=True)
        s = T.sparse_coo_tensor(T.tensor([[0, 1, 1], [1, 0, 1]]), v, (2, 2))
        (gv,) = T.autograd.grad((T.sparse.mm(s, x) ** 3).sum(), v, create_graph=True)
        return [g.tolist() for g in T.autograd.grad(gv.pow(2).sum(), [v, x])]

    x = torch.tensor([[1.0], [2.0]], dtype=torch.float64, requires_grad=True)
    v = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64, requires_grad=True)
    dense = torch.zeros(2, 2, dtype=torch.float64).index_put((torch.tensor([0, 1, 1]), torch.tensor([1, 0, 1])), v)
    (gv,) = torch.autograd.grad(((dense @ x) ** 3).sum(), v, create_graph=True)
    expected = [g.tolist() for g in torch.autograd.grad(gv.pow(2).sum(), [v, x])]
    np.testing.assert_allclose(np.concatenate([np.ravel(g) for g in run(dv)]), np.concatenate([np.ravel(g) for g in expected]))
