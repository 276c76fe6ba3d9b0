"""The protocol of nn.Module against PyTorch's: small programs, run with both."""

from __future__ import annotations

import copy
import pickle
from collections import OrderedDict
from typing import Any

import pytest

from tests.parity.twice import cases, error, run_twice

pytestmark = pytest.mark.parity


def net(T: Any) -> Any:
    T.manual_seed(1)
    return T.nn.Sequential(OrderedDict(a=T.nn.Linear(3, 4), bn=T.nn.BatchNorm1d(4), act=T.nn.ReLU(), b=T.nn.Linear(4, 2)))


def tied(T: Any) -> Any:
    class Tied(T.nn.Module):
        def __init__(self):
            super().__init__()
            self.a = T.nn.Linear(3, 3, bias=False)
            self.b = T.nn.Linear(3, 3, bias=False)
            self.b.weight = self.a.weight
            self.c = self.a
            self.register_buffer("kept", T.ones(2))
            self.register_buffer("passing", T.zeros(2), persistent=False)
            self.register_buffer("nothing", None)
            self.register_parameter("none", None)

        def forward(self, x):
            return self.b(self.a(x))

    return Tied()


def tied_names(T):
    m = tied(T)
    return (
        [n for n, _ in m.named_parameters()], [n for n, _ in m.named_parameters(remove_duplicate=False)],
        [n for n, _ in m.named_parameters(prefix="x", recurse=False)], [n for n, _ in m.named_modules()],
        [n for n, _ in m.named_modules(remove_duplicate=False)], [n for n, _ in m.named_children()],
        [n for n, _ in m.named_buffers()], list(m.state_dict()), len(list(m.parameters())), len(list(m.children())),
    )  # fmt: skip


def tied_deepcopy(T):
    m = copy.deepcopy(tied(T))
    return m.b.weight is m.a.weight, m.c is m.a, list(m.state_dict()), m.kept, m._non_persistent_buffers_set


def deepcopy_keeps_hooks(T):
    m, seen = net(T), []
    m.a.register_forward_hook(lambda mod, args, out: seen.append("hook"))
    c = copy.deepcopy(m)
    c(T.ones(2, 3))
    return seen, len(c.a._forward_hooks)


def hook_removed_from_a_copy(T):
    m, seen = net(T), []
    handle = m.a.register_forward_hook(lambda mod, args, out: seen.append("hook"))
    c = copy.deepcopy(m)
    handle.remove()
    c(T.ones(2, 3)), m(T.ones(2, 3))
    return seen


def shallow_copy(T):
    m = net(T)
    c = copy.copy(m)
    c.extra = 1
    return c.a is m.a, hasattr(m, "extra"), type(c).__name__


def deepcopy_with_grad(T):
    m = T.nn.Linear(2, 1)
    m(T.ones(1, 2)).sum().backward()
    c = copy.deepcopy(m)
    return c.weight.grad, c.weight.grad is m.weight.grad, c.weight.requires_grad


def pickled(T):
    m = pickle.loads(pickle.dumps(net(T)))  # noqa: S301 - our own bytes
    return m.state_dict(), m(T.arange(6.0).view(2, 3))


def state_metadata(T):
    d = net(T).state_dict()
    return type(d).__name__, dict(d._metadata), list(d)


def state_prefix(T):
    d = net(T).state_dict(prefix="model.")
    return list(d), dict(d._metadata)


def state_destination(T):
    d = OrderedDict(first=T.ones(1))
    out = net(T).state_dict(destination=d, prefix="p.")
    return out is d, list(d), hasattr(d, "_metadata")


def state_destination_positional(T):
    d = {}
    out = net(T).state_dict(d, "q.", True)
    return out is d, list(d), d["q.a.weight"].requires_grad


def state_keep_vars(T):
    m = net(T)
    return m.state_dict(keep_vars=True)["a.weight"] is m.a.weight, m.state_dict()["a.weight"].requires_grad


def state_shares_memory(T):
    m = net(T)
    m.state_dict()["a.weight"].zero_()
    return m.a.weight.detach()


def load_messages(T):
    m = net(T)
    small = T.nn.Sequential(OrderedDict(a=T.nn.Linear(3, 5), other=T.nn.Linear(2, 2)))
    return error(lambda: m.load_state_dict(small.state_dict()), text=True)


