"""User-written autograd functions, checkpoints and anomaly mode: small programs, run with both."""

from __future__ import annotations

import warnings
from typing import Any

import pytest

from tests.parity.twice import cases, error, run_twice

pytestmark = pytest.mark.parity


def given(T: Any, grad: bool = True) -> Any:
    return T.arange(1.0, 7.0).double().view(2, 3).div(7).requires_grad_(grad)


def make(T: Any, forward: Any, backward: Any, **more: Any) -> Any:
    rules = {"forward": staticmethod(forward), "backward": staticmethod(backward), **{k: staticmethod(v) for k, v in more.items()}}
    return type("Fn", (T.autograd.Function,), rules)


def warned(call: Any) -> list[str]:
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        call()
    return [w.category.__name__ for w in found]


def square(ctx, x):
    ctx.save_for_backward(x)
    return x * x


def square_back(ctx, g):
    (x,) = ctx.saved_tensors
    return g * 2 * x


def plain(T):
    x = given(T)
    y = make(T, square, square_back).apply(x)
    y.sum().backward()
    return y, x.grad, y.grad_fn.name()


def second_derivative(T):
    x = given(T)
    y = make(T, square, square_back).apply(x)
    (g,) = T.autograd.grad(y.sum(), x, create_graph=True)
    (h,) = T.autograd.grad(g.sum(), x, create_graph=True)
    return g, h, T.autograd.gradgradcheck(make(T, square, square_back).apply, (x,))


def setup_context(T):
    def forward(x, k):
        return x * k, x + 1

    def setup(ctx, inputs, output):
        x, ctx.k = inputs
        ctx.save_for_backward(x)
        ctx.shapes = [o.shape for o in output]

    def backward(ctx, a, b):
        return a * ctx.k + b, None

    x = given(T)
    a, b = make(T, forward, backward, setup_context=setup).apply(x, 3)
    (a * b).sum().backward()
    return a, b, x.grad


def a_class_whose_jvp_is_taken_back(T):
    fn = make(T, square, square_back, jvp=lambda ctx, t: 2 * t)
    plainer = type("Plainer", (fn,), {"jvp": T.autograd.Function.jvp})
    x = given(T)
    plainer.apply(x).sum().backward()
    return x.grad, error(lambda: plainer.jvp(None, x)), error(lambda: plainer.jvp())


def non_tensors(T):
    seen = []

    def forward(ctx, x, flag, names, w, nothing):
        ctx.save_for_backward(x, w)
        return x * w if flag else x

    def backward(ctx, g):
        seen.append(ctx.needs_input_grad)
        x, w = ctx.saved_tensors
        return g * w, None, None, g * x, None

    x, w = given(T), given(T, False)
    make(T, forward, backward).apply(x, True, {"a": 1}, w, None).sum().backward()
    return x.grad, seen


def unused_output_is_zeros(T):
    seen = []

    def forward(ctx, x):
        return x * 1, x * 2

    def backward(ctx, a, b):
        seen.append((a, b))
        return a + 2 * b

    x = given(T)
    make(T, forward, backward).apply(x)[1].sum().backward()
    return x.grad, seen


def unused_output_is_none(T):
    seen = []

    def forward(ctx, x):
        ctx.set_materialize_grads(False)
        return x * 1, x * 2

    def backward(ctx, a, b):
        seen.append((a, b))
        return 2 * b

    x = given(T)
    make(T, forward, backward).apply(x)[1].sum().backward()
    return x.grad, seen


def not_differentiable(T):
    def forward(ctx, x):
        values, at = x.sort()
        ctx.mark_non_differentiable(at)
        ctx.at = at
        return values, at

    def backward(ctx, g, g_at):
        return T.zeros(2, 3).double().scatter(1, ctx.at, g)

    x = given(T)
    v, at = make(T, forward, backward).apply(x)
    v.sum().backward()
    return v, at, x.grad


def not_differentiable_float(T):
    def forward(ctx, x):
        a = x * 2
        ctx.mark_non_differentiable(a)
        return a, x * 3

    seen = []

    def backward(ctx, a, b):
        seen.append(a)
        return b * 3

    x = given(T)
    a, b = make(T, forward, backward).apply(x)
    b.sum().backward()
    return a, b, x.grad, seen


