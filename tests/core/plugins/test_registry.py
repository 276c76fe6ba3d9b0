"""Registries: keys, bare names, aliases, misses, targets imported at first use, and the faces `models` and `datasets`."""

from __future__ import annotations

import copy
import sys
import warnings

import pytest

from dovetail import datasets, models, plugins
from dovetail.errors import ManifestError, NameClashError, PluginError, UnknownNameError, UnsupportedError, ValueRangeError
from dovetail.plugins.registry import Registry


def test_listing_and_looking_up_import_nothing(site):
    site.model("dovetail-audio")
    assert models.list() == ["audio/net"] == list(plugins.models)
    entry = models.get("audio/net")
    assert (entry.key, entry.summary, entry.params, entry.plugin.name) == ("audio/net", "A net", None, "audio")
    assert ("audio/net" in plugins.models, "net" in plugins.models, len(plugins.models)) == (True, False, 1)
    assert not any(name.startswith("dovetail_audio") for name in sys.modules)
    assert copy.copy(entry).key == "audio/net" and repr(entry) == "<audio/net of dovetail-audio 0.1.0>"
    with pytest.raises(AttributeError, match="it has no field 'sumary'"):
        _ = entry.sumary


def test_patterns_match_keys_and_bare_names(site):
    rows = "".join(f'[models."audio/{name}"]\ntarget = "a:b"\n' for name in ("resnet18", "resnet50", "vgg"))
    site.add("dovetail-audio", rows)
    assert models.list("resnet*") == ["audio/resnet18", "audio/resnet50"]
    assert models.list("audio/v*") == ["audio/vgg"]
    assert models.list("nothing*") == []


def test_create_builds_and_remembers_where_from(site):
    site.model("dovetail-audio")
    net = models.create("net", width=3)
    assert net.config == {"width": 3}
    assert net._dovetail_entry == ("audio/net", {"width": 3}, "0.1.0")
    assert plugins.installed()[0].state == "active"


def test_a_bare_name_in_two_namespaces_lists_the_candidates(site):
    site.model("dovetail-audio")
    site.model("dovetail-radio")
    with pytest.raises(UnknownNameError, match=r"models.get\('net'\): the name is in 2 namespaces; expected one of audio/net, radio/net"):
        models.get("net")


def test_a_miss_suggests_the_nearest_names(site):
    site.model("dovetail-audio")
    with pytest.raises(UnknownNameError, match=r"no plugin that is installed brings 'audio/nett'; nearest: audio/net"):
        models.get("audio/nett")
    with pytest.raises(UnknownNameError, match="brings 'audio/NET'; nearest: audio/net"):
        models.get("audio/NET")
    with pytest.raises(UnknownNameError, match="nearest: net"):
        models.get("nett")


@pytest.mark.parametrize(("key", "package"), [("vision/resnet18", "vision"), ("resnet18", "vision"), ("text/anything", "text")])
def test_a_miss_suggests_what_to_install(site, key, package):
    with pytest.raises(UnknownNameError, match=rf"0 models are installed; pip install dovetail-{package} \("):
        models.get(key)


def test_what_is_installed_is_not_suggested_again(site):
    site.add("dovetail-vision", "")
    with pytest.raises(UnknownNameError) as caught:
        models.get("vision/resnet18")
    assert "pip install" not in str(caught.value)


@pytest.mark.parametrize(
    ("manifest", "environment", "error", "message"),
    [
        ("[models", {}, ManifestError, "plugin audio (dovetail-audio 0.1.0) is broken; "),
        ("", {"DOVETAIL_DISABLE_PLUGINS": "audio"}, PluginError, "is disabled; switched off by DOVETAIL_DISABLE_PLUGINS"),
    ],
)
def test_a_miss_tells_of_the_plugin_that_should_have_had_it(site, monkeypatch, manifest, environment, error, message):
    site.add("dovetail-audio", manifest)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(error) as caught:
        models.get("audio/net")
    assert message in str(caught.value)


