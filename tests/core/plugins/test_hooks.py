"""Hooks: the specifications, lazily imported hook modules, their order, and what happens when one fails."""

from __future__ import annotations

import sys
import traceback

import pytest

from dovetail import datasets, hooks, models, plugins
from dovetail.errors import PluginError
from dovetail.plugins.manager import get_manager
from dovetail.plugins.names import HOOK_KINDS

HOOKS_ROW = 'hooks = {{ module = "{package}.hooks", implements = {implements} }}\n'


def with_hooks(site, distribution: str, implements: str, source: str, rows: str = "") -> None:
    package = distribution.replace("-", "_")
    head = HOOKS_ROW.format(package=package, implements=implements)
    site.add(distribution, head + rows, code={"hooks.py": "from dovetail.hooks import hookimpl\n" + source})


def imported(*packages: str) -> list[str]:
    return [name for name in packages if name in sys.modules]


def test_every_hook_says_what_it_is():
    assert hooks.HOOK_API == (1, 2)
    newer = ["collate", "decode_sample", "doctor", "open_weights", "save_weights"]
    newest = ["fetch", "worker_init"]
    assert sorted(hooks.HOOKS) == sorted([*(f"register_{kind}" for kind in HOOK_KINDS), "build_model", "build_dataset", *newer, *newest])
    for hook in hooks.HOOKS.values():
        assert hook.spec.__doc__ and hook.spec.__doc__.strip().partition("\n")[0] and hook.on_error
        assert hook.since == ("1.2" if hook.name in newest else "1.1" if hook.name in newer else "1.0")
        assert hook.first_result is not (hook.name.startswith("register_") or hook.name in ("doctor", "worker_init"))


def test_the_shortcut_for_kernels_equals_what_pluggy_answers(site):
    for name in ("fast", "other"):
        site.add(f"dovetail-{name}", f'[kernels.{name}]\ntarget = "a:b"\ndevice = "cpu"\ndtypes = ["float32"]\n')
    quick = plugins.kernels_for_core()
    assert get_manager()._pm is None
    answers = get_manager().pluggy.hook.register_kernels()
    assert {key: (plugin, row) for plugin, rows in answers for key, row in rows.items()} == get_manager().table("kernels").rows
    assert [claim.op for claim in quick] == ["fast", "other"]


def test_manifests_answer_through_pluggy(site):
    site.model("dovetail-audio")
    assert [name for name, _ in get_manager().pluggy.list_name_plugin()] == ["core", "audio"]
    assert get_manager().pluggy.hook.register_models()[0][1] == plugins.installed()[0].rows("models")
    assert get_manager().pluggy.hook.register_metrics() == []


def test_a_hook_module_is_imported_when_its_hook_is_first_needed(site):
    with_hooks(
        site, "dovetail-audio", '["register_models", "build_dataset"]', REGISTER + "@hookimpl\ndef build_dataset(entry): return 'ours'\n"
    )
    assert plugins.datasets.list() == [] and imported("dovetail_audio.hooks") == []
    assert plugins.kernels_for_core() == [] and imported("dovetail_audio.hooks") == []
    assert models.list() == ["audio/coded"] and imported("dovetail_audio.hooks") == ["dovetail_audio.hooks"]
    assert models.get("coded").plugin.state == "active"
    assert get_manager().table("models", code=False).rows == {}


REGISTER = "@hookimpl\ndef register_models(): return {'audio/coded': {'target': 'dovetail_audio.models:net'}}\n"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (
            "@hookimpl\ndef register_models(): return {'audio/a': {'target': 'x:y'}, 'vision/b': {'target': 'x:y'}}",
            "outside the plugin's own",
        ),
        ("@hookimpl\ndef register_models(): return {'audio/a': {'target': 'x:y'}, 'audio/b': {}}", "models.audio/b.target: missing"),
        ("@hookimpl\ndef register_models(): return [1]", "models: expected a table, got [1]"),
        ("@hookimpl\ndef register_models(): return {'audio/net': {'target': 'x:y'}}", "models.audio/net: is in the manifest as well"),
        ("@hookimpl\ndef register_models(): raise OSError('gone')", "hook register_models: OSError: gone"),
        ("@hookimpl\ndef register_models(): raise SystemExit(3)", "hook register_models: SystemExit: 3"),
        ("@hookimpl\ndef register_models(nonsense): return {}", "Argument(s) {'nonsense'} are declared in the hookimpl"),
        ("def register_models(): return {}", "dovetail_audio.hooks has no @hookimpl register_models, which its manifest lists"),
        ("import nowhere_at_all", "ModuleNotFoundError: No module named 'nowhere_at_all'"),
        ("raise SystemExit('bye')", "SystemExit: bye"),
        ("def broken(:", "SyntaxError"),
    ],
)
def test_a_faulty_registration_is_left_out_whole_and_the_rest_stays(site, source, message):
    with_hooks(site, "dovetail-audio", '["register_models"]', source, '[models."audio/net"]\ntarget = "a:b"\n')
    with_hooks(site, "dovetail-radio", '["register_models"]', REGISTER.replace("audio", "radio"))
    assert models.list() == ["audio/net", "radio/coded"]
    plugin = plugins.installed()[0]
    assert plugin.state == "failed" and message in plugin.reason and "audio (dovetail-audio 0.1.0) is failed" in plugins.problems()[0]


