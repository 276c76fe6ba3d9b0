"""dovetail.func beside torch.func: values, structures, nesting, what requires gradients, refusals."""

from __future__ import annotations

from collections import OrderedDict

import numpy as np
import pytest
import torch

import dovetail as dv


def plain(value):
    """Values as nested lists of NumPy arrays, with what requires a gradient."""
    if isinstance(value, tuple | list):
        return [plain(v) for v in value]
    if isinstance(value, dict):
        return {key: plain(v) for key, v in value.items()}
    return (value.detach().numpy(), value.requires_grad) if hasattr(value, "requires_grad") else value


def same(a, b):
    if isinstance(b, list):
        assert len(a) == len(b)
        for x, y in zip(a, b, strict=True):
            same(x, y)
    elif isinstance(b, dict):
        assert list(a) == list(b)
        for key in b:
            same(a[key], b[key])
    elif isinstance(b, tuple):
        assert a[0].shape == b[0].shape and a[1] == b[1], (a, b)
        np.testing.assert_allclose(a[0], b[0], rtol=1e-5, atol=1e-6)
    else:
        assert a == b


def data(lib):
    lib.manual_seed(0)
    return lib.rand(3), lib.rand(3), lib.rand(2, 3)


CASES = {
    "grad": lambda lib, x, y, m: lib.func.grad(lambda a: (a.sin() * a).sum())(x),
    "grad of one of two": lambda lib, x, y, m: lib.func.grad(lambda a, b: (a * b**2).sum(), argnums=1)(x, y),
    "grad of both": lambda lib, x, y, m: lib.func.grad(lambda a, b: (a * b**2).sum(), argnums=(0, 1))(x, y),
    "grad of a dict": lambda lib, x, y, m: lib.func.grad(lambda p: (p["w"] * p["b"][0]).sum())({"w": x, "b": (y,)}),
    "grad with aux": lambda lib, x, y, m: lib.func.grad(lambda a: (a.sum(), a * 2), has_aux=True)(x),
    "grad and value": lambda lib, x, y, m: lib.func.grad_and_value(lambda a: (a**3).sum())(x),
    "grad and value with aux": lambda lib, x, y, m: lib.func.grad_and_value(lambda a: ((a**3).sum(), a), has_aux=True)(x),
    "grad of grad": lambda lib, x, y, m: lib.func.grad(lambda a: lib.func.grad(lambda b: (b**3).sum())(a).sum())(x),
    "unused": lambda lib, x, y, m: lib.func.grad(lambda a, b: a.sum(), argnums=1)(x, y),
    "constant": lambda lib, x, y, m: lib.func.grad(lambda a: y.sum())(x),
    "vjp": lambda lib, x, y, m: lib.func.vjp(lambda a: lib.outer(a[:2], a[1:]), x)[1](m @ m.T),
    "vjp's output": lambda lib, x, y, m: lib.func.vjp(lambda a: lib.outer(a[:2], a[1:]), x)[0],
    "vjp of two": lambda lib, x, y, m: lib.func.vjp(lambda a, b: (a * b, a + b), x, y)[1]((y, x)),
    "jvp": lambda lib, x, y, m: lib.func.jvp(lambda a: a.sin(), (x,), (y,)),
    "jvp of two": lambda lib, x, y, m: lib.func.jvp(lambda a, b: (a * b, a.sum()), (x, y), (y, x)),
    "jvp of a constant": lambda lib, x, y, m: lib.func.jvp(lambda a: y * 2, (x,), (y,)),
    "linearize": lambda lib, x, y, m: lib.func.linearize(lambda a: a.sin(), x)[1](y),
    "jacrev": lambda lib, x, y, m: lib.func.jacrev(lambda a: m @ a.sin())(x),
    "jacfwd": lambda lib, x, y, m: lib.func.jacfwd(lambda a: m @ a.sin())(x),
    "jacrev of both": lambda lib, x, y, m: lib.func.jacrev(lambda a, b: a * b, argnums=(0, 1))(x, y),
    "jacrev of several": lambda lib, x, y, m: lib.func.jacrev(lambda a: (a * 2, {"s": a.sum()}))(x),
    "jacrev with aux": lambda lib, x, y, m: lib.func.jacrev(lambda a: (a * 2, a), has_aux=True)(x),
    "hessian": lambda lib, x, y, m: lib.func.hessian(lambda a: (a.sin() * a.prod()).sum())(x),
    "vmap": lambda lib, x, y, m: lib.func.vmap(lambda a: a.sum())(m),
    "vmap over columns": lambda lib, x, y, m: lib.func.vmap(lambda a: a * 2, in_dims=1, out_dims=1)(m),
    "vmap with None": lambda lib, x, y, m: lib.func.vmap(lambda a, b: a * b, in_dims=(0, None))(m, x),
    "vmap of a dict": lambda lib, x, y, m: lib.func.vmap(lambda p: {"o": p["a"] + 1}, in_dims=({"a": 0},))({"a": m}),
    "vmap of two": lambda lib, x, y, m: lib.func.vmap(lambda a, b: (a + b, a - b), out_dims=(0, 1))(m, m),
    "vmap of vmap": lambda lib, x, y, m: lib.func.vmap(lib.func.vmap(lambda a: a**2))(m),
    "vmap with a keyword": lambda lib, x, y, m: lib.func.vmap(lambda a, s=None: a * s)(m, s=lib.arange(3.0)),
    "per-sample gradients": lambda lib, x, y, m: lib.func.vmap(lib.func.grad(lambda w, row: (w * row).sin().sum()), in_dims=(None, 0))(
        x, m
    ),
    "jacobian by vmap": lambda lib, x, y, m: lib.func.vmap(lib.func.jacrev(lambda a: a.cumsum(0)))(m),
    "vmap with dims in a tuple": lambda lib, x, y, m: lib.func.vmap(lambda a: a * 2, out_dims=(1,))(m),
    "vmap with a constant beside": lambda lib, x, y, m: lib.func.vmap(lambda a: (a, "all"), out_dims=(0, None))(m),
    "vmap of an ordered dict": lambda lib, x, y, m: type(lib.func.vmap(lambda a: OrderedDict(a=a))(m)).__name__,
    "vmap in place": lambda lib, x, y, m: (lib.func.vmap(lambda a: a.mul_(2))(m), m),
    "vmap gives a view": lambda lib, x, y, m: (lib.func.vmap(lambda a: a[1:])(m).zero_(), m),
    "vmap over columns gives a view": lambda lib, x, y, m: (lib.func.vmap(lambda a: a, in_dims=1)(m).add_(1), m),
    "vmap of what is shared gives a view": lambda lib, x, y, m: lib.func.vmap(lambda a: x)(m).stride(),
    "vmap sets what is shared": lambda lib, x, y, m: (lib.func.vmap(lambda a, b: b.fill_(3.0), in_dims=(0, None))(m, x), x),
    "batch norms without statistics": lambda lib, x, y, m: lib.func.vmap(lib.func.replace_all_batch_norm_modules_(lib.nn.BatchNorm1d(3)))(
        lib.stack([m, m + y])
    ).detach(),
    "top-level vmap": lambda lib, x, y, m: lib.vmap(lambda a: a.sum())(m),
}


