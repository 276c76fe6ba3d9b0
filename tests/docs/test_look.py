"""`make look` sees what is wrong with a page."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools import browser, links, look

PAGE = """<!doctype html><meta name="viewport" content="width=device-width"><title>x</title><body><article>{}</article></body>"""


def test_without_chromium_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(look, "missing", lambda: "chromium missing")
    assert look.look(tmp_path, tmp_path / "out", []) == 0
    assert capsys.readouterr().out.startswith("NOT RUN: ")


@pytest.mark.skipif(bool(browser.missing()), reason=f"NOT SEEN in a browser: {browser.missing()}")
def test_faults_are_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site = tmp_path / "site"
    site.mkdir()
    (site / "favicon.ico").write_bytes(b"")
    faults = {
        "outside": '<script src="https://elsewhere.example/x.js"></script>',
        "wide": '<div style="width: 2000px">wide</div>',
        "cut": '<div class="table-wrapper" style="overflow: auto; width: 300px"><table width="500"><tr><td>x</td></tr></table></div>',
        "broken": '<img src="none.png">',
        "empty": '<img src="white.svg">',
        "faint": '<pre style="background: #222"><span style="color: #333">x = 1</span></pre>',
        "good": '<img src="plot.svg"><pre><span>x = 1</span></pre>',
    }
    svg = '<svg xmlns="http://www.w3.org/2000/svg" width="40" height="40"><rect width="40" height="40" fill="#eee"/>{}</svg>'
    (site / "white.svg").write_text(svg.format(""), encoding="utf-8")
    (site / "plot.svg").write_text(svg.format('<circle cx="20" cy="20" r="15"/>'), encoding="utf-8")
    for name, text in faults.items():
        (site / f"{name}.html").write_text(PAGE.format(text), encoding="utf-8")
    assert look.look(site, tmp_path / "out", list(faults)) == 1
    said = capsys.readouterr().out
    assert "outside.html (desktop, light): asks https://elsewhere.example/x.js" in said
    assert "wide.html (phone, dark): is " in said and "pixels wider than the window" in said
    assert "cut.html (desktop, light): a table is cut: 200 pixels of" in said and "cut.html (phone" not in said
    assert "broken.html (desktop, dark): picture" in said
    assert "empty.html (phone, light): picture" in said and "white.svg shows one colour" in said
    assert 'faint.html (desktop, light): code is faint: "x = 1"' in said
    assert "good.html" not in said
    assert len(list((tmp_path / "out").glob("*.png"))) == 28
    assert look.look(site, tmp_path / "parts", ["1/2", *faults]) == look.look(site, tmp_path / "parts", ["2/2", *faults]) == 1
    first, second = capsys.readouterr().out.split(" pages, opened ")[:2]
    assert "wide.html (" in first and "wide.html (" not in second and "outside.html (" in second and "outside.html (" not in first
    assert len(list((tmp_path / "parts").glob("*.png"))) == 28, "a part adds to what the others left"


def test_parts_of_the_site() -> None:
    assert look._part([]) == (1, 1, []) and look._part(["tutorials"]) == (1, 1, ["tutorials"])
    assert look._part(["2/5", "tutorials"]) == (2, 5, ["tutorials"]) and look._part(["0/5"]) == (1, 1, ["0/5"])


def test_links_that_lead_nowhere(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "index.html").write_text(
        '<h1 id="top">x</h1><a href="#top"></a><a href="sub/page.html#a%20b"></a><a href="sub/"></a><a href="https://other.example/"></a>'
    )
    (tmp_path / "sub" / "page.html").write_text(
        '<p id="a b"></p><a href="../index.html#none"></a><a href="gone.html"></a><img src="no.png">'
    )
    said = links.broken(tmp_path)
    assert said == [
        "index.html: the link to sub/ leads nowhere",
        "sub/page.html: the link to ../index.html#none leads nowhere",
        "sub/page.html: the link to gone.html leads nowhere",
        "sub/page.html: the link to no.png leads nowhere",
    ]
