"""The reference shows every public name, with real parameters."""

from __future__ import annotations

import importlib
import inspect
import re

import pytest

import dovetail as dv
from docs._ext import coverage, docstrings, reference, sources
from dovetail import absent
from tests.contracts.sources import ROOT
from tests.contracts.test_documented import _public

PAGES = {page.stem: reference.expand(page.read_text(encoding="utf-8")) for page in sorted(reference.PAGES.glob("*.md"))}
ENTRY = re.compile(r"^`{3,}\{py:\w+\} ([\w.]+).*\n(?::module: ([\w.]+)\n)?", re.M)
SHOWN = {f"{module}.{name}" if module else name for text in PAGES.values() for name, module in ENTRY.findall(text)}
SPACES = "nn nn.functional nn.init nn.utils optim optim.lr_scheduler linalg fft data io autograd".split()
AUTHORS = ("dovetail.errors", "dovetail.extend", "dovetail.models", "dovetail.datasets", "dovetail.testing")


def test_every_name_at_the_top_is_shown() -> None:
    made = {n: v for n, v in vars(dv).items() if not n.startswith("_") and (inspect.isfunction(v) or inspect.isclass(v))}
    names = {name for name, value in made.items() if value.__module__.partition(".")[0] == "dovetail" and not name.endswith("Tensor")}
    names -= set(absent.answers("dovetail")[2]())  # what only ported programs ask for, and which is there once one has asked
    assert len(names) > 500 and not {name for name in names if f"dovetail.{name}" not in SHOWN}


@pytest.mark.parametrize("space", SPACES)
def test_every_name_of_a_namespace_is_shown(space: str) -> None:
    names = reference._public(importlib.import_module(f"dovetail.{space}"))
    assert len(names) > 2 and not {name for name in names if f"dovetail.{space}.{name}" not in SHOWN}


def test_every_method_of_a_tensor_is_shown() -> None:
    methods = {name for name, value in vars(dv.Tensor).items() if not name.startswith("_") and inspect.isfunction(value)}
    assert len(methods) > 400 and not {name for name in methods if f"dovetail.Tensor.{name}" not in SHOWN}


def test_a_constant_is_shown_with_what_stands_above_it() -> None:
    assert "A dict." not in "".join(PAGES.values())
    kinds = re.search(r"\{py:data\} KINDS\n:module: dovetail_train.names\n\n(.*)", PAGES["train"])
    assert kinds and kinds[1].startswith("Table of a configuration → the registry that it may name. A dict of "), PAGES["train"][:500]
    assert "such as ``'model'``, " in kinds[1]


def test_every_error_and_tool_for_authors_is_shown() -> None:
    wanted = [f"{m}.{n}" for m, n in _public() if m in AUTHORS and not inspect.ismodule(getattr(importlib.import_module(m), n))]
    assert len(wanted) > 40 and not {name for name in wanted if name not in SHOWN}


def test_what_no_page_names_is_among_the_others() -> None:
    others = {f"{group.prefix}.{name}" for group in reference.groups("others", []) for name in group.names}
    assert {"dovetail.utils.hooks.RemovableHandle"} <= others <= SHOWN
    assert "dovetail.nn.Linear" not in others and "dovetail.add" not in others


def test_signatures_have_real_parameters() -> None:
    assert "{py:function} conv2d(input, weight, bias=None, stride=1, padding=0, dilation=1, groups: int = 1)" in PAGES["functional"]
    assert "{py:method} Tensor.sum(dim=None, keepdim: bool = False, dtype=None) -> dovetail.Tensor" in PAGES["tensor"]
    assert re.search(r"\{py:class\} Linear\(in_features: int, out_features: int, bias: bool = True", PAGES["nn"])


def test_a_name_that_is_shown_twice_has_one_home() -> None:
    assert "```{py:class} Module\n:module: dovetail.extend\n:no-index:\n\nThe same as {py:class}`dovetail.nn.Module`." in PAGES["plugins"]


def test_docstrings_become_markdown() -> None:
    text = "Sum *all*, as :func:`sum`; see ``a * b``.\n\n    literal\n\n>>> 1 + 1\n2\n\nFrom https://example.org/a_b."
    wanted = (
        "Sum \\*all\\*, as `sum`; see ``a * b``.\n\n```text\nliteral\n```\n\n```pycon\n>>> 1 + 1\n2\n```\n\nFrom <https://example.org/a_b>."
    )
    assert docstrings.markdown(text) == wanted


def test_sources_are_found_through_wrappers() -> None:
    for name, home in (("sum", "reduce"), ("conv2d", "conv"), ("tanh", "elementwise")):
        assert sources.follow(None, "dovetail", name) == f"dovetail.ops.{home}"
        text, tags = sources.find(None, f"dovetail.ops.{home}") or ("", {})
        kind, first, last = tags[name]
        assert kind == "def" and 0 < first < last <= text.count("\n") + 1


def test_coverage_counts_what_is_there() -> None:
    assert coverage.missing("nn", ["Linear", "NotALayer"]) == ["NotALayer"]
    assert coverage.missing("nothing.here", ["x"]) == ["x"]
    assert "| `torch.nn` |" in coverage.table()


def test_the_recorded_names_are_those_of_pytorch() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    if not torch.__version__.startswith(coverage.recorded()["version"]):
        pytest.skip(f"the names are those of PyTorch {coverage.recorded()['version']}, and {torch.__version__} is installed")
    assert coverage.record() == coverage.recorded(), "python docs/_ext/coverage.py records them anew"


def test_no_page_of_the_reference_is_left_out() -> None:
    listed = (ROOT / "docs/reference/index.md").read_text(encoding="utf-8").split()
    assert set(PAGES) - {"index"} <= set(listed)
