"""``dovetail.quasirandom``: points that fill a cube more evenly than random ones."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

import dovetail as dv
from dovetail import Tensor
from dovetail.errors import ValueRangeError

__all__ = ["SobolEngine"]


class SobolEngine:
    """Sobol's sequence in [0, 1)ᵈ, by SciPy's; with ``scramble`` Matoušek's (1998) linear scrambling and a shift, PyTorch's by seed.

    Raises a ValueError for a dimension outside 1 … 21201, and from `draw_base2` where the points would not be a power of two in all.

    >>> import dovetail as dv
    >>> dv.quasirandom.SobolEngine(2).draw(4)
    tensor([[0.0000, 0.0000],
            [0.5000, 0.5000],
            [0.7500, 0.2500],
            [0.2500, 0.7500]])
    """

    MAXBIT = 30
    MAXDIM = 21201

    def __init__(self, dimension: int, scramble: bool = False, seed: int | None = None) -> None:
        from scipy.stats import qmc

        if not 1 <= dimension <= self.MAXDIM:
            expected = f"Supported range of dimensionality for SobolEngine is [1, {self.MAXDIM}]"
            raise ValueRangeError("SobolEngine", expected, f"got {dimension}")
        self.dimension, self.scramble, self.seed, self.num_generated = dimension, scramble, seed, 0
        self.shift = dv.zeros(dimension, dtype=dv.int64)
        self._sequence = qmc.Sobol(dimension, scramble=False, bits=self.MAXBIT)
        self._rows: Any = None  # of the scrambling matrices, as numbers: (bits, dimension)
        if scramble:
            self._scramble()

    def _scramble(self) -> None:
        """Draw the shift and lower triangular matrices of bits, in PyTorch's order."""
        g = None if self.seed is None else dv.Generator().manual_seed(self.seed)
        bits = self.MAXBIT
        powers = 2 ** np.arange(bits)
        self.shift = dv.from_numpy(dv.randint(2, (self.dimension, bits), generator=g).numpy() @ powers)
        matrices = dv.randint(2, (self.dimension, bits, bits), generator=g).numpy()
        lower = np.tril(matrices, -1) + np.eye(bits, dtype=np.int64)
        self._rows = (lower @ powers[::-1]).T

    def _points(self, n: int) -> np.ndarray:
        """The next n points as whole numbers below 2^MAXBIT: (n, dimension)."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that n is no power of two, of which PyTorch says nothing
            x = (self._sequence.random(n) * 2**self.MAXBIT).astype(np.int64)
        if self._rows is not None:
            x = sum((np.bitwise_count(row & x) & 1).astype(np.int64) << (self.MAXBIT - 1 - k) for k, row in enumerate(self._rows))
        return np.asarray(x) ^ self.shift.numpy()

    def draw(self, n: int = 1, out: Tensor | None = None, dtype: Any = None) -> Tensor:
        """The next n points: (n, dimension), of the default float type unless another is named."""
        dtype = dv.get_default_dtype() if dtype is None else dtype
        result = dv.from_numpy(self._points(n)).to(dtype) / 2**self.MAXBIT
        self.num_generated += n
        return result if out is None else out.resize_(result.shape).copy_(result)

    def draw_base2(self, m: int, out: Tensor | None = None, dtype: Any = None) -> Tensor:
        """The next 2ᵐ points, where those drawn are a power of two then."""
        total = self.num_generated + 2**m
        if total & (total - 1):
            what = "The balance properties of Sobol' points require n to be a power of 2"
            remedy = "if you still want to do this, use draw()"
            raise ValueRangeError("draw_base2", what, f"{self.num_generated} points were drawn, and 2**{m} more are {total}", remedy)
        return self.draw(2**m, out, dtype)

    def reset(self) -> SobolEngine:
        """Begin again."""
        self._sequence.reset()
        self.num_generated = 0
        return self

    def fast_forward(self, n: int) -> SobolEngine:
        """Pass n points over."""
        self._sequence.fast_forward(n)
        self.num_generated += n
        return self

    def __repr__(self) -> str:
        text = f"dimension={self.dimension}" + (", scramble=True" if self.scramble else "")
        return f"SobolEngine({text}{'' if self.seed is None else f', seed={self.seed}'})"
