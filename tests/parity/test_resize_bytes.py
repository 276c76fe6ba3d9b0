"""Resizing of bytes beside PyTorch's, bit for bit: whole weights, and bytes between the two axes."""

from __future__ import annotations

import numpy as np
import pytest

import dovetail as dv

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.parity


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
@pytest.mark.parametrize("options", [{}, {"align_corners": True}, {"antialias": True}])
def test_bytes(mode: str, options: dict[str, bool]) -> None:
    draw = np.random.RandomState(0)
    for size in ((3, 3), (17, 5), (40, 40), (130, 70), (32, 33)):
        for channels in (1, 3, 5):
            x = draw.randint(0, 256, (2, channels, 32, 32), dtype=np.uint8)
            want = torch.nn.functional.interpolate(torch.from_numpy(x), size, mode=mode, **options)
            got = dv.nn.functional.interpolate(dv.from_numpy(x), size, mode=mode, **options)
            np.testing.assert_array_equal(got.numpy(), want.numpy(), err_msg=f"{size}, {channels} channels")
