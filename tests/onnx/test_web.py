"""to_web(): what the page is told, and the page itself in headless Chromium, where digits are drawn and the answers read."""

from __future__ import annotations

import functools
import http.server
import json
import re
import threading
from pathlib import Path

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")

import dovetail as dv
from dovetail import nn, plugins
from dovetail.errors import FormatError, HashMismatch, TypeMismatch, UnsupportedError, ValueRangeError
from dovetail_onnx import export, to_web
from dovetail_onnx.web import _proto, runtime
from dovetail_onnx.web.settings import settings
from tests.onnx import models, seeds
from tests.support.figures import note
from tools import browser
from tools.digits import DIGITS, answers, draw

LOOK = Path(__file__).resolve().parents[2] / "build" / "look"


def classifier(*shape, classes=3):
    """A model of pictures, as ONNX."""
    dv.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(shape[1], 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, classes))
    return export(net, dv.rand(*shape), input_names=["x"], dynamic_shapes={"x": {0: "n"}}, verify=False)


def transform(name, **config):
    return plugins.transforms.load(f"vision/{name}")(**config)


def test_what_is_asked_for():
    assert settings(classifier(1, 1, 28, 28), "auto", None, None, 5)["kind"] == "draw"
    assert settings(classifier(1, 3, 28, 28), "auto", None, None, 5)["kind"] == "image"
    assert settings(classifier(1, 1, 28, 28), "image", None, None, 5)["kind"] == "image"
    said = settings(models.mlp(), "auto", None, ["no", "yes"], 2)
    assert said["kind"] == "numbers" and said["inputs"] == [{"name": "x", "type": "float", "shape": ["n", 6]}]
    assert said["labels"] == ["no", "yes"] and said["top"] == 2 and "image" not in said
    for op, scores in (("Softmax", "none"), ("LogSoftmax", "exp"), ("Sigmoid", "none"), ("Relu", "softmax")):
        made = models.model([onnx.helper.make_node(op, ["x"], ["y"])], ["x"], [("n", 3)], ["y"])
        assert settings(made, "auto", None, None, 5)["scores"] == scores


def test_pictures_are_prepared_as_the_transforms_say():
    from dovetail.vision import transforms as T

    grey = settings(classifier(1, 1, 8, 8), "auto", transform("grey_classification", size=8, mean=0.3, std=0.38), None, 5)["image"]
    assert (grey["height"], grey["width"], grey["mean"], grey["std"], grey["resize"], grey["margin"]) == (8, 8, [0.3], [0.38], 0, 0.0)
    preset = settings(classifier(1, 3, 32, 32), "auto", transform("image_classification", crop_size=32, resize_size=40), None, 5)["image"]
    assert (preset["resize"], preset["width"], preset["mean"][0], preset["std"][2]) == (40, 32, 0.485, 0.225)
    steps = T.Compose([T.Grayscale(), T.Resize((28, 28)), T.ToTensor(), T.Normalize((0.1307,), (0.3081,))])
    mnist = settings(classifier(1, 1, 28, 28), "auto", steps, None, 5)["image"]
    assert (mnist["mean"], mnist["std"], mnist["resize"], mnist["stroke"]) == ([0.1307], [0.3081], 0, 0.09)
    with pytest.raises(
        UnsupportedError, match="to_web: transforms has RandomHorizontalFlip, which the page does not know; expected Resize"
    ):
        settings(classifier(1, 3, 8, 8), "auto", T.Compose([T.RandomHorizontalFlip()]), None, 5)
    with pytest.raises(ValueRangeError, match=r"transforms makes pictures of \(16, 16\), and the model takes \(8, 8\)"):
        settings(classifier(1, 3, 8, 8), "auto", T.Resize((16, 16)), None, 5)