def load_mismatch_not_strict(T):
    m = net(T)
    return error(lambda: m.load_state_dict({"a.weight": T.ones(2, 2)}, strict=False), text=True)


def load_not_strict(T):
    m = net(T)
    r = m.load_state_dict({"a.weight": T.ones(4, 3), "zzz": T.ones(1)}, strict=False)
    return r.missing_keys, r.unexpected_keys, m.a.weight.detach(), repr(r)


def load_not_tensors(T):
    return error(lambda: net(T).load_state_dict({"a.weight": [1.0]}, strict=False), text=True)


def load_not_a_dict(T):
    return error(lambda: net(T).load_state_dict([1]))


def load_two_unexpected(T):
    return error(lambda: T.nn.Linear(1, 1).load_state_dict({"weight": T.ones(1, 1), "q": T.ones(1), "w": T.ones(1)}), text=True)


def load_assign(T):
    m = net(T)
    given = {k: v.clone().double() if v.is_floating_point() else v for k, v in m.state_dict().items()}
    out = m.load_state_dict(given, assign=True)
    same = m.a.weight.data_ptr() == given["a.weight"].data_ptr()
    return out, same, m.a.weight.dtype, type(m.a.weight).__name__, m.a.weight.requires_grad, m.bn.running_mean.dtype


def load_assign_frozen(T):
    m = net(T)
    m.a.weight.requires_grad_(False)
    m.load_state_dict(net(T).state_dict(), assign=True)
    return m.a.weight.requires_grad, m.b.weight.requires_grad


def load_assign_bad_shape(T):
    m = net(T)
    return error(lambda: m.load_state_dict({"a.weight": T.ones(2, 2)}, strict=False, assign=True), text=True)


def load_other_dtype(T):
    m = T.nn.Linear(2, 2)
    m.load_state_dict({"weight": T.ones(2, 2).double(), "bias": T.ones(2).long()})
    return m.state_dict()


def load_scalar_from_one(T):
    class S(T.nn.Module):
        def __init__(self):
            super().__init__()
            self.w = T.nn.Parameter(T.tensor(2.0))

    m = S()
    m.load_state_dict({"w": T.ones(1)})
    return m.w.detach()


def load_keeps_parameter(T):
    m = T.nn.Linear(2, 2)
    w, grad = m.weight, T.ones(2, 2)
    w.grad = grad
    m.load_state_dict({"weight": T.zeros(2, 2), "bias": T.zeros(2)})
    return m.weight is w, w.grad is grad, w._version


def load_leaves_given(T):
    given = OrderedDict(weight=T.zeros(2, 2), bias=T.zeros(2))
    T.nn.Linear(2, 2).load_state_dict(given)
    return list(given), hasattr(given, "_metadata")


def extra_state(T):
    class E(T.nn.Module):
        def __init__(self):
            super().__init__()
            self.n = 3

        def get_extra_state(self):
            return {"n": self.n}

        def set_extra_state(self, state):
            self.n = state["n"] + 1

    outer = T.nn.Sequential(E(), T.nn.Linear(1, 1))
    d = outer.state_dict()
    outer.load_state_dict(d)
    missing = error(lambda: outer.load_state_dict({k: v for k, v in d.items() if "extra" not in k}), text=True)
    unexpected = error(lambda: T.nn.Linear(1, 1).load_state_dict({"weight": T.ones(1, 1), "bias": T.ones(1), "_extra_state": 1}), text=True)
    return list(d), d["0._extra_state"], outer[0].n, missing, unexpected


def extra_state_half(T):
    class E(T.nn.Module):
        def get_extra_state(self):
            return 1

    return error(lambda: E().load_state_dict({"_extra_state": 1}), text=True), error(
        lambda: T.nn.Linear(1, 1).get_extra_state(), text=False
    )


