"""Corners that training loops meet: schedulers on odd states, scalers, losses of odd shapes, seeds: small programs, run with both."""

from __future__ import annotations

import copy
import io
from typing import Any

import pytest

from tests.parity.twice import cases, error, run_twice

pytestmark = pytest.mark.parity


def net(T: Any) -> Any:
    T.manual_seed(1)
    return T.nn.Sequential(T.nn.Linear(3, 4), T.nn.Tanh(), T.nn.Linear(4, 2)).double()


def x(T: Any, n: int = 4) -> Any:
    return T.arange(3.0 * n).double().view(n, 3).sin()


def resumed(T):
    """A run of six steps, and one that is stopped after three and goes on from its state dicts."""

    def start():
        m = net(T)
        opt = T.optim.AdamW(m.parameters(), lr=0.1)
        sched = T.optim.lr_scheduler.CosineAnnealingLR(opt, 6)
        return m, opt, sched

    def run(m, opt, sched, steps):
        for _ in range(steps):
            opt.zero_grad()
            m(x(T)).pow(2).sum().backward()
            opt.step()
            sched.step()

    whole = start()
    run(*whole, 6)
    first = start()
    run(*first, 3)
    saved = copy.deepcopy([part.state_dict() for part in first])
    second = start()
    for part, state in zip(second, saved, strict=True):
        part.load_state_dict(state)
    run(*second, 3)
    return (
        [p.detach() for p in whole[0].parameters()],
        [p.detach() for p in second[0].parameters()],
        second[2].get_last_lr(),
        second[2].state_dict(),
    )


def saved_file(T):
    m, buffer = net(T), io.BytesIO()
    T.save({"model": m.state_dict(), "epoch": 3, "note": "x", "list": [1, 2.5, None, True]}, buffer)
    buffer.seek(0)
    found = T.load(buffer, weights_only=True)
    return list(found), found["epoch"], found["list"], found["model"]


def scaler_on_the_cpu(T):
    m = net(T)
    opt = T.optim.SGD(m.parameters(), lr=0.1)
    scaler = T.amp.GradScaler("cpu", init_scale=4.0, growth_interval=2)
    for k in range(4):
        opt.zero_grad()
        scaler.scale(m(x(T)).sum() * (float("inf") if k == 2 else 1)).backward()
        scaler.unscale_(opt)
        T.nn.utils.clip_grad_norm_(m.parameters(), 1.0)
        scaler.step(opt)
        scaler.update()
    return [p.detach() for p in m.parameters()], scaler.get_scale(), scaler.state_dict()


def gradient_of_a_loss_list(T):
    m = net(T)
    losses = [m(x(T)).pow(k).mean() for k in (1, 2, 3)]
    sum(losses).backward()
    total = T.stack([loss.detach() for loss in losses])
    return total, [p.grad for p in m.parameters()]


def losses_of_odd_shapes(T):
    F = T.nn.functional
    a, b = x(T), x(T, 4) * 2
    return (
        F.mse_loss(a, b[0]), F.l1_loss(a, b, reduction="none").shape, F.cross_entropy(a, T.tensor([0, 2, 1, -100])), F.cross_entropy(a,
        T.softmax(b, 1)),
        F.cross_entropy(a, T.tensor([0, 1, 2, 0]), weight=T.tensor([1.0, 2, 3]).double(), label_smoothing=0.1), F.cross_entropy(a[0],
        T.tensor(1)), error(lambda: F.cross_entropy(a, T.tensor([0, 3, 1, 1]))),
        error(lambda: F.mse_loss(a, x(T, 3))), error(lambda: F.cross_entropy(a, T.tensor([0.0, 1, 2, 0]))),
        F.binary_cross_entropy_with_logits(a, (b > 0).double(), pos_weight=T.ones(3).double() * 2),
        error(lambda: F.binary_cross_entropy(a, b)), F.kl_div(T.log_softmax(a, 1), T.softmax(b, 1), reduction="batchmean"),
        F.nll_loss(T.log_softmax(a, 1), T.tensor([0, 1, 2, 0]), reduction="sum"),
        error(lambda: F.mse_loss(a, b, reduction="average")), F.triplet_margin_loss(a, b, a * 0.5), F.cosine_embedding_loss(a, b,
        T.tensor([1, -1, 1, -1])),
    )  # fmt: skip


