"""Our random streams beside PyTorch's: the same seed, any mixture of calls, the same numbers and the same state after each."""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from dovetail.generator import Generator
from dovetail_numerics import streams as rs

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.parity

_PROBE = Generator().manual_seed(0), torch.Generator().manual_seed(0)
OWN_STREAM = np.allclose(rs.exponential(_PROBE[0], 9), torch.empty(9).exponential_(generator=_PROBE[1]), rtol=1e-6)
"""False for a PyTorch that draws exponential_ and bernoulli_(number) from MKL, as it does on Intel processors."""
VECTOR_KERNEL = torch.backends.cpu.get_cpu_capability() in ("AVX2", "AVX512")
"""Whether PyTorch's normal numbers come from the kernel whose arithmetic ours is; elsewhere its C library computes them."""

FLOATS = ["float32", "float64", "float16", "bfloat16"]
INTEGERS = ["int64", "int32", "int16", "int8", "uint8"]
SIZES = [0, 1, 2, 5, 15, 16, 17, 31, 32, 40, 300, 623, 624, 625, 1300]


def np_dtype(name: str) -> np.dtype:
    return np.dtype(ml_dtypes.bfloat16) if name == "bfloat16" else np.dtype(name)


def as_numpy(tensor: Any) -> np.ndarray:
    if tensor.dtype == torch.bfloat16:
        return tensor.view(torch.int16).numpy().view(ml_dtypes.bfloat16)
    return tensor.numpy()


def exact(name: str) -> float:
    """Return the tolerance of normal numbers: none where PyTorch computes them as we do."""
    return 0.0 if VECTOR_KERNEL else {"float32": 3e-7, "float16": 1e-3, "bfloat16": 1e-2}[name]


class Pair:
    """Our generator and PyTorch's, seeded alike; each draw is compared, and the state after it."""

    def __init__(self, seed: int) -> None:
        self.ours = Generator().manual_seed(seed)
        self.theirs = torch.Generator().manual_seed(seed)

    def compare(self, ours: np.ndarray, theirs: Any, rtol: float = 0.0) -> None:
        expected = as_numpy(theirs)
        assert ours.dtype == expected.dtype and ours.shape == expected.shape
        if rtol:
            np.testing.assert_allclose(ours, expected, rtol=rtol, atol=rtol)
        else:
            assert ours.tobytes() == expected.tobytes()
        self.same_state()

    def same_state(self) -> None:
        ours, theirs = self.ours._get_state_array(), self.theirs.get_state().numpy().copy()
        waiting = slice(5024, 5032)  # the second half of a float64 pair: NumPy's sine may differ from the C library's in its last bit
        np.testing.assert_allclose(ours[waiting].view("f8"), theirs[waiting].view("f8"), rtol=1e-13)
        ours[waiting] = theirs[waiting] = 0
        assert (ours == theirs).all()


def draw_uniform(pair: Pair, pick: random.Random) -> None:
    name, size = pick.choice(FLOATS), pick.choice(SIZES)
    low, high = pick.choice([(0.0, 1.0), (-1.0, 1.0), (-0.1, 0.37), (0.0, 0.3), (2.5, 2.5), (-3.0, 100.0)])
    theirs = torch.empty(size, dtype=getattr(torch, name)).uniform_(low, high, generator=pair.theirs)
    pair.compare(rs.uniform(pair.ours, size, np_dtype(name), low, high), theirs)


def draw_normal(pair: Pair, pick: random.Random) -> None:
    name, size = pick.choice(FLOATS), pick.choice(SIZES)
    mean, std = pick.choice([(0.0, 1.0), (0.0, 0.02), (1.5, 2.0), (-1.0, 0.0)])
    theirs = torch.empty(size, dtype=getattr(torch, name)).normal_(mean, std, generator=pair.theirs)
    ours = rs.normal(pair.ours, (size,), np_dtype(name), mean, std)
    pair.compare(ours, theirs, 1e-14 if name == "float64" else exact(name))


def draw_randint(pair: Pair, pick: random.Random) -> None:
    name, size = pick.choice(INTEGERS + FLOATS), pick.choice(SIZES)
    low, high = pick.choice([(0, 10), (-5, 100), (0, 128), (3, 4)])
    if name in ("int64", "float64"):
        low, high = pick.choice([(low, high), (0, 2**28), (-7, 2**28 - 8), (-(2**62), 2**62), (-(2**63), 2**63 - 1)])
    low = max(low, 0) if name == "uint8" else low
    high = min(high, 127) if name == "int8" else high
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch warns of bounds beyond a float's precision
        theirs = torch.randint(low, high, (size,), dtype=getattr(torch, name), generator=pair.theirs)
    pair.compare(rs.randint(pair.ours, low, high, (size,), np_dtype(name)), theirs)


