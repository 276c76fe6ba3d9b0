"""What a user switches: enable and disable, required plugins, plugins of the project's own folders, and crashes that are remembered."""

from __future__ import annotations

import signal
import sys

import pytest

from dovetail import models, plugins
from dovetail.errors import PluginError
from dovetail.plugins.manager import get_manager

LOCAL = 'api = ">=1.0,<2"\n[models."tones/net"]\ntarget = "tones.models:net"\n'


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project folder, which is the current one, and its pyproject.toml."""
    folder = tmp_path / "project"
    folder.mkdir(exist_ok=True)
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", list(sys.path))
    return folder


def test_disable_and_enable_are_remembered(site, run_cli):
    site.model("dovetail-audio")
    assert "is switched off" in run_cli("plugins", "disable", "audio")
    plugins.reset()
    assert plugins.installed()[0].state == "disabled" and "dovetail plugins disable audio" in plugins.installed()[0].reason
    with pytest.raises(PluginError, match="is disabled; switched off by 'dovetail plugins disable audio'"):
        models.get("audio/net")
    assert run_cli("plugins", "enable", "audio") == "audio (dovetail-audio 0.1.0) is ready"
    plugins.reset()
    assert models.list() == ["audio/net"]


def test_enable_says_when_something_else_keeps_it_off(site, monkeypatch, run_cli):
    site.model("dovetail-audio")
    monkeypatch.setenv("DOVETAIL_DISABLE_PLUGINS", "audio")
    assert "is disabled: switched off by DOVETAIL_DISABLE_PLUGINS" in run_cli("plugins", "enable", "audio", status=1)
    assert "there is no plugin 'nobody'; installed: audio" in run_cli("plugins", "disable", "nobody", status=1)


def test_damaged_switches_count_as_none(site, tmp_path, run_cli):
    site.model("dovetail-audio")
    run_cli("plugins", "disable", "audio")
    for text in ("{", "[]", '{"disabled": 3}', "null"):
        next(tmp_path.rglob("plugins.json")).write_text(text)
        plugins.reset()
        assert plugins.installed()[0].state == "ready"


@pytest.mark.parametrize(
    ("requires", "text"),
    [
        ("audio", ""),
        ("audio>=0.1", ""),
        ("audio >= 0.1, < 1", ""),
        ("audio>=0.2", r"requires plugin 'audio' >=0.2, but 0.1.0 is installed"),
        ("audio=>1", r"'audio' in the range '=>1', which is none; expected one such as '>=0.2,<1'"),
        ("video", r"requires plugin 'video', which is not installed"),
        ("bad", r"requires plugin bad \(dovetail-bad 0.1.0\), which is broken"),
    ],
)
def test_required_plugins(site, project, requires, text, run_cli):
    site.model("dovetail-audio")
    site.add("dovetail-bad", "nonsense\n")
    (project / "pyproject.toml").write_text(f'[tool.dovetail]\nrequire-plugins = ["{requires}"]\n')
    plugins.reset()
    if text:
        with pytest.raises(PluginError, match=text):
            models.list()
        assert any(requires.partition(">")[0].partition("=")[0].strip() in problem for problem in plugins.problems())
        assert "require" in run_cli("plugins", "list")
    else:
        assert models.list() == ["audio/net"]


def test_a_plugin_of_the_project_counts_once_it_is_trusted(site, project, run_cli):
    site.write("../project/tones/__init__.py", "")
    site.write("../project/tones/dovetail.toml", LOCAL)
    site.write("../project/tones/models.py", "import dovetail as dv\ndef net():\n    return dv.nn.Identity()\n")
    (project / "pyproject.toml").write_text('[tool.dovetail]\nplugins = ["./tones"]\n')
    plugins.reset()
    with pytest.raises(PluginError, match=r"plugin tones \(tones local\) is disabled; .*dovetail plugins trust .*tones"):
        models.get("tones/net")
    assert str(project) not in sys.path
    assert run_cli("plugins", "trust", "tones").endswith("tones is trusted")
    plugins.reset()
    assert models.list() == ["tones/net"] and type(models.create("net")).__name__ == "Identity"
    assert run_cli("plugins", "trust", "--no", "tones").endswith("tones is not trusted")
    plugins.reset()
    assert models.list() == []


@pytest.mark.parametrize("base", ["", "src/"])
def test_a_project_inside_the_project(site, project, base, run_cli):
    site.write(f"../project/lib/{base}dovetail_bells/__init__.py", "")
    site.write(f"../project/lib/{base}dovetail_bells/dovetail.toml", LOCAL.replace("tones", "bells"))
    points = '[project.entry-points."dovetail.plugins"]\nbells = "dovetail_bells:dovetail.toml"\n'
    site.write("../project/lib/pyproject.toml", f'[project]\nname = "dovetail-bells"\nversion = "3.1"\n{points}')
    (project / "pyproject.toml").write_text('[tool.dovetail]\nplugins = ["lib", "missing"]\n')
    run_cli("plugins", "trust", "lib")
    plugins.reset()
    assert models.list() == ["bells/net"] and models.get("net").plugin.version == "3.1"
    assert any("missing is no plugin (FileNotFoundError" in problem for problem in plugins.problems())
    sys.modules.pop("dovetail_bells", None)


GOOD = "import dovetail\ndef net():\n    return dovetail.nn.Identity()\n"
CRASH = """
import os, dovetail
try:
    dovetail.models.create("bad/net")
