"""Hooks of modules, tensors and graph nodes: who is called, in which order and with what, as PyTorch does it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.parity.twice import cases, error, run_twice

pytestmark = pytest.mark.parity


def net(T: Any) -> Any:
    T.manual_seed(1)
    return T.nn.Sequential(T.nn.Linear(3, 4), T.nn.Tanh(), T.nn.Linear(4, 2)).double()


def given(T: Any, grad: bool = True) -> Any:
    return T.arange(6.0).double().view(2, 3).div(7).requires_grad_(grad)


def name(m: Any) -> str:
    return type(m).__name__


def order_of_all(T):
    seen, m, mod = [], net(T), T.nn.modules.module
    handles = [
        mod.register_module_forward_pre_hook(lambda m, a: seen.append(("global pre", name(m), len(a)))),
        mod.register_module_forward_hook(lambda m, a, o: seen.append(("global", name(m), o.shape))),
        mod.register_module_full_backward_pre_hook(lambda m, g: seen.append(("global back pre", name(m), g))),
        mod.register_module_full_backward_hook(lambda m, gi, go: seen.append(("global back", name(m), gi, go))),
    ]
    try:
        m[0].register_forward_pre_hook(lambda m, a: seen.append(("own pre", name(m))))
        m[0].register_forward_hook(lambda m, a, o: seen.append(("own", name(m))))
        m[0].register_full_backward_pre_hook(lambda m, g: seen.append(("own back pre", name(m))))
        m[0].register_full_backward_hook(lambda m, gi, go: seen.append(("own back", name(m), gi, go)))
        m.register_full_backward_hook(lambda m, gi, go: seen.append(("outer back", name(m), gi, go)))
        x = given(T)
        m(x).sum().backward()
    finally:
        for h in handles:
            h.remove()
    m(given(T))
    return seen, x.grad


def prepended(T):
    seen, m = [], T.nn.Identity()
    for k in range(3):
        m.register_forward_hook(lambda m, a, o, k=k: seen.append(("f", k)), prepend=k == 2)
        m.register_forward_pre_hook(lambda m, a, k=k: seen.append(("p", k)), prepend=k == 2)
        m.register_full_backward_hook(lambda m, a, o, k=k: seen.append(("b", k)), prepend=k == 2)
        m.register_full_backward_pre_hook(lambda m, a, k=k: seen.append(("bp", k)), prepend=k == 2)
    m(given(T)).sum().backward()
    return seen


def with_keywords(T):
    class M(T.nn.Module):
        def forward(self, x, scale=1.0, shift=0.0):
            return x * scale + shift

    m, seen = M(), []
    m.register_forward_pre_hook(lambda m, a, k: ((a[0] + 1,), {**k, "scale": 3.0}), with_kwargs=True)
    m.register_forward_pre_hook(lambda m, a: seen.append(len(a)))
    m.register_forward_hook(lambda m, a, k, o: seen.append((len(a), k)), with_kwargs=True)
    m.register_forward_hook(lambda m, a, k, o: o * 2, with_kwargs=True)
    return m(T.ones(2), shift=1.0), seen, error(lambda: m(T.ones(1), 1.0, 2.0))


def pre_hook_with_kwargs_returns_wrong(T):
    m = T.nn.Identity()
    m.register_forward_pre_hook(lambda m, a, k: (1,), with_kwargs=True)
    return error(lambda: m(T.ones(1)))


def pre_hook_returns_one(T):
    m = T.nn.Identity()
    m.register_forward_pre_hook(lambda m, a: a[0] * 5)
    return m(T.ones(2))


def always_called(T):
    class M(T.nn.Module):
        def forward(self, x):
            raise ValueError("no")

    m, seen = M(), []
    m.register_forward_hook(lambda m, a, o: seen.append("plain"))
    m.register_forward_hook(lambda m, a, o: seen.append(("always", o)), always_call=True)
    m.register_forward_hook(lambda m, a, k, o: seen.append(("kwargs", o, k)), always_call=True, with_kwargs=True)
    first = error(lambda: m(T.ones(1)))
    return first, seen


def always_called_when_a_hook_raises(T):
    def bad(m, a, o):
        raise KeyError("bad")

    m, seen = T.nn.Identity(), []
    m.register_forward_hook(lambda m, a, o: seen.append("first"), always_call=True)
    m.register_forward_hook(bad)
    m.register_forward_hook(lambda m, a, o: seen.append("last"), always_call=True)
    return error(lambda: m(T.ones(1))), seen


def always_called_global(T):
    class M(T.nn.Module):
        def forward(self, x):
            raise ValueError("no")

    seen = []
    with T.nn.modules.module.register_module_forward_hook(lambda m, a, o: seen.append(("global", o)), always_call=True):
        first = error(lambda: M()(T.ones(1)))
    return first, seen


def global_with_kwargs(T):
    class M(T.nn.Module):
        def forward(self, x, s=1):
            return x * s

    seen = []
    with T.nn.modules.module.register_module_forward_hook(lambda m, a, k, o: seen.append((a, k, o)), with_kwargs=True):
        M()(T.ones(1), s=2)
    return seen


def output_replaced(T):
    m = net(T)
    m[1].register_forward_hook(lambda m, a, o: o * 0)
    m[0].register_forward_hook(lambda m, a, o: None)
    return m(given(T))


def removed_inside(T):
    m, seen, handles = T.nn.Identity(), [], []

    def once(m, a, o):
        seen.append("once")
        handles[0].remove()

    handles.append(m.register_forward_hook(once))
    m(1), m(2)
    return seen, len(m._forward_hooks)


def backward_changes(T):
    m, x = net(T), given(T)
    m[1].register_full_backward_hook(lambda m, gi, go: (gi[0] * 2,))
    m[2].register_full_backward_pre_hook(lambda m, go: (go[0] * 3,))
    m(x).sum().backward()
    return x.grad, [p.grad for p in m.parameters()]


def backward_without_input_grad(T):
    m, seen = net(T), []
    m[0].register_full_backward_hook(lambda m, gi, go: seen.append((gi, go)))
    m.register_full_backward_hook(lambda m, gi, go: seen.append((gi, go)))
    m(given(T, False)).sum().backward()
    return seen


def backward_of_several(T):
    class M(T.nn.Module):
        def forward(self, a, b, c, flag):
            return a * b, [c] if flag else c, b + 1

    m, seen = M(), []
    m.register_full_backward_hook(lambda m, gi, go: seen.append((gi, go)))
    a, b = given(T), given(T)
    out = m(a, b, given(T, False), False)
    (out[0].sum() + out[2].sum()).backward()
    return seen, a.grad, b.grad


def backward_of_a_dict(T):
    class M(T.nn.Module):
        def forward(self, a):
            return {"x": a * 2}

    m, seen = M(), []
    m.register_full_backward_hook(lambda m, gi, go: seen.append((gi, go)))
    a = given(T)
    found = error(lambda: m(a)["x"].sum().backward())[0]
    return found, a.grad


def backward_wrong_count(T):
    m = T.nn.Tanh()
    m.register_full_backward_hook(lambda m, gi, go: (gi[0], gi[0]))
    return error(lambda: m(given(T)).sum().backward())


def backward_pre_wrong_count(T):
    m = T.nn.Tanh()
    m.register_full_backward_pre_hook(lambda m, go: (go[0], go[0]))
    return error(lambda: m(given(T)).sum().backward())


def backward_twice(T):
    m, seen, x = T.nn.Tanh(), [], given(T)
    m.register_full_backward_hook(lambda m, gi, go: seen.append(gi))
    (g,) = T.autograd.grad(m(x).sum(), x, create_graph=True)
    g.sum().backward()
    return len(seen), x.grad


def legacy_backward(T):
    m, seen = T.nn.Tanh(), []
    m.register_backward_hook(lambda m, gi, go: seen.append((name(m), gi, go)))
    m(given(T)).sum().backward()
    return seen


def legacy_backward_changes(T):
    m, x = T.nn.Tanh(), given(T)
    m.register_backward_hook(lambda m, gi, go: (gi[0] * 2,))
    m(x).sum().backward()
    return x.grad


def legacy_and_full(T):
    m = T.nn.Tanh()
    m.register_backward_hook(lambda m, gi, go: None)
    n = T.nn.Tanh()
    n.register_full_backward_hook(lambda m, gi, go: None)
    return error(lambda: m.register_full_backward_hook(lambda m, gi, go: None)), error(
        lambda: n.register_backward_hook(lambda m, gi, go: None)
    )


def registration(T):
    seen, mod = [], T.nn.modules.module
    with (
        mod.register_module_parameter_registration_hook(lambda m, n, p: seen.append(("p", name(m), n, type(p).__name__))),
        mod.register_module_buffer_registration_hook(lambda m, n, p: seen.append(("b", name(m), n, type(p).__name__))),
        mod.register_module_module_registration_hook(lambda m, n, p: seen.append(("m", name(m), n, type(p).__name__))),
    ):
        m = T.nn.Sequential(T.nn.Linear(1, 1, bias=False), T.nn.BatchNorm1d(1, affine=False))
        m[0].weight = None
        m[1].running_mean = T.ones(1)
        m.x = T.nn.ReLU()
        m.append(T.nn.ReLU())
    with mod.register_module_parameter_registration_hook(lambda m, n, p: T.nn.Parameter(p * 0) if n == "weight" else None):
        k = T.nn.Linear(1, 1)
    return seen, k.weight


def hooks_of_a_tensor(T):
    x, seen = given(T), []
    y = x * 2
    a = y.register_hook(lambda g: seen.append("a"))
    y.register_hook(lambda g: g * 3)
    y.register_hook(lambda g: seen.append(g))
    x.register_hook(lambda g: seen.append(("leaf", g)))
    x.register_hook(lambda g: g + 1)
    x.register_post_accumulate_grad_hook(lambda t: seen.append(("after", t.grad)))
    y.retain_grad()
    a.remove()
    y.sum().backward()
    return seen, x.grad, y.grad


def hook_errors(T):
    x = given(T)
    y = x * 2
    return (
        error(lambda: T.ones(1).register_hook(print)), error(lambda: y.register_post_accumulate_grad_hook(print)),
        error(lambda: T.ones(1).register_post_accumulate_grad_hook(print)), error(lambda: (x * 1).register_hook(lambda g: 3) and None),
        error(lambda: T.ones(1).retain_grad()), x.retain_grad(), y.retains_grad, y.retain_grad(), y.retains_grad,
    )  # fmt: skip


def hook_returns_rubbish(T):
    x = given(T)
    y = x * 2
    y.register_hook(lambda g: 3)
    return error(lambda: y.sum().backward())


def hook_returns_wrong_shape(T):
    x = given(T)
    y = x * 2
    y.register_hook(lambda g: g.sum())
    return error(lambda: y.sum().backward())


def hook_through_leaf_with_inputs(T):
    x, w, seen = given(T), given(T), []
    x.register_hook(lambda g: seen.append("x"))
    w.register_hook(lambda g: seen.append("w"))
    (x * w).sum().backward(inputs=[x])
    return seen, x.grad, w.grad


def nodes(T):
    x = given(T)
    y = (x * 2).exp().sum()
    f = y.grad_fn
    return (
        f.name(),
        [n[0].name() for n in f.next_functions],
        [i for _, i in f.next_functions],
        f.next_functions[0][0].next_functions[0][0].next_functions[0][0].name(),
        len(f.next_functions),
    )


def node_variable(T):
    x = given(T)
    node = (x * 2).grad_fn.next_functions[0][0]
    return (
        node.variable is x,
        node.next_functions,
        type(node).__name__,
        type((x * 2).grad_fn).__name__,
        isinstance((x * 2).grad_fn, T.autograd.graph.Node),
    )


def node_names_by_class(T):
    """How programs draw a graph."""
    x = given(T)
    y = (T.nn.functional.linear(x, x[:1] * 2).tanh() ** 2).mean()
    seen, lines = set(), []

    def walk(fn, depth):
        if fn is not None and fn not in seen:
            seen.add(fn)
            lines.append((depth, type(fn).__name__, hasattr(fn, "variable"), str(fn).split(" ")[0].strip("<>")))
            for below, _ in fn.next_functions:
                walk(below, depth + 1)

    walk(y.grad_fn, 0)
    y.backward()
    kinds = [line[1] for line in lines]
    return [k for k in kinds if k not in ("TBackward0", "TransposeBackward0")], x.grad


def node_next_of_constants(T):
    x = given(T)
    y = x * T.ones(2, 3).double()
    return [(None if n is None else n.name(), i) for n, i in y.grad_fn.next_functions], [
        (None if n is None else n.name(), i) for n, i in (T.ones(2, 3).double() - x).grad_fn.next_functions
    ]


def node_metadata(T):
    x = given(T)
    f = (x * 2).grad_fn
    f.metadata["a"] = 1
    return f.metadata


def node_hooks(T):
    x, seen = given(T), []
    y = x.exp()
    z = y * x
    a = y.grad_fn.register_hook(lambda gi, go: seen.append(("post", gi, go)))
    y.grad_fn.register_prehook(lambda go: seen.append(("pre", go)))
    z.grad_fn.register_hook(lambda gi, go: (gi[0] * 2, gi[1]))
    z.grad_fn.register_prehook(lambda go: (go[0] * 5,))
    z.sum().backward(retain_graph=True)
    first = x.grad.clone()
    a.remove()
    z.sum().backward()
    return seen, first, x.grad


def accumulate_node_hooks(T):
    x, seen = given(T), []
    node = x.view_as(x).grad_fn.next_functions[0][0]
    node.register_hook(lambda gi, go: seen.append(("post", gi, go)))
    node.register_prehook(lambda go: seen.append(("pre", go)))
    (x * 2).sum().backward()
    return seen, x.grad


def post_accumulate_optimizer(T):
    """The optimizer step inside backward, as memory-saving programs write it."""
    m = net(T)
    opts = {p: T.optim.SGD([p], lr=0.1) for p in m.parameters()}

    def step(p):
        opts[p].step()
        opts[p].zero_grad()

    for p in m.parameters():
        p.register_post_accumulate_grad_hook(step)
    m(given(T)).sum().backward()
    return [p.detach() for p in m.parameters()], [p.grad for p in m.parameters()]


def leaves_have_theirs_in_time(T):
    """Each leaf has its gradient, and its hooks have run, before the nodes behind the oldest one that adds to it."""
    a, b, c = (T.full((2,), v).double().requires_grad_() for v in (2.0, 3.0, 5.0))
    seen = []

    def told(what):
        return lambda _: seen.append((what, [None if t.grad is None else t.grad.tolist() for t in (a, b, c)]))

    for name, t in {"a": a, "b": b, "c": c}.items():
        t.register_hook(told(f"hook of {name}"))
        t.register_post_accumulate_grad_hook(told(f"after {name}"))
    for _ in range(2):
        h = a.exp()
        k = h * b
        m = (k * c).sin()
        out = (m * b).sum() + c.sum()
        for name, t in {"h": h, "k": k, "m": m}.items():
            t.register_hook(told(name))
        out.backward()
        T.autograd.grad((a * b).sum(), [b])
        (a * c).sum().backward(inputs=[c])
    return seen


def a_hook_changes_a_gradient_that_others_share(T):
    a, b = (T.ones(2).double().requires_grad_() for _ in range(2))
    c = b * 1
    refused = []
    for value in (a.detach(), 3):
        handle = a.register_post_accumulate_grad_hook(lambda t, value=value: value)
        refused.append(error(lambda: (a * 1).sum().backward()))
        handle.remove()
    a.grad = None
    a.register_post_accumulate_grad_hook(lambda t: [t.grad.mul_(100)].clear())
    (a + c.view(2, 1).view(2)).sum().backward()
    return refused, a.grad, b.grad


def graph_edges(T):
    x = given(T)
    y = x * 2
    e = T.autograd.graph.get_gradient_edge(y)
    leaf = T.autograd.graph.get_gradient_edge(x)
    (g,) = T.autograd.grad(y.sum(), e, retain_graph=True)
    (h,) = T.autograd.grad((y * y).sum(), leaf)
    grads = T.autograd.grad(e, leaf, T.ones(2, 3).double(), retain_graph=True)
    z = (x * 3).unbind(0)
    k = T.autograd.graph.get_gradient_edge(z[1])
    T.autograd.backward(T.autograd.graph.get_gradient_edge((x**3).sum()))
    return (
        type(e).__name__,
        e.output_nr,
        e.node.name(),
        leaf.node.name(),
        g,
        h,
        grads,
        k.output_nr,
        x.grad,
        error(lambda: T.autograd.graph.get_gradient_edge(T.ones(1))),
    )


def multi_grad(T):
    x, w, v, seen = given(T), given(T), given(T), []
    h = T.autograd.graph.register_multi_grad_hook((x, w, v), lambda g: seen.append(g))
    (x * w).sum().backward()
    first = list(seen)
    h.remove()
    (x * w).sum().backward()
    return first, len(seen)


def multi_grad_any(T):
    x, w, seen = given(T), given(T), []
    y = x * 2
    T.autograd.graph.register_multi_grad_hook((x, y), lambda g: seen.append(g), mode="any")
    (y * w).sum().backward()
    (x * w).sum().backward()
    return seen, error(lambda: T.autograd.graph.register_multi_grad_hook((x,), print, mode="some"))


def multi_grad_of_results(T):
    x, seen = given(T), []
    a, b = x * 2, x * 3
    T.autograd.graph.register_multi_grad_hook([a, b], lambda g: seen.append(g))
    (a + b * b).sum().backward()
    return seen, x.grad


def mutation_allowed(T):
    x = given(T)
    with T.autograd.graph.allow_mutation_on_saved_tensors():
        y = x.exp()
        z = y * y
        y.mul_(0)
        z.sum().backward()
    return x.grad


def version_incremented(T):
    x = T.ones(2)
    T.autograd.graph.increment_version(x)
    T.autograd.graph.increment_version([x, T.ones(1)])
    return x._version


def multithreading(T):
    with T.autograd.set_multithreading_enabled(False):
        x = given(T)
        x.exp().sum().backward()
    T.autograd.set_multithreading_enabled(True)
    return x.grad


def saved_hooks(T):
    seen, x = [], given(T)
    with T.autograd.graph.saved_tensors_hooks(lambda t: seen.append(("pack", t.shape)) or t * 2, lambda t: seen.append("unpack") or t / 2):
        y = x * x
    y.sum().backward()
    return seen, x.grad


@pytest.mark.parametrize("case", cases(globals()))
def test_same(case):
    run_twice(case)
