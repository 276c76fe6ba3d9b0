"""Optimizers as strangers write them, hooks of optimizers, averaged models and clipping: small programs, run with both."""

from __future__ import annotations

import copy
import importlib
import math
from collections import defaultdict
from typing import Any

import pytest

from tests.parity.twice import cases, error, run_twice

pytestmark = pytest.mark.parity


def net(T: Any) -> Any:
    T.manual_seed(1)
    return T.nn.Sequential(T.nn.Linear(3, 4), T.nn.Tanh(), T.nn.Linear(4, 2)).double()


def data(T: Any) -> tuple[Any, Any]:
    x = T.arange(24.0).double().view(8, 3).sin()
    return x, T.stack([x.sum(1), x.prod(1)], 1)


def train(T: Any, make: Any, steps: int = 6, closure: bool = False, second: bool = False) -> Any:
    model, (x, y), losses = net(T), data(T), []
    opt = make(model)

    def loss_of() -> Any:
        opt.zero_grad()
        loss = T.nn.functional.mse_loss(model(x), y)
        loss.backward()
        return loss

    for _ in range(steps):
        loss = opt.step(loss_of) if closure else loss_of()
        if not closure:
            opt.step()
        losses.append(float(loss))
    return losses, [p.detach() for p in model.parameters()], opt.state_dict()


def lion(T):
    class Lion(T.optim.Optimizer):
        def __init__(self, params, lr=1e-4, betas=(0.9, 0.99), weight_decay=0.0):
            if lr < 0.0:
                raise ValueError(f"Invalid learning rate: {lr}")
            super().__init__(params, dict(lr=lr, betas=betas, weight_decay=weight_decay))

        @T.no_grad()
        def step(self, closure=None):
            loss = None
            if closure is not None:
                with T.enable_grad():
                    loss = closure()
            for group in self.param_groups:
                for p in group["params"]:
                    if p.grad is None:
                        continue
                    p.data.mul_(1 - group["lr"] * group["weight_decay"])
                    grad = p.grad
                    state = self.state[p]
                    if len(state) == 0:
                        state["exp_avg"] = T.zeros_like(p)
                    exp_avg = state["exp_avg"]
                    beta1, beta2 = group["betas"]
                    update = exp_avg * beta1 + grad * (1 - beta1)
                    p.add_(update.sign_(), alpha=-group["lr"])
                    exp_avg.mul_(beta2).add_(grad, alpha=1 - beta2)
            return loss

    return (
        train(T, lambda m: Lion(m.parameters(), lr=0.01, weight_decay=0.1)),
        train(T, lambda m: Lion(m.parameters(), lr=0.01), closure=True),
        error(lambda: Lion(net(T).parameters(), lr=-1)),
    )


def lamb(T):
    class Lamb(T.optim.Optimizer):
        def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-6, weight_decay=0.0, adam=False):
            defaults = dict(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay)
            self.adam = adam
            super(Lamb, self).__init__(params, defaults)  # noqa: UP008

        def step(self, closure=None):
            for group in self.param_groups:
                for p in group["params"]:
                    if p.grad is None:
                        continue
                    grad = p.grad.data
                    if grad.is_sparse:
                        raise RuntimeError("no sparse gradients")
                    state = self.state[p]
                    if len(state) == 0:
                        state["step"] = 0
                        state["exp_avg"] = T.zeros_like(p.data)
                        state["exp_avg_sq"] = T.zeros_like(p.data)
                    m, v = state["exp_avg"], state["exp_avg_sq"]
                    b1, b2 = group["betas"]
                    state["step"] += 1
                    m.mul_(b1).add_(grad, alpha=1 - b1)
                    v.mul_(b2).addcmul_(grad, grad, value=1 - b2)
                    weight_norm = p.data.pow(2).sum().sqrt().clamp(0, 10)
                    step = m / v.sqrt().add(group["eps"])
                    if group["weight_decay"] != 0:
                        step.add_(p.data, alpha=group["weight_decay"])
                    adam_norm = step.pow(2).sum().sqrt()
                    trust = 1 if weight_norm == 0 or adam_norm == 0 else weight_norm / adam_norm
                    state["trust"] = trust
                    p.data.add_(step, alpha=-group["lr"] * (1 if self.adam else trust))

    return train(T, lambda m: Lamb(m.parameters(), lr=0.01, weight_decay=0.01))