@pytest.mark.parametrize("name", CASES)
def test_transforms(name):
    same(plain(CASES[name](dv, *data(dv))), plain(CASES[name](torch, *data(torch))))


@pytest.mark.parametrize("name", ["grad", "vjp", "jvp", "jacrev", "hessian", "grad of grad", "per-sample gradients", "constant"])
def test_what_wants_gradients_outside_keeps_them(name):
    def run(lib):
        x, y, m = data(lib)
        x.requires_grad_()
        y.requires_grad_()
        out = CASES[name](lib, x, y, m)
        flat = []
        lib_flat = out if isinstance(out, tuple) else (out,)
        for o in lib_flat:
            flat += list(o) if isinstance(o, tuple) else [o]
        total = sum((o.sum() for o in flat), start=lib.zeros(()))
        if total.requires_grad:
            total.backward()
        return [None if t.grad is None else t.grad for t in (x, y)]

    for a, b in zip(run(dv), run(torch), strict=True):
        assert (a is None) == (b is None)
        if b is not None:
            np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-5, atol=1e-6)


def ensemble(lib):
    lib.manual_seed(0)
    models = [lib.nn.Linear(3, 2) for _ in range(4)]
    params, buffers = lib.func.stack_module_state(models)
    x = lib.rand(5, 3)
    base = models[0]

    def call(p, b):
        return lib.func.functional_call(base, (p, b), (x,))

    out = lib.func.vmap(call)(params, buffers)
    per_sample = lib.func.vmap(lib.func.grad(lambda p, row: lib.func.functional_call(base, p, (row,)).square().sum()), in_dims=(None, 0))(
        {k: v.detach() for k, v in base.named_parameters()}, x
    )
    return (
        out,
        {k: (v.shape == (4, *dict(base.named_parameters())[k].shape), v.requires_grad, v.is_leaf) for k, v in params.items()},
        per_sample,
    )


