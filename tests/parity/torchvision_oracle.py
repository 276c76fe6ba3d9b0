"""torchvision beside a PyTorch that it was not built for: its compiled operators get their names, which is all that importing it needs."""

from __future__ import annotations

import sys
from importlib import metadata
from typing import Any

__all__ = ["prepare", "torchvision"]

_NAMES = """nms qnms roi_align _roi_align_backward roi_pool _roi_pool_backward ps_roi_align _ps_roi_align_backward
ps_roi_pool _ps_roi_pool_backward deform_conv2d _deform_conv2d_backward""".split()
_kept: list[Any] = []


def prepare() -> None:
    """Give PyTorch the names of the operators, where torchvision was built for another build of it."""
    import torch

    if metadata.version("torchvision").partition("+")[2] != torch.__version__.partition("+")[2]:
        library = torch.library.Library("torchvision", "FRAGMENT")
        _kept.append(library)  # the names are gone with it
        for name in _NAMES:
            library.define(f"{name}(Tensor x) -> Tensor")


def torchvision() -> Any:
    """Import torchvision; where it is not installed the module of the caller is skipped."""
    if "torchvision" not in sys.modules:
        import pytest

        pytest.importorskip("torch")
        try:
            prepare()
        except metadata.PackageNotFoundError:
            pytest.skip("torchvision is not installed", allow_module_level=True)
    import torchvision

    return torchvision