def integer_output(T):
    def forward(ctx, x):
        return (x > 0.5).long(), x * 1

    def backward(ctx, a, b):
        return b

    x = given(T)
    i, y = make(T, forward, backward).apply(x)
    return i, y


def dirty(T):
    def forward(ctx, x):
        ctx.mark_dirty(x)
        return x.mul_(2)

    def backward(ctx, g):
        return g * 2

    x = given(T)
    y = x * 1
    f = make(T, forward, backward)
    z = f.apply(y)
    z.sum().backward()
    return z is y, y, x.grad, y._version, error(lambda: f.apply(given(T)))


def dirty_not_returned(T):
    def forward(ctx, x):
        ctx.mark_dirty(x)
        x.mul_(2)
        return x + 1

    x = given(T) * 1
    return error(lambda: make(T, forward, lambda ctx, g: g).apply(x))[0]


def input_returned(T):
    x = given(T)
    y = make(T, lambda ctx, x: x, lambda ctx, g: g * 5).apply(x)
    y.sum().backward()
    return y is x, x.grad, y


def view_returned(T):
    x = given(T)
    y = make(T, lambda ctx, x: x.view(-1), lambda ctx, g: g.view(2, 3) * 5).apply(x)
    y.sum().backward()
    return x.grad, y


def too_many_gradients(T):
    f = make(T, lambda ctx, x: x * 1, lambda ctx, g: (g, g))
    return error(lambda: f.apply(given(T)).sum().backward(), text=False)


def too_few_gradients(T):
    f = make(T, lambda ctx, x, y: x * y, lambda ctx, g: g)
    return error(lambda: f.apply(given(T), given(T)).sum().backward())


def extra_nones(T):
    x = given(T)
    make(T, lambda ctx, x: x * 1, lambda ctx, g: (g, None, None)).apply(x).sum().backward()
    return x.grad


def gradient_of_wrong_shape(T):
    f = make(T, lambda ctx, x: x * 1, lambda ctx, g: g.sum(0))
    return error(lambda: f.apply(given(T)).sum().backward())


def gradient_to_be_summed(T):
    """A gradient of a larger shape is summed to the input's, as of a broadcast."""
    x = T.ones(3).double().requires_grad_()
    f = make(T, lambda ctx, x: x.expand(2, 3) * 1, lambda ctx, g: g)
    f.apply(x).sum().backward()
    return x.grad


def gradient_of_other_dtype(T):
    x = given(T)
    make(T, lambda ctx, x: x * 1, lambda ctx, g: g.float()).apply(x).sum().backward()
    return x.grad


def gradient_not_a_tensor(T):
    f = make(T, lambda ctx, x: x * 1, lambda ctx, g: 3.0)
    return error(lambda: f.apply(given(T)).sum().backward())


def gradient_none(T):
    x = given(T)
    make(T, lambda ctx, x: x * 1, lambda ctx, g: None).apply(x).sum().backward()
    return x.grad


def gradient_of_a_constant(T):
    """A gradient for an input that needs none is dropped."""
    x, w = given(T), given(T, False)
    make(T, lambda ctx, x, w: x * w, lambda ctx, g: (g, g)).apply(x, w).sum().backward()
    return x.grad, w.grad


def backward_raises(T):
    def bad(ctx, g):
        raise KeyError("mine")

    return error(lambda: make(T, lambda ctx, x: x * 1, bad).apply(given(T)).sum().backward())


def forward_raises(T):
    def bad(ctx, x):
        raise KeyError("mine")

    return error(lambda: make(T, bad, bad).apply(given(T)))


def no_backward(T):
    f = type("Fn", (T.autograd.Function,), {"forward": staticmethod(lambda ctx, x: x * 1)})
    y = f.apply(given(T))
    return y, error(lambda: y.sum().backward())


def no_forward(T):
    f = type("Fn", (T.autograd.Function,), {})
    return error(lambda: f.apply(given(T)))