def draw_random(pair: Pair, pick: random.Random) -> None:
    name, size = pick.choice([*INTEGERS, *FLOATS, "bool"]), pick.choice(SIZES)
    theirs = torch.empty(size, dtype=getattr(torch, name)).random_(generator=pair.theirs)
    pair.compare(rs.random_(pair.ours, (size,), np_dtype(name)), theirs)


def draw_randperm(pair: Pair, pick: random.Random) -> None:
    name, size = pick.choice(["int64", "int32", "float32"]), pick.choice(SIZES)
    pair.compare(rs.randperm(pair.ours, size, np_dtype(name)), torch.randperm(size, dtype=getattr(torch, name), generator=pair.theirs))


def draw_bernoulli(pair: Pair, pick: random.Random) -> None:
    name, size, p = pick.choice([*FLOATS, "int64", "bool"]), pick.choice(SIZES), pick.choice([0.0, 0.3, 0.5, 1.0])
    theirs = torch.empty(size, dtype=getattr(torch, name)).bernoulli_(torch.tensor(p, dtype=torch.float64), generator=pair.theirs)
    pair.compare(rs.bernoulli(pair.ours, p, (size,), np_dtype(name)), theirs)


def draw_bernoulli_of_array(pair: Pair, pick: random.Random) -> None:
    name, size = pick.choice(FLOATS), pick.choice(SIZES)
    p = torch.linspace(0, 1, size, dtype=torch.float64).to(getattr(torch, name))
    pair.compare(rs.bernoulli(pair.ours, as_numpy(p), dtype=np_dtype(name)), torch.bernoulli(p, generator=pair.theirs))


def draw_log_normal(pair: Pair, pick: random.Random) -> None:
    name, size = pick.choice(FLOATS), pick.choice(SIZES)
    theirs = torch.empty(size, dtype=getattr(torch, name)).log_normal_(0.5, 0.25, generator=pair.theirs)
    rtol = {"float64": 1e-13, "float32": 1e-6, "float16": 1e-3, "bfloat16": 1e-2}[name]
    pair.compare(rs.log_normal(pair.ours, (size,), np_dtype(name), 0.5, 0.25), theirs, rtol)


def draw_one_uniform_each(pair: Pair, pick: random.Random) -> None:
    size, name = pick.choice(SIZES), pick.choice(["float32", "float64"])
    kind, rtol = getattr(torch, name), 1e-6 if name == "float32" else 1e-12
    cauchy = torch.empty(size, dtype=kind).cauchy_(0.5, 2.0, generator=pair.theirs)
    pair.compare(rs.cauchy(pair.ours, (size,), np_dtype(name), 0.5, 2.0), cauchy, rtol)
    geometric = torch.empty(size, dtype=kind).geometric_(0.25, generator=pair.theirs)
    pair.compare(rs.geometric(pair.ours, (size,), np_dtype(name), 0.25), geometric)


def draw_multinomial(pair: Pair, pick: random.Random) -> None:
    name = pick.choice(FLOATS)
    shape = pick.choice([(7,), (3, 5), (4, 30)])
    probs = (torch.arange(1, 1 + int(np.prod(shape))) % 6 + 0.5).reshape(shape).to(getattr(torch, name))
    replacement, count = pick.choice([(False, 1), (True, 1), (True, 40)] if OWN_STREAM else [(True, 40)])
    theirs = torch.multinomial(probs, count, replacement, generator=pair.theirs)
    pair.compare(rs.multinomial(pair.ours, as_numpy(probs), count, replacement), theirs)


