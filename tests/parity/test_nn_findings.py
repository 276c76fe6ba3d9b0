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


@pytest.mark.parametrize("case", cases(globals()))
def test_same(case):
    run_twice(case)
