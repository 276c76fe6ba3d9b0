"""The interpreter of chains: the numbers of its functions one by one, for all ways in which operands may lie, and what it declines."""

from __future__ import annotations

import numpy as np
import pytest

from dovetail_cpu import _native

ONE = "neg abs square sqrt rsqrt reciprocal exp log tanh sigmoid relu silu gelu gelu_tanh erf".split()
TWO = "add sub mul div maximum minimum tanh_grad sigmoid_grad relu_grad silu_grad gelu_grad gelu_tanh_grad".split()
SINGLE = {"gelu", "gelu_tanh", "erf", "gelu_grad", "gelu_tanh_grad"}


def alone(name, *operands):
    """The function by its own kernel."""
    if name.startswith("gelu"):
        return getattr(_native, name.replace("_tanh", ""))(*operands, "tanh" if "tanh" in name else "none")
    return getattr(_native, name)(*operands)


def chain(program, constants, count, temporaries, results, shape, single=True):
    return _native.chain(program, constants, [(k, -1) for k in range(count)], temporaries, results, list(shape), single)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(1,), (7,), (8, 8), (3, 700), (5, 4, 300)])
def test_each_function_gives_the_bits_of_its_kernel(dtype, shape):
    rng = np.random.default_rng(0)
    a, b = (rng.standard_normal(shape).astype(dtype) for _ in range(2))
    single = dtype == np.float32
    assert set(_native.chain.functions(single)) == {n for n in ONE + TWO if single or n not in SINGLE}
    for name in _native.chain.functions(single):
        operands = (a,) if name in ONE else (a, b)
        made = chain([(name, len(operands), 0, len(operands) - 1)], [], len(operands), 0, [-1], shape, single)
        np.testing.assert_array_equal(made(*operands), alone(name, *operands), err_msg=name)


@pytest.mark.parametrize(
    "pattern", [(), (1,), (4,), (1, 4), (3, 1), (3, 4), (2, 1, 1), (2, 3, 1), (2, 3, 4), (1, 3, 1), (1, 3, 4), (1, 1, 1)]
)
def test_operands_are_broadcast(pattern):
    rng = np.random.default_rng(0)
    for scale in (1, 300):
        shape = (2, 3, 4 * scale)
        sizes = tuple(n * scale if k == len(pattern) - 1 and n == 4 else n for k, n in enumerate(pattern))
        a, b = rng.standard_normal(shape).astype(np.float32), rng.standard_normal(sizes).astype(np.float32)
        made = chain([("mul", 3, 0, 1), ("add", 4, 3, 2)], [0.5], 2, 1, [-1], shape)
        np.testing.assert_array_equal(made(a, b), a * b + np.float32(0.5))
        wide = np.broadcast_to(b, shape)
        np.testing.assert_array_equal(made(wide, a), a * b + np.float32(0.5))


def test_several_results_and_rows_of_one_array():
    a = np.arange(6, dtype=np.float32).reshape(2, 3)
    kept = _native.chain([("exp", 1, 0, 0), ("neg", 2, 1, 1), ("add", 3, 1, 2)], [], [(0, -1)], 0, [0, 1, -1], [2, 3], True)
    rows, total = kept(a)
    np.testing.assert_array_equal(rows, np.stack([alone("exp", a).ravel(), -alone("exp", a).ravel()]))
    np.testing.assert_array_equal(total, np.zeros((2, 3), np.float32))
    again = _native.chain([("sub", 2, 0, 1)], [], [(0, 0), (0, 1)], 0, [-1], [2, 3], True)
    np.testing.assert_array_equal(again(rows), 2 * alone("exp", a))
    assert again(rows[:1]) is NotImplemented


@pytest.mark.parametrize(
    "operand", [np.ones((2, 4), np.float32), np.ones((2, 3)), 1.0, np.ones((3, 2), np.float32).T, np.ones((2, 6), np.float32)[:, ::2]]
)
def test_what_it_cannot_read_is_declined(operand):
    made = chain([("neg", 1, 0, 0)], [], 1, 0, [-1], (2, 3))
    assert made(operand) is NotImplemented and made() is NotImplemented and made(operand, operand) is NotImplemented


