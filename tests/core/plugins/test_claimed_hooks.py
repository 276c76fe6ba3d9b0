"""Hooks that go to the one plugin that claims a format or an element type, doctor, hooks that plugins publish, and deprecation."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import pytest

import dovetail as dv
from dovetail import extend, hooks, io, models, plugins
from dovetail.errors import DecodeError, FormatError, NameClashError, PluginError, TypeMismatch, UnknownNameError
from dovetail.utils.data import default_collate

HEAD = "from dovetail.hooks import hookimpl, hookspec\nimport dovetail as dv\n"
TEXTS = (
    HEAD
    + """
@hookimpl
def decode_sample(data, limits):
    if data == b"deep":
        raise RecursionError("too deep")
    if data == b"exit":
        raise SystemExit(3)
    if len(data) > limits["elements"]:
        raise ValueError(f"{len(data)} elements, {limits['elements']} allowed")
    return dv.tensor(list(data))

@hookimpl
def open_weights(path, head):
    if head.startswith(b"bad"):
        raise KeyError("w")
    return {"w": dv.tensor([float(x) for x in open(path).read().split()])}

@hookimpl
def save_weights(path, tensors):
    with open(path, "w") as file:
        file.write(" ".join(map(str, tensors["w"].tolist())))
    return True
"""
)
NAMES = ["decode_sample", "open_weights", "save_weights"]


def texts(site, distribution: str = "dovetail-texts", implements: list[str] = NAMES, source: str = TEXTS, suffix: str = ".txt") -> None:
    package = distribution.replace("-", "_")
    manifest = f'hooks = {{ module = "{package}.hooks", implements = {implements!r} }}\n[formats."{suffix}"]\n'.replace("'", '"')
    site.add(distribution, manifest, code={"hooks.py": source})
    plugins.reset()


def test_a_sample_is_decoded_by_the_plugin_that_claims_its_suffix(site, tmp_path):
    texts(site)
    (tmp_path / "a.b.TXT").write_bytes(b"\x01\x02")
    assert io.decode(tmp_path / "a.b.TXT").tolist() == [1, 2] == io.decode(b"\x01\x02", ".txt").tolist()
    for source, kind in ((b"\x01", ".wav"), (b"\x01", None), (b"", "")):
        with pytest.raises(DecodeError, match=r"no plugin decodes .*dovetail search --kind formats"):
            io.decode(source, kind)


def test_what_decoding_raises_names_the_sample_and_the_plugin(site, tmp_path):
    texts(site)
    for data, text in ((b"deep", "RecursionError: too deep"), (b"long", "ValueError: 4 elements, 3 allowed")):
        (tmp_path / "x.txt").write_bytes(data)
        with pytest.raises(DecodeError, match=text) as caught:
            io.decode(tmp_path / "x.txt", max_elements=3)
        assert str(tmp_path / "x.txt") in str(caught.value) and "raised by plugin texts (dovetail-texts 0.1.0)" in str(caught.value)
        assert "dovetail plugins disable texts" in str(caught.value)
    with pytest.raises(PluginError, match=r"called sys.exit\(3\) in hook decode_sample"):
        io.decode(b"exit", ".txt")


def test_weights_of_a_claimed_format(site, tmp_path):
    texts(site)
    path = tmp_path / "w.txt"
    dv.save({"w": dv.tensor([1.5, 2.5])}, path)
    assert path.read_text() == "1.5 2.5" and [*tmp_path.glob(".w.txt*")] == []
    assert dv.load(path)["w"].tolist() == [1.5, 2.5]
    model = dv.nn.Module()
    model.w = dv.nn.Parameter(dv.zeros(2))
    assert dv.load(path, into=model) is model and model.w.tolist() == [1.5, 2.5]
    dv.save(model, path)
    assert path.read_text() == "1.5 2.5"
    with pytest.raises(TypeMismatch, match="holds tensors by name, got list"):
        dv.save([1], path)
    with pytest.raises(FormatError, match="KeyError: 'v'|KeyError: 'w'"):
        dv.save({"v": dv.ones(1)}, path)
    assert path.read_text() == "1.5 2.5" and [*tmp_path.glob(".w.txt*")] == []
    path.write_text("bad")
    with pytest.raises(FormatError, match=r"w.txt: KeyError: 'w'; raised by plugin texts"):
        dv.load(path)


def test_a_plugin_that_only_decodes_leaves_weights_to_the_core(site, tmp_path):
    texts(site, implements=["decode_sample"])
    dv.save({"w": dv.ones(1)}, tmp_path / "w.txt")
    assert dv.load(tmp_path / "w.txt")["w"].tolist() == [1.0]


def test_two_claims_to_a_format_are_an_error_that_names_both(site, tmp_path, monkeypatch):
    texts(site)
    texts(site, "dovetail-others")
    (tmp_path / "x.txt").write_bytes(b"\x01")
    for action in (lambda: io.decode(tmp_path / "x.txt"), lambda: dv.load(tmp_path / "x.txt"), lambda: dv.save({}, tmp_path / "x.txt")):
        with pytest.raises(NameClashError, match=r"formats..txt: claimed by others .* and texts .*prefer"):
            action()
    (tmp_path / "work" / "pyproject.toml").write_text('[tool.dovetail]\nprefer = ["texts"]\n')
    plugins.reset()
    assert io.decode(tmp_path / "x.txt").tolist() == [1]


def test_a_hook_module_that_fails_is_an_error_of_the_plugin(site):
    texts(site, source="raise OSError('no disk')\n")
    with pytest.warns(RuntimeWarning, match="no disk"), pytest.raises(PluginError, match=r"plugin texts .* is failed; .*no disk"):
        io.decode(b"", ".txt")


CLIPS = (
    HEAD
    + """
