"""Kernels on random shapes, strides and sizes that no vector divides, against NumPy in a wider type."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy import special

from benchmarks.winograd import rounding
from dovetail import backends
from dovetail.ops._op import OPS
from dovetail_cpu import _native, kernels

KINDS = ("f4", "f8")
SIZES = (0, 1, 2, 3, 5, 14, 15, 16, 17, 31, 32, 33, 64, 100, 130, 300)


def laid_out(rng: np.random.Generator, rows: int, columns: int, kind: str) -> np.ndarray:
    """A matrix in C's or Fortran's order, with an offset, or with gaps in both directions."""
    how = rng.integers(4)
    if how == 3:
        return rng.standard_normal((2 * rows, 2 * columns)).astype(kind)[::2, ::2]
    if how == 2:
        return rng.standard_normal((rows, columns + 3)).astype(kind)[:, 1 : 1 + columns]
    a = rng.standard_normal((rows, columns)).astype(kind)
    return np.asfortranarray(a) if how else a


@pytest.mark.parametrize("kind", KINDS)
def test_products(threads: int, kind: str) -> None:
    rng = np.random.default_rng(threads)
    served = 0
    for _ in range(80):
        m, n, k = (int(v) for v in rng.choice(SIZES, 3))
        forms: dict[str, tuple[tuple[int, int], tuple[int, int], Callable[..., np.ndarray]]] = {
            "matmul": ((m, k), (k, n), lambda a, b: a @ b),
            "matmul_nt": ((m, k), (n, k), lambda a, b: a @ b.T),
            "matmul_tn": ((k, m), (k, n), lambda a, b: a.T @ b),
            "matmul_folded_tn": ((k, m), (k, n), lambda a, b: a.T @ b),
            "linear": ((m, k), (n, k), lambda a, b: a @ b.T),
        }
        for name, (left, right, reference) in forms.items():
            a, b = laid_out(rng, *left, kind), laid_out(rng, *right, kind)
            bias = rng.standard_normal(n).astype(kind)
            found = getattr(_native, name)(a, b, *((bias,) if name == "linear" else ()))
            if found is NotImplemented:
                continue
            served += 1
            want = reference(a.astype("f8"), b.astype("f8")) + (bias if name == "linear" else 0)
            tolerance = (3e-6 if kind == "f4" else 1e-14) * max(k, 1) ** 0.5 * 10
            assert found.dtype == kind and found.shape == want.shape, (name, m, n, k)
            np.testing.assert_allclose(found, want, rtol=tolerance, atol=tolerance, err_msg=f"{name} {m} {n} {k}")
    assert served > 250


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("exponent", [2, 3, 0.5, -0.5, -1, -2, 3.0])
def test_common_powers_are_products_and_roots(threads: int, exponent: float, kind: str) -> None:
    forward = kernels.pow.forward
    for shape in [(), (0,), (7, 33), (300, 401)]:
        x = np.abs(np.random.default_rng(threads).standard_normal(shape)).astype(kind)
        before = x.copy()
        found, want = forward(x, exponent), OPS["pow"].reference.forward(x, exponent)
        if found is NotImplemented:  # a number alone is the reference's
            assert x.ndim == 0
            continue
        assert found.dtype == kind and np.array_equal(found, want) and np.array_equal(x, before)
    odd = np.ones((4, 6), kind)[:, ::2]
    assert forward(odd, 3) is NotImplemented or np.array_equal(forward(odd, 3), odd)
    assert forward(x, 4) is NotImplemented and forward(x, np.full(x.shape, 2, kind)) is NotImplemented and forward(2, x) is NotImplemented


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_of_a_linear_layer_by_weight_and_bias(threads: int, kind: str) -> None:
    """The sums of columns are the same however the product is divided, and as good as sums in double."""
    rng = np.random.default_rng(threads)
    shapes = [tuple(int(v) for v in rng.choice(SIZES, 3)) for _ in range(60)]
    for m, n, k in [*shapes, (1, 5, 700), (3, 2, 900), (700, 300, 1030), (64, 784, 256), (10, 256, 64), (5, 4000, 600), (300, 1, 2000)]:
        g, x = laid_out(rng, k, m, kind), laid_out(rng, k, n, kind)
        found = _native.linear_grad(g, x)
        if found is NotImplemented:
            assert not m * n
            continue
        by_weight, by_bias = found
        tolerance = (3e-6 if kind == "f4" else 1e-14) * max(k, 1) ** 0.5 * 10
        assert by_weight.dtype == by_bias.dtype == kind and by_weight.shape == (m, n) and by_bias.shape == (m,)
        np.testing.assert_allclose(by_weight, g.astype("f8").T @ x.astype("f8"), rtol=tolerance, atol=tolerance, err_msg=f"{m} {n} {k}")
        np.testing.assert_allclose(by_bias, g.astype("f8").sum(0), rtol=tolerance, atol=tolerance / 4, err_msg=f"{m} {n} {k}")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("k", "n"), [(768, 2304), (301, 901), (9, 30_001), (2049, 256)])
def test_one_row_times_a_large_matrix(threads: int, kind: str, k: int, n: int) -> None:
    """A token's product: the matrix is read as it lies, in rows, with gaps between them too."""
    rng = np.random.default_rng(threads)
    x, whole, bias = (rng.standard_normal(shape).astype(kind) for shape in ((1, 2 * k), (k, n + 3), (n,)))
    tolerance = (3e-6 if kind == "f4" else 1e-14) * k**0.5 * 10
    a = x[:, :k]
    for b in (whole[:, 1 : 1 + n], np.ascontiguousarray(whole[:, :n])):
        want = a.astype("f8") @ b.astype("f8")
        np.testing.assert_allclose(_native.matmul(a, b), want, rtol=tolerance, atol=tolerance)
        np.testing.assert_allclose(_native.linear(a, b.T, bias), want + bias, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("shape", [(8, 40, 33), (2, 3, 50, 64), (2, 1, 70, 300), (5, 1, 1, 17)])
def test_a_stack_times_one_matrix(threads: int, shape: tuple[int, ...]) -> None:
    """However the stack lies in memory: as one matrix of more rows, or not."""
    rng = np.random.default_rng(threads)
    whole = rng.standard_normal(shape)
    other = rng.standard_normal((shape[-1], 37))
    for a in (whole, np.swapaxes(whole, 0, -2), np.broadcast_to(whole[:1], (4, *shape[1:])), whole[..., ::-1, :], np.asfortranarray(whole)):
        np.testing.assert_allclose(_native.matmul(a, other), a @ other, rtol=1e-11, atol=1e-11)
        if shape[-1] % 2 == 0:
            np.testing.assert_allclose(_native.matmul(a[..., ::2], other[::2]), a[..., ::2] @ other[::2], rtol=1e-11, atol=1e-11)


EXACT: dict[str, tuple[Callable[..., np.ndarray], float]] = {  # what it is, and how many units in the last place it may be off
    "exp": (np.exp, 1.0), "log": (np.log, 1.0), "tanh": (np.tanh, 2.6), "sqrt": (np.sqrt, 0.6), "rsqrt": (lambda x: 1 / np.sqrt(x), 1.6),
    "reciprocal": (np.reciprocal, 0.6), "square": (np.square, 0.6), "abs": (np.abs, 0), "neg": (np.negative, 0),
    "erf": (lambda x: special.erf(x.astype("f8")), 4.0),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", EXACT)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_elementary_functions_are_good_to_the_last_digits(name: str, kind: str) -> None:
    """Over the whole range of the type, with infinities, NaN and numbers below the normal range."""
    rng, info = np.random.default_rng(0), np.finfo(kind)
    wide = np.exp(rng.uniform(-100, 100, 20001)) * rng.choice([-1, 1], 20001)
    edges = [0.0, -0.0, np.inf, -np.inf, np.nan, info.tiny, info.tiny / 8, info.max, -info.max]
    parts = [rng.standard_normal(50003), np.linspace(-110, 100, 50001), wide, rng.uniform(-1e-3, 1e-3, 5001), edges]
    x = np.concatenate(parts).astype(kind)
    function, units = EXACT[name]
    found = getattr(_native, name)(x)
    if kind == "f8" and name == "erf":
        assert found is NotImplemented
        return
    want = np.asarray(function(x.astype(np.longdouble)))
    rounded = want.astype(kind)
    np.testing.assert_array_equal(np.isnan(found), np.isnan(rounded))
    np.testing.assert_array_equal(np.isinf(found), np.isinf(rounded))
    finite = np.isfinite(rounded)
    off = np.abs(found[finite] - want[finite]) / np.abs(np.spacing(rounded[finite]))
    assert float(off.max()) <= units


CONVOLUTIONS = 60


def agree(found: np.ndarray, want: np.ndarray, units: float) -> None:
    """Within so many roundings of the type found, counted on the largest number, or on 1."""
    room = units * float(np.finfo(found.dtype).eps)
    np.testing.assert_allclose(found, want, rtol=room, atol=room * max(1.0, float(np.abs(want).max())))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["lstm", "gru"])
@pytest.mark.parametrize(("steps", "n", "width", "hidden"), [(20, 33, 7, 20), (3, 150, 40, 9), (9, 5, 6, 17), (2, 24, 300, 310)])
def test_recurrent_layers(threads: int, name: str, kind: str, steps: int, n: int, width: int, hidden: int) -> None:
    """Few rows, many, and weights that no cache keeps; sequences that lie (N, T, ·) and what is read backwards."""
    rng = np.random.default_rng(threads)
    gates, states = (4, 2) if name == "lstm" else (3, 1)
    weights = [rng.uniform(-0.3, 0.3, s).astype(kind) for s in ((gates * hidden, width), (gates * hidden, hidden))]
    biases = [rng.standard_normal(gates * hidden).astype(kind) for _ in range(2)]
    first, by_last = ([rng.standard_normal((n, hidden)).astype(kind) for _ in range(states)] for _ in range(2))
    x, by_out = (rng.standard_normal((n, steps, size)).astype(kind).swapaxes(0, 1) for size in (width, hidden))
    wide = [[a.astype("f8") for a in arrays] for arrays in ([x], first, weights, biases, [by_out], by_last)]
    for reverse in (False, True):
        found = getattr(_native, f"{name}_layer")(x, *first, *weights, *biases, reverse, None)
        want = OPS[f"{name}_layer"].forward(*wide[0], *wide[1], *wide[2], *wide[3], reverse, None)
        for got, right in zip([*found[0], *found[1:]], [*want[0], *want[1:]], strict=True):
            agree(got, right, 200)
        kept = [found[0][0], *found[1:]]
        for needs in ([True] * (4 + states + 1), [i % 2 == 1 for i in range(4 + states + 1)]):
            given = (by_out, *by_last, x, *first, *weights, reverse, None, *kept, tuple(needs))
            grads, again = (getattr(_native, f"{name}_layer_grad")(*given) for _ in range(2))
            assert all(a.tobytes() == b.tobytes() for a, b, wanted in zip(grads, again, needs, strict=True) if wanted)
            exact = [a.astype("f8") for a in kept]
            right = OPS[f"{name}_layer_grad"].forward(*wide[4], *wide[5], *wide[0], *wide[1], *wide[2], reverse, None, *exact, tuple(needs))
            for got, one, wanted in zip(grads, right, needs, strict=True):
                if wanted:
                    agree(got, one, 200)


@pytest.mark.parametrize("kind", KINDS)
def test_convolutions(threads: int, kind: str) -> None:
    rng = np.random.default_rng(10 + threads)
    reference = {name: OPS[name].reference.forward for name in ("convolution", "convolution_input_grad", "convolution_weight_grad")}
    kinds = {"3x3": 0, "other": 0}
    while sum(kinds.values()) < CONVOLUTIONS:
        groups = int(rng.choice([1, 1, 1, 2, 3]))
        c, o = int(rng.choice([1, 2, 3, 8, 16, 17, 20, 32])) * groups, int(rng.choice([1, 2, 5, 16, 19, 33])) * groups
        if rng.random() < 0.2:
            groups, o = c, c * int(rng.choice([1, 2]))
        square = rng.random() < 0.5
        kh, kw = (3, 3) if square else (int(v) for v in rng.integers(1, 6, 2))
        stride = (1, 1) if square and rng.random() < 0.7 else tuple(int(v) for v in rng.integers(1, 4, 2))
        padding, dilation = (
            tuple(int(v) for v in rng.integers(0, 3, 2)),
            (1, 1) if rng.random() < 0.7 else tuple(int(v) for v in rng.integers(1, 3, 2)),
        )
        n, h, w = int(rng.choice([1, 2, 3, 5])), int(rng.integers(1, 20)), int(rng.integers(1, 34))
        if h + 2 * padding[0] < dilation[0] * (kh - 1) + 1 or w + 2 * padding[1] < dilation[1] * (kw - 1) + 1:
            continue
        kinds["3x3" if square else "other"] += 1
        x, weight, bias = (rng.standard_normal(s).astype(kind) for s in ((n, c, h, w), (o, c // groups, kh, kw), (o,)))
        how = (stride, padding, dilation, groups)
        wide = [a.astype("f8") for a in (x, weight, bias)]
        y = _native.convolution(x, weight, bias, *how, True)
        g = rng.standard_normal(y.shape).astype(kind)
        found = (
            y, _native.convolution_input_grad(g, weight, (h, w), *how, True), _native.convolution_weight_grad(g, x, (kh, kw), *how, True),
        )  # fmt: skip
        want = (
            reference["convolution"](*wide, *how), reference["convolution_input_grad"](g.astype("f8"), wide[1], (h, w), *how),
            reference["convolution_weight_grad"](g.astype("f8"), wide[0], (kh, kw), *how),
        )  # fmt: skip
        for a, b, what in zip(found, want, ("result", "gradient by input", "gradient by weight"), strict=True):
            scale = max(float(np.abs(b).max(initial=0)), 1e-9)
            bound = 1e-12 if kind == "f8" else 3e-5 if square and stride == dilation == (1, 1) else 3e-6
            assert a.dtype == kind and a.shape == b.shape
            assert float(np.abs(a - b).max(initial=0)) <= bound * scale, (what, n, c, h, w, o, kh, kw, *how)
    assert min(kinds.values()) > 10


def test_without_winograd_the_errors_are_smaller() -> None:
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((2, 64, 32, 32)).astype("f4"), rng.standard_normal((64, 64, 3, 3)).astype("f4")
    how = ((1, 1), (1, 1), (1, 1), 1)
    want = OPS["convolution"].reference.forward(x.astype("f8"), w.astype("f8"), None, *how)
    errors = [float(np.abs(_native.convolution(x, w, None, *how, allowed) - want).max() / np.abs(want).max()) for allowed in (True, False)]
    assert errors[1] < 1.5e-6 < errors[0] < 3e-5


def test_what_the_benchmark_says_of_rounding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backends.cpu, "winograd", "auto")  # as it was, afterwards
    assert rounding("off", (64,)) < 1.5e-6 < rounding("auto", (64,)) < 3e-5


def test_one_number_of_threads_gives_one_answer(threads: int) -> None:
    rng = np.random.default_rng(1)
    x, w = rng.standard_normal((8, 64, 16, 16)).astype("f4"), rng.standard_normal((64, 64, 3, 3)).astype("f4")
    how = ((1, 1), (1, 1), (1, 1), 1, True)
    first = [
        a.tobytes()
        for a in (
            _native.convolution(x, w, None, *how),
            _native.convolution_weight_grad(x, x, (3, 3), *how),
            _native.sum(x, None, False, None),
        )
    ]
    for _ in range(5):
        again = [
            a.tobytes()
            for a in (
                _native.convolution(x, w, None, *how),
                _native.convolution_weight_grad(x, x, (3, 3), *how),
                _native.sum(x, None, False, None),
            )
        ]
        assert again == first