def made_by_hand(T):
    f = make(T, square, square_back)
    return error(lambda: f()(given(T))), error(lambda: f.forward(None, given(T)))


def returns_nothing(T):
    return error(lambda: make(T, lambda ctx, x: None, lambda ctx, g: g).apply(given(T)))[0], make(
        T, lambda ctx, x: (x * 1, None, 3), lambda ctx, g, *r: g
    ).apply(given(T))


def returns_list(T):
    out = make(T, lambda ctx, x: [x * 1, x * 2], lambda ctx, a, b: a + b).apply(given(T))
    return type(out).__name__, error(lambda: sum(out).sum().backward())[0]


def save_rubbish(T):
    def forward(ctx, x):
        ctx.save_for_backward(x, 3)
        return x * 1

    return error(lambda: make(T, forward, lambda ctx, g: g).apply(given(T)))


def save_none_and_results(T):
    def forward(ctx, x):
        y = x.exp()
        ctx.save_for_backward(None, y, x)
        return y

    def backward(ctx, g):
        n, y, _ = ctx.saved_tensors
        return g * y if n is None else None

    x = given(T)
    y = make(T, forward, backward).apply(x)
    (g,) = T.autograd.grad(y.sum(), x, create_graph=True)
    g.sum().backward()
    return g, x.grad


def backward_twice(T):
    x = given(T)
    y = make(T, square, square_back).apply(x).sum()
    y.backward()
    return error(y.backward)


def backward_twice_nothing_saved(T):
    x = given(T)
    y = make(T, lambda ctx, x: x * 1, lambda ctx, g: g).apply(x)
    y.backward(T.ones(2, 3).double())
    return error(lambda: y.backward(T.ones(2, 3).double()))


def saved_changed(T):
    x = given(T)
    z = x * 1
    y = make(T, square, square_back).apply(z)
    z.add_(1)
    return error(lambda: y.sum().backward())


def once(T):
    f = make(T, square, T.autograd.function.once_differentiable(square_back))
    x = given(T)
    (g,) = T.autograd.grad(f.apply(x).sum(), x, create_graph=True)
    return g.detach(), g.requires_grad, error(lambda: g.sum().backward())


def inside_no_grad(T):
    seen = []

    def forward(ctx, x):
        seen.append((T.is_grad_enabled(), ctx.needs_input_grad, (x * 1).requires_grad))
        return x * 1

    f = make(T, forward, lambda ctx, g: seen.append(T.is_grad_enabled()) or g)
    f.apply(given(T)).sum().backward()
    with T.no_grad():
        y = f.apply(given(T))
    return seen, y.requires_grad, y.grad_fn


def grad_enabled_in_forward(T):
    """A gradient inside forward, as implicit layers take it."""

    def forward(ctx, x):
        with T.enable_grad():
            z = x.detach().requires_grad_()
            ctx.z, ctx.y = z, (z**3).sum()
        return ctx.y.detach()

    def backward(ctx, g):
        return T.autograd.grad(ctx.y, ctx.z)[0] * g

    x = given(T)
    make(T, forward, backward).apply(x).backward()
    return x.grad


def keyword_arguments(T):
    f = make(T, lambda ctx, x, k=2: x * k, lambda ctx, g: g)
    return error(lambda: f.apply(given(T), k=3))


def vmapped(T):
    def vmap_rule(info, in_dims, x):
        return x * 2 + 0 * info.batch_size, in_dims[0]

    f = make(T, lambda x: x * 2, lambda ctx, g: g * 2, setup_context=lambda ctx, i, o: None, vmap=vmap_rule)
    return T.func.vmap(f.apply)(given(T, False))


def functorch_grad(T):
    f = make(T, lambda x: x * x, square_back, setup_context=lambda ctx, i, o: ctx.save_for_backward(i[0]))
    return T.func.grad(lambda x: f.apply(x).sum())(given(T, False))


def ctx_attributes(T):
    def forward(ctx, x):
        ctx.a, ctx.save = 1, [x]
        return x * 1

    seen = []

    def backward(ctx, g):
        seen.append((ctx.a, len(ctx.save), ctx.needs_input_grad, [v is None for v in ctx.saved_tensors], type(ctx).__name__))
        return g

    make(T, forward, backward).apply(given(T)).sum().backward()
    return seen


