"""The file that says what is trained: overrides, messages with line and key, and nothing that data could make happen."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import resources
from pathlib import Path

import pytest

import dovetail as dv
from dovetail.errors import FormatError, TypeMismatch, UnknownNameError, ValueRangeError
from dovetail_train.build import build
from dovetail_train.config import read
from tests.support.figures import note

EXAMPLE = resources.files("dovetail_train").joinpath("example.toml").read_text(encoding="utf-8")


@pytest.fixture
def config(tmp_path):
    """Read the example, with lines replaced."""

    def made(*changes: tuple[str, str], sets: tuple[str, ...] = ()):
        text = EXAMPLE
        for old, new in changes:
            assert old in text
            text = text.replace(old, new, 1)
        path = tmp_path / "run.toml"
        path.write_text(text, encoding="utf-8")
        return read(path, sets)

    return made


def test_the_example_builds_what_it_says(config):
    trainer = build(config(), write=False)
    state = trainer.state
    assert (state.epochs, state.steps_per_epoch, trainer.seed, trainer.schedule_every, trainer.monitor) == (
        12,
        22,
        0,
        "step",
        "valid_accuracy",
    )
    assert state.scheduler.total_steps == 264 and trainer.loss.label_smoothing == 0.1 and list(trainer.metrics) == ["accuracy", "top2"]
    assert 1.5 < trainer.try_batch() < 3.5


def test_overrides_are_toml_and_reach_into_lists(config):
    sets = (
        "optimizer.lr=0.5",
        "train.transforms.0.degrees=3",
        "device=auto",
        'out="my run"',
        "metrics.top3={name='vision/accuracy', topk=3}",
    )
    values = config(sets=(*sets, "checkpoints.every=7", "epochs=1", "early_stopping.patience=2")).values
    assert values["optimizer"]["lr"] == 0.5 and values["train"]["transforms"][0]["degrees"] == 3 and values["out"] == "my run"
    assert values["device"] == "auto" and values["metrics"]["top3"]["topk"] == 3 and values["checkpoints"]["every"] == 7
    assert values["early_stopping"] == {"patience": 2}


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ("epochs", r"--set epochs: there is no '='; expected key=value, such as optimizer.lr=0.01"),
        ("epochs=[1", r"--set epochs=\[1: it is not TOML .*; quote strings"),
        ("epochs=1\nseed=2", r"it is not TOML \(more than one value\)"),
        ("out=my run", r"it is not TOML"),
        ("=3", r"it is not TOML"),
        ("epochs.x=3", r"--set epochs.x=3: epochs is no table"),
        ("train.transforms.9.p=1", r"train.transforms is a list of 3; expected a number below that"),
    ],
)
def test_an_override_that_is_wrong_is_named(config, given, text):
    with pytest.raises(ValueRangeError, match=text):
        config(sets=(given,))
    with pytest.raises(UnknownNameError, match=r"--set optimizer.momentun=0.9: there is no such option|AdamW has no such option"):
        build(config(sets=("optimizer.momentun=0.9",)), write=False)


WRONG = [
    (("epochs = 12", "epoch = 12"), UnknownNameError, r"run.toml:4: epoch: there is no such key; nearest: epochs"),
    (("[optimizer]", "[optimiser]"), UnknownNameError, r"run.toml:37: optimiser: there is no such key; nearest: optimizer"),
    (("every = 10", "evry = 10"), UnknownNameError, r"log.evry: there is no such key; nearest: every"),
    (('"AdamW"', '"adamw"'), UnknownNameError, r"run.toml:38: optimizer.name: there is no optimizer 'adamw'; nearest: AdamW, Adam"),
    (('"CrossEntropyLoss"', '"CrossEntropy"'), UnknownNameError, r"loss.name: there is no loss 'CrossEntropy'; nearest: CrossEntropyLoss"),
    (("vision/digits_cnn", "vision/digit_cnn"), UnknownNameError, r"run.toml:16: model.name: models.get.*nearest: vision/digits_cnn"),
    (('"vision/accuracy"\n', '"vision/acuracy"\n'), UnknownNameError, r"run.toml:48: metrics.accuracy: .*nearest: vision/accuracy"),
    (("degrees = 10", "degres = 10"), UnknownNameError, r"train.transforms.0.degres: RandomAffine has no such option; nearest: degrees"),
    (("degrees = 10, ", ""), UnknownNameError, r"train.transforms.0: RandomAffine needs degrees"),
    (
        ("weight_decay", "wight_decay"),
        UnknownNameError,
        r"run.toml:40: optimizer.wight_decay: AdamW has no such option; nearest: weight_decay",
    ),
    (("epochs = 12", "epochs = 0"), ValueRangeError, r"run.toml:4: epochs: it is 0; expected a whole number from 1 on"),
    (("epochs = 12", "epochs = [1]"), TypeMismatch, r"run.toml:4: epochs: it is a list of 1; expected a whole number"),
    (("lr = 0.01", "lr = -1"), ValueRangeError, r"run.toml:37: optimizer: it cannot be made: .*-1"),
    (('split = "train"', 'split = "tran"'), ValueRangeError, r"run.toml:19: train: it cannot be made: .*no split 'tran'"),
    (('device = "cpu"', 'device = "gpu"'), ValueRangeError, r"run.toml:7: device: 'gpu' is not there"),
    (('[loss]\nname = "CrossEntropyLoss"\n', "[loss]\n"), ValueRangeError, r"run.toml:33: loss: \[loss\] has no name"),
    (("[loss]", "[log]"), FormatError, r"run.toml: is not TOML: .*log"),
    (('name = "OneCycleLR"', 'name = "LambdaLR"'), UnknownNameError, r"schedule.name: there is no schedule 'LambdaLR'"),
    (('split = "test"', 'fraction = 0.1\nsplit = "test"'), ValueRangeError, r"valid.name: there is fraction too; expected a share"),
    (
        ("label_smoothing = 0.1", 'label_smoothing = "0.1"'),
        ValueRangeError,
        r"loss.label_smoothing: it is '0.1'; CrossEntropyLoss takes a number, without",
    ),
    (
        ("weight_decay = 0.01", 'amsgrad = "yes"'),
        ValueRangeError,
        r"run.toml:40: optimizer.amsgrad: it is 'yes'; AdamW takes true or false",
    ),
    (('"valid_accuracy"', '"valid_acc"'), UnknownNameError, r"valid_acc: there is no such result; nearest: valid_accuracy"),
    (('monitor = "valid_accuracy"', "monitor = 3"), ValueRangeError, r"checkpoints.monitor: it is 3; expected a string"),
]


@pytest.mark.parametrize(("change", "kind", "text"), WRONG, ids=[change[1][:24] for change, _, _ in WRONG])
def test_what_is_wrong_is_named_with_its_line(config, change, kind, text):
    with pytest.raises(kind, match=text):
        build(config(change), write=False)


def test_schedules_know_how_long_the_training_is(config):
    sets = ("epochs=10", "schedule={name='CosineAnnealingLR'}")
    assert build(config(sets=sets), write=False).state.scheduler.T_max == 10
    warm = "schedule={name='SequentialLR', every='step', milestones=[22], schedulers=[{name='LinearLR'}, {name='CosineAnnealingLR'}]}"
    trainer = build(config(sets=("epochs=3", warm)), write=False)
    assert trainer.schedule_every == "step" and trainer.state.scheduler._schedulers[1].T_max == 44
    with pytest.raises(ValueRangeError, match=r"there are 2 schedulers and 2 milestones; expected two or more"):
        build(config(sets=(warm.replace("[22]", "[22, 3]"),)), write=False)


def test_a_share_of_the_data_is_held_out_by_the_seed(config):
    text = EXAMPLE[: EXAMPLE.index("[valid] ")] + '[valid]\nfraction = 0.25\ntransforms = [{ name = "vision/to_tensor" }]\n'
    text += EXAMPLE[EXAMPLE.index("[loss]") :]
    trainers = [build(config((EXAMPLE, text), sets=(f"seed={seed}",)), write=False) for seed in (0, 0, 1)]
    held = [trainer.valid.dataset.dataset.indices for trainer in trainers]
    assert held[0] == held[1] != held[2] and len(held[0]) == 336 and len(trainers[0].train.dataset) == 1010


@pytest.mark.parametrize(("place", "roots"), [("", ["here", "here"]), ("valid.root=there", ["here", "there"])])
def test_the_same_data_lies_in_the_same_place(config, monkeypatch, place, roots):
    asked = []
    monkeypatch.setattr("dovetail_train.build.check_options", lambda *arguments: None)
    monkeypatch.setattr("dovetail.datasets.load", lambda key, root=None, **options: asked.append(root) or [(0, 1)] * 9)
    build(config(sets=("train.root=here", *([place] if place else []))), write=False)
    assert asked == roots


@pytest.mark.parametrize("table", ["train", "valid"])
def test_a_dataset_without_samples_is_refused(config, monkeypatch, table):
    split = {"train": "train", "valid": "test"}[table]
    monkeypatch.setattr("dovetail.datasets.load", lambda key, split=None, **options: [(0, 1)] * (0 if split == empty else 9))
    empty = split
    with pytest.raises(
        ValueRangeError, match=rf"run.toml:\d+: {table}: the dataset is empty; expected samples; are root and split right\?"
    ):
        build(config(), write=False)


def test_the_same_seed_builds_the_same_weights(config):
    first, second, other = (build(config(sets=(f"seed={seed}",)), write=False).model.state_dict() for seed in (3, 3, 4))
    assert all(dv.equal(first[name], second[name]) for name in first) and not all(dv.equal(first[name], other[name]) for name in first)


@pytest.mark.figures
def test_hostile_configurations_are_refused_and_import_nothing(tmp_path):
    command = [sys.executable, str(Path(__file__).with_name("hostile.py")), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    seen = json.loads(done.stdout)
    note("S9", "hostile configurations refused with a typed error", f"{seen['cases'] - len(seen['wrong'])}/{seen['cases']}", "200/200")
    note("S9", "audit events of import, exec, compile, subprocess, connect", len(seen["events"]), "0")
    assert seen["cases"] >= 200 and seen["wrong"] == [] and seen["events"] == []
