"""`dovetail_cpu.warp` beside the NumPy that serves without it, and beside its definition at places that are awkward."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("dovetail_cpu")
pytest.importorskip("PIL")

import dovetail as dv
from dovetail_cpu import warp
from dovetail_vision.transforms import _gather, _native

DRAW = np.random.default_rng(0)
MATRIX = [0.9, 0.31, -2.4, -0.27, 1.1, 3.3]
NUMBERS = [1.1, 0.2, -3.0, 0.15, 0.9, 2.0, 0.002, -0.003]


def sources(kind, size, new_size):
    """Each way of saying where pixels come from, by the module that is asked."""
    matrix, numbers = np.array(MATRIX, kind).reshape(2, 3), np.array(NUMBERS, kind)
    x, y = (np.linspace((1 - n) / n, (n - 1) / n, n, dtype=kind) for n in reversed(size))
    moves = DRAW.uniform(-0.4, 0.4, (*size, 2)).astype(kind)
    return {
        "affine": (lambda how: how.affine(matrix, size, new_size), new_size),
        "perspective": (lambda how: how.perspective(numbers, size), size),
        "elastic": (lambda how: how.elastic(x, y, moves), size),
    }


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("fill", [None, [0.25, 7.0, -1.0]])
@pytest.mark.parametrize("kind", [np.float32, np.float64, np.uint8])
@pytest.mark.parametrize("size, new_size", [((1, 1), (3, 2)), ((7, 13), (9, 600)), ((40, 31), (23, 17)), ((300, 280), (280, 300))])
def test_it_reads_what_numpy_reads(size, new_size, kind, fill, threads):
    before = dv.get_num_threads()
    dv.set_num_threads(threads)
    try:
        pixels = (DRAW.random((2, 3, *size)) * 255).astype(kind)[:, ::-1]
        number = np.float64 if kind is np.float64 else np.float32
        fill = fill if fill is None or kind is not np.uint8 else [0.0, 90.0, 255.0]
        for name, (places, shape) in sources(number, size, new_size).items():
            got = _native.read(pixels, places(_native), shape, fill and fill * 2, number)
            want = _gather.read(pixels, places(_gather), shape, False, fill and fill * 2, number)
            assert got.dtype == want.dtype and got.shape == want.shape == (2, 3, *shape)
            apart = np.abs(got.astype(float) - want)
            if kind is np.uint8:  # halves fall to either side by the last bits of the places
                assert apart.max() <= 1 and (apart > 0).mean() < 0.02, name
            else:
                assert apart.max() < (1e-9 if number is np.float64 else 0.05), name
    finally:
        dv.set_num_threads(before)


def test_places_far_away_and_no_numbers_are_outside():
    image = np.ones((1, 2, 2), np.float32)
    grid = np.array([[[np.nan, 0], [0, np.inf], [-np.inf, 0], [1e30, -1e30], [0, 0]]], np.float32)
    origin = np.zeros(3, np.float32)
    assert warp(image, grid, origin, (1, 5)).tolist() == [[[0, 0, 0, 0, 1]]]
    assert warp(image, grid, origin, (1, 5), np.array([5], np.float32), bytes=True).tolist() == [[[5, 5, 5, 5, 1]]]


def test_what_it_has_no_code_for_is_declined():
    image, grid, origin = np.ones((1, 2, 2), np.float32), np.zeros((1, 1, 2), np.float32), np.zeros(3, np.float32)
    assert warp(image, grid, origin, (1, 1)).tolist() == [[[1]]]
    others = [
        (image.astype(np.float16), grid, origin, (1, 1)),
        (image, grid.astype(np.float64), origin, (1, 1)),
        (image[:, :, ::-1], grid, origin, (1, 1)),
        (image[0], grid, origin, (1, 1)),
        (image[:, :0], grid, origin, (1, 1)),
        (image, grid, origin[:2], (1, 1)),
        (image, grid, origin, (2, 1)),
        (image, grid, origin, (0, 1)),
        (image, grid[0], origin, (1, 1)),
        (image, grid, origin, (1, 1), np.zeros(2, np.float32)),
    ]
    assert all(warp(*one) is NotImplemented for one in others)
