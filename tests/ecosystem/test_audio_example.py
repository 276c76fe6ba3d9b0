"""The example plugin, made by the public contract alone: the kit, its own tests, and its command, from its folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.contracts.sources import ROOT
from tests.ecosystem.conftest import Site
from tests.ecosystem.test_releases import link

pytest.importorskip("soundfile", reason="the example's dependency: pip install soundfile")

AUDIO = ROOT / "examples" / "dovetail-audio"

KIT = """
from dovetail.testing import conformance
report = conformance.run("audio")
print(report)
assert report.well and len(report.passed) >= 50
"""

TESTS = "import sys, pytest\nsys.exit(pytest.main(sys.argv[1:]))"

LISTEN = """
import sys
from dovetail import datasets
from dovetail.cli.main import dovetail
from dovetail_audio.files import write
write("word.wav", datasets.load("audio/commands", split="test")[3][0])
dovetail(["listen", "word.wav"])
"""


TRAIN = """
import dovetail as dv
from dovetail.train import Trainer
model = dv.nn.Linear(2, 1)
batches = [(dv.ones(4, 2), dv.zeros(4, 1))] * 5
Trainer(model, dv.nn.MSELoss(), dv.optim.SGD(model.parameters(), lr=0.1), batches).fit()
print(dv.io.decode("run.wav").waveform.shape)
"""


@pytest.fixture
def audio(site: Site) -> Site:
    link(site, AUDIO)
    return site


def test_the_kit_is_green(audio, figure):
    done = audio.run(KIT)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
    assert "the manifest has no example" not in done.stdout
    figure("kit", "the example plugin dovetail-audio", done.stdout.splitlines()[0], "0 failed")


def test_its_own_tests_pass(audio):
    arguments = [
        "-q",
        "-c",
        str(AUDIO / "pyproject.toml"),
        "-p",
        "no:cacheprovider",
        "-p",
        "dovetail_pytest",
        str(AUDIO / "tests" / "test_audio.py"),
    ]
    link(audio, ROOT / "plugins" / "onnx")  # its op goes through ONNX and comes back
    done = audio.run(TESTS, *arguments)
    assert done.returncode == 0 and "skipped" not in done.stdout, done.stdout[-3000:] + done.stderr[-2000:]


def test_the_command_says_the_word(audio):
    done = audio.run(LISTEN)
    assert done.returncode == 0 and done.stdout.startswith("down ("), done.stdout + done.stderr


def test_it_hears_a_training_by_the_hooks_that_another_plugin_publishes(audio):
    link(audio, ROOT / "plugins" / "train")
    done = audio.run(TRAIN, DOVETAIL_AUDIO_TRAINING="run.wav")
    assert done.returncode == 0 and done.stdout == "dovetail.Size([2000])\n", done.stdout + done.stderr


def test_the_example_of_the_readme_runs(audio):
    code = (AUDIO / "README.md").read_text(encoding="utf-8").split("```python\n")[1].split("```")[0]
    done = audio.run(code)
    assert done.returncode == 0 and "tensor([0, 1, 2, 3, 4, 5, 6, 7])" in done.stdout, done.stdout + done.stderr


def test_it_is_no_member_of_the_workspace():
    workspace = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert 'members = ["core", "plugins/*"]' in workspace and not list(Path(ROOT, "plugins").glob("audio*"))
