"""Pruning and forward derivatives, which the science plugin brings: small programs, run with both."""

from __future__ import annotations

import copy
import importlib
from typing import Any

import pytest

from tests.parity.twice import cases, error, run_twice

pytestmark = pytest.mark.parity


def prune(library: Any) -> Any:
    return importlib.import_module(f"{library.__name__}.nn.utils.prune")


def net(T: Any) -> Any:
    T.manual_seed(1)
    return T.nn.Sequential(T.nn.Conv2d(2, 4, 3), T.nn.Flatten(), T.nn.Linear(16, 3)).double()


def x(T: Any) -> Any:
    return T.arange(64.0).double().view(2, 2, 4, 4).sin()


def state(m: Any) -> Any:
    return list(m.state_dict()), m.state_dict(), [n for n, _ in m.named_parameters()], [n for n, _ in m.named_buffers()]


def l1(T):
    m = net(T)
    out = prune(T).l1_unstructured(m[0], "weight", amount=0.3)
    y = m(x(T))
    y.sum().backward()
    return out is m[0], state(m), y, m[0].weight_orig.grad, m[0].weight, prune(T).is_pruned(m), prune(T).is_pruned(m[2])


def l1_number(T):
    m = net(T)
    prune(T).l1_unstructured(m[2], name="bias", amount=1)
    prune(T).l1_unstructured(m[2], "weight", 5, importance_scores=T.arange(48.0).view(3, 16).double())
    return state(m), m(x(T))


def random_elements(T):
    m = net(T)
    T.manual_seed(3)
    prune(T).random_unstructured(m[0], "weight", amount=0.5)
    prune(T).random_unstructured(m[2], "weight", amount=0)
    return state(m)


def random_channels(T):
    m = net(T)
    T.manual_seed(3)
    prune(T).random_structured(m[0], "weight", amount=2, dim=0)
    prune(T).random_structured(m[2], "weight", amount=0.5, dim=1)
    return state(m)


def norms(T):
    found = []
    for n, dim in ((1, 0), (2, 1), (2, -1), (float("inf"), 0), (1, -2)):
        m = net(T)
        prune(T).ln_structured(m[0], "weight", amount=0.5, n=n, dim=dim)
        prune(T).ln_structured(m[2], "weight", amount=1, n=n, dim=dim if dim > -2 else 0)
        found.append(m.state_dict())
    return found


def whole(T):
    m, p = net(T), prune(T)
    pairs = ((m[0], "weight"), (m[2], "weight"), (m[0], "bias"))
    p.global_unstructured(pairs, pruning_method=p.L1Unstructured, amount=0.4)
    first = m.state_dict()
    p.global_unstructured(pairs, pruning_method=p.L1Unstructured, amount=5)
    return first, m.state_dict(), m(x(T))


def whole_scored(T):
    m, p = net(T), prune(T)
    pairs = [(m[0], "weight"), (m[2], "weight")]
    p.global_unstructured(pairs, p.L1Unstructured, importance_scores={pairs[0]: m[0].weight.detach() / 10}, amount=20)
    return (
        m.state_dict(),
        error(lambda: p.global_unstructured(3, p.L1Unstructured, amount=1)),
        error(lambda: p.global_unstructured(pairs, p.LnStructured, amount=1, n=1)),
        error(lambda: p.global_unstructured(pairs, p.L1Unstructured, importance_scores=[1], amount=1)),
    )


def several(T):
    m, p = net(T), prune(T)
    p.l1_unstructured(m[0], "weight", amount=10)
    p.ln_structured(m[0], "weight", amount=0.5, n=2, dim=0)
    T.manual_seed(2)
    p.random_unstructured(m[0], "weight", amount=0.25)
    hook = next(iter(m[0]._forward_pre_hooks.values()))
    return m.state_dict(), type(hook).__name__, len(hook), [type(h).__name__ for h in hook], hook[0].amount, len(m[0]._forward_pre_hooks)


def custom(T):
    m, p = net(T), prune(T)
    p.custom_from_mask(m[2], "bias", mask=T.tensor([0, 1, 0]))
    return state(m), m(x(T)), error(lambda: p.custom_from_mask(m[2], "weight", mask=T.ones(2))), list(m[2]._parameters)


def nothing(T):
    m = net(T)
    prune(T).identity(m[2], "weight")
    return state(m)


def own_method(T):
    p = prune(T)

    class EveryOther(p.BasePruningMethod):
        PRUNING_TYPE = "unstructured"

        def compute_mask(self, t, default_mask):
            mask = default_mask.clone()
            mask.view(-1)[::2] = 0
            return mask

    def every_other(module, name):
        EveryOther.apply(module, name)
        return module

    m = net(T)
    every_other(m[2], "bias")
    every_other(m[2], "bias")
    return state(m), EveryOther().prune(T.arange(5.0)), error(lambda: EveryOther().prune(T.ones(2), importance_scores=T.ones(3)))


def removed(T):
    m, p = net(T), prune(T)
    before = m[0].weight
    p.l1_unstructured(m[0], "weight", amount=0.3)
    out = p.remove(m[0], "weight")
    return (
        state(m),
        m(x(T)),
        out is m[0],
        m[0].weight is before,
        len(m[0]._forward_pre_hooks),
        p.is_pruned(m),
        error(lambda: p.remove(m[0], "weight")),
        type(m[0].weight).__name__,
    )