def test_an_alias_warns_at_the_callers_line(site):
    site.model(
        "dovetail-audio",
        extra='[aliases]\n"audio/old" = { new = "audio/mid", since = "0.2", removed_in = "1.0" }\n"audio/mid" = { new = "audio/net" }\n',
    )
    with pytest.warns(DeprecationWarning, match=r"models.get\('audio/old'\): renamed to 'audio/net'") as record:
        assert models.get("audio/old").key == "audio/net"
    assert record[0].filename == __file__
    with pytest.warns(DeprecationWarning) as record:
        models.create("audio/old")
    assert record[0].filename == __file__


def test_aliases_that_go_round_or_nowhere_are_misses(site):
    site.add(
        "dovetail-audio",
        '[aliases]\n"audio/a" = { new = "audio/b" }\n"audio/b" = { new = "audio/a" }\n"audio/c" = { new = "audio/gone" }\n',
    )
    for key in ("audio/a", "audio/c"):
        with pytest.raises(UnknownNameError):
            models.get(key)


def test_weights_by_key_variant_or_state_dict(site):
    source = "def net(weights=None, **config):\n    made = Net(config)\n    made.weights = weights\n    return made\n"
    source += "def load(self, state): self.state = state\nNet.load_state_dict = load\n"
    rows = '[weights."audio/net@v1"]\nmodel = "audio/net"\n[weights."audio/other@v1"]\nmodel = "audio/other"\n'
    site.model("dovetail-audio", source, extra=rows)
    assert models.create("net", weights="v1").weights.key == "audio/net@v1"
    assert models.create("net", weights="audio/net@v1").weights.model == "audio/net"
    assert models.create("net", weights={"w": 1}).state == {"w": 1}
    with pytest.raises(ValueRangeError, match="weights 'audio/other@v1' are of 'audio/other'"):
        models.create("net", weights="audio/other@v1")
    with pytest.raises(UnknownNameError, match="weights.get"):
        models.create("net", weights="v2")
    with pytest.raises(UnsupportedError, match="it has no target to import"):
        plugins.weights.load("audio/net@v1")


def test_datasets_get_root_split_and_options(site):
    rows = '[datasets."audio/words"]\ntarget = "dovetail_audio.data:words"\nsplits = ["train", "test"]\n'
    rows += '[datasets."audio/none"]\ntarget = "dovetail_audio.data:none"\n'
    site.add("dovetail-audio", rows, code={"data.py": "def words(**given): return given\ndef none(): pass\n"})
    assert datasets.list("w*") == ["audio/words"] and datasets.get("words").splits == ["train", "test"]
    assert datasets.load("words", root="here", split="test", rate=8) == {"root": "here", "split": "test", "rate": 8}
    assert datasets.load("words") == {}
    with pytest.raises(ValueRangeError, match=r"it has no split 'val'; expected one of train, test"):
        datasets.load("words", split="val")
    with pytest.raises(PluginError, match="gave None; expected a dataset; to go on without it: dovetail plugins disable audio"):
        datasets.load("none")


def test_every_kind_has_a_registry_and_no_other(site):
    from dovetail.plugins.names import HOOK_KINDS

    assert [getattr(plugins, kind).kind for kind in HOOK_KINDS] == list(HOOK_KINDS)
    with pytest.raises(AttributeError, match="has no attribute 'modells'"):
        _ = plugins.modells
    with pytest.raises(UnknownNameError, match="there is no kind 'modells'; expected one of models"):
        Registry("modells")


# --------------------------------------------------------------------------------------------- claims and names


def kernel(distribution: str, op: str = "relu", dtypes: str = '["float32", "float64"]') -> str:
    return f'[kernels.{op}]\ntarget = "{distribution.replace("-", "_")}.k:{op}"\ndevice = "cpu"\ndtypes = {dtypes}\n'


def test_kernels_for_core_groups_the_claims(site):
    site.add("dovetail-fast", kernel("dovetail-fast") + kernel("dovetail-fast", "tanh", '["float32"]'))
    assert plugins.kernels_for_core() == [
        ("relu", "cpu", ("float32", "float64"), "dovetail_fast.k:relu", "fast"),
        ("tanh", "cpu", ("float32",), "dovetail_fast.k:tanh", "fast"),
    ]
    assert plugins.kernels_for_core()[0].op == "relu"


