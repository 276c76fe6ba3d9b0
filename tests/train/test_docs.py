"""docs/training.md: the loop by hand, Trainer and the file give the same numbers."""

from __future__ import annotations

import json
import re
import subprocess
import sys

from dovetail_train.config import PLAIN
from tests.contracts.sources import ROOT

PAGE = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")


def test_the_three_trainings_of_the_page_are_one(tmp_path):
    blocks = re.findall(r"(?<!-->\n\n)```python\n(.*?)```", PAGE, re.S)
    code = "\n".join(blocks[:2]) + "\nimport json\nprint(json.dumps([float(next(model.parameters()).sum()), state.history]))\n"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True, cwd=tmp_path)
    *said, last = done.stdout.splitlines()
    assert said[-2:] == ["True", "True"]
    (tmp_path / "digits.toml").write_text(re.findall(r"```toml\n(# digits.toml\n.*?)```", PAGE, re.S)[0], encoding="utf-8")
    subprocess.run([sys.executable, "-m", "dovetail", "train", "digits.toml"], capture_output=True, timeout=120, check=True, cwd=tmp_path)
    rows = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    epochs = [{name: value for name, value in row.items() if name not in ("kind", "seconds")} for row in rows if row["kind"] == "epoch"]
    assert epochs == json.loads(last)[1] and len(epochs) == 2


def test_the_page_names_every_key_of_a_file():
    table = PAGE[PAGE.index("| Table | Keys") : PAGE.index("In the folder `out`")]
    for name, keys in PLAIN.items():
        assert f"`[{name}]`" in table or not name
        for key in keys:
            assert f"`{key}`" in table or f"`{key} = " in table, key