def test_wrong_calls(tmp_path):
    with pytest.raises(TypeMismatch, match="args is None and model a Module; expected an example of its inputs"):
        to_web(nn.Linear(2, 2), tmp_path)
    with pytest.raises(TypeMismatch, match="args or \\[\\] are given; expected them for a Module"):
        to_web(models.mlp(), tmp_path, dv.ones(1, 6))
    with pytest.raises(TypeMismatch, match="model is int"):
        to_web(3, tmp_path)
    with pytest.raises(FormatError, match="is not an ONNX model"):
        to_web(b"nothing", tmp_path)
    with pytest.raises(ValueRangeError, match="kind is 'sound'; expected one of auto, draw, image, numbers"):
        to_web(models.mlp(), tmp_path, kind="sound")
    with pytest.raises(UnsupportedError, match="kind is 'draw', and the model takes x: float"):
        to_web(models.mlp(), tmp_path, kind="draw")
    with pytest.raises(ValueRangeError, match="top is 0"):
        to_web(models.mlp(), tmp_path, top=0)
    assert not list(tmp_path.iterdir())


def test_another_runtime_is_refused(tmp_path):
    (tmp_path / "dist").mkdir()
    for name, _ in runtime.FILES.values():
        (tmp_path / "dist" / name).write_bytes(b"alert(1)")
    with pytest.raises(HashMismatch, match=r"ort\.wasm\.min\.js: SHA-256 is .*; expected faece07e"):
        to_web(models.mlp(), tmp_path / "page", runtime=tmp_path)
    (tmp_path / "other.tgz").write_bytes(b"nothing")
    with pytest.raises(FormatError, match="is not the package onnxruntime-web"):
        to_web(models.mlp(), tmp_path / "page", runtime=tmp_path / "other.tgz")
    assert not (tmp_path / "page").exists()


@pytest.fixture(scope="module")
def fetched():
    """The runtime is in the cache: `python -m dovetail_onnx.web` puts it there."""
    if not all((runtime.folder() / name).is_file() for name, _ in runtime.FILES.values()):
        pytest.skip(f"NOT SEEN as a page: no onnxruntime-web in {runtime.folder()}; run python -m dovetail_onnx.web, which fetches it")


@pytest.fixture(scope="module")
def window(fetched, tmp_path_factory):
    if lacking := browser.missing():
        pytest.skip(f"NOT SEEN in a browser: {lacking}")
    with browser.browser(tmp_path_factory.mktemp("browser")) as opened:
        yield opened


@pytest.fixture
def served(tmp_path):
    """The address of a folder, as `python -m http.server` has it, and what was asked for."""
    asked = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, form, *values):
            asked.append(values[0] if values else form)

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=tmp_path))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    server.server_close()


def ready(window, url):
    window.open(url)
    window.wait("document.body.dataset.ready || /cannot/.test(document.body.innerText)")
    assert window.script("return document.getElementById('status').textContent") == "Ready."


@pytest.fixture
def digits(tmp_path):
    model = dv.models.create("vision/digits_resnet", weights="torch").eval()
    prepare = transform("grey_classification", size=8, mean=0.3, std=0.38)
    to_web(model, tmp_path, dv.rand(2, 1, 8, 8), transforms=prepare, title="Handwritten digits", dynamic_shapes={"x": {0: "n"}})
    return model


@pytest.mark.figures
@pytest.mark.slow
def test_digits_are_drawn_and_read(window, digits, served, tmp_path):
    url, asked = served
    ready(window, f"{url}/index.html")
    right = 0
    for digit in DIGITS:
        draw(window, digit, "touch" if digit % 2 else "mouse")
        found = answers(window)
        assert len(found) == 5 and found[0][1].endswith("%")
        right += found[0][0] == digit
        if digit in (3, 8):
            window.dark(digit == 8)
            window.phone(390, 844) if digit == 8 else window.size(900, 1000)
            window.picture(LOOK / f"web-digits-{'phone-dark' if digit == 8 else 'desktop-light'}.png")
            assert window.script("return document.documentElement.scrollWidth <= innerWidth")
        window.click("#clear")
        assert answers(window) == []
    note("onnx", "digits drawn by script into the page, read right in headless Chromium", f"{right} of 10", "9 of 10")
    assert right >= 9, right
    assert {line.split()[1] for line in asked} <= {"/index.html", "/favicon.ico"}, asked
    assert not [line for line in window.log() if "favicon" not in line]


