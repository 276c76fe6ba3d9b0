"""The generator and the streams drawn from it, against numbers that PyTorch 2.13 gave (CPU build, x86-64).

GOLDEN was printed by one run of PyTorch: ``g = torch.Generator().manual_seed(2024)``, then the rows' calls in their order, each
with ``generator=g``, as ``tensor.tolist()``. So each row also shows that those before it consumed what PyTorch consumes.
"""

from __future__ import annotations

import copy
import hashlib
import pickle
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from dovetail.errors import DeviceError, DtypeError, ShapeError, TypeMismatch, UnsupportedError, ValueRangeError
from dovetail.generator import Generator, default_generator
from dovetail_numerics import streams as rs
from dovetail_numerics.errors import DistributionError

f32, f64, f16 = np.float32, np.float64, np.float16
WEIGHTS = np.array([0.1, 0.2, 0.3, 0.4], f32)

# name, our call, PyTorch's numbers, relative tolerance (0: the same bits)
GOLDEN: list[tuple[str, Callable[[Generator], np.ndarray], list[Any], float]] = [
    ("rand(3)", lambda g: rs.uniform(g, 3), [0.5317158699035645, 0.8312679529190063, 0.9718379974365234], 0),
    (
        "randn(5)",
        lambda g: rs.normal(g, 5),
        [1.709520697593689, -0.5035784244537354, 3.0891060829162598, -0.771979033946991, -1.4231479167938232],
        1e-7,  # the C library computes these
    ),
    (
        "randn(20)",
        lambda g: rs.normal(g, 20),
        [
            -0.4426020085811615, 0.12363966554403305, -2.1806845664978027, 0.3699551522731781, 0.049839410930871964,
            1.2883167266845703, -0.6490756869316101, -0.8969374299049377, 1.2634161710739136, 0.030576113611459732,
            -0.5931644439697266, -0.5153905153274536, -1.0766987800598145, -0.05756331980228424, -0.05957148224115372,
            0.2763858735561371, -0.24025273323059082, 0.3083866238594055, -0.9224638342857361, -0.9809549450874329,
        ],
        0,
    ),
    ("randint(10, (4,))", lambda g: rs.randint(g, 0, 10, 4), [2, 2, 8, 2], 0),
    (
        "randint(-(2**40), 2**40, (3,))",
        lambda g: rs.randint(g, -(2**40), 2**40, (3,)),
        [542809596040, 78948589665, 387774675914],
        0,
    ),
    ("randperm(9)", lambda g: rs.randperm(g, 9), [1, 0, 6, 4, 2, 3, 5, 8, 7], 0),
    ("rand(2, dtype=float64)", lambda g: rs.uniform(g, 2, f64), [0.24481214965874665, 0.030981914761951113], 0),
    ("rand(4, dtype=half)", lambda g: rs.uniform(g, 4, f16), [0.42578125, 0.292236328125, 0.177490234375, 0.953125], 0),
    (
        "empty(4).uniform_(-.1, .37)",
        lambda g: rs.uniform(g, (4,), f32, -0.1, 0.37),
        [0.05101437494158745, 0.27449849247932434, 0.02558887004852295, 0.15620827674865723],
        0,
    ),
    (
        "empty(3, dtype=float64).uniform_(-.1, .37)",
        lambda g: rs.uniform(g, (3,), f64, -0.1, 0.37),
        [0.046955471158473164, 0.19821380153816484, 0.28991234471423655],
        0,
    ),
    (
        "randn(17, dtype=half)",
        lambda g: rs.normal(g, 17, f16),
        [
            1.3583984375, -0.79541015625, 0.5166015625, 1.12890625, 0.025634765625, 1.6884765625, 2.064453125, 0.373779296875,
            0.90771484375, -0.315185546875, -0.208984375, 1.111328125, -0.9736328125, 0.9404296875, -1.5234375, -1.2578125,
            -0.401123046875,
        ],
        0,
    ),
    (
        "empty(18).normal_(.5, .02)",
        lambda g: rs.normal(g, 18, f32, 0.5, 0.02),
        [
            0.5100203156471252, 0.5109894871711731, 0.4889705181121826, 0.48231998085975647, 0.47783565521240234, 0.5002332329750061,
            0.5078076720237732, 0.4817262589931488, 0.4912317395210266, 0.49270299077033997, 0.5073123574256897, 0.5268766283988953,
            0.5278266072273254, 0.48180192708969116, 0.495187908411026, 0.4978715777397156, 0.5032510161399841, 0.4917893707752228,
        ],
        0,
    ),
    (
        "randn(18, dtype=float64)[:4]",
        lambda g: rs.normal(g, 18, f64)[:4],
        [0.8577149211796185, -0.2406301240236606, -1.8667541028006138, -0.9135246943426913],
        1e-14,
    ),
    ("empty(12).bernoulli_(.3)", lambda g: rs.bernoulli(g, 0.3, 12), [0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1], 0),
    (
        "bernoulli(linspace(0, 1, 10))",
        lambda g: rs.bernoulli(g, np.linspace(0, 1, 10).astype(f32)),
        [0, 0, 1, 0, 0, 1, 1, 0, 1, 1],
        0,
    ),
    (
        "empty(4, dtype=int32).random_()",
        lambda g: rs.random_(g, 4, np.int32),
        [585612040, 1252952415, 523479577, 1761128071],
        0,
    ),
    ("empty(6, dtype=uint8).random_()", lambda g: rs.random_(g, 6, np.uint8), [143, 105, 37, 252, 236, 148], 0),
    ("empty(3).random_()", lambda g: rs.random_(g, 3), [14693983.0, 6456558.0, 4037644.0], 0),
    (
        "empty(2, dtype=int64).random_()",
        lambda g: rs.random_(g, 2, np.int64),
        [9055462982947123906, 7466383319979527446],
        0,
    ),
    ("multinomial(weights, 1)", lambda g: rs.multinomial(g, WEIGHTS, 1), [3], 0),
    ("multinomial(weights, 3)", lambda g: rs.multinomial(g, WEIGHTS, 3), [3, 2, 0], 0),
    ("multinomial(weights, 8, True)", lambda g: rs.multinomial(g, WEIGHTS, 8, True), [1, 3, 0, 2, 2, 1, 3, 1], 0),
    (
        "empty(3).exponential_(2.)",
        lambda g: rs.exponential(g, 3, f32, 2.0),
        [1.0147244930267334, 0.5720940232276917, 0.4669491946697235],
        1e-7,
    ),
    ("empty(6, dtype=int64).geometric_(.3)", lambda g: rs.geometric(g, 6, np.int64, 0.3), [1, 5, 1, 4, 1, 1], 0),
    (
        "empty(3).cauchy_(1, 2)",
        lambda g: rs.cauchy(g, 3, f32, 1, 2),
        [-0.13930660486221313, 0.4895724058151245, -2.841477870941162],
        1e-6,
    ),
    (
        "empty(3).log_normal_(.5, .25)",
        lambda g: rs.log_normal(g, 3, f32, 0.5, 0.25),
        [1.6481647491455078, 1.0726714134216309, 1.477706789970398],
        2e-7,
    ),
    ("poisson([.5, 4., 30.])", lambda g: rs.poisson(g, np.array([0.5, 4, 30], f32)), [1.0, 6.0, 28.0], 0),
    (
        "binomial([5., 20, 200], [.5, .9, .3])",
        lambda g: rs.binomial(g, np.array([5, 20, 200], f32), np.array([0.5, 0.9, 0.3], f32)),
        [3.0, 16.0, 58.0],
        0,
    ),
    (
        "_standard_gamma([.3, 2., 9.])",
        lambda g: rs.standard_gamma(g, np.array([0.3, 2, 9], f32)),
        [2.044093132019043, 0.8379925489425659, 11.588521957397461],
        1e-6,
    ),
]  # fmt: skip


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def digest(array: np.ndarray) -> str:
    return hashlib.sha256(array.tobytes()).hexdigest()[:16]