def lars(T):
    class LARS(T.optim.Optimizer):
        def __init__(self, params, lr, momentum=0.9, weight_decay=0.0, eta=0.001):
            super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay, "eta": eta})

        @T.no_grad()
        def step(self):
            for g in self.param_groups:
                for p in g["params"]:
                    dp = p.grad
                    if dp is None:
                        continue
                    if p.ndim > 1:
                        dp = dp.add(p, alpha=g["weight_decay"])
                        pn, un = T.norm(p), T.norm(dp)
                        one = T.ones_like(pn)
                        q = T.where(pn > 0.0, T.where(un > 0, (g["eta"] * pn / un), one), one)
                        dp = dp.mul(q)
                    state = self.state[p]
                    if "mu" not in state:
                        state["mu"] = T.zeros_like(p)
                    mu = state["mu"]
                    mu.mul_(g["momentum"]).add_(dp)
                    p.add_(mu, alpha=-g["lr"])

    return train(T, lambda m: LARS([{"params": m[0].parameters(), "lr": 1.0}, {"params": m[2].parameters()}], lr=0.5, weight_decay=1e-3))


def sam(T):
    class SAM(T.optim.Optimizer):
        def __init__(self, params, base_optimizer, rho=0.05, adaptive=False, **kwargs):
            super().__init__(params, dict(rho=rho, adaptive=adaptive, **kwargs))
            self.base_optimizer = base_optimizer(self.param_groups, **kwargs)
            self.param_groups = self.base_optimizer.param_groups
            self.defaults.update(self.base_optimizer.defaults)

        @T.no_grad()
        def first_step(self, zero_grad=False):
            norm = self._grad_norm()
            for group in self.param_groups:
                scale = group["rho"] / (norm + 1e-12)
                for p in group["params"]:
                    if p.grad is None:
                        continue
                    self.state[p]["old_p"] = p.data.clone()
                    e_w = (T.pow(p, 2) if group["adaptive"] else 1.0) * p.grad * scale.to(p)
                    p.add_(e_w)
            if zero_grad:
                self.zero_grad()

        @T.no_grad()
        def second_step(self, zero_grad=False):
            for group in self.param_groups:
                for p in group["params"]:
                    if p.grad is None:
                        continue
                    p.data = self.state[p]["old_p"]
            self.base_optimizer.step()
            if zero_grad:
                self.zero_grad()

        @T.no_grad()
        def step(self, closure=None):
            assert closure is not None
            closure = T.enable_grad()(closure)
            self.first_step(zero_grad=True)
            closure()
            self.second_step()

        def _grad_norm(self):
            shared = self.param_groups[0]["params"][0].device
            return T.norm(
                T.stack([
                    ((T.abs(p) if group["adaptive"] else 1.0) * p.grad).norm(p=2).to(shared)
                    for group in self.param_groups for p in group["params"] if p.grad is not None
                ]), p=2,
            )  # fmt: skip

        def load_state_dict(self, state_dict):
            super().load_state_dict(state_dict)
            self.base_optimizer.param_groups = self.param_groups

    found = []
    for adaptive in (False, True):
        model, (x, y) = net(T), data(T)
        opt = SAM(model.parameters(), T.optim.SGD, rho=0.1, adaptive=adaptive, lr=0.1, momentum=0.9)
        for _ in range(4):

            def closure(model=model, x=x, y=y):
                loss = T.nn.functional.mse_loss(model(x), y)
                loss.backward()
                return loss

            loss = closure()
            opt.step(closure)
            opt.zero_grad()
            found.append(loss.item())
        opt.load_state_dict(opt.state_dict())
        found += [p.detach() for p in model.parameters()]
    return found, list(opt.state_dict()["state"]), list(opt.defaults)


def lookahead(T):
    class Lookahead(T.optim.Optimizer):
        def __init__(self, base, k=2, alpha=0.5):
            self.optimizer, self.k, self.alpha = base, k, alpha
            self.param_groups = self.optimizer.param_groups
            self.state = defaultdict(dict)
            self.fast_state = self.optimizer.state
            self.defaults = base.defaults
            self._optimizer_step_pre_hooks = {}
            self._optimizer_step_post_hooks = {}
            for group in self.param_groups:
                group["counter"] = 0

        def update(self, group):
            for fast in group["params"]:
                state = self.state[fast]
                if "slow" not in state:
                    state["slow"] = T.zeros_like(fast.data)
                    state["slow"].copy_(fast.data)
                slow = state["slow"]
                slow += (fast.data - slow) * self.alpha
                fast.data.copy_(slow)

        def step(self, closure=None):
            loss = self.optimizer.step(closure)
            for group in self.param_groups:
                if group["counter"] == 0:
                    self.update(group)
                group["counter"] = (group["counter"] + 1) % self.k
            return loss

        def state_dict(self):
            fast = self.optimizer.state_dict()
            return {"state": fast["state"], "slow": {k: v for k, v in enumerate(self.state.values())}, "param_groups": fast["param_groups"]}

        def zero_grad(self):
            self.optimizer.zero_grad()

    return train(T, lambda m: Lookahead(T.optim.Adam(m.parameters(), lr=0.05)))


