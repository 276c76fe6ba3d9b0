"""The engine where hooks, in-place changes, views and user functions meet: small programs, run with both."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest

from tests.parity.twice import cases, error, run_twice

pytestmark = pytest.mark.parity


def leaf(T: Any, *shape: int) -> Any:
    return T.arange(1.0, 1.0 + T.ones(shape).numel()).double().div(3).view(shape).requires_grad_()


def hooks_before_and_after_in_place(T):
    a, seen = leaf(T, 3), []
    b = a.clone()
    b.register_hook(lambda g: seen.append(("before", g)))
    b.mul_(2)
    b.register_hook(lambda g: seen.append(("after", g)))
    b.mul_(5)
    b.register_hook(lambda g: seen.append(("last", g)))
    b.sum().backward()
    return seen, a.grad


def changing_hooks_around_in_place(T):
    a = leaf(T, 3)
    b = a.clone()
    b.register_hook(lambda g: g * 2)
    b.mul_(3)
    b.register_hook(lambda g: g + 1)
    b.sum().backward()
    return a.grad


def retained_after_in_place(T):
    a = leaf(T, 3)
    b = a * 1
    b.retain_grad()
    b.mul_(2)
    b.sum().backward()
    return a.grad, b.grad, b.retains_grad


def retained_views_after_in_place(T):
    found = []
    for changes in ("view", "base", "both"):
        b = leaf(T, 3, 4)
        a = b * 1
        v, w = a[0], a.view(-1)[2:6]
        v.retain_grad(), w.retain_grad(), a.retain_grad()
        if changes != "base":
            v.mul_(1.5)
        if changes != "view":
            a.mul_(2.5)
        (v.sum() + a.sum() + (w * 3).sum()).backward()
        found += [v.grad, w.grad, a.grad, b.grad, v.retains_grad]
    return found


def retained_twice(T):
    a = leaf(T, 3)
    b = a * 2
    b.retain_grad(), b.retain_grad()
    b.sum().backward(retain_graph=True)
    first = b.grad.clone()
    b.sum().backward()
    return first, b.grad


def retained_sees_hooks(T):
    a = leaf(T, 3)
    b = a * 2
    b.retain_grad()
    b.register_hook(lambda g: g * 10)
    c = a * 3
    c.register_hook(lambda g: g * 10)
    c.retain_grad()
    (b + c).sum().backward()
    return a.grad, b.grad, c.grad


def retained_of_views(T):
    a = leaf(T, 2, 3)
    b = a * 1
    v = b.view(-1)
    v.retain_grad(), b.retain_grad()
    (v * 2).sum().backward()
    return v.grad, b.grad, a.grad


def hooks_on_several_outputs(T):
    a, seen = leaf(T, 3), []
    x, _, z = a.unbind(0)
    x.register_hook(lambda g: seen.append(("x", g)) or g * 3)
    z.register_hook(lambda g: seen.append(("z", g)))
    (x * 2 + z).backward()
    return seen, a.grad


def hooks_with_create_graph(T):
    a, seen = leaf(T, 3), []
    b = a**3
    b.register_hook(lambda g: seen.append(g.requires_grad) or g * a)
    (g,) = T.autograd.grad(b.sum(), a, create_graph=True)
    (h,) = T.autograd.grad(g.sum(), a)
    return g, h, seen


def hook_removed_while_running(T):
    a, seen, handles = leaf(T, 2), [], []
    b = a * 1
    handles.append(b.register_hook(lambda g: seen.append(1) or handles[0].remove()))
    b.sum().backward(retain_graph=True)
    b.sum().backward()
    return seen


def hook_that_raises(T):
    def bad(g):
        raise KeyError("mine")

    a = leaf(T, 2)
    b = a * 1
    b.register_hook(bad)
    return error(lambda: b.sum().backward()), a.grad


def leaf_hooks_replace(T):
    a = leaf(T, 2)
    a.register_hook(lambda g: g * 2)
    a.register_hook(lambda g: g + 1)
    (a * 3).sum().backward()
    return a.grad, T.autograd.grad((a * 3).sum(), a)


def hooks_and_inputs(T):
    a, seen = leaf(T, 2), []
    b = a * 2
    b.register_hook(lambda g: seen.append("b") or g * 7)
    c = b * 3
    c.register_hook(lambda g: seen.append("c"))
    found = T.autograd.grad(c.sum(), b, retain_graph=True)
    c.sum().backward(inputs=[b])
    return found, b.grad, a.grad, seen


def pre_hooks_and_tensor_hooks(T):
    a, seen = leaf(T, 2), []
    b = a.exp()
    b.grad_fn.register_prehook(lambda g: seen.append("node"))
    b.register_hook(lambda g: seen.append("tensor"))
    b.retain_grad()
    b.grad_fn.register_hook(lambda gi, go: seen.append("after"))
    b.sum().backward()
    return seen, b.grad


def prehook_wrong_count(T):
    a = leaf(T, 2)
    b = a.exp()
    b.grad_fn.register_prehook(lambda g: (g[0], g[0]))
    return error(lambda: b.sum().backward())


def post_hook_wrong_count(T):
    a = leaf(T, 2)
    b = a.exp()
    b.grad_fn.register_hook(lambda gi, go: (gi[0], gi[0]))
    return error(lambda: b.sum().backward())


def in_place_on_a_view(T):
    a = leaf(T, 2, 3)
    b = a * 1
    v = b[0]
    v.mul_(3)
    w = b.t()[1:]
    w.add_(a.t()[1:])
    (b**2).sum().backward()
    return b, v, w, a.grad, v.grad_fn is not None, v._base is b


def in_place_on_the_base(T):
    a = leaf(T, 2, 3)
    b = a * 1
    v, w = b[0], b.view(-1)
    b.mul_(4)
    (v * 2).sum().backward(retain_graph=True)
    first = a.grad.clone()
    w.sum().backward()
    return v, first, a.grad


def view_of_a_view_changed(T):
    a = leaf(T, 2, 3)
    b = a.clone()
    v = b.view(3, 2)[1:].t()
    v[0] = a[0, :2] * 5
    v.select(0, 1).fill_(2)
    b.sum().backward()
    return b, a.grad


def in_place_by_no_grad_then_used(T):
    a = leaf(T, 3)
    b = a * 2
    with T.no_grad():
        b[0] = 7
        b.add_(1)
    b.sum().backward()
    return b, a.grad


def assignments(T):
    a, c = leaf(T, 3), leaf(T, 2)
    b = T.zeros(3, 2).double()
    b[0] = a[:2]
    b[1:, 1] = c
    b[b == 0] = a.sum()
    b[T.tensor([2, 0]), T.tensor([1, 0])] = c * 3
    (b * T.arange(6.0).double().view(3, 2)).sum().backward()
    return b, a.grad, c.grad


def copied_into(T):
    a = leaf(T, 3)
    b = T.zeros(2, 3).double()
    b.copy_(a)
    b[1].copy_(a * 2)
    b.sum().backward()
    return b, a.grad, error(lambda: a.copy_(T.ones(3)))


def augmented(T):
    a = leaf(T, 3)
    b = a * 1
    b += a
    b *= 2
    b -= 1
    b /= a.detach()
    b **= 2
    b.sum().backward()
    return b, a.grad


def detached_views(T):
    a = leaf(T, 3)
    b = a * 2
    d = b.detach()
    d.mul_(0)
    return b, error(lambda: (b * b).sum().backward())[0], error(lambda: b[0:2].detach_()), d.requires_grad


def detached_then_saved(T):
    a = leaf(T, 3)
    b = a.exp()
    b.detach().zero_()
    return error(lambda: b.sum().backward())


def data_then_saved(T):
    a = leaf(T, 3)
    b = a.exp()
    b.data.zero_()
    b.sum().backward()
    return a.grad


def leaf_in_place_under_no_grad(T):
    a = leaf(T, 3)
    y = (a * a).sum()
    with T.no_grad():
        a.sub_(1)
    return error(y.backward), a._version, a.is_leaf


def deep_graph(T):
    a = leaf(T, 1)
    b = a
    for _ in range(20000):
        b = b + 1
    b.sum().backward()
    return a.grad, b.detach()


def graph_is_freed(T):
    a = leaf(T, 3)
    b = a.exp()
    ref = weakref.ref(b)
    c = (b * 2).sum()
    del b
    gc.collect()
    alive = ref() is not None
    c.backward()
    return alive, a.grad


def same_tensor_twice(T):
    a = leaf(T, 3)
    y = (a * a + a).sum() + (a / a).sum()
    y.backward()
    return a.grad


def diamond(T):
    a = leaf(T, 3)
    b = a * 2
    c, d = b.sin(), b.cos()
    e = c * d
    (e + b).sum().backward()
    return a.grad


def several_roots(T):
    a = leaf(T, 3)
    b = a * 2
    c = b * 3
    T.autograd.backward([b.sum(), c.sum()])
    first = a.grad.clone()
    T.autograd.backward([a * 2, a * 3], [T.ones(3).double(), T.arange(3.0).double()])
    return first, a.grad, T.autograd.grad([(a * 2).sum(), (a**2).sum()], a)


def root_is_a_leaf(T):
    a = leaf(T, 3)
    a.backward(T.ones(3).double())
    b = leaf(T, 1)
    b.backward()
    return a.grad, b.grad, T.autograd.grad(a, a, T.ones(3).double())


def intermediate_grads(T):
    a = leaf(T, 3)
    b = a * 2
    c = b * b
    return T.autograd.grad(c.sum(), [b, a, c], retain_graph=True), T.autograd.grad(c.sum(), [a, a])


def unused_branch(T):
    a, w = leaf(T, 3), leaf(T, 3)
    x, y = (a * w).split([1, 2])
    y.sum().backward()
    return a.grad, w.grad, x.detach()


def broadcast_and_types(T):
    a, b = leaf(T, 3), T.ones(2, 1, requires_grad=True)
    c = T.tensor(2.0, requires_grad=True)
    ((a * b) * c + b.double()).sum().backward()
    return a.grad, b.grad, c.grad, b.grad.dtype


def complex_leaf(T):
    a = T.tensor([1 + 2j, 3 - 1j], requires_grad=True)
    (a * a.conj()).real.sum().backward()
    return a.grad, error(lambda: (a * 2).sum().backward())


def integers(T):
    return (
        error(lambda: T.ones(2).long().requires_grad_()),
        error(lambda: T.ones(2, dtype=T.int64, requires_grad=True)),
        (T.ones(2, requires_grad=True) > 0).requires_grad,
        T.ones(2, requires_grad=True).long().requires_grad,
        T.ones(2, requires_grad=True).argmax().requires_grad,
    )


def requires_grad_rules(T):
    a = leaf(T, 3)
    b = a * 1
    return (
        error(lambda: setattr(b, "requires_grad", False)), b.detach().requires_grad, b.requires_grad_().requires_grad, setattr(a,
        "requires_grad", False), a.requires_grad, b.requires_grad,
        a.grad_fn, b.is_leaf, T.ones(1).is_leaf, a.output_nr, b.unbind(0)[1].output_nr,
    )  # fmt: skip


def deepcopy_rules(T):
    import copy

    a = leaf(T, 3)
    a.grad = T.ones(3).double()
    a.note = [1]
    c = copy.deepcopy(a)
    return (
        c,
        c.grad,
        c.grad is a.grad,
        error(lambda: copy.deepcopy(a * 1)),
        c.is_leaf,
        copy.copy(a).data_ptr() == a.data_ptr(),
        c.note,
        c.note is a.note,
    )


def nan_found_in_user_function(T):
    class Bad(T.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.clone()

        @staticmethod
        def backward(ctx, g):
            return g * float("nan")

    def run():
        with T.autograd.detect_anomaly():
            Bad.apply(leaf(T, 3)).sum().backward()

    found = error(run, text=True)
    return found[0], "Function 'BadBackward' returned nan values in its 0th output." in found[2]


def nested_backward(T):
    a = leaf(T, 3)
    b = a * 2

    def inside(g):
        with T.enable_grad():
            z = leaf(T, 2)
            (z * 3).sum().backward()
        return g + z.grad.sum()

    b.register_hook(inside)
    b.sum().backward()
    return a.grad


def gradient_penalty(T):
    T.manual_seed(0)
    m = T.nn.Sequential(T.nn.Linear(3, 4), T.nn.LeakyReLU(0.2), T.nn.Linear(4, 1)).double()
    x = leaf(T, 2, 3)
    out = m(x)
    (g,) = T.autograd.grad(out, x, T.ones_like(out), create_graph=True, retain_graph=True, only_inputs=True)
    ((g.norm(2, dim=1) - 1) ** 2).mean().backward()
    return [p.grad for p in m.parameters()], x.grad


def hessian_vector(T):
    a = leaf(T, 3)
    (g,) = T.autograd.grad((a**4).sum(), a, create_graph=True)
    v = T.arange(3.0).double()
    return T.autograd.grad(g, a, v, retain_graph=True), T.autograd.grad((g * v).sum(), a)


def zero_size(T):
    a = T.zeros(0, 3).double().requires_grad_()
    (a * 2).sum().backward()
    b = leaf(T, 3)
    (b.sum() + a.sum()).backward()
    return a.grad, b.grad


@pytest.mark.parametrize("case", cases(globals()))
def test_same(case):
    run_twice(case)