def recursion(T):
    """backward that calls backward."""

    def backward(ctx, g):
        with T.enable_grad():
            z = T.ones(1).double().requires_grad_()
            (z * 3).sum().backward()
        return g * z.grad

    x = given(T)
    make(T, lambda ctx, x: x * 1, backward).apply(x).sum().backward()
    return x.grad


def gradcheck_bad(T):
    f = make(T, square, lambda ctx, g: g)
    return error(lambda: T.autograd.gradcheck(f.apply, (given(T),))), T.autograd.gradcheck(f.apply, (given(T),), raise_exception=False)


# --- checkpoints ---------------------------------------------------------------------------------------------------------


def net(T: Any, dropout: float = 0.0) -> Any:
    T.manual_seed(1)
    return T.nn.Sequential(T.nn.Linear(3, 4), T.nn.Tanh(), T.nn.Dropout(dropout), T.nn.Linear(4, 2)).double()


def ck(library: Any) -> Any:
    return library.utils.checkpoint.checkpoint


def checkpoint_both_ways(T):
    found = []
    for reentrant in (True, False):
        m, x = net(T), given(T)
        y = ck(T)(m, x, use_reentrant=reentrant)
        y.sum().backward()
        found += [y.detach(), y.requires_grad, x.grad, [p.grad for p in m.parameters()]]
    return found


def checkpoint_warnings(T):
    m = net(T)
    return (
        warned(lambda: ck(T)(m, given(T))), warned(lambda: ck(T)(m, given(T, False), use_reentrant=True)),
        warned(lambda: ck(T)(m, given(T, False), use_reentrant=False)),
        warned(lambda: T.utils.checkpoint.checkpoint_sequential(m, 2, given(T))),
    )  # fmt: skip


def checkpoint_without_input_grad(T):
    found = []
    for reentrant in (True, False):
        m = net(T)
        y = ck(T)(m, given(T, False), use_reentrant=reentrant)
        found += [y.requires_grad, error(lambda y=y: y.sum().backward())[0], [p.grad for p in m.parameters()]]
    return found


def checkpoint_calls(T):
    found = []
    for reentrant in (True, False):
        calls = []

        def f(x, calls=calls):
            calls.append(1)
            return (x * x).exp()

        x = given(T)
        ck(T)(f, x, use_reentrant=reentrant).sum().backward()
        found.append((calls, x.grad))
    return found


def checkpoint_random(T):
    found = []
    for reentrant, preserve in ((True, True), (False, True), (False, False)):
        m, x = net(T, 0.5), given(T)
        T.manual_seed(3)
        y = ck(T)(m, x, use_reentrant=reentrant, preserve_rng_state=preserve)
        y.sum().backward()
        found += [T.rand(1), x.grad if preserve else None]
    return found


def checkpoint_keywords(T):
    def f(x, *, scale, bias=None):
        return x.exp() * scale + (0 if bias is None else bias)

    x, b = given(T), given(T)
    ck(T)(f, x, scale=3, bias=b, use_reentrant=False).sum().backward()
    return x.grad, b.grad, error(lambda: ck(T)(f, x, scale=3, use_reentrant=True))


def checkpoint_non_tensors(T):
    def f(x, n, d, nothing):
        return {"a": x * n, "b": [x.exp(), d["w"] * x]} if False else (x * n, x.exp() * d["w"], None, 3)

    found = []
    for reentrant in (True, False):
        x, w = given(T), given(T)
        out = ck(T)(f, x, 2, {"w": w}, None, use_reentrant=reentrant)
        (out[0] + out[1]).sum().backward()
        found += [x.grad, w.grad, out[2:], len(out)]
    return found


def checkpoint_of_a_dict(T):
    x = given(T)
    out = ck(T)(lambda d: {"y": d["x"].exp().sin()}, {"x": x}, use_reentrant=False)
    out["y"].sum().backward()
    return x.grad