def gradient_centralised(T):
    class CentredSGD(T.optim.SGD):
        def step(self, closure=None):
            for group in self.param_groups:
                for p in group["params"]:
                    if p.grad is not None and p.grad.dim() > 1:
                        p.grad.data.add_(-p.grad.data.mean(dim=tuple(range(1, p.grad.dim())), keepdim=True))
            return super().step(closure)

    return train(T, lambda m: CentredSGD(m.parameters(), lr=0.1, momentum=0.9, nesterov=True))


def adabelief(T):
    class AdaBelief(T.optim.Optimizer):
        def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-16, amsgrad=False):
            super().__init__(params, dict(lr=lr, betas=betas, eps=eps, amsgrad=amsgrad, buffer=[[None, None, None] for _ in range(10)]))

        def __setstate__(self, state):
            super().__setstate__(state)
            for group in self.param_groups:
                group.setdefault("amsgrad", False)

        def step(self, closure=None):
            for group in self.param_groups:
                b1, b2 = group["betas"]
                for p in group["params"]:
                    if p.grad is None:
                        continue
                    state = self.state[p]
                    if len(state) == 0:
                        state["step"] = 0
                        state["m"] = T.zeros_like(p.data, memory_format=T.preserve_format)
                        state["s"] = T.zeros_like(p.data, memory_format=T.preserve_format)
                        if group["amsgrad"]:
                            state["top"] = T.zeros_like(p.data)
                    state["step"] += 1
                    c1, c2 = 1 - b1 ** state["step"], 1 - b2 ** state["step"]
                    grad = p.grad.data
                    state["m"].mul_(b1).add_(grad, alpha=1 - b1)
                    r = grad - state["m"]
                    state["s"].mul_(b2).addcmul_(r, r, value=1 - b2)
                    if group["amsgrad"]:
                        T.max(state["top"], state["s"].add_(group["eps"]), out=state["top"])
                        denom = (state["top"].sqrt() / math.sqrt(c2)).add_(group["eps"])
                    else:
                        denom = (state["s"].add_(group["eps"]).sqrt() / math.sqrt(c2)).add_(group["eps"])
                    p.data.addcdiv_(state["m"], denom, value=-group["lr"] / c1)

    return train(T, lambda m: AdaBelief(m.parameters(), lr=0.01)), train(T, lambda m: AdaBelief(m.parameters(), lr=0.01, amsgrad=True))


def foreach_sgd(T):
    class Foreach(T.optim.Optimizer):
        def __init__(self, params, lr):
            super().__init__(params, {"lr": lr, "differentiable": False})

        @T.no_grad()
        def step(self, closure=None):
            for group in self.param_groups:
                params = [p for p in group["params"] if p.grad is not None]
                grads = [p.grad for p in params]
                T._foreach_mul_(grads, 0.5)
                T._foreach_add_(params, grads, alpha=-group["lr"])

    return train(T, lambda m: Foreach(m.parameters(), lr=0.1))


