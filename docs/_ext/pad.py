"""The drawing pad in a page: a line `[pad]: <> ()` becomes a frame with the page that `dovetail.onnx.to_web` makes when the site is built.

onnxruntime-web is fetched from the npm registry once, as `to_web` does; where it is not to be had, the page says so in the frame's place.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

__all__ = ["PLACE", "make", "setup"]

MARK = "[pad]: <> ()"
PLACE = "pad/index.html"  # in the folder of the site
FRAME = """```{{raw}} html
<iframe class="pad" src="{up}{place}" title="Drawing pad: a digit that is drawn here is read in the browser" loading="lazy"></iframe>
```"""
WITHOUT = """:::{note}
The drawing pad is not in this build of the page: onnxruntime-web was not to be had when it was made.
:::"""


def make(site: Path) -> bool:
    """Write the pad into the folder of the site; False where the runtime is not to be had."""
    import dovetail as dv
    from dovetail import models
    from dovetail.errors import DownloadError
    from dovetail.onnx import to_web
    from dovetail.vision import transforms as T

    prepare = T.Compose([T.Grayscale(), T.Resize((8, 8)), T.ToTensor(), T.Normalize((0.3,), (0.38,))])
    model = models.create("vision/digits_resnet", weights="torch").eval()
    try:
        to_web(model, site / PLACE, dv.zeros(1, 1, 8, 8), transforms=prepare, title="Draw a digit", top=3)
    except DownloadError as error:
        print(f"NOT BUILT: the drawing pad ({error})")
        return False
    return True


def _source_read(app: Any, docname: str, source: list[str]) -> None:
    if MARK not in source[0]:
        return
    there = app.builder.format == "html" and make(Path(app.outdir))
    source[0] = source[0].replace(MARK, FRAME.format(up="../" * docname.count("/"), place=PLACE) if there else WITHOUT)


def _kept(app: Any, env: Any, added: Any, changed: Any, removed: Any) -> list[str]:
    """Pages with a pad that is not in the folder of the site are read again."""
    if os.path.exists(Path(app.outdir) / PLACE):
        return []
    return [name for name in env.found_docs - set(added) - set(changed) if MARK in Path(env.doc2path(name)).read_text(encoding="utf-8")]


def setup(app: Any) -> None:
    """Make the pad when a page is read that asks for it."""
    app.connect("source-read", _source_read)
    app.connect("env-get-outdated", _kept)