def test_kernels_that_two_claim_belong_to_nobody_until_one_is_preferred(site, tmp_path):
    site.add("dovetail-fast", kernel("dovetail-fast"))
    site.add("dovetail-faster", kernel("dovetail-faster", dtypes='["float32"]'))
    with pytest.warns(RuntimeWarning, match=r"kernels.relu@cpu:float32: claimed by fast \(.*\) and faster \("):
        assert plugins.kernels_for_core() == [("relu", "cpu", ("float64",), "dovetail_fast.k:relu", "fast")]
    assert 'expected one claim; write prefer = ["fast"]' in plugins.problems()[0]
    with pytest.raises(NameClashError, match="fast .* and faster"):
        plugins.kernels.get("relu@cpu:float32")
    for text, winner in (
        ('[tool.dovetail]\nprefer = ["faster"]\n', "faster"),
        ('[tool.dovetail.prefer]\n"kernels.relu" = "faster"\n', "faster"),
        ('[tool.dovetail.prefer]\n"kernels.relu@cpu:float32" = "fast"\n"kernels.relu" = "faster"\n', "fast"),
    ):
        (tmp_path / "work" / "pyproject.toml").write_text(text)
        plugins.reset()
        claims = plugins.kernels_for_core()
        assert {claim.plugin for claim in claims if "float32" in claim.dtypes} == {winner}
        assert sorted(dtype for claim in claims for dtype in claim.dtypes) == ["float32", "float64"] and plugins.problems() == []


def test_three_claims_name_all_three(site):
    for name in ("a", "b", "c"):
        site.add(f"dovetail-{name}", f'[formats.".wav"]\nmagic = "{name}"\n')
    with pytest.raises(NameClashError, match=r"formats.\.wav: claimed by a .* and b .* and c "):
        plugins.formats.get(".wav")


def test_two_distributions_with_one_name_count_when_one_is_preferred(site, tmp_path):
    site.model("dovetail-audio")
    site.add("audio", '[models."audio/net"]\ntarget = "audio.models:net"\n', code={"models.py": "def net(): pass\n"})
    assert models.list() == []
    with pytest.raises(NameClashError, match=r"is claimed by audio \(audio 0.1.0\) and audio \(dovetail-audio 0.1.0\); expected one"):
        models.get("audio/net")
    (tmp_path / "work" / "pyproject.toml").write_text('[tool.dovetail]\nprefer = ["dovetail-audio"]\n')
    plugins.reset()
    assert models.get("audio/net").plugin.distribution == "dovetail-audio"
    assert [plugin.state for plugin in plugins.installed()] == ["disabled", "ready"] and plugins.problems() == []


@pytest.mark.parametrize(
    ("distribution", "name", "message"),
    [
        ("acme-audio", "audio", "the distribution acme-audio owns the name 'acme-audio'"),
        ("dovetail-nn", "nn", "the name 'nn' is a module of the core"),
        ("dovetail-plugins", "plugins", "the name 'plugins' is a module of the core"),
        ("vision", "vision", "the name 'vision' belongs to the distribution dovetail-vision"),
    ],
)
def test_a_name_that_is_not_ones_own_is_refused_and_the_owner_keeps_it(site, distribution, name, message):
    site.add("dovetail-vision", '[models."vision/net"]\ntarget = "a:b"\n')
    site.model("dovetail-audio")
    site.add(distribution, f'[models."{name}/evil"]\ntarget = "a:b"\n', name=name)
    assert message in next(plugin for plugin in plugins.installed() if plugin.distribution == distribution).reason
    assert models.list() == ["audio/net", "vision/net"]