def foreach_functions(T):
    def lists():
        return [T.arange(1.0, 4.0).double(), T.ones(2, 2).double() * 3], [T.ones(3).double() * 2, T.arange(4.0).view(2, 2).double()]

    found = []
    for name, *args in (
        ("add", "b"), ("add", 2), ("add", [1.0, 2.0]), ("sub", "b"), ("mul", "b"), ("mul", 3.0), ("div", 2.0), ("div", [1.0, 2.0]), ("neg",
        ), ("abs",),
        ("sqrt",), ("exp",), ("reciprocal",), ("maximum", "b"), ("minimum", "b"), ("maximum", 2.0), ("minimum", 1.5), ("clamp_min", 2.0),
        ("clamp_max", 2.0), ("pow", 2.0), ("pow", "b"),
        ("norm",), ("norm", 1), ("norm", float("inf")), ("lerp", "b", 0.25), ("lerp", "b", "b"), ("sign",), ("addcmul", "b", "b", 2.0),
        ("addcdiv", "a", "a", [0.5, 2.0]), ("zero_",),
        ("copy_", "b"), ("rsqrt",), ("round",), ("floor",), ("ceil",), ("sigmoid",), ("tanh",), ("erf",), ("log",), ("log1p",), ("cos",),
        ("trunc",), ("frac",), ("max",),
    ):  # fmt: skip
        for form in (name, name + "_") if not name.endswith("_") and name not in ("norm", "max") else (name,):
            a, b = lists()
            given = [{"a": a, "b": b}.get(v, v) if isinstance(v, str) else v for v in args]
            out = getattr(T, f"_foreach_{form}")(a, *given)
            found.append((form, out, a))
    a, b = lists()
    return (
        found, T._foreach_add(a, b, alpha=0.5), T._foreach_addcdiv_(a, b, a, value=2.0), a, T._foreach_addcmul(a, b, b, value=0.5),
        T._foreach_addcmul(a, b, b),
        T._foreach_addcdiv(a, a, a, scalars=[1.0, 2.0]), error(lambda: T._foreach_rubbish), T._foreach_sub_(a, b, alpha=2), a,
        T._foreach_add(a, T.tensor(2.0)),
        T._foreach_mul(a, scalar=0.5), T._foreach_mul_(b, scalar=3), T._foreach_pow(a, exponent=2.0), T._foreach_add(a, other=b, alpha=2),
        T._foreach_lerp(a, b, weight=0.25), T._foreach_clamp_max(a, scalar=0.1), T._foreach_div(a, scalars=[2.0, 4.0]),
        T._foreach_norm(a, ord=1),
        T._foreach_minimum(a, other=b), T._foreach_add(a, scalars=[1, 2]), T._foreach_add_(a, scalar=0.5), a, b,
    )  # fmt: skip


def optimizer_hooks(T):
    seen, m = [], net(T)
    opt = T.optim.SGD(m.parameters(), lr=0.1)
    module = importlib.import_module(f"{T.__name__}.optim.optimizer")
    a = module.register_optimizer_step_pre_hook(lambda o, args, kw: seen.append(("global pre", args, kw)))
    b = module.register_optimizer_step_post_hook(lambda o, args, kw: seen.append(("global post", args, kw)))
    opt.register_step_pre_hook(lambda o, args, kw: seen.append("pre"))
    opt.register_step_post_hook(lambda o, args, kw: seen.append("post"))
    c = opt.register_step_pre_hook(lambda o, args, kw: (args, kw))
    opt.register_state_dict_pre_hook(lambda o: seen.append("sd pre"))
    opt.register_state_dict_post_hook(lambda o, d: seen.append(("sd post", list(d))))
    opt.register_state_dict_post_hook(lambda o, d: {**d, "more": 1}, prepend=True)
    opt.register_load_state_dict_pre_hook(lambda o, d: seen.append(("load pre", list(d))))
    opt.register_load_state_dict_pre_hook(lambda o, d: {k: v for k, v in d.items() if k != "more"}, prepend=True)
    opt.register_load_state_dict_post_hook(lambda o: seen.append("load post"))
    try:
        opt.step()
        d = opt.state_dict()
        opt.load_state_dict(d)
    finally:
        a.remove(), b.remove()
    c.remove()
    opt.register_step_pre_hook(lambda o, args, kw: 3)
    return seen, list(d), error(opt.step)


def optimizer_protocol(T):
    m = net(T)
    opt = T.optim.Adam([{"params": m[0].parameters(), "lr": 0.1}, {"params": [m[2].weight], "weight_decay": 0.1, "name": "last"}], lr=0.01)
    opt.add_param_group({"params": m[2].bias})
    m(T.ones(1, 3).double()).sum().backward()
    opt.step()
    c = copy.deepcopy(opt)
    d = opt.state_dict()
    return (
        repr(opt), d, list(c.state_dict()["state"]), type(opt.state).__name__, list(opt.param_groups[0]), opt.param_groups[1]["name"],
        error(lambda: opt.add_param_group({"params": m[2].bias})), error(lambda: opt.add_param_group([1])), error(lambda: T.optim.SGD([],
        lr=0.1)),
        error(lambda: T.optim.SGD(m.parameters(), lr=-1.0)), error(lambda: T.optim.SGD([T.ones(1) * T.ones(1, requires_grad=True)],
        lr=0.1)),
        error(lambda: T.optim.SGD(T.ones(1), lr=0.1)), error(lambda: T.optim.SGD([{"lr": 1}], lr=0.1)),
        error(lambda: T.optim.SGD({"params"}, lr=0.1))[0],
        error(lambda: T.optim.SGD(m.parameters())) [0], error(lambda: T.optim.SGD([3], lr=0.1)),
        error(lambda: opt.load_state_dict({"state": {}, "param_groups": []})),
        error(lambda: T.optim.SGD(m[0].parameters(), lr=0.1).load_state_dict(d)), error(lambda: T.optim.SGD([m[0].weight, m[0].weight],
        lr=0.1))[0],
    )  # fmt: skip


