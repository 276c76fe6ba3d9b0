"""The `dovetail` command: plugins list, info and why import no plugin; commands are imported when they are run."""

from __future__ import annotations

import json
import sys

import pytest
from click.testing import CliRunner

from dovetail.cli.main import dovetail

MAIN = "from dovetail.cli import main; main()"


@pytest.fixture
def run():
    def run(*arguments: str, status: int = 0) -> str:
        from dovetail import plugins

        plugins.reset()
        result = CliRunner().invoke(dovetail, list(arguments), prog_name="dovetail")
        assert result.exit_code == status, result.output
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.output

    return run


def plugin_code_imported() -> list[str]:
    """Modules of the fake plugins; real ones may have been imported by other tests of this process."""
    real = (
        "dovetail_vision",
        "dovetail_text",
        "dovetail_onnx",
        "dovetail_science",
        "dovetail_torch",
        "dovetail_cpu",
        "dovetail_mpi",
        "dovetail_train",
        "dovetail_pytest",
        "dovetail_numerics",  # the core's own
    )
    return [name for name in sys.modules if name.startswith(("dovetail_", "acme")) and not name.startswith(real)]


def test_list_shows_states_counts_and_problems(site, run):
    site.model("dovetail-audio", extra='[formats.".wav"]\nmagic = "RIFF"\n')
    site.add("dovetail-bad", "[models")
    site.add("dovetail-code", 'hooks = { module = "dovetail_code.hooks", implements = ["build_model"] }\n')
    out = run("plugins", "list")
    assert "1 model, 1 format" in out and "code for build_model" in out
    assert "problem: bad (dovetail-bad 0.1.0) is broken: " in out
    assert plugin_code_imported() == []


def test_list_without_plugins_says_what_to_look_at(site, run):
    assert run("plugins", "list") == "No plugin is installed. The first ones to look at: pip install dovetail-vision dovetail-text\n"


def test_list_as_json(site, run):
    site.model("dovetail-audio")
    site.add("dovetail-a", '[formats.".wav"]\nmagic = "x"\n')
    site.add("dovetail-b", '[formats.".wav"]\nmagic = "x"\n')
    told = json.loads(run("plugins", "list", "--json"))
    assert [(plugin["name"], plugin["state"]) for plugin in told["plugins"]] == [("a", "ready"), ("audio", "ready"), ("b", "ready")]
    assert told["plugins"][1]["brings"] == {"models": 1} and told["plugins"][1]["distribution"] == "dovetail-audio"
    assert len(told["problems"]) == 1 and "formats..wav: claimed by a (dovetail-a 0.1.0) and b" in told["problems"][0]


def test_names_from_a_manifest_are_shown_as_they_are(site, run):
    site.add("dovetail-audio", '[models."audio/net"]\ntarget = "a:b"\nsummary = "[bold]not markup[/nonsense]"\n')
    assert "[bold]not markup[/nonsense]" in run("plugins", "info", "audio")


def test_strict_is_status_2(site, run, monkeypatch):
    site.add("dovetail-good")
    monkeypatch.setenv("DOVETAIL_STRICT_PLUGINS", "1")
    run("plugins", "list")
    site.add("dovetail-bad", "[models")
    assert "bad (dovetail-bad 0.1.0) is broken" in run("plugins", "list", status=2)
    run("plugins", "list", "--json", status=2)
    assert "DOVETAIL_STRICT_PLUGINS: bad" in run("--help", status=2)


def test_info(site, run):
    site.model("dovetail-audio")
    out = run("plugins", "info", "audio")
    assert "dovetail-audio" in out and "ready" in out and "audio/net" in out and "A net" in out and "dovetail.toml" in out
    assert json.loads(run("plugins", "info", "audio", "--json"))["rows"]["models"]["audio/net"]["summary"] == "A net"
    assert "there is no plugin 'video'; installed: audio" in run("plugins", "info", "video", status=1)
    site.add("dovetail-bad", "[models")
    assert "not valid TOML" in run("plugins", "info", "bad")
    assert plugin_code_imported() == []


def test_why_says_who_answers_and_who_else_claims(site, run, tmp_path):
    site.model("dovetail-audio")
    for name in ("fast", "faster"):
        site.add(f"dovetail-{name}", f'[kernels.relu]\ntarget = "dovetail_{name}.k:relu"\ndevice = "cpu"\ndtypes = ["float32"]\n')
    (row,) = json.loads(run("plugins", "why", "net", "--json"))
    assert (row["kind"], row["key"], row["plugin"], row["target"]) == (
        "models",
        "audio/net",
        "audio (dovetail-audio 0.1.0)",
        "dovetail_audio.models:net",
    )
    (row,) = json.loads(run("plugins", "why", "relu", "--json"))
    assert (row["plugin"], row["claimed_by"]) == ("", ["fast (dovetail-fast 0.1.0)", "faster (dovetail-faster 0.1.0)"])
    (tmp_path / "work" / "pyproject.toml").write_text('[tool.dovetail]\nprefer = ["faster"]\n')
    (row,) = json.loads(run("plugins", "why", "relu@cpu:float32", "--json"))
    assert row["plugin"] == "faster (dovetail-faster 0.1.0)" and len(row["claimed_by"]) == 2
    assert "faster" in run("plugins", "why", "relu")
    assert plugin_code_imported() == []


