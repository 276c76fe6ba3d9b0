"""The weights in an ONNX file, without the graph around them."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

import dovetail as dv
from dovetail.errors import FormatError

__all__ = ["example", "read"]


def read(path: str) -> dict[str, dv.Tensor]:
    """The initializers of a model by name, as tensors. Data outside the file is not read.

    Raises a FormatError for a file that is no ONNX model, or whose tensors it cannot hold.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     example(Path(folder) / "a.onnx")
    ...     {name: tuple(t.shape) for name, t in read(f"{folder}/a.onnx").items()}
    {'w': (2, 3), 'b': (2,)}
    """
    import onnx
    from onnx import numpy_helper

    found: dict[str, dv.Tensor] = {}
    try:
        model = onnx.load(path, load_external_data=False)
        if not model.graph.name and not model.graph.node and not model.graph.initializer:
            raise FormatError(path, None, "holds no graph; expected an ONNX model")
        room = os.path.getsize(path)
        for tensor in model.graph.initializer:
            if tensor.data_location == onnx.TensorProto.EXTERNAL:
                raise FormatError(path, None, f"tensor {tensor.name!r} lies outside the file; expected a model that is one file")
            _refuse_more_than_is_there(path, tensor, room)
            found[tensor.name] = dv.from_numpy(np.array(numpy_helper.to_array(tensor)))
    except FormatError:
        raise
    except Exception as error:  # onnx and protobuf raise many kinds, of which DecodeError is only one
        raise FormatError(path, None, f"{type(error).__name__}: {error}") from error
    return found


def _refuse_more_than_is_there(path: str, tensor: object, room: int) -> None:
    """A tensor cannot have more elements than its file has bits (the smallest types have two an element or more)."""
    elements = 1
    for size in tensor.dims:  # type: ignore[attr-defined]
        if size < 0:
            raise FormatError(path, None, f"tensor {tensor.name!r} has the size {size}")  # type: ignore[attr-defined]
        elements *= size
    if elements > 8 * room:
        raise FormatError(path, None, f"tensor {tensor.name!r} declares {elements:,} elements in a file of {room:,} bytes")  # type: ignore[attr-defined]


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
