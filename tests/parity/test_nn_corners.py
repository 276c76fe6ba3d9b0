"""Corners of nn.utils, of tensors' rarer methods and of the engine: small programs, run with both."""

from __future__ import annotations

import copy
import math
from typing import Any

import pytest

from tests.parity.twice import cases, error, run_twice

pytestmark = pytest.mark.parity


def given(T: Any, *shape: int) -> Any:
    n = math.prod(shape)
    return T.arange(1.0, n + 1.0).double().sin().view(*shape)


def linear(T: Any, a: int = 3, b: int = 4) -> Any:
    m = T.nn.Linear(a, b).double()
    with T.no_grad():
        m.weight.copy_(given(T, b, a)), m.bias.zero_()
    return m


# --- parametrizations ------------------------------------------------------------------------------------------------


def symmetric(T: Any) -> Any:
    class Symmetric(T.nn.Module):
        def forward(self, X):
            return X.triu() + X.triu(1).transpose(-1, -2)

        def right_inverse(self, A):
            return A.triu()

    return Symmetric()


def parametrized(T):
    p = T.nn.utils.parametrize
    m = linear(T, 3, 3)
    out = p.register_parametrization(m, "weight", symmetric(T))
    m(given(T, 2, 3)).sum().backward()
    m.weight = given(T, 3, 3)
    return (
        out is m, m.weight, m.parametrizations.weight.original, list(m.state_dict()), [n for n, _ in m.named_parameters()],
        type(m).__name__,
        p.is_parametrized(m), p.is_parametrized(m, "bias"), repr(m), p.type_before_parametrizations(m).__name__, isinstance(m, T.nn.Linear),
        m.parametrizations.weight.original.grad, len(m.parametrizations.weight), m.parametrizations.weight[0].__class__.__name__,
        type(m.parametrizations).__name__,
        hasattr(m, "weight"), "weight" in m._parameters, m.weight.requires_grad,
    )  # fmt: skip


def parametrized_twice(T):
    class Double(T.nn.Module):
        def forward(self, X):
            return X * 2

    p = T.nn.utils.parametrize
    m = linear(T, 3, 3)
    p.register_parametrization(m, "weight", symmetric(T))
    p.register_parametrization(m, "weight", Double())
    p.register_parametrization(m, "bias", Double())
    first = m.weight, list(m.state_dict()), error(lambda: setattr(m, "weight", given(T, 3, 3)))
    p.remove_parametrizations(m, "weight")
    second = m.weight, list(m.state_dict()), type(m).__name__, p.is_parametrized(m)
    p.remove_parametrizations(m, "bias", leave_parametrized=False)
    return first, second, list(m.state_dict()), type(m).__name__, m.bias, isinstance(m.weight, T.nn.Parameter)


def parametrized_errors(T):
    class Flat(T.nn.Module):
        def forward(self, X):
            return X.flatten()

    class Number(T.nn.Module):
        def forward(self, X):
            return 3

    class Float(T.nn.Module):
        def forward(self, X):
            return X.float()

    p, m = T.nn.utils.parametrize, linear(T, 3, 3)
    return (
        error(lambda: p.register_parametrization(m, "weight", Flat())), error(lambda: p.register_parametrization(m, "weight", Number())),
        error(lambda: p.register_parametrization(m, "weight", Float())), error(lambda: p.register_parametrization(m, "nothing", Float())),
        error(lambda: p.remove_parametrizations(m, "weight")), list(m.state_dict()), error(lambda: p.register_parametrization(m, "weight",
        Flat(), unsafe=True))[0],
        m.weight.shape, p.is_parametrized(m, "weight"), error(lambda: p.ParametrizationList([], m.bias)),
    )  # fmt: skip


