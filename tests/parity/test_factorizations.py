"""LU, reflections, careful factorizations, spectra of frames and what else is composed: values and gradients of PyTorch's."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import torch

import dovetail as dv
from tests.parity.both import category, raw
from tests.parity.both_ways import same

pytestmark = pytest.mark.parity


def leaves(T: Any, kind: str) -> dict[str, Any]:
    rng = np.random.RandomState(3)
    shapes = {"A": (2, 3, 3), "W": (3, 5), "H": (5, 3), "B": (2, 3, 2), "t": (3,), "y": (3, 4), "s": (6,)}
    shapes |= {"x": (30,), "X": (2, 30), "w": (8,)}
    found = {}
    for name, shape in shapes.items():
        a = rng.standard_normal(shape)
        found[name] = T.from_numpy(a + 1j * rng.standard_normal(shape) if kind == "complex" else a.copy()).requires_grad_()
    return found


def flat(found: Any, kind: type) -> list[Any]:
    return [one for part in found for one in flat(part, kind)] if isinstance(found, tuple | list) else [found]


def answer(T: Any, text: str, kind: str, twice: bool) -> tuple[list[Any], list[Any], str]:
    """Results, gradients, and the gradients of these, by the leaves of an expression; and the name of the tuple."""
    given = leaves(T, kind)
    T.manual_seed(1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = eval(text, {"T": T, "np": np, **given})  # noqa: S307 - an expression of our own tables
    outs, used = flat(found, T.Tensor), list(given.values())
    loss: Any = 0
    for out in outs:
        if out.requires_grad:
            weights = T.arange(out.numel(), dtype=T.float64).cos().reshape(out.shape)
            loss = loss + ((out * weights).abs() ** 2).sum()
    grads = [] if isinstance(loss, int) else list(T.autograd.grad(loss, used, create_graph=twice, allow_unused=True))
    first = [g for g in grads if g is not None and g.requires_grad]
    if twice and first:
        grads += T.autograd.grad(sum((g.abs() ** 2).sum() for g in first), used, allow_unused=True)
    return outs, grads, type(found).__name__


def agree(text: str, kind: str = "real", twice: bool = False, tol: float = 1e-9) -> None:
    (mine, by_mine, name), (other, by_other, other_name) = (answer(T, text, kind, twice) for T in (dv, torch))
    assert name == other_name and len(mine) == len(other)
    for a, b in zip(mine, other, strict=True):
        assert tuple(a.shape) == tuple(b.shape) and str(a.dtype)[9:] == str(b.dtype)[6:] and a.requires_grad == b.requires_grad
        np.testing.assert_allclose(raw(a.detach()), raw(b), rtol=tol, atol=tol)
    for a, b in zip(by_mine, by_other, strict=True):
        zero = b is None or not raw(b).any()
        assert (a is None or not raw(a).any()) if zero else a is not None
        if not zero:
            np.testing.assert_allclose(raw(a), raw(b), rtol=100 * tol, atol=100 * tol)


FACTORS = (
    """
