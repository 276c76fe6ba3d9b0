"""The core's own sample rows, one call of an op each: exported and verified, or refused for a known reason."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnxruntime")

import dovetail as dv
from dovetail.errors import UnsupportedError
from dovetail.testing.samples import ROWS, Row, Spec
from dovetail.testing.samples.calls import function
from dovetail_onnx import MissingLowerings, export
from dovetail_onnx.exporter.arguments import replaced

#: Why a row that has all its lowerings may be refused; anything else is a failure.
REASONS = (
    "complex numbers have no counterpart in ONNX",
    "frequencies to",  # where there are fewer, or more, than the real numbers have
    "the model returns no tensor",
    "a constant of shape",
    "adaptive pooling to sizes that do not divide a free dimension",  # here, at random places
    "a median that leaves NaN out",
    "unique_consecutive has no counterpart",
)

SEEN: Counter[str] = Counter()


def made(x: Any, seed: str, count: list[int]) -> Any:
    """The arguments of a row as tensors, floating ones in float32."""
    if isinstance(x, Spec | np.ndarray):
        count[0] += 1
        array = x.make(f"{seed}{count[0]}") if isinstance(x, Spec) else x
        return dv.from_numpy(np.array(array, "f4" if array.dtype == "f8" else array.dtype))
    if isinstance(x, tuple) and hasattr(x, "_fields"):
        return type(x)(*(made(v, seed, count) for v in x))
    if isinstance(x, tuple | list):
        return type(x)(made(v, seed, count) for v in x)
    return {k: made(v, seed, count) for k, v in x.items()} if isinstance(x, dict) else x


def _real(t: Any, which: list[bool]) -> Any:
    """A tensor, complex ones as pairs of real numbers; and which those are."""
    which.append(t.is_complex())
    return dv.view_as_real(t).clone() if which[-1] else t


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
@pytest.mark.filterwarnings("ignore")
def test_every_row(row: Row) -> None:
    call, count = function(row), [0]
    args, kwargs = made(list(row.args), row.id, count), made(row.kwargs, row.id, count)
    which: list[bool] = []
    args, kwargs = replaced((args, kwargs), lambda t: _real(t, which))

    def run(args: Any, kwargs: Any) -> Any:
        """The call, on complex numbers where the row has them, with real results."""
        order = iter(which)
        args, kwargs = replaced((args, kwargs), lambda t: dv.view_as_complex(t) if next(order) else t)
        return replaced(call(*args, **kwargs), lambda t: dv.view_as_real(t) if t.is_complex() else t)

    try:
        export(run, (args,), kwargs={"kwargs": kwargs})
        SEEN["exported"] += 1
    except MissingLowerings:
        SEEN["missing"] += 1
    except UnsupportedError as error:
        assert any(reason in str(error) for reason in REASONS), str(error)
        SEEN["refused"] += 1


def test_the_count() -> None:
    if sum(SEEN.values()) < len(ROWS):
        pytest.skip("only some rows were run")
    print(dict(SEEN))
    assert SEEN["exported"] >= 719 and SEEN["refused"] <= 24 and SEEN["missing"] <= 14