def test_the_result_does_not_depend_on_hash_seed_or_order_of_installation(site, tmp_path, python):
    program = (
        "import warnings; warnings.simplefilter('ignore')\n"
        "from dovetail import plugins\n"
        "print([list(getattr(plugins, kind)) for kind in ('models', 'kernels', 'formats', 'commands')], plugins.kernels_for_core(),"
        " [repr(p) for p in plugins.installed()], [text.replace(FOLDER, '') for text in plugins.problems()])\n"
    )
    answers = set()
    for number in range(6):
        other = type(site)(tmp_path / f"order{number}")
        names = ["dovetail-a", "dovetail-b", "acme-c", "a"]
        for name in names[number % 4 :] + names[: number % 4]:
            owner = name.removeprefix("dovetail-")
            rows = f'[models."{owner}/m"]\ntarget = "a:b"\n[formats.".x"]\nmagic = "{name}"\n[commands.go]\ntarget = "a:b"\n'
            other.add(name, rows + kernel(name), package=f"package_{name.replace('-', '_')}")
        cache = str(tmp_path / f"cache{number % 3}")
        answer = python(
            f"FOLDER = {str(other.folder)!r}\nimport sys; sys.path.insert(0, FOLDER)\n{program}",
            PYTHONHASHSEED=str(number),
            DOVETAIL_CACHE=cache,
        )
        answers.add(answer)
    assert len(answers) == 1
    assert "commands.go: claimed by" in answers.pop()


# ------------------------------------------------------------------------------------------------------ switches


@pytest.mark.parametrize(
    ("environment", "usable", "problem"),
    [
        ({}, ["audio", "radio"], ""),
        ({"DOVETAIL_PLUGINS": "none"}, [], ""),
        ({"DOVETAIL_PLUGINS": "audio"}, ["audio"], ""),
        ({"DOVETAIL_PLUGINS": "Audio, radio"}, ["audio", "radio"], ""),
        ({"DOVETAIL_PLUGINS": "audio,video"}, ["audio"], "DOVETAIL_PLUGINS names video, which is not installed"),
        ({"DOVETAIL_DISABLE_PLUGINS": "radio"}, ["audio"], ""),
        ({"DOVETAIL_PLUGINS": "audio", "DOVETAIL_DISABLE_PLUGINS": "audio"}, [], ""),
    ],
)
def test_environment_switches(site, monkeypatch, environment, usable, problem):
    site.model("dovetail-audio")
    site.model("dovetail-radio")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert [plugin.name for plugin in plugins.installed() if plugin.usable] == usable
    assert models.list() == [f"{name}/net" for name in usable]
    assert plugins.problems() == ([problem] if problem else [])


def test_settings_files_the_projects_before_the_users(site, tmp_path):
    for name in ("a", "b", "c"):
        site.add(f"dovetail-{name}", '[formats.".wav"]\nmagic = "x"\n')
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "config.toml").write_text('prefer = ["b"]\ndisable-plugins = ["c"]\n')
    assert plugins.formats.get(".wav").plugin.name == "b" and [p.name for p in plugins.installed() if p.state == "disabled"] == ["c"]
    (tmp_path / "work" / "pyproject.toml").write_text('[tool.dovetail]\nprefer = ["a"]\n')
    plugins.reset()
    assert plugins.formats.get(".wav").plugin.name == "a"


@pytest.mark.parametrize(
    "text", ["[tool.dovetail", "[tool.dovetail]\nprefer = 3\n", "[tool.dovetail]\ndisable-plugins = [1]\n", 'tool = "dovetail"\n']
)
def test_a_wrong_settings_file_is_a_problem_and_no_more(site, tmp_path, text):
    site.model("dovetail-audio")
    (tmp_path / "work" / "pyproject.toml").write_text(text)
    assert models.list() == ["audio/net"]
    assert plugins.problems()[0].startswith("pyproject.toml: ")


def test_strict_makes_any_problem_an_error(site, monkeypatch):
    site.model("dovetail-audio")
    monkeypatch.setenv("DOVETAIL_STRICT_PLUGINS", "1")
    assert models.list() == ["audio/net"]
    site.add("dovetail-bad", "[models")
    plugins.reset()
    for ask in (models.list, plugins.kernels_for_core):
        with pytest.raises(PluginError, match=r"DOVETAIL_STRICT_PLUGINS: bad \(dovetail-bad 0.1.0\) is broken"):
            ask()
    assert len(plugins.problems()) == 1


def test_no_warning_without_a_reason(site):
    site.model("dovetail-audio")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        models.create("audio/net")
        plugins.kernels_for_core()
