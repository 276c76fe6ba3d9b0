"""Subjects, checks and reports: what is planned, what ran, what was skipped and why."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...errors import UnknownNameError
from ...plugins.catalogue import Plugin
from ...plugins.kinds import KINDS
from ...plugins.manager import get_manager
from ...plugins.registry import Entry

__all__ = ["CHECKS", "Check", "Report", "Skip", "Subject", "check", "plan", "run", "tests"]


class Skip(Exception):
    """A check that cannot be made of this subject; the message says why, and the report shows it."""


@dataclass(frozen=True)
class Subject:
    """What is checked: a plugin as a whole (``kind`` is empty), or one row of it."""

    plugin: Plugin
    kind: str = ""
    key: str = ""
    fields: dict[str, Any] = field(default_factory=dict, hash=False)

    @property
    def entry(self) -> Entry:
        """The row as registries give it."""
        return Entry(self.kind, self.key, self.plugin, self.fields)

    @property
    def example(self) -> dict[str, Any]:
        """What the manifest says of how to try it; Skip when it says nothing."""
        found = self.fields.get("example")
        if found is None:
            raise Skip("the manifest has no example for it")
        return found

    def inputs(self, batch: int | None = None, seed: int = 0) -> list[Any]:
        """Tensors as the example describes them, ``{ shape = [2, 3], dtype = "float32", high = 10 }`` or just the shape.

        ``batch`` takes the place of the first size. Integers are drawn below ``high``; ``array = true`` leaves a NumPy array;
        ``value`` is the input itself, such as a list of words.
        """
        import dovetail as dv

        draw = np.random.RandomState(seed)
        found = []
        for spec in self.example.get("inputs", ()):
            about = spec if isinstance(spec, dict) else {"shape": spec}
            if "value" in about:
                found.append(copy.deepcopy(about["value"]))
                continue
            shape = list(about["shape"])
            if batch is not None and shape:
                shape[0] = batch
            dtype = about.get("dtype", "float32")
            whole = np.dtype(dtype).kind in "iu"
            values = draw.randint(about.get("low", 0), about.get("high", 10), shape) if whole else draw.standard_normal(shape)
            array = np.asarray(values, dtype)
            found.append(array if about.get("array") else dv.from_numpy(array))
        if not found:
            raise Skip("its example has no inputs")
        return found


#: Kind → the checks of a row of that kind, by name; the empty kind holds the checks of a plugin as a whole.
CHECKS: dict[str, dict[str, Callable[[Subject], None]]] = {}


def check(*kinds: str) -> Callable[[Callable[[Subject], None]], Callable[[Subject], None]]:
    """Register a check of rows of these kinds; it raises an AssertionError, or a Skip with the reason."""

    def register(function: Callable[[Subject], None]) -> Callable[[Subject], None]:
        for kind in kinds:
            CHECKS.setdefault(kind, {})[function.__name__] = function
        return function

    return register


@dataclass(frozen=True)
class Check:
    """One check of one subject; calling it runs it."""

    name: str
    subject: Subject

    @property
    def id(self) -> str:
        """``kind.key:name``, such as ``models.audio/net:forward_and_backward``."""
        return f"{self.subject.kind}.{self.subject.key}:{self.name}" if self.subject.kind else f"plugin:{self.name}"

    def __call__(self) -> None:
        CHECKS[self.subject.kind][self.name](self.subject)


@dataclass
class Report:
    """What came of a plan. ``well`` only when everything that was planned ran or was skipped for a reason, and nothing failed."""

    planned: int
    passed: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)

    @property
    def well(self) -> bool:
        return not self.failed and len(self.passed) + len(self.skipped) == self.planned > 0

    def __str__(self) -> str:
        ran = len(self.passed) + len(self.failed)
        lines = [f"{self.planned} planned, {ran} run, {len(self.passed)} passed, {len(self.failed)} failed, {len(self.skipped)} skipped"]
        lines += [f"FAILED {name}: {text}" for name, text in self.failed.items()]
        return "\n".join(lines + [f"skipped {name}: {reason}" for name, reason in self.skipped.items()])

    def take(self, one: Check) -> None:
        """Run a check and note what came of it."""
        try:
            one()
        except Skip as reason:
            self.skipped[one.id] = str(reason)
        except (Exception, SystemExit) as error:
            self.failed[one.id] = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        else:
            self.passed.append(one.id)


def plan(plugin: str) -> list[Check]:
    """All checks of an installed plugin, in the order of its manifest; what its code registers comes last in each kind."""
    catalogue = get_manager().catalogue
    try:
        found = catalogue[plugin]
    except KeyError:
        known = ", ".join(item.name for item in catalogue.plugins) or "none"
        raise UnknownNameError("conformance", f"there is no plugin {plugin!r}", f"installed: {known}", "pip install -e . first") from None
    subjects = [Subject(found)]
    if found.usable:
        subjects += [Subject(found, kind, key, fields) for kind in KINDS for key, fields in _rows(found, kind).items()]
    return [Check(name, subject) for subject in subjects for name in CHECKS.get(subject.kind, ())]


def _rows(plugin: Plugin, kind: str) -> dict[str, Any]:
    """The rows of a kind: those of the manifest, and those that the plugin registers by code."""
    rows = dict(plugin.rows(kind))
    if f"register_{kind}" in plugin.implements:
        table = get_manager().table(kind).rows
        rows |= {key: fields for key, (owner, fields) in table.items() if owner is plugin}
    return rows


def run(plugin: str) -> Report:
    """Run all checks of a plugin."""
    checks = plan(plugin)
    report = Report(len(checks))
    for one in checks:
        report.take(one)
    return report


def tests(plugin: str) -> Callable[..., None]:
    """A pytest function with one case for each check: ``test_conformance = conformance.tests("audio")``."""
    import pytest

    checks = plan(plugin)

    @pytest.mark.conformance(plugin=plugin, planned=len(checks))
    @pytest.mark.parametrize("check", checks, ids=[one.id for one in checks])
    def test_conformance(check: Check) -> None:
        try:
            check()
        except Skip as reason:
            pytest.skip(str(reason))

    return test_conformance
