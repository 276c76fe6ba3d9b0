"""COCO's matching of detections to objects and its precision and recall, on arrays for all images at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

__all__ = ["AREAS", "SIGMAS", "Image", "Scores", "box_ious", "keypoint_similarities", "mask_ious", "score"]

Array = np.ndarray
RECALLS = np.linspace(0.0, 1.0, 101)
#: COCO's sizes, in square pixels; both ends belong to a size.
AREAS = {"all": (0.0, 1e10), "small": (0.0, 32.0**2), "medium": (32.0**2, 96.0**2), "large": (96.0**2, 1e10)}
#: How exactly people mark the 17 points of COCO's persons: the spread of each, from nose to ankles, in shares of the body's size.
SIGMAS = np.repeat([26, 25, 35, 79, 72, 62, 107, 87, 89], [1, 2, 2, 2, 2, 2, 2, 2, 2]) / 1000
_ROOM = 4_000_000  # elements of the largest array of a step


class Image(NamedTuple):
    """What was found in an image, what is there, and the IoU of each with each (found, there)."""

    labels: Array
    scores: Array
    areas: Array
    true_labels: Array
    true_areas: Array
    crowd: Array  # may be found any number of times
    ignored: Array  # need not be found
    ious: Array


class Scores(NamedTuple):
    """``precision`` (thresholds, 101 recalls, classes, sizes) and ``recall`` (thresholds, classes, sizes, most detections).

    −1 stands where a class has no objects of a size; ``precision`` is with the largest number of detections.
    """

    classes: Array
    precision: Array
    recall: Array


def box_ious(found: Array, there: Array, crowd: Array) -> tuple[Array, Array, Array]:
    """IoU (D, G) of boxes (x1, y1, x2, y2), and the areas of both; with a crowd, the share of the found box that is inside."""
    (x, y, right, bottom), (gx, gy, g_right, g_bottom) = found.T[:, :, None], there.T[:, None]
    w, h, gw, gh = right - x, bottom - y, g_right - gx, g_bottom - gy  # COCO's own form, and its rounding
    across = np.minimum(x + w, gx + gw) - np.maximum(x, gx)
    down = np.minimum(y + h, gy + gh) - np.maximum(y, gy)
    both = np.clip(across, 0, None) * np.clip(down, 0, None)
    return _share(both, w * h, gw * gh, crowd), (w * h)[:, 0], (gw * gh)[0]


def mask_ious(found: Array, there: Array, crowd: Array) -> tuple[Array, Array, Array]:
    """IoU (D, G) of masks (D, H, W) and (G, H, W), and the areas of both; with a crowd, the share of the found mask that is inside."""
    one, two = (m.reshape(len(m), int(np.prod(m.shape[1:]))).astype(np.float32) for m in (found, there))  # counts below 2²⁴: exact
    areas, there_areas = (m.sum(1, dtype=np.float64) for m in (one, two))
    return _share((one @ two.T).astype(np.float64), areas[:, None], there_areas[None], crowd), areas, there_areas


def keypoint_similarities(found: Array, there: Array, boxes: Array, areas: Array, sigmas: Array) -> tuple[Array, Array]:
    """COCO's similarity (D, G) of points (D, K, 2) and (G, K, 3), whose last column says what is marked, and the areas of the first.

    Where nothing is marked, the distance of points from the box (G, 4), made twice as large on each side, stands for theirs.
    """
    marked = there[..., 2] > 0
    x1, y1, x2, y2 = boxes.T[:, :, None]
    low, high = np.stack([2 * x1 - x2, 2 * y1 - y2], -1), np.stack([2 * x2 - x1, 2 * y2 - y1], -1)
    points = found[:, None]
    outside = np.maximum(low - points, 0) + np.maximum(points - high, 0)
    any_marked = marked.any(1)
    apart = np.where(any_marked[:, None, None], points - there[..., :2], outside)
    error = (apart**2).sum(-1) / (2 * sigmas) ** 2 / (areas[:, None] + np.spacing(1)) / 2
    counted = marked | ~any_marked[:, None]
    similar = (np.exp(-error) * counted).sum(-1) / np.maximum(counted.sum(-1), 1)
    return similar, np.prod(found.max(1) - found.min(1), axis=-1) if len(found) else np.zeros(0)


def _share(both: Array, found: Array, there: Array, crowd: Array) -> Array:
    either = np.where(crowd, found, found + there - both)
    return np.divide(both, either, out=np.zeros_like(both), where=both > 0)


class _Objects(NamedTuple):
    """Detections or true objects of all images, sorted by class, image and score; ``slot`` is the place in its class and image."""

    group: Array
    slot: Array
    score: Array
    area: Array
    crowd: Array
    ignored: Array
    image: Array
    number: Array  # within its image, as it came


def _sorted(images: list[Image], classes: Array, true: bool) -> _Objects:
    there = [(i.true_labels, np.zeros(len(i.crowd)), i.true_areas, i.crowd, i.ignored) for i in images]
    columns = there if true else [(i.labels, i.scores, i.areas, *np.zeros((2, len(i.labels)), bool)) for i in images]
    labels, scores, areas, crowd, ignored = (np.concatenate(parts) for parts in zip(*columns, strict=True))
    image = np.repeat(np.arange(len(images)), [len(c[0]) for c in columns])
    number = np.concatenate([np.arange(len(c[0])) for c in columns])
    group = np.searchsorted(classes, labels) * len(images) + image
    order = np.lexsort((-scores, group))
    group = group[order]
    slot = np.arange(len(group)) - np.searchsorted(group, group)
    return _Objects(group, slot, *(column[order] for column in (scores, areas, crowd, ignored, image, number)))


def _take(objects: _Objects, rows: Array) -> _Objects:
    return _Objects(*(column[rows] for column in objects))


def _chunks(counts: Array, others: Array, cells: int) -> Iterator[Array]:
    """Groups of like size, few enough at a time."""
    order = np.lexsort((others, counts))
    start = 0
    while start < len(order):
        stop = start + 1
        while stop < len(order) and (stop + 1 - start) * max(int(counts[order[stop]]), 1) * cells <= _ROOM and stop - start < 4096:
            stop += 1
        yield order[start:stop]
        start = stop


def _match(ious: Array, crowd: Array, ignored: Array, thresholds: Array) -> tuple[Array, Array]:
    """Each detection, best first, takes the free object that it overlaps most; an ignored one only when there is no other.

    ``ious`` (P, D, G), ``crowd`` (P, G), ``ignored`` (P, A, G); gives whether each detection has one, and an ignored one: (P, D, A, T).
    """
    groups, detections, _ = ious.shape
    shape = (groups, ignored.shape[1], len(thresholds))
    taken = np.zeros((*shape, ious.shape[2]), bool)
    matched, useless = np.zeros((2, groups, detections, *shape[1:]), bool)
    crowd, ignored = crowd[:, None, None], np.broadcast_to(ignored[:, :, None], taken.shape)
    for d in range(detections):
        iou = ious[:, d, None, None]
        free = (iou >= thresholds[:, None]) & (crowd | ~taken)
        wanted = free & ~ignored
        free = np.where(wanted.any(-1, keepdims=True), wanted, free)
        best = np.where(free, iou, -1.0).argmax(-1)[..., None]  # the first of equal ones: objects come last one first
        hit = np.take_along_axis(free, best, -1)
        np.put_along_axis(taken, best, np.take_along_axis(taken, best, -1) | hit, -1)
        matched[:, d] = hit[..., 0]
        useless[:, d] = (hit & np.take_along_axis(ignored, best, -1))[..., 0]
    return matched, useless


def _outside(areas: Array) -> Array:
    """Whether an area is not of each size: (…, sizes)."""
    low, high = np.array(list(AREAS.values())).T
    return (areas[..., None] < low) | (areas[..., None] > high)


def _matches(images: list[Image], found: _Objects, there: _Objects, thresholds: Array) -> tuple[Array, Array]:
    """For each of the detections: whether it has an object, and whether it does not count, at each size and threshold."""
    shape = (len(found.group), len(AREAS), len(thresholds))
    matched, useless = np.zeros((2, *shape), bool)
    begin = np.concatenate([[0], np.cumsum([image.ious.size for image in images])])
    width = np.array([image.ious.shape[1] for image in images])
    flat = np.concatenate([image.ious.ravel() for image in images])
    groups = np.intersect1d(found.group, there.group)
    starts, ends = np.searchsorted(found.group, groups), np.searchsorted(found.group, groups, "right")
    first, last = np.searchsorted(there.group, groups), np.searchsorted(there.group, groups, "right")
    for chunk in _chunks(last - first, ends - starts, len(AREAS) * len(thresholds)):
        d, g = (ends - starts)[chunk].max(), (last - first)[chunk].max()
        rows = np.minimum(starts[chunk, None] + np.arange(d), ends[chunk, None] - 1)  # (P, D); the last one again where there are fewer
        objects = last[chunk, None] - 1 - np.arange(g)  # (P, G), last one first
        real = objects >= first[chunk, None]
        one, two = _take(found, rows), _take(there, np.maximum(objects, first[chunk, None]))
        at = begin[one.image] + one.number * width[one.image]
        ious = np.where(real[:, None], flat[at[..., None] + two.number[:, None]], -1.0)
        hit, off = _match(ious, two.crowd & real, (_outside(two.area) | two.ignored[..., None]).transpose(0, 2, 1), thresholds)
        inside = starts[chunk, None] + np.arange(d) < ends[chunk, None]
        matched[rows[inside]], useless[rows[inside]] = hit[inside], off[inside]
    return matched, useless | (~matched & _outside(found.area)[..., None])


def _curve(right: Array, counted: Array, objects: Array) -> Array:
    """The precision (101, A, T) at each recall, from detections (N, A, T) in the order of their scores and objects (A,)."""
    true = np.cumsum(right, 0, dtype=np.float64)
    precision = true / (np.cumsum(counted, 0, dtype=np.float64) + np.spacing(1))
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    precision = np.concatenate([precision, np.zeros((1, *right.shape[1:]))])  # for a recall that is never reached
    recall = true / np.maximum(objects, 1)[:, None]
    places = np.array([[np.searchsorted(column, RECALLS) for column in size.T] for size in recall.transpose(1, 0, 2)])  # (A, T, 101)
    return np.take_along_axis(precision, places.transpose(2, 0, 1), 0)


def score(images: list[Image], thresholds: Array, limits: tuple[int, ...]) -> Scores:
    """Precision and recall of all classes that are there, with at most ``limits`` detections of a class in an image."""
    classes = np.unique(np.concatenate([part for image in images for part in (image.labels, image.true_labels)]))
    found, there = (_sorted(images, classes, true) for true in (False, True))
    found = _take(found, np.flatnonzero(found.slot < limits[-1]))
    matched, useless = _matches(images, found, there, np.minimum(thresholds, 1 - 1e-10))
    counts = ~(_outside(there.area) | there.ignored[:, None])
    precision = np.full((len(thresholds), len(RECALLS), len(classes), len(AREAS)), -1.0)
    recall = np.full((len(thresholds), len(classes), len(AREAS), len(limits)), -1.0)
    for k in range(len(classes)):
        ends = np.array([k, k + 1]) * len(images)
        rows, objects = (slice(*np.searchsorted(side.group, ends)) for side in (found, there))
        total = counts[objects].sum(0)
        there_are = total > 0
        order = np.argsort(-found.score[rows], kind="stable")
        counted = ~useless[rows][order]
        right = matched[rows][order] & counted
        for m, limit in enumerate(limits):
            few = right[found.slot[rows][order] < limit].sum(0) / np.maximum(total, 1)[:, None]
            recall[:, k, there_are, m] = few[there_are].T
        precision[:, :, k, there_are] = _curve(right, counted, total)[:, there_are].transpose(2, 0, 1)
    return Scores(classes, precision, recall)
