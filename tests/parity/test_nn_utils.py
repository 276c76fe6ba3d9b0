"""nn.utils against PyTorch's: packed sequences through recurrent layers, clipping, norms as hooks and as parametrizations, fusion."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import dovetail as dv

pytestmark = pytest.mark.parity


def close(mine: Any, theirs: Any, tol: float = 1e-9) -> None:
    a, b = mine.detach().numpy(), theirs.detach().numpy()
    assert a.shape == b.shape and a.dtype == b.dtype
    np.testing.assert_allclose(a, b, rtol=tol, atol=tol)


def twins(make: Any) -> tuple[Any, Any]:
    """The same module in both, in float64, with equal weights."""
    dv.manual_seed(4), torch.manual_seed(4)
    mine, theirs = make(dv).double(), make(torch).double()
    mine.load_state_dict({k: dv.tensor(v.numpy()) for k, v in theirs.state_dict().items()})
    return mine, theirs


def values(*shape: int, seed: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-2, 2, shape)


LENGTHS = [[4, 3, 1], [4, 4, 4], [2, 4, 1], [3, 3, 2]]


@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
@pytest.mark.parametrize("batch_first", [True, False])
def test_packing_and_padding(lengths, batch_first):
    x = values(3, 4, 2) if batch_first else values(4, 3, 2)
    outs = []
    for lib in (dv, torch):
        t = lib.tensor(x).requires_grad_()
        packed = lib.nn.utils.rnn.pack_padded_sequence(t, lib.tensor(lengths), batch_first, enforce_sorted=False)
        padded, back = lib.nn.utils.rnn.pad_packed_sequence(packed, batch_first, padding_value=7.0, total_length=5)
        (padded * padded).sum().backward()
        outs.append((packed.data, packed.batch_sizes, packed.sorted_indices, packed.unsorted_indices, padded, back, t.grad))
    for mine, theirs in zip(*outs, strict=True):
        close(mine, theirs)


@pytest.mark.parametrize(("batch_first", "side"), itertools.product([True, False], ["left", "right"]))
def test_pad_sequence(batch_first, side):
    parts = [values(n, 2, seed=n) for n in (2, 4, 1)]
    mine, theirs = (lib.nn.utils.rnn.pad_sequence([lib.tensor(p) for p in parts], batch_first, -1.0, side) for lib in (dv, torch))
    close(mine, theirs)
    if side == "right":
        for a, b in zip(dv.nn.utils.rnn.unpad_sequence(mine, dv.tensor([2, 4, 1]), batch_first), parts, strict=True):
            np.testing.assert_array_equal(a.numpy(), b)
    packed, packed_ = (lib.nn.utils.rnn.pack_sequence([lib.tensor(p) for p in parts], enforce_sorted=False) for lib in (dv, torch))
    close(packed.data, packed_.data)
    for a, b in zip(dv.nn.utils.rnn.unpack_sequence(packed), parts, strict=True):
        np.testing.assert_array_equal(a.numpy(), b)


RECURRENT = [
    (kind, more)
    for kind in ("RNN", "LSTM", "GRU")
    for more in ({}, {"num_layers": 2, "bidirectional": True}, {"bias": False, "bidirectional": True})
] + [("LSTM", {"proj_size": 2, "bidirectional": True})]


@pytest.mark.parametrize("lengths", LENGTHS[::2], ids=str)
@pytest.mark.parametrize(("kind", "more"), RECURRENT, ids=str)
def test_recurrent_layers_on_packed_sequences(kind, more, lengths):
    mine, theirs = twins(lambda lib: getattr(lib.nn, kind)(2, 3, **more))
    x, results = values(4, 3, 2), []
    ways = more.get("num_layers", 1) * (2 if more.get("bidirectional") else 1)
    for lib, layer in ((dv, mine), (torch, theirs)):
        t = lib.tensor(x).requires_grad_()
        states = [lib.tensor(values(ways, 3, n, seed=n)) for n in (more.get("proj_size", 3), 3)]
        packed = lib.nn.utils.rnn.pack_padded_sequence(t, lengths, enforce_sorted=False)
        out, h = layer(packed, tuple(states) if kind == "LSTM" else states[0])
        h = h if isinstance(h, tuple) else (h,)
        total = (out.data**2).sum() + sum((s**3).sum() for s in h)
        total.backward()
        results.append([out.data, out.batch_sizes, *h, t.grad, *(p.grad for p in layer.parameters())])
    for a, b in zip(*results, strict=True):
        close(a, b)


def test_packed_sequences_convert_as_tensors_do():
    for name in "byte char double float half int long short".split():
        found = []
        for lib in (dv, torch):
            packed = lib.nn.utils.rnn.pack_padded_sequence(lib.ones(3, 2, 1), [3, 2])
            made = getattr(packed, name)()
            found.append((str(made.data.dtype).rpartition(".")[2], made.data.tolist(), made is packed, made.batch_sizes.tolist()))
        assert found[0] == found[1], name


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda r, t: r.pack_padded_sequence(t, [1, 2, 3]), RuntimeError, "must be sorted in decreasing order"),
        (
            lambda r, t: r.pack_padded_sequence(t, [2, 1]),
            RuntimeError,
            "Expected `len(lengths)` to be equal to batch_size, but got 2 (batch_size=3)",
        ),
        (lambda r, t: r.pack_padded_sequence(t, [2, 1, 0]), RuntimeError, "Length of all samples has to be greater than 0"),
        (
            lambda r, t: r.pad_packed_sequence(r.pack_padded_sequence(t, [4, 2, 1]), total_length=2),
            ValueError,
            "Expected total_length to be at least the length",
        ),
        (lambda r, t: r.pad_sequence([], True), RuntimeError, "received an empty list of sequences"),
        (lambda r, t: r.pad_sequence([t], padding_side="top"), RuntimeError, "Expected padding_side to be one of left or right"),
    ],
)
def test_errors_of_sequences(call, error, text):
    for lib in (dv, torch):
        with pytest.raises(error) as caught:
            call(lib.nn.utils.rnn, lib.tensor(values(4, 3, 2)))
        assert text in str(caught.value)


@pytest.mark.parametrize(
    ("make", "shapes", "error", "text"),
    [
        (lambda nn: nn.LSTM(3, 4), [(5, 2, 7)], RuntimeError, "input.size(-1) must be equal to input_size. Expected 3, got 7"),
        (lambda nn: nn.GRU(3, 4), [(2, 5, 2, 3)], ValueError, "Expected input to be 2D or 3D, got 4D"),
        (lambda nn: nn.GRU(3, 4), [(5, 2, 3), (2, 2, 4)], RuntimeError, "Expected hidden size (1, 2, 4), got [2, 2, 4]"),
        (lambda nn: nn.RNN(3, 4), [(5, 3), (1, 1, 4)], RuntimeError, "For unbatched 2-D input, hx should also be 2-D but got 3-D"),
        (lambda nn: nn.GRUCell(3, 4), [(2, 3), (3, 4)], RuntimeError, ""),
        (lambda nn: nn.RNNCell(3, 4), [(2, 2, 3)], ValueError, "Expected input to be 1D or 2D, got 3D"),
        (lambda nn: nn.GRU(3, 4, proj_size=2), [], (ValueError, TypeError), "proj_size"),
        (lambda nn: nn.LSTM(3, 4, proj_size=4), [], ValueError, "proj_size has to be smaller than hidden_size"),
        (lambda nn: nn.LSTM(3, 0), [], ValueError, "hidden_size must be greater than zero"),
        (lambda nn: nn.RNN(3, 4, nonlinearity="gelu"), [], ValueError, "Unknown nonlinearity 'gelu'"),
        (lambda nn: nn.LSTM(3, 4, dropout=2), [], ValueError, "dropout should be a number in range [0, 1]"),
    ],
)
def test_errors_of_recurrent_layers(make, shapes, error, text):
    for lib in (dv, torch):
        with pytest.raises(error) as caught:
            make(lib.nn)(*(lib.ones(*s) for s in shapes))
        assert text in str(caught.value)


@pytest.mark.parametrize("kind", [1.0, 2.0, 3.0, float("inf")])
@pytest.mark.parametrize("bound", [0.5, 100.0])
def test_clip_grad_norm(kind, bound):
    results = []
    for lib in (dv, torch):
        ps = [lib.zeros(3, 2, requires_grad=True), lib.zeros(4, requires_grad=True), lib.zeros(1, requires_grad=True)]
        ps[0].grad, ps[1].grad = lib.tensor(values(3, 2).astype(np.float32)), lib.tensor(values(4).astype(np.float32))
        total = lib.nn.utils.clip_grad_norm_(ps, bound, kind)
        results.append([total, ps[0].grad, ps[1].grad])
    for a, b in zip(*results, strict=True):
        close(a, b, 1e-6)


def test_clip_refuses_what_is_not_finite():
    for lib in (dv, torch):
        p = lib.zeros(1, requires_grad=True)
        p.grad = lib.tensor([float("nan")])
        with pytest.raises(
            RuntimeError, match="The total norm of order 2.0 for gradients from `parameters` is non-finite, so it cannot be clipped"
        ):
            lib.nn.utils.clip_grad_norm_([p], 1.0, error_if_nonfinite=True)
        assert lib.nn.utils.clip_grad_norm_([], 1.0).item() == 0.0


NORMS = {
    "weight_norm": lambda lib: lib.nn.utils.weight_norm(lib.nn.Linear(4, 3)),
    "weight_norm whole": lambda lib: lib.nn.utils.weight_norm(lib.nn.Conv2d(2, 3, 2), dim=None),
    "weight_norm dim 1": lambda lib: lib.nn.utils.weight_norm(lib.nn.ConvTranspose2d(2, 3, 2), dim=1),
    "spectral_norm": lambda lib: lib.nn.utils.spectral_norm(lib.nn.Linear(4, 3)),
    "spectral_norm transposed": lambda lib: lib.nn.utils.spectral_norm(lib.nn.ConvTranspose2d(2, 3, 2), n_power_iterations=2),
    "parametrizations.weight_norm": lambda lib: lib.nn.utils.parametrizations.weight_norm(lib.nn.Linear(4, 3)),
    "parametrizations.spectral_norm": lambda lib: lib.nn.utils.parametrizations.spectral_norm(lib.nn.Conv2d(2, 3, 2)),
    "orthogonal": lambda lib: lib.nn.utils.parametrizations.orthogonal(lib.nn.Linear(3, 3)),
    "orthogonal cayley": lambda lib: lib.nn.utils.parametrizations.orthogonal(lib.nn.Linear(3, 3), orthogonal_map="cayley"),
    "orthogonal tall": lambda lib: lib.nn.utils.parametrizations.orthogonal(lib.nn.Linear(3, 5)),
    "orthogonal wide": lambda lib: lib.nn.utils.parametrizations.orthogonal(lib.nn.Linear(5, 3), orthogonal_map="matrix_exp"),
    "orthogonal plain": lambda lib: lib.nn.utils.parametrizations.orthogonal(lib.nn.Linear(3, 5), use_trivialization=False),
}


@pytest.mark.parametrize("name", list(NORMS))
def test_norms_of_weights(name):
    dv.manual_seed(4), torch.manual_seed(4)
    made = [NORMS[name](lib) for lib in (dv, torch)]
    assert list(made[0].state_dict()) == list(made[1].state_dict()) and repr(made[0]) == repr(made[1])
    for key, value in made[1].state_dict().items():
        np.testing.assert_allclose(made[0].state_dict()[key].numpy(), value.numpy(), rtol=1e-5, atol=1e-5, err_msg=key)
    mine, theirs = made[0].double(), made[1].double()
    mine.load_state_dict({k: dv.tensor(v.numpy()) for k, v in theirs.state_dict().items()})
    weight = theirs.eval().weight  # in training a look moves the power iteration
    shape = (2, weight.shape[0 if "Transpose" in type(theirs).__name__ else 1], 4, 4)[: 2 if weight.ndim == 2 else 4]
    for training in (True, True, False):
        results = []
        for lib, layer in ((dv, mine), (torch, theirs)):
            layer.train(training).zero_grad()
            out = layer(lib.tensor(values(*shape)))
            (out**2).sum().backward()
            results.append([out, layer.weight, *layer.state_dict().values(), *(p.grad for p in layer.parameters())])
        for a, b in zip(*results, strict=True):
            close(a, b, 1e-8)


@pytest.mark.parametrize("name", ["weight_norm", "spectral_norm"])
def test_norms_are_removed(name):
    for lib in (dv, torch):
        layer = NORMS[name](lib)
        layer.eval()
        x = lib.ones(1, 4)
        before = layer(x)
        getattr(lib.nn.utils, f"remove_{name}")(layer)
        assert sorted(layer.state_dict()) == ["bias", "weight"] and isinstance(layer.weight, lib.nn.Parameter)
        np.testing.assert_allclose(layer(x).detach().numpy(), before.detach().numpy(), rtol=1e-6)
        with pytest.raises(ValueError, match=f"{name} of 'weight' not found in"):
            getattr(lib.nn.utils, f"remove_{name}")(layer)


def test_parametrizations_chain_assign_and_go():
    for lib in (dv, torch):
        P = lib.nn.utils.parametrize

        class Scale(lib.nn.Module):
            def __init__(self, by):
                super().__init__()
                self.by = by

            def forward(self, x):
                return x * self.by

            def right_inverse(self, y):
                return y / self.by

        layer = lib.nn.Linear(2, 2)
        P.register_parametrization(layer, "weight", Scale(2.0))
        P.register_parametrization(layer, "weight", Scale(5.0))
        assert type(layer).__name__ == "ParametrizedLinear" and P.is_parametrized(layer, "weight") and not P.is_parametrized(layer, "bias")
        layer.weight = lib.full((2, 2), 10.0)
        assert layer.parametrizations.weight.original.tolist() == [[1.0, 1.0]] * 2
        assert [n for n, _ in layer.named_parameters()] == ["bias", "parametrizations.weight.original"]
        assert P.type_before_parametrizations(layer) is lib.nn.Linear
        with P.cached():
            assert layer.weight is layer.weight
        assert layer.weight is not layer.weight
        P.remove_parametrizations(layer, "weight")
        assert type(layer) is lib.nn.Linear and layer.weight.tolist() == [[10.0, 10.0]] * 2
        with pytest.raises(ValueError, match="does not have a parametrization on weight"):
            P.remove_parametrizations(layer, "weight")
        with pytest.raises(ValueError, match="does not have a parameter, a buffer, or a parametrized element with name 'nope'"):
            P.register_parametrization(layer, "nope", Scale(1.0))


def test_parametrization_that_changes_the_shape_is_refused():
    for lib in (dv, torch):

        class Flat(lib.nn.Module):
            def forward(self, x):
                return x.reshape(-1)

        with pytest.raises(ValueError, match="may not change the shape of the tensor, unless `unsafe` flag is enabled"):
            lib.nn.utils.parametrize.register_parametrization(lib.nn.Linear(2, 2), "weight", Flat())


@pytest.mark.parametrize(
    ("make", "fuse", "shape"),
    [
        (lambda nn: (nn.Conv2d(2, 3, 2), nn.BatchNorm2d(3)), "fuse_conv_bn_eval", (2, 2, 4, 4)),
        (lambda nn: (nn.Conv1d(2, 3, 2, bias=False), nn.BatchNorm1d(3, affine=False)), "fuse_conv_bn_eval", (2, 2, 4)),
        (lambda nn: (nn.Linear(2, 3), nn.BatchNorm1d(3)), "fuse_linear_bn_eval", (4, 2)),
    ],
)
def test_fusion(make, fuse, shape):
    mine, theirs = twins(lambda lib: lib.nn.Sequential(*make(lib.nn)))
    for lib, net in ((dv, mine), (torch, theirs)):
        net(lib.tensor(values(*shape, seed=8)))
        net.eval()
    fused, fused_ = (getattr(lib.nn.utils.fusion, fuse)(*net) for lib, net in ((dv, mine), (torch, theirs)))
    close(fused.weight, fused_.weight), close(fused.bias, fused_.bias)
    close(fused(dv.tensor(values(*shape))), theirs(torch.tensor(values(*shape))))


def test_vectors_of_parameters():
    mine, theirs = twins(lambda lib: lib.nn.Linear(3, 2))
    a, b = dv.nn.utils.parameters_to_vector(mine.parameters()), torch.nn.utils.parameters_to_vector(theirs.parameters())
    close(a, b)
    dv.nn.utils.vector_to_parameters(dv.arange(8.0), mine.parameters())
    assert mine.bias.tolist() == [6.0, 7.0] and mine.weight.requires_grad


def test_old_weight_norm_checkpoints_load():
    old = dv.nn.utils.weight_norm(dv.nn.Linear(3, 2))
    new = dv.nn.utils.parametrizations.weight_norm(dv.nn.Linear(3, 2))
    new.load_state_dict(old.state_dict())
    np.testing.assert_allclose(new.weight.detach().numpy(), old.weight.detach().numpy(), rtol=1e-6)


def test_an_embedding_without_columns_has_a_gradient():
    for lib in (dv, torch):
        weight = lib.zeros(3, 0, requires_grad=True)
        lib.nn.functional.embedding(lib.tensor([0, 2]), weight).sum().backward()
        assert tuple(weight.grad.shape) == (3, 0)
