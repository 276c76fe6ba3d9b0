"""Every name of the feature table, run with its samples under PyTorch and under Dovetail; the report ends `make parity`."""

from __future__ import annotations

from typing import Any

import pytest

import dovetail as dv
from tests.parity.known import KNOWN_SURFACE
from tests.parity.surface_runner import difference, refuses
from tests.parity.surface_samples import MARKS, Name, names

pytestmark = pytest.mark.parity

NAMES = names()
PASSED: dict[str, bool] = {}


def _judge(name: Name) -> tuple[bool, list[str]]:
    """Whether the name counts as passed, and what is wrong that the table of known differences does not explain."""
    passes, wrong = bool(name.samples), [] if name.samples else ["no samples"]
    for sample in name.samples:
        found, known = difference(sample), KNOWN_SURFACE.get((name.id, sample.text))
        if known is None:
            wrong += [f"{sample.text}\n    {found}"] if found else []
        elif found is None:
            wrong.append(f"{sample.text}\n    agrees again: take it out of KNOWN_SURFACE")
        elif known[0] == "refused" and not refuses(sample):
            wrong.append(f"{sample.text}\n    no clear error of Dovetail's own")
        passes = passes and (found is None or (known is not None and known[0] in ("refused", "bug")))
    return passes and not wrong, wrong


@pytest.mark.parametrize("name", NAMES, ids=lambda n: n.id)
def test_name(name: Name, record_property: Any) -> None:
    passed, wrong = _judge(name)
    PASSED[name.id] = passed
    record_property("surface", [name.group, name.name, name.mark, passed])
    if wrong:
        pytest.fail(f"{name.id} ({name.mark})\n" + "\n".join(wrong), pytrace=False)


def test_known_differences_are_of_samples() -> None:
    there = {(name.id, sample.text) for name in NAMES for sample in name.samples}
    assert not (gone := [row for row in KNOWN_SURFACE if row not in there]), f"no such samples: {gone}"


def test_no_sample_changes_how_later_ones_are_computed() -> None:
    before = dv.get_num_threads()
    (row,) = [name for name in NAMES if name.id == "protocol_info.set_num_threads"]
    assert before > 1 and any("set_num_threads(1)" in sample.text and difference(sample) is None for sample in row.samples)
    assert dv.get_num_threads() == before


def test_names_have_samples() -> None:
    few = [name.id for name in NAMES if len(name.samples) < 3]
    assert not few, f"{len(few)} names have fewer than three samples: {few[:20]}"


def test_share_of_the_names() -> None:
    if len(PASSED) < len(NAMES):
        pytest.skip("some names were not run")
    share = {mark: [PASSED[name.id] for name in NAMES if name.mark == mark] for mark in MARKS}
    assert all(share["must"]) and all(share["should"])
    assert sum(PASSED.values()) >= 0.9 * len(NAMES)