def parametrized_several_originals(T):
    class Product(T.nn.Module):
        def forward(self, a, b):
            return a @ b

        def right_inverse(self, A):
            return A, T.eye(3).double()

    p, m = T.nn.utils.parametrize, linear(T, 3, 3)
    p.register_parametrization(m, "weight", Product())
    names = list(m.state_dict())
    m(given(T, 1, 3)).sum().backward()
    grads = [q.grad for q in m.parameters()]
    refused = error(lambda: p.remove_parametrizations(m, "weight", leave_parametrized=False))
    p.remove_parametrizations(m, "weight")
    return names, grads, refused, m.weight, isinstance(m.weight, T.nn.Parameter)


def parametrized_cached(T):
    calls = []

    class Count(T.nn.Module):
        def forward(self, X):
            calls.append(1)
            return X * 1

    p, m = T.nn.utils.parametrize, linear(T, 3, 3)
    p.register_parametrization(m, "weight", Count(), unsafe=True)
    calls.clear()
    with p.cached():
        first = m.weight
        same = m.weight is first
        m(given(T, 1, 3))
    inside = len(calls)
    m(given(T, 1, 3))
    return same, inside, len(calls)


def parametrized_copies(T):
    p, m = T.nn.utils.parametrize, linear(T, 3, 3)
    p.register_parametrization(m, "weight", symmetric(T))
    c = copy.deepcopy(m)
    other = p.register_parametrization(linear(T, 3, 3), "weight", symmetric(T))
    with T.no_grad():
        m.parametrizations.weight.original.mul_(2)
    other.load_state_dict(m.state_dict())
    plain = linear(T, 3, 3)
    p.transfer_parametrizations_and_params(m, plain)
    return (
        c.weight,
        m.weight,
        other.weight,
        plain.weight,
        type(plain).__name__,
        m.double().weight.dtype,
        m.float().weight.dtype,
        m.train(False).parametrizations.weight[0].training,
    )


def parametrized_buffer(T):
    class Double(T.nn.Module):
        def forward(self, X):
            return X * 2

    m = T.nn.BatchNorm1d(2).double()
    T.nn.utils.parametrize.register_parametrization(m, "running_mean", Double())
    names = list(m.state_dict()), [n for n, _ in m.named_buffers()]
    return names, m.running_mean, m.parametrizations.running_mean.original.requires_grad


def weight_norms(T):
    found = []
    for module in (T.nn.utils, T.nn.utils.parametrizations):
        for dim in (0, 1, None, -1):
            m = module.weight_norm(linear(T), dim=dim)
            y = m(given(T, 2, 3))
            y.pow(2).sum().backward()
            found.append((y, {n: p.shape for n, p in m.named_parameters()}, [p.grad for p in m.parameters()]))
    m = T.nn.utils.weight_norm(linear(T))
    m.eval()
    first = error(lambda: T.nn.utils.weight_norm(m))
    T.nn.utils.remove_weight_norm(m)
    again = error(lambda: T.nn.utils.remove_weight_norm(m))
    lstm = T.nn.utils.weight_norm(T.nn.LSTM(2, 3).double(), "weight_hh_l0")
    return (
        found,
        first,
        again,
        list(m.state_dict()),
        isinstance(m.weight, T.nn.Parameter),
        list(lstm.state_dict()),
        lstm(given(T, 4, 1, 2))[0].shape,
    )


def weight_norm_old_checkpoint(T):
    old = T.nn.utils.weight_norm(linear(T))
    new = T.nn.utils.parametrizations.weight_norm(T.nn.Linear(3, 4).double())
    return new.load_state_dict(old.state_dict()), new.weight, list(new.state_dict())


def weight_norm_copied(T):
    m = T.nn.utils.weight_norm(linear(T))
    return error(lambda: copy.deepcopy(m))[0], copy.deepcopy(T.nn.utils.parametrizations.weight_norm(linear(T))).weight


