"""Modules as strangers write them: small programs, run with both."""

from __future__ import annotations

import copy
import dataclasses
import functools
from collections import OrderedDict, defaultdict
from typing import Any

import pytest

from tests.parity.twice import cases, error, run_twice

pytestmark = pytest.mark.parity


def data(T: Any, *shape: int) -> Any:
    n = functools.reduce(lambda a, b: a * b, shape, 1)
    return T.arange(1.0, n + 1.0).sin().view(*shape).double()


def delegating(T):
    class Wrapper(T.nn.Module):
        def __init__(self, module):
            super().__init__()
            self.module = module

        def __getattr__(self, name):
            try:
                return super().__getattr__(name)
            except AttributeError:
                return getattr(self.module, name)

        def forward(self, x):
            return self.module(x)

    w = Wrapper(T.nn.Linear(2, 3))
    return (
        w.in_features,
        w.weight.shape,
        list(w.state_dict()),
        error(lambda: w.nothing),
        hasattr(w, "nothing"),
        copy.deepcopy(w).out_features,
    )


def property_that_fails(T):
    class P(T.nn.Module):
        @property
        def size(self):
            return self.missing

    return error(lambda: P().size, text=True)


def own_setattr(T):
    class S(T.nn.Module):
        def __init__(self):
            super().__init__()
            self.order = []
            self.a = T.nn.Linear(1, 1)
            self.b = 3

        def __setattr__(self, name, value):
            super().__setattr__(name, value)
            if name != "order":
                self.order.append(name)

    return S().order


def dataclass_module(T):
    @dataclasses.dataclass(eq=False)
    class D(T.nn.Module):
        width: int = 3

        def __post_init__(self):
            super().__init__()
            self.fc = T.nn.Linear(self.width, 1)

        def forward(self, x):
            return self.fc(x)

    d = D(2)
    return d.width, list(d.state_dict()), d(T.ones(1, 2)).shape, d in {d}


def dataclass_module_slots_first(T):
    @dataclasses.dataclass
    class D(T.nn.Module):
        width: int = 3

    return error(lambda: D().width)[0]


def forward_on_the_instance(T):
    m = T.nn.Linear(2, 2).double()
    old = m.forward
    m.forward = lambda x: old(x) * 0 + 7
    return m(data(T, 1, 2))


def forward_by_name(T):
    class M(T.nn.Module):
        def forward(self, x, *, scale=1, **more):
            return x * scale, sorted(more)

    return M()(T.ones(1), scale=3, b=1, a=2), error(lambda: M()()), error(lambda: M()(T.ones(1), 2))


def modules_in_plain_lists(T):
    class M(T.nn.Module):
        def __init__(self):
            super().__init__()
            self.hidden = [T.nn.Linear(1, 1)]
            self.shown = T.nn.ModuleList(self.hidden * 2)
            self.table = {"a": T.nn.Linear(1, 1)}

    m = M()
    return list(m.state_dict()), [n for n, _ in m.named_parameters()], len(list(m.modules()))


def features_by_hooks(T):
    T.manual_seed(0)
    model = T.nn.Sequential(OrderedDict(conv=T.nn.Conv2d(1, 2, 3), act=T.nn.ReLU(), flat=T.nn.Flatten(), head=T.nn.Linear(8, 2))).double()
    features, grads = {}, {}

    def keep(name):
        def hook(module, inputs, output):
            features[name] = output.detach()

        return hook

    handles = [m.register_forward_hook(keep(n)) for n, m in dict(model.named_modules()).items() if n in ("conv", "act")]
    model.conv.register_full_backward_hook(lambda m, gi, go: grads.update(conv=go[0].detach()))
    out = model(data(T, 1, 1, 4, 4))
    model.zero_grad()
    out[0, out.argmax()].backward()
    for h in handles:
        h.remove()
    cam = (grads["conv"].mean(dim=(2, 3), keepdim=True) * features["conv"]).sum(1).relu()
    return features, grads, cam / (cam.max() + 1e-8), out


