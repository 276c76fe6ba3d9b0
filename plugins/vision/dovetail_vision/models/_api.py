"""torchvision's ``weights=``: enums of trained weights, made from the manifest's rows, and builders that take them by name."""

from __future__ import annotations

import functools
import inspect
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import Enum
from fnmatch import filter as matching
from functools import partial
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar, get_args, get_type_hints

from dovetail import hub, nn, plugins, weights
from dovetail.errors import TypeMismatch, UnknownNameError, ValueRangeError

__all__ = ["Weights", "WeightsEnum", "get_model", "get_model_builder", "get_model_weights", "get_weight", "list_models", "register_model"]

M = TypeVar("M", bound=Callable[..., nn.Module])
N = TypeVar("N", bound=nn.Module)
_BUILDERS: dict[str, Callable[..., nn.Module]] = {}


class UnknownWeights(UnknownNameError, KeyError):
    """A name that an enum of weights does not have."""


@dataclass
class Weights:
    """What is known of one set of trained weights: ``url``, ``transforms`` (makes the transform of its inputs) and ``meta``.

    ``key`` is the one in the manifest, by which its file is fetched and pinned; weights of one's own may leave it out.
    """

    url: str
    transforms: Callable[..., Any]
    meta: dict[str, Any]
    key: str = field(default="", repr=False)

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        """Equal url, meta and transforms; two partials of the same function and arguments are the same."""
        if not isinstance(other, Weights):
            return NotImplemented
        one, two = ((w.func, w.args, w.keywords) if isinstance(w, partial) else w for w in (self.transforms, other.transforms))
        return self.url == other.url and self.meta == other.meta and one == two

    def get_state_dict(
        self, model_dir: str | None = None, map_location: Any = None, progress: bool = True, check_hash: bool = False,
        file_name: str | None = None, weights_only: bool = False,
    ) -> dict[str, Any]:  # fmt: skip
        """The tensors by name; fetched, checked and kept. Arguments as those of ``hub.load_state_dict_from_url``."""
        if self.key and model_dir is None and file_name is None:
            return weights.load(self.key, progress, map_location)
        return hub.load_state_dict_from_url(self.url, model_dir, map_location, progress, check_hash, file_name, weights_only)


