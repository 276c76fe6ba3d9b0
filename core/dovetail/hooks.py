"""Every hook point of Dovetail: its signature, what it is for, what it must return, and what happens when it fails.

Read this first. *Registration hooks* say what a plugin has; the rows of its ``dovetail.toml`` answer them without any code.
*Behaviour hooks* change what the core does; a plugin implements them in the module that its manifest names:

    hooks = { module = "dovetail_audio.hooks", implements = ["build_model"] }

and there, with pluggy's own rules (ask for the arguments that you need, ``tryfirst``, ``trylast``, ``wrapper``):

    from dovetail.hooks import hookimpl

    @hookimpl
    def build_model(entry, config): ...

Implementations are called in the order of their distributions' names, never in the order of installation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .plugins.registry import Entry

    hookimpl: Callable[..., Any]
    hookspec: Callable[..., Any]

# The two markers are made on first use, so that pluggy is not imported before.
__all__ = ["HOOKS", "HOOK_API", "Hook", "hookimpl", "hookspec"]

#: The version of everything in this file, apart from the package's own version. A new hook or argument raises the minor number.
HOOK_API = (1, 2)

#: What a registration hook returns: key → fields, as in the manifest's table of that kind.
Rows = dict[str, dict[str, Any]]

# What happens when an implementation raises.
SKIP = "the plugin is marked failed and all of its answer is left out; the others are not touched"
RAISE = "the exception goes to the caller, with a note that names the plugin, the hook and how to switch the plugin off"
FORMAT = "a FormatError for this file, caused by the exception; one that is a FormatError already passes as it is"
WORKER = "the worker loads nothing: the exception comes out of the loader where its first batch was due, with a note that names the plugin"
CHECK = "a failed check with the exception as its text; the other checks go on"


class Hook:
    """One hook point: its specification and the promises about it."""

    __slots__ = ("claim", "deprecated", "first_result", "name", "on_error", "since", "spec")

    def __init__(self, spec: Callable[..., Any], since: str, first_result: bool, on_error: str, claim: str) -> None:
        self.name, self.spec, self.since, self.on_error = spec.__name__, spec, since, on_error
        self.first_result = first_result  # the first answer that is not None counts; else the answers of all are a list
        self.claim = claim  # the table of the manifest that decides which one plugin is asked, such as "formats"
        self.deprecated: str | dict[str, str] = ""  # what to use instead: of the whole hook, or of single arguments by name


#: Every hook by name.
HOOKS: dict[str, Hook] = {}


def _hook(*, since: str, first_result: bool = False, on_error: str, claim: str = "") -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def declare(spec: Callable[..., Any]) -> Callable[..., Any]:
        HOOKS[spec.__name__] = Hook(spec, since, first_result, on_error, claim)
        return spec

    return declare


# ------------------------------------------------------------------------------------------------ registration


@_hook(since="1.0", on_error=SKIP)
def register_models() -> Rows:
    """Models, ``"ns/name"``; the target builds one. Fields: target, summary, tags, params, license, paper."""


@_hook(since="1.0", on_error=SKIP)
def register_weights() -> Rows:
    """Trained weights, ``"ns/name@variant"``. Fields: model, url or file, sha256, bytes, license, transforms, metrics."""


@_hook(since="1.0", on_error=SKIP)
def register_datasets() -> Rows:
    """Datasets, ``"ns/name"``; the target opens one. Fields: target, url, sha256, bytes, license, splits, citation."""


@_hook(since="1.0", on_error=SKIP)
def register_transforms() -> Rows:
    """Transforms, ``"ns/name"``; the target builds one. Fields: target, summary."""


@_hook(since="1.0", on_error=SKIP)
def register_tokenizers() -> Rows:
    """Tokenizers, ``"ns/name"``; the target builds one. Fields: target, summary."""


@_hook(since="1.0", on_error=SKIP)
def register_metrics() -> Rows:
    """Metrics, ``"ns/name"``; the target builds one. Fields: target, summary."""


@_hook(since="1.0", on_error=SKIP)
def register_layers() -> Rows:
    """Layers, ``"ns/Name"``; the target is the class. Fields: target, summary."""


@_hook(since="1.0", on_error=SKIP)
def register_optimizers() -> Rows:
    """Optimizers, ``"ns/Name"``; the target is the class. Fields: target, summary."""


@_hook(since="1.0", on_error=SKIP)
def register_formats() -> Rows:
    """File formats, a claim on a suffix such as ``".wav"``. Fields: target, magic, summary."""


@_hook(since="1.0", on_error=SKIP)
def register_devices() -> Rows:
    """Devices, a claim on a device type. Fields: target, summary."""


@_hook(since="1.0", on_error=SKIP)
def register_kernels() -> Rows:
    """Kernels, a claim on an op, a device and element types. Fields: target, device, dtypes."""


@_hook(since="1.0", on_error=SKIP)
def register_lowerings() -> Rows:
    """Lowerings of an op into a foreign graph format, a claim on both. Fields: target, format."""


@_hook(since="1.0", on_error=SKIP)
def register_commands() -> Rows:
    """Commands, a claim on ``dovetail NAME``; the target is a click command or a function of the arguments. Fields: target, summary."""


# --------------------------------------------------------------------------------------------------- behaviour


@_hook(since="1.0", first_result=True, on_error=RAISE)
def build_model(entry: Entry, config: dict[str, Any], weights: Any) -> Any:
    """Build the model of ``models.create``: return the module, or None to leave it to the next; the core calls ``entry.load()``.

    What is written into ``config`` is saved with the model, which is built again with it.
    """


@_hook(since="1.0", first_result=True, on_error=RAISE)
def build_dataset(entry: Entry, root: Any, split: str | None, options: dict[str, Any]) -> Any:
    """Open the dataset of ``datasets.load``: return it, or None to leave it to the next; the core calls ``entry.load()``."""


@_hook(since="1.1", first_result=True, on_error=FORMAT, claim="formats")
def decode_sample(data: bytes, kind: str, limits: dict[str, int]) -> Any:
    """Turn the bytes of one sample of a claimed format (``kind`` is its suffix) into an array, a tensor or a type of one's own.

    ``limits["elements"]`` is the largest number of elements to allocate; more is refused before anything is allocated.
    """


@_hook(since="1.1", first_result=True, on_error=FORMAT, claim="formats")
def open_weights(path: str, head: bytes) -> Any:
    """Read a file of a claimed format for ``dovetail.load``: return a dict of tensors. ``head`` holds its first 64 bytes."""


@_hook(since="1.1", first_result=True, on_error=FORMAT, claim="formats")
def save_weights(format: str, path: str, tensors: dict[str, Any], metadata: dict[str, str]) -> Any:
    """Write a dict of tensors in a claimed format for ``dovetail.save``, to a temporary file that the core renames; return True."""


@_hook(since="1.1", first_result=True, on_error=RAISE, claim="collates")
def collate(samples: list[Any]) -> Any:
    """Make a batch of samples of a claimed element type, which ``default_collate`` does not know: return the batch."""


@_hook(since="1.2", on_error=WORKER)
def worker_init(worker_id: int, num_workers: int, seed: int) -> None:
    """Prepare a worker process of a DataLoader, before its ``worker_init_fn``; ``seed`` is what its random numbers start from."""


@_hook(since="1.2", first_result=True, on_error=RAISE, claim="schemes")
def fetch(url: str, target: str, sha256: str, size: int | None, progress: bool) -> Any:
    """Fetch a URL of a claimed scheme (``"hf"`` of ``hf://…``) into the new file ``target``; return True.

    The core hashes what was written, compares it with what was declared, and puts it in place; ``sha256`` is empty where it is not known.
    """


@_hook(since="1.1", on_error=CHECK)
def doctor() -> list[tuple[str, bool, str]]:
    """Checks for ``dovetail doctor``: (what was looked at, whether it is well, what was seen or is to be done)."""


def __getattr__(name: str) -> Any:
    if name not in ("hookimpl", "hookspec"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import pluggy

    globals().update(hookimpl=pluggy.HookimplMarker("dovetail"), hookspec=pluggy.HookspecMarker("dovetail"))
    return globals()[name]
