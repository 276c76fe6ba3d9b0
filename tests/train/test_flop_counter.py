"""Counting FLOPs leaves what is counted as it was; one's own formulas; refusals. Parity is in tests/parity/test_flops.py."""

from __future__ import annotations

import pytest

import dovetail as dv
from dovetail.autograd.engine import late
from dovetail.autograd.modes import STATE
from dovetail.extend import Array, op
from dovetail.utils.flop_counter import FlopCounterMode, attention_flop, register_flop_formula


@op(name="test-flops/thrice")
def thrice(input: Array) -> Array:
    return input * 3


thrice.vjp(lambda g: thrice(g))


def test_names_and_table(capsys: pytest.CaptureFixture[str]) -> None:
    net = dv.nn.Sequential(dv.nn.Linear(3, 4), dv.nn.Linear(4, 2))
    with FlopCounterMode(depth=2) as counter:
        net(dv.ones(5, 3)).sum().backward()
    counts = counter.get_flop_counts()
    assert counts["Global"] == {"aten.addmm": 200, "aten.mm": 280} and counts["Sequential.1"] == {"aten.addmm": 80, "aten.mm": 160}
    assert counter.get_total_flops() == 480 and counter.get_table() + "\n" == capsys.readouterr().out
    assert [line.split() for line in counter.get_table(1).splitlines()] == [
        ["Module", "FLOP", "%", "Total"], ["-" * 13, "-" * 6, "-" * 9], ["Sequential", "480", "100.00%"],
        ["-", "aten.addmm", "200", "41.67%"], ["-", "aten.mm", "280", "58.33%"],
    ]  # fmt: skip


def test_nothing_is_left_behind() -> None:
    state, inspect = (STATE.observers, STATE.word), late.inspect
    net = dv.nn.Linear(3, 3)
    with pytest.raises(ZeroDivisionError), FlopCounterMode(display=False):
        net(dv.ones(1, 3))
        1 / 0
    assert (STATE.observers, STATE.word) == state and late.inspect is inspect
    assert not net._forward_hooks and not net._forward_pre_hooks


def test_results_and_random_numbers_are_the_same() -> None:
    def run() -> list[dv.Tensor]:
        dv.manual_seed(0)
        net = dv.nn.Sequential(dv.nn.Linear(3, 4), dv.nn.Dropout(0.5), dv.nn.Linear(4, 2))
        x = dv.ones(5, 3, requires_grad=True)
        y = net(x)
        y.sum().backward()
        return [y, x.grad, *(p.grad for p in net.parameters())]

    plain = run()
    with FlopCounterMode(display=False):
        counted = run()
    assert all(bool((a == b).all()) for a, b in zip(plain, counted, strict=True))


def test_one_s_own_op() -> None:
    @register_flop_formula(thrice)
    def formula(shape, out_shape=None, **kwargs):
        return shape.numel()

    x = dv.ones(2, 3, requires_grad=True)
    with FlopCounterMode(display=False) as counter:
        thrice(x).sum().backward()
    assert counter.get_flop_counts() == {"Global": {"test-flops/thrice": 12}}
    with pytest.raises(RuntimeError, match="duplicate registrations for test-flops/thrice"):
        register_flop_formula([thrice])(formula)
    with pytest.raises(ValueError, match="an op of dovetail.extend or a name, got 7 which is of type <class 'int'>"):
        register_flop_formula(7)(formula)


def test_custom_mapping_replaces_and_adds() -> None:
    x = dv.ones(2, 4, 5, 8)
    mapping = {"aten._scaled_dot_product_flash_attention_for_cpu": attention_flop, "aten.mm": lambda a, b, **kwargs: 1}
    with FlopCounterMode(display=False, custom_mapping=mapping) as counter:
        dv.nn.functional.scaled_dot_product_attention(x, x, x)
        dv.ones(3, 3) @ dv.ones(3, 3)
    assert counter.get_total_flops() == 2 * 4 * 2 * 2 * 5 * 5 * 8 + 1


def test_a_layer_called_twice_and_a_layer_within() -> None:
    inner = dv.nn.Linear(4, 4, bias=False)
    net = dv.nn.Sequential(inner, dv.nn.Sequential(inner))
    with FlopCounterMode(display=False) as counter:
        net(dv.ones(1, 4))
    counts = counter.get_flop_counts()
    assert counts["Global"] == counts["Sequential"] == {"aten.mm": 64}


def test_nothing_counted() -> None:
    with FlopCounterMode(display=False) as counter:
        dv.ones(3) + 1
    assert counter.get_table() == "Module      FLOP    % Total\n--------  ------  ---------\nGlobal         0         0%"


def test_the_old_argument() -> None:
    with pytest.warns(UserWarning, match="mods argument is not needed anymore"):
        FlopCounterMode(dv.nn.Linear(1, 1))
