"""What PyTorch's own tests of nn have found here: small programs, run with both."""

from __future__ import annotations

import copy
import math
import pickle
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


def complex_linear(T: Any, a: int, b: int) -> Any:
    m = T.nn.Linear(a, b, dtype=T.complex128)
    with T.no_grad():
        m.weight.copy_(T.complex(given(T, b, a), given(T, b, a).cos()))
    return m


def spectral_norm_of_complex_weights(T):
    m = T.nn.utils.parametrizations.spectral_norm(complex_linear(T, 3, 4), n_power_iterations=30)
    m(T.ones(1, 3, dtype=T.complex128))
    return m.weight.detach(), T.linalg.matrix_norm(m.weight, 2).detach()


def unitary_weights(T):
    found = []
    for shape in ((3, 3), (3, 4), (4, 3)):
        for kind in (None, "matrix_exp", "cayley"):
            m = T.nn.utils.parametrizations.orthogonal(complex_linear(T, *shape), orthogonal_map=kind, use_trivialization=False)
            start = m.weight.detach()
            m.weight.abs().pow(3).sum().backward()
            found += [start, m.parametrizations.weight.original.grad]
    m = T.nn.utils.parametrizations.orthogonal(complex_linear(T, 3, 3))
    return found, m.weight.detach(), error(lambda: T.nn.utils.parametrizations.orthogonal(complex_linear(T, 3, 4), "weight", "householder"))


def nearly_orthogonal_weights(T):
    m = linear(T, 2, 2)
    with T.no_grad():
        m.weight.copy_(T.eye(2) * (1 + 3e-6))
    return T.nn.utils.parametrizations.orthogonal(m).weight.detach()


def going(T: Any, there: Any, back: Any = None) -> Any:
    class Going(T.nn.Module):
        def forward(self, *x):
            return there(*x)

    if back is not None:
        Going.right_inverse = lambda self, x: back(x)
    return Going()


def parametrizations_that_do_not_fit(T):
    p = T.nn.utils.parametrize.register_parametrization
    same = going(T, lambda x: x)
    wrong = (
        going(T, lambda x: x, lambda x: None),
        going(T, lambda x: x, lambda x: (x, x)),
        going(T, lambda x: x, lambda x: x.float()),
        going(T, lambda x, y: x, lambda x: (x, None)),
        going(T, lambda x, y: x, lambda x: (x,)),
        going(T, lambda x: x, lambda x: x[:1]),
        going(T, lambda x: x.bool()),
        going(T, lambda x: (x, x)),
    )
    plain = [error(lambda w=w: p(linear(T), "weight", w).weight.shape) for w in wrong]
    after = [error(lambda w=w: p(p(linear(T), "weight", same), "weight", w).weight.shape) for w in wrong]
    return (
        plain,
        after,
        p(linear(T), "weight", going(T, lambda x: x.repeat(1, 2), lambda x: x[:, :2])),
        [error(lambda w=w: p(linear(T), "weight", w, unsafe=True).weight.shape) for w in wrong[:-1]],
    )


def assignment_to_a_parametrized_tensor(T):
    p, flag = T.nn.utils.parametrize.register_parametrization, []

    def back(x):
        return x[:, :2] if not flag else flag[0](x)

    m = p(linear(T), "weight", going(T, lambda x: T.cat([x, x[:, :1]], 1), back))
    m.weight = given(T, 4, 3) * 2
    first = m.weight.detach(), m.parametrizations.weight.original.shape
    given_one = given(T, 6, 3)
    m.weight = given_one
    shared = m.weight.shape
    found = []
    for bad in (lambda x: x.float(), lambda x: None, lambda x: [x]):
        flag[:] = [bad]
        found.append(error(lambda: setattr(m, "weight", given(T, 4, 3))))
    return first, shared, found


def assignment_to_several_originals(T):
    p, flag = T.nn.utils.parametrize.register_parametrization, []
    m = p(linear(T), "weight", going(T, lambda x, y: x + y, lambda x: flag[0](x) if flag else (x, x * 0)))
    m.weight = given(T, 4, 3) * 3
    found = [m.weight.detach()]
    for bad in (lambda x: x, lambda x: (x,), lambda x: (x, 3), lambda x: (x, x.float())):
        flag[:] = [bad]
        found.append(error(lambda: setattr(m, "weight", given(T, 4, 3))))
    return found


