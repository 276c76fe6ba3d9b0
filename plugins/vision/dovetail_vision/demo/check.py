"""Count the right answers of a saved model in a process of its own: ``python -m dovetail_vision.demo.check FILE DEVICE``."""

from __future__ import annotations

import sys

import dovetail

from .task import answers, open_task

__all__ = ["main"]


def main(path: str, device: str) -> None:
    """Print how many held-out digits the model in a file answers right."""
    task = open_task(dovetail.device(device))
    model = dovetail.load(path, map_location=device)
    print(int((answers(model, task) == task.labels).sum()))


if __name__ == "__main__":
    main(*sys.argv[1:])