def named_parameters_in_groups(T):
    m = net(T)
    opt = T.optim.SGD(m.named_parameters(), lr=0.1, momentum=0.9)
    m(T.ones(1, 3).double()).sum().backward()
    opt.step()
    return opt.param_groups[0]["param_names"], list(opt.state_dict()["param_groups"][0]), opt.state_dict()["param_groups"][0]["param_names"]


def state_survives_dtype(T):
    m = net(T)
    opt = T.optim.Adam(m.parameters(), lr=0.01)
    m(T.ones(1, 3).double()).sum().backward()
    opt.step()
    n = net(T).float()
    other = T.optim.Adam(n.parameters(), lr=0.5)
    other.load_state_dict(opt.state_dict())
    s = other.state[n[0].weight]
    return s["exp_avg"].dtype, s["step"], other.param_groups[0]["lr"], s["step"].dtype


def zero_grads(T):
    m = net(T)
    opt = T.optim.SGD(m.parameters(), lr=0.1)
    m(T.ones(1, 3).double()).sum().backward()
    g = m[0].weight.grad
    opt.zero_grad(set_to_none=False)
    kept = m[0].weight.grad is g, g.abs().sum()
    opt.zero_grad()
    return kept, m[0].weight.grad


def learning_rate_as_tensor(T):
    return train(T, lambda m: T.optim.SGD(m.parameters(), lr=T.tensor(0.1)))[:2]


def averaged(T):
    swa, found = T.optim.swa_utils, []
    for options in (
        {}, {"use_buffers": True}, {"avg_fn": lambda a, p, n: 0.1 * a + 0.9 * p}, {"multi_avg_fn": swa.get_ema_multi_avg_fn(0.9)},
        {"multi_avg_fn": swa.get_swa_multi_avg_fn()}, {"avg_fn": swa.get_ema_avg_fn(0.5), "use_buffers": True},
        {"avg_fn": swa.get_swa_avg_fn()},
    ):  # fmt: skip
        T.manual_seed(1)
        m = T.nn.Sequential(T.nn.Linear(3, 4), T.nn.BatchNorm1d(4), T.nn.Linear(4, 2)).double()
        avg = swa.AveragedModel(m, **options)
        x, y = data(T)
        opt = T.optim.SGD(m.parameters(), lr=0.1)
        for _ in range(3):
            opt.zero_grad()
            T.nn.functional.mse_loss(m(x), y).backward()
            opt.step()
            avg.update_parameters(m)
        found.append((avg.state_dict(), avg(x), avg.n_averaged))
    other = swa.AveragedModel(net(T))
    return found, error(lambda: other.load_state_dict({})), list(other.state_dict()), type(other.module).__name__


def batch_norm_updated(T):
    swa = T.optim.swa_utils
    m = T.nn.Sequential(T.nn.Linear(3, 4), T.nn.BatchNorm1d(4, momentum=0.3), T.nn.Dropout(0.0)).double()
    T.manual_seed(1)
    for p in m.parameters():
        p.data.normal_()
    x, y = data(T)
    m.eval()
    swa.update_bn([x[:4], x[4:]], m)
    first = copy.deepcopy(m.state_dict())
    swa.update_bn([(x, y), [x * 2, y]], m)
    return first, m.state_dict(), m[1].momentum, m.training, swa.update_bn([x], T.nn.ReLU())


