"""Every revision of every operator: those that the newest definition replaced, each run at an opset in which it held."""

from __future__ import annotations

import itertools
import warnings
from collections import defaultdict
from typing import Any

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
from onnx import defs, helper, numpy_helper

import dovetail_onnx
from tests.onnx.test_import_revisions import ROWS
from tests.support.figures import note

#: Attributes that only old revisions have, and that change nothing where a node leaves them out (and shapes are equal, for broadcast).
LEGACY = {"consumed_inputs", "broadcast", "axis", "axes", "output_sequence", "spatial"}

#: Revisions whose text gives another meaning to the same node: they have rows of their own in test_import_revisions.
OTHER_MEANING = {(op, since) for op in ("Softmax", "LogSoftmax", "Hardmax") for since in (1, 11)} | {("GroupNormalization", 18)}

_DRAWS = "it draws random numbers; only its types grew"
_HANDED = "optional values are handed to the reference evaluator, whose revisions these are"
#: Revisions that nothing runs here, with the reason.
NOT_RUN = {
    **dict.fromkeys([(op, 1) for op in ("RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike")], _DRAWS),
    **dict.fromkeys([("Bernoulli", 15), ("Multinomial", 7)], _DRAWS),
    **dict.fromkeys([("Optional", 15), ("OptionalGetElement", 15), ("OptionalHasElement", 15)], _HANDED),
    **dict.fromkeys([("OptionalGetElement", 18), ("OptionalHasElement", 18)], _HANDED),
    ("Scan", 8): "test_scan_of_opset_8 runs it",
    ("SplitToSequence", 11): "sequences: only the types grew, and the newest is run by the suite",
}


def history() -> dict[str, dict[int, Any]]:
    """The definitions of ONNX's own operators, by the version that brought each."""
    found: dict[str, dict[int, Any]] = defaultdict(dict)
    for schema in defs.get_all_schemas_with_history():
        if schema.domain in ("", "ai.onnx"):
            found[schema.name][schema.since_version] = schema
    return found


def replaced() -> list[tuple[str, int, int]]:
    """(operator, version, the version that took its place) of all definitions that are not the newest."""
    pairs = []
    for op, rows in sorted(history().items()):
        order = sorted(rows)
        pairs += [(op, a, b) for a, b in itertools.pairwise(order)]
    return pairs


def default(attribute: Any) -> str | None:
    return str(helper.get_attribute_value(attribute.default_value)) if attribute.default_value.name else None


def allowed(schema: Any, formal: Any, at: int) -> set[str]:
    kind = formal[min(at, len(formal) - 1)].type_str
    found = next((c for c in schema.type_constraints if c.type_param_str == kind), None)
    return set(found.allowed_type_strs) if found else {kind}


def kind_of(value: Any) -> str:
    number = value.type.tensor_type.elem_type if value.type.HasField("tensor_type") else 0
    return f"tensor({onnx.TensorProto.DataType.Name(number).lower()})"


def fits(model: Any, old: Any, rows: dict[int, Any]) -> bool:
    """Whether a node of the newest suite is one of an older definition, with the same meaning."""
    node, values = model.graph.node[0], {v.name: v for v in (*model.graph.input, *model.graph.output)}
    own = {a.name for a in node.attribute}
    if (node.op_type, old.since_version) in OTHER_MEANING or not own <= set(old.attributes):
        return False
    written = [i.option for i in defs.get_schema(node.op_type, model.opset_import[0].version).inputs]
    here = [i.option for i in old.inputs]
    if written[: len(here)] != here[: len(written)]:  # a case of opset 8, where Scan took lengths first
        return False
    if any(a.required and name not in own for name, a in old.attributes.items()):
        return False
    if not old.min_input <= len(node.input) <= old.max_input or len(node.output) > old.max_output:
        return False
    for names, formal in ((node.input, old.inputs), (node.output, old.outputs)):
        if any(name and (name not in values or kind_of(values[name]) not in allowed(old, formal, at)) for at, name in enumerate(names)):
            return False
    gone = set(old.attributes) - set(rows[max(rows)].attributes)
    shapes = {tuple(d.dim_value for d in values[name].type.tensor_type.shape.dim) for name in node.input if name}
    equal = "broadcast" in gone or (old.since_version < 8 and node.op_type in ("Max", "Min", "Sum", "Mean", "PRelu"))
    if gone - LEGACY or (equal and len(shapes) > 1):
        return False
    newer = [schema.attributes for since, schema in rows.items() if since > old.since_version]
    both = [(name, each) for each in newer for name in set(old.attributes) & set(each) if name not in own]
    return all(default(each[name]) == default(old.attributes[name]) for name, each in both)


