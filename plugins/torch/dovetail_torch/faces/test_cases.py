"""``torch.testing._internal.common_utils``: the class that packages take as the base of their tests, on `dovetail.testing`."""

from __future__ import annotations

import random
import unittest
from collections.abc import Mapping, Sequence
from numbers import Number
from typing import Any

import numpy as np

import dovetail as dv
from dovetail.testing import assert_close, make_tensor

__all__ = ["TestCase", "make_tensor", "run_tests", "set_rng_seed"]

__path__: list[str] = []  # `import torch.testing._internal.common_utils` asks for a package
_COMPARED = (dv.Tensor, np.ndarray, Number)


def set_rng_seed(seed: int = 1234) -> None:
    """Seed the random numbers of Dovetail, Python and NumPy."""
    dv.manual_seed(seed)
    random.seed(seed)
    np.random.seed(seed)


def run_tests(argv: list[str] | None = None) -> None:
    """`unittest.main`: run the tests of the script, and end it."""
    unittest.main(argv=argv)


class TestCase(unittest.TestCase):
    """A test that begins with a fixed seed, and to which tensors are equal that are close.

    >>> TestCase().assertEqual([dv.ones(2), {"a": 1.0}, "b"], [dv.ones(2) + 1e-7, {"a": 1.0}, "b"])
    """

    __test__ = False  # of itself nothing is collected

    def __init_subclass__(cls, **more: Any) -> None:
        super().__init_subclass__(**more)
        cls.__test__ = True

    def setUp(self) -> None:
        """Seed."""
        set_rng_seed()

    def assertEqual(
        self, x: Any, y: Any, msg: Any = None, *, atol: float | None = None, rtol: float | None = None, equal_nan: bool = True,
        exact_dtype: bool = True, exact_device: bool = False, exact_layout: bool = False, exact_stride: bool = False,
        exact_is_coalesced: bool = False,
    ) -> None:  # fmt: skip
        """Numbers and tensors are close, also inside sequences and mappings, and all else is equal.

        A number may stand for a tensor of one element, a list of numbers for a tensor. Raises an AssertionError where they are
        not, and a ValueError for one tolerance without the other.
        """
        kinds = {"check_dtype": exact_dtype, "check_device": exact_device, "check_layout": exact_layout, "check_stride": exact_stride}
        self._alike(x, y, msg, {"atol": atol, "rtol": rtol, "equal_nan": equal_nan, **kinds})

    def _alike(self, x: Any, y: Any, msg: Any, how: dict[str, Any]) -> None:
        if isinstance(x, Mapping) and isinstance(y, Mapping):
            self.assertTrue(x.keys() == y.keys(), msg or f"the keys differ: {list(x)} and {list(y)}")
            for key in x:
                self._alike(x[key], y[key], msg, how)
        elif isinstance(x, dv.Tensor) and isinstance(y, Sequence):
            self._alike(x, dv.as_tensor(y, dtype=x.dtype, device=x.device), msg, how)
        elif isinstance(y, dv.Tensor) and isinstance(x, Sequence):
            self._alike(dv.as_tensor(x, dtype=y.dtype, device=y.device), y, msg, how)
        elif isinstance(x, Sequence) and isinstance(y, Sequence) and not isinstance(x, str | bytes) and not isinstance(y, str | bytes):
            self.assertTrue(len(x) == len(y), msg or f"the lengths differ: {len(x)} and {len(y)}")
            for a, b in zip(x, y, strict=True):
                self._alike(a, b, msg, how)
        elif isinstance(x, _COMPARED) and isinstance(y, _COMPARED):
            if isinstance(x, Number) or isinstance(y, Number):
                how = {**how, "check_dtype": False}  # a number has no type that could differ
            if isinstance(x, Number) != isinstance(y, Number) or isinstance(x, np.ndarray) != isinstance(y, np.ndarray):
                x, y = (v if isinstance(v, dv.Tensor) else dv.as_tensor(v) for v in (x, y))
            assert_close(x, y, msg=msg, **how)
        else:
            self.assertTrue(x == y, msg or f"{x!r} is not {y!r}")

    def assertNotEqual(self, x: Any, y: Any, msg: Any = None, **how: Any) -> None:
        """The opposite of `assertEqual`."""
        with self.assertRaises(AssertionError, msg=msg):
            self.assertEqual(x, y, **how)
