"""P8: every hook has a page whose example runs and prints what the page says."""

from __future__ import annotations

import re
import tomllib

import pytest

from dovetail.hooks import HOOKS
from tests.contracts.sources import ROOT
from tests.ecosystem.test_releases import link

PAGES = ROOT / "docs" / "hooks"
BLOCK = re.compile(r"```(\w+)\n(?:# (\S+\.(?:py|toml))\n)?(.*?)```", re.S)


#: The hooks that a plugin of this repository publishes, with the plugin's folder.
PUBLISHED = {
    f"{manifest.parent.name.removeprefix('dovetail_')}/{name}": manifest.parents[1]
    for manifest in sorted(ROOT.glob("plugins/*/dovetail_*/dovetail.toml"))
    for name in tomllib.loads(manifest.read_text(encoding="utf-8")).get("hooks", {}).get("publishes", {})
}


@pytest.mark.parametrize("hook", [*HOOKS, *PUBLISHED])
def test_the_example_of_a_hook_runs(site, figure, hook):
    files, use, output = {}, "", ""
    for language, name, text in BLOCK.findall((PAGES / f"{hook}.md").read_text(encoding="utf-8")):
        if name:
            files[name] = text
        elif language == "python":
            use = text
        elif language == "text":
            output = text
    assert use and output
    if hook in PUBLISHED:
        link(site, PUBLISHED[hook])
    site.add("tones", files.pop("dovetail.toml"), files, api="")
    done = site.run(use)
    assert done.stdout.split() == output.split(), done.stdout + done.stderr
    figure("P8", f"the page of {hook}", "its example runs", "every hook")


def users() -> dict[str, set[str]]:
    """Which plugins of this repository use each hook, by rows or by code."""
    found: dict[str, set[str]] = {hook: set() for hook in (*HOOKS, *PUBLISHED)}
    for path in (*ROOT.glob("plugins/*/*/dovetail.toml"), *ROOT.glob("examples/*/*/dovetail.toml")):
        manifest = tomllib.loads(path.read_text(encoding="utf-8"))
        used = {f"register_{kind}" for kind in manifest} | set(manifest.get("hooks", {}).get("implements", ()))
        for hook in used & found.keys():
            found[hook].add("the example" if "examples" in path.parts else path.parent.name)
    return found


def test_the_page_says_who_uses_which_hook(figure):
    """P8: every hook has a first-party user, or is called reserved."""
    rows = re.findall(r"^\| ([^|]+) \| (`[^|]+`) \|$", (ROOT / "docs" / "plugins-stability.md").read_text(encoding="utf-8"), re.M)
    both, alone, reserved = (set(re.findall(r"`([^`]+)`", hooks)) for _, hooks in rows)
    used = users()
    assert both | alone | reserved == used.keys() and len(both) + len(alone) + len(reserved) == len(used)
    assert both == {hook for hook, who in used.items() if "the example" in who and len(who) > 1}
    assert reserved == {hook for hook, who in used.items() if not who}
    figure("P8", "hooks with a user of this repository, and those called reserved", f"{len(both | alone)}, {len(reserved)}", "every hook")


def test_there_is_no_page_of_a_hook_that_is_gone():
    pages = {path.relative_to(PAGES).with_suffix("").as_posix() for path in PAGES.rglob("*.md")}
    assert pages - {"index"} == {*HOOKS, *PUBLISHED}