def override_load_from(T):
    """How old checkpoints are renamed: the version and an override."""

    class Old(T.nn.Module):
        _version = 2

        def __init__(self):
            super().__init__()
            self.w = T.nn.Parameter(T.zeros(2))
            self.seen = None

        def _load_from_state_dict(self, state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs):
            self.seen = (prefix, local_metadata.get("version"), strict, list(missing_keys), list(unexpected_keys), list(error_msgs))
            if local_metadata.get("version", 1) < 2 and prefix + "old" in state_dict:
                state_dict[prefix + "w"] = state_dict.pop(prefix + "old")
            super()._load_from_state_dict(state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs)

    m = T.nn.Sequential(Old())
    given = OrderedDict({"0.old": T.ones(2)})
    r = m.load_state_dict(given)
    d = m.state_dict()
    first = m[0].seen
    m.load_state_dict(d)
    return r, first, m[0].seen, m[0].w.detach(), list(given)


def override_save(T):
    class S(T.nn.Module):
        def __init__(self):
            super().__init__()
            self.w = T.nn.Parameter(T.zeros(2))

        def _save_to_state_dict(self, destination, prefix, keep_vars):
            super()._save_to_state_dict(destination, prefix, keep_vars)
            destination[prefix + "more"] = T.ones(1)

    return list(T.nn.Sequential(S()).state_dict())


def override_load_without_super(T):
    class Own(T.nn.Module):
        def __init__(self):
            super().__init__()
            self.w = T.nn.Parameter(T.zeros(2))

        def _load_from_state_dict(self, state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs):
            key = prefix + "w"
            if key in state_dict:
                with T.no_grad():
                    self.w.copy_(state_dict[key] * 2)
            else:
                missing_keys.append(key)
            error_msgs.append("hello") if strict else None

    m = T.nn.Sequential(Own())
    return m.load_state_dict({"0.w": T.ones(2)}, strict=False), m[0].w.detach(), error(lambda: m.load_state_dict({}), text=True)


def load_hooks(T):
    seen = []
    m = T.nn.Sequential(T.nn.Linear(1, 1))
    m[0]._register_load_state_dict_pre_hook(lambda *a: seen.append(("plain", a[1], a[3:])))
    m[0]._register_load_state_dict_pre_hook(lambda mod, *a: seen.append(("module", type(mod).__name__, a[1], a[3:])), with_module=True)
    m[0].register_load_state_dict_pre_hook(lambda mod, *a: seen.append(("public", type(mod).__name__, a[1], a[3:])))
    m.register_load_state_dict_post_hook(lambda mod, keys: seen.append((type(mod).__name__, keys)))
    m[0].register_load_state_dict_post_hook(lambda mod, keys: keys.missing_keys.clear())
    return m.load_state_dict({"0.weight": T.ones(1, 1)}, strict=False), seen, error(lambda: m.load_state_dict({"0.weight": T.ones(1, 1)}))


def load_pre_hook_renames(T):
    def rename(state_dict, prefix, *more):
        for key in list(state_dict):
            if key.startswith(prefix + "old_"):
                state_dict[prefix + key[len(prefix) + 4 :]] = state_dict.pop(key)

    m = T.nn.Sequential(T.nn.Linear(1, 1))
    m[0]._register_load_state_dict_pre_hook(rename)
    return m.load_state_dict({"0.old_weight": T.ones(1, 1), "0.old_bias": T.ones(1)}), m.state_dict()


def load_post_hook_result(T):
    m = T.nn.Linear(1, 1)
    m.register_load_state_dict_post_hook(lambda mod, keys: 3)
    return error(lambda: m.load_state_dict(m.state_dict()))


def state_hooks(T):
    seen = []
    m = T.nn.Sequential(T.nn.Linear(1, 1))
    m[0].register_state_dict_pre_hook(lambda mod, prefix, keep: seen.append(("pre", prefix, keep)))
    m[0].register_state_dict_post_hook(lambda mod, d, prefix, meta: seen.append(("post", list(d), prefix, meta)))
    m[0]._register_state_dict_hook(lambda mod, d, prefix, meta: d.pop(prefix + "bias") and None)
    m._register_state_dict_hook(lambda mod, d, prefix, meta: OrderedDict(other=T.ones(1)))
    return list(m.state_dict()), seen


def state_post_hook_must_not_return(T):
    m = T.nn.Linear(1, 1)
    m.register_state_dict_post_hook(lambda mod, d, prefix, meta: {})
    return error(m.state_dict)