@pytest.mark.slow
def test_a_picture_is_prepared_and_answered_as_here(window, tmp_path):
    """Opened as a file; the preset's resizing and cropping in the page, and in Python, to a few parts in a thousand."""
    from PIL import Image

    dv.manual_seed(1)
    net = nn.Sequential(nn.Conv2d(3, 8, 3, 2), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(32, 7)).eval()
    prepare = transform("image_classification", crop_size=32, resize_size=40)
    page = to_web(net, tmp_path / "one.html", dv.rand(1, 3, 32, 32), transforms=prepare, labels="a b c d e f <g>".split(), top=7)
    y, x = np.mgrid[0:90, 0:121]
    pixels = np.stack([x * 2, y * 2, (x * y) % 256], -1).astype("u1")
    Image.fromarray(pixels).save(tmp_path / "picture.png")
    ready(window, page.as_uri())
    window.type("#file", str(tmp_path / "picture.png"))
    window.wait("document.body.dataset.runs")
    found = {index: float(share.rstrip(" %")) / 100 for index, share in answers(window)}
    expected = net(prepare(Image.open(tmp_path / "picture.png"))[None]).softmax(-1)[0].tolist()
    assert max(abs(found[k] - share) for k, share in enumerate(expected)) < 3e-3
    assert "<g>" in window.script("return document.getElementById('answers').innerText")


@pytest.mark.slow
def test_numbers_as_text(window, tmp_path):
    """Codes of any length into an embedding; what is wrong is said."""
    dv.manual_seed(0)
    net = nn.Sequential(nn.Embedding(10, 4), nn.Linear(4, 6)).eval()
    page = to_web(net, tmp_path, dv.tensor([[1, 2, 3]]), dynamic_shapes={"input": {0: "n", 1: "length"}})
    ready(window, page.as_uri())
    window.type("textarea", "1, 2 nine")
    window.click("button[type=submit]")
    assert "nine is no int64 number" in window.script("return document.getElementById('status').textContent")
    window.script("document.querySelector('textarea').value = '[4, 7, 2, 9]'")
    window.click("button[type=submit]")
    window.wait("document.body.dataset.runs")
    expected = net(dv.tensor([[4, 7, 2, 9]]))[0, -1].softmax(-1)
    assert [index for index, _ in answers(window)] == expected.topk(5).indices.tolist()
    window.picture(LOOK / "web-numbers.png")


def test_weights_beside_the_file_come_into_the_page(tmp_path):
    """Those of the graph, and of a branch and an attribute; a model that lies in memory has no folder where they could be."""
    (tmp_path / "w.bin").write_bytes(np.arange(16, dtype="f4").tobytes())
    made = seeds.external()
    weight = made.graph.initializer[0]
    branch = onnx.helper.make_graph([onnx.helper.make_node("Constant", [], ["c"], value=weight)], "g", [], [], [weight])
    made.graph.node.add(op_type="If", input=["x"], output=["z"]).attribute.append(onnx.helper.make_attribute("then_branch", branch))
    (tmp_path / "m.onnx").write_bytes(made.SerializeToString())
    text = _proto(tmp_path / "m.onnx", None, {}).SerializeToString()
    assert b"w.bin" not in text and text.count(np.arange(16, dtype="f4").tobytes()) == 3
    with pytest.raises(FormatError, match="this model was not read from a file; load it by its path"):
        to_web(made, tmp_path / "page")


def test_the_page_names_no_address(fetched, tmp_path):
    text = to_web(models.mlp(), tmp_path, title="<b>&").read_text(encoding="utf-8")
    assert "<title>&lt;b&gt;&amp;</title>" in text and "default-src 'none'" in text
    head, *_ = text.split('<script type="text/plain"')
    assert not re.findall(r"https?://", head)
    assert json.loads(re.search(r'id="settings">(.*?)</script>', text)[1])["kind"] == "numbers"
    assert to_web(models.mlp(), tmp_path, title="<b>&").read_text(encoding="utf-8") == text  # the same bytes each time
