"""The engine: what backward adds where, what it keeps, what it refuses."""

from __future__ import annotations

import gc
import threading
import weakref

import numpy as np
import pytest

import dovetail as dv
from dovetail.autograd.node import Node
from dovetail.errors import GradError
from dovetail.extend import Array, op


def leaf(*values: float) -> dv.Tensor:
    return dv.tensor(list(values), dtype=dv.float64, requires_grad=True)


def test_gradients_add_up_over_paths_and_calls() -> None:
    x = leaf(1, 2)
    y = x * x + x * 3
    y.sum().backward(retain_graph=True)
    assert x.grad.tolist() == [5, 7]
    y.sum().backward()
    assert x.grad.tolist() == [10, 14]


def test_a_second_backward_names_the_remedy() -> None:
    x = leaf(1, 2)
    loss = (x * x).sum()
    loss.backward()
    with pytest.raises(RuntimeError, match=r"backward through the graph a second time.*retain_graph=True"):
        loss.backward()
    assert x.grad.tolist() == [2, 4]


def test_a_graph_that_kept_nothing_may_be_walked_twice() -> None:
    x = leaf(1, 2)
    total = (x + 1).sum()
    total.backward()
    total.backward()
    assert x.grad.tolist() == [2, 2]


def test_two_leaves_never_share_a_gradient() -> None:
    a, b = leaf(1), leaf(2)
    (a + b).sum().backward()
    a.grad.mul_(10)
    assert (a.grad.item(), b.grad.item()) == (10, 1)


def test_a_given_gradient_is_not_taken_over() -> None:
    x = leaf(1, 2)
    seed = dv.tensor([1.0, 2.0], dtype=dv.float64)
    (x + 0).backward(seed)
    x.grad.zero_()
    assert seed.tolist() == [1, 2]


def test_broadcasting_is_undone() -> None:
    row, column = leaf(1, 2, 3), dv.ones(2, 1, dtype=dv.float64, requires_grad=True)
    (row * column).sum().backward()
    assert row.grad.tolist() == [2, 2, 2] and column.grad.tolist() == [[6], [6]]


def test_the_gradient_has_the_type_of_its_input() -> None:
    x, y = dv.ones(2, requires_grad=True), dv.ones(2, dtype=dv.float64, requires_grad=True)
    (x * y).sum().backward()
    assert x.grad.dtype is dv.float32 and y.grad.dtype is dv.float64


def test_second_and_third_derivatives() -> None:
    x = dv.tensor(2.0, dtype=dv.float64, requires_grad=True)
    (g,) = dv.autograd.grad(x**3, x, create_graph=True)
    (h,) = dv.autograd.grad(g, x, create_graph=True)
    (k,) = dv.autograd.grad(h, x)
    assert (g.item(), h.item(), k.item()) == (12, 12, 6)


def test_grad_leaves_every_grad_alone() -> None:
    x, w = leaf(1, 2), leaf(3, 4)
    assert [g.tolist() for g in dv.autograd.grad((x * w).sum(), (x, w))] == [[3, 4], [1, 2]]
    assert x.grad is None and w.grad is None


def test_grad_of_a_middle_tensor() -> None:
    x = leaf(1, 2)
    middle = x * 2
    (g,) = dv.autograd.grad((middle * middle).sum(), middle)
    assert g.tolist() == [4, 8]


def test_unused_inputs() -> None:
    x, y = leaf(1), leaf(2)
    with pytest.raises(RuntimeError, match="appears to not have been used in the graph"):
        dv.autograd.grad(x * 2, y)
    assert dv.autograd.grad((x * 2).sum(), y, allow_unused=True) == (None,)
    assert dv.autograd.grad((x * 2).sum(), y, materialize_grads=True)[0].tolist() == [0]


def test_backward_needs_a_scalar_or_a_gradient() -> None:
    with pytest.raises(RuntimeError, match=r"grad can be implicitly created only for scalar outputs \(got shape \(2,\)\)"):
        (leaf(1, 2) * 2).backward()
    with pytest.raises(RuntimeError, match="Mismatch in shape"):
        (leaf(1, 2) * 2).backward(dv.ones(3, dtype=dv.float64))
    with pytest.raises(RuntimeError, match="does not require grad"):
        dv.ones(1).backward()


def test_a_changed_kept_value_names_op_and_line() -> None:
    x = leaf(0.5)
    y = (x * 2).tanh()
    y.add_(1)
    with pytest.raises(GradError, match=r"^tanh: .*modified by an inplace operation by add_ at .*test_autograd\.py:\d+"):
        y.sum().backward()
    assert x.grad is None


def test_a_change_before_keeping_is_no_error() -> None:
    x = leaf(2)
    y = x * 1
    y.add_(1)
    (y * y).sum().backward()
    assert x.grad.item() == 6


def test_the_overwritten_input_of_mul_is_kept_as_it_was() -> None:
    x, w = leaf(2), leaf(5)
    y = x * 1
    y.mul_(w)
    y.sum().backward()
    assert (x.grad.item(), w.grad.item()) == (5, 2)