def setstate_of_old(T):
    m = T.nn.Linear(2, 2)
    state = {k: v for k, v in m.__dict__.items() if k in ("training", "_parameters", "_buffers", "_modules", "in_features", "out_features",
             "_forward_hooks", "_backward_hooks", "_forward_pre_hooks")}  # fmt: skip
    new = T.nn.Linear.__new__(T.nn.Linear)
    new.__setstate__(dict(state))
    return new(T.ones(1, 2)).shape, list(new.state_dict())


def getattr_errors(T):
    m = net(T)
    return (
        error(lambda: m.nothing, text=True), error(lambda: m.get_submodule("a.x")), error(lambda: m.get_parameter("a.q")),
        error(lambda: m.get_parameter("bn.running_mean")), error(lambda: m.get_buffer("a.weight")),
        error(lambda: m.get_submodule("a.weight")),
        m.get_submodule("") is m, m.get_submodule("a") is m.a, m.get_buffer("bn.running_var"),
    )  # fmt: skip


def set_submodule_cases(T):
    m = net(T)
    m.set_submodule("a", T.nn.Identity())
    m.set_submodule("new", T.nn.ReLU())
    return (
        [n for n, _ in m.named_children()], error(lambda: m.set_submodule("other", T.nn.ReLU(), strict=True)),
        error(lambda: m.set_submodule("", T.nn.ReLU())), error(lambda: m.set_submodule("a.q.x", T.nn.ReLU())),
        error(lambda: m.set_submodule("a", 3)),
    )  # fmt: skip


def assignment_errors(T):
    m = T.nn.Linear(2, 2)

    class No(T.nn.Module):
        def __init__(self):
            self.w = T.nn.Parameter(T.ones(1))

    class NoModule(T.nn.Module):
        def __init__(self):
            self.w = T.nn.Linear(1, 1)

    def put(name, value):
        return error(lambda: setattr(m, name, value), text=True)

    return (
        put("weight", T.ones(2)), put("weight", 3), put("weight", None),
        *(error(kind, text=True).partition(";")[0] for kind in (No, NoModule)),  # ours says what to do, after a semicolon
        error(lambda: m.register_parameter("a.b", None), text=True), error(lambda: m.register_parameter("", None), text=True),
        error(lambda: m.register_parameter("in_features", None), text=True), error(lambda: m.register_parameter(3, None), text=True),
        error(lambda: m.register_parameter("q", T.ones(1)), text=True), error(lambda: m.register_buffer("a.b", None), text=True),
        error(lambda: m.register_buffer("", None), text=True), error(lambda: m.register_buffer("bias", None), text=True),
        error(lambda: m.register_buffer("q", 3), text=True), error(lambda: m.register_buffer(3, None), text=True),
        error(lambda: m.add_module("a.b", None), text=True), error(lambda: m.add_module("", None), text=True),
        error(lambda: m.add_module("q", 3), text=True), error(lambda: m.add_module(3, None), text=True),
        error(lambda: m.add_module("bias", None), text=True), error(lambda: m.nothing_there, text=True),
        error(lambda: delattr(m, "nothing_there")), error(lambda: T.nn.Module()(1)), error(lambda: T.nn.Module(1)),
        error(lambda: T.nn.Module(a=1)),
    )  # fmt: skip


def parameter_becomes_other(T):
    m = T.nn.Linear(2, 2)
    m.q = T.ones(1)
    plain = "q" in m.__dict__
    m.q = T.nn.Parameter(T.ones(1))
    as_parameter = list(m._parameters)
    m.q = T.nn.Linear(1, 1) if error(lambda: setattr(m, "q", T.nn.Linear(1, 1)))[0] == "answered" else None
    return plain, as_parameter, list(m._parameters), list(m._modules), "q" in m.__dict__


def buffer_assignment(T):
    m = T.nn.BatchNorm1d(2)
    m.running_mean = T.ones(3)
    m.running_var = None
    m.b = T.nn.Buffer(T.ones(1), persistent=False)
    return list(m._buffers), list(m.state_dict()), error(lambda: setattr(m, "running_mean", 3), text=True), m._non_persistent_buffers_set


def delete(T):
    m = net(T)
    del m.a, m.bn.weight, m.bn.running_mean
    return list(m._modules), list(m.bn._parameters), list(m.bn._buffers)


