"""Every example in a docstring runs and prints what it says."""

from __future__ import annotations

import doctest
import importlib
import warnings

import pytest

from tests.contracts.sources import CORE, core_files, numerics_files, plugin_files


def _modules() -> list[str]:
    """The modules of the core and the plugins, by dotted name."""
    names = []
    for path in [*core_files(), *numerics_files(), *plugin_files()]:
        top = CORE.parent if CORE in path.parents else next(p for p in path.parents if not (p / "__init__.py").exists())
        parts = path.relative_to(top).with_suffix("").parts
        if parts[-1] not in ("__main__", "__init__"):
            names.append(".".join(parts))
    return names


@pytest.mark.parametrize("name", _modules())
def test_examples(name: str) -> None:
    try:
        module = importlib.import_module(name)
    except ImportError as error:  # an extra of a plugin that is not installed here
        pytest.skip(str(error))
    import dovetail

    dovetail.manual_seed(0)
    finder = doctest.DocTestFinder(exclude_empty=True)
    failures = []
    for example in finder.find(module, name):
        runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
        out: list[str] = []
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            runner.run(example, out=out.append)
        if runner.failures:
            failures.append("".join(out))
    assert not failures, "\n".join(failures)