def test_every_stream_in_pytorchs_order() -> None:
    gen = seeded(2024)
    for name, draw, values, rtol in GOLDEN:
        ours = draw(gen)
        np.testing.assert_allclose(ours, np.array(values, ours.dtype), rtol=rtol, atol=0, err_msg=name)
    # the two calls that followed: sha256 of the bytes of randperm(5000) and of randn(40003)
    assert digest(rs.randperm(gen, 5000)) == "d8ca7d390a1ccc0e"
    assert digest(rs.normal(gen, 40003)) == "48d0ee7f6c1e133b"


@pytest.mark.parametrize(
    ("seed", "first"),
    [
        (0, 0.49625658988952637),
        (-1, 0.9937993884086609),
        (2**32, 0.49625658988952637),
        (2**40 + 7, 0.5349225401878357),
        (7, 0.5349225401878357),
        (2**64 - 1, 0.9937993884086609),
        (-(2**63), 0.49625658988952637),
    ],
)
def test_seeds_are_taken_as_unsigned_64_bits_of_which_the_engine_uses_32(seed: int, first: float) -> None:
    gen = Generator()
    assert gen.manual_seed(seed) is gen
    assert rs.uniform(gen, 1)[0] == first
    assert gen.initial_seed() == seed % 2**64
    if -(2**63) <= seed < 2**63:
        assert gen.manual_seed(np.int64(seed)).initial_seed() == seed % 2**64


