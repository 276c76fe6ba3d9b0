"""P7 and the releases of before: their plugins with today's core, and today's plugins with their core."""

from __future__ import annotations

import json
import tomllib
import zipfile
from pathlib import Path

import pytest

from tests.contracts.sources import ROOT
from tests.ecosystem.conftest import CORE, RELEASES, Site

VERSIONS = sorted(path.name for path in RELEASES.iterdir() if path.is_dir())
PLUGINS = sorted(path.parent for path in ROOT.glob("plugins/*/pyproject.toml"))

LIST = """
import json, warnings
import dovetail
from dovetail import plugins
print(json.dumps({p.name: [p.version, p.state, p.reason] for p in plugins.installed()}))
"""
USE = {
    "vision": "from click.testing import CliRunner\nfrom dovetail.cli.main import dovetail as program\n"
    "print(CliRunner().invoke(program, ['demo', '--epochs', '1']).output)\n",
    "text": "from dovetail import plugins\nprint(plugins.tokenizers.load('text/basic_english')()('Some text.'))\n",
    "onnx": "from click.testing import CliRunner\nfrom dovetail.cli.main import dovetail as program\n"
    "print(CliRunner().invoke(program, ['onnx', '--help']).output)\n",
}
SAYS = {"vision": "of the held-out digits are read right", "text": "'some', 'text', '.'", "onnx": "Usage: dovetail onnx"}


def unpack(site: Site, version: str, *names: str) -> None:
    """Install wheels of a release as an installer does: by unpacking them."""
    for name in names:
        (wheel,) = (RELEASES / version).glob(f"{name}-*.whl")
        zipfile.ZipFile(wheel).extractall(site.folder)


def link(site: Site, folder: Path) -> None:
    """Install a plugin of this repository: its package, and the metadata that its pyproject.toml stands for."""
    project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    package = project["name"].replace("-", "_")
    (site.folder / package).symlink_to(folder / package)
    points = "".join(f"{name} = {value}\n" for name, value in project["entry-points"]["dovetail.plugins"].items())
    info = f"{package}-{project['version']}.dist-info"
    site.write(f"{info}/METADATA", f"Metadata-Version: 2.4\nName: {project['name']}\nVersion: {project['version']}\n\n")
    site.write(f"{info}/entry_points.txt", f"[dovetail.plugins]\n{points}")


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", USE)
def test_plugins_of_a_release_work_with_todays_core(site, figure, version, name):
    unpack(site, version, f"dovetail_{name}")
    done = site.run(USE[name])
    assert done.returncode == 0 and SAYS[name] in done.stdout, done.stdout + done.stderr
    figure("releases", f"dovetail-{name} {version} with today's core", "works", "works, or says before import why not")


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("folder", PLUGINS, ids=[path.name for path in PLUGINS])
def test_todays_plugins_work_with_the_core_of_a_release_or_say_why_not(site, tmp_path, packages, figure, version, folder):
    old = Site(tmp_path, packages)
    unpack(old, version, "dovetail")
    link(old, folder)
    done = old.run(LIST, core=old.folder)
    assert done.returncode == 0, done.stderr
    number, state, reason = json.loads(done.stdout)[folder.name]
    if state == "incompatible":
        assert "it needs hook API" in reason and "upgrade dovetail" in reason
        figure("releases", f"dovetail-{folder.name} {number} with core {version}", "says why not", "works, or says before import why not")
        return
    assert state == "ready", reason
    done = old.run(USE[folder.name], core=old.folder)
    assert done.returncode == 0 and SAYS[folder.name] in done.stdout, done.stdout + done.stderr
    figure("releases", f"dovetail-{folder.name} {number} with core {version}", "works", "works, or says before import why not")


TONES = """
import dovetail as dv
from dovetail import datasets, models, plugins
from dovetail.testing import conformance
from dovetail.utils.data import DataLoader

report = conformance.run("tones")
print(report)
dv.manual_seed(0)
louder = plugins.transforms.load("tones/gain")(1.5)
train = datasets.load("tones/sines", split="train", transform=louder)
model = models.create("tones/pitch", width=16)
optimizer = dv.optim.Adam(model.parameters(), lr=0.01)
for epoch in range(20):
    for waves, pitches in DataLoader(train, batch_size=32, shuffle=True):
        optimizer.zero_grad()
        dv.nn.functional.cross_entropy(model(waves), pitches).backward()
        optimizer.step()
waves, pitches = next(iter(DataLoader(datasets.load("tones/sines", split="test", transform=louder), batch_size=64)))
print("RIGHT", (model(waves).argmax(dim=1) == pitches).float().mean().item(), "FAILED", len(report.failed))
"""


def test_the_example_plugin_of_the_last_release_works_with_todays_core(site, figure):
    """P7: its checks pass, and its own program learns what it learned."""
    unpack(site, VERSIONS[-1], "dovetail_tones")
    done = site.run(TONES)
    assert done.returncode == 0 and "RIGHT 1.0 FAILED 0" in done.stdout, done.stdout[-2000:] + done.stderr[-800:]
    figure("P7", f"example plugin of {VERSIONS[-1]} on today's core", "100 %", "100 %")


def test_the_core_in_use_is_todays(site):
    assert site.run("import dovetail; print(dovetail.__file__)").stdout.startswith(str(CORE))