def initialised_by_apply(T):
    def init(m):
        name = m.__class__.__name__
        if name.find("Conv") != -1:
            T.nn.init.normal_(m.weight.data, 0.0, 0.02)
        elif isinstance(m, (T.nn.BatchNorm2d, T.nn.GroupNorm)):
            T.nn.init.constant_(m.weight, 1)
            T.nn.init.constant_(m.bias, 0)
        elif isinstance(m, T.nn.Linear):
            T.nn.init.xavier_uniform_(m.weight, gain=T.nn.init.calculate_gain("relu"))
            m.bias.data.fill_(0.01)

    T.manual_seed(0)
    m = T.nn.Sequential(T.nn.Conv2d(1, 2, 3), T.nn.BatchNorm2d(2), T.nn.Linear(2, 2))
    T.manual_seed(1)
    m.apply(init)
    return m.state_dict()


def prefixed_checkpoint(T):
    T.manual_seed(0)
    m = T.nn.Sequential(T.nn.Linear(2, 2), T.nn.BatchNorm1d(2))
    saved = OrderedDict((f"module.{k}", v) for k, v in m.state_dict().items())
    n = T.nn.Sequential(T.nn.Linear(2, 2), T.nn.BatchNorm1d(2))
    refused = error(lambda: n.load_state_dict(saved), text=True)
    n.load_state_dict({k.removeprefix("module."): v for k, v in saved.items()})
    own = n.state_dict()
    own.update({k: v for k, v in {"0.bias": T.ones(2), "9.x": T.ones(1)}.items() if k in own and v.shape == own[k].shape})
    return refused, n.load_state_dict(own), n.state_dict()


def teacher(T):
    T.manual_seed(0)
    student = T.nn.Sequential(T.nn.Linear(2, 2), T.nn.BatchNorm1d(2)).double()
    slow = copy.deepcopy(student).requires_grad_(False).eval()
    for step in range(3):
        student(data(T, 4, 2) * (step + 1)).pow(3).sum().backward()
        with T.no_grad():
            for p in student.parameters():
                p -= 0.01 * p.grad
                p.grad = None
            for a, b in zip(slow.parameters(), student.parameters(), strict=True):
                a.mul_(0.9).add_(b, alpha=0.1)
            for a, b in zip(slow.buffers(), student.buffers(), strict=True):
                a.copy_(b)
    return slow.state_dict(), slow(data(T, 2, 2)), student.state_dict()


def shared_trunk(T):
    T.manual_seed(0)
    trunk = T.nn.Linear(2, 3)
    heads = T.nn.ModuleDict({k: T.nn.Sequential(trunk, T.nn.Tanh(), T.nn.Linear(3, n)) for k, n in (("b", 1), ("a", 2))}).double()
    total = sum(h(data(T, 2, 2)).sum() for h in heads.values())
    total.backward()
    return (
        list(heads.state_dict()),
        [n for n, _ in heads.named_parameters()],
        trunk.weight.grad,
        len(list(T.optim.SGD(heads.parameters(), 0.1).param_groups[0]["params"])),
    )


def repeated_layer_by_deepcopy(T):
    def clones(module, n):
        return T.nn.ModuleList([copy.deepcopy(module) for _ in range(n)])

    T.manual_seed(0)
    layers = clones(T.nn.Linear(2, 2), 3)
    layers[0].weight.data.zero_()
    return [layer.weight.detach() for layer in layers], layers[0].weight is layers[1].weight