T.linalg.lu_factor_ex(A) | T.linalg.lu_factor(A) | T.lu(A) | T.lu(A, get_infos=True)
A.lu() | T.linalg.lu(A) | T.linalg.lu(W) | T.linalg.lu(H) | T.linalg.lu_factor_ex(W) | T.linalg.lu_factor_ex(H)
T.lu_unpack(*T.linalg.lu_factor(A)) | T.linalg.lu(A[:0])
T.lu_unpack(*T.linalg.lu_factor(A), unpack_pivots=False)
T.linalg.lu_solve(*T.linalg.lu_factor(A), B) | T.linalg.lu_solve(*T.linalg.lu_factor(A), B, adjoint=True)
T.linalg.lu_solve(*T.linalg.lu_factor(A), B.mT, left=False) | T.linalg.lu_solve(*T.linalg.lu_factor(A), B.mT, left=False, adjoint=True)
T.lu_solve(B, *T.linalg.lu_factor(A)) | B.lu_solve(*T.linalg.lu_factor(A)) | T.linalg.lu_solve(*T.linalg.lu_factor(A[0]), B)
T.triangular_solve(B, A) | T.triangular_solve(B, A, False, True) | B.triangular_solve(A, transpose=True, unitriangular=True)
T.linalg.householder_product(H, t) | T.linalg.householder_product(H, t[:2]) | T.orgqr(A, B[..., 0] * 0.5) | H.orgqr(t)
T.ormqr(H, t, H) | T.ormqr(H, t, H, True, True) | T.ormqr(H, t, W, False) | H.ormqr(t, W, False, True)
T.linalg.cholesky_ex(A @ A.mH) | T.linalg.cholesky_ex(A @ A.mH, upper=True) | T.linalg.inv_ex(A) | T.linalg.solve_ex(A, B)
T.linalg.solve_ex(A, B.mT, left=False) | T.linalg.solve_ex(A, B[..., 0]) | T.linalg.solve_ex(A[0], t)
T.as_strided_copy(y, (2, 2), (1, 2), 1) | T.t_copy(y) | T.unbind_copy(y) | T.split_copy(y, 2, 1)
T.slice_copy(y, 1, 1, 3) | T.view_copy(y.t(), (12,)) | T.unsafe_split_with_sizes(y, [1, 3], 1) | T.diagonal_copy(y, 1)
T.unfold_copy(y, 1, 2, 1) | T.expand_copy(y, (2, 3, 4))
T.narrow_copy(y, 1, 0, 2)
T.frobenius_norm(y, 1) | T.nuclear_norm(W) | T.nuclear_norm(A, (1, 2), True) | T.norm_except_dim(y) | T.norm_except_dim(A, 2, 1)
T.gradient(s) | T.gradient(y, spacing=(0.5, 2.0), edge_order=2) | T.gradient(y, dim=1, edge_order=2) | T.constant_pad_nd(y, (1, -1), 2)
""".replace("\n", " | ")
    .strip(" |")
    .split(" | ")
)


@pytest.mark.parametrize("kind", ["real", "complex"])
@pytest.mark.parametrize("text", FACTORS)
def test_factors_and_gradients(text: str, kind: str) -> None:
    if text.startswith("T.slice_copy") and kind == "complex":
        pytest.skip("PyTorch has no gradient of it")
    agree(text, kind, twice=kind == "real" and not any(n in text for n in ("nuclear", "orgqr", "ormqr", "householder")))


SPECTRA = (
    """
x, 8 | X, 8 | x, 8, window=w | x, 8, 3, window=w | x, 8, None, 5, w[:5] | x, 8, window=w, center=False | x, 8, normalized=True, window=w
x, 8, onesided=False | x, 8, pad_mode="constant", window=w | x, 8, pad_mode="circular" | x, 7, 2 | x, 8, 2, 4, center=False
x, 8, 2, 4, center=False, align_to_window=True
""".replace("\n", " | ")
    .strip(" |")
    .split(" | ")
)


@pytest.mark.parametrize("kind", ["real", "complex"])
@pytest.mark.parametrize("text", SPECTRA)
def test_stft(text: str, kind: str) -> None:
    agree(f"T.stft({text}, return_complex=True)", kind, twice=kind == "real")


@pytest.mark.parametrize("more", ["", ", length=20", ", length=45", ", onesided=False", ", onesided=False, return_complex=True"])
@pytest.mark.parametrize("text", ["8", "8, 3, window=w.real.abs() + 1", "8, None, 5, w.real[:5].abs() + 1", "8, normalized=True"])
def test_istft(text: str, more: str) -> None:
    if "5, w" in text and "45" in more:
        more = more.replace("45", "25")  # at its end the windows are zero
    whole = ", onesided=False" if "onesided" in more else ""
    agree(f"T.istft(T.stft(X, {text}{whole}, return_complex=True), {text}{more})")
    agree(f"T.stft(X, {text}{whole}, return_complex=True).istft({text}{more})")


A = "T.tensor([[1., 2, 3], [4, 5, 6], [7, 8, 10]])"
S = "T.ones(3, 5) * (1 + 0j)"
REFUSED = (
    f"""
