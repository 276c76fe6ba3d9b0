"""Lowerings come through the plugin contract: ours are rows of the manifest, and other plugins bring theirs."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

pytest.importorskip("onnxruntime")

import dovetail as dv
import dovetail_onnx
from dovetail import plugins
from dovetail.extend import Array, op, xp
from dovetail_onnx import MissingLowerings, explain_export, export
from tests.onnx.running import assert_same

MANIFEST = """api = ">=1.1,<2"
[lowerings."acme/softclip"]
target = "acme.lowerings:softclip"
format = "onnx"
[lowerings."acme/softclip_node"]
target = "acme.lowerings:softclip_node"
format = "onnx"
"""

LOWERINGS = """
def softclip(g, input):
    return g.Div(input, g.Add(g.Abs(input), 1))


def softclip_node(g, input, limit):
    return g.node("Softclip", input, domain="com.acme", version=2, limit=limit)
"""


@op(dtypes="float", name="acme/softclip")
def softclip(input: Array) -> Array:
    """x / (1 + |x|)."""
    return input / (1 + xp(input).abs(input))


@op(dtypes="float", name="acme/softclip_node")
def softclip_node(input: Array, limit: float) -> Array:
    """The same, as one node."""
    return input / (limit + xp(input).abs(input))


class Clipped(dv.nn.Module):
    """Both ops, below a module."""

    def forward(self, x):
        return softclip(x)


@pytest.fixture
def acme(tmp_path, monkeypatch):
    """A plugin that is installed for one test."""
    files = {
        "acme-0.1.0.dist-info/METADATA": "Metadata-Version: 2.4\nName: acme\nVersion: 0.1.0\n\n",
        "acme-0.1.0.dist-info/entry_points.txt": "[dovetail.plugins]\nacme = acme:dovetail.toml\n",
        "acme/__init__.py": "",
        "acme/dovetail.toml": MANIFEST,
        "acme/lowerings.py": LOWERINGS,
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    monkeypatch.setenv("DOVETAIL_CACHE", str(tmp_path / "cache"))
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    plugins.reset()
    yield
    monkeypatch.undo()
    sys.modules.pop("acme.lowerings", None)
    sys.modules.pop("acme", None)
    plugins.reset()


def test_without_the_plugin():
    (found,) = explain_export(dv.nn.Sequential(Clipped()), dv.ones(2))
    assert str(found) == 'acme/softclip: 1 call in 0; a plugin can bring it: [lowerings."acme/softclip"] with format = "onnx"'
    with pytest.raises(MissingLowerings, match="1 op has no lowering to ONNX; acme/softclip: 1 call"):
        export(Clipped(), dv.ones(2))


def test_a_composition_of_another_plugin(acme):
    assert "acme.lowerings" not in sys.modules and explain_export(Clipped(), dv.ones(2)) == [] and "acme.lowerings" not in sys.modules
    proto = export(dv.nn.Sequential(Clipped()), dv.ones(3), dynamic_shapes=[{0: "n"}])
    assert [n.op_type for n in proto.graph.node] == ["Abs", "Add", "Div"] and proto.graph.node[0].name == "0.Abs"
    assert_same(proto, dv.nn.Sequential(Clipped()), dv.rand(3) - 0.5, {"n": 17}, [{0: "n"}])


def test_a_node_of_another_domain(acme):
    proto = export(lambda x: softclip_node(x, 1.5), dv.ones(3))
    (node,) = proto.graph.node
    assert (node.op_type, node.domain, node.attribute[0].f) == ("Softclip", "com.acme", 1.5)
    assert {o.domain: o.version for o in proto.opset_import} == {"": 20, "com.acme": 2}


def test_every_row_of_the_manifest_is_a_function_of_its_op():
    """Keys are ops of the core, targets are there, and take the op's parameters after the builder."""
    rows = [key for key in plugins.lowerings.list() if key.endswith("@onnx")]
    ours = [key for key in rows if plugins.lowerings.get(key).plugin.distribution == "dovetail-onnx"]
    assert len(ours) == 257
    folder = Path(dovetail_onnx.__file__).parent / "lowerings"
    assert {plugins.lowerings.get(key).target.partition(":")[0].rpartition(".")[2] for key in ours} == {
        p.stem for p in folder.glob("[a-z]*.py")
    }
