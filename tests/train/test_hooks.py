"""Hooks of a training: plugins are found once, asked for what they want, and left out when they fail."""

from __future__ import annotations

import json

import pytest

from dovetail import plugins
from dovetail_train.specs import EVENTS

from .conftest import make

HEAD = "from dovetail.hooks import hookimpl\nseen = []\n"
WELL = HEAD + "\n".join(f"@hookimpl\ndef train_{event}(state): seen.append(({event!r}, state.step))" for event in EVENTS)
ILL = HEAD + "@hookimpl\ndef train_step_end(state):\n    seen.append(state.step)\n    raise OSError('no disk')\n"


def add(site, name, source, hooks):
    listed = ", ".join(f'"train/{hook}"' for hook in hooks)
    site.add(name, f'hooks = {{ module = "dovetail_{name}.hooks", implements = [{listed}] }}\n', {"hooks.py": source})
    site.ready()


def test_plugins_are_told_what_happens(site, tmp_path):
    add(site, "tones", WELL, EVENTS)
    make(epochs=1, checkpoints=tmp_path / "run").fit()
    from dovetail_tones.hooks import seen

    assert [name for name, _ in seen] == ["fit_start", *["step_end"] * 6, "epoch_end", "checkpoint_saved", "fit_end"]
    assert seen[-1] == ("fit_end", 6)
    plugins.call("train/step_end", state=make().state)  # and by anybody else
    assert seen[-1] == ("step_end", 0)


def test_one_that_fails_is_left_out_and_the_training_goes_on(site):
    add(site, "ill", ILL, ["step_end"])
    add(site, "well", WELL, ["step_end"])
    with pytest.warns(
        RuntimeWarning, match=r"plugin ill \(dovetail-ill 0.1.0\) failed in hook train/step_end \(OSError: no disk\)"
    ) as told:
        state = make(epochs=1).fit()
    from dovetail_ill.hooks import seen
    from dovetail_well.hooks import seen as all_of_them

    assert state.ended == "done" and seen == [1] and len(all_of_them) == 6
    assert "the training goes on without it; to go on without it: dovetail plugins disable ill" in str(told[0].message)
    assert any("hook train/step_end: OSError: no disk" in problem for problem in plugins.problems())


@pytest.mark.parametrize("by", ["argument", "variable"])
def test_strict_ends_the_training(site, monkeypatch, by):
    add(site, "ill", ILL, ["step_end"])
    if by == "variable":
        monkeypatch.setenv("DOVETAIL_STRICT_PLUGINS", "1")
    trainer = make(strict=by == "argument")
    with pytest.raises(OSError, match="no disk") as caught:
        trainer.fit()
    assert "raised by plugin ill (dovetail-ill 0.1.0) in hook train/step_end" in caught.value.__notes__[0]
    assert trainer.state.ended == "error"


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("import nothing_of_this_name", "No module named 'nothing_of_this_name'"),
        (HEAD, "has no attribute 'train_step_end'"),
        (HEAD + "def train_step_end(state): pass", "it is not marked; expected @hookimpl"),
        (HEAD + "@hookimpl\ndef train_step_end(stat): pass", "it asks for stat; expected some of state"),
        (HEAD + "@hookimpl\ndef train_step_end(): raise SystemExit(3)", "SystemExit: 3"),
    ],
)
def test_a_plugin_that_is_wrong_is_left_out(site, source, text):
    add(site, "odd", source, ["step_end"])
    with pytest.warns(RuntimeWarning, match=text):
        assert make(epochs=1).fit().ended == "done"


def test_the_order_is_that_of_names_but_for_those_that_ask(site):
    for name, options in (("a", "trylast=True"), ("b", ""), ("c", "tryfirst=True")):
        add(
            site,
            name,
            f"from dovetail.hooks import hookimpl\n@hookimpl({options})\ndef train_fit_start(state): state.order.append({name!r})",
            ["fit_start"],
        )
    trainer = make(epochs=0)
    trainer.state.order = []
    trainer.fit()
    assert trainer.state.order == ["c", "b", "a"]


def test_a_status_file_where_the_environment_names_one(tmp_path, monkeypatch):
    plugins.reset()
    monkeypatch.setenv("DOVETAIL_TRAIN_STATUS", str(tmp_path / "status.json"))
    make(epochs=2, checkpoints=tmp_path / "run").fit()
    told = json.loads((tmp_path / "status.json").read_text(encoding="utf-8"))
    assert (told["epoch"], told["step"], told["ended"]) == (2, 12, "done") and told["checkpoint"].endswith("-step-12.dvt")
    monkeypatch.setenv("DOVETAIL_TRAIN_STATUS", str(tmp_path / "missing" / "status.json"))
    with pytest.warns(RuntimeWarning, match="failed in hook train/fit_start"):
        assert make(epochs=1).fit().ended == "done"
    plugins.reset()