def spectral_norms(T):
    found = []
    for module in (T.nn.utils, T.nn.utils.parametrizations):
        for make in (lambda: linear(T), lambda: T.nn.Conv2d(2, 3, 2).double(), lambda: T.nn.ConvTranspose2d(2, 3, 2).double()):
            T.manual_seed(2)
            m = module.spectral_norm(make(), n_power_iterations=3)
            x = given(T, 2, 3) if isinstance(m, T.nn.Linear) else given(T, 1, 2, 4, 4)
            for _ in range(3):
                y = m(x)
            y.pow(2).sum().backward()
            m.eval()
            found.append((y, m(x), list(m.state_dict()), m.state_dict(), [p.grad for p in m.parameters()]))
    m = T.nn.utils.spectral_norm(linear(T))
    return (
        found,
        error(lambda: T.nn.utils.spectral_norm(m)),
        error(lambda: T.nn.utils.spectral_norm(linear(T), n_power_iterations=0)),
        error(lambda: T.nn.utils.parametrizations.spectral_norm(linear(T), "nothing")),
        error(lambda: T.nn.utils.remove_spectral_norm(linear(T))),
        list(T.nn.utils.remove_spectral_norm(m).state_dict()),
    )


def orthogonals(T):
    found, o = [], T.nn.utils.parametrizations.orthogonal
    for a, b in ((3, 3), (3, 5), (5, 3)):
        for kind in ("matrix_exp", "cayley", "householder"):
            T.manual_seed(1)
            m = (
                o(linear(T, a, b), orthogonal_map=kind, use_trivialization=False)
                if kind == "householder"
                else o(linear(T, a, b), orthogonal_map=kind)
            )
            w = m.weight
            gram = w.mT @ w if w.shape[0] >= w.shape[1] else w @ w.mT
            found.append((gram, list(m.state_dict()), w.shape))
    return (
        found,
        error(lambda: o(linear(T), orthogonal_map="x")),
        error(lambda: o(linear(T), "bias")),
        error(lambda: o(linear(T), "nothing")),
    )


# --- tensors ---------------------------------------------------------------------------------------------------------


def older_methods(T):
    x, y, z = T.arange(4.0), T.ones(4), T.ones(1) * 2

    class Mine(T.Tensor):
        pass

    m = x.as_subclass(Mine)
    r = x.clone().requires_grad_()
    return (
        x.clone().map_(y, lambda a, b: a + b * 2), x.clone().map2_(y, z, lambda a, b, c: a + b * c), x.clone().apply_(lambda a: a * 3),
        type(m).__name__, m.sum().item(),
        x.is_set_to(x.view(4)), x.is_set_to(x.clone()), x.is_set_to(x[1:]), x.is_conj(), x.is_neg(), x.module_load(y), x,
        x.module_load(y * 3, assign=True), x.dim_order(),
        T.ones(2, 3).t().dim_order(), T.ones(2, 3, 4, 5).to(memory_format=T.channels_last).dim_order(), x.grad_dtype,
        r.as_subclass(Mine).requires_grad,
        error(lambda: r.map2_(y, z, max)), error(lambda: x.as_subclass(int)), T.Tensor.as_subclass(x, T.nn.Parameter).__class__.__name__,
        x.resolve_conj() is x, x.resolve_neg() is x,
    )  # fmt: skip


def swapped(T):
    a, b = T.zeros(1), T.nn.Parameter(T.ones(2))
    b.note = 3
    ids = id(a), id(b)
    T.utils.swap_tensors(a, b)
    a.sum().backward()
    return type(a).__name__, a.detach(), a.note, a.grad, type(b).__name__, b, (id(a), id(b)) == ids, hasattr(b, "note")


def module_set(T):
    def f():
        pass

    T.utils.set_module(f, "elsewhere")
    return f.__module__, error(lambda: T.utils.set_module(f, 3))


