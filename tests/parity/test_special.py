"""dovetail.special and dovetail.signal beside PyTorch: values, types, gradients and refusals, at ordinary and at extreme arguments."""

from __future__ import annotations

import inspect
import itertools

import numpy as np
import pytest

pytest.importorskip("scipy")
import torch
import torch.signal.windows as windows

import dovetail as dv

from .distribution_cases import both, same

TWO = ("gammainc", "gammaincc", "xlogy", "xlog1py", "zeta")
POLYNOMIALS = [n for n in torch.special.__all__ if "polynomial" in n]
OTHERS = ("polygamma", "multigammaln", "log_softmax", "softmax", "logsumexp", "round", "logit")
ONE = [n for n in torch.special.__all__ if n not in (*TWO, *POLYNOMIALS, *OTHERS)]
EXTREME = np.array(
    [
        0.0,
        -0.0,
        1.0,
        -0.5,
        0.5,
        2.0,
        3.0,
        1e-8,
        -1e-8,
        1e-30,
        50.0,
        100.0,
        np.inf,
        -np.inf,
        np.nan,
        1 - 1e-7,
        0.25,
        10.0,
        20.0,
        0.1,
        15.0,
        30.0,
    ]
)
# PyTorch's float64 Airy and Bessel functions are good to six digits; SciPy's, which are used here, to fifteen
COARSE = {"airy_ai", "bessel_j0", "bessel_j1", "bessel_y0", "bessel_y1"}
# where PyTorch has NaN or 0 through float overflow and the limit is another
LIMITS = {"log_ndtr": -np.inf, "i1": np.nan, "i1e": np.nan}


def tensors(lib, arrays, kinds, grad=False):
    made = [
        lib.from_numpy(np.array(a)).to(getattr(lib, kind)) if isinstance(a, np.ndarray) else a
        for a, kind in zip(arrays, kinds, strict=True)
    ]
    return [t.requires_grad_() if grad and isinstance(t, lib.Tensor) else t for t in made]


def compare(name, arrays, kinds, *plain, grad=False, **tolerance):
    mine, yours = tensors(dv, arrays, kinds, grad), tensors(torch, arrays, kinds, grad)
    with np.errstate(all="ignore"):
        result = both(lambda: getattr(dv.special, name)(*mine, *plain), lambda: getattr(torch.special, name)(*yours, *plain), **tolerance)
    if result is None or not grad or not result[1].requires_grad:
        return
    if both(lambda: result[0].sum().backward() or 0, lambda: result[1].sum().backward() or 0) is None:
        return
    for a, b in zip(mine, yours, strict=True):
        if isinstance(b, torch.Tensor):
            assert (a.grad is None) == (b.grad is None)
            if b.grad is not None:
                same(a.grad, b.grad, **tolerance)


def test_names():
    assert set(dv.special.__all__) == set(torch.special.__all__)


@pytest.mark.parametrize("name", ONE)
def test_functions_of_one(name):
    rng = np.random.default_rng(0)
    coarse = {"rtol": 2e-5, "atol": 5e-6} if name in COARSE else {"rtol": 1e-7}
    ordinary = [
        rng.uniform(0.01, 0.99, 200),
        10 ** rng.uniform(-3, 1.3, 200),
        rng.normal(size=200) * 3,
        np.full((2, 0), 0.5),
        np.array(0.5),
    ]
    for values in ordinary:
        compare(name, [values], ["float64"], grad=True, **coarse)
        compare(name, [values], ["float32"], rtol=2e-5, atol=2e-5)
    finite = EXTREME[~np.isnan(EXTREME)] if name in LIMITS else EXTREME
    compare(name, [finite[finite != LIMITS.get(name, np.nan)]], ["float64"], grad=True, **coarse)
    for kind, values in (("int64", np.arange(0, 12)), ("uint8", np.arange(12)), ("bool", np.array([0, 1]))):
        compare(name, [values], [kind], rtol=2e-5, atol=1e-5)
    for kind in ("float16", "bfloat16", "complex64"):
        if name not in ("digamma", "psi") or kind != "complex64":
            compare(name, [np.array([0.5, 2.0])], [kind], rtol=2e-2)
    compare(name, [[1.0]], [""])


