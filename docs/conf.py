"""Settings of the documentation site (`make docs`)."""

from __future__ import annotations

project = "Dovetail"
author = "The Dovetail authors"
copyright = author
extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 3
html_theme = "furo"
html_title = "Dovetail"
