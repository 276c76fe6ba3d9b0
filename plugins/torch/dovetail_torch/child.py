"""What a process that a program under `dovetail run-torch` spawns imports in its program's place: `install`, then the program."""

from __future__ import annotations

import os
import runpy

__all__: list[str] = []

if __name__ == "__mp_main__":
    from dovetail_torch.finder import install

    install()
    globals().update(runpy.run_path(os.environ["DOVETAIL_TORCH_MAIN"], run_name="__mp_main__"))