def transferred_parametrizations_are_one(T):
    p = T.nn.utils.parametrize
    a, b, c = linear(T), linear(T), T.nn.utils.parametrizations.weight_norm(linear(T))
    p.register_parametrization(a, "weight", going(T, lambda x: x * 2, lambda x: x / 2))
    p.transfer_parametrizations_and_params(a, b)
    d = p.transfer_parametrizations_and_params(c, T.nn.Linear(3, 4).double())
    same = a.parametrizations.weight.original is b.parametrizations.weight.original
    both = d.parametrizations.weight.original1 is c.parametrizations.weight.original1
    plain = T.nn.Linear(1, 1)
    return (
        same,
        both,
        d.weight.detach(),
        p.transfer_parametrizations_and_params(T.nn.Linear(1, 1), plain) is plain,
        hasattr(plain, "parametrizations"),
    )


def parametrized_modules_are_copied_not_pickled(T):
    m = T.nn.utils.parametrizations.weight_norm(linear(T))
    c = copy.deepcopy(m)
    return error(lambda: pickle.dumps(m)), c.weight.detach(), type(c).__name__, c.parametrizations.weight.original0.requires_grad


def removed_parametrizations(T):
    p = T.nn.utils.parametrize
    m = linear(T)
    p.register_parametrization(m, "weight", going(T, lambda x: T.cat([x, x]) * 2, lambda x: x / 2), unsafe=True)
    own = m.parametrizations.weight.original
    p.remove_parametrizations(m, "weight")
    return m.weight.detach(), m.weight is own, m.weight.requires_grad, type(m).__name__


# --- modules ---------------------------------------------------------------------------------------------------------


def batch_norm_keeps_its_count(T):
    m, still = T.nn.BatchNorm1d(2), T.nn.BatchNorm1d(2, track_running_stats=False)
    m.num_batches_tracked = T.tensor(10)
    found = m.load_state_dict({}, strict=False), still.load_state_dict({}, strict=False)
    with T.device("meta"):
        away = T.nn.BatchNorm1d(2)
    away.load_state_dict({}, strict=False, assign=True)
    old = T.nn.BatchNorm1d(2).state_dict()
    del old["num_batches_tracked"]
    old._metadata[""]["version"] = 1
    return m.num_batches_tracked, still.num_batches_tracked, away.num_batches_tracked, list(map(str, found)), m.load_state_dict(old)


def buffers_of_a_subclass(T):
    class Older(T.nn.Linear):
        def __init__(self):
            super().__init__(2, 2)
            self.kept = T.nn.Buffer(T.ones(2))

        def register_buffer(self, name, value):
            super().register_buffer(name, value, True)

    return list(Older().state_dict())


def conversions_that_are_refused(T):
    m = T.nn.Linear(1, 1)
    found = [error(lambda a=a: m.to(*a)) for a in (("cpu", True), (None, True), (True,), ("cpu", T.float64, False, True), ([],), ({},))]
    return found, error(lambda: m.to("cpu", copy=True)), error(lambda: T.ones(1).to("cpu", True)), m.to(T.float64, True).weight.dtype


def gradients_by_their_older_name(T):
    p = T.nn.Parameter(T.ones(2))
    p._grad = T.full((2,), 3.0)
    first = p.grad
    p._grad = None
    return first, p.grad, p._grad


def shared_memory(T):
    m = T.nn.Linear(2, 2).share_memory()
    return m.weight.is_shared(), m.weight.storage().is_shared(), T.ones(1).untyped_storage().is_shared()


def fused_norms(T):
    from_ = T.nn.utils.fusion
    found = []
    for need in (True, False):
        conv, bn = T.nn.Conv2d(2, 2, 1).double(), T.nn.BatchNorm2d(2).double()
        conv.weight.requires_grad, conv.bias.requires_grad = need, not need
        for bias in (conv.bias, None):
            w, b = from_.fuse_conv_bn_weights(conv.weight, bias, bn.running_mean, bn.running_var, bn.eps, bn.weight, bn.bias)
            found += [w.requires_grad, b.requires_grad, b.dtype]
    w, b = from_.fuse_conv_bn_weights(conv.weight.half(), None, bn.running_mean, bn.running_var, bn.eps, bn.weight, bn.bias)
    return found, w.dtype, b.dtype


# --- functions -------------------------------------------------------------------------------------------------------


def classes_that_are_not_there(T):
    F = T.nn.functional
    shapes = ((5, 0), (2, 0, 3), (0,), (0, 5))
    return [
        F.cross_entropy(T.ones(s), T.ones(s), reduction=how, label_smoothing=smooth) + 0
        for s in shapes for how in ("mean", "sum", "none") for smooth in (0.0, 0.1)
    ], error(lambda: F.multilabel_margin_loss(T.ones(3, 0), T.ones(3, 0).long()))  # fmt: skip


