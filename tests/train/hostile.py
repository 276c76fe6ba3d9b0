"""200 and more hostile configurations, run in a process of its own under an audit hook; prints what it saw as JSON."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

BASE = """
{top}
[model]
name = {model}
{in_model}
[train]
name = {train}
split = "train"
transforms = [{{ name = "vision/to_tensor" }}, {transform}]
{in_train}
[valid]
name = {valid}
split = "test"
transforms = [{{ name = "vision/random_apply", transforms = [{{ name = {inner} }}] }}, {{ name = "vision/to_tensor" }}]
[loss]
name = {loss}
{in_loss}
[optimizer]
name = {optimizer}
lr = 0.1
{in_optimizer}
[schedule]
name = "SequentialLR"
milestones = [2]
schedulers = [{{ name = {first}, step_size = 2 }}, {{ name = "CosineAnnealingLR" }}]
[metrics]
a = {metric}
b = {{ name = {second}, topk = 2 }}
{tables}
"""

WELL = {
    "top": "epochs = 4", "model": '"vision/digits_cnn"', "in_model": "", "train": '"vision/digits"', "in_train": "",
    "transform": '{ name = "vision/normalize", mean = [0.3], std = [0.4] }', "valid": '"vision/digits"',
    "inner": '"vision/random_affine", degrees = 3', "loss": '"CrossEntropyLoss"', "in_loss": "", "optimizer": '"SGD"', "in_optimizer": "",
    "first": '"StepLR"', "metric": '"vision/accuracy"', "second": '"vision/accuracy"', "tables": "",
}  # fmt: skip

EVIL = [
    "os.system", "builtins.eval", "subprocess:Popen", "dovetail.nn.CrossEntropyLoss", "torch.optim.Adam", "__import__", "../../etc/passwd",
    "os", "Module", "Optimizer", "pickle.loads", "dovetail_vision.datasets.digits:Digits", "vision/../os", "x" * 10_000,
]  # fmt: skip
NAMED = ("model", "train", "valid", "loss", "optimizer", "first", "metric", "second", "inner")

KEYS = {
    "top": ["__class__ = 'os.system'", "callbacks = ['os.system']", "target = 'os:system'", "import = 'os'", "'' = 1", "epochs = -1",
            "epochs = true", "epochs = 1e9", "batch_size = 0", "workers = 'os.system'", "device = 3", "out = ''", "amp = 'os.system'",
            "seed = nan", "clip_grad_norm = inf", "drop_last = 1", "accumulate = [1]", "hooks = { module = 'os' }", "plugins = ['./x']",
            "valid = 3", "loss = 'CrossEntropyLoss'", "transforms = []", "device = 'os.system'", "device = 'os:system'"],
    "in_model": ["target = 'os:system'", "weights = 'os.system'", "weights_file = '/etc/passwd'", "weights_file = '/nonexistent'",
                 "__init__ = 1", "_dovetail_entry = ['os.system']", "weights = 3"],
    "in_train": ["transform = 'os.system'", "target_transform = 'builtins.eval'", "root = '/nonexistent'", "loader = 'os.system'",
                 "self = 1", "fraction = 0.5", "root = 3"],
    "in_loss": ["weight = 'os.system'", "weight = [[]]", "reduction = 'os.system'", "forward = 'os.system'", "__reduce__ = 'x'"],
    "in_optimizer": ["params = 'os.system'", "closure = 'builtins.eval'", "momentum = 'os.system'", "defaults = {}", "lr = 1",
                     "nesterov = true", "momentum = -1"],
    "tables": ["[callbacks]\nname = 'os.system'", "[hooks]\nmodule = 'os'", "[checkpoints]\nkeep = 0", "[checkpoints]\nname = 'os.system'",
               "[log]\nwriter = 'os.system'", "[log]\nevery = 0", "[early_stopping]\npatience = 'x'", "[early_stopping]\nmonitor = 3",
               "[[model]]\nname = 'x'", "[model]\nname = 'x'", "[models.'os/system']\ntarget = 'os:system'", "[DEFAULT]\nx = 1"],
    "transform": ["3", "[]", "{}", "{ target = 'os.system' }", "{ name = 3 }", "{ name = ['os.system'] }",
                  "{ name = 'vision/lambda', lambd = 'os.system' }",
                  "{ name = 'vision/normalize', mean = 'os.system', std = [1.0] }", "{ name = 'vision/normalize' }"],
}  # fmt: skip

RAW = [
    "x = " + "[" * 10_000, "x = " + "[" * 10_000 + "]" * 10_000, "x = " + "{a=" * 10_000 + "1" + "}" * 10_000,
    ".".join("a" * 10_000) + " = 1", "[" + ".".join("a" * 10_000) + "]", "[model." + ".".join("a" * 10_000) + "]\nx = 1",
    "\x00", "epochs = 1\nepochs = 2", "= 1", "[model", "a" * 2_000_000, "", "epochs = " + "9" * 100_000, "epochs = 1_000_",
    "\ufeffepochs = 1",
    "[model]\nname = \"vision/digits_cnn\"", "x = 'unclosed",
]  # fmt: skip


def cases() -> list[str]:
    """The texts."""
    found = list(RAW)
    for place in NAMED:
        found += [BASE.format(**{**WELL, place: json.dumps(name)}) for name in EVIL]
        found += [BASE.format(**{**WELL, place: value}) for value in ("3", "['os.system']", "{ target = 'os.system' }")]
    for place, lines in KEYS.items():
        found += [BASE.format(**{**WELL, place: line}) for line in lines]
    return found


def _differing(text: Any) -> str:
    usual = set(BASE.format(**WELL).splitlines())
    return " / ".join(line[:100] for line in str(text).splitlines() if line not in usual)[:200]


def main(folder: Path) -> dict[str, Any]:
    """Read each; what is not refused there is built, which must refuse it."""
    from dovetail.errors import DovetailError
    from dovetail_train.build import build
    from dovetail_train.config import read

    events: list[str] = []
    watched = {"import", "exec", "compile", "subprocess.Popen", "os.system", "pickle.find_class", "socket.connect"}
    watching = False
    sys.addaudithook(lambda event, arguments: events.append(f"{event} {str(arguments[0])[:60]}") if watching and event in watched else None)

    def attempt(text: str | bytes) -> BaseException | None:
        path = folder / "run.toml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        try:
            build(read(path), write=False).try_batch()
        except Exception as error:
            return error
        return None

    assert attempt(BASE.format(**WELL)) is None
    attempt(BASE.format(**{**WELL, "top": "device = 'cuda'"}))  # looks for CuPy
    for text in [BASE.format(**{**WELL, "in_optimizer": "x = 1"}), "x = [", BASE.format(**{**WELL, "loss": '"x"'}), "x = 1"]:
        attempt(text)  # what errors import once: difflib, traceback
    attempt(BASE.format(**{**WELL, "in_model": "weights_file = '/etc/passwd'"}))
    texts, wrong, slowest = [*cases(), b"\xff\xfe", b"\x80"], [], 0.0
    for text in texts:
        began, watching = time.perf_counter(), True
        error = attempt(text)
        watching = False
        slowest = max(slowest, time.perf_counter() - began)
        if not isinstance(error, DovetailError) or len(str(error)) > 2_000:
            wrong.append([_differing(text), repr(error)[:200], len(str(error))])
    return {"cases": len(texts), "wrong": wrong, "events": sorted(set(events)), "slowest": slowest}


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]))))
