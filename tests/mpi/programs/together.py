"""Programs of this folder, one after the other in one job: ``together.py collectives.py training.py ends.py leaves``."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

programs = [argument for argument in sys.argv[1:] if argument.endswith(".py")]
sys.argv = [sys.argv[0], *(argument for argument in sys.argv[1:] if argument not in programs)]
for program in programs:
    runpy.run_path(str(Path(__file__).with_name(program)))
