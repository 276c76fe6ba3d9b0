"""PyTorch's own table of operators, entry by entry: two samples of two types each; `make soak` runs all of all types."""

from __future__ import annotations

import zlib
from typing import Any

import pytest

pytest.importorskip("expecttest", reason="PyTorch's tables of tests import it (make parity installs it)")

from tests.parity import opinfo
from tests.parity.known_opinfo import ABSENT, KNOWN

pytestmark = pytest.mark.parity

NAMES = [op.name + (f"[{op.variant_test_name}]" if op.variant_test_name else "") for op in opinfo.TABLE]
CHECKED = None  # of the entries by name those whose differences are known; make soak shows the others too


def _entries(count: int | None = None) -> Any:
    return pytest.mark.parametrize(("name", "op"), list(zip(NAMES, opinfo.TABLE, strict=True))[:count], ids=NAMES[:count])


def _judge(name: str, op: Any, dtypes: list[str], count: int) -> None:
    if reason := next((why for start, why in ABSENT.items() if name.startswith(start)), None):
        pytest.skip(f"not here: {reason}")
    known = KNOWN.get(name, ("", ""))[0].split()
    tried = [(dtype, *one) for dtype in dtypes for one in opinfo.checks(op, dtype, count)]
    tried += [("", *one) for one in opinfo.errors(op)]
    wrong = [f"{kind} {dtype}: {found}" for dtype, kind, found in tried if found and kind not in known and "all" not in known]
    assert not wrong, "\n".join(wrong[:20])


def _types(op: Any) -> list[str]:
    none = {"float16"} if op.name == "complex" else set()  # there are no tensors of complex32
    return [name for name in opinfo.DTYPES if name in {str(T).removeprefix("torch.") for T in op.dtypes} - none]


@_entries(CHECKED)
def test_entry(name: str, op: Any) -> None:
    known = _types(op)
    others = [t for t in ("complex128", "int64", "bfloat16") if t in known]
    first = [t for t in ("float64",) if t in known]
    _judge(name, op, first + ([others[zlib.crc32(name.encode()) % len(others)]] if others else []), 2)


@pytest.mark.soak
@_entries()
def test_whole_entry(name: str, op: Any) -> None:
    _judge(name, op, _types(op), 1000)