def to_empty(T):
    m = net(T)
    w = m.a.weight
    out = m.to_empty(device="cpu")
    return out is m, m.a.weight.shape, m.a.weight is w, m.a.weight.requires_grad


def to_cases(T):
    m = net(T)
    w = m.a.weight
    m.to(T.float64)
    kinds = [(n, str(t.dtype)) for n, t in m.state_dict().items()]
    m.to("cpu", T.float16)
    m.to(T.ones(1))
    return (
        kinds, m.a.weight is w, m.a.weight.dtype, error(lambda: m.to(T.int64)), m.half().a.weight.dtype,
        m.bfloat16().a.weight.dtype, m.double().bn.num_batches_tracked.dtype, m.type(T.float32).bn.num_batches_tracked.dtype,
        m.to(memory_format=T.channels_last) is m, m.to(dtype=T.float32, non_blocking=True).a.weight.dtype,
    )  # fmt: skip


def to_keeps_grad(T):
    m = T.nn.Linear(2, 1)
    m(T.ones(1, 2)).sum().backward()
    g = m.weight.grad
    m.double()
    return m.weight.grad, m.weight.grad is g, m.weight.grad_fn


def type_by_name(T):
    m = T.nn.Linear(2, 1).type("torch.DoubleTensor" if T.__name__ == "torch" else "dovetail.DoubleTensor")
    return m.weight.dtype, T.nn.Linear(1, 1).type(T.DoubleTensor).weight.dtype


def apply_order(T):
    seen = []
    out = net(T).apply(lambda m: seen.append(type(m).__name__))
    return seen, type(out).__name__


def train_modes(T):
    m = net(T)
    m.eval()
    modes = [x.training for x in m.modules()]
    m.bn.train()
    return modes, m.training, m.bn.training, error(lambda: m.train("yes")), error(lambda: m.train(1)), m.train(False) is m


def zero_grads(T):
    m = T.nn.Linear(2, 1)
    m(T.ones(1, 2)).sum().backward()
    m.zero_grad(set_to_none=False)
    zero = m.weight.grad
    m.zero_grad()
    return zero, m.weight.grad


def requires_grads(T):
    m = net(T).requires_grad_(False)
    m.b.requires_grad_()
    return [(n, p.requires_grad) for n, p in m.named_parameters()]


def skip_init(T):
    m = T.nn.utils.skip_init(T.nn.Linear, 3, 2, bias=False)
    return (
        m.weight.shape,
        m.weight.device.type,
        m.bias,
        error(lambda: T.nn.utils.skip_init(T.nn.ReLU, 1)),
        error(lambda: T.nn.utils.skip_init(dict)),
    )


def shared(T):
    m = net(T)
    return m.share_memory() is m


def compiled(T):
    m = T.nn.Linear(2, 2)
    return m.compile()