@hookimpl
def collate(samples):
    if any(s.length == 0 for s in samples):
        raise ValueError("an empty clip")
    return [s.length for s in samples]
"""
)


def clips(site, claim: str = "dovetail_clips.clips.Clip") -> type:
    manifest = f'hooks = {{ module = "dovetail_clips.hooks", implements = ["collate"] }}\n[collates."{claim}"]\n'
    code = {"hooks.py": CLIPS, "clips.py": "class Clip:\n    def __init__(self, length): self.length = length\n"}
    site.add("dovetail-clips", manifest, code=code)
    plugins.reset()
    import dovetail_clips.clips

    return dovetail_clips.clips.Clip


def test_elements_of_a_claimed_type_are_collated_by_its_plugin(site):
    clip = clips(site)
    batch = default_collate([(clip(3), 1), (clip(5), 2)])
    assert batch[0] == [3, 5] and batch[1].tolist() == [1, 2]
    with pytest.raises(ValueError, match="an empty clip") as caught:
        default_collate([clip(0)])
    assert any("raised by plugin clips (dovetail-clips 0.1.0) in hook collate" in note for note in caught.value.__notes__)


def test_an_element_type_that_nobody_claims_is_a_type_error(site):
    clip = clips(site, "dovetail_clips.clips.Other")
    with pytest.raises(TypeError, match="batch must contain tensors, numpy arrays, numbers, dicts or lists; found"):
        default_collate([clip(3)])


def test_doctor_gathers_the_checks_of_plugins_and_a_failure_is_one_failed_check(site, run_cli):
    for name, body in (("well", "return [('a thing', True, 'seen')]"), ("ill", "raise OSError('no disk')"), ("odd", "return 3")):
        manifest = f'hooks = {{ module = "dovetail_{name}.hooks", implements = ["doctor"] }}\n'
        site.add(f"dovetail-{name}", manifest, code={"hooks.py": f"{HEAD}@hookimpl\ndef doctor():\n    {body}\n"})
    out = run_cli("doctor", status=1)
    assert "well: a thing well seen" in out and "OSError: no disk" in out and "odd: hook doctor FAILED TypeError" in out
    assert "dovetail plugins disable ill" in out


def _kernel(op: str) -> str:
    return f'[kernels.{op}]\ntarget = "dovetail_fast.k:{op}"\ndevice = "cpu"\ndtypes = ["float32"]\n'


def test_doctor_says_who_answers_for_what_a_plugin_a_line(site, run_cli):
    nobody = "answered by NumPy, for the processor; native kernels are faster: pip install dovetail-cpu"
    site.add("dovetail-texts", '[formats.".txt"]\n[formats.".md"]\n')
    seen = {row["check"]: row["seen"] for row in json.loads(run_cli("doctor", "--quick", "--json"))}
    assert seen["formats"].startswith(".md, .txt: answered by texts (dovetail-texts ") and seen["kernels"] == nobody
    site.add("dovetail-fast", "".join(map(_kernel, ("abs", "add", "exp", "log", "sin", "cos", "tan"))))
    plugins.reset()
    said = run_cli("doctor", "--quick")
    assert "answered by NumPy" not in said
    assert "7, such as abs@cpu:float32, add@cpu:float32, cos@cpu:float32: answered by fast" in " ".join(said.split())


PUBLISHER = """
hooks = { publishes = { window = "dovetail_audio.specs:window" } }
"""
SPECS = HEAD + "@hookspec(firstresult=True)\ndef window(name):\n    'Make a window.'\n"


def test_a_plugin_publishes_hooks_that_others_implement(site):
    site.add("dovetail-audio", PUBLISHER, code={"specs.py": SPECS})
    source = HEAD + "@hookimpl\ndef audio_window(name):\n    return name + '!' if name else None\n"
    for name in ("a", "b"):
        manifest = f'hooks = {{ module = "dovetail_{name}.hooks", implements = ["audio/window"] }}\n'
        site.add(f"dovetail-{name}", manifest, code={"hooks.py": source.replace("'!'", repr(name))})
    assert plugins.call("audio/window", name="hann") == "hanna" and plugins.call("audio/window", name="") is None
    for name in ("audio/other", "nobody/window", "a/window"):
        with pytest.raises(UnknownNameError, match=r"no usable plugin publishes this hook; expected one of \['audio/window'\]"):
            plugins.call(name)


def test_arguments_of_published_hooks_are_checked(site, run_cli):
    """Those of another plugin, of the same one, and of one that is not here."""
    site.add("dovetail-audio", PUBLISHER, code={"specs.py": SPECS})
    for name, hook, arguments in (("well", "audio/window", "name"), ("ill", "audio/window", "name, size"), ("far", "moon/window", "x")):
        manifest = f'hooks = {{ module = "dovetail_{name}.hooks", implements = ["{hook}"] }}\n'
        function = f"{HEAD}@hookimpl\ndef {hook.replace('/', '_')}({arguments}):\n    return None\n"
        site.add(f"dovetail-{name}", manifest, code={"hooks.py": function})
    assert "hook audio/window" in run_cli("plugins", "check", "well")
    assert "it asks for size; expected some of name" in run_cli("plugins", "check", "ill", status=1)
    assert "not compared: the plugin moon, which publishes it, is not installed" in run_cli("plugins", "check", "far")
    broken = PUBLISHER.replace("publishes", 'module = "dovetail_own.hooks", implements = ["own/window"], publishes')
    code = {"specs.py": SPECS, "hooks.py": f"{HEAD}@hookimpl\ndef own_window(nothing):\n    return None\n"}
    site.add("dovetail-own", broken.replace("dovetail_audio", "dovetail_own"), code=code)
    assert "it asks for nothing; expected some of name" in run_cli("plugins", "check", "own", status=1)
    site.add("dovetail-dead", PUBLISHER.replace("audio", "dead"), code={"specs.py": "window = 1 / 0\n"})
    code = {"hooks.py": f"{HEAD}@hookimpl\ndef dead_window(name):\n    return None\n"}
    site.add("dovetail-last", 'hooks = { module = "dovetail_last.hooks", implements = ["dead/window"] }\n', code=code)
    assert "ZeroDivisionError" in run_cli("plugins", "check", "last", status=1)


def test_an_implementation_of_a_hook_whose_publisher_is_missing_is_harmless(site):
    site.model("dovetail-a", extra='hooks = { module = "dovetail_a.nothing", implements = ["audio/window"] }\n')
    assert models.list() == ["a/net"] and plugins.problems() == []


@pytest.mark.parametrize(
    ("hook", "argument", "well", "text"),
    [
        ("audio/window", "name", True, "(name)"),
        ("audio/window", "nmae", False, "it asks for nmae; expected some of name"),
        ("audio/widow", "name", False, "no usable plugin publishes this hook; expected one of ['audio/window']"),
        ("video/window", "name", True, "not compared: the plugin video, which publishes it, is not installed"),
    ],
)
def test_check_compares_with_what_the_other_plugin_publishes(site, run_cli, hook, argument, well, text):
    site.add("dovetail-audio", PUBLISHER, code={"specs.py": SPECS})
    source = HEAD + f"@hookimpl\ndef {hook.replace('/', '_')}({argument}): return 1\n"
    site.add("dovetail-a", f'hooks = {{ module = "dovetail_a.hooks", implements = ["{hook}"] }}\n', code={"hooks.py": source})
    said = run_cli("plugins", "check", "a", status=0 if well else 1)
    assert text in said and f"a: hook {hook} {'well' if well else 'FAILED'}" in said


@pytest.mark.parametrize(
    ("deprecated", "text"),
    [
        ("use build_model_2", "hook build_model is deprecated: use build_model_2"),
        ({"config": "use options"}, "argument 'config' of hook build_model is deprecated: use options"),
        ({"weights": "use files"}, ""),
    ],
)
def test_deprecation_warns_at_the_plugins_own_line(site, monkeypatch, deprecated, text):
    source = HEAD + "\n\n@hookimpl\ndef build_model(entry, config):\n    return None\n"
    head = 'hooks = { module = "dovetail_audio.hooks", implements = ["build_model"] }\n'
    site.model("dovetail-audio", "def net():\n    return dovetail.nn.Identity()\nimport dovetail\n", head)
    site.write("dovetail_audio/hooks.py", source)
    monkeypatch.setattr(hooks.HOOKS["build_model"], "deprecated", deprecated)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        models.create("audio/net")
    found = [(str(w.message), w.filename.rpartition("/")[2], w.lineno) for w in caught if w.category is DeprecationWarning]
    assert found == ([(text, "hooks.py", 5)] if text else [])


def test_extend_is_one_screen_of_public_names():
    lines = Path(extend.__file__).read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 50 and all(getattr(extend, name) is not None for name in extend.__all__)
    assert np.allclose(extend.xp(np.ones(2)).ones(2), 1)