except BaseException as error:
    print(type(error).__name__, error)
print(dovetail.models.list(), type(dovetail.models.create("good/net")).__name__)
"""


@pytest.mark.parametrize("end", ["os.abort()", "import ctypes; ctypes.string_at(0)"])
def test_a_crash_while_importing_leaves_the_plugin_out_of_the_next_process(site, process, end, run_cli):
    site.model("dovetail-bad", f"import os\n{end}\n")
    site.model("dovetail-good", GOOD)
    first = process(CRASH)
    assert first.returncode < 0 and first.stdout == ""
    second = process(CRASH)
    assert second.returncode == 0, second.stderr
    fault = "Aborted" if "abort" in end else "Segmentation fault"
    assert f"an earlier process ended while it was importing dovetail_bad.models:net ({fault})" in second.stdout
    assert "dovetail plugins enable bad" in second.stdout and "['good/net'] Identity" in second.stdout
    assert "plugin bad (dovetail-bad 0.1.0): an earlier process ended" in second.stderr
    shown = process("", "-m", "dovetail", "plugins", "info", "bad").stdout
    assert "dovetail_bad/models.py" in shown and "(most recent call first)" in shown  # the Python stack of the crash
    assert "bad (dovetail-bad 0.1.0) is ready" in run_cli("plugins", "enable", "bad")
    assert process(CRASH).returncode < 0


@pytest.mark.parametrize("end", ["os._exit(3)", "os.kill(os.getpid(), 15)"])
def test_an_end_without_a_crash_counts_when_the_next_process_ends_there_too(site, process, end):
    site.model("dovetail-bad", f"import os\n{end}\n")
    site.model("dovetail-good", GOOD)
    assert process(CRASH).returncode != 0
    for command in ("list", "doctor"):
        said = " ".join(process("", "-m", "dovetail", "plugins", command).stdout.split())
        assert "an earlier process ended while it was importing dovetail_bad.models:net; if the next one ends there as well, it" in said
    assert process(CRASH).returncode != 0
    third = process(CRASH)
    assert third.returncode == 0 and "['good/net'] Identity" in third.stdout
    assert "importing dovetail_bad.models:net, as did the one before, so it is left out" in third.stderr


KILLED = """
import os, signal, subprocess, sys, time
def start():
    return subprocess.Popen([sys.executable, "-S", "-c", "import dovetail; dovetail.models.create('slow/net')"], stderr=-3)
programs = [start() for _ in range(int(sys.argv[2]))]
importing = os.path.join(os.environ["DOVETAIL_CACHE"], "importing")
while not os.path.isdir(importing) or sum(os.path.getsize(f) > 0 for f in os.scandir(importing)) < len(programs):
    time.sleep(0.02)
for program in programs:
    program.send_signal(int(sys.argv[1]))
for program in programs:
    program.wait()
