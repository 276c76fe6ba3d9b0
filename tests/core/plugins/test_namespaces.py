"""Namespaces: `dovetail.signal` and imports from it come from a plugin, as the very same modules."""

from __future__ import annotations

import importlib
import runpy
import sys

import pytest

import dovetail
from dovetail import plugins
from dovetail.errors import PluginError
from dovetail.plugins import namespaces


@pytest.fixture(autouse=True)
def finder(monkeypatch):
    """Installed as `import dovetail` does it, and what it served forgotten."""
    namespaces.install()
    monkeypatch.setattr(namespaces, "_served", {})
    for name, module in list(sys.modules.items()):  # what real plugins served in other tests of this process
        if name.startswith("dovetail.") and module.__name__ != name:
            monkeypatch.delitem(sys.modules, name)
            above, _, last = name.rpartition(".")
            if above in sys.modules:
                monkeypatch.delattr(sys.modules[above], last, raising=False)
    before, names = set(sys.modules), set(vars(dovetail))
    yield
    for name in set(sys.modules) - before:
        if name.startswith(("dovetail.", "dovetail_")) and not name.startswith("dovetail_numerics"):
            del sys.modules[name]
    for name in set(vars(dovetail)) - names:
        delattr(dovetail, name)


def waves(site) -> None:
    files = {
        "waves/__init__.py": "from . import shapes\nfrom .shapes import Sine\n",
        "waves/shapes.py": "class Sine: pass\n",
        "waves/deep/__init__.py": "",
        "waves/deep/more.py": "from ..shapes import Sine\n",
    }
    site.add("dovetail-sounds", '[namespaces.waves]\ntarget = "dovetail_sounds.waves"\n', code=files)


def test_imports_of_every_form_give_the_plugins_own_modules(site):
    waves(site)
    import dovetail.waves
    import dovetail.waves.deep.more
    import dovetail.waves.shapes as shapes
    from dovetail.waves import Sine
    from dovetail.waves.deep import more

    assert dovetail.waves is sys.modules["dovetail_sounds.waves"]
    assert shapes is sys.modules["dovetail_sounds.waves.shapes"] is sys.modules["dovetail.waves.shapes"]
    assert Sine is shapes.Sine is more.Sine and Sine.__module__ == "dovetail_sounds.waves.shapes"
    assert dovetail.waves.__spec__.name == dovetail.waves.__name__ == "dovetail_sounds.waves"
    assert importlib.reload(sys.modules["dovetail_sounds.waves"]).Sine is Sine


def test_an_attribute_resolves_and_then_imports_below_it(site):
    waves(site)
    assert namespaces.resolve("waves") is importlib.import_module("dovetail_sounds.waves")
    assert importlib.import_module("dovetail.waves.deep.more").Sine.__name__ == "Sine"


def test_a_plugin_is_reached_by_its_name(site):
    site.add("dovetail-audio", code={"wav.py": "rate = 8\n"})
    site.add("acme-tools")
    assert namespaces.resolve("audio") is sys.modules["dovetail_audio"]
    assert namespaces.resolve("acme_tools").__name__ == "acme_tools"
    assert importlib.import_module("dovetail.audio.wav").rate == 8


@pytest.mark.parametrize(
    ("name", "install"),
    [("signal", "pip install dovetail-science"), ("vision", "pip install dovetail-vision"), ("distributed", "pip install dovetail-mpi")],
)
def test_what_nobody_brings_says_what_to_install(site, tmp_path, name, install):
    with pytest.raises(AttributeError, match=rf"dovetail: it has no attribute '{name}'; {install}"):
        namespaces.resolve(name)
    with pytest.raises(ModuleNotFoundError, match=rf"import: there is no module named 'dovetail.{name}'; {install}"):
        importlib.import_module(f"dovetail.{name}")
    with pytest.raises(ImportError, match=install):
        (tmp_path / "program.py").write_text(f"from dovetail import {name}\n")
        runpy.run_path(str(tmp_path / "program.py"))


def test_other_misses_are_pythons_own(site):
    with pytest.raises(AttributeError, match="dovetail: it has no attribute 'nonsense'$"):
        namespaces.resolve("nonsense")
    with pytest.raises(AttributeError, match="module 'dovetail' has no attribute '__wrapped__'"):
        namespaces.resolve("__wrapped__")
    with pytest.raises(ModuleNotFoundError, match=r"^No module named 'dovetail.nonsense'$"):
        importlib.import_module("dovetail.nonsense")
    with pytest.raises(ModuleNotFoundError, match=r"^No module named 'dovetail.plugins.nonsense'$"):
        importlib.import_module("dovetail.plugins.nonsense")


def test_a_missing_module_below_a_namespace_is_pythons_own_error(site):
    waves(site)
    with pytest.raises(ModuleNotFoundError, match=r"No module named 'dovetail.waves.nonsense'"):
        importlib.import_module("dovetail.waves.nonsense")


def test_a_package_that_fails_to_import_is_an_import_error_that_names_the_plugin(site):
    site.add("dovetail-bad", '[namespaces.worse]\ntarget = "dovetail_bad.worse"\n', code={"worse.py": "1 / 0\n"})
    with pytest.raises(PluginError, match=r"plugin bad .* failed while importing dovetail_bad.worse: ZeroDivisionError"):
        namespaces.resolve("worse")
    with pytest.raises(ImportError, match="plugin bad .* failed while importing"):
        importlib.import_module("dovetail.worse")