def test_a_behaviour_hook_answers_before_the_core_and_may_decline(site):
    site.model("dovetail-net")
    build = "@hookimpl\ndef build_model(entry, config):\n    return Made(entry.key) if 'special' in config else None\n"
    with_hooks(site, "dovetail-audio", '["build_model"]', "class Made:\n    def __init__(self, key): self.key = key\n" + build)
    assert models.create("net", special=1).key == "net/net"
    assert models.create("net").config == {}


def test_what_a_hook_writes_into_the_configuration_is_saved(site, tmp_path):
    site.model("dovetail-net")
    with_hooks(site, "dovetail-audio", '["build_model"]', "@hookimpl\ndef build_model(config):\n    config.setdefault('width', 3)\n")
    model = models.create("net")
    assert model.config == {"width": 3} and model._dovetail_entry == ("net/net", {"width": 3}, "0.1.0")


def test_the_order_is_that_of_names_whatever_was_imported_first(site):
    site.add("dovetail-words", '[datasets."words/d"]\ntarget = "dovetail_words.d:d"\n', code={"d.py": "def d(): return ['target']\n"})
    wrapper = "@hookimpl(wrapper=True)\ndef build_dataset():\n    result = yield\n    return [*result, '{0}']\n"
    for name in ("zeta", "alpha", "mid"):
        more = "@hookimpl\ndef register_metrics(): return {}\n" if name == "mid" else ""
        with_hooks(
            site, f"dovetail-{name}", '["build_dataset", "register_metrics"]' if more else '["build_dataset"]', wrapper.format(name) + more
        )
    assert plugins.metrics.list() == [] and imported("dovetail_mid.hooks") == ["dovetail_mid.hooks"]
    assert datasets.load("d") == ["target", "zeta", "mid", "alpha"]  # the first by name is the outermost wrapper


def test_an_implementation_that_is_not_listed_is_noted_and_not_called(site):
    site.model("dovetail-net")
    source = "@hookimpl\ndef build_dataset(): return 1\n@hookimpl\ndef build_model(): raise OSError\n"
    with_hooks(site, "dovetail-audio", '["build_dataset"]', source)
    site.add("dovetail-words", '[datasets."words/d"]\ntarget = "a:b"\n')
    assert datasets.load("d") == 1 and models.create("net").config == {}
    assert plugins.installed()[0].notes == [
        "dovetail_audio.hooks implements build_model, which the manifest does not list; it is not called"
    ]


def test_pluggys_own_marker_and_specname_are_as_good(site):
    site.model("dovetail-net")
    source = "import pluggy\n@pluggy.HookimplMarker('dovetail')(specname='build_model')\n"
    source += "def mine(config):\n    return type('Made', (), {})()\n"
    with_hooks(site, "dovetail-audio", '["build_model"]', source)
    assert type(models.create("net")).__name__ == "Made"


@pytest.mark.parametrize(("wrapper", "first"), [(False, "pass"), (True, "yield")])
def test_a_raising_hook_keeps_its_type_and_says_whose_it_is(site, wrapper, first):
    site.model("dovetail-net")
    source = f"@hookimpl(wrapper={wrapper})\ndef build_model(entry):\n    {first}\n    raise KeyError('x')\n"
    with_hooks(site, "dovetail-audio", '["build_model"]', source)
    with pytest.raises(KeyError) as caught:
        models.create("net")
    note = "raised by plugin audio (dovetail-audio 0.1.0) in hook build_model; to go on without it: dovetail plugins disable audio"
    assert note in "".join(traceback.format_exception(caught.value))
    assert caught.value.__notes__ == [note]


def test_a_behaviour_hook_that_cannot_be_imported_is_left_out_loudly(site):
    site.model("dovetail-net")
    with_hooks(site, "dovetail-audio", '["build_model"]', "import nowhere_at_all")
    with pytest.warns(RuntimeWarning, match=r"plugin audio .* failed while importing its hook build_model: ModuleNotFoundError.*left out"):
        assert models.create("net").config == {}
    assert models.create("net").config == {}


def test_a_hook_that_exits_is_an_error_and_the_process_lives(site):
    site.model("dovetail-net")
    with_hooks(site, "dovetail-audio", '["build_model"]', "@hookimpl\ndef build_model(): raise SystemExit(4)\n")
    with pytest.raises(PluginError, match=r"plugin audio .* called sys.exit\(4\) in hook build_model"):
        models.create("net")


def test_kernels_by_code(site):
    source = "@hookimpl\ndef register_kernels():\n    return {'relu': [{'target': 'a:b', 'device': 'cpu', 'dtypes': ['float32']}]}\n"
    with_hooks(site, "dovetail-fast", '["register_kernels"]', source)
    assert plugins.kernels_for_core() == [("relu", "cpu", ("float32",), "a:b", "fast")]
