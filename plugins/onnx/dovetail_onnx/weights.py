"""The weights in an ONNX file, without the graph around them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import dovetail as dv
from dovetail.errors import FormatError

from .reading import Tensors, parse

__all__ = ["example", "read"]


def read(path: str) -> dict[str, dv.Tensor]:
    """The initializers of a model by name, as tensors; data in other files only where those lie in the model's folder.

    Raises a FormatError for a file that is no ONNX model, or whose tensors it cannot hold.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     example(Path(folder) / "a.onnx")
    ...     {name: tuple(t.shape) for name, t in read(f"{folder}/a.onnx").items()}
    {'w': (2, 3), 'b': (2,)}
    """
    file = Path(path)
    model = parse(path, file.read_bytes())
    tensors = Tensors(path, file.parent)
    found: dict[str, dv.Tensor] = {}
    for tensor in model.graph.initializer:
        if not isinstance(tensor.name, str):
            raise FormatError(path, None, f"a tensor has the name {tensor.name!r}; expected UTF-8")
        try:
            found[tensor.name] = dv.from_numpy(tensors.array(tensor))
        except TypeError as error:
            raise FormatError(path, None, f"tensor {tensor.name!r}: {error}") from error
    return found


def example(path: Path) -> None:
    """Write a small model, for the tests."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    arrays = {"w": np.arange(6, dtype="float32").reshape(2, 3), "b": np.zeros(2, "float32")}
    weights = [numpy_helper.from_array(array, name) for name, array in arrays.items()]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 2])
    graph = helper.make_graph([helper.make_node("Gemm", ["x", "w", "b"], ["y"], transB=1)], "example", [x], [y], weights)
    onnx.save(helper.make_model(graph), path)
