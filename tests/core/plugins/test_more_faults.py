"""More faults of plugins than the matrix of tests/ecosystem has: the core works on, and `dovetail plugins doctor` says whose they are."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dovetail import io, models, plugins, weights
from dovetail.errors import ManifestError, PluginError
from dovetail.testing import conformance

API = b'api = ">=1.0,<2"\n'
ROW = b'[models."bad/net"]\ntarget = "dovetail_bad.models:net"\n'
NET = "class Net: pass\ndef net(): return Net()\n"
HOOK = "from dovetail.hooks import hookimpl\n@hookimpl\n"

# what a module does when it is imported → what doctor says of its plugin
IMPORTS = {
    "sleeps": ("import time; time.sleep(2.2)", "s of waiting"),
    "printoptions": ("import numpy; numpy.set_printoptions(precision=1)", "it changes NumPy's print options"),
    "seeds": ("import dovetail; dovetail.manual_seed(1)", "it changes Dovetail's random state"),
    "mutes": ("import warnings; warnings.simplefilter('ignore')", "it changes warnings filters"),
    "catches": ("import signal; signal.signal(signal.SIGUSR1, lambda *a: None)", "it changes signal handlers"),
    "crashes": ("import os; os.abort()", "importing it ended the process with status -6"),
}


def test_doctor_says_what_each_import_does(site, run_cli):
    for name, (source, _) in IMPORTS.items():
        site.model(f"dovetail-{name}", f"{source}\ndef net(**config): return Net(config)\n")
    site.model("dovetail-good")
    site.add(
        "dovetail-kernels",
        '[kernels.relu]\ntarget = "dovetail_kernels.k:f"\ndevice = "cpu"\ndtypes = ["int8"]\n',
        code={"k.py": "print('hello')\n"},
    )
    site.add("dovetail-empty", '[namespaces.empty]\ntarget = "dovetail_empty.data"\n', code={"data/readme.txt": ""})
    said = {row["check"]: (row["well"], row["seen"]) for row in json.loads(run_cli("plugins", "doctor", "--json", status=1))}
    for name, (_, text) in IMPORTS.items():
        well, seen = said[f"plugin {name}: what its import does"]
        assert not well and text in seen and seen.endswith(f"to go on without it: dovetail plugins disable {name}"), (name, seen)
    assert said["plugin good: what its import does"] == (True, "nothing but the import")
    assert "it prints 'hello" in said["plugin kernels: what its import does"][1]
    assert said["plugin empty: what its import does"][1].startswith("dovetail_empty.data: a folder without __init__.py")
    assert models.create("good/net").config == {}
    assert not any("import does" in row["check"] for row in json.loads(run_cli("plugins", "doctor", "--quick", "--json")))


SHARED = """
import os, sys, time
sys.path.insert(0, {folder!r})
import probe
os.sched_setaffinity(0, {{min(os.sched_getaffinity(0))}})
rival = os.fork()
while rival == 0:
    pass
start, clock, queued = time.process_time(), time.perf_counter(), probe._queued()
while time.process_time() - start < 0.3:
    pass