def draw_counts(pair: Pair, pick: random.Random) -> None:
    name = pick.choice(["float32", "float64"])
    rate = torch.tensor([0.0, 0.5, 3.0, 9.9, 10.0, 40.0, 1000.0], dtype=getattr(torch, name))
    pair.compare(rs.poisson(pair.ours, rate.numpy()), torch.poisson(rate, generator=pair.theirs))
    count = torch.tensor([0.0, 5.0, 20.0, 100.0, 100.0, 5000.0, 30.0], dtype=getattr(torch, name))
    prob = torch.tensor([0.5, 0.3, 0.9, 0.25, 0.8, 0.01, 1.0], dtype=getattr(torch, name))
    pair.compare(rs.binomial(pair.ours, count.numpy(), prob.numpy()), torch.binomial(count, prob, generator=pair.theirs))
    alpha = torch.tensor([0.1, 0.5, 1.0, 2.5, 40.0], dtype=getattr(torch, name))
    gamma = torch._standard_gamma(alpha, generator=pair.theirs)
    pair.compare(rs.standard_gamma(pair.ours, alpha.numpy()), gamma, 1e-6 if name == "float32" else 1e-12)


DRAWS: list[Callable[[Pair, random.Random], None]] = [
    draw_uniform, draw_normal, draw_randint, draw_random, draw_randperm, draw_bernoulli, draw_bernoulli_of_array, draw_log_normal,
    draw_one_uniform_each, draw_multinomial, draw_counts,
]  # fmt: skip


@pytest.mark.parametrize("draw", DRAWS, ids=lambda draw: draw.__name__)
def test_each_family_alone(draw: Callable[[Pair, random.Random], None]) -> None:
    pair, pick = Pair(11), random.Random(draw.__name__)
    for _ in range(40):
        draw(pair, pick)


@pytest.mark.parametrize("seed", [0, 1, 42, -3, 2**63 + 12345, 2**64 - 1])
def test_any_mixture_stays_in_step(seed: int) -> None:
    pair, pick = Pair(seed), random.Random(seed)
    pair.same_state()
    for _ in range(60):
        pick.choice(DRAWS)(pair, pick)


def test_pytorchs_default_generator_in_a_program() -> None:
    gen, rtol = Generator().manual_seed(0), exact("float32")
    torch.manual_seed(0)
    assert (rs.uniform(gen, 3) == torch.rand(3).numpy()).all()
    assert (rs.normal(gen, 5) == torch.randn(5).numpy()).all()
    np.testing.assert_allclose(rs.normal(gen, 20), torch.randn(20).numpy(), rtol, rtol)
    assert (rs.randint(gen, 0, 10, 4) == torch.randint(10, (4,)).numpy()).all()
    assert (rs.randperm(gen, 7) == torch.randperm(7).numpy()).all()
    assert (rs.uniform(gen, 2, np.float64) == torch.rand(2, dtype=torch.float64).numpy()).all()
    np.testing.assert_allclose(rs.normal(gen, (100, 33)), torch.randn(100, 33).numpy(), rtol, rtol)
    assert (gen._get_state_array() == torch.get_rng_state().numpy()).all()


def test_large_normals_are_bit_for_bit() -> None:
    pair = Pair(5)
    pair.compare(rs.normal(pair.ours, 300_001), torch.randn(300_001, generator=pair.theirs), exact("float32"))
    theirs = torch.empty(50_000).normal_(0.25, 3.0, generator=pair.theirs)
    pair.compare(rs.normal(pair.ours, 50_000, np.float32, 0.25, 3.0), theirs, exact("float32"))


def test_large_permutations() -> None:
    pair = Pair(5)
    pair.compare(rs.randperm(pair.ours, 60_000), torch.randperm(60_000, generator=pair.theirs))


def test_complex_numbers() -> None:
    pair = Pair(6)
    for size in (3, 9):
        pair.compare(rs.uniform(pair.ours, size, np.complex64), torch.rand(size, dtype=torch.complex64, generator=pair.theirs))
        pair.compare(rs.normal(pair.ours, size, np.complex64), torch.randn(size, dtype=torch.complex64, generator=pair.theirs))


def test_normal_into_a_tensor_that_is_not_contiguous() -> None:
    pair = Pair(7)
    theirs = torch.empty(40, 2)[:, 0].normal_(generator=pair.theirs)
    pair.compare(rs.normal(pair.ours, 40, contiguous=False), theirs.contiguous(), 1e-6)


def test_normal_around_arrays() -> None:
    pair = Pair(8)
    for name in ("float32", "float16", "bfloat16"):
        mean = torch.linspace(-2, 2, 20).to(getattr(torch, name))
        std = torch.linspace(0, 3, 20).to(getattr(torch, name))
        ours, theirs = pair.ours, pair.theirs
        pair.compare(rs.normal_around(ours, as_numpy(mean), as_numpy(std)), torch.normal(mean, std, generator=theirs))
        pair.compare(rs.normal_around(ours, as_numpy(mean), 0.5), torch.normal(mean, 0.5, generator=theirs))
        pair.compare(rs.normal_around(ours, 1.5, as_numpy(std)), torch.normal(1.5, std, generator=theirs))


