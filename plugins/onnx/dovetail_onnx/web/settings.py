"""What the page is told of a model: its inputs, how a picture becomes one of them, and how its answer is shown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from dovetail.errors import TypeMismatch, UnsupportedError, ValueRangeError

from ..summary import Value, value

__all__ = ["settings"]

_KINDS = ("auto", "draw", "image", "numbers")
_TYPES = {"float", "double", "int64", "int32", "bool", "uint8", "int8"}
_NAMES = (0.0, 1.0)  # the mean and standard deviation of pictures that are not normalized
_DRAWN = 64  # the largest picture for which a pad is offered


def settings(proto: Any, kind: str, transforms: Any, labels: Any, top: int) -> dict[str, Any]:
    """The settings of a page, as JSON has them. Raises an UnsupportedError for inputs and transforms that no page can make."""
    if kind not in _KINDS:
        raise ValueRangeError("to_web", f"kind is {kind!r}", f"expected one of {', '.join(_KINDS)}")
    if not isinstance(top, int) or top < 1:
        raise ValueRangeError("to_web", f"top is {top!r}", "expected 1 or more")
    stored = {weight.name for weight in proto.graph.initializer}
    inputs = [value(one) for one in proto.graph.input if one.name not in stored]
    _check(inputs)
    chosen = _kind(inputs, kind, transforms)
    said: dict[str, Any] = {
        "kind": chosen,
        "inputs": [{"name": one.name, "type": one.type, "shape": list(one.shape or ())} for one in inputs],
        "output": proto.graph.output[0].name,
        "labels": list(map(str, labels)) if labels is not None else [],
        "top": top,
        **_answer(proto),
    }
    if chosen != "numbers":
        said["image"] = _image(inputs[0], transforms)
    return said


def _check(inputs: list[Value]) -> None:
    if not inputs:
        raise UnsupportedError("to_web", "the model has no input", "a page has nothing to ask for")
    for one in inputs:
        if one.type not in _TYPES or one.shape is None:
            what = f"input {one} is of a type that a page cannot make"
            raise UnsupportedError("to_web", what, f"expected a tensor of {', '.join(sorted(_TYPES))}")


def _is_image(inputs: list[Value]) -> bool:
    shape = inputs[0].shape or ()
    return len(inputs) == 1 and inputs[0].type == "float" and len(shape) == 4 and shape[1] in (1, 3)


def _kind(inputs: list[Value], kind: str, transforms: Any) -> str:
    image = _is_image(inputs)
    if kind in ("draw", "image") and not image:
        what = f"kind is {kind!r}, and the model takes {', '.join(map(str, inputs))}"
        raise UnsupportedError("to_web", what, "expected one input float[n, 1 or 3, height, width]", "kind='numbers' takes any")
    if kind != "auto":
        return kind
    if not image:
        return "numbers"
    said = _image(inputs[0], transforms)
    return "draw" if said["channels"] == 1 and max(said["height"], said["width"]) <= _DRAWN else "image"


def _answer(proto: Any) -> dict[str, Any]:
    """How scores become shares: by what computes them; integers, and answers without classes, are shown as they are."""
    output = proto.graph.output[0]
    maker = next((node.op_type for node in reversed(proto.graph.node) if output.name in node.output), "")
    scores = {"Softmax": "none", "Sigmoid": "none", "LogSoftmax": "exp"}.get(maker, "softmax")
    about = value(output)
    ranked = about.type in ("float", "double") and (about.shape is None or len(about.shape) in (2, 3))
    return {"scores": scores, "ranked": ranked}


def _image(input: Value, transforms: Any) -> dict[str, Any]:
    """The planes of the input: their number and size, and how a picture of any size becomes them."""
    _, channels, height, width = input.shape or (1, 1, 1, 1)
    said: dict[str, Any] = {"channels": channels, "resize": 0, "mean": [_NAMES[0]], "std": [_NAMES[1]]}
    size: tuple[int, int] | None = None
    for step in _steps(transforms):
        match type(step).__name__:
            case "Resize":
                size, said["resize"] = _resized(step.size)
            case "CenterCrop":
                size = _pair(step.size)
            case "ImageClassification":
                size, said["resize"] = _pair(step.crop_size), _first(step.resize_size)
            case "SemanticSegmentation":
                size, said["resize"] = _resized(step.resize_size)
            case "GreyClassification":
                size, said["resize"] = (step.size, step.size), 0
            case "Grayscale" | "ToTensor" | "PILToTensor" | "ToImage" | "ToDtype" | "ConvertImageDtype" | "ToPILImage" | "Identity" | "RGB":
                continue
            case "Normalize":
                pass
            case name:
                what = f"transforms has {name}, which the page does not know"
                remedy = "pass those that a picture goes through when the model is used"
                raise UnsupportedError("to_web", what, "expected Resize, CenterCrop, Grayscale, ToTensor, Normalize or a preset", remedy)
        if hasattr(step, "mean") and hasattr(step, "std"):
            said["mean"], said["std"] = _floats(step.mean), _floats(step.std)
    fixed = (height, width) if isinstance(height, int) and isinstance(width, int) else None
    if size is not None and fixed is not None and size != fixed:
        raise ValueRangeError("to_web", f"transforms makes pictures of {size}, and the model takes {fixed}", "expected the same size")
    size = size or fixed
    if size is None:
        raise UnsupportedError(
            "to_web", f"input {input} leaves its size open", "", "pass transforms with a Resize, or export it at one size"
        )
    said |= {"height": size[0], "width": size[1]}
    small = min(size) < 20  # scans of that size are filled by what is on them; larger ones have a margin, as MNIST's have
    return said | {"margin": 0.0 if small else 4 / 28, "stroke": 0.17 if small else 0.09}


def _steps(transforms: Any) -> Iterator[Any]:
    if transforms is None:
        return
    inner = getattr(transforms, "transforms", transforms)
    if isinstance(inner, Sequence):
        for one in inner:
            yield from _steps(one)
        return
    if not hasattr(transforms, "forward") and not callable(transforms):
        raise TypeMismatch("to_web", f"transforms is {type(transforms).__name__}", "expected a transform, or a Compose of some")
    yield transforms


def _first(size: Any) -> int:
    return int(size[0] if isinstance(size, Sequence) else size)


def _pair(size: Any) -> tuple[int, int]:
    sides = list(size) if isinstance(size, Sequence) else [size]
    return (int(sides[0]), int(sides[-1]))


def _resized(size: Any) -> tuple[tuple[int, int] | None, int]:
    """(both sides, 0), or (None, the smaller edge)."""
    if size is None:
        return None, 0
    sides = list(size) if isinstance(size, Sequence) else [size]
    return ((int(sides[0]), int(sides[1])), 0) if len(sides) == 2 else (None, int(sides[0]))


def _floats(values: Any) -> list[float]:
    return [float(v) for v in (values if isinstance(values, Sequence) else [values])]