def suite() -> dict[str, list[Any]]:
    """The cases of the ONNX package's suite that are one node, by operator."""
    from onnx.backend.test.loader import load_model_tests

    found = defaultdict(list)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the cases divide by zero on purpose
        for case in load_model_tests(kind="node"):
            if case.model is not None and len(case.model.graph.node) == 1 and not case.model.graph.node[0].domain:
                found[case.model.graph.node[0].op_type].append(case)
    return found


def array(x: Any) -> Any:
    return numpy_helper.to_array(x) if isinstance(x, onnx.TensorProto) else x


def run(case: Any, opset: int) -> None:
    """The case at an older opset: the same outputs."""
    model = onnx.ModelProto()
    model.CopyFrom(case.model)
    model.opset_import[0].version = opset
    inputs, outputs = case.data_sets[0]
    found = dovetail_onnx.load(model)(*map(array, inputs))
    for a, b in zip(found if isinstance(found, tuple) else (found,), outputs, strict=True):
        ours, theirs = np.asarray(a.detach().numpy() if hasattr(a, "detach") else a), np.asarray(array(b))
        assert ours.dtype == theirs.dtype and ours.shape == theirs.shape
        np.testing.assert_allclose(ours.astype("f8"), theirs.astype("f8"), rtol=case.rtol, atol=1e-5)


@pytest.mark.figures
@pytest.mark.slow
def test_every_revision(capsys):
    """No revision is forgotten: a row of test_import_revisions, a case of the suite that is one at the old opset too, or a reason."""
    own = {(row[0], defs.get_schema(row[0], row[1]).since_version) for row in ROWS}
    rows, cases, ran, forgotten, wrong = history(), suite(), set(), [], {}
    for op, since, until in replaced():
        fitting = [c for c in cases[op] if fits(c.model, rows[op][since], rows[op])] if (op, since) not in NOT_RUN else []
        for case in fitting[:2]:
            try:
                run(case, until - 1)
                ran.add((op, since))
            except Exception as error:
                wrong[op, since, case.name] = f"{type(error).__name__}: {error}"[:300]
        if not fitting and (op, since) not in own | NOT_RUN.keys():
            forgotten.append((op, since))
    assert not wrong, wrong
    assert not forgotten, f"neither a row, nor a case, nor a reason: {forgotten}"
    both = len(ran | own - {(op, max(rows[op])) for op in rows})
    with capsys.disabled():
        print(f"\nONNX {onnx.__version__}: {len(replaced())} older revisions of {len(rows)} operators, {both} run where they held")
    note("onnx", "older revisions of operators that run at an opset in which they held", f"{both} of {len(replaced())}", "all that changed")


def test_the_reasons_are_of_revisions():
    """No reason is left over from a version of the package that is gone."""
    known = {(op, since) for op, since, _ in replaced()}
    if onnx.__version__.startswith("1.23."):
        assert known >= NOT_RUN.keys() | OTHER_MEANING, (NOT_RUN.keys() | OTHER_MEANING) - known
    rows = {(row[0], defs.get_schema(row[0], row[1]).since_version) for row in ROWS}
    assert rows >= OTHER_MEANING, OTHER_MEANING - rows