def made_tensors(T):
    make, found = T.testing.make_tensor, []
    for kind in (T.float32, T.float64, T.float16, T.bfloat16, T.int64, T.int32, T.uint8, T.int8, T.bool, T.complex64):
        T.manual_seed(3)
        found.append(make(2, 3, dtype=kind, device="cpu"))
        found.append(make((4,), dtype=kind, device="cpu", low=0, high=2, exclude_zero=True))
        found.append(make((2, 3), dtype=kind, device="cpu", noncontiguous=True).is_contiguous())
    f = T.float32
    return (
        found, make(dtype=f, device="cpu").shape, make(2, dtype=f, device="cpu", requires_grad=True).requires_grad,
        error(lambda: make(2, dtype=T.int64, device="cpu", requires_grad=True)), error(lambda: make(2, dtype=f, device="cpu", low=3,
        high=1)),
        error(lambda: make(2, dtype=f, device="cpu", low=float("nan"))), error(lambda: make(2, dtype=T.uint8, device="cpu", low=-3,
        high=-1)),
        make(2, 3, 4, 5, dtype=f, device="cpu", memory_format=T.channels_last).stride(),
        error(lambda: make(2, 3, 4, 5, dtype=f, device="cpu", noncontiguous=True, memory_format=T.channels_last)), error(lambda: make(2)),
    )  # fmt: skip


def compared_as_before(T):
    a = T.testing.assert_allclose
    return (
        a(T.ones(2), [1.0, 1.0]), a(1.0, 1.00001), a(T.ones(2), T.ones(2).double()), error(lambda: a(T.ones(2), T.ones(2) * 1.01)),
        error(lambda: a(T.ones(2), T.ones(3))),
        a(T.tensor(float("nan")), T.tensor(float("nan"))), error(lambda: a(T.ones(2), T.ones(2) * 1.01, rtol=0.1, atol=0)),
    )  # fmt: skip


def weight_formats(T):
    m = T.nn.Sequential(T.nn.Conv2d(2, 3, 2), T.nn.ReLU(), T.nn.ConvTranspose2d(3, 2, 2), T.nn.Conv3d(2, 3, 2))
    a = T.nn.utils.convert_conv2d_weight_memory_format(m, T.channels_last)
    b = T.nn.utils.convert_conv3d_weight_memory_format(m, T.channels_last_3d)
    return (
        a is m,
        b is m,
        m[0].weight.stride(),
        m[2].weight.stride(),
        m[3].weight.stride(),
        m[0].weight.is_contiguous(memory_format=T.channels_last),
    )


def convolution_gradients(T):
    g = T.nn.grad
    x, w = given(T, 2, 4, 9), given(T, 6, 2, 3)
    y = T.nn.functional.conv1d(x, w, stride=2, padding=1, groups=2)
    x2, w2 = given(T, 1, 2, 6, 7), given(T, 3, 2, 2, 3)
    y2 = T.nn.functional.conv2d(x2, w2, dilation=2)
    x3, w3 = given(T, 1, 2, 3, 4, 4), given(T, 2, 2, 2, 2, 2)
    y3 = T.nn.functional.conv3d(x3, w3)
    return (
        g.conv1d_input(x.shape, w, y, stride=2, padding=1, groups=2), g.conv1d_weight(x, w.shape, y, stride=2, padding=1, groups=2),
        g.conv2d_input(x2.shape, w2, y2, dilation=2), g.conv2d_weight(x2, w2.shape, y2, dilation=(2, 2)), g.conv3d_input(x3.shape, w3, y3),
        g.conv3d_weight(x3, w3.shape, y3),
    )  # fmt: skip


