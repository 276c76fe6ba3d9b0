"""What PyTorch's own files of tests and strangers' packages found, as small programs run with both."""

from __future__ import annotations

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


@pytest.mark.parametrize("case", cases(globals()))
def test_as_in_pytorch(case):
    run_twice(case)
