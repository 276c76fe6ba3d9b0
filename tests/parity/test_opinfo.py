"""PyTorch's own table of operators, entry by entry: a few samples of each type; `make soak` runs all of them."""

from __future__ import annotations

import pytest

pytest.importorskip("expecttest", reason="PyTorch's tables of tests import it (make parity installs it)")

from tests.parity import opinfo
from tests.parity.known_opinfo import ABSENT, KNOWN

pytestmark = pytest.mark.parity

FEW = ("float64", "complex128", "int64", "bfloat16")
NAMES = [op.name + (f"[{op.variant_test_name}]" if op.variant_test_name else "") for op in opinfo.TABLE]


def _differences(op, dtypes, count):
    supported = {str(T).removeprefix("torch.") for T in op.dtypes}
    tried = [(dtype, kind, found) for dtype in dtypes if dtype in supported for kind, found in opinfo.checks(op, dtype, count)]
    return [(dtype, kind, found) for dtype, kind, found in tried + [("", *e) for e in opinfo.errors(op)] if found]


def _judge(name, found):
    known = KNOWN.get(name, {})
    rest = [d for d in found if d[1] not in known and not known.get("all")]
    assert not rest, "\n".join(f"{kind} {dtype}: {text}" for dtype, kind, text in rest[:20])


@pytest.mark.parametrize(("name", "op"), zip(NAMES, opinfo.TABLE, strict=True), ids=NAMES)
def test_entry(name, op):
    if op.name in ABSENT:
        pytest.skip(ABSENT[op.name])
    _judge(name, _differences(op, FEW, 2))


@pytest.mark.soak
@pytest.mark.parametrize(("name", "op"), zip(NAMES, opinfo.TABLE, strict=True), ids=NAMES)
def test_whole_entry(name, op):
    if op.name in ABSENT:
        pytest.skip(ABSENT[op.name])
    _judge(name, _differences(op, opinfo.DTYPES, 1000))