class WeightsEnum(Enum):
    """The trained weights of one model: members are named as in torchvision, their values are `Weights`."""

    @classmethod
    def verify(cls, obj: Any) -> Any:
        """Give the member for itself, its name (``"IMAGENET1K_V1"``, also after the enum's) or None. Raises a TypeError or KeyError."""
        if obj is None or isinstance(obj, cls):
            return obj
        if type(obj) is not str:
            raise TypeMismatch(cls.__name__, f"weights is {obj!r}", f"expected a {cls.__name__}, the name of one, or None")
        name = obj.replace(f"{cls.__name__}.", "")
        if name not in cls.__members__:
            raise UnknownWeights(cls.__name__, f"there is no {name!r}", f"expected one of {', '.join(cls.__members__)}")
        return cls[name]

    def get_state_dict(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """The tensors by name; fetched, checked and kept. Arguments as those of ``hub.load_state_dict_from_url``."""
        return self.value.get_state_dict(*args, **kwargs)

    def __repr__(self) -> str:
        return f"{type(self).__name__}.{self.name}"

    @property
    def url(self) -> str:
        """Where the file is fetched from."""
        return self.value.url

    @property
    def transforms(self) -> Callable[..., Any]:
        """Makes the transform that prepares images."""
        return self.value.transforms

    @property
    def meta(self) -> dict[str, Any]:
        """``categories``, ``num_params``, ``min_size``, ``recipe`` and figures."""
        return self.value.meta


def weights_enum(name: str, model: str, module: str) -> type[WeightsEnum]:
    """The enum of the manifest's weights of ``model``; a variant ``imagenet1k_v1`` becomes the member ``IMAGENET1K_V1``."""
    order = lambda key: (not key.endswith("legacy"), len(key), key)  # noqa: E731 (COCO_LEGACY first, V2 before SWAG_…_V1)
    rows = [weights.get(key) for key in sorted(weights.list(f"{model}@*"), key=order)]
    members = [(row.key.partition("@")[2].upper(), from_row(row)) for row in rows]
    members += [("DEFAULT", value) for row, (_, value) in zip(rows, members, strict=True) if row.default or len(rows) == 1]
    return WeightsEnum(name, members, module=module)  # type: ignore[return-value]


#: What every family of torchvision's imports, and programs therefore import from any of them: the module that has it here.
_SHARED = {
    "Weights": "models._api", "WeightsEnum": "models._api", "register_model": "models._api",
    **dict.fromkeys(("IntermediateLayerGetter", "_make_divisible", "handle_legacy_interface", "_ovewrite_named_param"), "models._utils"),
    "_ovewrite_value_param": "models._utils",
    **dict.fromkeys(("_IMAGENET_CATEGORIES", "_COCO_CATEGORIES", "_COCO_PERSON_CATEGORIES", "_VOC_CATEGORIES"), "models._meta"),
    "_COCO_PERSON_KEYPOINT_NAMES": "models._meta",
    **dict.fromkeys(("ImageClassification", "ObjectDetection", "SemanticSegmentation"), "transforms._presets"),
    "InterpolationMode": "transforms", "_log_api_usage_once": "utils",
}  # fmt: skip
_DETECTORS = {
    "overwrite_eps": "models.detection._utils",
    **dict.fromkeys(("_mobilenet_extractor", "_resnet_fpn_extractor", "_validate_trainable_layers"), "models.detection.backbone_utils"),
    "GeneralizedRCNNTransform": "models.detection.transform", "LastLevelP6P7": "ops.feature_pyramid_network",
    **dict.fromkeys(("resnet50", "mobilenet_v3_large", "vgg16"), "models"),
}  # fmt: skip


def _borrowed(module: str, name: str) -> Any:
    """What torchvision's module of a family has of others; an AttributeError for anything else."""
    home = _SHARED.get(name) or ("models" if name.endswith("_Weights") else _DETECTORS.get(name) if ".detection." in module else None)
    if home is None:
        raise AttributeError(f"module {module!r} has no attribute {name!r}")
    return getattr(import_module(f"dovetail_vision.{home}"), name)


def lazy_enums(module: str, enums: dict[str, str]) -> Callable[[str], Any]:
    """What is the ``__getattr__`` of a family: its enums, by name and model, are made from the manifest when they are first asked for."""

    def __getattr__(name: str) -> Any:
        if name not in enums:
            return _borrowed(module, name)
        return vars(import_module(module)).setdefault(name, weights_enum(name, f"vision/{enums[name]}", module))

    return __getattr__


def from_row(row: Any) -> Weights:
    """A row of the manifest in torchvision's form."""
    meta = row.meta or {}
    megabytes = {"_file_size": round(row.bytes / 2**20, 3)} if row.bytes else {}
    about = {
        "min_size": tuple(meta.get("min_size", (1, 1))),
        "categories": categories_of(meta),
        "num_params": meta.get("num_params") or plugins.models.get(row.model).params,
        "recipe": meta.get("recipe"),
        "_metrics": {meta.get("dataset", ""): row.metrics or {}},
        "_ops": meta.get("ops"),
        "_file_size": meta.get("file_size"),
        **megabytes,
        "_docs": row.summary or "",
        **({"license": meta["license"]} if "license" in meta else {}),
        **({"keypoint_names": _categories(meta["keypoint_names"])} if "keypoint_names" in meta else {}),
    }
    settings = {name: tuple(v) if isinstance(v, list) else v for name, v in (row.transforms_config or {}).items()}
    prepare = partial(plugins.transforms.load(row.transforms), **settings) if row.transforms else nn.Identity
    return Weights(row.url or row.file or "", prepare, about, row.key)


def categories_of(meta: dict[str, Any]) -> list[str] | None:
    """The names of the classes that a row's ``meta`` gives: a list of them, or the name of one of the lists in ``data/``."""
    given = meta.get("categories")
    return _categories(given) if isinstance(given, str) else given


@functools.cache
def _categories(name: str) -> list[str]:
    return Path(__file__).with_name("data").joinpath(f"{name}.txt").read_text(encoding="utf-8").splitlines()


# -------------------------------------------------------------------------------------------------- builders


def register_model(name: str | None = None) -> Callable[[M], M]:
    """Make a builder known to `get_model` and `list_models`, under its own name or ``name``. A ValueError when that is taken."""

    def register(fn: M) -> M:
        key = fn.__name__ if name is None else name
        if key in _BUILDERS:
            raise ValueRangeError("register_model", f"an entry is already registered under the name {key!r}")
        _BUILDERS[key] = fn
        return fn

    return register


def takes_weights(enum: str, backbone: str = "") -> Callable[[M], M]:
    """Register a builder whose ``weights`` are members of ``enum``, an attribute of its module that is made when it is first asked for.

    The builder gets a member, `Weights` or None; names, entries of the registry and the old ``pretrained`` are settled here; and likewise
    ``weights_backbone``, where ``backbone`` is an enum of classifiers, with ``pretrained_backbone``; a member written behind it is what
    the latter means.
    """

    def wrap(fn: M) -> M:
        allowed = [name for name, p in inspect.signature(fn).parameters.items() if p.kind is p.KEYWORD_ONLY]

        @functools.wraps(fn)
        def build(*args: Any, **kwargs: Any) -> nn.Module:
            kwargs = positional(fn.__name__, allowed, args, kwargs)
            given = kwargs.get("weights")
            if hasattr(given, "plugin") and hasattr(given, "fields"):  # what models.create gives: a row of any plugin
                kwargs["weights"] = from_row(given)
            else:
                _settle(fn.__name__, kwargs, "weights", "pretrained", members)
            if backbone:
                classifiers, _, first = backbone.partition(".")
                below = functools.partial(getattr, import_module(__package__), classifiers)
                _settle(fn.__name__, kwargs, "weights_backbone", "pretrained_backbone", below, first)
            return fn(**kwargs)

        def members() -> type[WeightsEnum]:
            return getattr(import_module(fn.__module__), enum)

        build.weights_enum = members  # type: ignore[attr-defined]
        return register_model()(build)  # type: ignore[return-value]

    return wrap


def positional(builder: str, allowed: list[str], args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """Arguments by position, which torchvision still takes, with a warning."""
    named = dict(zip(allowed, args, strict=False))
    if len(args) > len(allowed):
        raise TypeMismatch(builder, f"it got {len(args)} positional arguments", f"expected {', '.join(allowed)} at most")
    if named:
        warnings.warn(f"{builder}: {' and '.join(named)} by position is deprecated since torchvision 0.13; write the name", stacklevel=3)
    return {**kwargs, **named}


def _settle(builder: str, kwargs: dict[str, Any], name: str, old: str, members: Callable[[], type[WeightsEnum]], first: str = "") -> None:
    """Put a member of the enum, or None, in the place of its name or of what was ``old``."""
    given = kwargs.get(name)
    if old in kwargs and name not in kwargs:
        kwargs[name] = _legacy(builder, kwargs.pop(old), members(), old, first)
    elif not (given is None or isinstance(given, WeightsEnum | str)):
        kwargs[name] = _legacy(builder, given, members(), name, first)
    elif given is not None:
        kwargs[name] = members().verify(given)


def _legacy(builder: str, pretrained: Any, enum: type[WeightsEnum], name: str, first: str = "") -> WeightsEnum | None:
    """What ``pretrained=True`` means: the first weights that there were."""
    usual = (name for name in ("IMAGENET1K_V1", "COCO_V1", "COCO_WITH_VOC_LABELS_V1") if name in enum.__members__)
    first = "COCO_LEGACY" if pretrained == "legacy" and "COCO_LEGACY" in enum.__members__ else first or next(usual, "")
    if pretrained and not first:
        raise ValueRangeError(builder, f"{name} is {pretrained!r}", f"it has no weights of that time, but {', '.join(enum.__members__)}")
    chosen = enum[first] if pretrained else None
    text = f"{builder}: {name}={pretrained!r} is deprecated since torchvision 0.13; it means weights={chosen!r}"
    warnings.warn(text + (f"; the best ones are {enum.__name__}.DEFAULT" if chosen else ""), stacklevel=3)
    return chosen


def with_classes(kwargs: dict[str, Any], chosen: Any) -> dict[str, Any]:
    """Set ``num_classes`` to what the weights have; a ValueError when another is given."""
    count = len(chosen.meta["categories"] or ())
    if count and kwargs.setdefault("num_classes", count) != count:
        raise ValueRangeError("weights", f"num_classes is {kwargs['num_classes']}", f"{chosen!r} has {count} classes", "leave it out")
    return kwargs


def build(weights: Any, progress: bool, model: Callable[..., N], /, *args: Any, **kwargs: Any) -> N:
    """``model(*args, **kwargs)`` with the classes of ``weights`` and their values, where there are any."""
    built = model(*args, **(kwargs if weights is None else with_classes(kwargs, weights)))
    if weights is not None:
        built.load_state_dict(weights.get_state_dict(progress=progress, check_hash=True))
    return built


def _all_builders() -> dict[str, Callable[..., nn.Module]]:
    models = import_module(__package__)
    for package in (models, *(import_module(f"{__package__}.{name}") for name in models.PACKAGES)):
        for family in package.FAMILIES:
            import_module(f"{package.__name__}.{family}")
    return _BUILDERS


def list_models(
    module: ModuleType | None = None, include: Iterable[str] | str | None = None, exclude: Iterable[str] | str | None = None
) -> list[str]:
    """The names of all builders, sorted: those of ``module``, that match a shell pattern of ``include``, and none of ``exclude``.

    >>> list_models(include="resnet*")
    ['resnet101', 'resnet152', 'resnet18', 'resnet34', 'resnet50']
    """
    found = {n for n, fn in _all_builders().items() if module is None or fn.__module__.rpartition(".")[0] == module.__name__}
    patterns, against = ([one] if isinstance(one, str) else list(one or ()) for one in (include, exclude))
    chosen = {name for pattern in patterns for name in matching(found, pattern)} if patterns else found
    return sorted(chosen - {name for pattern in against for name in matching(found, pattern)})


def get_model_builder(name: str) -> Callable[..., nn.Module]:
    """The function that builds the model ``name``. A ValueError when there is none."""
    found = _all_builders().get(name.lower())
    if found is None:
        raise UnknownNameError("get_model", f"unknown model {name!r}", f"expected one of {', '.join(list_models())}")
    return found


def get_model(name: str, **config: Any) -> nn.Module:
    """Build the model ``name``; ``config`` goes to its builder.

    >>> get_model("resnet18", num_classes=10).fc.out_features
    10
    """
    return get_model_builder(name)(**config)


def get_model_weights(name: Callable[..., nn.Module] | str) -> type[WeightsEnum]:
    """The enum of a model's weights, by its builder or its name. A ValueError when it has none.

    >>> list(get_model_weights("resnet50"))
    [ResNet50_Weights.IMAGENET1K_V1, ResNet50_Weights.IMAGENET1K_V2]
    """
    builder = get_model_builder(name) if isinstance(name, str) else name
    if hasattr(builder, "weights_enum"):
        return builder.weights_enum()
    hint = get_type_hints(builder).get("weights")
    found = [one for one in (hint, *get_args(hint)) if isinstance(one, type) and issubclass(one, WeightsEnum)]
    if not found:
        raise ValueRangeError("get_model_weights", f"{builder} has no weights", "expected a parameter weights of a WeightsEnum")
    return found[0]


def get_weight(name: str) -> WeightsEnum:
    """The member by its full name, ``"ResNet50_Weights.IMAGENET1K_V2"``. A ValueError or KeyError when there is none.

    >>> get_weight("ResNet50_Weights.DEFAULT").meta["_metrics"]
    {'ImageNet-1K': {'acc@1': 80.858, 'acc@5': 95.434}}
    """
    enum, dot, member = name.partition(".")
    if not dot or "." in member:
        raise ValueRangeError("get_weight", f"name is {name!r}", 'expected "ResNet50_Weights.DEFAULT" or the like')
    models = import_module(__package__)
    homes = (models, *(import_module(f"{__package__}.{package}") for package in models.PACKAGES))
    found = next((getattr(home, enum) for home in homes if hasattr(home, enum)), None)
    if not (isinstance(found, type) and issubclass(found, WeightsEnum)):
        raise ValueRangeError("get_weight", f"there is no enum {enum!r}", "expected one of dovetail_vision.models")
    return found.verify(member)