kept, queued = time.perf_counter() - clock - (time.process_time() - start), probe._queued() - queued
os.kill(rival, 9)
print(kept, queued)
"""


@pytest.mark.skipif(not Path("/proc/thread-self/schedstat").exists(), reason="the system does not count it")
def test_a_busy_machine_is_no_waiting_of_a_plugin() -> None:
    """A program that shares its processor with another one is kept from it, and is told for how long."""
    folder = os.path.dirname(conformance.__file__)
    done = subprocess.run([sys.executable, "-c", SHARED.format(folder=folder)], capture_output=True, text=True, timeout=60, check=True)
    kept, queued = map(float, done.stdout.split())
    assert kept > 0.1 and abs(kept - queued) < 0.2 * kept


MANIFESTS = {
    "ten megabytes": (API + ROW + b"# " + b"x" * 10_000_000, "over 4 MB, or nested too deeply; expected a plain TOML file"),
    "a key of many parts": (API + ROW + b"x" + b".x" * 30_000 + b" = 1\n", "nested too deeply"),
    "a table of many parts": (API + b'[models."bad/net"' + b".x" * 5_000 + b"]\n", "nested too deeply"),
    "lists in lists": (API + b"x = " + b"[" * 100_000, "nested too deeply"),
    "NUL": (API + ROW + b"# \0\n", "dovetail.toml:4: not valid TOML"),
    "UTF-16": ((API + ROW).decode().encode("utf-16"), "byte 0 is not UTF-8"),
    "a mark of byte order": (b"\xef\xbb\xbf" + API + ROW, ""),
    "lines of Windows": ((API + ROW).replace(b"\n", b"\r\n"), ""),
    "a core module's name": (API + b'[namespaces.linalg]\ntarget = "dovetail_bad"\n', "'dovetail.linalg' is a module of the core"),
}


@pytest.mark.parametrize("fault", MANIFESTS)
def test_a_manifest_that_is_out_of_the_ordinary(site, run_cli, fault):
    manifest, text = MANIFESTS[fault]
    site.add("dovetail-bad", manifest, code={"models.py": NET})
    site.model("dovetail-good")
    assert models.create("good/net").config == {}
    said = run_cli("plugins", "doctor", "--quick", status=1 if text else 0)
    if text:
        with pytest.raises(ManifestError) as caught:
            models.create("bad/net")
        assert text in str(caught.value) and "plugin bad (dovetail-bad 0.1.0) is broken" in str(caught.value)
        assert "plugin bad FAILED" in said
    else:
        assert type(models.create("bad/net")).__name__ == "Net"


YIELDS = "is a generator or a coroutine; expected a function that returns its answer, or @hookimpl(wrapper=True)"


@pytest.mark.parametrize("source", ["def build_model(entry):\n    yield 3\n", "async def build_model(entry): return 3\n"])
def test_a_hook_that_yields_is_left_out_and_said(site, run_cli, source):
    hooks = 'hooks = { module = "dovetail_bad.hooks", implements = ["build_model"] }\n'
    site.add("dovetail-bad", hooks + ROW.decode(), code={"models.py": NET, "hooks.py": HOOK + source})
    site.model("dovetail-good")
    with pytest.warns(RuntimeWarning, match=r"plugin bad .*TypeError: build_model is a generator or a coroutine.*it is left out"):
        assert models.create("good/net").config == {}
    assert type(models.create("bad/net")).__name__ == "Net" and YIELDS in plugins.problems()[0]
    assert f"bad: hook build_model FAILED build_model {YIELDS}" in run_cli("plugins", "check", "bad", status=1)


def test_a_hook_that_changes_its_arguments_changes_nothing_else(site):
    source = "def build_model(entry, config):\n    entry.fields.clear()\n    entry.fields['target'] = 3\n"
    hooks = 'hooks = { module = "dovetail_bad.hooks", implements = ["build_model"] }\n'
    site.add("dovetail-bad", hooks, code={"hooks.py": HOOK + source + "    return None if entry.key == 'good/net' else 1\n"})
    site.model("dovetail-good")
    for _ in range(2):
        with pytest.raises((PluginError, AttributeError)):
            models.create("good/net")
        assert models.get("good/net").target == "dovetail_good.models:net"


def test_limits_that_a_decoder_changes_are_its_own(site, tmp_path):
    source = "def decode_sample(data, limits):\n    limits['elements'] -= 1\n    return limits['elements']\n"
    hooks = 'hooks = { module = "dovetail_bad.hooks", implements = ["decode_sample"] }\n[formats.".bad"]\n'
    site.add("dovetail-bad", hooks, code={"hooks.py": HOOK + source})
    (tmp_path / "x.bad").write_bytes(b"1")
    assert io.decode(tmp_path / "x.bad") == io.decode(tmp_path / "x.bad")


@pytest.mark.parametrize("error", ["KeyboardInterrupt", "SystemExit(3)", "OSError('no')"])
def test_a_check_that_is_stopped_is_a_failed_check(site, run_cli, error):
    hooks = 'hooks = { module = "dovetail_bad.hooks", implements = ["doctor"] }\n'
    site.add("dovetail-bad", hooks, code={"hooks.py": HOOK + f"def doctor():\n    raise {error}\n"})
    said = run_cli("plugins", "doctor", "--quick", status=1)
    assert f"bad: hook doctor FAILED {error.partition('(')[0]}" in said and "dovetail plugins disable bad" in said


def test_two_versions_of_one_distribution(site, run_cli):
    site.model("dovetail-bad")
    site.write("dovetail_bad-0.2.0.dist-info/METADATA", "Name: dovetail-bad\nVersion: 0.2.0\n")
    site.write("dovetail_bad.egg-info/PKG-INFO", "Name: dovetail-bad\nVersion: 0.1.0\n")  # what a build leaves: no version of its own
    assert [plugin.version for plugin in plugins.installed()] == ["0.1.0"] and models.create("bad/net").config == {}
    (note,) = plugins.installed()[0].notes
    assert "dovetail_bad-0.2.0.dist-info is another version of it, which does not count" in note
    for command in (("list",), ("doctor", "--quick")):
        assert "is another version of it" in run_cli("plugins", *command)


def test_a_file_of_weights_that_is_a_folder(site):
    row = '[weights."bad/net@v1"]\nmodel = "bad/net"\nfile = "data"\n'
    site.add("dovetail-bad", ROW.decode() + row, code={"models.py": NET, "data/x": ""})
    with pytest.raises(OSError, match="data") as caught:
        weights.load("bad/net@v1")
    assert "raised by plugin bad (dovetail-bad 0.1.0) in its file 'data'" in caught.value.__notes__[0]


def test_local_plugins_that_are_loops_of_links(site, run_cli, tmp_path):
    work = tmp_path / "work"
    (work / "loop").symlink_to("loop")
    (work / "inner").mkdir()
    (work / "inner" / "pyproject.toml").symlink_to("pyproject.toml")
    (work / "pyproject.toml").write_text('[tool.dovetail]\nplugins = ["loop", "inner"]\n')
    site.model("dovetail-good")
    assert models.create("good/net").config == {}
    said = run_cli("plugins", "doctor", "--quick", status=1)
    assert "plugin loop FAILED" in said and "plugin inner FAILED" in said and "symbolic links" in said