def test_random_from_a_lower_bound() -> None:
    pair = Pair(9)
    for name, low in [("int32", 5), ("uint8", 200), ("float32", -9), ("int64", -(2**63)), ("float64", -(2**63)), ("int64", 7)]:
        theirs = torch.empty(20, dtype=getattr(torch, name)).random_(low, None, generator=pair.theirs)
        pair.compare(rs.random_(pair.ours, 20, np_dtype(name), low), theirs)


@pytest.mark.filterwarnings("ignore:.*out of bounds")
@pytest.mark.parametrize("name", ["float32", "float16", "bfloat16"])
def test_bounds_beyond_the_precision_of_a_float_move_inwards(name: str) -> None:
    pair, pick = Pair(10), random.Random(name)
    for _ in range(40):
        low, high = sorted(pick.sample(range(-65000, 65000) if name != "float32" else range(-(2**40), 2**40), 2))
        theirs = torch.randint(low, high, (10,), dtype=getattr(torch, name), generator=pair.theirs)
        pair.compare(rs.randint(pair.ours, low, high, 10, np_dtype(name)), theirs)


@pytest.mark.skipif(not OWN_STREAM, reason="this PyTorch draws exponential_ from MKL")
def test_multinomial_without_replacement_takes_the_largest_scores() -> None:
    pair = Pair(12)
    probs = torch.rand(6, 50, generator=torch.Generator().manual_seed(1))
    pair.compare(rs.multinomial(pair.ours, probs.numpy(), 20), torch.multinomial(probs, 20, generator=pair.theirs))
    turned = probs.t()
    pair.compare(rs.multinomial(pair.ours, turned.numpy(), 3), torch.multinomial(turned, 3, generator=pair.theirs))


def test_states_travel_both_ways() -> None:
    pair, pick = Pair(13), random.Random(13)
    for _ in range(25):
        pick.choice(DRAWS)(pair, pick)
        pair.theirs.set_state(torch.from_numpy(pair.ours._get_state_array().copy()))
        fresh = Generator()
        fresh._set_state_array(pair.theirs.get_state().numpy())
        pair.ours = fresh
        pair.compare(rs.uniform(pair.ours, 700), torch.rand(700, generator=pair.theirs))


@pytest.mark.skipif(not OWN_STREAM, reason="this PyTorch draws exponential_ and dropout from MKL")
def test_exponential_and_dropout() -> None:
    pair = Pair(14)
    theirs = torch.empty(10).exponential_(generator=pair.theirs)
    mask = torch.empty(10).bernoulli_(0.7, generator=pair.theirs)
    ours = rs.exponential(pair.ours, 10)
    assert np.allclose(ours, theirs.numpy(), rtol=1e-6)
    assert (rs.dropout_mask(pair.ours, 0.3, (10,)) == mask.bool().numpy()).all()
    pair.same_state()


def test_initial_weights() -> None:
    gen, bound = Generator().manual_seed(3), 1 / np.sqrt(20)
    torch.manual_seed(3)
    layer = torch.nn.Linear(20, 7)
    assert (rs.uniform(gen, (7, 20), np.float32, -bound, bound) == layer.weight.detach().numpy()).all()
    assert (rs.uniform(gen, 7, np.float32, -bound, bound) == layer.bias.detach().numpy()).all()
    embedding, rtol = torch.nn.Embedding(11, 13), exact("float32")
    np.testing.assert_allclose(rs.normal(gen, (11, 13)), embedding.weight.detach().numpy(), rtol, rtol)
    for fill, std in ((torch.nn.init.xavier_normal_, np.sqrt(2.0 / 14)), (torch.nn.init.kaiming_normal_, np.sqrt(2.0) / np.sqrt(5))):
        np.testing.assert_allclose(rs.normal(gen, (9, 5), np.float32, 0.0, std), fill(torch.empty(9, 5)).numpy(), rtol, rtol)
    limit = np.sqrt(3.0) * np.sqrt(2.0 / 14)
    assert (rs.uniform(gen, (9, 5), np.float32, -limit, limit) == torch.nn.init.xavier_uniform_(torch.empty(9, 5)).numpy()).all()
