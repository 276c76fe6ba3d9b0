"""Names of ``torch.hub`` that packages with weights of their own take beside `load_state_dict_from_url`."""

from __future__ import annotations

import os
import re
from urllib.parse import urlparse

import dovetail as dv

__all__ = ["HASH_REGEX", "urlparse"]

HASH_REGEX = re.compile(r"-([a-f0-9]*)\.")  # of a file's name, the first characters of its SHA-256


def _get_torch_home() -> str:
    """The folder in which that of the hub lies."""
    return os.path.dirname(dv.hub.get_dir())