def test_ensembles_and_per_sample_gradients():
    (a, about, grads), (b, expected, theirs) = ensemble(dv), ensemble(torch)
    assert about == expected
    same(plain([a, grads]), plain([b, theirs]))


def adding_to(total):
    return lambda a: total.add_(a)


def frozen(module):
    module.weight.requires_grad_(False)
    return module


def test_randomness():
    m = dv.ones(3, 2)
    with pytest.raises(RuntimeError, match="draws random numbers"):
        dv.vmap(lambda a: a + dv.rand(2))(m)
    alike = dv.vmap(lambda a: a + dv.rand(2), randomness="same")(m)
    assert bool((alike[0] == alike[1]).all()) and bool((alike[0] == alike[2]).all())
    apart = dv.vmap(lambda a: a + dv.rand(2), randomness="different")(m)
    assert not bool((apart[0] == apart[1]).all())
    own = dv.Generator().manual_seed(1)
    before = own.get_state()
    with pytest.raises(RuntimeError, match="draws random numbers"):
        dv.vmap(lambda a: a + dv.rand(2, generator=own))(m)
    assert bool((own.get_state() == before).all())
    alike = dv.vmap(lambda a: dv.rand(2, generator=own), randomness="same")(m)
    assert own.set_state(before) is own
    assert bool((alike == dv.rand(2, generator=own)).all())


@pytest.mark.parametrize(
    ("call", "kind"),
    [
        (lambda lib: lib.func.grad(lambda a: a * 2)(lib.ones(3)), RuntimeError),
        (lambda lib: lib.func.grad(lambda a: 3.0)(lib.ones(3)), RuntimeError),
        (lambda lib: lib.func.grad(lambda a: a.sum(), argnums=2)(lib.ones(3)), (RuntimeError, IndexError)),
        (lambda lib: lib.func.grad(lambda a: a.sum())(lib.ones(3, dtype=lib.int64)), RuntimeError),
        (lambda lib: lib.func.jvp(lambda a: a, lib.ones(3), lib.ones(3)), (RuntimeError, TypeError)),
        (lambda lib: lib.func.jvp(lambda a: a, (lib.ones(3),), (lib.ones(2),)), RuntimeError),
        (lambda lib: lib.vmap(lambda a: a, in_dims=2)(lib.ones(3)), ValueError),
        (lambda lib: lib.vmap(lambda a: a, in_dims=None)(lib.ones(3)), ValueError),
        (lambda lib: lib.vmap(lambda a, b: a)(lib.ones(3), lib.ones(2)), ValueError),
        (lambda lib: lib.vmap(lambda a: "x")(lib.ones(3)), ValueError),
        (lambda lib: lib.vmap(lambda a: a)(3), ValueError),
        (lambda lib: lib.vmap(lambda a, b: a * b, in_dims=[0, 0])(lib.ones(3), lib.ones(3)), ValueError),
        (lambda lib: lib.vmap(lambda a: a[0] * a[1], in_dims=((0, 0),))([lib.ones(3), lib.ones(3)]), ValueError),
        (lambda lib: lib.vmap(lambda a, b: b.copy_(a), in_dims=(0, None))(lib.eye(2), lib.ones(2)), RuntimeError),
        (lambda lib: lib.vmap(adding_to(lib.ones(2)))(lib.eye(2)), RuntimeError),
        (lambda lib: lib.vmap(lib.nn.BatchNorm1d(3))(lib.rand(2, 4, 3)), RuntimeError),
        (lambda lib: lib.func.grad(lambda a: (a.sum(), [a, 1.0]), has_aux=True)(lib.ones(3)), RuntimeError),
        (lambda lib: lib.func.vjp(lambda a: (a, (a, a)), lib.ones(3))[1](((lib.ones(3), (lib.ones(3), lib.ones(3))),)), RuntimeError),
        (lambda lib: lib.func.vjp(lambda a: [a, a], lib.ones(3))[1]((lib.ones(3), lib.ones(3))), RuntimeError),
        (lambda lib: lib.func.jvp(lambda a, b: b, ((lib.ones(3),), lib.ones(3)), (lib.ones(3), lib.ones(3))), RuntimeError),
        (lambda lib: lib.func.jvp(lambda a: a, ((lib.ones(3), 1),), ((lib.ones(3), 1),)), RuntimeError),
        (lambda lib: lib.func.jvp(lambda a: lib.ones(3), ((),), ((),)), RuntimeError),
        (lambda lib: lib.func.jvp(lambda a: (a, lib.ones(2)), (lib.ones(3),), (lib.ones(3),), strict=True), RuntimeError),
        (lambda lib: lib.func.jacrev(lambda a: ())(lib.ones(3)), RuntimeError),
        (lambda lib: lib.func.jacfwd(lambda a: None)(lib.ones(3)), RuntimeError),
        (lambda lib: lib.func.jacrev(lambda a: a * 1j)(lib.ones(3)), RuntimeError),
        (lambda lib: lib.func.stack_module_state([lib.nn.Linear(1, 1), frozen(lib.nn.Linear(1, 1))]), RuntimeError),
        (lambda lib: lib.vmap(lambda a: a, randomness="some")(lib.ones(3)), (ValueError, RuntimeError)),
    ],
)
def test_refusals(call, kind):
    with pytest.raises(kind):
        call(torch)
    with pytest.raises(kind):
        call(dv)