def checkpoint_nested(T):
    found = []
    for reentrant in (True, False):
        calls = []

        def inner(x, calls=calls):
            calls.append("inner")
            return x.exp().sin()

        def outer(x, calls=calls, reentrant=reentrant, inner=inner):
            calls.append("outer")
            return ck(T)(inner, x * 2, use_reentrant=reentrant).exp()

        x = given(T)
        ck(T)(outer, x, use_reentrant=reentrant).sum().backward()
        found += [x.grad, calls[:3]]
    return found


def checkpoint_second_derivative(T):
    x = given(T)
    y = ck(T)(lambda x: (x * x).exp(), x, use_reentrant=False)
    (g,) = T.autograd.grad(y.sum(), x, create_graph=True)
    g.sum().backward()
    return g, x.grad


def checkpoint_grad_reentrant(T):
    x = given(T)
    y = ck(T)(lambda x: (x * x).exp(), x, use_reentrant=True)
    return error(lambda: T.autograd.grad(y.sum(), x))


def checkpoint_grad(T):
    x = given(T)
    return T.autograd.grad(ck(T)(lambda x: (x * x).exp(), x, use_reentrant=False).sum(), x)


def checkpoint_retained(T):
    found = []
    for reentrant in (True, False):
        x = given(T)
        y = ck(T)(lambda x: (x * x).exp(), x, use_reentrant=reentrant).sum()
        y.backward(retain_graph=True)
        found += [error(y.backward)[0], x.grad]
    return found


def checkpoint_twice(T):
    x = given(T)
    y = ck(T)(lambda x: (x * x).exp(), x, use_reentrant=False).sum()
    y.backward()
    return error(y.backward)


def checkpoint_inputs(T):
    x, w = given(T), given(T)
    y = ck(T)(lambda x: (x * w).exp(), x, use_reentrant=False).sum()
    y.backward(inputs=[w])
    return x.grad, w.grad


def checkpoint_determinism(T):
    def changing():
        n = []

        def f(x):
            n.append(1)
            return x.exp() if len(n) > 1 else x.exp().sin()

        return f

    def shapes():
        n = []

        def f(x):
            n.append(1)
            return (x.exp() * x).sum() if len(n) == 1 else (x[:1].exp() * x[:1]).sum()

        return f

    def run(f, **more):
        return lambda: ck(T)(f, given(T), use_reentrant=False, **more).sum().backward()

    return (
        error(run(changing(), early_stop=False)), error(run(shapes())), error(run(lambda x: x.exp(), determinism_check="none"))[0],
        error(run(lambda x: x, determinism_check="rubbish")), T.utils.checkpoint.CheckpointError.__name__,
        issubclass(T.utils.checkpoint.CheckpointError, RuntimeError),
    )  # fmt: skip


def checkpoint_no_grad(T):
    calls = []
    with T.no_grad():
        y = ck(T)(lambda x: calls.append(1) or x * 2, given(T), use_reentrant=False)
    return y, calls


def checkpoint_contexts(T):
    seen = []

    class Note:
        def __init__(self, name):
            self.name = name

        def __enter__(self):
            seen.append(self.name)

        def __exit__(self, *_):
            seen.append(self.name + " out")

    x = given(T)
    ck(T)(lambda x: (x * x).exp(), x, use_reentrant=False, context_fn=lambda: (Note("forward"), Note("again"))).sum().backward()
    return seen, x.grad, error(lambda: ck(T)(lambda x: x * 2, x, use_reentrant=True, context_fn=lambda: (1, 2)))


def checkpoint_early_stop(T):
    found = []
    for stop in (True, False):
        calls = []

        def f(x, calls=calls):
            calls.append("early")
            return x.exp().sin()

        x = given(T)
        with T.utils.checkpoint.set_checkpoint_early_stop(stop):
            y = ck(T)(f, x, use_reentrant=False)
        y.sum().backward()
        found += [x.grad, len(calls)]
    return found


def checkpoint_noop_contexts(T):
    a, b = T.utils.checkpoint.noop_context_fn()
    with a, b:
        pass
    with T.utils.checkpoint.set_checkpoint_debug_enabled(False):
        x = given(T)
        ck(T)(lambda x: x.exp(), x, use_reentrant=False).sum().backward()
    return x.grad