def test_a_new_generator_has_pytorchs_default_seed() -> None:
    assert Generator().initial_seed() == 67280421310721
    assert (rs.uniform(Generator(), 4) == rs.uniform(seeded(67280421310721), 4)).all()


def test_seed_and_the_default_generator_differ_each_time() -> None:
    gen = Generator()
    first, second = gen.seed(), gen.seed()
    assert first != second and gen.initial_seed() == second and 0 <= second < 2**64
    assert default_generator.initial_seed() != Generator().initial_seed()


def test_draws_do_not_depend_on_how_they_are_cut() -> None:
    whole = seeded(4)._words(5000)
    for sizes in ([1] * 1300, [623, 1, 624, 2, 3000, 5], [624, 624, 1], [1249, 700], [0, 3, 0, 621, 1]):
        gen = seeded(4)
        cut = np.concatenate([gen._words(size) for size in sizes])
        assert (cut == whole[: len(cut)]).all()
        assert gen._word() == whole[len(cut)]


def test_the_state_is_pytorchs_byte_for_byte() -> None:
    # of torch.Generator().manual_seed(2024).get_state(), and of manual_seed(-5) followed by randn(3)
    state = seeded(2024)._get_state_array()
    assert state.dtype == np.uint8 and state.shape == (5056,) and digest(state) == "88dc2922f3b13c33"
    gen = seeded(-5)
    rs.normal(gen, 3)
    state = gen._get_state_array()
    assert state[:24].tobytes().hex() == "fbffffffffffffff69020000010000000800000000000000"
    assert state[24:40].tobytes().hex() == "05c5884400000000f9518b1000000000"
    assert state[5024:5032].view("<f8")[0] == pytest.approx(float(np.array([0x3FF25B296BC8239A], "<u8").view("<f8")[0]), rel=1e-14)
    assert state[5016:5024].tobytes() == bytes(8) and state[5032:].tobytes().hex() == "000000000000000001000000" + "00" * 12


@pytest.mark.parametrize("drawn", [0, 1, 623, 624, 625, 5000])
def test_a_restored_state_continues_where_it_was_taken(drawn: int) -> None:
    gen, other = seeded(8), seeded(9)
    gen._words(drawn)
    rs.normal(gen, 1)  # its second half now waits
    state = gen._get_state_array()
    expected = rs.normal(gen, 4), gen._words(700), gen._get_state_array()
    other._words(10)
    other._set_state_array(state)
    assert other.initial_seed() == 8 and (other._get_state_array() == state).all()
    assert (rs.normal(other, 4) == expected[0]).all() and (other._words(700) == expected[1]).all()
    assert (other._get_state_array() == expected[2]).all()


def test_manual_seed_forgets_the_waiting_half_of_a_pair() -> None:
    gen = seeded(1)
    first = rs.normal(gen, 3)
    assert (rs.normal(gen.manual_seed(1), 3) == first).all()


def test_clones_and_copies_continue_alike_and_apart() -> None:
    gen = seeded(3)
    rs.normal(gen, 5)
    twins = [gen.clone_state(), copy.copy(gen), copy.deepcopy(gen), pickle.loads(pickle.dumps(gen))]  # noqa: S301
    expected = rs.normal(gen, 7)
    for twin in twins:
        assert twin is not gen and twin.device == gen.device and (rs.normal(twin, 7) == expected).all()


def test_fork_leaves_no_trace_even_after_an_error() -> None:
    gen = seeded(5)
    rs.normal(gen, 1)
    state = gen._get_state_array()
    with pytest.raises(ZeroDivisionError), gen._fork() as inner:
        assert inner is gen
        rs.normal(gen, 1000)
        raise ZeroDivisionError
    assert (gen._get_state_array() == state).all()


