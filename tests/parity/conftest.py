"""Without PyTorch nothing here runs, and the end of the test run says so in one line."""

from __future__ import annotations

import importlib.util
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


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if MISSING:
        terminalreporter.write_line(LINE, yellow=True, bold=True)
