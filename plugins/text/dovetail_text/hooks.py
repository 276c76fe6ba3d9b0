"""What happens when: folders of Hugging Face become models."""

from __future__ import annotations

import os
from dataclasses import asdict
from typing import Any

from dovetail.extend import hookimpl

__all__ = ["build_model"]


@hookimpl
def build_model(entry: Any, config: dict[str, Any], weights: Any) -> Any:
    """``models.create("text/bert", weights=Path("folder"))``: the folder's config.json, changed by ``config``, and its weights."""
    architecture = entry.fields.get("architecture") if entry.plugin.name == "text" else None
    if architecture is None or not isinstance(weights, os.PathLike) or not os.path.isdir(weights):
        return None
    from . import models

    model = getattr(models, architecture).from_pretrained(weights, **config)
    config.update(asdict(model.config))  # so that a file of the model alone builds it again
    return model
