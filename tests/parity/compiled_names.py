"""torchvision beside another build of PyTorch than its own: its compiled operators cannot load, but its Python needs only their names."""

from __future__ import annotations

from importlib import metadata

import pytest

_COMPILED = """nms qnms roi_align _roi_align_backward roi_pool _roi_pool_backward ps_roi_align _ps_roi_align_backward
ps_roi_pool _ps_roi_pool_backward deform_conv2d _deform_conv2d_backward""".split()
_kept: list[object] = []  # a library's names go with it


def name_torchvision_operators() -> None:
    """Make `import torchvision` work, also where transformers does it; skips the module where torchvision is not installed."""
    import torch

    try:
        built_for = metadata.version("torchvision").partition("+")[2]
    except metadata.PackageNotFoundError:
        pytest.skip("torchvision is not installed", allow_module_level=True)
    if built_for != torch.__version__.partition("+")[2] and not _kept:
        library = torch.library.Library("torchvision", "FRAGMENT")
        for name in _COMPILED:
            library.define(f"{name}(Tensor x) -> Tensor")
        _kept.append(library)
