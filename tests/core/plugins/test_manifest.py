"""Manifests: what is accepted, and that every error names file, line, field and what was expected."""

from __future__ import annotations

import pytest

from dovetail.plugins.kinds import FIELDS, KINDS
from dovetail.plugins.manifest import accepts, line_of, read
from dovetail.plugins.names import CLAIMS, KIND_NAMES, namespace_of, normalise

API = 'api = ">=1.0,<2"\n'


def read_text(text: str, distribution: str = "dovetail-audio", version: tuple[int, int] = (1, 0)):
    return read("dovetail.toml", text.encode(), distribution, version)


def test_the_contracts_example_is_accepted():
    reading = read_text(
        API
        + 'hooks = { module = "dovetail_audio.hooks", implements = ["register_kernels", "build_model"] }\n'
        + '[models."audio/wav2small"]\ntarget = "dovetail_audio.models:wav2small"\nsummary = "…"\nparams = 12\nhouse = "kept"\n'
        + '[weights."audio/wav2small@v1"]\nmodel = "audio/wav2small"\nurl = "https://x.org/w"\n'
        + f'sha256 = "{"0" * 64}"\nbytes = 3\ntransforms = "audio/logmel"\nmetrics = {{ accuracy = 0.94 }}\n'
        + '[formats.".wav"]\nmagic = "RIFF"\n'
        + '[[kernels.conv2d]]\ntarget = "a.k:f"\ndevice = "cpu"\ndtypes = ["float32", "float64"]\n'
        + '[[kernels.conv2d]]\ntarget = "a.k:g"\ndevice = "cuda"\ndtypes = ["float32"]\n'
        + '[lowerings.conv2d]\ntarget = "a.l:f"\nformat = "onnx"\n'
        + '[commands.listen]\ntarget = "a.c:listen"\n[namespaces.sound]\ntarget = "dovetail_audio.sound"\n'
        + '[aliases]\n"audio/old" = { new = "audio/wav2small", since = "0.2", removed_in = "1.0" }\n'
    )
    assert (reading["state"], reading["reason"], reading["notes"]) == ("ready", "", [])
    assert reading["rows"]["models"]["audio/wav2small"]["house"] == "kept"
    assert list(reading["rows"]["kernels"]) == ["conv2d@cpu:float32", "conv2d@cpu:float64", "conv2d@cuda:float32"]
    assert list(reading["rows"]["lowerings"]) == ["conv2d@onnx"]
    assert reading["implements"] == ["build_model", "register_kernels"]


ROW = '[models."audio/x"]\n'
MUL = '[[kernels.mul]]\ntarget = "a:b"\ndevice = "cpu"\ndtypes = ["float32"]\n'
WRONG = [
    # text after the api line, line of the error, its message
    (ROW + "target = 3", 3, 'models."audio/x".target: got 3; expected a string "package.module:name"'),
    (ROW + 'target = "no colon"', 3, 'expected a string "package.module:name"'),
    (ROW + 'summary = "s"', 2, 'models."audio/x".target: missing; expected a string'),
    (ROW + 'target = "a:b"\n\ntags = ["a", 1]', 5, "tags: got ['a', 1]; expected a list of strings"),
    (ROW + 'target = "a:b"\nparams = -1', 4, "params: got -1; expected a whole number, 0 or more"),
    (ROW + 'target = "a:b"\nparams = true', 4, "params: got True; expected a whole number"),
    ('[models."vision/x"]\ntarget = "a:b"', 2, "the key 'vision/x' is outside the plugin's own namespace; expected 'audio/…'"),
    ('[models.bare]\ntarget = "a:b"', 2, "the key 'bare' is not valid; expected \"namespace/name\""),
    ("models = 3", 2, "models: expected a table, got 3"),
    ('[models]\n"audio/x" = 3', 3, 'models."audio/x": expected a table of fields, got 3'),
    ('[weights."audio/x@v1"]\nmodel = "audio/x"\nsha256 = "abc"', 4, "sha256: got 'abc'; expected 64 hexadecimal digits"),
    ('[weights."audio/x@v1"]\nmodel = "audio/x"\nurl = "https://a.b/c"', 2, "sha256: missing; expected 64 hexadecimal digits, since"),
    ('[datasets."audio/x"]\ntarget = "a:b"\nurl = "nowhere"', 4, "url: got 'nowhere'; expected a URL"),
    ('[kernels.conv2d]\ntarget = "a:b"\ndevice = "cpu"\ndtypes = []', 5, "dtypes: got []; expected a list of different element types"),
    ('[kernels.conv2d]\ntarget = "a:b"\ndtypes = ["float32"]', 2, "kernels.conv2d.device: missing; expected the name of a device type"),
    (MUL + '[[kernels.mul]]\ntarget = 4\ndevice = "cuda"\ndtypes = ["float32"]', 7, "kernels.mul.[1].target: got 4"),
    (MUL + '[[kernels.mul]]\ntarget = "a:c"\ndevice = "cpu"\ndtypes = ["float32"]', 6, "'mul@cpu:float32' is claimed twice by this plugin"),
    ('[namespaces.nn]\ntarget = "a.b"', 2, "'dovetail.nn' is a module of the core"),
    ('[namespaces."nn.functional"]\ntarget = "a.b"', 2, "'dovetail.nn.functional' is a module of the core"),
    ('[namespaces."nn..more"]\ntarget = "a.b"', 2, "is not valid; expected a Python name"),
    ('[namespaces.sound]\ntarget = "a.b:c"', 3, 'expected a module\'s name, "package.module"'),
    ('[commands.plugins]\ntarget = "a:b"', 2, "'dovetail plugins' is a command of the core"),
    ('[formats."wav"]\nmagic = "x"', 2, "the key 'wav' is not valid; expected a lower-case suffix"),
    ('[aliases]\n"audio/old" = { new = "old" }', 3, "got 'old'; expected a key, \"namespace/name\""),
    ('hooks = { module = "a.b" }', 2, "hooks: got {'module': 'a.b'}; expected a table { module ="),
    ('hooks = { module = "a.b", implements = ["bild_model"] }', 2, "there is no hook bild_model (nearest: build_model)"),
    ("[models", 2, "not valid TOML"),
]