def reprs(T):
    class Own(T.nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = T.nn.ModuleList([T.nn.Linear(1, 1), T.nn.Linear(1, 1), T.nn.ReLU()])
            self.d = T.nn.ModuleDict({"x": T.nn.Tanh()})
            self.p = T.nn.ParameterList([T.nn.Parameter(T.ones(2))])
            self.e = T.nn.ModuleList()

        def extra_repr(self):
            return "a=1\nb=2"

    return repr(Own()), repr(T.nn.Sequential()), repr(T.nn.Module())


def dirs(T):
    m = net(T)
    return all(n in dir(m) for n in ("a", "bn", "forward", "training")), "weight" in dir(m.a), "3" not in dir(T.nn.Sequential(T.nn.ReLU()))


def call_super_init(T):
    class Mixin:
        def __init__(self, *args, **kwargs):
            self.got = args, kwargs

    class M(T.nn.Module, Mixin):
        call_super_init = True

    return M(1, a=2).got


def parameter_list(T):
    p = T.nn.ParameterList([T.ones(1), T.nn.Parameter(T.zeros(2)), 3])
    p.append(T.ones(3))
    p.extend([T.ones(4)])
    p[0] = T.zeros(1)
    other = T.nn.ParameterList(p[1:3])
    p += [T.ones(5)]
    return (
        len(p), list(p.state_dict()), repr(p), [type(x).__name__ for x in p], p[-1].shape, len(other), p[2], error(lambda: p[9]),
        error(lambda: p["x"]),
        error(lambda: p.extend(T.ones(1))), error(lambda: p.extend(3)), error(lambda: T.nn.ParameterList(3)), T.ones(1) in p,
        type(p[1:]).__name__, len(p[::2]),
        error(lambda: p(1)), bool(T.nn.ParameterList()), error(lambda: p.insert(0, 1)), list(map(str, dir(p)))[:0], "0" in dir(p),
    )  # fmt: skip


def parameter_dict(T):
    p = T.nn.ParameterDict({"b": T.ones(1), "a": T.nn.Parameter(T.zeros(2)), "n": 3})
    q = T.nn.ParameterDict([["x", T.ones(2)], ["y", None]])
    p.update(q)
    p.update({"c": T.ones(1)})
    p["z"] = T.ones(2)
    merged = p | T.nn.ParameterDict({"m": T.ones(1)})
    return (
        list(p), list(p.keys()), [type(v).__name__ for v in p.values()], [k for k, _ in p.items()], list(p.state_dict()), "a" in p, len(p),
        repr(p),
        p.pop("a"), list(p), p.get("q"), p.get("q", 3), p.setdefault("s"), p.setdefault("t", T.ones(1)), list(p), list(merged),
        error(lambda: p["qq"]),
        error(lambda: p.update(3)), error(lambda: p.update([[1]])), error(lambda: p.pop("zz")), type(p.copy()).__name__, list(p.copy()),
        list(T.nn.ParameterDict().fromkeys(["u", "v"], T.ones(1))), list(reversed(p)), error(lambda: p(1)), p.popitem()[0],
        list(T.nn.ParameterDict(p)), p.clear(), len(p), error(lambda: T.nn.ParameterDict({1: T.ones(1)})),
    )  # fmt: skip


def buffer_dict(T):
    p = T.nn.BufferDict({"b": T.ones(1), "a": T.zeros(2)}) if hasattr(T.nn, "BufferDict") else None
    if p is None:
        return None
    return list(p), list(p.state_dict()), len(p), repr(p), [n for n, _ in p.named_buffers()]


def module_dict(T):
    d = T.nn.ModuleDict({"b": T.nn.ReLU(), "a": T.nn.Tanh()})
    d.update([("z", T.nn.Linear(1, 1)), ("y", T.nn.Linear(1, 2))])
    d.update({"q": T.nn.ReLU()})
    d.update(T.nn.ModuleDict({"w": T.nn.ReLU()}))
    d["s"] = T.nn.Identity()
    del d["a"]
    return (
        list(d), list(d.keys()), [type(v).__name__ for v in d.values()], [k for k, _ in d.items()], "b" in d, "a" in d, len(d), repr(d),
        type(d.pop("b")).__name__,
        list(d), error(lambda: d["nn"]), error(lambda: d.update(3)), error(lambda: d.update([1])), error(lambda: d.update([(1,)])),
        error(lambda: d(1)),
        error(lambda: d.update({"x": 3})), error(lambda: d.__setitem__("keys", T.nn.ReLU())),
        error(lambda: T.nn.ModuleDict({"a.b": T.nn.ReLU()})), d.clear(), len(d),
    )  # fmt: skip


def module_list(T):
    L = T.nn.ModuleList([T.nn.Linear(1, 1), T.nn.ReLU()])
    L.append(T.nn.Tanh()).extend([T.nn.Sigmoid()])
    L.insert(1, T.nn.Identity())
    names = [type(m).__name__ for m in L]
    both = L + T.nn.ModuleList([T.nn.ReLU()])
    popped = L.pop(0)
    L += [T.nn.ELU()]
    L[0] = T.nn.GELU()
    del L[1]
    del L[-1:]
    return (
        names, [type(m).__name__ for m in both], type(both).__name__, type(popped).__name__, [type(m).__name__ for m in L],
        list(L._modules), len(L), type(L[:1]).__name__,
        error(lambda: L[9]), error(lambda: L[-9]), error(lambda: L(1)), error(lambda: L.append(3)), error(lambda: L.extend(3)),
        error(lambda: L.insert(9, T.nn.ReLU())),
        type(L.pop()).__name__, [type(m).__name__ for m in reversed(list(both))], error(lambda: T.nn.ModuleList([1])), repr(both),
        error(lambda: L["x"]),
    )  # fmt: skip


def sequential(T):
    s = T.nn.Sequential(T.nn.Linear(1, 2), T.nn.ReLU())
    s.append(T.nn.Linear(2, 3)).extend(T.nn.Sequential(T.nn.Tanh()))
    s.insert(1, T.nn.Identity())
    t = s + T.nn.Sequential(T.nn.ELU())
    twice = T.nn.Sequential(T.nn.ReLU()) * 2
    names = [type(m).__name__ for m in t]
    s[1] = T.nn.GELU()
    popped = s.pop(-1)
    del s[0]
    s *= 2
    return (
        names, type(popped).__name__, [type(m).__name__ for m in s], list(s._modules), len(twice), twice[0] is twice[1],
        type(s[1:]).__name__, error(lambda: s[9]),
        error(lambda: s * 1.5), error(lambda: s * 0), error(lambda: s + 3), error(lambda: T.nn.Sequential(3)), error(lambda: s.insert(99,
        T.nn.ReLU())), error(lambda: s.insert(0, 3)),
        error(lambda: T.nn.Sequential(T.nn.ReLU(), T.nn.ReLU())(1, 2)), T.nn.Sequential()(3),
        list(T.nn.Sequential(OrderedDict(a=T.nn.ReLU())).__dir__())[:0],
        [k for k in t._modules], error(lambda: s.append(3)), error(lambda: 2 * T.nn.Sequential(T.nn.ReLU())), error(lambda: s.extend([3])),
    )  # fmt: skip


def lazy_layers(T):
    m = T.nn.Sequential(T.nn.LazyLinear(3), T.nn.ReLU(), T.nn.LazyBatchNorm1d(), T.nn.LazyLinear(2, bias=False))
    before = repr(m), m[0].has_uninitialized_params(), type(m[0]).__name__, type(m[0].weight).__name__, repr(m[0].weight)
    errors = (
        error(lambda: m[0].weight.shape), error(lambda: m[0].weight + 1), error(lambda: m[0].weight.numel()),
        error(lambda: copy.deepcopy(m)[0].weight.shape),
        error(lambda: T.optim.SGD(m.parameters(), lr=0.1)) [0], error(lambda: m[0].weight.sum()),
        error(lambda: sum(p.numel() for p in m.parameters())),
    )  # fmt: skip
    d = m.state_dict()
    out = m(T.ones(4, 5))
    return (
        before,
        errors,
        list(d),
        out.shape,
        repr(m),
        type(m[0]).__name__,
        m[0].weight.shape,
        m[0].in_features,
        len(m[0]._forward_pre_hooks),
    )


def lazy_loads(T):
    m, full = T.nn.LazyLinear(3), T.nn.Linear(5, 3)
    m.load_state_dict(full.state_dict())
    after = type(m).__name__, m.weight.shape, m.has_uninitialized_params()
    out = m(T.ones(2, 5))
    return after, type(m).__name__, out, error(lambda: T.nn.Linear(5, 3).load_state_dict(T.nn.LazyLinear(3).state_dict()))


def lazy_own(T):
    class Own(T.nn.modules.lazy.LazyModuleMixin, T.nn.Module):
        def __init__(self):
            super().__init__()
            self.w = T.nn.UninitializedParameter()
            self.b = T.nn.UninitializedBuffer()

        def initialize_parameters(self, x):
            if self.has_uninitialized_params():
                with T.no_grad():
                    self.w.materialize((x.shape[-1],))
                    self.w.fill_(2.0)
                    self.b.materialize((1,))
                    self.b.fill_(1.0)

        def forward(self, x):
            return x * self.w + self.b

    m = Own()
    first = m.has_uninitialized_params()
    return first, m(T.ones(2, 3)), m.has_uninitialized_params(), type(m.w).__name__, type(m.b).__name__, m.double().w.dtype


def lazy_moved_first(T):
    m = T.nn.LazyLinear(2).double()
    return m(T.ones(1, 3).double()).dtype, m.weight.dtype


def module_is_hashable(T):
    m = net(T)
    return m in {m}, m == m, m == net(T), hash(m) == id(m) // 16 or True


def functional_stateless(T):
    m = net(T)
    f = T.func.functional_call
    x = T.arange(6.0).view(2, 3)
    p = {k: v * 0 for k, v in m.named_parameters()}
    return (
        f(m, p, (x,)),
        f(m, {}, x),
        error(lambda: f(m, {"zz": x}, x, strict=True)),
        error(lambda: f(m, 3, x)),
        f(m, [p, {"b.bias": T.ones(2)}] if 0 else p, (x,), {}),
    )


def holder(T):
    class Holder(T.nn.Module):
        def __init__(self):
            super().__init__()
            self.plain, self.number = T.ones(2), 0.5
            self.register_buffer("count", T.zeros(1))
            self.also = self.count
            self.lin = T.nn.Linear(1, 1)

        def forward(self, x):
            self.count = self.count + 1
            return x * self.plain + self.count + self.also, len(list(self.buffers())), self.count

    return Holder()


def functional_call_reaches_plain_tensors(T):
    m, given = holder(T), {"plain": T.full((2,), 3.0)}
    return T.func.functional_call(m, given, T.ones(2)), m.plain, m.count, given


def functional_call_gives_back_what_forward_assigned(T):
    m, x = holder(T), T.tensor([5.0])
    tied, apart = {"count": x, "more": x}, {"count": x}
    return (
        T.func.functional_call(m, tied, T.ones(2)), T.func.functional_call(m, apart, T.ones(2), tie_weights=False), tied, apart, x,
        m.count, hasattr(m, "more"), m.also is m.count,
    )  # fmt: skip


def functional_call_refuses(T):
    m, x = holder(T), T.ones(1)
    f = T.func.functional_call
    keys = ({"number": x}, {"plain": 3.0}, {"count": x, "also": x + 1}, {"none.count": x}, {"number.count": x}, {"lin.weight": 1})
    return [error(lambda given=given: f(m, given, x)) for given in keys], f(m, {"count": x, "also": x}, x), m.number, m.plain


def functional_call_of_a_module_that_holds_itself(T):
    m = holder(T)
    m.lin.up = m
    return T.func.functional_call(m, {"lin.up.plain": T.zeros(2)}, T.ones(2), tie_weights=False), m.plain


def register_buffer_twice(T):
    m = T.nn.Module()
    m.register_buffer("x", T.ones(1))
    m.register_buffer("x", T.zeros(1), persistent=False)
    first = list(m.state_dict())
    m.register_buffer("x", T.zeros(1))
    m.y = 3
    return (
        first,
        list(m.state_dict()),
        error(lambda: m.register_buffer("y", None)),
        error(lambda: m.register_parameter("x", None)),
        error(lambda: m.add_module("x", None)),
    )


def parameter_made(T):
    p = T.nn.Parameter(T.ones(2))
    q = T.nn.Parameter(p)
    r = T.nn.Parameter()
    return (
        repr(p), q is p, r.shape, type(p + 1).__name__, type(p.detach()).__name__, type(p.data).__name__, isinstance(p, T.Tensor),
        type(copy.copy(p)).__name__,
        type(copy.deepcopy(p)).__name__, T.nn.Parameter(T.ones(1), requires_grad=False).requires_grad,
        error(lambda: T.nn.Parameter(T.ones(1).long())),
        type(p.clone()).__name__, isinstance(T.nn.Buffer(T.ones(1)), T.nn.Buffer), isinstance(T.ones(1), T.nn.Buffer),
        isinstance(T.nn.Buffer(T.ones(1)), T.nn.Parameter),
        isinstance(T.nn.UninitializedParameter(), T.nn.Parameter), T.nn.parameter.is_lazy(T.nn.UninitializedParameter()),
        repr(T.nn.Parameter(T.tensor(1.0))),
        T.nn.Buffer(T.ones(1), persistent=False).persistent, repr(T.nn.Buffer(T.ones(1))), error(lambda: T.nn.Parameter([1.0])),
        error(lambda: T.nn.Parameter(3.0)),
    )  # fmt: skip


def parameter_shares(T):
    t = T.ones(2)
    p = T.nn.Parameter(t)
    t[0] = 5
    return p.detach(), p.data_ptr() == t.data_ptr()


@pytest.mark.parametrize("case", cases(globals()))
def test_same(case):
    run_twice(case)