def numbers_as_tensors(T):
    p, s, h = T.ones(3).double(), T.arange(3.0).double(), T.tensor(0.5).double()
    m = T.ones(2, 2)
    return (
        p.add(s, alpha=h), p.sub(s, alpha=h), p.clone().add_(s, alpha=-h), p.clone().sub_(s, alpha=T.tensor(2)), p.addcmul(s, s, value=h),
        p.clone().addcmul_(s, s, value=h),
        p.addcdiv(s, p, value=h), p.clone().addcdiv_(s, p, value=-h), T.addmm(m, m, m, beta=T.tensor(2.0), alpha=T.tensor(3.0)), T.add(1,
        s, alpha=T.tensor(2.0)),
        p.lerp(s, h), p.clamp(h, T.tensor(1.0)), T.baddbmm(m[None], m[None], m[None], alpha=T.tensor(2.0)), p.clone().mul_(h), p ** h,
        error(lambda: p.add(s, alpha=T.ones(2))),
    )  # fmt: skip


# --- engine ----------------------------------------------------------------------------------------------------------


def batched_gradients(T):
    x = given(T, 3).requires_grad_()
    y = x**2
    return T.autograd.grad(y, x, T.eye(3).double(), is_grads_batched=True), T.autograd.grad((x * 2).sum(), x, materialize_grads=True)


def unused(T):
    x, w = given(T, 3).requires_grad_(), given(T, 3).requires_grad_()
    return (
        error(lambda: T.autograd.grad(x.sum(), [x, w])), T.autograd.grad(x.sum(), [x, w], allow_unused=True), T.autograd.grad(x.sum(), [x,
        w], materialize_grads=True),
        error(lambda: T.autograd.grad(x.sum(), w)), error(lambda: T.autograd.grad(T.ones(1), x)), error(lambda: T.autograd.grad(x, x)),
        error(lambda: T.autograd.grad(x.sum(), T.ones(1))), error(lambda: T.autograd.grad(x * 1, x, T.ones(2))),
        error(lambda: T.autograd.grad(x.sum(), [])),
        error(lambda: T.autograd.backward([])), error(lambda: x.backward()), error(lambda: T.ones(1).backward()),
        error(lambda: x.sum().backward(inputs=[])),
        error(lambda: T.autograd.grad(x.sum(), [x, w], allow_unused=False, materialize_grads=True)),
        error(lambda: x.sum().backward(T.ones(3))),
        error(lambda: x.sum().backward(3)), error(lambda: T.autograd.backward([x.sum(), w.sum()], [None])),
    )  # fmt: skip


def accumulates(T):
    x = given(T, 3).requires_grad_()
    for _ in range(2):
        (x * 2).sum().backward()
    first = x.grad
    (x**2).sum().backward(create_graph=True)
    return first, x.grad.requires_grad, x.grad


def older_arguments(T):
    x = given(T, 3).requires_grad_()
    T.autograd.backward(x * 2, grad_variables=T.ones(3).double())
    first = x.grad.clone()
    T.autograd.backward(x * 2, T.ones(3).double(), None, False, None, [x])
    f = T.func.functional_call(linear(T), parameter_and_buffer_dicts={"bias": T.ones(4).double()}, args=(given(T, 1, 3),))
    return (
        first, x.grad, f, T.autograd.grad((x * 3).sum(), {"a": x}), error(lambda: T.autograd.backward(x, T.ones(3),
        grad_variables=T.ones(3))),
        T.autograd.gradcheck(lambda x: x.sin(), (x,), check_forward_ad=True, check_batched_grad=True, masked=False),
        T.autograd.gradgradcheck(lambda x: x.sin(), (x,), check_fwd_over_rev=True),
        len(list(T.nn.Sequential(*[T.nn.ReLU()] * 2).modules(remove_duplicate=False))),
        [n for n, _ in linear(T)._named_members(lambda m: m._parameters.items(), prefix="p")], T.nn.Identity()._call_impl(3),
    )  # fmt: skip


def products_by_their_newer_name(T):
    rules = {"forward": staticmethod(lambda ctx, x: x * 2), "vjp": staticmethod(lambda ctx, g: g * 5)}
    only, x = type("F", (T.autograd.Function,), rules), given(T, 3).requires_grad_()
    only.apply(x).sum().backward()
    both = type("G", (only,), {"backward": staticmethod(lambda ctx, g: g)})
    return x.grad, error(lambda: both.apply(x).sum().backward())


