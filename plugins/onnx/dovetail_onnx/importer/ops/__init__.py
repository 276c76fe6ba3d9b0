"""The operators, one file a family; each function has ONNX's name and attributes, and is written with Dovetail's own ops."""