def norms_without_eps(T):
    x, mean, var = given(T, 4, 2), given(T, 2), given(T, 2) + 2
    return [
        error(lambda e=e, t=t: T.nn.functional.batch_norm(x, mean.clone(), var.clone(), training=t, eps=e))
        for e in (0.0, -1.0, 1e-3) for t in (True, False)
    ]  # fmt: skip


def losses_of_a_linear_layer_that_do_not_fit(T):
    kinds = ({"weight": T.ones(3)}, {"label_smoothing": 2.0}, {"label_smoothing": -0.1}, {"weight": T.ones(2), "label_smoothing": 1.0})
    return [error(lambda k=k: T.nn.LinearCrossEntropyLoss(3, 2, **k).label_smoothing) for k in kinds]


def borders_of_nothing(T):
    F, found = T.nn.functional, []
    for n in (1, 2, 3):
        for lead in ((3, 0), (0, 3), (0,), (3,)):
            for mode in ("reflect", "replicate", "circular"):
                found.append(error(lambda n=n, lead=lead, mode=mode: F.pad(T.ones(*lead, *(4,) * n), (1, 1) * n, mode).shape))
    windows = [error(lambda s=s: F.unfold(T.ones(s), (2, 3)).shape) for s in ((3, 0, 3, 4), (0, 3, 3, 4), (0, 3, 4), (2, 3, 4))]
    return found, windows, [error(lambda s=s: F.fold(T.ones(s), (2, 4), (2, 3)).shape) for s in ((0, 6, 2), (0, 2), (6, 2), (1, 0, 2))]


def sizes_to_resize_to(T):
    x = T.ones(1, 1, 2, 2)
    sizes = (True, T.tensor(4.0), (T.tensor(4.0),) * 2, (T.tensor(4),) * 2, (4, 4.0), 4, [4, 4])
    return [error(lambda s=s: T.nn.functional.interpolate(x, size=s).shape) for s in sizes]


def pixels_of_channels_last(T):
    x = T.arange(2 * 18 * 4.0).view(2, 18, 2, 2).contiguous(memory_format=T.channels_last)
    y = T.nn.functional.pixel_shuffle(x, 3)
    return y, y.stride(), T.nn.functional.pixel_unshuffle(y, 3).stride()


def gradients_of_no_channels(T):
    found = []
    for dtype in (T.float64, T.complex128):
        x, w = T.ones(2, 0, 7, dtype=dtype, requires_grad=True), T.ones(8, 0, 2, dtype=dtype, requires_grad=True)
        T.nn.functional.conv1d(x, w, stride=2).sum().abs().backward()
        found += [x.grad.shape, w.grad.shape]
    return found


def mish_of_half_precision(T):
    found = []
    for dtype in (T.bfloat16, T.float16):
        x = T.linspace(-4, 4, 41).to(dtype).requires_grad_()
        T.nn.functional.mish(x).sum().backward()
        found.append(x.grad.float())
    return found


def modules_of_gradients(T):
    x, w = given(T, 1, 2, 5), given(T, 3, 2, 3)
    return T.nn.functional.grad.conv1d_input(x.shape, w, given(T, 1, 3, 3)), T.nn.functional.grad is T.nn.grad


# --- attention -------------------------------------------------------------------------------------------------------


def attention_that_does_not_fit(T):
    m, x = T.nn.MultiheadAttention(4, 2, add_bias_kv=True).double(), given(T, 3, 1, 4)

    def run(bias_k, bias_v, **more):
        return T.nn.functional.multi_head_attention_forward(
            x, x, x, 4, 2, m.in_proj_weight, m.in_proj_bias, bias_k, bias_v, False, 0.0, m.out_proj.weight, m.out_proj.bias, **more
        )[0].shape  # fmt: skip

    kept = given(T, 2, 3, 2)
    found = [
        error(lambda: run(m.bias_k, m.bias_v, static_k=kept)), error(lambda: run(m.bias_k, m.bias_v, static_v=kept)),
        error(lambda: run(m.bias_k, None)), error(lambda: run(None, m.bias_v)), run(None, None, static_k=kept, static_v=kept),
    ]  # fmt: skip
    one = x[:, 0]
    masks = [T.zeros(s).bool() for s in ((2, 3, 3), (5, 3, 3), (3, 3), (2, 3, 2))]
    return found, [error(lambda mask=mask: m(one, one, one, attn_mask=mask)[0].shape) for mask in masks]


@pytest.mark.parametrize("case", cases(globals()))
def test_same(case):
    run_twice(case)
