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


def test_there_is_no_page_of_a_hook_that_is_gone():
    pages = {path.relative_to(PAGES).with_suffix("").as_posix() for path in PAGES.rglob("*.md")}
    assert pages - {"index"} == {*HOOKS, *PUBLISHED}