def test_a_leaf_is_not_changed_in_place_while_recording() -> None:
    x = leaf(1)
    with pytest.raises(RuntimeError, match="a leaf Variable that requires grad is being used in an in-place operation"):
        x.add_(1)
    with pytest.raises(RuntimeError, match="a view of a leaf Variable that requires grad"):
        x[0:1].add_(1)
    with dv.no_grad():
        x.add_(1)
    assert x.item() == 2


def test_nodes_keep_only_what_their_rule_names() -> None:
    x = leaf(1, 2)
    big = x * 2
    alive = weakref.ref(big._a)
    out = big + 1  # add keeps nothing
    del big
    assert alive() is None
    out.sum().backward()
    assert x.grad.tolist() == [2, 2]


def test_no_reference_cycles() -> None:
    gc.collect()
    gc.disable()
    try:
        x = leaf(1, 2)
        y = (x.tanh() * x).sum()
        node = weakref.ref(y.grad_fn)
        y.backward()
        del y
        assert node() is None
    finally:
        gc.enable()


def test_a_deep_graph_does_not_recurse() -> None:
    x = leaf(1)
    y = x
    for _ in range(20_000):
        y = y + 1
    y.sum().backward()
    assert x.grad.item() == 1
    del y


def test_backward_inside_backward() -> None:
    class Inner(dv.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * 2

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            with dv.enable_grad():
                z = x.detach().requires_grad_()
                (z * z).sum().backward()
            return g * 2 + 0 * z.grad

    x = leaf(3)
    Inner.apply(x).sum().backward()
    assert x.grad.item() == 2


def test_threads_have_their_own_mode_and_may_walk_at_once() -> None:
    x = leaf(1, 2)
    seen = {}

    def work(i: int) -> None:
        seen[i] = (dv.is_grad_enabled(), dv.autograd.grad((x * i).sum(), x)[0].tolist())

    with dv.no_grad():
        threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
    assert seen == {i: (True, [i, i]) for i in range(4)}


def test_modes_nest_and_decorate() -> None:
    assert dv.is_grad_enabled()
    with dv.no_grad():
        assert not dv.is_grad_enabled()
        with dv.enable_grad():
            assert dv.is_grad_enabled()
        assert not dv.is_grad_enabled()

    @dv.no_grad()
    def quiet() -> bool:
        return dv.is_grad_enabled()

    @dv.no_grad
    def quiet_too() -> bool:
        return dv.is_grad_enabled()

    assert not quiet() and not quiet_too() and dv.is_grad_enabled()
    previous = dv.set_grad_enabled(False)
    assert not dv.is_grad_enabled()
    del previous
    dv.set_grad_enabled(True)

    @dv.no_grad()
    def steps():
        yield dv.is_grad_enabled()
        yield dv.is_grad_enabled()

    assert [(inside, dv.is_grad_enabled()) for inside in steps()] == [(False, True), (False, True)]


def test_inference_tensors_never_enter_a_graph() -> None:
    x = leaf(1)
    with dv.inference_mode():
        y = x * 2
        assert y.is_inference() and not y.requires_grad
    with pytest.raises(RuntimeError, match="inference"):
        (x * y).sum().backward()
    with pytest.raises(RuntimeError, match="Inplace update to inference tensor"):
        y.add_(1)


def test_hooks_on_tensors() -> None:
    x = leaf(1, 2)
    seen = []
    handle = x.register_hook(lambda g: seen.append(g.tolist()))
    y = x * 2
    y.register_hook(lambda g: g * 10)
    y.retain_grad()
    y.sum().backward()
    assert seen == [[20, 20]] and x.grad.tolist() == [20, 20] and y.grad.tolist() == [10, 10]
    handle.remove()
    (x * 1).sum().backward()
    assert len(seen) == 1


def test_post_accumulate_hooks_see_the_leaf() -> None:
    x = leaf(1)
    seen = []
    x.register_post_accumulate_grad_hook(lambda t: seen.append((t is x, t.grad.item())))
    (x * 3).sum().backward()
    assert seen == [(True, 3)]


class Look(dv.autograd.Function):
    """Does nothing, and notes in backward what a leaf has."""

    @staticmethod
    def forward(ctx, x, weight, seen):
        ctx.weight, ctx.seen = weight, seen
        return x.clone()

    @staticmethod
    def backward(ctx, g):
        ctx.seen.append(ctx.weight().grad[0].item())
        return g, None, None


def test_a_large_gradient_is_added_as_soon_as_it_is_complete() -> None:
    """The memory of the new one is free then: a sum over batches never holds both of every layer."""
    for size, want in ((4, 3), (20_000, 9)):
        weight, seen = dv.ones(size, requires_grad=True), []
        weight.grad = dv.full((size,), 3.0)
        (Look.apply(leaf(2) * 3, lambda weight=weight: weight, seen) * weight).sum().backward()
        assert seen == [want] and weight.grad[0].item() == 9


def test_hooks_on_nodes() -> None:
    x = leaf(1)
    y = x * 3
    seen = []
    y.grad_fn.register_hook(lambda gi, go: seen.append((gi[0].item(), go[0].item())))
    y.grad_fn.register_prehook(lambda go: (go[0] * 2,))
    y.sum().backward()
    assert seen == [(6, 2)] and x.grad.item() == 6


def test_functions_that_users_write() -> None:
    class Clip(dv.autograd.Function):
        @staticmethod
        def forward(ctx, x, limit):
            ctx.save_for_backward(x)
            ctx.limit = limit
            assert ctx.needs_input_grad == (True, False)
            return x.clamp(-limit, limit)

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return g * (x.abs() <= ctx.limit), None

    x = leaf(-3, 0.5)
    y = Clip.apply(x, 1.0)
    assert type(y.grad_fn).__name__ == "ClipBackward" and isinstance(y.grad_fn, Node)
    y.sum().backward()
    assert x.grad.tolist() == [0, 1]


def test_functions_with_several_results_and_wrong_counts() -> None:
    class Two(dv.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2, x.argmax()

        @staticmethod
        def backward(ctx, g, none):
            return g * 2, None, dv.ones(1)

    x = leaf(1, 2)
    y, at = Two.apply(x)
    assert not at.requires_grad
    with pytest.raises(RuntimeError, match=r"TwoBackward: returned an incorrect number of gradients \(expected 1, got 3\)"):
        y.sum().backward()


def test_double_backward_through_a_function() -> None:
    class Cube(dv.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x * x

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return g * 3 * x * x

    x = leaf(2)
    (g,) = dv.autograd.grad(Cube.apply(x).sum(), x, create_graph=True)
    assert dv.autograd.grad(g.sum(), x)[0].item() == 12
    assert dv.autograd.gradgradcheck(Cube.apply, (leaf(0.5, -1.5),))


def test_once_differentiable() -> None:
    class Once(dv.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        @dv.autograd.function.once_differentiable
        def backward(ctx, g):
            return g * 2

    x = leaf(1)
    (g,) = dv.autograd.grad((Once.apply(x) ** 2).sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        g.sum().backward()


def test_gradcheck_finds_a_wrong_gradient() -> None:
    class Wrong(dv.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            return g * 2.01

    with pytest.raises(RuntimeError, match="Jacobian mismatch for output 0 with respect to input 0"):
        dv.autograd.gradcheck(Wrong.apply, (leaf(1, 2),))
    assert not dv.autograd.gradcheck(Wrong.apply, (leaf(1, 2),), raise_exception=False)


def test_no_numpy_warnings_and_the_users_error_state_stays() -> None:
    with np.errstate(all="raise"):
        state = np.geterr()
        x = dv.tensor([0.0, -1.0], requires_grad=True)
        y = dv.log(x) + x / 0.0
        y.backward(dv.ones(2))
        assert np.geterr() == state
        with pytest.raises(FloatingPointError):
            np.log(np.zeros(1))


def test_detach_shares_the_version_and_data_does_not() -> None:
    x = leaf(2)
    y = x * 1
    z = y * y
    y.detach().add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        z.sum().backward()
    y = x * 1
    z = y * y
    y.data.add_(0)
    z.sum().backward()
    assert x.grad.item() == 4


def test_a_gradient_outlives_a_pause_of_recording() -> None:
    x = dv.ones(2, requires_grad=True)
    (x * 3).sum().backward()
    x.requires_grad_(False)
    assert x.grad.tolist() == [3.0, 3.0]
    assert x.requires_grad_().grad.tolist() == [3.0, 3.0]
    x.grad = None
    assert x.requires_grad_(False).grad is None


@pytest.mark.parametrize("seeds", [None, dv.tensor(1.0), [dv.tensor(1.0)], [None]])
def test_batched_seeds_have_a_first_dimension(seeds) -> None:
    x = dv.ones(2, requires_grad=True)
    with pytest.raises(ValueError, match="needs a grad_outputs with a first dimension for each output"):
        dv.autograd.grad(x.sum(), x, seeds, is_grads_batched=True)


def test_grad_runs_no_rule_that_nobody_asked_for() -> None:
    """What ``grad(y, [x])`` does not name costs nothing, recorded or not; ``backward()`` runs every rule."""
    asked: list[str] = []

    @op(name="test/two_ways")
    def two_ways(a: Array, b: Array) -> Array:
        return a * b

    def rule(name: str, other: str):
        def both(g, a, b):
            asked.append(name)
            return g * (b if other == "b" else a)

        return both

    two_ways.vjp("a")(rule("a", "b"))
    two_ways.vjp("b")(rule("b", "a"))
    x, w = leaf(1, 2), leaf(3, 5)
    z = two_ways(x * 2, w * 1).sum()
    for create_graph in (False, True):
        (g,) = dv.autograd.grad(z, [x], retain_graph=True, create_graph=create_graph)
        assert g.tolist() == [6, 10]
        assert asked == ["a"]
        asked.clear()
    (g,) = dv.autograd.grad(z, [w], retain_graph=True)
    assert (g.tolist(), asked) == ([2, 4], ["b"])
    asked.clear()
    z.backward()
    assert sorted(asked) == ["a", "b"]
    assert (x.grad.tolist(), w.grad.tolist()) == ([6, 10], [2, 4])
