"""The signatures and weights of the vision plugin beside torchvision's: the same arguments in the same order, the same files and facts."""

from __future__ import annotations

import functools
import inspect
from importlib import import_module
from types import ModuleType

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("PIL")

from tests.parity.torchvision_oracle import torchvision

pytestmark = pytest.mark.parity
torchvision()

MODULES = """datasets datasets.folder datasets.utils datasets.vision io models models.detection models.segmentation
models.feature_extraction models.resnet models._utils ops ops.misc transforms transforms.functional transforms.autoaugment transforms.v2
transforms.v2.functional tv_tensors utils""".split()
#: Names of torchvision's own workings, which are not here.
LEFT_OUT = {"D", "M", "T", "T_co", "V", "W", "accimage_loader", "kwonly_to_pos_or_kw", "sequence_to_str", "_Image_fromarray"}
#: The page on images says how these differ.
DIFFERENT = {"KeypointRCNN", "MaskRCNN", "ConvNormActivation", "Weights", "check_md5"}


def _default(value):
    if isinstance(value, functools.partial):
        return value.func.__name__, value.keywords
    if inspect.isclass(value) or inspect.isfunction(value) or inspect.isbuiltin(value):
        return value.__name__
    if type(value).__name__ == "InterpolationMode":
        return value.value
    if hasattr(value, "url") and hasattr(value, "meta"):
        return value.name
    if isinstance(value, (int, float)):
        return value  # 1 and 1.0 are one
    text = str(value).replace("torchvision", "dovetail_vision").replace("torch.", "dovetail.")
    return type(value).__name__ if " at 0x" in text else text


def _parameters(function):
    return [(p.name, p.kind.name, _default(p.default)) for p in inspect.signature(function).parameters.values()]


def _public(module):
    listed = getattr(module, "__all__", None)
    return [
        name
        for name in listed or vars(module)
        if not isinstance(value := getattr(module, name), ModuleType)
        and (listed or (not name.startswith("_") and str(getattr(value, "__module__", "")).startswith("torchvision")))
    ]


@pytest.mark.parametrize("name", MODULES)
def test_signatures(name):
    theirs, ours = import_module(f"torchvision.{name}"), import_module(f"dovetail_vision.{name}")
    names = [one for one in _public(theirs) if one not in LEFT_OUT]
    assert [one for one in names if not hasattr(ours, one)] == []
    apart = {}
    for one in names:
        value = getattr(theirs, one)
        if one in DIFFERENT or not callable(value) or hasattr(value, "__members__"):
            continue
        try:
            want = _parameters(value)
        except ValueError:
            continue
        got = _parameters(getattr(ours, one))
        more = [p for p in got if p[1] == "KEYWORD_ONLY" and p[0] not in {q[0] for q in want}]  # `split`, `verify` and `inputs`
        if [p for p in got if p not in more] != want:
            apart[one] = want, got
    assert apart == {}


def _fact(value):
    return repr(list(value) if isinstance(value, (list, tuple)) else value)


@pytest.mark.parametrize("where", ["", ".detection", ".segmentation"])
def test_weights(where):
    theirs, ours = import_module(f"torchvision.models{where}"), import_module(f"dovetail_vision.models{where}")
    found = [name for name in dir(theirs) if name.endswith("_Weights") and name.startswith(tuple("ABCDEFGHIKLMNOPQRSTUVWXYZ"))]
    assert found
    for name in found:
        enum, mine = getattr(theirs, name), getattr(ours, name)
        assert sorted(enum.__members__) == sorted(mine.__members__), name
        for member in enum.__members__:
            want, got = enum[member], mine[member]
            assert (want.name, want.url) == (got.name, got.url)
            for key in want.meta.keys() - {"_docs"}:
                assert _fact(got.meta[key]) == _fact(want.meta[key]), (name, member, key)
            assert repr(got.transforms()).replace("dovetail_vision", "torchvision") == repr(want.transforms()), (name, member)
