"""Whether the compiled part of torchvision is there: its operators are here without one."""

from __future__ import annotations

__all__: list[str] = []


def _has_ops() -> bool:
    return True


def _assert_has_ops() -> None:
    """Nothing to refuse: every operator is Python or a kernel of the core."""


def _check_cuda_version() -> int:
    """No compiled CUDA part, so no version of it."""
    return -1
