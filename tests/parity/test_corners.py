"""Corners where PyTorch's answer is a matter of form: how things print, and what its faster path does with padding."""

from __future__ import annotations

import itertools
import warnings
from typing import Any

import numpy as np
import pytest
import torch

import dovetail as dv

pytestmark = pytest.mark.parity

PRINTED = [
    "nn.Linear(3, 2).load_state_dict({}, strict=False)",
    "nn.Linear(3, 2).load_state_dict(nn.Linear(3, 2).state_dict())",
    "nn.ParameterDict({'a': T.ones(2), 'b': nn.Parameter(T.ones(2).double()), 'c': 3})",
    "nn.ParameterList([T.ones(2), T.ones(2).double()])",
    *(f"T.finfo(T.{kind})" for kind in ("float16", "bfloat16", "float32", "float64", "complex64")),
    *(f"T.iinfo(T.{kind})" for kind in ("uint8", "int8", "int16", "int32", "int64")),
    "T.strided",
    "T.ones(2).layout",
    "type(T.ones(2).layout).__name__",
    "Fn.apply(T.ones(2, requires_grad=True)).grad_fn.name()",
    "Fn.apply(T.ones(2, requires_grad=True))",
    "F.softmax(T.ones(2))",
    "T.ones(2, 2).sum(dim=None, keepdim=True)",
    "nn.Parameter(T.ones(2).long(), requires_grad=False)",
]


def printed(library: Any, text: str) -> str:
    rules = {"forward": staticmethod(lambda c, x: x * 2), "backward": staticmethod(lambda c, g: g)}
    twice = type("Fn", (library.autograd.Function,), rules)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = eval(text, {"T": library, "nn": library.nn, "F": library.nn.functional, "Fn": twice})  # noqa: S307 - our own table
    return repr(found).replace("torch.", "").replace("dovetail.", "")


@pytest.mark.parametrize("text", PRINTED)
def test_prints_alike(text: str) -> None:
    assert printed(dv, text) == printed(torch, text)


def encoded(library: Any, how: tuple[Any, ...]) -> Any:
    norm, batch_first, heads, norm_first, activation, grad, training, masked, nested, check, at_end = how
    library.manual_seed(0)
    layer = library.nn.TransformerEncoderLayer(8, heads, 16, 0.0, batch_first=batch_first, norm_first=norm_first, activation=activation)
    model = library.nn.TransformerEncoder(layer, 2, library.nn.LayerNorm(8) if norm else None, nested, check).train(training)
    x = library.randn(3, 4, 8)
    pad = library.tensor([[0, 0, 0, 1], [0, 0, 1, 1] if at_end else [0, 1, 0, 1], [0, 0, 0, 0]]).bool()
    more = {"mask": library.zeros(4, 4).bool()} if masked else {}
    with library.set_grad_enabled(grad), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model(x if batch_first else x.transpose(0, 1), src_key_padding_mask=pad, **more).detach().numpy()


STANDARD = (False, True, 2, False, "relu", False, False, False, True, True, True)  # PyTorch leaves padding out
CHANGES = [(0, True), (1, False), (2, 1), (3, True), (4, "gelu"), (5, True), (6, True), (7, True), (8, False), (9, False), (10, False)]


@pytest.mark.parametrize("changes", [(), *((c,) for c in CHANGES), *itertools.combinations(CHANGES, 2)])
def test_padding_of_an_encoder(changes: tuple[tuple[int, Any], ...]) -> None:
    how = list(STANDARD)
    for at, value in changes:
        how[at] = value
    if how[9] is False and not how[10]:
        pytest.skip("PyTorch wants padding at the end without mask_check")
    np.testing.assert_allclose(encoded(dv, tuple(how)), encoded(torch, tuple(how)), atol=1e-5)


def test_padding_is_zero_in_evaluation() -> None:
    assert not encoded(dv, STANDARD)[0, 3].any()


def test_a_mask_beside_causality() -> None:
    """PyTorch's kernel applies both; its composed form, which serves gradients of the mask, refuses."""
    for kind in ("bool", "float"):
        found = []
        for library in (torch, dv):
            library.manual_seed(0)
            q, k, v = (library.randn(2, 2, 3, 4) for _ in range(3))
            mask = library.randn(3, 3) if kind == "float" else library.tensor([[1, 0, 1], [1, 1, 0], [1, 0, 1]]).bool()
            attend = library.nn.functional.scaled_dot_product_attention
            found.append(attend(q, k, v, attn_mask=mask, is_causal=True).numpy())
        np.testing.assert_allclose(found[1], found[0], atol=1e-6)


def test_what_the_whole_table_of_operators_showed() -> None:
    """A complex number as weight of lerp, the gradient of nextafter of 0-d tensors, batch norm of nothing, ravel of a view."""
    for T in (torch, dv):
        a = T.ones(2, dtype=T.complex128)
        assert T.lerp(a, a * 2, 0.3 + 0.2j).tolist() == [1.3 + 0.2j] * 2
        x = T.tensor(1.0, requires_grad=True)
        T.nextafter(x, T.tensor(2.0)).backward()
        assert x.grad.item() == 1
        empty = T.nn.functional.batch_norm(T.ones(0), T.zeros(0), T.ones(0), training=True)
        assert tuple(empty.shape) == (0,)
        assert T.unravel_index(T.tensor([0]), ()) == () and T.tensor(True).sum_to_size(()).dtype == T.int64
        whole = T.zeros(2, 4)
        whole[:, ::2].ravel().add_(1)
        assert not whole.any() and whole[:, ::2].ravel().stride() == (1,)
