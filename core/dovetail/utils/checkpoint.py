"""Checkpointing under PyTorch's path, and the names around it that change nothing in a result."""

from __future__ import annotations

from contextlib import nullcontext
from enum import Enum
from typing import Any

from ..autograd.checkpoint import CheckpointError, checkpoint, checkpoint_sequential, noop_context_fn
from ..autograd.node import CLASSES

__all__ = [
    "CheckpointError", "CheckpointPolicy", "checkpoint", "checkpoint_sequential", "create_selective_checkpoint_contexts",
    "detach_variable", "noop_context_fn", "set_checkpoint_debug_enabled", "set_checkpoint_early_stop",
]  # fmt: skip

CheckpointPolicy = Enum(
    "CheckpointPolicy", "MUST_SAVE PREFER_SAVE MUST_RECOMPUTE PREFER_RECOMPUTE MUST_CPU_OFFLOAD PREFER_CPU_OFFLOAD", start=0
)

CheckpointPolicy.__doc__ = "What PyTorch's selective checkpoints may do with the result of an operation."


def create_selective_checkpoint_contexts(policy_fn_or_list: Any, allow_cache_entry_mutation: bool = False) -> tuple[Any, Any]:
    """Contexts for `checkpoint`. The policy is not asked: everything is computed again, and gradients are those of any policy."""
    if not callable(policy_fn_or_list) and not isinstance(policy_fn_or_list, list):
        raise TypeError("policy_fn_or_list must be either a function or a list of ops.")
    return noop_context_fn()


def set_checkpoint_debug_enabled(enabled: bool | None) -> Any:
    """A block in which PyTorch's errors of `checkpoint` have more text; ours name the operations always."""
    return nullcontext()


def set_checkpoint_early_stop(enable: bool) -> Any:
    """A block in which PyTorch stops (or not) the second run after the last value it needs; ours runs to the end always."""
    return nullcontext()


def detach_variable(inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    """The values, of which the tensors are leaves that require gradients where the given ones do."""
    if not isinstance(inputs, tuple):
        raise RuntimeError(f"Only tuple of tensors is supported. Got Unsupported input type: {type(inputs).__name__}")
    return tuple(t.detach().requires_grad_(t.requires_grad) if t.__class__ in CLASSES else t for t in inputs)