@pytest.mark.parametrize("name", TWO)
def test_functions_of_two(name):
    x, y = np.meshgrid(EXTREME, EXTREME)
    if name == "zeta":  # PyTorch's loop overflows beside infinity
        x, y = x[(x < 1e9)], y[(x < 1e9)]
    rng = np.random.default_rng(1)
    a, b = 10 ** rng.uniform(-2, 2, 300), 10 ** rng.uniform(-2, 2, 300)
    for first, second in ((x, y), (a, b), (a + 1, b)):
        compare(name, [first, second], ["float64"] * 2, rtol=1e-8)
        compare(name, [first, second], ["float32"] * 2, rtol=1e-4, atol=1e-6)
    compare(name, [a, b], ["float64"] * 2, grad=True, rtol=1e-8)
    few = np.array([1, 2, 3, 0]), np.array([2, 1, 2, 5])
    for kinds in itertools.product(("float64", "float32", "float16", "bfloat16", "int64", "bool", "uint8"), repeat=2):
        compare(name, list(few), kinds, rtol=2e-2)
    for number in (2, 2.5, -1, True):
        for kind in ("float32", "int64"):
            compare(name, [few[0], number], [kind, ""], rtol=2e-4, atol=1e-6)
            compare(name, [number, few[1]], ["", kind], rtol=2e-4, atol=1e-6)
        compare(name, [number, number], ["", ""])
    compare(name, [np.full((2, 1), 2.0), np.full(3, 1.5)], ["float32"] * 2, grad=True)


def test_gradients_of_one_side():
    """The incomplete gamma functions have a gradient to their second argument, zeta too; xlog1py to both, also at 0."""
    for name in ("gammainc", "gammaincc", "zeta"):
        grads = []
        for lib in (dv, torch):
            x = lib.tensor([0.5, 2.0, 5.0], dtype=lib.float64, requires_grad=True)
            getattr(lib.special, name)(lib.tensor([2.0, 1.5, 3.0], dtype=lib.float64), x).sum().backward()
            grads.append(x.grad)
        same(*grads, rtol=1e-9)
        with pytest.raises(NotImplementedError, match="the derivative for .* is not implemented"):
            getattr(dv.special, name)(x := dv.tensor([2.0], requires_grad=True), dv.tensor([1.0])).backward()
    corner = np.array([0.0, 0.0, 0.0, 1.0]), np.array([1.0, -1.0, -2.0, 3.0])
    compare("xlog1py", list(corner), ["float64"] * 2, grad=True)
    compare("entr", [np.array([0.0, -1.0, 0.5, np.nan])], ["float64"], grad=True)


@pytest.mark.parametrize("name", POLYNOMIALS)
def test_polynomials(name):
    rng = np.random.default_rng(2)
    x = np.concatenate([rng.uniform(-1, 1, 60), [0.0, 1.0, -1.0, 0.5, 2.0, -3.0, 0.999, np.inf]])
    for degree in (-1, 0, 1, 2, 3, 5, 8, 20, 2.7):
        compare(name, [x], ["float64"], degree, rtol=1e-8, atol=1e-8)
        compare(name, [x[:60]], ["float32"], degree, rtol=2e-3, atol=1e-4)
    compare(name, [x[:5, None], np.arange(-2, 12)], ["float64", "int64"], rtol=1e-8)
    compare(name, [x[:5, None], np.array([0, 1.0, 2.5, 3.9, -0.5, -1.2])], ["float64"] * 2, rtol=1e-8)
    compare(name, [np.arange(-3, 4)], ["int64"], 3)
    compare(name, [0.3, np.arange(4)], ["", "int64"], rtol=1e-6)
    compare(name, [x[:3]], ["float16"], 3)
    compare(name, [np.zeros(0)], ["float32"], 3)
    compare(name, [x[:3]], ["float32"], 3, grad=True, rtol=1e-5)