def taken_apart(lib, functorch):
    """Modules as functions, with parameters of a seed."""
    lib.manual_seed(0)
    models = [lib.nn.Sequential(lib.nn.Linear(3, 2), lib.nn.BatchNorm1d(2).eval()) for _ in range(2)]
    x = lib.arange(12.0).view(4, 3) / 5
    call, params, buffers = functorch.make_functional_with_buffers(models[0])
    alone, weights = functorch.make_functional(models[0][0], disable_autograd_tracking=True)
    together, stacked, kept = functorch.combine_state_for_ensemble(models)
    with pytest.raises(RuntimeError):
        functorch.make_functional(models[0])
    with pytest.raises(RuntimeError):
        functorch.combine_state_for_ensemble([])
    grads = functorch.grad(lambda p: call(p, buffers, x).square().sum())(params)
    results = [call(params, buffers, x), alone(weights, x), functorch.vmap(together, (0, 0, None))(stacked, kept, x), grads]
    return plain([results, weights, stacked, kept, functorch.experimental.chunk_vmap(lib.sum)(x)])


def test_functorch():
    theirs = pytest.importorskip("functorch")
    pytest.importorskip("functorch.experimental")
    from dovetail_torch.faces import functorch as ours

    same(taken_apart(dv, ours), taken_apart(torch, theirs))


def test_fused_functions_of_the_inside():
    from dovetail_torch.faces import internals as ours

    def answers(lib, C):
        a = lib.arange(-6, 6, dtype=lib.int8).view(3, 4) * 20
        x = lib.arange(8.0).view(2, 4) / 3 - 1
        wide, packed = (lib.arange(32 * 32).view(32, 32) % 3).bfloat16(), (lib.arange(48 * 32).view(48, 32) % 5).to(lib.int8)
        lengths = lib.tensor([2, 1])
        return plain(
            [
                C._int_mm(a, a.t()), C._weight_int8pack_mm(wide, packed, lib.ones(48).bfloat16() / 2).float(),
                C._addmm_activation(lib.ones(3), x, a.t().float()),
                C._addmm_activation(lib.ones(3), x, a.t().float(), use_gelu=True, alpha=0.01),
                C._segment_reduce(lib.tensor([1.0, 2.0, 5.0]), "max", lengths=lengths), C._is_all_true(a > 0), C._is_any_true(a > 0),
            ]
        )  # fmt: skip

    same(answers(dv, ours), answers(torch, torch))
    for C, lib in ((ours, dv), (torch, torch)):
        with pytest.raises(RuntimeError):
            C._int_mm(lib.ones(2, 2), lib.ones(2, 2))
