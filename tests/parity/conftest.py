"""Without PyTorch nothing here runs, and the end of the test run says so in one line."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

MISSING = importlib.util.find_spec("torch") is None
LINE = "NOT RUN: tests/parity (PyTorch is not installed; make parity installs it)"

collect_ignore_glob = ["test_*.py"] if MISSING else []


def pytest_configure(config: pytest.Config) -> None:
    if not MISSING:
        import torch

        torch.set_num_threads(1)  # small arrays; and the results do not depend on the machine
        torch.backends.opt_einsum.enabled = False  # its errors are of other types than those of PyTorch itself


@pytest.fixture(scope="session", autouse=True)
def _flags_may_be_set() -> None:
    """PyTorch's tables of tests, which some modules here import, forbid setting the flags of its backends."""
    import torch

    torch.backends.flags_frozen.__globals__["__allow_nonbracketed_mutation_flag"] = True


@pytest.fixture(scope="session", autouse=True)
def _two_threads() -> None:
    """The order of our sums depends on how many threads share them; here it does not depend on the machine."""
    import dovetail as dv

    dv.set_num_threads(2)


@pytest.fixture(autouse=True)
def _arguments_of_distributions_are_checked() -> None:
    """`torch.compile`, which some programs call, turns PyTorch's checks off for the whole process."""
    import torch

    torch.distributions.Distribution.set_default_validate_args(True)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if MISSING:
        terminalreporter.write_line(LINE, yellow=True, bold=True)
    reports = [r for kind in ("passed", "failed") for r in terminalreporter.stats.get(kind, ())]
    rows = [value for r in reports if r.when == "call" for key, value in r.user_properties if key == "surface"]
    if rows:
        terminalreporter.write_line(_surface(rows), bold=True)


def _surface(rows: list[list[Any]]) -> str:
    """The report of names in one line; build/parity.json has it by groups."""
    share = {mark: f"{sum(r[3] for r in rows if r[2] == mark)}/{sum(r[2] == mark for r in rows)}" for mark in ("must", "should", "rare")}
    groups: dict[str, Any] = {}
    for group, name, mark, passed in rows:
        told = groups.setdefault(group, {"names": 0, "passed": 0, "not passed": {}})
        told["names"] += 1
        told["passed"] += passed
        if not passed:
            told["not passed"][name] = mark
    passed = sum(r[3] for r in rows)
    path = Path(__file__).parents[2] / "build" / "parity.json"
    path.parent.mkdir(exist_ok=True)
    whole = {"names": len(rows), "passed": passed, **share, "groups": groups}
    path.write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
    return f"parity: {passed} of {len(rows)} names (" + ", ".join(f"{mark.upper()} {text}" for mark, text in share.items()) + ")"
