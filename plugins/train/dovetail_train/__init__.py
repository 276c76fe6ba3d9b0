"""Training for days: a loop with callbacks, `dovetail train`, and a view inside the model; see dovetail.toml for what there is."""

from __future__ import annotations