"""
SLOW = "import os, time\ntime.sleep(30 if 'SLOW' in os.environ else 0)\n" + GOOD


@pytest.mark.parametrize(
    "number", [signal.SIGKILL, signal.SIGINT, *(pytest.param(n, marks=pytest.mark.soak) for n in (signal.SIGTERM, signal.SIGHUP))]
)
def test_being_killed_from_outside_accuses_nobody(site, process, number, tmp_path):
    """Three processes that are killed at the same import count as one, and one that gets through it clears the plugin."""
    site.model("dovetail-slow", SLOW)
    assert process(KILLED, str(int(number)), "3", SLOW="1").returncode == 0
    create = "import dovetail; print(type(dovetail.models.create('slow/net')).__name__)"
    for _ in range(2):
        done = process(create)
        assert (done.returncode, done.stdout, done.stderr) == (0, "Identity\n", "")
    assert list((tmp_path / "cache" / "importing").iterdir()) == []
    assert process(KILLED, str(int(number)), "1", SLOW="1").returncode == 0
    assert process(create).stdout == "Identity\n"


def test_a_crash_of_another_thread_accuses_nobody(site, process):
    crash = "import ctypes, threading, time\nthreading.Thread(target=ctypes.string_at, args=(0,)).start()\ntime.sleep(20)\n"
    site.model(
        "dovetail-slow",
        "import os\nif 'SLOW' in os.environ:\n"
        + "".join(f"    {line}\n" for line in crash.splitlines())
        + "def net():\n    return Net({})\n",
    )
    assert process("import dovetail; dovetail.models.create('slow/net')", SLOW="1").returncode == -signal.SIGSEGV
    done = process("import dovetail; print(dovetail.models.create('slow/net').config)")
    assert (done.stdout, done.stderr) == ("{}\n", "")


def test_a_program_that_reports_crashes_itself_still_does(site, process):
    site.model("dovetail-bad", "import os\nos.abort()\n")
    for _ in range(2):
        assert "Fatal Python error: Aborted" in process(CRASH, PYTHONFAULTHANDLER="1").stderr
    assert "as did the one before, so it is left out" in process(CRASH, PYTHONFAULTHANDLER="1").stderr


def test_a_new_version_is_tried_again(site, process):
    site.model("dovetail-bad", "import os\nos.abort()\n")
    assert process(CRASH).returncode == -signal.SIGABRT
    site.write("dovetail_bad-0.1.0.dist-info/METADATA", "Name: dovetail-bad\nVersion: 0.1.1\n")
    site.write("dovetail_bad/models.py", GOOD)
    site.model("dovetail-good", GOOD)
    assert "['bad/net', 'good/net'] Identity" in process(CRASH).stdout


def test_what_is_being_imported_now_is_no_crash(site, process, run_cli):
    look = "[sys.executable, '-S', '-c', 'import dovetail; print(dovetail.models.list())']"
    site.model("dovetail-slow", f"import subprocess, sys\nsubprocess.run({look})\ndef net(): 0\n")
    done = process("import dovetail; print(dovetail.models.get('slow/net').load())")
    assert "['slow/net']" in done.stdout and "earlier process" not in done.stderr


def test_a_keyboard_interrupt_or_an_error_leaves_no_trace(site, tmp_path):
    site.model("dovetail-bad", "raise KeyboardInterrupt\n")
    with pytest.raises(KeyboardInterrupt):
        models.get("bad/net").load()
    assert [path for path in tmp_path.rglob("importing/*")] == []


def test_workers_see_the_plugins_of_their_parent(site, process, monkeypatch):
    site.model("dovetail-audio")
    site.model("dovetail-video")
    monkeypatch.setenv("DOVETAIL_DISABLE_PLUGINS", "video")
    assert [plugin.name for plugin in get_manager().catalogue.usable] == ["audio"]
    environment = plugins.environment()
    assert environment["DOVETAIL_PLUGINS"] == "audio"
    monkeypatch.delenv("DOVETAIL_DISABLE_PLUGINS")
    code = "import dovetail; print(dovetail.models.list())"
    assert process(code, DOVETAIL_PLUGINS=environment["DOVETAIL_PLUGINS"]).stdout == "['audio/net']\n"
    assert process(code).stdout == "['audio/net', 'video/net']\n"