def in_place_errors(T):
    x = given(T, 3).requires_grad_()

    def leaf():
        x.add_(1)

    def saved():
        y = x.exp()
        y.mul_(2)
        y.sum().backward()

    def view_of_leaf():
        x[0] = 1

    def unbound():
        (x * 1).unbind(0)[0].mul_(2)

    def in_no_grad():
        y = (x * 1).view(3)
        with T.no_grad():
            y.mul_(2)
        return y.detach()

    return (
        error(leaf),
        error(saved),
        error(view_of_leaf),
        error(unbound),
        error(in_no_grad),
        error(lambda: x.detach_()),
        error(lambda: (x * 1).requires_grad_(False)),
    )


def inference(T):
    with T.inference_mode():
        a = T.ones(2)
        b = a * 2
    x = T.ones(2, requires_grad=True)
    return (
        a.is_inference(), b.requires_grad, error(lambda: a.requires_grad_()), error(lambda: a.add_(1)),
        error(lambda: (x * a).sum().backward()), (a + 1).is_inference(), a.clone().is_inference(),
        error(lambda: a._version), T.is_inference_mode_enabled(),
    )  # fmt: skip


def grad_modes(T):
    x = T.ones(2, requires_grad=True)
    found = []
    with T.no_grad():
        found.append((x * 2).requires_grad)
        with T.enable_grad():
            found.append((x * 2).requires_grad)
        with T.set_grad_enabled(True):
            found.append((x * 2).requires_grad)
        found.append(T.is_grad_enabled())

    @T.no_grad()
    def f():
        return (x * 2).requires_grad

    @T.no_grad
    def g():
        return (x * 2).requires_grad

    @T.inference_mode()
    def h():
        return (x * 2).is_inference()

    @T.no_grad()
    def gen():
        yield T.is_grad_enabled()
        yield T.is_grad_enabled()

    steps = []
    for step in gen():
        steps.append((step, T.is_grad_enabled()))
    T.set_grad_enabled(False)
    off = T.is_grad_enabled()
    T.set_grad_enabled(True)
    return found, f(), g(), h(), steps, off


def grad_assignment(T):
    x = T.ones(2, requires_grad=True)
    x.grad = T.ones(2)
    x.sum().backward()
    return (
        x.grad,
        error(lambda: setattr(x, "grad", T.ones(3))),
        error(lambda: setattr(x, "grad", T.ones(2).double())),
        error(lambda: setattr(x, "grad", 3)),
        setattr(x, "grad", None),
        x.grad,
    )


def data_assignment(T):
    x = T.ones(2, requires_grad=True)
    y = x.exp()
    x.data = T.zeros(3)
    x.data[0] = 4
    return x.detach(), x.requires_grad, error(lambda: setattr(x, "data", 3)), y.detach(), x.data.requires_grad, x._version


def versions(T):
    x = T.zeros(3)
    a = x._version
    x.add_(1)
    x[0] = 2
    v = x[1:]
    v.mul_(2)
    x.detach().add_(1)
    x.data.add_(1)
    return a, x._version, v._version, x