def buffers_as_state(T):
    class Running(T.nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("mean", T.zeros(2).double())
            self.register_buffer("count", T.tensor(0))
            self.register_buffer("mask", T.ones(2, 2).tril().bool()[None], persistent=False)

        def forward(self, x):
            if self.training:
                self.count += 1
                self.mean = self.mean + (x.mean(0) - self.mean) / self.count
            return (x - self.mean).masked_fill(~self.mask[0, 0], float("-inf"))

    m = Running()
    for k in range(3):
        m(data(T, 3, 2) * k)
    m.eval()
    return m(data(T, 1, 2)), m.state_dict(), list(m._buffers), m.double().count.dtype, m.float().mean.dtype, m.mask.dtype


def positional_encoding(T):
    import math

    class PositionalEncoding(T.nn.Module):
        def __init__(self, d_model, dropout=0.0, max_len=10):
            super(PositionalEncoding, self).__init__()  # noqa: UP008
            self.dropout = T.nn.Dropout(p=dropout)
            pe = T.zeros(max_len, d_model)
            position = T.arange(0, max_len, dtype=T.float).unsqueeze(1)
            div_term = T.exp(T.arange(0, d_model, 2).float() * (-math.log(10000.0) / d_model))
            pe[:, 0::2] = T.sin(position * div_term)
            pe[:, 1::2] = T.cos(position * div_term)
            self.register_buffer("pe", pe.unsqueeze(0).transpose(0, 1))

        def forward(self, x):
            return self.dropout(x + self.pe[: x.size(0), :])

    m = PositionalEncoding(6)
    return m(T.zeros(3, 2, 6)), m.pe.stride(), list(m.state_dict())


def low_rank_adapter(T):
    class LoRA(T.nn.Module):
        def __init__(self, base, r=2, alpha=4):
            super().__init__()
            self.base = base
            for p in self.base.parameters():
                p.requires_grad = False
            self.A = T.nn.Parameter(data(T, r, base.in_features))
            self.B = T.nn.Parameter(T.zeros(base.out_features, r).double())
            self.scale = alpha / r

        def forward(self, x):
            return self.base(x) + x @ self.A.T @ self.B.T * self.scale

    def inject(model):
        for name, child in model.named_children():
            if isinstance(child, T.nn.Linear):
                setattr(model, name, LoRA(child))
            else:
                inject(child)
        return model

    T.manual_seed(0)
    m = inject(T.nn.Sequential(T.nn.Linear(3, 3), T.nn.Sequential(T.nn.Tanh(), T.nn.Linear(3, 2))).double())
    m(data(T, 2, 3)).sum().backward()
    trained = [n for n, p in m.named_parameters() if p.requires_grad]
    return (
        trained,
        [None if p.grad is None else p.grad for p in m.parameters()],
        sum(p.numel() for p in m.parameters() if p.requires_grad),
        repr(m),
    )


def merged_weights(T):
    T.manual_seed(0)
    a, b = T.nn.Linear(2, 2), T.nn.Linear(2, 2)
    averaged = {k: (v + b.state_dict()[k]) / 2 for k, v in a.state_dict().items()}
    a.load_state_dict(averaged)
    return a.state_dict()


def straight_through(T):
    class Quantize(T.autograd.Function):
        @staticmethod
        def forward(ctx, x, levels):
            ctx.save_for_backward(x)
            return (x * levels).round() / levels

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return g * (x.abs() <= 1), None

    x = (data(T, 5) * 1.5).requires_grad_()
    y = Quantize.apply(x, 4)
    z = x + (x.round() - x).detach()
    (y.sum() + (z**2).sum()).backward()
    return y, z, x.grad


def gradient_reversal(T):
    class Reverse(T.autograd.Function):
        @staticmethod
        def forward(ctx, x, alpha):
            ctx.alpha = alpha
            return x.view_as(x)

        @staticmethod
        def backward(ctx, grad_output):
            return grad_output.neg() * ctx.alpha, None

    x = data(T, 3).requires_grad_()
    y = Reverse.apply(x, 0.5)
    (y**2).sum().backward()
    return x.grad, y.grad_fn.name()


def residual_block(T):
    class Block(T.nn.Module):
        expansion = 1

        def __init__(self, cin, cout, stride=1):
            super().__init__()
            self.conv1 = T.nn.Conv2d(cin, cout, 3, stride, 1, bias=False)
            self.bn1 = T.nn.BatchNorm2d(cout)
            self.relu = T.nn.ReLU(inplace=True)
            self.downsample = None
            if stride != 1 or cin != cout:
                self.downsample = T.nn.Sequential(T.nn.Conv2d(cin, cout, 1, stride, bias=False), T.nn.BatchNorm2d(cout))

        def forward(self, x):
            identity = x if self.downsample is None else self.downsample(x)
            out = self.bn1(self.conv1(x))
            out += identity
            return self.relu(out)

    T.manual_seed(0)
    m = T.nn.Sequential(Block(1, 2, 2), Block(2, 2)).double()
    y = m(data(T, 2, 1, 6, 6))
    y.sum().backward()
    return y, list(m.state_dict()), [p.grad for p in m.parameters()], m[1].downsample


def counted_parameters(T):
    m = T.nn.Sequential(T.nn.Embedding(5, 3), T.nn.LSTM(3, 4, batch_first=True), T.nn.Linear(4, 1))
    sizes = defaultdict(int)
    for n, p in m.named_parameters():
        sizes[n.split(".")[0]] += p.numel()
    return (
        dict(sizes),
        sum(p.numel() * p.element_size() for p in m.parameters()),
        {p.device.type for p in m.parameters()},
        next(m.parameters()).dtype,
        next(m.parameters()).is_leaf,
    )


def weight_decay_groups(T):
    T.manual_seed(0)
    m = T.nn.Sequential(T.nn.Linear(2, 2), T.nn.LayerNorm(2)).double()
    decay, rest = [], []
    for n, p in m.named_parameters():
        (rest if p.ndim < 2 or n.endswith(".bias") else decay).append(p)
    opt = T.optim.AdamW([{"params": decay, "weight_decay": 0.1}, {"params": rest, "weight_decay": 0.0}], lr=0.1, betas=(0.9, 0.95))
    sched = T.optim.lr_scheduler.LambdaLR(opt, lambda s: min(1.0, (s + 1) / 3))
    for _ in range(4):
        m(data(T, 3, 2)).pow(2).sum().backward()
        T.nn.utils.clip_grad_norm_(m.parameters(), 1.0)
        opt.step()
        sched.step()
        opt.zero_grad(set_to_none=True)
    return m.state_dict(), sched.get_last_lr(), opt.param_groups[0]["lr"]


def accumulated_gradients(T):
    T.manual_seed(0)
    m = T.nn.Linear(2, 1).double()
    opt = T.optim.SGD(m.parameters(), lr=0.1)
    for k in range(6):
        (m(data(T, 2, 2) * k).mean() / 3).backward()
        if (k + 1) % 3 == 0:
            opt.step()
            opt.zero_grad()
    return m.state_dict()


def frozen_layers(T):
    T.manual_seed(0)
    m = T.nn.Sequential(T.nn.Linear(2, 2), T.nn.BatchNorm1d(2), T.nn.Linear(2, 1)).double()
    for p in m[0].parameters():
        p.requires_grad_(False)
    m[1].eval()
    m[1].train = lambda mode=True: m[1]
    m.train()
    out = m(data(T, 3, 2))
    out.sum().backward()
    opt = T.optim.Adam(filter(lambda p: p.requires_grad, m.parameters()), lr=0.1)
    opt.step()
    return m[1].training, m[0].training, m[0].weight.grad, m.state_dict(), len(opt.param_groups[0]["params"])


def swapped_layers(T):
    m = T.nn.Sequential(OrderedDict(a=T.nn.BatchNorm2d(2), b=T.nn.Sequential(T.nn.BatchNorm2d(3), T.nn.ReLU())))

    def convert(module):
        for name, child in module.named_children():
            if isinstance(child, T.nn.BatchNorm2d):
                module._modules[name] = T.nn.GroupNorm(1, child.num_features)
            else:
                convert(child)

    convert(m)
    m.b[1] = T.nn.GELU()
    del m.a
    m.add_module("c", T.nn.Identity())
    m._modules.pop("c")
    return repr(m), list(m.state_dict())


def second_order(T):
    T.manual_seed(0)
    m = T.nn.Linear(2, 1).double()
    fast = dict(m.named_parameters())
    loss = (T.func.functional_call(m, fast, data(T, 3, 2)) ** 2).mean()
    grads = T.autograd.grad(loss, fast.values(), create_graph=True)
    fast = {n: p - 0.1 * g for (n, p), g in zip(fast.items(), grads, strict=True)}
    (T.func.functional_call(m, fast, data(T, 3, 2) + 1) ** 2).mean().backward()
    return [p.grad for p in m.parameters()]


@pytest.mark.parametrize("case", cases(globals()))
def test_same(case):
    run_twice(case)