@pytest.mark.parametrize(
    "program",
    [
        ([("sine", 1, 0, 0)], [], 1, 0, [-1], (3,)),
        ([("neg", 2, 0, 0)], [], 1, 0, [-1], (3,)),
        ([("neg", 0, 0, 0)], [], 1, 0, [-1], (3,)),
        ([("add", 1, 0, 9)], [], 1, 0, [-1], (3,)),
        ([("neg", 1, 0, 0)], [], 1, 0, [], (3,)),
        ([("neg", 1, 0, 0)], [], 1, 0, [-1], (0, 3)),
        ([("erf", 1, 0, 0)], [], 1, 0, [-1], (3,), False),
    ],
)
def test_a_program_that_makes_no_sense_is_a_value_error(program):
    with pytest.raises(ValueError, match="chain: a "):
        chain(*program)


PRODUCTS = {
    "linear": lambda a, b, c: _native.linear(a, b, c),
    "matmul": lambda a, b, c: _native.matmul(a, b),
    "matmul_nt": lambda a, b, c: _native.matmul_nt(a, b),
    "matmul_tn": lambda a, b, c: _native.matmul_tn(a, b),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", PRODUCTS)
@pytest.mark.parametrize(("m", "n", "k"), [(1, 7, 5), (3, 70, 33), (64, 10, 784), (15, 640, 90), (300, 200, 300), (100, 2, 40)])
def test_a_chain_after_a_product_gives_the_bits_of_both(name, dtype, m, n, k):
    """tanh(product) * other + bias, the product kept or not; one thread and two; the bias along the columns."""
    rng = np.random.default_rng(m)
    a = rng.standard_normal((k, m) if name == "matmul_tn" else (m, k)).astype(dtype)
    b = rng.standard_normal((k, n) if name in ("matmul", "matmul_tn") else (n, k)).astype(dtype)
    added, other = rng.standard_normal(n).astype(dtype), rng.standard_normal((m, n)).astype(dtype)
    given = (a, b, added) if name == "linear" else (a, b)
    # places: other, the product, the bias; two temporaries; the result
    made = chain([("tanh", 3, 1, 1), ("mul", 4, 3, 0), ("add", 5, 4, 2)], [], 3, 2, [-1], (m, n), dtype == np.float32)
    product = PRODUCTS[name](a, b, added)
    expected = made(other, product, added)
    for threads in (1, 2):
        before = _native.get_num_threads()
        _native.set_num_threads(threads)
        try:
            np.testing.assert_array_equal(made.after(name, 1, False, *given, other, added), expected)
            kept, result = made.after(name, 1, True, *given, other, added)
        finally:
            _native.set_num_threads(before)
        np.testing.assert_array_equal(kept, PRODUCTS[name](a, b, added))
        np.testing.assert_array_equal(result, expected)


def test_a_product_of_more_dimensions_is_followed_where_it_is_one_product():
    rng = np.random.default_rng(0)
    a, b, c = (rng.standard_normal(s).astype(np.float32) for s in [(4, 50, 32), (32, 48), (4, 32, 48)])
    made = chain([("relu", 1, 0, 0)], [], 1, 0, [-1], (4, 50, 48))
    np.testing.assert_array_equal(made.after("matmul", 0, False, a, b), np.maximum(_native.matmul(a, b), 0))
    assert made.after("matmul", 0, False, a, c) is NotImplemented  # four products
    assert made.after("matmul", 0, False, a, b[:, :47]) is NotImplemented  # of another shape than the chain's
    assert made.after("matmul", 0, False, a, b.astype(np.float64)) is NotImplemented
    assert made.after("linear", 0, False, a, b.T, None) is not NotImplemented
    assert made.after("linear", 0, False, a, b, None) is NotImplemented
    assert made.after("matmul", 1, False, a, b) is NotImplemented  # there is no such operand