def test_broken_and_disabled_plugins_say_so(site, monkeypatch):
    site.add("dovetail-bad", "[models")
    site.add("dovetail-off")
    monkeypatch.setenv("DOVETAIL_DISABLE_PLUGINS", "off")
    with pytest.raises(PluginError, match=r"dovetail.bad: plugin bad .* is broken: .*not valid TOML"):
        namespaces.resolve("bad")
    with pytest.raises(AttributeError, match=r"no attribute 'off'; plugin off .* is disabled: switched off by DOVETAIL_DISABLE_PLUGINS"):
        namespaces.resolve("off")


def test_two_claims_to_a_namespace_are_an_error_until_one_is_preferred(site, tmp_path):
    waves(site)
    site.add("dovetail-waves")
    with pytest.raises(PluginError, match=r"dovetail.waves: claimed by sounds \(.*\) and waves \("):
        namespaces.resolve("waves")
    site.add("dovetail-more", '[namespaces.tides]\ntarget = "a.b"\n')
    site.add("dovetail-most", '[namespaces.tides]\ntarget = "a.c"\n')
    (tmp_path / "work" / "pyproject.toml").write_text('[tool.dovetail]\nprefer = ["sounds"]\n')
    plugins.reset()
    assert namespaces.resolve("waves").__name__ == "dovetail_sounds.waves"
    with pytest.raises(PluginError, match=r"namespaces.tides: claimed by more \(.*\) and most \("):
        namespaces.resolve("tides")


def test_ordinary_imports_do_not_look_for_plugins(python, site):
    waves(site)
    program = (
        "import sys\nfrom dovetail.plugins import namespaces\nnamespaces.install(); namespaces.install()\n"
        "assert sum(type(f).__module__ == 'dovetail.plugins.namespaces' for f in sys.meta_path) == 1\n"
        "try: import nowhere_at_all\nexcept ImportError: pass\n"
        "import dovetail.errors\n"
        "assert 'dovetail.plugins.catalogue' not in sys.modules\n"
        "assert type(sys.meta_path[-1]).__module__ == 'dovetail.plugins.namespaces'\n"
        "import dovetail.waves.shapes\n"
        "print(dovetail.waves.shapes.Sine, [name for name in sys.modules if name.endswith('shapes')])\n"
    )
    assert python(program).split(" ", 2)[1] == "'dovetail_sounds.waves.shapes.Sine'>"


def test_a_module_below_one_of_the_core_may_come_from_a_plugin(site):
    site.add("dovetail-sounds", '[namespaces."nn.utils.waves"]\ntarget = "dovetail_sounds.waves"\n', code={"waves.py": "SPEED = 343\n"})
    found = importlib.import_module("dovetail.nn.utils.waves")
    assert found.SPEED == 343 and found.__name__ == "dovetail_sounds.waves" and dovetail.nn.utils.waves is found
    with pytest.raises(ModuleNotFoundError, match=r"No module named 'dovetail\.nn\.utils\.nothing'"):
        importlib.import_module("dovetail.nn.utils.nothing")
    with pytest.raises(ModuleNotFoundError, match=r"there is no module named.*pip install dovetail-science"):
        importlib.import_module("dovetail.nn.utils.prune")
    del dovetail.nn.utils.waves


def test_checkpoints_say_what_to_install(site):
    said = r"no module named 'dovetail\.io\.checkpoint'; pip install dovetail-train \("
    with pytest.raises(ModuleNotFoundError, match=said):
        importlib.import_module("dovetail.io.checkpoint")
    with pytest.raises(AttributeError, match=said):
        dovetail.io.checkpoint
    with pytest.raises(ImportError, match=said):
        from dovetail.io import checkpoint  # noqa: F401


def test_a_module_below_one_of_the_core(site):
    site.add("dovetail-sounds", '[namespaces."utils._loud"]\ntarget = "dovetail_sounds.loud"\n', code={"loud.py": "VOLUME = 11\n"})
    from dovetail.utils._loud import VOLUME

    assert VOLUME == 11 and dovetail.utils._loud is sys.modules["dovetail_sounds.loud"]
    # the finder now comes first, and leaves the core's own modules alone
    assert importlib.import_module("dovetail.nn.functional").__name__ == "dovetail.nn.functional"
    with pytest.raises(ModuleNotFoundError, match=r"No module named 'dovetail.utils._quiet'"):
        importlib.import_module("dovetail.utils._quiet")
    with pytest.raises(ModuleNotFoundError, match="there is no module named 'dovetail.utils.bottleneck'; use dovetail.profiler"):
        importlib.import_module("dovetail.utils.bottleneck")
    delattr(dovetail.utils, "_loud")


def test_the_plugin_for_native_kernels_shares_its_name_with_a_module_of_the_core(site):
    site.add("dovetail-cpu", "", code={"__init__.py": "def memory_stats(): return {}\n"})  # where the real one is installed, that answers
    assert plugins.installed()[0].state == "ready" and dovetail.cpu.device_count() == 1
    assert dovetail.cpu.memory_stats() == {} or "cached" in dovetail.cpu.memory_stats()