@pytest.mark.parametrize(("text", "line", "message"), WRONG, ids=[message[:40] for _, _, message in WRONG])
def test_an_error_names_file_line_field_and_what_was_expected(text, line, message):
    reading = read_text(API + text)
    assert reading["state"] == "broken"
    assert reading["reason"].startswith(f"dovetail.toml:{line}: ")
    assert message in reading["reason"]
    assert reading["rows"] == {}


def test_every_error_is_listed_and_nothing_of_the_manifest_counts():
    reading = read_text(API + '[models."audio/good"]\ntarget = "a:b"\n[models."audio/x"]\n[models."audio/y"]\ntarget = 1')
    assert len(reading["reason"].splitlines()) == 2
    assert reading["rows"] == {}


def test_bytes_that_are_not_utf8_name_the_line():
    reading = read("m.toml", API.encode() + b"# caf\xe9\n", "dovetail-audio", (1, 0))
    assert reading["reason"] == f"m.toml:2: byte {len(API) + 5} is not UTF-8; expected a TOML file in UTF-8"


@pytest.mark.parametrize("text", ["", "api = 1\n", 'api = "banana"\n', 'api = ""\n', 'api = ">=1.0.0"\n'])
def test_a_missing_or_malformed_range_is_an_error(text):
    reading = read_text(text + ROW + 'target = "a:b"')
    assert reading["state"] == "broken"
    assert 'expected a range such as ">=1.0,<2"' in reading["reason"]


def test_another_range_is_incompatible_and_nothing_else_is_judged():
    reading = read_text('api = ">=2.0"\n[models.from-the-future]\n')
    assert reading["state"] == "incompatible"
    assert (
        "needs hook API >=2.0, and this core has 1.0; upgrade dovetail, or install a release of dovetail-audio for 1.0" in reading["reason"]
    )


@pytest.mark.parametrize(
    ("spec", "fits"),
    [
        (">=1.0,<2", True),
        ("==1.0", True),
        ("<=1", True),
        (">0.9", True),
        ("!=1.0", False),
        (">1.0", False),
        (">=1.1", False),
        ("<1", False),
    ],
)
def test_ranges(spec, fits):
    assert accepts(spec, (1, 0)) is fits


def test_an_unknown_table_is_kept_with_a_note():
    reading = read_text(API + '[model."audio/x"]\ntarget = "a:b"')
    assert reading["state"] == "ready"
    assert reading["notes"] == ["dovetail.toml:2: model: not a table that this core knows; it is kept and ignored"]


def test_short_namespaces_are_for_our_distributions():
    text = API + '[namespaces.signal]\ntarget = "acme.signal"'
    assert "short names are for dovetail-* distributions; expected 'acme_audio'" in read_text(text, "acme-audio")["reason"]
    assert read_text(API + '[namespaces.acme_audio]\ntarget = "acme.x"', "acme-audio")["state"] == "ready"


def test_line_of_prefers_the_nearest_thing():
    text = '[a]\nb = 1\n[[c]]\nd = 1\n[[c]]\nd = 2\n["e f"."g"]\nh.i = 3\n'
    assert [line_of(text, path) for path in (("a", "b"), ("c", 0, "d"), ("c", 1, "d"), ("e f", "g", "h", "i"), ("a", "z"), ("z",))] == [
        *(2, 4, 6, 8, 1, 1)
    ]


def test_names_and_kinds_agree():
    assert set(KINDS) == set(KIND_NAMES) and set(KIND_NAMES) >= CLAIMS
    assert all(field in FIELDS for kind in KINDS.values() for field in kind.fields)
    assert (normalise("Dovetail__Audio"), namespace_of("Dovetail_Audio"), namespace_of("audio")) == ("dovetail-audio", "audio", "audio")
