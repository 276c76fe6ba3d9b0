"""Every module of torchvision by its path: its public names, and of its classes the public methods, attributes and arguments.

The modules that have no counterpart, and the names that are torchvision's own workings, are listed; anything else that is missing fails.
"""

from __future__ import annotations

import enum
import importlib
import inspect
import pkgutil
import warnings
from types import ModuleType
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("PIL")

from dovetail_torch.moved import counterpart
from tests.parity.torchvision_oracle import torchvision

pytestmark = pytest.mark.parity
tv = torchvision()

#: Video and optical flow models, quantized ones, the compiled parts, and what registers those with PyTorch.
ABSENT = (
    "_C", "_C_stable", "_autograd_registrations", "_meta_registrations", "image", "io._video_deprecation_warning", "io.video",
    "models.optical_flow", "models.quantization", "models.video", "ops._register_onnx_ops", "prototype",
    "tv_tensors._torch_function_helpers",
)  # fmt: skip
#: Type variables, and names that serve torchvision's own files alone.
WORKINGS = {
    "D", "IN_FBCODE", "M", "T", "T_co", "V", "W", "accimage", "kwonly_to_pos_or_kw", "lazy_compile", "maybe_cast",
    "expand_masks_tracing_scale", "BUILTIN_MODELS", "DualGraphModule", "LeafModuleAwareTracer", "NodePathTracer",
    "mv3_all", "USER_AGENT", "BroadcastingList2", "OpticalFlow", "RandomTransforms", "VideoClassification",
    "grayscale_to_rgb_image_pil",
}  # fmt: skip
#: Modules of which nothing but `wrap_dataset_for_transforms_v2` is for others.
ALL_WORKINGS = {"tv_tensors._dataset_wrapper"}
#: Of classes: what TorchScript needs, and downloads that only tell that they are no longer possible.
UNSEEN = {
    "any_requires_grad", "call_checkpoint_bottleneck", "define_relative_position_index", "download_url_prefix", "annot_file",
    "parse_test_annotations_file", "parse_train_val_annotations_file",
}  # fmt: skip
#: Private names that programs are known to use.
USED = """
_utils.StrEnum
_utils.sequence_to_str
datasets.cifar.CIFAR10._check_integrity
datasets.mnist.MNIST._check_exists
datasets.utils._decompress
datasets.utils._get_google_drive_file_id
datasets.utils._read_pfm
datasets.vision.VisionDataset._format_transform_repr
datasets.vision.VisionDataset._repr_indent
datasets.voc._VOCBase
extension._has_ops
models._utils._make_divisible
models.detection.faster_rcnn._default_anchorgen
models.detection.faster_rcnn._validate_trainable_layers
models.detection.ssd._vgg_extractor
models.detection.ssdlite._mobilenet_extractor
models.detection.ssdlite._prediction_block
models.efficientnet._efficientnet
models.efficientnet._efficientnet_conf
models.resnet._resnet
models.vision_transformer._vision_transformer
ops._box_convert._box_cxcywh_to_xyxy
ops._box_convert._box_xyxy_to_cxcywh
ops._utils._cat
ops._utils._loss_inter_union
ops._utils._upcast
ops.boxes._batched_nms_coordinate_trick
ops.boxes._batched_nms_vanilla
ops.boxes._box_inter_union
ops.boxes._upcast
ops.poolers._convert_to_roi_format
ops.poolers._infer_scale
ops.poolers._multiscale_roi_align
ops.poolers._setup_scales
transforms.functional._get_inverse_affine_matrix
transforms.functional._get_perspective_coeffs
transforms.functional._interpolation_modes_from_int
transforms.functional._is_numpy
transforms.functional._is_numpy_image
transforms.functional._is_pil_image
transforms.transforms._check_sequence_input
transforms.transforms._interpolation_modes_from_int
transforms.transforms._setup_angle
transforms.transforms._setup_size
utils._log_api_usage_once
utils._make_ntuple
""".split()


def _modules() -> list[str]:
    names = (one.name.removeprefix("torchvision.") for one in pkgutil.walk_packages(tv.__path__, "torchvision."))
    return sorted(name for name in names if not any(name == gone or name.startswith(f"{gone}.") for gone in ABSENT))


with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    MODULES = _modules()


def _both(name: str) -> tuple[ModuleType, ModuleType]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.import_module(f"torchvision.{name}"), counterpart("dovetail_vision", name)


def _arguments(function: Any) -> list[str] | None:
    try:
        return [p.name for p in inspect.signature(function).parameters.values() if p.kind is not p.KEYWORD_ONLY]
    except (TypeError, ValueError):
        return None


def _own(kind: type) -> dict[str, Any]:
    """What torchvision's classes of a class's line bring, without what is private."""
    found: dict[str, Any] = {}
    for base in reversed(kind.__mro__):
        if base.__module__.startswith("torchvision"):
            found |= {name: value for name, value in vars(base).items() if not name.startswith("_")}
    return found


def _of_class(theirs: type, ours: type) -> list[str]:
    gone = []
    for name, value in _own(theirs).items():
        if name in UNSEEN or name.isupper():
            continue
        if not hasattr(ours, name):
            gone.append(f"{theirs.__name__}.{name}")
        elif inspect.isfunction(value):
            want, got = _arguments(value), _arguments(getattr(ours, name))
            if want is not None and got is not None and got[: len(want)] != want and "kwargs" not in got:
                gone.append(f"{theirs.__name__}.{name}{tuple(want)} is {tuple(got)}")
    return gone


def missing(name: str) -> list[str]:
    """What a module of torchvision's has of its own and its counterpart lacks."""
    theirs, ours = _both(name)
    gone = []
    for one, value in vars(theirs).items():
        home = str(getattr(value, "__module__", ""))
        if one.startswith("_") or one in WORKINGS or isinstance(value, ModuleType) or not home.startswith("torchvision"):
            continue
        if not hasattr(ours, one):
            if name not in ALL_WORKINGS and home == theirs.__name__:  # what it merely imports is asked for where it is
                gone.append(one)
        elif inspect.isclass(value) and home == theirs.__name__ and not issubclass(value, enum.Enum):
            gone += _of_class(value, getattr(ours, one))
    return gone


# ---- tests
@pytest.mark.parametrize("name", MODULES)
def test_public_names(name):
    assert missing(name) == []


def test_the_names_at_the_top():
    ours = importlib.import_module("dovetail_vision")
    assert [one for one in vars(tv) if inspect.isfunction(vars(tv)[one]) and not one.startswith("_") and not hasattr(ours, one)] == []


def test_the_list_of_what_is_absent_is_short():
    for name in ABSENT:
        with pytest.raises(ModuleNotFoundError):
            counterpart("dovetail_vision", name)


@pytest.mark.parametrize("path", USED)
def test_private_names_that_programs_use(path):
    parts = path.split(".")
    split = next(i for i in range(len(parts), 0, -1) if ".".join(parts[:i]) in MODULES)
    for found in _both(".".join(parts[:split])):
        for part in parts[split:]:
            found = getattr(found, part)
