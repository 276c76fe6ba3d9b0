"""The ONNX package's own backend suite: every case passes, save those that backend_failures.toml lists with the reason."""

from __future__ import annotations

import tomllib
import unittest
import warnings
from collections import Counter
from pathlib import Path

import pytest

import dovetail as dv
from tests.support.figures import note

onnx = pytest.importorskip("onnx")

LEAST, LEAST_NATIVE = 2024, 1800
REAL = {
    f"test_{name}" for name in "bvlc_alexnet densenet121 inception_v1 inception_v2 resnet50 shufflenet squeezenet vgg19 zfnet512".split()
}
FAILURES = Path(__file__).parent / "backend_failures.toml"


def run_all():
    """(why it failed, None where it passed; the operators that were handed over) of each case by name."""
    import onnx.backend.test

    from dovetail_onnx.backend import DovetailBackend

    prepared = []

    class Watched(DovetailBackend):
        @classmethod
        def prepare(cls, *args, **kwargs):
            prepared[:] = [super().prepare(*args, **kwargs)]
            return prepared[0]

        @classmethod
        def supports_device(cls, device):
            return device == "CPU"

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the cases divide by zero on purpose
        suite = onnx.backend.test.BackendTest(Watched, __name__).test_suite
        found = {}
        for case in suite:
            name = case._testMethodName
            if name.endswith("_cuda"):
                continue
            prepared.clear()
            dv.manual_seed(0)
            result = unittest.TestResult()
            case.run(result)
            wrong = [text for _, text in (*result.failures, *result.errors, *result.skipped)]
            found[name] = (wrong[0] if wrong else None, set(prepared[0].module.handed_over.values()) if prepared else set())
    return found


@pytest.mark.figures
@pytest.mark.slow
def test_the_suite(tmp_path, monkeypatch, capsys):
    if not onnx.__version__.startswith("1.23."):
        pytest.skip(f"the list of failures is for onnx 1.23, and {onnx.__version__} is installed")
    monkeypatch.setenv("ONNX_HOME", str(tmp_path))
    found = run_all()
    listed = {case: row for row in tomllib.loads(FAILURES.read_text(encoding="utf-8"))["failure"] for case in row["cases"]}
    failed = {name: why for name, (why, _) in found.items() if why is not None}
    passed = [name for name in found if name not in failed]
    handed = [name for name in passed if found[name][1]]
    ops = Counter(op for name in handed for op in found[name][1]).most_common()
    with capsys.disabled():
        print(f"\nONNX backend suite, onnx {onnx.__version__}: {len(found):,} cases, {len(passed):,} pass, {len(failed)} fail as listed;")
        print(f"{len(passed) - len(handed):,} natively, {len(handed)} with nodes given to the reference evaluator: {ops}")
    real = [name for name in passed if name.removesuffix("_cpu") in REAL]
    natively = [name for name in real if name not in handed]
    note("onnx", f"backend suite of onnx {onnx.__version__}: cases that pass", f"{len(passed):,} of {len(found):,}", "1,850")
    note("onnx", "backend suite: cases that pass natively", len(passed) - len(handed), "1,450")
    note("onnx", "backend suite: bundled real models that pass, all natively", f"{len(natively)} of {len(REAL)}", "9 of 9")
    assert len(natively) == len(REAL) == 9
    assert set(failed) <= set(listed), {name: why[-400:] for name, why in failed.items() if name not in listed}
    unexpected = [name for name, row in listed.items() if name not in failed and not row.get("chance")]
    assert not unexpected, f"these pass now; take them from {FAILURES.name}: {unexpected}"
    assert all(row["reason"] for row in listed.values())
    assert len(passed) >= LEAST and len(passed) - len(handed) >= LEAST_NATIVE
