"""Bar R16: a planted NaN or infinity is found where it is made: op, module and line; or where it came in. Plain steps raise nothing."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pytest

import dovetail as dv
from dovetail.autograd.engine import late
from dovetail.autograd.modes import STATE
from dovetail.errors import NonFiniteError
from dovetail.train import check_finite, nonfinite_check
from tests.support.figures import note

F = dv.nn.functional
NAN, INF = float("nan"), float("inf")


def leaf(*values: float) -> dv.Tensor:
    return dv.tensor(values, requires_grad=True)


# name: (the op that is named, "here" | "in" | "back", one line that plants it in x, which holds 0, 1, 2)
PLANTED: dict[str, tuple[str, str, Callable[[dv.Tensor], Any]]] = {
    "log of 0": ("log", "here", lambda x: x.log()),
    "log2 of 0": ("log2", "here", lambda x: x.log2()),
    "log10 of 0": ("log10", "here", lambda x: x.log10()),
    "log of -1": ("log", "here", lambda x: (x - 1).log()),
    "log1p of -1": ("log1p", "here", lambda x: (x - 1).log1p()),
    "root of -1": ("sqrt", "here", lambda x: (x - 1).sqrt()),
    "rsqrt of 0": ("rsqrt", "here", lambda x: x.rsqrt()),
    "reciprocal of 0": ("reciprocal", "here", lambda x: x.reciprocal()),
    "0/0": ("div", "here", lambda x: x / x),
    "1/0": ("div", "here", lambda x: (x + 1) / x),
    "overflow of exp": ("exp", "here", lambda x: (x * 100).exp()),
    "overflow of expm1": ("expm1", "here", lambda x: (x * 100).expm1()),
    "overflow of a power": ("pow", "here", lambda x: (x * 1e30) ** 2.5),
    "power of 0": ("pow", "here", lambda x: x**-1.5),
    "overflow of a product": ("mul", "here", lambda x: (x * 1e30) * (x * 1e30)),
    "overflow of matmul": ("matmul", "here", lambda x: (x * 1e30) @ (x * 1e30)),
    "overflow in float16": ("mul", "here", lambda x: x.half() * 60000),
    "overflow by a cast": ("cast", "here", lambda x: (x * 1e6).half()),
    "arcsine of 2": ("asin", "here", lambda x: x.asin()),
    "arccosine of 2": ("acos", "here", lambda x: x.acos()),
    "acosh of 0": ("acosh", "here", lambda x: x.acosh()),
    "atanh of 1": ("atanh", "here", lambda x: x.atanh()),
    "overflow of sinh": ("sinh", "here", lambda x: (x * 100).sinh()),
    "remainder by 0": ("fmod", "here", lambda x: x.fmod(0.0)),
    "data with NaN": ("mul", "in", lambda x: dv.tensor([NAN, 1.0, 2.0]) * x),
    "data with inf": ("add", "in", lambda x: x + dv.tensor([INF, 1.0, 2.0])),
    "inf minus inf": ("sub", "here", lambda x: dv.tensor([INF] * 3) - dv.tensor([INF] * 3)),
    "0 times inf": ("mul", "here", lambda x: x * dv.tensor([INF, INF, INF])),
    "a bad weight": ("linear", "in", lambda x: F.linear(x, dv.tensor([[NAN, 1.0, 1.0]]))),
    "a number that is NaN": ("mul", "here", lambda x: x * NAN),
    "gradient of a root at 0": ("sqrt", "back", lambda x: x.sqrt().sum()),
    "gradient of a norm at 0": ("sqrt", "back", lambda x: (x[:1] * x[:1]).sum().sqrt()),
    "gradient of a power at 0": ("pow", "back", lambda x: (x**0.5).sum()),
    "gradient behind where": ("sqrt", "back", lambda x: dv.where(x > 0, x.sqrt(), x).sum()),
}


class Inner(dv.nn.Module):
    def __init__(self, plant: Callable[[dv.Tensor], Any]) -> None:
        super().__init__()
        self.plant = plant

    def forward(self, x: dv.Tensor) -> Any:
        return self.plant(x)


def run(plant: Callable[[dv.Tensor], Any], around: int) -> None:
    """The planted line alone, in a module, and in a module within two others."""
    x = leaf(0.0, 1.0, 2.0)
    nested = dv.nn.Sequential(dv.nn.Identity(), dv.nn.Sequential(Inner(plant)))
    out = (plant, Inner(plant), nested)[around](x)
    if isinstance(out, dv.Tensor) and out.requires_grad:
        out.float().sum().backward()


WHERE = ("", "Inner", "Sequential.1.0")
CASES = [(name, around) for name in PLANTED for around in range(3)]


@pytest.mark.figures
def test_all_planted_are_found() -> None:
    missed = []
    for name, around in CASES:
        op, how, plant = PLANTED[name]
        try:
            with nonfinite_check():
                run(plant, around)
            missed.append((name, around, "nothing was raised"))
        except NonFiniteError as error:
            text, line = str(error), inspect.getsourcelines(plant)[1]
            words = {"here": "made here", "in": "it came in with argument", "back": "made in backward"}[how]
            right = error.op == op and error.module == WHERE[around] and error.file == __file__ and error.line == line and words in text
            if not right or f"{__file__}:{line}" not in text or (around and WHERE[around] not in text):
                missed.append((name, around, text))
    note("R16", "planted NaN and Inf sources found with op, module and line", f"{len(CASES) - len(missed)}/{len(CASES)}", "100 %")
    assert not missed and len(CASES) >= 100, missed


def test_a_weight_is_named() -> None:
    net = dv.nn.Sequential(dv.nn.Linear(3, 3), dv.nn.Linear(3, 1))
    with dv.no_grad():
        net[1].weight[0, 1] = NAN
    words = "linear: the result holds nan: it came in with argument 'weight', which holds nan"
    with pytest.raises(NonFiniteError, match=words) as caught, nonfinite_check():
        net(dv.ones(2, 3))
    assert "(1.weight of Sequential)" in str(caught.value) and caught.value.module == "Sequential.1"


def test_masks_pass() -> None:
    """What is -inf on purpose is no fault."""
    layer = dv.nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    mask = dv.nn.Transformer.generate_square_subsequent_mask(5)
    x = dv.randn(2, 5, 8, requires_grad=True)
    with nonfinite_check():
        layer(x, src_mask=mask).sum().backward()
        scores = (x @ x.transpose(1, 2)).masked_fill(mask == -INF, -INF).softmax(-1)
        (scores @ x).sum().backward()
        dv.empty(1000)


def test_nothing_is_left_behind() -> None:
    before = STATE.observers, STATE.word, late.inspect
    with pytest.raises(NonFiniteError), nonfinite_check():
        dv.zeros(1).log()
    assert before == (STATE.observers, STATE.word, late.inspect)
    assert dv.zeros(1).log().item() == -INF


def test_every_step() -> None:
    net = dv.nn.Linear(2, 2)
    loss = net(dv.ones(1, 2)).sum()
    loss.backward()
    check_finite(loss, net)
    net.weight.grad[0, 0] = INF
    with pytest.raises(NonFiniteError, match="the gradients of 1 of 2 parameters are not finite at step 3: weight; the loss is"):
        check_finite(loss, net, step=3)
    with pytest.raises(NonFiniteError, match="the loss is nan; expected a finite number; run the step again inside nonfinite_check"):
        check_finite(NAN)
    net.weight.grad.fill_(3e38)  # finite, though their sum is not
    check_finite(loss, net)