def test_why_of_what_nobody_provides(site, run):
    site.model("dovetail-audio")
    site.add("dovetail-bad", "[models")
    assert "Nobody provides 'audio/nett'. Nearest: audio/net." in run("plugins", "why", "audio/nett", status=1)
    assert "Try: pip install dovetail-vision" in run("plugins", "why", "resnet18", status=1)
    assert "Plugin bad (dovetail-bad 0.1.0) is broken: " in run("plugins", "why", "bad/net", status=1)


def test_why_of_a_function_names_ops_that_begin_alike(site, run):
    site.add("dovetail-fast", '[kernels.convolution]\ntarget = "dovetail_fast.k:conv"\ndevice = "cpu"\ndtypes = ["float32"]\n')
    assert "Nobody provides 'conv2d'. Nearest: convolution." in run("plugins", "why", "conv2d", status=1)


def test_why_knows_published_hooks_and_what_it_does_not_ask(site, run):
    site.add("dovetail-audio", 'hooks = { publishes = { window = "dovetail_audio.specs:window" } }\n')
    site.add("dovetail-taper", 'hooks = { module = "dovetail_taper.hooks", implements = ["audio/window", "register_formats"] }\n')
    (row,) = json.loads(run("plugins", "why", "audio/window", "--json"))
    assert (row["kind"], row["plugin"], row["target"]) == ("hooks", "audio (dovetail-audio 0.1.0)", "dovetail_audio.specs:window")
    assert row["claimed_by"] == ["taper (dovetail-taper 0.1.0)"]
    assert "What taper (dovetail-taper 0.1.0) registers by code is not asked" in run("plugins", "why", ".flac", status=1)


# ------------------------------------------------------------------------------------------------------ commands

LISTEN = "import click\n@click.command()\n@click.option('--times', default=1)\ndef listen(times):\n    click.echo('hear ' * times)\n"
PLAIN = "def plain(arguments):\n    print(arguments)\n    return len(arguments)\n"


def commands(site) -> None:
    rows = "".join(
        f'[commands.{name}]\ntarget = "dovetail_audio.commands_{name}:{name}"\nsummary = "To {name}."\n'
        for name in ("listen", "plain", "gone")
    )
    site.add("dovetail-audio", rows, code={"commands_listen.py": LISTEN, "commands_plain.py": PLAIN})


def test_help_lists_the_commands_of_plugins_without_importing_them(site, run):
    commands(site)
    out = run("--help")
    assert "plugins" in out and "To listen." in out and "To plain." in out
    assert plugin_code_imported() == []


def test_a_command_that_nobody_brings_says_what_to_install(site, run):
    assert "pip install dovetail-vision" in run("demo", status=2)
    assert "there is no command 'checkpoint' here: pip install dovetail-train (" in run("checkpoint", status=2)
    assert "No such command 'nonsense'" in run("nonsense", status=2)


def test_a_command_is_imported_when_it_runs(site, run):
    commands(site)
    assert run("listen", "--times", "2") == "hear hear \n"
    assert "--times" in run("listen", "--help")
    assert plugin_code_imported() == ["dovetail_audio", "dovetail_audio.commands_listen"]


def test_a_plain_function_gets_the_arguments_and_gives_the_status(site, run):
    commands(site)
    assert run("plain", "--a", "-h", "b", status=3) == "['--a', '-h', 'b']\n"


def test_a_command_that_fails_to_import_names_its_plugin(site, run):
    commands(site)
    out = run("gone", status=1)
    assert "plugin audio (dovetail-audio 0.1.0) failed while importing dovetail_audio.commands_gone:gone" in out
    assert "dovetail plugins disable audio" in out and "Traceback" not in out
    run("listen")


def test_a_command_that_two_claim_runs_neither(site, run):
    for name in ("a", "b"):
        site.add(f"dovetail-{name}", '[commands.go]\ntarget = "x:y"\n')
    assert "commands.go: claimed by a (dovetail-a 0.1.0) and b (dovetail-b 0.1.0)" in run("go", status=2)
    assert "No such command 'gone'" in run("gone", status=2)


def test_the_cores_commands_need_no_plugin_and_no_rich(site, python):
    site.add("dovetail-bad", "[models")
    program = f"import sys\nsys.argv = ['dovetail', 'plugins', 'list', '--json']\ntry:\n    {MAIN}\n"
    program += "finally:\n    assert 'rich' not in sys.modules\n"
    assert json.loads(python(program))["plugins"][0]["state"] == "broken"
    assert "Usage: dovetail" in python(f"import sys; sys.argv = ['dovetail', '--help']; {MAIN}")


def test_new_writes_a_plugin_of_any_distribution(run_cli, tmp_path):
    out = tmp_path / "made"
    run_cli("plugins", "new", "tones", "--with", "model", "--distribution", "acme-tones", "--out", str(out))
    assert '[models."acme-tones/mlp"]' in (out / "acme_tones" / "dovetail.toml").read_text()
    assert 'acme-tones = "acme_tones:dovetail.toml"' in (out / "pyproject.toml").read_text()


def test_check_says_which_plugins_there_are(site, run_cli):
    site.model("dovetail-audio")
    assert "there is no plugin 'adio'; installed: audio" in run_cli("plugins", "check", "adio", status=1)
