"""`dovetail onnx info` and what stands behind it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import dovetail as dv
import dovetail_onnx
from dovetail.cli.main import dovetail
from dovetail.errors import FormatError, UnsupportedError
from dovetail_onnx import inspect

onnx = pytest.importorskip("onnx")
from onnx import TensorProto, helper, numpy_helper

FOLDER = Path(dovetail_onnx.__file__).parent


def tensor(name, *shape):
    return numpy_helper.from_array(np.zeros(shape, np.float32), name)


def mlp(**more):
    """Two layers: (batch, 8) to (batch, 10); one initializer is also listed among the inputs, as old writers do."""
    weights = [tensor("w1", 8, 12), tensor("b1", 12), tensor("w2", 12, 10), tensor("b2", 10)]
    nodes = [
        helper.make_node("Gemm", ["x", "w1", "b1"], ["h"]),
        helper.make_node("Relu", ["h"], ["r"]),
        helper.make_node("Gemm", ["r", "w2", "b2"], ["y"]),
    ]
    inputs = [helper.make_tensor_value_info(*row) for row in (("x", TensorProto.FLOAT, ["batch", 8]), ("w1", TensorProto.FLOAT, [8, 12]))]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 10])]
    graph = helper.make_graph(nodes, "mlp", inputs, outputs, weights)
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("com.acme", 2)]
    return helper.make_model(graph, producer_name="acme", producer_version="1.2", ir_version=10, opset_imports=opsets, **more)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "mlp.onnx"
    onnx.save(mlp(), path)
    return path


def run(*arguments):
    return CliRunner().invoke(dovetail, ["onnx", *map(str, arguments)])


def test_inspect(file):
    info = inspect(file)
    assert [str(value) for value in info.inputs] == ["x: float[batch, 8]"]
    assert [str(value) for value in info.outputs] == ["y: float[?, 10]"]
    assert info.opsets == {"ai.onnx": 20, "com.acme": 2} and info.ir_version == 10 and info.producer == "acme 1.2"
    assert list(info.ops.items()) == [("Gemm", 2), ("Relu", 1)]
    assert info.parameters == 8 * 12 + 12 + 12 * 10 + 10 and info.bytes == os.path.getsize(file) and info.external == []


def test_the_command(file):
    result = run("info", file)
    assert result.exit_code == 0, result.output
    expected = [
        f"file        {file}",
        f"size        {os.path.getsize(file) / 1000:.1f} kB, 238 parameters",
        "producer    acme 1.2",
        "IR version  10",
        "opset       ai.onnx 20",
        "            com.acme 2",
        "inputs      x: float[batch, 8]",
        "outputs     y: float[?, 10]",
        "ops         Gemm  2",
        "            Relu  1",
        "                  3 in all",
    ]
    assert result.output.splitlines() == expected


def test_the_command_for_programs(file):
    found = json.loads(run("info", "--json", file).output)
    assert found["inputs"] == [{"name": "x", "type": "float", "shape": ["batch", 8]}]
    assert found["ops"] == {"Gemm": 2, "Relu": 1} and found["parameters"] == 238


def test_it_is_registered_and_listed():
    assert "onnx" in dv.plugins.commands and dv.onnx is dovetail_onnx
    listed = CliRunner().invoke(dovetail, ["--help"]).output
    assert "onnx" in listed and "Look into ONNX model files." in listed
    assert "Usage: dovetail onnx info" in CliRunner().invoke(dovetail, ["onnx", "info", "--help"]).output


def test_inner_graphs_functions_and_foreign_ops_count(tmp_path):
    branch = helper.make_graph([helper.make_node("Neg", ["x"], ["n"])], "branch", [], [helper.make_tensor_value_info("n", 1, [1])])
    nodes = [
        helper.make_node("If", ["c"], ["a"], then_branch=branch, else_branch=branch),
        helper.make_node("Gate", ["a"], ["y"], domain="com.acme"),
    ]
    inputs = [helper.make_tensor_value_info("c", TensorProto.BOOL, []), helper.make_tensor_value_info("x", TensorProto.BFLOAT16, None)]
    outputs = [helper.make_tensor_sequence_value_info("y", TensorProto.INT64, ["n"])]
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("com.acme", 1)]
    function = helper.make_function("com.acme", "Gate", ["a"], ["b"], [helper.make_node("Abs", ["a"], ["b"])], opsets)
    model = helper.make_model(helper.make_graph(nodes, "g", inputs, outputs), opset_imports=opsets, functions=[function])
    onnx.save(model, tmp_path / "g.onnx")
    info = inspect(tmp_path / "g.onnx")
    assert list(info.ops.items()) == [("Neg", 2), ("Abs", 1), ("If", 1), ("com.acme::Gate", 1)]
    assert [str(value) for value in info.inputs] == ["c: bool[]", "x: bfloat16"]
    assert [str(value) for value in info.outputs] == ["y: sequence of int64[n]"]


def test_weights_elsewhere_are_named_not_read(tmp_path):
    path = tmp_path / "mlp.onnx"
    onnx.save(mlp(), path, save_as_external_data=True, location="mlp.bin", size_threshold=0)
    (tmp_path / "mlp.bin").unlink()
    info = inspect(path)
    assert info.external == ["mlp.bin"] and info.parameters == 238
    assert run("info", path).output.splitlines()[-1] == "weights in  mlp.bin"


def test_every_truncation_is_a_format_error(file):
    data = file.read_bytes()
    for length in range(0, len(data), 7):
        file.write_bytes(data[:length])
        with pytest.raises(FormatError, match=r"mlp\.onnx: is not an ONNX model"):
            inspect(file)


@pytest.mark.parametrize("data", [b"", b"hello, world\n", b"\x80\x02}q\x00.", b"PK\x03\x04" + bytes(40), bytes(100)])
def test_other_files_are_refused(file, data):
    file.write_bytes(data)
    result = run("info", file)
    assert result.exit_code == 1 and f"Error: {file}: is not an ONNX model" in result.output


def test_a_missing_file(tmp_path):
    result = run("info", tmp_path / "no.onnx")
    assert result.exit_code == 2 and "does not exist" in result.output


def test_without_the_package(file, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(UnsupportedError, match="onnx: the package 'onnx' cannot be imported; it reads the files; pip install onnx"):
        inspect(file)
    result = run("info", file)
    assert result.exit_code == 1 and "pip install onnx" in result.output


def test_a_program_that_has_the_name_of_the_package(tmp_path):
    """`python onnx.py`: what the program then imports as onnx is itself."""
    text = "import dovetail as dv\nfrom dovetail.onnx import export\nexport(dv.nn.ReLU(), dv.ones(2), 'relu.onnx')\n"
    program = tmp_path / "onnx.py"
    program.write_text(text, encoding="utf-8")
    done = subprocess.run([sys.executable, "onnx.py"], cwd=tmp_path, capture_output=True, text=True, check=False)
    expected = f"export: the package 'onnx' cannot be imported; it writes the model; rename {program}, which lies in its place"
    assert done.returncode == 1 and expected in done.stderr, done.stderr


def test_the_manifest_and_the_quiet_import():
    rows = tomllib.loads((FOLDER / "dovetail.toml").read_text(encoding="utf-8"))["commands"]
    assert rows["onnx"]["target"] == "dovetail_onnx.commands:onnx"
    code = f"import sys; sys.path[:0] = {[str(FOLDER.parent)]!r}\nimport dovetail_onnx\n"
    code += "assert not {'numpy', 'dovetail', 'onnx', 'click'} & set(sys.modules)\n"
    subprocess.run([sys.executable, "-c", code], check=True)
    with pytest.raises(AttributeError, match="module 'dovetail_onnx' has no attribute 'run'"):
        dovetail_onnx.run
