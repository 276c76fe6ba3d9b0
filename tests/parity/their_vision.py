"""torchvision, imported also where its compiled operators do not fit the PyTorch that is installed."""

from __future__ import annotations

from importlib import metadata
from typing import Any

import pytest

__all__ = ["torchvision"]

_COMPILED = """nms qnms roi_align _roi_align_backward roi_pool _roi_pool_backward ps_roi_align _ps_roi_align_backward
ps_roi_pool _ps_roi_pool_backward deform_conv2d _deform_conv2d_backward""".split()
_kept: list[Any] = []


def torchvision() -> Any:
    """The package; skips the test module where it is not installed. Its operators cannot load beside another build of PyTorch, and
    only their names are needed."""
    torch = pytest.importorskip("torch")
    try:
        built_for = metadata.version("torchvision").partition("+")[2]
    except metadata.PackageNotFoundError:
        pytest.skip("torchvision is not installed", allow_module_level=True)
    if not _kept and built_for != torch.__version__.partition("+")[2]:
        library = torch.library.Library("torchvision", "FRAGMENT")
        for name in _COMPILED:
            library.define(f"{name}(Tensor x) -> Tensor")
        _kept.append(library)
    import torchvision
    import torchvision.transforms.v2

    return torchvision
