"""The example of docs/native-kernels.md: its C compiles, its Python runs, and the kernel serves the op."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

import dovetail as dv
from dovetail.ops.kernels import install, remove

PAGE = Path(__file__).resolve().parents[2] / "docs" / "native-kernels.md"


def block(language: str) -> str:
    found = re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)
    assert len(found) == 1
    return found[0]


def test_the_kernel_of_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("there is no C compiler here")
    (tmp_path / "logit.c").write_text(block("c"))
    command = [compiler, "-O2", "-shared", "-fPIC", "-o", str(tmp_path / "liblogit.so"), str(tmp_path / "logit.c"), "-lm"]
    subprocess.run(command, check=True, capture_output=True)
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(compile(block("python"), str(PAGE), "exec"), names)  # noqa: S102 - a page of ours
    x = dv.tensor([0.25, 0.5, 0.75], requires_grad=True)
    want = x.logit()
    install("logit", "cpu", (dv.float32,), names["logit"])
    try:
        found = x.logit()
        found.sum().backward()
    finally:
        remove("logit", "cpu", (dv.float32,))
    np.testing.assert_allclose(found.detach().numpy(), want.detach().numpy(), rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(x.grad.numpy(), [16 / 3, 4.0, 16 / 3], rtol=1e-6)
    assert 'target = "dovetail_tones.kernels:logit"' in block("toml")
