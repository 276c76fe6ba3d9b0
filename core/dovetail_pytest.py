"""Dovetail's pytest plugin: counts conformance checks. It lies outside the package, so that pytest's start does not import Dovetail."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

__all__: list[str] = []

_planned: dict[str, int] = {}
_seen: Counter[tuple[str, str]] = Counter()
_reasons: defaultdict[str, dict[str, Counter[str]]] = defaultdict(dict)  # plugin → reason of a skip → rows


def pytest_configure(config: Any) -> None:
    """Make the marker known."""
    config.addinivalue_line("markers", "conformance(plugin, planned): a check of dovetail.testing.conformance")


def pytest_collection_modifyitems(items: list[Any]) -> None:
    """Note what was planned, before anything is deselected."""
    for item in items:
        mark = item.get_closest_marker("conformance")
        if mark is not None:
            _planned[mark.kwargs["plugin"]] = mark.kwargs["planned"]
            item.user_properties.append(("conformance", mark.kwargs["plugin"]))


def pytest_runtest_logreport(report: Any) -> None:
    """Count outcomes; workers of pytest-xdist report to the process that sums up."""
    plugin = dict(report.user_properties).get("conformance")
    if plugin and (report.when == "call" or report.outcome == "skipped"):
        _seen[plugin, report.outcome] += 1
        if report.outcome == "skipped" and isinstance(report.longrepr, tuple):
            row = report.nodeid.partition("[")[2].rpartition(":")[0]
            _reasons[plugin].setdefault(report.longrepr[2].removeprefix("Skipped: "), Counter())[row] += 1


def _missing(config: Any) -> list[str]:
    """The plugins of which fewer checks ran than were planned, although no selection was asked for."""
    selected = config.option.keyword or config.option.markexpr or any("::" in str(argument) for argument in config.args)
    short = [plugin for plugin, planned in _planned.items() if sum(n for (name, _), n in _seen.items() if name == plugin) < planned]
    return [] if selected or config.option.collectonly else short


def pytest_terminal_summary(terminalreporter: Any, config: Any) -> None:
    """One line a plugin: planned, run, passed, skipped; then one a reason for skipping, with the rows that it left out."""
    plugins = sorted({plugin for plugin, _ in _seen} | set(_planned))
    for plugin in plugins:
        passed, failed, skipped = (_seen[plugin, outcome] for outcome in ("passed", "failed", "skipped"))
        planned = f"{_planned[plugin]} planned, " if plugin in _planned else ""
        text = f"conformance of {plugin}: {planned}{passed + failed} run, {passed} passed, {failed} failed, {skipped} skipped"
        terminalreporter.write_line(text + ("; FEWER THAN PLANNED" if plugin in _missing(config) else ""))
        for reason, rows in _reasons[plugin].items():
            terminalreporter.write_line(f"  skipped, {reason}: {', '.join(f'{row} ({count})' for row, count in rows.items())}")


def pytest_sessionfinish(session: Any, exitstatus: int) -> None:
    """Fewer checks than planned is a failure."""
    if exitstatus == 0 and _missing(session.config) and not hasattr(session.config, "workerinput"):
        session.exitstatus = 1