def forked_seeds(T):
    T.manual_seed(3)
    a = T.rand(2)
    with T.random.fork_rng():
        T.manual_seed(9)
        b = T.rand(2)
    c = T.rand(2)
    state = T.get_rng_state()
    d = T.rand(2)
    T.set_rng_state(state)
    g = T.Generator().manual_seed(5)
    return a, b, c, d, T.rand(2), T.rand(2, generator=g), T.randperm(5, generator=g), T.initial_seed(), g.initial_seed()


def scheduler_hooks_into_the_optimizer(T):
    opt = T.optim.SGD(net(T).parameters(), lr=1.0)
    lr = T.optim.lr_scheduler
    warm = lr.LinearLR(opt, 0.1, total_iters=3)
    main = lr.ExponentialLR(opt, 0.5)
    s = lr.SequentialLR(opt, [warm, main], milestones=[3])
    curve = []
    for _ in range(6):
        opt.step()
        s.step()
        curve.append(opt.param_groups[0]["lr"])
    return curve, s.get_last_lr(), opt.param_groups[0]["initial_lr"]


def plateau(T):
    opt = T.optim.SGD(net(T).parameters(), lr=1.0)
    s = T.optim.lr_scheduler.ReduceLROnPlateau(opt, "max", factor=0.1, patience=1, threshold=0.01, cooldown=1, min_lr=1e-3)
    curve = []
    for v in (0.1, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.5, 0.5, 0.5, 0.5):
        s.step(v)
        curve.append(opt.param_groups[0]["lr"])
    return curve, s.num_bad_epochs, s.best, s.get_last_lr()


def lbfgs(T):
    m = net(T)
    opt = T.optim.LBFGS(m.parameters(), lr=0.5, max_iter=5, line_search_fn="strong_wolfe")
    calls = []

    def closure():
        opt.zero_grad()
        loss = m(x(T)).pow(2).sum()
        loss.backward()
        calls.append(1)
        return loss

    losses = [float(opt.step(closure)) for _ in range(3)]
    return losses, len(calls), [p.detach() for p in m.parameters()]


def parameters_added_later(T):
    m = net(T)
    opt = T.optim.Adam(m[0].parameters(), lr=0.1)
    for k in range(4):
        if k == 2:
            opt.add_param_group({"params": m[2].parameters(), "lr": 0.01})
        m(x(T)).pow(2).sum().backward()
        opt.step()
        opt.zero_grad()
    return m.state_dict(), len(opt.state), [g["lr"] for g in opt.param_groups]


def maximised(T):
    found = []
    for kind, more in (
        ("SGD", {"momentum": 0.9}),
        ("Adam", {"amsgrad": True}),
        ("AdamW", {}),
        ("RMSprop", {"centered": True}),
        ("Adagrad", {}),
        ("NAdam", {}),
        ("RAdam", {}),
        ("Adamax", {}),
        ("Adadelta", {}),
        ("Rprop", {}),
        ("ASGD", {}),
    ):
        m = net(T)
        opt = getattr(T.optim, kind)(m.parameters(), lr=0.01, maximize=True, **more)
        for _ in range(3):
            opt.zero_grad()
            m(x(T)).pow(2).sum().backward()
            opt.step()
        found.append((kind, [p.detach() for p in m.parameters()]))
    return found


@pytest.mark.parametrize("case", cases({k: v for k, v in globals().items() if k != "x"}))
def test_same(case):
    run_twice(case)
