"""The conformance kit: one line in a plugin's tests makes checks of everything that its manifest lists.

    from dovetail.testing import conformance

    test_conformance = conformance.tests("audio")

Each check is a test of its own under pytest. What a check needs to know stands in the manifest, in a row's ``example``:

    [models."audio/wav2small"]
    target  = "dovetail_audio.models:wav2small"
    example = { config = { width = 4 }, inputs = [{ shape = [2, 64] }] }

``conformance.run("audio")`` runs the same checks without pytest and gives a `Report`.
"""

from __future__ import annotations

from . import dataset, files, kernel, model, parts, plugin
from .case import Check, Report, Skip, plan, run, tests

__all__ = ["Check", "Report", "Skip", "plan", "run", "tests"]
