"""What `import dovetail` and listing must not do, in new processes: look for plugins, import their code, or import pluggy early."""

from __future__ import annotations

import pytest

LATE = (
    "pluggy",
    "tomllib",
    "importlib.metadata",
    "json",
    "click",
    "rich",
    "dovetail.plugins.catalogue",
    "dovetail.plugins.manager",
    "dovetail.hooks",
)
BOMB = "raise SystemExit('plugin code was imported')\n"


@pytest.fixture
def bombs(site):
    for number in range(3):
        rows = f'[models."p{number}/net"]\ntarget = "dovetail_p{number}.models:net"\n'
        rows += f'[kernels.op{number}]\ntarget = "a:b"\ndevice = "cpu"\ndtypes = ["float32"]\n'
        hooks = f'hooks = {{ module = "dovetail_p{number}.hooks", implements = ["build_model"] }}\n'
        site.add(f"dovetail-p{number}", hooks + rows, code={"__init__.py": BOMB, "hooks.py": BOMB, "models.py": BOMB})


@pytest.mark.parametrize("module", ["dovetail.plugins", "dovetail.plugins.namespaces", "dovetail"])
def test_importing_the_package_looks_for_nothing(bombs, python, module):
    program = f"import sys, numpy; before = set(sys.modules)\nimport {module}\n"
    program += f"print(sorted(set({LATE!r}) & set(sys.modules) - before), {module!r} in sys.modules)\n"
    assert python(program) == "[] True\n"


def test_listing_everything_imports_no_plugin_code(bombs, python):
    program = (
        "import sys\nfrom dovetail import plugins\nfrom dovetail.plugins.names import HOOK_KINDS\n"
        "print([len(getattr(plugins, kind)) for kind in HOOK_KINDS], plugins.models.get('p1/net').target, plugins.problems())\n"
        "print([name for name in sys.modules if name.startswith('dovetail_') and not name.startswith('dovetail_numerics')])\n"
    )
    for _ in range(2):  # without the cache, and with it
        assert python(program) == "[3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0] dovetail_p1.models:net []\n[]\n"


def test_the_first_op_pays_for_neither_pluggy_nor_toml(bombs, python):
    program = "import sys, numpy\nfrom dovetail import plugins\nprint(len(plugins.kernels_for_core()), "
    program += "[name for name in ('pluggy', 'tomllib', 'dovetail.plugins.kinds') if name in sys.modules])\n"
    python(program)
    assert python(program) == "3 []\n"


def test_every_plugin_switched_off_reads_no_manifest(bombs, python):
    program = "from dovetail import plugins\nprint(plugins.models.list(), {p.state for p in plugins.installed()}, plugins.problems())\n"
    assert python(program, DOVETAIL_PLUGINS="none") == "[] {'disabled'} []\n"