T.linalg.lu_factor(T.ones(2, 2)) | T.linalg.lu_factor_ex(T.ones(2, 2), check_errors=True) | T.linalg.lu(T.ones(2, 2), pivot=False)
T.lu(T.ones(2)) | T.linalg.lu_solve({A}, T.tensor([1, 2, 3]), {A}) | T.linalg.lu_solve({A}, T.tensor([1, 2]).int(), {A})
T.lu_unpack({A}, T.tensor([1, 2, 3])) | T.lu_unpack({A}, T.tensor([1, 2, 9]).int())
T.linalg.lu_solve({A}, T.tensor([1, 2, 3]).int(), {A}[0]) | T.geqrf(T.ones(2)) | T.geqrf({A}.long())
T.linalg.lu_solve({A}, T.tensor([1, 2, 3]).int(), {A}.double()) | T.linalg.lu_solve({A}, T.tensor([1, 2, 3]).int(), {A}[:2])
T.linalg.householder_product({A}, T.ones(4)) | T.linalg.householder_product({A}[:2], T.ones(2)) | T.orgqr(T.ones(3), T.ones(3))
T.ormqr({A}, T.ones(3), {A}[:2]) | T.ormqr({A}, T.ones(3).double(), {A}) | T.orgqr({A}, {A}) | T.triangular_solve(T.ones(3), {A})
T.geqrf({A}.requires_grad_())[0].sum().backward() | T.linalg.cholesky_ex(-{A}, check_errors=True)
T.linalg.inv_ex(T.ones(2, 2), check_errors=True) | T.linalg.cholesky_ex({A}.long()) | T.linalg.cholesky_ex(T.ones(2, 3))
T.linalg.solve_ex(T.ones(2, 2), T.ones(2), check_errors=True) | T.stft(T.ones(30), 8) | T.stft(T.ones(30), 8, 0, return_complex=True)
T.stft(T.ones(30), 8, None, 9, return_complex=True) | T.stft(3, 8) | T.stft(T.ones(30), 8, window=T.ones(4), return_complex=True)
T.stft(T.ones(30).long(), 8, return_complex=True) | T.stft(T.ones(1, 1, 30), 8) | T.stft(T.ones(30), 80, return_complex=True)
T.stft(T.ones(30), 8, onesided=True, window=T.ones(8) * 1j, return_complex=True)
T.stft(T.ones(30), 8, align_to_window=True, return_complex=True) | T.stft(T.ones(30), 8, pad_mode="odd", return_complex=True)
T.istft(T.ones(5, 3), 8) | T.istft({S}, 6) | T.istft({S}[:, :0], 8) | T.istft({S}[0], 8) | T.istft({S}, 8, return_complex=True)
T.istft({S}, 8, 9) | T.istft({S}, 8, window=T.zeros(8)) | T.istft({S}, 8, window=T.ones(8) * 1j)
T.istft({S}, 8, window=T.hann_window(8), center=False) | T.gradient(T.ones(3, 2), spacing=(1.0,)) | T.gradient(T.ones(3), edge_order=3)
T.gradient(T.ones(1)) | T.gradient(T.ones(2, 2), dim=(0, 0)) | T.gradient(T.ones(3).to(T.uint8)) | T.gradient(T.ones(3), dim=1)
T.gradient(T.ones(3, 3), spacing=(T.tensor(1.0), T.tensor(1.0))) | T.gradient(T.ones(3), spacing=T.ones(3))
T.nonzero_static(T.ones(2), size=-1) | T.as_strided_scatter(T.ones(4), T.ones(3), (2,), (1,)) | T.histogramdd(T.ones(3, 2), [2])
T.histogramdd(T.ones(3), 2) | T.histogramdd(T.tensor(1.0), 2) | T.histogramdd(T.ones(3, 2).long(), 2) | T.histogramdd(T.ones(3, 2), 0)
T.histogramdd(T.ones(3, 2), 2, range=[0.0, 1.0]) | T.histogramdd(T.ones(3, 2), 2, range=[1.0, 0.0, 0.0, 1.0])
T.histogramdd(T.ones(3, 2), 2, weight=T.ones(2)) | T.histogramdd(T.ones(3, 2), (T.ones(2).double(), T.ones(2)))
T.segment_reduce(T.ones(3), "sum") | T.segment_reduce(T.ones(3), "odd", lengths=T.tensor([3]))
T.segment_reduce(T.ones(3), "sum", lengths=T.tensor([2])) | T.segment_reduce(T.ones(3), "sum", lengths=T.tensor([-1, 4]))
T.segment_reduce(T.ones(3), "sum", lengths=T.tensor([3.0])) | T.segment_reduce(T.ones(3).long(), "sum", lengths=T.tensor([3]))
T.segment_reduce(T.ones(3), "sum", indices=T.tensor([0, 0, 1])) | T.segment_reduce(T.ones(3, 2), "sum", lengths=T.tensor([2]), axis=1)
T.pca_lowrank(T.ones(3, 2), 3) | T.pca_lowrank(T.ones(3, 2), niter=-1) | T.lobpcg(T.ones(3, 2)) | T.lobpcg(T.eye(4), k=2)
T.lobpcg(T.eye(4), B=T.eye(3)) | T.constant_pad_nd(T.ones(2), (1,)) | T.norm_except_dim(T.ones(2, 2), 2, 5)
""".replace("\n", " | ")
    .strip(" |")
    .split(" | ")
)


@pytest.mark.parametrize("text", REFUSED)
def test_refusals(text: str) -> None:
    same(text)
    with pytest.raises(Exception) as caught:
        answer(torch, text, "real", False)
    with pytest.raises(category(caught.value)):
        answer(dv, text, "real", False)


M = "T.linspace(-1, 1, 12).double().reshape(6, 2)"
P = "T.linspace(-3, 3, 40).double().sin().reshape(20, 2)"
VALUES = [
    *(f"T.segment_reduce({M}{r})" for kind in ("sum", "mean", "max", "min", "prod") for r in (
        f', "{kind}", lengths=T.tensor([2, 0, 4])', f', "{kind}", offsets=T.tensor([0, 2, 2, 6]), initial=0.5',
        f'[None], "{kind}", lengths=T.tensor([[1, 5]]), axis=1')),
    f'T.segment_reduce({M}, "sum", lengths=T.tensor([2, 3]), unsafe=True)',
    *(f'T.autograd.grad(T.segment_reduce(m := {M}.requires_grad_(), "{kind}", lengths=T.tensor([2, 0, 4])).nan_to_num().sum(), m)'
      for kind in ("sum", "mean", "max", "min", "prod")),
    *(f"T.histogramdd({P}{r})" for r in (
        ", [3, 4]", ", 3", ", [3, 4], density=True", ", 2, range=[-1., 0., 0., 1.]", ", 2, weight=T.arange(20.).double()",
        "[:0], 2", ".float(), [3, 5]",
        ", (T.tensor([-1., 0., .5]).double(), T.tensor([0., 1.]).double())")),
    f"T.histogram({P}, 4), T.histogram({P}[:, 0], 4, range=(0.0, 1.0), density=True), T.histc({P}, 5)",
    "T.nonzero_static(T.tensor([[0, 1], [2, 3]]), size=5), T.nonzero_static(T.tensor([0, 1]), size=1, fill_value=7)",
    "T.tensor([[0, 1], [2, 3]]).nonzero_static(size=2), T.nonzero_static(T.tensor(3), size=2)",
    "T.gradient(T.arange(5)), T.gradient(T.arange(5) ** 2, spacing=2)",
    "T.gradient(T.arange(4.) ** 2, spacing=(T.tensor([0., 1., 3., 4.]),))",
    "T.gradient(T.arange(5.) ** 2, spacing=(T.tensor([0, 1, 3, 4, 7]),), edge_order=2), T.gradient(T.tensor(1.0))",
    "T.gradient(T.ones(2, 2), dim=())",
    "T.alias_copy(T.ones(3, 2).t()), T.alias_copy(T.ones(3, 2).t(), out=T.zeros(2, 3)), T.view_copy(T.arange(4.), T.int32)",
    "T.as_strided_scatter(T.zeros(2, 3), T.ones(2, 2), (2, 2), (1, 2), 1), T.as_strided_scatter(T.zeros(2, 3).t(), T.ones(2), (2,), (1,))",
    "T.as_strided_(T.arange(4.), (2,), (2,)), T.slice_inverse(T.ones(2, 3)[:, 1:], T.zeros(2, 3), 1, 1, 3)",
    "T.addmv_(T.ones(2), T.ones(2, 3), T.ones(3), beta=2), T.resize_as_(T.ones(2), T.ones(2))",
    "T.convolution(T.ones(1, 2, 5), T.ones(3, 2, 2), T.ones(3), (2,), (1,), (1,), False, (0,), 1)",
    "T.convolution(T.ones(1, 2, 4, 4), T.ones(2, 3, 2, 2), None, (2, 2), (1, 1), (1, 1), True, (1, 1), 1)",
    "T.grid_sampler(T.arange(4.).reshape(1, 1, 2, 2), T.linspace(-1, 1, 4).reshape(1, 1, 2, 2), 0, 1, False)",
    "T.grid_sampler_2d(T.arange(4.).reshape(1, 1, 2, 2), T.linspace(-1, 1, 4).reshape(1, 1, 2, 2), 1, 2, True)",
    "T.affine_grid_generator(T.ones(1, 2, 3), (1, 1, 2, 2), True), T.max_pool1d_with_indices(T.arange(6.)[None], 2)",
    "T.embedding_renorm_(T.ones(3, 4), T.tensor([0, 2]), 1.0, 2.0)",
    "T.linalg.cholesky_ex(T.tensor([[4., 2, 1], [2, 0, 1], [1, 1, 1]])).info, T.linalg.cholesky_ex(T.stack([T.eye(2), -T.eye(2)])).info",
    "T.linalg.inv_ex(T.stack([T.eye(2), T.ones(2, 2), T.zeros(2, 2)])).info, T.linalg.solve_ex(T.ones(2, 2), T.ones(2)).info",
    "T.linalg.vander(T.arange(3.)), T.linalg.vander(T.ones(2, 3), N=2), T.vander(T.arange(3.), 5, True), T.vander(T.arange(3), 0)",
    "T.linalg.vander(T.arange(3.), N=1)",
    "T.lu(T.zeros(2, 2))[1], T.linalg.lu_factor_ex(T.ones(3, 3))[1:], T.lu_unpack(T.eye(3), T.tensor([3, 2, 3]).int(), False)",
    "T.stft(T.ones(2, 30), 8, return_complex=True), T.stft(T.ones(30), 8, return_complex=False)",
]  # fmt: skip


@pytest.mark.parametrize("text", VALUES)
def test_values(text: str) -> None:
    same(text, 1e-5)


def test_what_a_failed_factorization_leaves_alone() -> None:
    """The sound matrices of a stack have their factors and gradients."""
    a = dv.stack([2 * dv.eye(2), -dv.eye(2)]).requires_grad_()
    found = dv.linalg.cholesky_ex(a @ dv.eye(2))
    found.L[0].sum().backward()
    assert found.info.tolist() == [0, 1] and found.L[0].allclose(2**0.5 * dv.eye(2)) and found.L[1].isnan().all()
    assert a.grad is not None and a.grad[0].abs().sum() > 0


@pytest.mark.parametrize("shape", [(8, 5), (7, 9), (2, 6, 4)])
def test_low_rank(shape: tuple[int, ...]) -> None:
    """One seed gives the same directions."""
    a = np.random.RandomState(0).standard_normal(shape)
    for call in (lambda T, x: T.svd_lowrank(x, 3), lambda T, x: T.svd_lowrank(x, 2, 1, x / 3), lambda T, x: T.pca_lowrank(x)):
        found = []
        for T in (torch, dv):
            T.manual_seed(2)
            found.append([np.abs(raw(one)) for one in call(T, T.from_numpy(a.copy()))])
        for mine, other in zip(*found, strict=True):
            np.testing.assert_allclose(mine, other, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("how", [{}, {"k": 3}, {"k": 2, "largest": False}, {"k": 1, "n": 3}])
@pytest.mark.parametrize("general", [False, True])
def test_lobpcg(how: dict[str, Any], general: bool) -> None:
    rng = np.random.RandomState(0)
    a, b = (m @ m.T + 12 * np.eye(12) for m in rng.standard_normal((2, 12, 12)))
    found = []
    for T in (torch, dv):
        T.manual_seed(0)
        found.append(T.lobpcg(T.from_numpy(a.copy()), B=T.from_numpy(b.copy()) if general else None, tol=1e-10, niter=500, **how))
    for mine, other in zip(*found, strict=True):
        np.testing.assert_allclose(np.abs(raw(mine)), np.abs(raw(other)), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["igamma", "igammac"])
def test_incomplete_gamma(name: str) -> None:
    pytest.importorskip("dovetail_science")
    same(f"T.{name}(T.tensor([1., 2.]).double(), T.tensor([1., 3.]).double()), T.tensor([1., 2.]).{name}(T.tensor([0., 9.]))")
    same(f"T.tensor([1., 2.]).{name}_(T.tensor([1., 3.]))")
    same(f"T.autograd.grad(T.{name}(T.tensor([1., 2.]).double(), x := T.tensor([1., 3.]).double().requires_grad_()).sum(), x)")
