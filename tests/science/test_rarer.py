"""What the core hands to the plugin: the same results as in the core, typed errors, gradients, and what the error says without it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

import dovetail as dv

NAMES = ("linalg.ldl_factor", "linalg.ldl_solve")


def test_without_the_plugin_the_error_says_what_to_install() -> None:
    program = f"""
import dovetail
from dovetail.errors import UnknownAttribute
for name in {NAMES!r}:
    try:
        found = dovetail
        for part in name.split("."):
            found = getattr(found, part)
        print(name, "is there")
    except UnknownAttribute as error:
        assert "dovetail-science" in str(error), error
import io, numpy
with io.BytesIO() as file:
    numpy.savez(file, x=numpy.ones(2))
    file.seek(0)
    for call in (lambda: dovetail.ones(2, 2).to_sparse(), lambda: dovetail.load(file)):
        try:
            print(call(), "is there")
        except (UnknownAttribute, ModuleNotFoundError) as error:
            assert "dovetail-science" in str(error), error
"""
    run = subprocess.run(
        [sys.executable, "-c", program], env={**os.environ, "DOVETAIL_PLUGINS": "none"}, capture_output=True, text=True, check=False
    )
    assert (run.returncode, run.stdout) == (0, ""), run.stdout + run.stderr


@pytest.mark.parametrize("name", NAMES)
def test_the_names_are_the_cores(name: str) -> None:
    found = dv
    for part in name.split("."):
        found = getattr(found, part)
    assert found is not None
