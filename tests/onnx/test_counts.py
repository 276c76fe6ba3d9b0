"""Sizes that values decide: masks, nonzero and detections give other numbers of rows than in the example."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("onnxruntime")

import dovetail as dv
from dovetail.errors import UnsupportedError
from dovetail_onnx import export, load
from dovetail_onnx.exporter.arguments import leaves
from dovetail_onnx.exporter.verification import distance
from tests.onnx.families import DETECTORS
from tests.onnx.running import run

X = dv.tensor([[0.9, 0.1, 0.8], [0.2, 0.7, 0.6]])
OTHERS = [X, dv.zeros(2, 3), dv.ones(2, 3), dv.tensor([[0.0, 0.0, 0.9], [0.0, 0.0, 0.0]])]


def first(x):
    """A slice, which all of the example fills."""
    return x[x > 0.5].sort(descending=True).values[:2].exp()


def numbered(x):
    found = x[x > 0.5]
    return dv.arange(len(found)) * found, found.reshape(len(found), 1).expand(len(found), 2)


FUNCTIONS = {
    "a mask": lambda x: x[x > 0.5] * 2,
    "rows by a mask": lambda x: x[x.sum(1) > 1.9],
    "nonzero": lambda x: dv.nonzero(x > 0.5),
    "a slice": first,
    "positions": numbered,
    "new tensors": lambda x: (dv.cat([x[x > 0.5], x.new_zeros(len(x[x > 0.5]))]), x.new_ones(len(dv.nonzero(x > 0.5)), 2)),
    "two of them": lambda x: dv.cat([x[x > 0.5], x[x < 0.15]])[: len(x[x > 0.5])],
    "parts": lambda x: dv.cat([x[x > 0.5], x[x < 0.15]]).split([len(x[x > 0.5]), len(x[x < 0.15])])[0],
}


@pytest.mark.parametrize("free", [None, {"x": {0: "n"}}], ids=["fixed", "free"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_other_numbers_of_rows(name, free):
    function = FUNCTIONS[name]
    proto = export(function, X, dynamic_shapes=free)
    module = load(proto)
    for x in OTHERS + ([dv.rand(7, 3), dv.zeros(5, 3)] if free else []):
        expected = [t.numpy() for _, t in leaves(function(x))]
        for found in (run(proto, {"x": x.numpy()}), [t.detach().numpy() for _, t in leaves(module(x))]):
            assert [a.shape for a in found] == [b.shape for b in expected]
            for a, b in zip(found, expected):
                np.testing.assert_allclose(a, b, rtol=1e-6)


def test_what_depends_on_the_number_of_rows_is_refused():
    """Also where all examples have the same, or none at all."""

    def branch(x):
        found = x[x > 2]
        return found * 2 if len(found) else found

    def each(x):
        return dv.stack([row.sum() for row in x[x.sum(1) > 1]])

    refused = "where values select another number of rows"
    for function, calls in ((branch, "the model calls mul, and at first nothing more"), (each, "it gives 3 results, and at first 2")):
        with pytest.raises(UnsupportedError, match=f"{refused} {calls}"):
            export(function, X)


def far(name, found, expected):
    """Of the largest element; of masks in the mean: they are pasted into boxes whose corners are rounded from what float32 leaves."""
    if name == "mask_rcnn":
        assert found[3].shape == expected[3].shape
        return max(*map(distance, found[:3], expected[:3]), np.abs(found[3] - expected[3]).mean())
    return max(map(distance, found, expected))


def detector(name):
    dv.manual_seed(0)
    model = DETECTORS[name]().eval()
    images = [dv.rand(3, 64, 64), dv.rand(3, 64, 64) * 3 - 1]
    proto = export(model, (images[:1],), verify=name != "mask_rcnn")
    module, key = load(proto), proto.graph.input[0].name
    counts = set()
    for image in images:
        with dv.no_grad():
            expected = [t.numpy() for _, t in leaves(model([image]))]
            again = [t.numpy() for _, t in leaves(module(image))]
        assert far(name, again, expected) <= 1e-4
        assert far(name, run(proto, {key: image.numpy()}), expected) <= 1e-4
        counts.add(len(expected[0]))
    assert not module.handed_over and counts != {0}
    assert all(output.type.tensor_type.shape.dim[0].dim_param for output in proto.graph.output)
    return proto


def test_a_detector():
    proto = detector("shapes_detector")
    ops = {node.op_type for node in proto.graph.node}
    assert {"NonMaxSuppression", "TopK", "NonZero"} <= ops


@pytest.mark.soak
@pytest.mark.parametrize("name", sorted(set(DETECTORS) - {"shapes_detector"}))
def test_detectors(name):
    detector(name)


def test_key_points():
    """Each heat map is resized to its box, whose sizes values decide: in the middle of the image, at its edges, of no width."""
    from dovetail.vision.models.detection.roi_heads import heatmaps_to_keypoints

    def points(maps, boxes, scores):
        kept = dv.where(scores > 0.5)[0]
        return heatmaps_to_keypoints(maps[kept], boxes[kept])

    dv.manual_seed(0)
    boxes = dv.tensor([[0.0, 0.0, 9.3, 7.1], [1.0, 1.0, 5.0, 29.6], [3.0, 4.0, 3.0, 4.5]])
    maps, scores = dv.rand(3, 2, 5, 6), dv.tensor([0.9, 0.1, 0.8])
    proto = export(points, (maps, boxes, scores), opset=13)
    module = load(proto)
    for given in ((maps, boxes, scores), (-maps, boxes.flip(0), dv.ones(3)), (maps, boxes * 2, dv.zeros(3))):
        expected = [t.numpy() for t in points(*given)]
        feed = dict(zip([i.name for i in proto.graph.input], [t.numpy() for t in given]))
        for found in (run(proto, feed), [t.detach().numpy() for t in module(*given)]):
            assert [a.shape for a in found] == [b.shape for b in expected]
            for a, b in zip(found, expected):
                np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)
    assert not module.handed_over
