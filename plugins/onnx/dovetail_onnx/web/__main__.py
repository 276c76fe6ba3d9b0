"""`python -m dovetail_onnx.web`: fetch onnxruntime-web into the cache, and say where it is."""

from __future__ import annotations

from .runtime import folder, parts

parts()
print(folder())
