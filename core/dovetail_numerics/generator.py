"""PyTorch's CPU Mersenne Twister, draw for draw and state for state."""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

import numpy as np

from .errors import SeedTypeError, StateError, TypeMismatch, ValueRangeError

__all__ = ["MersenneTwister", "blocks", "joined"]

_WORDS = 624
_UINT32, _UINT64 = np.dtype("<u4"), np.dtype("<u8")
_DEFAULT_SEED = 67280421310721
_STATE = np.dtype(
    {
        "names": ["seed", "left", "seeded", "next", "key", "normal", "has_normal", "float_normal", "has_float_normal"],
        "formats": ["<u8", "<i4", "<i4", "<u8", ("<u8", _WORDS), "<f8", "<i4", "<f4", "?"],
        "offsets": [0, 8, 12, 16, 24, 5024, 5040, 5048, 5052],
        "itemsize": 5056,
    }
)


class MersenneTwister:
    """A source of random numbers that gives PyTorch's CPU stream for the same seed.

    Making one costs nothing: NumPy's random module is imported, and the engine seeded, at the first draw. The state is
    this object's own; NumPy's global random state is neither read nor changed. Not thread-safe: give each thread its own.

    Source: Matsumoto and Nishimura, "Mersenne Twister", 1998.

    >>> gen = MersenneTwister().manual_seed(0)
    >>> [int(word) for word in gen._words(3)]
    [2357136044, 2546248239, 3071714933]
    >>> gen.initial_seed()
    0
    """

    _engine: Any  # numpy.random.MT19937, None before the first draw
    _draw: Any  # the engine's bulk draw, RandomState.randint
    _block: np.ndarray  # the draws of the present block of 624, read-only
    _at: int  # the next of them; 624 when all are used
    _fresh: bool  # seeded and not yet drawn from: PyTorch writes that position as 0, not 624
    _stale: bool  # the engine does not yet know the seed
    _normal: float | None  # the sine half of the last Box-Muller pair
    _float_normal: float | None  # the same in float32: PyTorch's CPU never draws it, its state carries it

    def __init__(self) -> None:
        self._engine = None
        self._reseed(_DEFAULT_SEED)

    def manual_seed(self, seed: int) -> Self:
        """Restart the stream at ``seed`` and return self.

        A negative seed is taken as the unsigned 64-bit number of the same bits; the engine uses the low 32 bits.
        Raises a RuntimeError (a TypeError too) for what is no integer, a ValueError for what does not fit into 64 bits.

        >>> MersenneTwister().manual_seed(-1).initial_seed()
        18446744073709551615
        """
        if isinstance(seed, (bool, np.bool_)) or not isinstance(seed, (int, np.integer)):
            what = f"seed is {seed!r} ({type(seed).__name__})"
            raise SeedTypeError("manual_seed", what, "expected an integer", "convert it with int(seed)")
        value = int(seed)
        if not -(2**63) <= value < 2**64:
            what = f"seed is {value}, which does not fit into 64 bits"
            raise ValueRangeError("manual_seed", what, "expected -2**63 <= seed < 2**64", "use seed % 2**64")
        self._reseed(value % 2**64)
        return self

    def seed(self) -> int:
        """Restart the stream at a seed from the operating system, and return that seed.

        >>> gen = MersenneTwister()
        >>> gen.seed() == gen.initial_seed()
        True
        """
        self._reseed(int.from_bytes(os.urandom(8), "little"))
        return self._seed

    def initial_seed(self) -> int:
        """Return the seed with which the stream began.

        >>> MersenneTwister().initial_seed()
        67280421310721
        """
        return self._seed

    def clone_state(self) -> Self:
        """Return a new generator that continues from this one's present state.

        >>> gen = MersenneTwister().manual_seed(3)
        >>> twin = gen.clone_state()
        >>> bool(twin._words(1) == gen._words(1))
        True
        """
        return copy.copy(self)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (), self._get_state_array()

    def __setstate__(self, state: np.ndarray) -> None:
        self._set_state_array(state)

    def _reseed(self, seed: int) -> None:
        self._seed = seed
        self._at, self._fresh, self._stale = _WORDS, True, True
        self._normal = self._float_normal = None

    def _ready(self) -> None:
        """Give the engine its seed, making the engine where there is none yet."""
        if self._engine is None:
            from numpy.random import MT19937, RandomState  # about 15 ms when it is the first import of it

            self._engine = MT19937(0)
            self._draw = RandomState(self._engine).randint
        if self._stale:
            self._draw.__self__.seed(self._seed & 0xFFFFFFFF)
            self._stale = False

    def _words(self, count: int) -> np.ndarray:
        """Return the next ``count`` 32-bit draws as uint32 (perhaps a read-only view)."""
        start, stop = self._at, self._at + count
        if stop <= _WORDS:
            self._at = stop
            return self._block[start:stop] if count else np.empty(0, _UINT32)
        if self._stale:
            self._ready()
        # the engine only ever moves by whole blocks, so that its key and self._at together are PyTorch's state
        bulk, rest = divmod(stop - _WORDS - 1, _WORDS)
        pieces = [self._block[start:]] if start < _WORDS else []
        if bulk:
            pieces.append(blocks(self._engine, self._draw, bulk))
        self._block = blocks(self._engine, self._draw, 1)
        self._block.flags.writeable = False
        self._at, self._fresh = rest + 1, False
        pieces.append(self._block[: rest + 1])
        return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)

    def _word(self) -> int:
        """Return the next 32-bit draw."""
        place = self._at
        if place == _WORDS:
            return int(self._words(1)[0])
        self._at = place + 1
        return int(self._block.item(place))

    def _long_words(self, count: int) -> np.ndarray:
        """Return the next ``count`` 64-bit draws as uint64; the first 32-bit draw of each is its high half."""
        return joined(self._words(2 * count))

    def _get_state_array(self) -> np.ndarray:
        """Return the state as the 5056 bytes of ``torch.get_rng_state()``."""
        if self._stale:
            self._ready()
        record = np.zeros(1, _STATE)
        record["seed"], record["seeded"] = self._seed, 1
        record["left"] = 1 if self._fresh else _WORDS + 1 - self._at
        record["next"] = 0 if self._fresh else self._at
        record["key"] = self._engine.state["state"]["key"]
        for name, waiting in (("normal", self._normal), ("float_normal", self._float_normal)):
            if waiting is not None:
                record[name], record[f"has_{name}"] = waiting, 1
        return record.view(np.uint8)

    def _set_state_array(self, state: np.ndarray) -> None:
        """Continue from the 5056 bytes of ``torch.get_rng_state()``; a RuntimeError or TypeError where they are none."""
        state = np.asarray(state)
        if state.dtype != np.uint8:
            raise TypeMismatch("set_state", f"state has dtype {state.dtype}", "expected uint8", "pass what get_state returned")
        if state.size != _STATE.itemsize:
            what = f"state has {state.size} bytes (shape {state.shape})"
            raise StateError("set_state", what, f"expected {_STATE.itemsize}", "pass what get_state returned")
        record = np.ascontiguousarray(state).reshape(-1).view(_STATE)[0]
        left, position = int(record["left"]), int(record["next"])
        spent = left == 1 and position in (0, _WORDS)
        if not record["seeded"] or not (spent or (1 <= position <= _WORDS and left == _WORDS + 1 - position)):
            what = f"the bytes are no Mersenne Twister state (seeded={int(record['seeded'])}, left={left}, next={position})"
            raise StateError("set_state", what, "expected what get_state returns")
        self._reseed(int(record["seed"]))
        self._ready()
        self._fresh = position == 0
        self._at = position or _WORDS
        key = record["key"].astype(_UINT32)
        self._engine.state = {"bit_generator": "MT19937", "state": {"key": key, "pos": self._at}}
        block = np.zeros(_WORDS, _UINT32)
        block[self._at :] = self._engine.random_raw(_WORDS - self._at)
        block.flags.writeable = False
        self._block = block
        self._normal = float(record["normal"]) if record["has_normal"] else None
        self._float_normal = float(record["float_normal"]) if record["has_float_normal"] else None

    @contextmanager
    def _fork(self) -> Iterator[Self]:
        """Within the block draw freely; after it the stream continues as if nothing had been drawn.

        >>> gen = MersenneTwister().manual_seed(0)
        >>> with gen._fork():
        ...     first = int(gen._words(1)[0])
        >>> int(gen._words(1)[0]) == first
        True
        """
        kept = self._get_state_array()
        try:
            yield self
        finally:
            self._set_state_array(kept)


def blocks(engine: Any, draw: Any, count: int) -> np.ndarray:
    """The next ``count`` blocks of 624 draws of an engine, whose bulk draw is ``draw``."""
    return draw(0, 2**32, count * _WORDS, _UINT32)


def joined(words: np.ndarray) -> np.ndarray:
    """Pairs of 32-bit draws as 64-bit ones; the first of each is the high half."""
    pairs = words.view(_UINT64)
    return (pairs << np.uint64(32)) | (pairs >> np.uint64(32))