def swa_curves(T):
    found = []
    for options in (
        {"swa_lr": 0.05},
        {"swa_lr": 0.05, "anneal_epochs": 4, "anneal_strategy": "linear"},
        {"swa_lr": [0.05, 0.2], "anneal_epochs": 3},
        {"swa_lr": 0.05, "anneal_epochs": 0},
    ):
        m = net(T)
        opt = T.optim.SGD([{"params": m[0].parameters()}, {"params": m[2].parameters(), "lr": 0.3}], lr=0.1)
        s = T.optim.swa_utils.SWALR(opt, **options)
        curve = []
        for _ in range(6):
            opt.step()
            s.step()
            curve.append([g["lr"] for g in opt.param_groups])
        found.append((curve, s.get_last_lr(), sorted(s.state_dict())))
    opt = T.optim.SGD(net(T).parameters(), lr=0.1)
    return (
        found,
        error(lambda: T.optim.swa_utils.SWALR(opt, 0.1, anneal_strategy="x")),
        error(lambda: T.optim.swa_utils.SWALR(opt, 0.1, anneal_epochs=-1)),
        error(lambda: T.optim.swa_utils.SWALR(opt, [0.1, 0.2])),
    )


def swapped_for_evaluation(T):
    """Exponential moving averages as programs keep them by hand."""

    class EMA:
        def __init__(self, model, decay):
            self.shadow, self.decay, self.backup = {n: p.data.clone() for n, p in model.named_parameters() if p.requires_grad}, decay, {}

        def update(self, model):
            for n, p in model.named_parameters():
                self.shadow[n] = (1.0 - self.decay) * p.data + self.decay * self.shadow[n]

        def apply(self, model):
            for n, p in model.named_parameters():
                self.backup[n] = p.data
                p.data = self.shadow[n]

        def restore(self, model):
            for n, p in model.named_parameters():
                p.data = self.backup[n]

    m, (x, y) = net(T), data(T)
    ema, opt = EMA(m, 0.9), T.optim.SGD(m.parameters(), lr=0.5)
    for _ in range(3):
        opt.zero_grad()
        T.nn.functional.mse_loss(m(x), y).backward()
        opt.step()
        ema.update(m)
    ema.apply(m)
    inside = m(x).detach()
    ema.restore(m)
    return inside, m(x).detach()


def clipped(T):
    found = []
    for args in ((1.0,), (0.1, 1.0), (0.1, float("inf")), (0.1, 0.0), (0.1, 3), (0.1, -1.0)):
        for foreach in (None, False, True):
            m, (x, y) = net(T), data(T)
            T.nn.functional.mse_loss(m(x), y).backward()
            norm = T.nn.utils.clip_grad_norm_(m.parameters(), *args, foreach=foreach)
            found.append((norm, [p.grad for p in m.parameters()]))
    return found


def clipped_not_finite(T):
    m = net(T)
    m(T.ones(1, 3).double()).sum().backward()
    m[0].weight.grad[0, 0] = float("nan")
    return (
        error(lambda: T.nn.utils.clip_grad_norm_(m.parameters(), 1.0, error_if_nonfinite=True)), T.nn.utils.clip_grad_norm_(m.parameters(),
        1.0),
        m[2].bias.grad, T.nn.utils.clip_grad_norm_([], 1.0), T.nn.utils.clip_grad_norm_(T.ones(1, requires_grad=True), 1.0),
        T.nn.utils.clip_grad_norm_((p for p in net(T).parameters()), 1.0), error(lambda: T.nn.utils.clip_grad_norm_(3, 1.0)),
    )  # fmt: skip


def clipped_values(T):
    m = net(T)
    m(T.ones(1, 3).double()).sum().backward()
    return (
        T.nn.utils.clip_grad_value_(m.parameters(), 0.1),
        [p.grad for p in m.parameters()],
        T.nn.utils.clip_grad_value_(m[0].weight, clip_value=0.01, foreach=True),
        m[0].weight.grad,
    )


def total_norms(T):
    g = [T.arange(3.0).double(), T.ones(2, 2).double()]
    f = T.nn.utils.get_total_norm
    p = T.ones(2).double().requires_grad_()
    p.grad = T.ones(2).double()
    T.nn.utils.clip_grads_with_norm_([p], 0.5, T.tensor(2.0).double())
    return (
        f(g),
        f(g, 1),
        f(g, float("inf"), error_if_nonfinite=True),
        f([]),
        error(lambda: f([T.tensor([float("inf")])], error_if_nonfinite=True)),
        p.grad,
    )


def vectors(T):
    m = net(T)
    v = T.nn.utils.parameters_to_vector(m.parameters())
    T.nn.utils.vector_to_parameters(T.arange(float(v.numel())).double(), m.parameters())
    return v, [p.detach() for p in m.parameters()], v.requires_grad, error(lambda: T.nn.utils.vector_to_parameters(3, m.parameters()))


@pytest.mark.parametrize("case", cases(globals()))
def test_same(case):
    run_twice(case)
