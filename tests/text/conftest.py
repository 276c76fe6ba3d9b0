"""The hub is out of reach, and what `datasets` caches goes into a folder of this run."""

from __future__ import annotations

import os
import tempfile

_home = tempfile.TemporaryDirectory(prefix="dovetail-text-")
os.environ["HF_HOME"] = _home.name
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
