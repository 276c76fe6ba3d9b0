"""What a peer begins with: the weights and the inputs of our build of a case, as NumPy arrays."""

from __future__ import annotations

from typing import Any

__all__ = ["parts"]


def parts(case: str, sizes: dict[str, int]) -> tuple[dict[str, Any], list[Any]]:
    """Weights by their PyTorch names, and inputs; random numbers are PyTorch's, so both are the same in every worker."""
    import dovetail as dv
    from benchmarks.workloads import CASES

    dv.manual_seed(0)
    built = CASES[case](dv, **sizes)
    named = built.model.named_parameters() if built.model is not None else ()
    return {name: p.detach().numpy().copy() for name, p in named}, [x.detach().numpy().copy() for x in built.inputs]