def functional_derivatives(T):
    f = T.autograd.functional
    x, y = given(T, 2), given(T, 3)
    g = lambda a, b: (a.exp().sum() * b, a.prod())
    return (
        f.jacobian(g, (x, y)), f.hessian(lambda a: a.pow(3).sum(), x), f.hessian(lambda a, b: (a.sum() * b.pow(2)).sum(), (x, y)), f.vjp(g,
        (x, y), (y, T.ones(()).double())),
        f.jvp(lambda a: a.exp(), x, x), f.hvp(lambda a: a.pow(3).sum(), x, x), f.vhp(lambda a: a.pow(3).sum(), x, x),
        f.jacobian(lambda a: a * 2, x, vectorize=True),
        f.jacobian(lambda a: a * 2, x, create_graph=True).requires_grad, error(lambda: f.jacobian(lambda a: T.ones(2), x, strict=True)),
        f.jacobian(lambda a: T.ones(2).double(), x),
        error(lambda: f.hessian(lambda a: a * 2, x)), error(lambda: f.vjp(lambda a: a * 2, x)), error(lambda: f.jvp(lambda a: a * 2, x)),
        error(lambda: f.hvp(lambda a: a.sum(), x, y)),
        error(lambda: f.jacobian(lambda a: 3, x)), error(lambda: f.jacobian(lambda a: a, 3)), f.jacobian(lambda a: a.exp(), x,
        strategy="forward-mode", vectorize=True),
    )  # fmt: skip


def node_names(T):
    F, x, y, v, b = T.nn.functional, *(given(T, *s).requires_grad_() for s in ((3, 3), (3, 3), (3,), (2, 3, 3)))
    img, w = given(T, 2, 2, 4, 4).requires_grad_(), given(T, 2, 2, 2, 2).requires_grad_()
    outs = (
        x + y, x - y, x * y, x / y, x**2, -x, x @ y, x @ v, v.dot(v), T.bmm(b, b), x.sum(), x.sum(0), x.mean(), x.mean(1), x.prod(),
        x.prod(0),
        x.max(), x.max(0)[0], x.min(), x.amax(0), x.std(), x.var(0), x.exp(), x.log(), x.sqrt(), x.abs(), x.tanh(), x.sigmoid(), x.relu(),
        F.gelu(x), F.silu(x), F.leaky_relu(x), F.softmax(x, 0), F.log_softmax(x, 0), x.view(-1), x.reshape(-1), x.flatten(), x.transpose(0,
        1),
        x.permute(1, 0), x.unsqueeze(0), x.expand(2, 3, 3), x[0], x[:, 0], x[0:2], x[T.tensor([0, 1])], x.clone(), T.cat([x, y]),
        T.stack([x, y]),
        x.split(1)[0], x.unbind(0)[0], x.clamp(0, 1), x.clamp(min=0), x.gather(0, T.zeros(1, 3).long()), x.masked_fill(x > 0, 0.0),
        T.where(x > 0, x, y), x.float(), x.cumsum(0), x.logsumexp(0), x.sort(0)[0], x.topk(2)[0], F.linear(x, y), F.linear(x, y, v),
        F.linear(b, y, v), F.conv2d(img, w), F.max_pool2d(img, 2), F.avg_pool2d(img, 2), F.batch_norm(img, None, None, training=True),
        F.layer_norm(x, (3,)), F.dropout(x), F.embedding(T.tensor([0]), x), F.cross_entropy(x, T.tensor([0, 1, 2])), F.mse_loss(x, y),
        x.square(),
        x.log1p(), x.expm1(), x.log2(), T.baddbmm(b, b, b), F.unfold(img, 2), x.clone().add_(1), x.clone().mul_(2), x.view_as(y),
        F.binary_cross_entropy_with_logits(x, y.detach()), F.kl_div(x, y), x.norm(), T.norm(x, dim=0),
    )  # fmt: skip
    return [o.grad_fn.name() for o in outs], repr(F.linear(x.float(), y.float()))


def places_on_pixels(T):
    """The identity, with which a spatial transformer begins: the last digit of a place says which slope its gradient has."""
    F, found = T.nn.functional, []
    for n in (28, 20, 13):
        theta = T.tensor([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]], dtype=T.float64).requires_grad_()
        x = given(T, 1, 1, n, n)
        out = F.grid_sample(x, F.affine_grid(theta, x.shape, align_corners=False), align_corners=False)
        (out * x.flip(-1).exp()).sum().backward()
        found.append(theta.grad)
    return found


@pytest.mark.parametrize("case", cases(globals()))
def test_same(case):
    run_twice(case)