def checkpoint_unknown_keyword(T):
    return error(lambda: ck(T)(lambda x: x * 2, given(T), rubbish=1, use_reentrant=True)), error(
        lambda: ck(T)(lambda x: x * 2, given(T), rubbish=1, use_reentrant=False)
    )


def sequential(T):
    found = []
    for reentrant in (True, False):
        for segments in (1, 2, 3, 4):
            m, x = net(T), given(T)
            y = T.utils.checkpoint.checkpoint_sequential(m, segments, x, use_reentrant=reentrant)
            y.sum().backward()
            found += [x.grad, [p.grad for p in m.parameters()]]
    return found


def sequential_errors(T):
    s = T.utils.checkpoint.checkpoint_sequential
    return error(lambda: s(net(T), 2, given(T), rubbish=1, use_reentrant=False)), error(
        lambda: s([lambda x: x], 2, given(T), use_reentrant=False)
    )[0]


def selective(T):
    def policy(ctx, op, *args, **kwargs):
        return T.utils.checkpoint.CheckpointPolicy.PREFER_RECOMPUTE

    x = given(T)
    from functools import partial

    y = ck(T)(
        lambda x: (x * x).exp(), x, use_reentrant=False, context_fn=partial(T.utils.checkpoint.create_selective_checkpoint_contexts, policy)
    )
    y.sum().backward()
    return x.grad, [p.name for p in T.utils.checkpoint.CheckpointPolicy]


def checkpoint_in_place_input(T):
    x = given(T)
    z = x * 1
    y = ck(T)(lambda z: z.exp().sin(), z, use_reentrant=False)
    return y.detach()


def checkpoint_hooks_of_tensors(T):
    seen, x = [], given(T)
    y = ck(T)(lambda x: (x * x).exp(), x, use_reentrant=False)
    y.register_hook(lambda g: seen.append(g))
    x.register_hook(lambda g: seen.append(g))
    y.sum().backward()
    return seen


def checkpoint_autocast(T):
    x = T.ones(2, 3, requires_grad=True)
    w = T.ones(3, 3, requires_grad=True)
    with T.autocast("cpu", dtype=T.bfloat16):
        y = ck(T)(lambda x: T.mm(x, w).tanh(), x, use_reentrant=False)
    y.float().sum().backward()
    return y.dtype, x.grad.dtype


def checkpoint_module_buffers(T):
    m = T.nn.Sequential(T.nn.BatchNorm1d(3), T.nn.Tanh()).double()
    x = given(T)
    ck(T)(m, x, use_reentrant=False).sum().backward()
    return m[0].running_mean, m[0].num_batches_tracked, x.grad


def detached_variables(T):
    d = T.utils.checkpoint.detach_variable((given(T), 3, given(T, False)))
    return [getattr(t, "requires_grad", None) for t in d], d[0].grad_fn, error(lambda: T.utils.checkpoint.detach_variable([1]))


# --- anomaly -------------------------------------------------------------------------------------------------------------


def anomaly(T):
    def run():
        with T.autograd.detect_anomaly():
            (given(T) * 0).sqrt().sum().backward()

    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        found = error(run)
    lines = [str(w.message) for w in seen if "Traceback of forward call" in str(w.message)]
    return (
        found,
        len(lines),
        "(given(T) * 0).sqrt()" in lines[0],
        lines[0].startswith("Error detected in MulBackward0."),
        T.is_anomaly_enabled(),
    )


def anomaly_switched(T):
    T.autograd.set_detect_anomaly(True)
    on = T.is_anomaly_enabled()
    T.autograd.set_detect_anomaly(False)
    with T.autograd.set_detect_anomaly(True, check_nan=False):
        (given(T) * 0).sqrt().sum().backward()
        check = T.is_anomaly_check_nan_enabled()
    return on, T.is_anomaly_enabled(), check


@pytest.mark.parametrize("case", cases(globals()))
def test_same(case):
    run_twice(case)