def trained(T):
    m, p = net(T), prune(T)
    p.l1_unstructured(m[2], "weight", amount=0.5)
    opt = T.optim.SGD(m.parameters(), lr=0.1, momentum=0.9)
    for _ in range(3):
        opt.zero_grad()
        m(x(T)).pow(2).sum().backward()
        opt.step()
    return m.state_dict(), m[2].weight_orig.grad


def saved_and_loaded(T):
    m, n, p = net(T), net(T), prune(T)
    p.l1_unstructured(m[2], "weight", amount=0.5)
    missing = error(lambda: n.load_state_dict(m.state_dict()), text=True)
    p.identity(n[2], "weight")
    n.load_state_dict(m.state_dict())
    return missing, n(x(T)), n.state_dict()


def copied(T):
    m, p = net(T), prune(T)
    p.l1_unstructured(m[2], "weight", amount=0.5)
    m[2].weight = m[2].weight.detach()
    c = copy.deepcopy(m)
    return c(x(T)), list(c.state_dict()), error(lambda: p.remove(c[2], "weight"))[0]


def errors(T):
    p, m = prune(T), net(T)
    return (
        error(lambda: p.l1_unstructured(m[2], "weight", amount="a")), error(lambda: p.l1_unstructured(m[2], "weight", amount=-1)),
        error(lambda: p.l1_unstructured(m[2], "weight", amount=1.5)), error(lambda: p.l1_unstructured(m[2], "weight", amount=1000)),
        error(lambda: p.ln_structured(m[2], "bias", amount=1, n=2, dim=0)), error(lambda: p.ln_structured(m[2], "weight", amount=1, n=2,
        dim=5)),
        error(lambda: p.l1_unstructured(m[2], "nothing", amount=1)), list(m[2].state_dict()), error(lambda: p.PruningContainer(3)),
        error(lambda: p.l1_unstructured(m[2], "weight", 1, importance_scores=T.ones(2))),
        error(lambda: p.BasePruningMethod()), len(p.PruningContainer()),
    )  # fmt: skip


def forward_ad(T):
    fw = importlib.import_module(f"{T.__name__}.autograd.forward_ad")
    a, b, t = T.arange(1.0, 4.0).double(), T.ones(3).double(), T.tensor([1.0, 2.0, 3.0]).double()
    with fw.dual_level():
        x, y = fw.make_dual(a, t), fw.make_dual(b, t * 2)
        p, q = fw.unpack_dual(x), fw.unpack_dual((x**2 * y).sin())
        r = fw.unpack_dual((x * y).sum())
        s = fw.unpack_dual(T.ones(2))
        linear = fw.unpack_dual(x * 3)
        m = T.nn.Linear(3, 2).double()
        T.nn.init.constant_(m.weight, 0.5), T.nn.init.constant_(m.bias, 0.5)
        net_out = fw.unpack_dual(m(x)).tangent
    after = fw.unpack_dual(x).tangent
    return (
        p.primal, p.tangent, q.tangent, q.primal.detach(), r.tangent, s.tangent, linear.tangent, net_out.detach(), after, type(p).__name__,
        error(lambda: fw.make_dual(a, t)), error(lambda: fw.exit_dual_level()), fw.enter_dual_level(), error(lambda: fw.enter_dual_level()),
        error(lambda: fw.make_dual(a, t[:2])), fw.make_dual(a, t.float()).detach(), error(lambda: fw.make_dual(a.long(), t)),
        fw.exit_dual_level(),
    )  # fmt: skip


def products(T):
    f = lambda a, b: (a.sin() * b, a.prod())
    a, b = T.arange(1.0, 4.0).double(), T.arange(4.0, 7.0).double()
    t = (T.ones(3).double(), T.arange(3.0).double())
    out, lin = T.func.linearize(f, a, b)
    return (
        T.func.jvp(f, (a, b), t), out, lin(*t), T.func.jacfwd(f, argnums=(0, 1))(a, b), T.func.jacrev(f)(a, b),
        T.func.hessian(lambda a: (a**3).prod())(a),
        T.func.jvp(lambda a: (a * 2, {"k": a.exp()}), (a,), (t[0],), has_aux=True)[2], T.func.jacfwd(lambda a: a.exp(), has_aux=False)(a),
        error(lambda: T.func.jvp(f, a, t)), error(lambda: T.func.jvp(f, (a, b), (t[0],))), error(lambda: T.func.jvp(f, (a, b), (t[0],
        t[1][:2]))),
        T.func.jacfwd(T.func.jacrev(lambda a: a.exp().sum()))(a), T.func.vmap(T.func.jacrev(lambda a: a.sin()))(T.stack([a, b])),
        T.autograd.functional.jvp(lambda a: a**2, a, t[1]),
        T.func.grad_and_value(lambda a: (a**2).sum())(a), T.func.vjp(f, a, b)[1]((t[0], T.tensor(2.0).double())),
    )  # fmt: skip


@pytest.mark.parametrize("case", cases({k: v for k, v in globals().items() if k != "x"}))
def test_same(case):
    run_twice(case)