def test_the_functions_of_the_core():
    rows = rng = np.random.default_rng(3)
    rows = rng.normal(size=(3, 4)) * 5
    for kind in ("float64", "float32"):
        for order in (0, 1, 2, 3):
            compare(
                "polygamma",
                [order, EXTREME[(EXTREME > 0) & np.isfinite(EXTREME)]],
                ["", kind],
                grad=kind == "float64",
                rtol=2e-5,
                atol=1e-6,
            )
        for p in (1, 2, 3, 5):
            compare("multigammaln", [np.array([3.0, 4.5, 7.0, 100.0, 1e5, 2.6])], [kind], p, grad=True, rtol=1e-5, atol=1e-5)
        for eps in (None, 1e-3, 0.0, 0.4):
            compare("logit", [np.array([0.0, 1.0, 0.5, 0.2, 0.99999, -1.0, 2.0])], [kind], eps, rtol=1e-4)
        for name, dim in itertools.product(("softmax", "log_softmax", "logsumexp"), (0, 1, -1, 5)):
            compare(name, [rows], [kind], dim, grad=True, rtol=1e-5, atol=1e-6)
        compare("round", [np.array([0.5, 1.5, 2.5, -0.5, 123.456, np.inf, np.nan])], [kind])


@pytest.mark.parametrize("name", [n for n in torch.special.__all__ if n not in ("softmax", "log_softmax")])
def test_out(name):
    def run(lib):
        x = lib.tensor([1.3, 1.5, 1.7], dtype=lib.float64)
        more = [x] if name in TWO else [3] if name in POLYNOMIALS else [1] if name == "multigammaln" else [0] if name == "logsumexp" else []
        out = lib.zeros(() if name == "logsumexp" else 3, dtype=lib.float64)
        result = getattr(lib.special, name)(*([1, x] if name == "polygamma" else [x]), *more, out=out)
        assert result is out
        return out

    same(run(dv), run(torch), rtol=1e-6)


WINDOWS = {
    "gaussian": [{}, {"std": 7.0}, {"std": 0.3}, {"std": 0}, {"std": -1}], "kaiser": [{}, {"beta": 0.0}, {"beta": 30.0}, {"beta": -1}],
    "exponential": [{}, {"tau": 3.0}, {"tau": 0}, {"center": 2.0}, {"center": 2.0, "tau": 0.4}], "general_hamming": [{}, {"alpha": 0.3}],
    "general_cosine": [{"a": [0.5, 0.5]}, {"a": (1.0,)}, {"a": [0.2, 0.3, 0.4, 0.1]}, {"a": []}, {"a": None}],
}  # fmt: skip


@pytest.mark.parametrize("name", windows.__all__)
def test_windows(name):
    mine, expected = getattr(dv.signal.windows, name), getattr(windows, name)
    assert list(inspect.signature(mine).parameters) == list(inspect.signature(expected).parameters)
    for options, length, sym in itertools.product(WINDOWS.get(name, [{}]), (0, 1, 2, 3, 8, 64, -1), (True, False)):
        for kind, grad in itertools.product(("float32", "float64", "float16", "int64"), (True, False)):
            both(
                lambda: mine(length, sym=sym, dtype=getattr(dv, kind), requires_grad=grad, **options),  # noqa: B023
                lambda: expected(length, sym=sym, dtype=getattr(torch, kind), requires_grad=grad, **options),  # noqa: B023
                rtol=0, atol=2e-6 if kind == "float32" else 1e-12,
            )  # fmt: skip
    for length in (2.5, "x", None):
        both(lambda: mine(length, **WINDOWS.get(name, [{}])[0]), lambda: expected(length, **WINDOWS.get(name, [{}])[0]))  # noqa: B023


def test_windows_say_what_they_take():
    with pytest.raises(TypeError, match="gaussian: M is 2.5; expected an int"):
        dv.signal.windows.gaussian(2.5)
    with pytest.raises(ValueError, match="exponential: center is 1.0 and the window is symmetric; expected None; pass sym=False"):
        dv.signal.windows.exponential(4, center=1.0)
