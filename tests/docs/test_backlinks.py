"""Links from source pages back to descriptions that are not there."""

from __future__ import annotations

from pathlib import Path

from docs._ext.backlinks import without_dead_ends


def test_a_link_to_an_anchor_that_is_not_there_goes(tmp_path: Path) -> None:
    (tmp_path / "nn.html").write_text('<dt id="dovetail.nn.Linear">Linear</dt>', encoding="utf-8")
    (tmp_path / "_modules").mkdir()

    def link(place: str) -> str:
        return f'<a class="viewcode-back" href="../{place}">[docs]</a>'

    kept, gone = link("nn.html#dovetail.nn.Linear"), [link("nn.html#dovetail.nn.Quadratic"), link("gone.html#dovetail.nn.Linear")]
    text = f"<pre>{kept} one {gone[0]} two {gone[1]}</pre>"
    assert without_dead_ends(text, tmp_path / "_modules") == f"<pre>{kept} one  two </pre>"
