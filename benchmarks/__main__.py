"""`make bench`: overhead, training, memory and the first step, or those named: `make bench ARGS="memory first_step"`.

Arguments that begin with a dash, and what follows them, go to the training benchmark: `make bench ARGS="--only mlp"` runs that alone. All
write their figures into build/bench.json, from which `python -m benchmarks.page` writes the tables of the documentation.
"""

from __future__ import annotations

import sys

from benchmarks import (
    build,
    c99,
    checkpoint,
    first_step,
    footprint,
    growth,
    loading,
    memory,
    nonfinite,
    ops,
    overhead,
    training,
    winograd,
)  # fmt: skip

PARTS = {
    "overhead": lambda: overhead.main([]), "training": lambda: training.main([]), "memory": lambda: memory.main([]),
    "first_step": lambda: first_step.main(), "winograd": lambda: winograd.main([]), "growth": lambda: growth.main([]),
    "loading": lambda: loading.main([]),
    "checkpoint": lambda: checkpoint.main([]),
    "build": lambda: build.main(),
    "nonfinite": lambda: nonfinite.main(),
    "c99": lambda: c99.main([]),
    "ops": lambda: ops.main([]),
    "footprint": lambda: footprint.main(),
    "peers": lambda: training.main(["--columns", "jax,tinygrad"]),
}  # fmt: skip
USUAL = ("overhead", "training", "memory", "first_step")


def main(arguments: list[str]) -> int:
    """Run the parts that are named, or the usual ones; exit code 1 when a bar is missed."""
    if arguments and arguments[0].startswith("-"):
        return training.main(arguments)
    names = list(PARTS) if arguments == ["all"] else arguments or list(USUAL)
    if unknown := [name for name in names if name not in PARTS]:
        print(f"bench: there is no {unknown[0]!r}; there are {', '.join(PARTS)}, and all", file=sys.stderr)
        return 2
    code = 0
    for name in names:
        print(f"\n== {name}", flush=True)
        code |= PARTS[name]()
    return code


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
