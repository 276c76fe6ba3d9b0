"""Pictures of graphs: boxes and arrows, names of parameters and modules, valid SVG and Graphviz source, files."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

import dovetail as dv
from dovetail.train import draw


def net() -> dv.nn.Module:
    return dv.nn.Sequential(dv.nn.Linear(3, 4), dv.nn.Sequential(dv.nn.ReLU(), dv.nn.Linear(4, 2)))


def test_behind_a_tensor() -> None:
    model = net()
    x = dv.ones(5, 3, requires_grad=True)
    picture = draw(model(x).sum(), params=dict(model.named_parameters()))
    texts = [text[0] for _, text in picture.boxes]
    assert texts.count("AddmmBackward0") == 2 and {"0.weight", "1.1.bias", "leaf", "SumBackward0"} <= set(texts)
    at = {text: n for n, text in enumerate(texts)}
    assert (at["SumBackward0"], at["result"]) in picture.arrows and (at["leaf"], len(texts)) not in picture.arrows
    assert len(picture.arrows) == len(picture.boxes) - 1  # a tree
    assert picture.source.startswith("digraph {") and str(picture) == picture.source and 'label="0.weight\\n(4, 3)"' in picture.source


def test_a_value_used_twice_is_one_box() -> None:
    x = dv.ones(2, requires_grad=True)
    y = x * 2
    picture = draw([y + y.exp(), y])
    assert [text[0] for _, text in picture.boxes].count("MulBackward0") == 1


def test_recorded_run() -> None:
    picture = draw(dv.graph.trace(net(), dv.ones(5, 3)))
    assert ("op", ("relu", "float32[5, 4]", "1.0")) in picture.boxes and ("parameter", ("0.weight", "float32[4, 3]")) in picture.boxes
    root = ElementTree.fromstring(picture._repr_svg_())
    assert root.tag.endswith("svg")


def test_the_plain_layout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    x = dv.ones(2, requires_grad=True)
    picture = draw((x * 2 < 9).float() * x, params={"a<b>&": x})
    root = ElementTree.fromstring(picture.svg())
    space = "{http://www.w3.org/2000/svg}"
    boxes = root.findall(f"{space}rect")
    assert len(boxes) == len(picture.boxes) and "a<b>&" in [text.text for text in root.findall(f"{space}text")]
    spans = [tuple(float(box.get(k)) for k in ("x", "y", "width", "height")) for box in boxes]
    apart = [
        a[0] + a[2] <= b[0] or b[0] + b[2] <= a[0] or a[1] + a[3] <= b[1] or b[1] + b[3] <= a[1] for a in spans for b in spans if a != b
    ]
    assert all(apart)


def test_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    picture = draw(dv.ones(2, requires_grad=True) * 2)
    for name in ("a.svg", "a.dot"):
        picture.save(tmp_path / name)
    assert (tmp_path / "a.svg").read_text().startswith("<svg") and (tmp_path / "a.dot").read_text() == picture.source
    with pytest.raises(ValueError, match="draw: png needs Graphviz's program dot, which is not there; install graphviz, or save .svg"):
        picture.save(tmp_path / "a.png")
    with pytest.raises(ValueError, match="draw: the file's name ends with 'bmp'; expected svg, dot, gv, png or pdf"):
        picture.save(tmp_path / "a.bmp")


def test_refusals() -> None:
    with pytest.raises(TypeError, match="draw: got a tensor without a graph; expected a tensor that requires a gradient"):
        draw(dv.ones(2))
    with pytest.raises(TypeError, match="draw: got int"):
        draw(3)
