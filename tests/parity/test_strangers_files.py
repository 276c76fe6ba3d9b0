"""What PyTorch's own files of tests and strangers' packages found, as small programs run with both."""

from __future__ import annotations

from collections import namedtuple

import pytest

from tests.parity.twice import cases, error, run_twice

pytestmark = pytest.mark.parity


def setup_context_is_given_the_defaults_of_forward(T):
    class Power(T.autograd.Function):
        @staticmethod
        def forward(x, y=3):
            return x**y

        @staticmethod
        def setup_context(ctx, inputs, output):
            x, ctx.y = inputs
            ctx.save_for_backward(x)

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return g * ctx.y * x ** (ctx.y - 1), None

    out = []
    for more in ((), (2,)):
        x = T.tensor([1.0, 2.0], requires_grad=True)
        Power.apply(x, *more).sum().backward()
        out.append(x.grad)
    return out, error(lambda: Power.apply())


def a_named_tuple_stays_one_under_a_full_backward_hook(T):
    Pair = namedtuple("Pair", "first second")

    class Two(T.nn.Module):
        def forward(self, x):
            return Pair(x * 2, x * 3)

    out = []
    for way in ("register_full_backward_hook", "register_full_backward_pre_hook"):
        seen, two, x = [], Two(), T.ones(2, requires_grad=True)
        getattr(two, way)(lambda module, *grads, seen=seen: seen.append([g for pair in grads for g in pair]))
        pair = two(x)
        (pair.first + pair.second).sum().backward()
        out += [type(pair).__name__, seen, x.grad]
    return out


def sobol(T):
    engine = T.quasirandom.SobolEngine
    T.manual_seed(3)
    plain, mixed, own = engine(3), engine(3, True, 7), engine(2, True)
    out = [plain.draw(), plain.draw(5), plain.draw_base2(1), plain.num_generated, mixed.draw(9), mixed.draw(4, dtype=T.float64)]
    out += [own.draw(4), plain.reset().draw(3), mixed.reset().fast_forward(5).draw(3), plain.draw(2, out=T.empty(0))]
    out += [repr(plain), repr(mixed), mixed.shift, engine(40).draw(70).sum(0), engine.MAXDIM]
    return out, error(lambda: plain.draw_base2(2)), error(lambda: engine(0)), error(lambda: engine(21202))


@pytest.mark.parametrize("case", cases(globals()))
def test_as_in_pytorch(case):
    run_twice(case)
