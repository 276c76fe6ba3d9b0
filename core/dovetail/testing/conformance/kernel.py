"""Checks of kernels: the same as the core's own reference on the sample rows of their op, forward and gradient."""

from __future__ import annotations

from .case import Subject, check

__all__: list[str] = []


@check("kernels")
def its_op_is_there(subject: Subject) -> None:
    """The op that the kernel replaces exists."""
    from ...ops._op import OPS

    assert subject.fields["op"] in OPS, f"there is no op {subject.fields['op']!r}"