def test_numpys_global_random_state_is_left_alone() -> None:
    np.random.seed(1)
    expected = np.random.rand(3)
    np.random.seed(1)
    gen = seeded(7)
    ours = rs.uniform(gen, 1000)
    assert (np.random.rand(3) == expected).all()
    np.random.seed(99)
    assert (rs.uniform(gen.manual_seed(7), 1000) == ours).all()


def test_importing_and_seeding_do_not_import_numpys_random_module() -> None:
    code = (
        "import sys, numpy; before = 'numpy.random' in sys.modules\n"
        "from dovetail.generator import Generator\n"
        "Generator().manual_seed(3)\n"
        "print(before, 'numpy.random' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


def test_the_device_is_the_cpu() -> None:
    from dovetail.device import Device

    assert Generator().device == Generator(Device("cpu")).device == Device("cpu")
    with pytest.raises(DeviceError, match="Generator: device 'cuda' has no generator"):
        Generator("cuda")


@pytest.mark.parametrize("seed", [2.0, True, np.True_, "a", None])
def test_a_seed_that_is_no_integer(seed: Any) -> None:
    with pytest.raises(RuntimeError, match=r"manual_seed: seed is .*; expected an integer; convert it with int\(seed\)"):
        Generator().manual_seed(seed)
    with pytest.raises(TypeError):
        Generator().manual_seed(seed)


@pytest.mark.parametrize("seed", [2**64, -(2**63) - 1])
def test_a_seed_that_does_not_fit(seed: int) -> None:
    with pytest.raises(ValueRangeError, match=f"manual_seed: seed is {seed}, which does not fit into 64 bits"):
        Generator().manual_seed(seed)


def test_states_that_are_none_are_refused_and_change_nothing() -> None:
    gen = seeded(6)
    gen._words(5)
    state = gen._get_state_array()
    with pytest.raises(TypeMismatch, match="state has dtype float64; expected uint8"):
        gen._set_state_array(np.zeros(3))
    with pytest.raises(RuntimeError, match=r"state has 3 bytes \(shape \(3,\)\); expected 5056"):
        gen._set_state_array(np.zeros(3, np.uint8))
    with pytest.raises(RuntimeError, match=r"no Mersenne Twister state \(seeded=0, left=0, next=0\)"):
        gen._set_state_array(np.zeros(5056, np.uint8))
    torn = state.copy()
    torn[16] += 1
    with pytest.raises(RuntimeError, match="left=620, next=6"):
        gen._set_state_array(torn)
    assert (gen._get_state_array() == state).all()


def test_offsets_belong_to_other_devices() -> None:
    for call in (lambda: Generator().get_offset(), lambda: Generator().set_offset(1)):
        with pytest.raises(UnsupportedError, match="a CPU generator has no offset"):
            call()


BAD = [
    (lambda g: rs.randint(g, 5, 5, 2), DistributionError, "randint: low is 5 and high is 5; expected low < high"),
    (lambda g: rs.randint(g, 0, 300, 2, np.uint8), DistributionError, "the largest value is 299; expected 0 to 255, which uint8"),
    (lambda g: rs.randint(g, -1, 3, 2, np.uint8), DistributionError, "low is -1; expected 0 to 255"),
    (lambda g: rs.randint(g, 0, 3, 2, np.bool_), DistributionError, "the largest value is 2; expected 0 to 1"),
    (lambda g: rs.randint(g, 0, 70000, 2, f16), DistributionError, "which float16 can hold"),
    (lambda g: rs.randint(g, 0, 3, 2, np.complex64), DtypeError, "randint: dtype is complex64"),
    (lambda g: rs.random_(g, 2, np.uint16), DtypeError, "random_: dtype is uint16"),
    (lambda g: rs.random_(g, 2, np.int32, -(2**63)), DtypeError, "random_: dtype is int32; expected int64"),
    (lambda g: rs.randperm(g, -1), DistributionError, "randperm: n is -1; expected n >= 0"),
    (lambda g: rs.randperm(g, 300, np.uint8), DistributionError, "randperm: n is 300; expected at most 256, to which uint8 can count"),
    (lambda g: rs.randperm(g, 3000, f16), DistributionError, "expected at most 2049"),
    (lambda g: rs.randperm(g, 3, np.bool_), DtypeError, "randperm: dtype is bool"),
    (lambda g: rs.uniform(g, 2, f32, 1, 0), DistributionError, "uniform: low is 1 and high is 0; expected low <= high"),
    (lambda g: rs.uniform(g, 2, f32, float("nan"), 1), DistributionError, "uniform: low is nan"),
    (lambda g: rs.uniform(g, 2, f16, 0, 1e6), DistributionError, "uniform: high is 1000000.0; expected a number that float16"),
    (lambda g: rs.uniform(g, 2, np.int32), DtypeError, "uniform: dtype is int32; expected a floating type"),
    (lambda g: rs.normal(g, 2, f32, 0, -1), DistributionError, "normal: std is -1; expected std >= 0"),
    (lambda g: rs.normal(g, 2, np.int64), DtypeError, "normal: dtype is int64"),
    (lambda g: rs.normal_around(g, 0.0, -np.ones(2)), DistributionError, "std has the minimum -1.0"),
    (lambda g: rs.bernoulli(g, 1.5, 2), DistributionError, "bernoulli: p is 1.5; expected 0 <= p <= 1"),
    (lambda g: rs.bernoulli(g, np.array([2.0])), DistributionError, r"p has values outside \[0, 1\]"),
    (lambda g: rs.bernoulli(g, np.array([1])), DtypeError, "bernoulli: p has dtype int64"),
    (lambda g: rs.exponential(g, 2, f32, 0), DistributionError, "lambd is 0; expected lambd > 0"),
    (lambda g: rs.geometric(g, 2, f32, 1.0), DistributionError, "p is 1.0; expected 0 < p < 1"),
    (lambda g: rs.cauchy(g, 2, f32, 0, 0), DistributionError, "sigma is 0; expected sigma > 0"),
    (lambda g: rs.log_normal(g, 2, f32, 0, 0), DistributionError, "std is 0; expected std > 0"),
    (lambda g: rs.poisson(g, np.array([-1.0])), DistributionError, "rate has a negative value"),
    (lambda g: rs.multinomial(g, np.ones((2, 2, 2)), 1), ShapeError, r"probabilities have shape \(2, 2, 2\)"),
    (lambda g: rs.multinomial(g, np.ones(2, np.int32), 1), DtypeError, "probabilities have dtype int32"),
    (lambda g: rs.multinomial(g, np.ones(2), 3), DistributionError, "num_samples is 3 and there are 2 categories"),
    (lambda g: rs.multinomial(g, np.ones(2), 0), DistributionError, "num_samples is 0; expected num_samples > 0"),
    (lambda g: rs.multinomial(g, np.array([-1.0, 2]), 1), DistributionError, "either `inf`, `nan` or element < 0"),
    (lambda g: rs.multinomial(g, np.zeros(2), 2, True), DistributionError, "sum of probabilities <= 0"),
]


@pytest.mark.parametrize(("call", "error", "text"), BAD)
def test_parameters_outside_their_range(call: Callable[[Generator], Any], error: type[Exception], text: str) -> None:
    gen = seeded(0)
    with pytest.raises(error, match=text) as caught:
        call(gen)
    assert isinstance(caught.value, RuntimeError)  # as PyTorch's
    assert gen._at == 624  # nothing was drawn


def test_draws_may_be_written_to() -> None:
    gen = seeded(0)
    for draw in (rs.uniform(gen, 4), rs.normal(gen, 4), rs.randint(gen, 0, 8, 4, np.uint32), rs.random_(gen, 4, np.uint32, 0, 16)):
        draw += 1
    assert (gen._words(1) == seeded(0)._words(21)[-1:]).all()


def test_shapes() -> None:
    gen = seeded(0)
    assert rs.uniform(gen, (2, 3)).shape == (2, 3) and rs.normal(gen, (4, 5)).shape == (4, 5)
    assert rs.uniform(gen, ()).shape == () and rs.normal(gen, ()).shape == () and rs.normal(gen, (3, 0)).shape == (3, 0)
    assert rs.multinomial(gen, np.ones((5, 4)), 2).shape == (5, 2) and rs.multinomial(gen, np.ones((5, 4)), 9, True).shape == (5, 9)
    assert rs.randperm(gen, 0).shape == (0,) and rs.randperm(gen, 1).tolist() == [0]
