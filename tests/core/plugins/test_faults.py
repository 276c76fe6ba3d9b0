"""Faults of plugins: each is held where it happens, its sibling works, and the message names the plugin and the remedy."""

from __future__ import annotations

import threading

import pytest

from dovetail import models, plugins
from dovetail.errors import PluginError

REMEDY = "to go on without it: dovetail plugins disable bad"

# what the module of the target does → what the message says
AT_IMPORT = {
    "import_error": ("import nowhere_at_all", "ModuleNotFoundError: No module named 'nowhere_at_all'"),
    "exit": ("import sys; sys.exit(7)", "SystemExit: 7"),
    "syntax_error": ("def net(:", "SyntaxError"),
    "missing_target": ("", "AttributeError: module 'dovetail_bad.models' has no attribute 'net'"),
    "division": ("1 / 0", "ZeroDivisionError"),
    "circular": ("from dovetail import models\nmodels.create('bad/net')\n", "has no attribute 'net'"),
    "not_a_text": ("x = b'\\xff'.decode()", "UnicodeDecodeError"),
}


@pytest.mark.parametrize("fault", AT_IMPORT)
def test_a_fault_at_import(site, monkeypatch, fault):
    source, message = AT_IMPORT[fault]
    site.add("dovetail-bad", '[models."bad/net"]\ntarget = "dovetail_bad.models:net"\n', code={"models.py": source})
    site.model("dovetail-good")
    assert models.list() == ["bad/net", "good/net"]
    texts = set()
    for _ in range(2):
        with pytest.raises(PluginError) as caught:
            models.create("bad/net")
        texts.add(str(caught.value))
    (text,) = texts
    assert "plugin bad (dovetail-bad 0.1.0) failed while importing dovetail_bad.models:net: " in text
    assert message in text and text.endswith(REMEDY)
    assert models.create("good/net", a=1).config == {"a": 1}
    assert [plugin.state for plugin in plugins.installed()] == ["failed", "active"]
    assert "Traceback" in plugins.installed()[0].traceback and "dovetail_bad" in plugins.problems()[0]
    monkeypatch.setenv("DOVETAIL_DISABLE_PLUGINS", "bad")
    plugins.reset()
    assert models.list() == ["good/net"] and plugins.problems() == []


def test_a_target_of_the_wrong_type_and_a_call_that_fails(site):
    rows = '[models."bad/net"]\ntarget = "dovetail_bad.models:net"\n[models."bad/number"]\ntarget = "dovetail_bad.models:number"\n'
    site.add("dovetail-bad", rows, code={"models.py": "number = 3\ndef net(width): raise SystemExit(1)\n"})
    site.model("dovetail-good")
    for key, config, error, message in (
        ("bad/number", {}, TypeError, "'int' object is not callable"),
        ("bad/net", {"wdth": 1}, TypeError, "unexpected keyword argument 'wdth'"),
        ("bad/net", {"width": 1}, PluginError, "plugin bad (dovetail-bad 0.1.0) called sys.exit(1) in the target dovetail_bad.models:net"),
    ):
        with pytest.raises(error) as caught:
            models.create(key, **config)
        assert message in str(caught.value)
        assert REMEDY in "".join([str(caught.value), *getattr(caught.value, "__notes__", [])])
    assert models.create("good/net").config == {}


def test_keyboard_interrupt_goes_through(site):
    site.add("dovetail-bad", '[models."bad/net"]\ntarget = "dovetail_bad.models:net"\n', code={"models.py": "raise KeyboardInterrupt\n"})
    with pytest.raises(KeyboardInterrupt):
        models.create("bad/net")
    assert plugins.installed()[0].state == "ready"


@pytest.mark.parametrize(
    ("manifest", "state", "message"),
    [
        ("[models", "broken", "not valid TOML"),
        (b"\xff\xfe", "broken", "is not UTF-8"),
        (None, "broken", "has no dovetail.toml"),
        ("x = " + "[" * 5000, "broken", "nested too deeply"),
        ('[models."good/net"]\ntarget = "a:b"\n', "broken", "outside the plugin's own namespace; expected 'bad/…'"),
    ],
)
def test_a_broken_manifest(site, manifest, state, message):
    site.add("dovetail-bad", manifest)
    site.model("dovetail-good")
    assert models.list() == ["good/net"]
    assert plugins.installed()[0].state == state and message in plugins.problems()[0]
    assert models.create("good/net").config == {} and plugins.kernels_for_core() == []


def test_an_incompatible_plugin_is_told_before_any_import(site):
    site.add("dovetail-bad", '[models."bad/net"]\ntarget = "a:b"\n', api='api = ">=7"\n')
    with pytest.raises(PluginError, match=r"plugin bad .* is incompatible; .*dovetail.toml:1: api: it needs hook API >=7"):
        models.create("bad/net")
    assert plugins.kernels_for_core() == []


def test_one_row_that_fails_leaves_the_plugins_other_rows(site):
    rows = '[models."bad/net"]\ntarget = "dovetail_bad.gone:net"\n[models."bad/fine"]\ntarget = "dovetail_bad.fine:net"\n'
    site.add("dovetail-bad", rows, code={"fine.py": "class Net: pass\ndef net(): return Net()\n"})
    with pytest.raises(PluginError):
        models.create("bad/net")
    assert models.create("bad/fine")._dovetail_entry[0] == "bad/fine"


def test_a_slow_import_is_noted(site, monkeypatch):
    monkeypatch.setattr("dovetail.plugins.manager.SLOW_IMPORT", 0.01)
    site.add(
        "dovetail-bad",
        '[models."bad/net"]\ntarget = "dovetail_bad.models:Net"\n',
        code={"models.py": "import time; time.sleep(0.02)\nclass Net: pass\n"},
    )
    models.create("bad/net")
    assert "importing dovetail_bad.models:Net took 0.0 s; expected 0.01 s at most" in plugins.installed()[0].notes


def test_a_kernel_that_fails_to_load_names_its_plugin(site):
    site.add("dovetail-bad", '[kernels.relu]\ntarget = "dovetail_bad.k:relu"\ndevice = "cpu"\ndtypes = ["float32"]\n')
    (claim,) = plugins.kernels_for_core()
    with pytest.raises(PluginError, match="plugin bad .* failed while importing dovetail_bad.k:relu"):
        plugins.load_target(claim.target, claim.plugin)
    assert plugins.kernels_for_core() == [claim]


def test_many_threads_see_one_manager_and_one_answer(site):
    for number in range(5):
        site.model(f"dovetail-p{number}")
    answers, start = [], threading.Barrier(8)

    def ask() -> None:
        start.wait()
        answers.append((models.list(), id(plugins.manager.get_manager()), models.create("p3/net").config))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(answers) == 8 and all(answer == answers[0] for answer in answers)
    assert len(answers[0][0]) == 5


def test_an_import_that_asks_for_models_while_another_thread_loads_it(site):
    source = "import time; time.sleep(0.05)\nfrom dovetail import models\nmodels.list()\nclass Net: pass\n"
    site.add("dovetail-slow", '[models."slow/net"]\ntarget = "dovetail_slow.models:Net"\n', code={"models.py": source})
    import importlib

    threads = [
        threading.Thread(target=lambda: importlib.import_module("dovetail_slow.models"), daemon=True),
        threading.Thread(target=lambda: models.create("slow/net"), daemon=True),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert not any(thread.is_alive() for thread in threads)
