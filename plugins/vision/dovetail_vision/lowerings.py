"""How the ops of this package are said in ONNX; `dovetail.onnx.export` calls these with its builder in front of an op's arguments.

``varies`` says that how many rows a result has depends on values: the exporter then takes the number that it meets for no constant.
"""

from __future__ import annotations

from typing import Any

import dovetail

__all__ = ["batched_nms", "first_best", "nms", "peaks", "pool_rows"]


def nms(g: Any, boxes: Any, scores: Any, iou_threshold: float) -> Any:
    """One class of one image; the operator computes in float32."""
    boxes, scores = (g.cast(x, dovetail.float32) for x in (boxes, scores))
    most, overlap = g.Shape(scores), g.const([iou_threshold], dovetail.float32)
    found = g.node("NonMaxSuppression", g.Unsqueeze(boxes, [0]), g.Unsqueeze(scores, [0, 1]), most, overlap, dtype=dovetail.int64)
    return g.Gather(found, g.const(2, dovetail.int64), axis=1)


def batched_nms(g: Any, boxes: Any, scores: Any, idxs: Any, iou_threshold: float) -> Any:
    """The boxes of each category moved away from those of the others."""
    boxes = g.cast(boxes, dovetail.float32)
    line = g.Concat(g.Reshape(boxes, [-1]), g.const([0.0], dovetail.float32), axis=0)  # there may be no box
    step = g.Add(g.ReduceMax(line, keepdims=0), 1)
    away = g.Mul(g.cast(idxs, dovetail.float32), step)
    return nms(g, g.Add(boxes, g.Unsqueeze(away, [1])), scores, iou_threshold)


def first_best(g: Any, scores: Any, count: int) -> Any:
    """TopK of as many as there are."""
    _, places = g.node("TopK", scores, g.Min(g.Shape(scores), g.const([count], dovetail.int64)), axis=0, outputs=2)
    places.dtype = dovetail.int64
    return places


def peaks(g: Any, maps: Any, pixels: Any) -> Any:
    """A Loop over the boxes, each of which has a size of its own; sizes are width and height. Runtimes resize in float32."""
    maps, count = g.cast(maps, dovetail.float32), maps.shape[1]

    def turn(g: Any, k: Any) -> list[Any]:
        size = g.Concat(g.sizes([1, count]), g.Gather(g.Gather(pixels, k, axis=0), [1, 0], axis=0), axis=0)
        how = {"mode": "cubic", "cubic_coeff_a": -0.75, "coordinate_transformation_mode": "half_pixel"}
        resized = g.Resize(g.Unsqueeze(g.Gather(maps, k, axis=0), [0]), None, None, size, **how)
        return [g.ArgMax(g.Reshape(resized, g.sizes([count, -1])), axis=1, keepdims=0)]

    (out,) = g.loop(g.Gather(g.Shape(maps), g.const(0, dovetail.int64), axis=0), [], turn, [[count]])
    return out


def pool_rows(g: Any, table: Any, rows: Any, columns: Any, shift: Any, row_weights: Any, column_weights: Any) -> Any:
    """A Loop over the regions: the cells of all at once would be larger than the maps by far."""
    bins = [rows.shape[1], columns.shape[1]]
    rows, row_weights, shift = *(g.Unsqueeze(x, [2, 4]) for x in (rows, row_weights)), g.Unsqueeze(shift, [2, 3])
    columns, column_weights = (g.Unsqueeze(x, [1, 3]) for x in (columns, column_weights))

    def turn(g: Any, k: Any) -> list[Any]:
        at = g.Add(g.Add(g.Gather(rows, k, axis=0), g.Gather(columns, k, axis=0)), shift)
        weight = g.Mul(g.Gather(row_weights, k, axis=0), g.Gather(column_weights, k, axis=0))
        cells = g.Gather(table, g.Reshape(at, g.sizes([*bins, -1])), axis=0)
        return [g.Squeeze(g.MatMul(g.Reshape(weight, g.sizes([*bins, 1, -1])), cells), [2])]

    (out,) = g.loop(g.Gather(g.Shape(rows), g.const(0, dovetail.int64), axis=0), [], turn, [[*bins, table.shape[1]]])
    return out


nms.varies = batched_nms.varies = first_best.varies = True  # type: ignore[attr-defined]
