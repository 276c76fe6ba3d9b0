"""Calls from PyTorch's own tables of tests that were answered otherwise once."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from tests.parity.both_ways import same

pytestmark = pytest.mark.parity

_X = "T.arange(32.).reshape(1, 2, 4, 4).sin().requires_grad_()"
_W = "T.arange(54.).reshape(2, 3, 3, 3).cos()"
_SQUARE = "(lambda x: T.autograd.grad(F.{}.pow(2).sum(), x))({})"

ROWS = [
    *(
        f"(lambda q: T.autograd.grad(T.{f}(T.tensor([[1., 5., 2.], [float('nan'), 7., 1.]]), q, {dim}).nansum(), q))({q}.requires_grad_())"
        for f in ("quantile", "nanquantile")
        for dim in (0, 1)
        for q in ("T.tensor([0.2, 0.7])", "T.tensor(0.3)")
    ),
    *(
        _SQUARE.format(f"conv_transpose2d(x, {_W}, stride={s}, padding={p}, output_padding={o}, dilation=3)", _X)
        for s, p, o in ((1, 0, 1), (1, 0, 2), (2, 1, 2), (1, 2, 2))
    ),
    "(lambda x: T.autograd.grad(F.l1_loss(x, x.detach() * 2j), x))(T.tensor([1 + 2j, 3 - 1j]).requires_grad_())",
    "F.rrelu(T.tensor(-1.0), training=True)",
    "F.rrelu(T.arange(-3., 4.).reshape(7, 1), training=True)",
    "F.softmin(T.tensor([1, 2, 0], dtype=T.uint8), 0, dtype=T.float64)",
    "F.softmin(T.tensor([True, False]), 0, dtype=T.float64)",
    *(f"T.take_along_dim(T.arange(4).reshape(2, 2), T.tensor([[{i}], [1]]), 1)" for i in (-1, -4, 5)),
    "T.take_along_dim(T.arange(4), T.tensor([-1]))",
    "T.ones(2, 3, dtype=T.bool).sum_to_size(2, 1)",
    "T.ones(2, 3, dtype=T.uint8).sum_to_size(1, 3)",
    "T.unravel_index(T.tensor([3, 200], dtype=T.uint8), (9, 60))",
    "T.unravel_index(T.tensor([3, 5], dtype=T.int32), (2, 4))",
    "T.ones(2, 3, out=T.empty_strided((2, 3), (1, 2)))",
    "T.zeros(2, 3, out=T.empty_strided((3, 2), (1, 3)))",
    *(f"T.arange(6).view(2, 3).t().resize_({sizes})" for sizes in ("6", "2, 2", "3, 2")),
    "T.renorm(T.arange(6.).reshape(2, 3), 2, 0, 1.0, out=T.empty(0))",
    "T.slice_scatter(T.zeros(4), T.ones(2), 0, 1, 3, out=T.empty(0))",
    "F.adaptive_max_pool3d(T.ones(2, 2, 2), (2, 2, 2))",
    "F.adaptive_max_pool2d(T.ones(2), (2, 2))",
    "F.adaptive_avg_pool3d(T.ones(2, 2), 2)",
    "F.multi_margin_loss(T.ones(2, 3), T.tensor([0, 1]), weight=T.ones(()))",
    "F.multi_margin_loss(T.arange(5.), T.tensor([1]), reduction='none')",
    "F.multi_margin_loss(T.arange(5.), T.tensor(1), reduction='none')",
    "F.multi_margin_loss(T.arange(5.).reshape(1, 5), T.tensor(1), reduction='none')",
    "F.multi_margin_loss(T.ones(2, 3), T.tensor([0, 1]), weight=T.ones(2))",
    *(
        f"T.nextafter(T.tensor([1., -0., float('inf'), float('nan')], dtype=T.{a}), T.tensor(2., dtype=T.{b})).float()"
        for a, b in (("float16", "float16"), ("bfloat16", "bfloat16"), ("float16", "float32"), ("bfloat16", "float16"), ("int64", "int64"))
    ),
    "T.ones(2, dtype=T.bfloat16).nextafter_(T.tensor(3)).float()",
    "T.ones(2, dtype=T.float16).nextafter_(T.tensor([2., 3.]))",
    "(lambda x, y: T.autograd.grad(T.nextafter(x, y).sum(), (x, y)))(T.ones(2, 1, requires_grad=True), T.arange(3.).requires_grad_())",
    *(f"T.tensor({x}).mvlgamma_(1)" for x in ("[5, 6]", "[5., 6.]", "[True]")),
    "T.mvlgamma(T.tensor([5]), 1, out=T.empty(0, dtype=T.float64))",
    "T.mvlgamma(T.tensor([5]), 1, out=T.empty(0, dtype=T.int64))",
    *(
        f"T.tensordot(T.full({a}, 200, dtype=T.uint8), T.full({b}, 200, dtype=T.uint8), dims={dims})"
        for a, b in (("(1, 3)", "(2, 3)"), ("(2, 3)", "(1, 3)"))
        for dims in ("([0], [0])", "([0, 1], [0, 1])")
    ),
    *(f"T.narrow(T.ones(5, 3), 0, T.tensor({start}), 1)" for start in ("[1]", "[1, 2]", "1.", "True", "1")),
    "T.multinomial(T.ones(3), 2, out=T.empty(0, dtype=T.int32))",
    "T.multinomial(T.ones(3), 2, out=T.empty(0, dtype=T.int64))",
    "T.ormqr(T.ones(0, 2), T.ones(0), T.ones(2, 0), left=False)",
    "T.ormqr(T.arange(6.).reshape(2, 3), T.ones(2) * 0.5, T.ones(2, 3)).contiguous()",
    "T.ormqr(T.arange(6.).reshape(2, 3), T.ones(3) * 0.5, T.ones(2, 3))",
    "F.avg_pool2d(T.arange(16.).reshape(1, 4, 4), 2, out=T.empty(0))",
    "F.avg_pool3d(T.arange(8.).reshape(1, 2, 2, 2), 2, out=T.empty(0))",
    "F.avg_pool2d(T.ones(1, 4, 4), 2, out=T.empty(0, dtype=T.float64))",
    "F.softplus(T.arange(3.), out=T.empty(0))",
    "F.softplus(T.arange(3.), out=T.empty(0, dtype=T.float64))",
    *(
        f"T.{draw}, out={out})"
        for draw in ("randn(5, 5", "rand(5, 5", "normal(0., 1., (5, 5)", "randint(9, (5, 5)")
        for out in ("T.empty(5, 5).t()", "T.empty(5, 10)[:, ::2]", "T.empty(0)")
    ),
    *(
        f"F.{kind}_pool{n}d(T.ones({'1, 4, 4, 4, 4'[: 3 * n + 4]}), 2, stride={s})"
        for kind in ("avg", "max")
        for n in (1, 2, 3)
        for s in ("()", "[]")
    ),
    "F.avg_pool3d(T.arange(16).reshape(1, 2, 2, 4) - 7, (2, 2, 1), divisor_override=-3)",
    "T.randperm(6, out=T.empty(12, dtype=T.int64)[::2])",
    *(
        f"(lambda g: T.autograd.grad(F.grid_sample(T.ones(1, 1, 3, 3), g, 'nearest', {pad!r}, False).sum(), g))"
        f"((T.arange(8.).reshape(1, 2, 2, 2) / 8).requires_grad_())"
        for pad in ("zeros", "border", "reflection")
    ),
]


@pytest.mark.parametrize("text", ROWS)
def test_answers_alike(text: str) -> None:
    same(text)
