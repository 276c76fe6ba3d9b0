"""state_dict and load_state_dict: a module's tensors by dotted name, out and in."""

from __future__ import annotations

import warnings
from collections import OrderedDict, namedtuple
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from ..autograd.modes import no_grad
from ..autograd.node import Handle, Tensor
from ..errors import AssertedError, DovetailError, TypeMismatch
from ._hooks import add
from .parameter import Parameter, is_lazy

_EXTRA_STATE_KEY_SUFFIX = "_extra_state"


class StateDictError(DovetailError, RuntimeError):
    """A state dict that does not fit a module: it names missing, unexpected and mis-shaped keys."""


class _IncompatibleKeys(namedtuple("_IncompatibleKeys", ("missing_keys", "unexpected_keys"))):
    """What load_state_dict(strict=False) left out."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "<All keys matched successfully>" if not self.missing_keys and not self.unexpected_keys else super().__repr__()

    __str__ = __repr__


class _State:
    """The methods of Module that give its tensors by name and take them back."""

    def get_extra_state(self) -> Any:
        """Return what is saved beside the tensors; to be written by modules that have such."""
        raise NotImplementedError("get_extra_state is not implemented")

    def set_extra_state(self, state: Any) -> None:
        """Take back what ``get_extra_state`` returned."""
        raise NotImplementedError("set_extra_state is not implemented")

    def state_dict(self, *args: Any, destination: Any = None, prefix: str = "", keep_vars: bool = False) -> Any:
        """Return every parameter and persistent buffer by dotted name, detached unless ``keep_vars``."""
        if args:
            destination, prefix, keep_vars = (*args, *(destination, prefix, keep_vars)[len(args) :])  # type: ignore[misc]
        if destination is None:
            destination = OrderedDict()
            destination._metadata = OrderedDict()
        if hasattr(destination, "_metadata"):
            destination._metadata[prefix[:-1]] = {"version": self._version}
        for hook in list(self._state_dict_pre_hooks.values()):
            hook(self, prefix, keep_vars)
        self._save_to_state_dict(destination, prefix, keep_vars)
        for name, module in self._modules.items():
            if module is not None:
                module.state_dict(destination=destination, prefix=f"{prefix}{name}.", keep_vars=keep_vars)
        for hook in list(self._state_dict_hooks.values()):
            new = hook(self, destination, prefix, {"version": self._version})
            if new is not None and getattr(hook, "_from_public_api", False):
                raise StateDictError("state_dict post-hook must return None")
            destination = destination if new is None else new
        return destination

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        for name, t in _saved(self).items():
            destination[prefix + name] = t if keep_vars or is_lazy(t) else t.detach()
        if _has_extra(self, "get"):
            destination[prefix + _EXTRA_STATE_KEY_SUFFIX] = self.get_extra_state()

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> Any:
        """Copy tensors in by name (or take them over, with ``assign``).

        Raises a StateDictError (RuntimeError) that names every missing, unexpected and mis-shaped key; nothing is copied
        then, so that a module is never half loaded.
        """
        if not isinstance(state_dict, Mapping):
            raise TypeMismatch("load_state_dict", f"Expected state_dict to be dict-like, got {type(state_dict)}")
        given = OrderedDict(state_dict)
        metadata = getattr(state_dict, "_metadata", None) or {}
        missing: list[str] = []
        unexpected: list[str] = []
        errors: list[str] = []
        writes: list[Callable[[], None]] = []

        hooks: list[tuple[Any, Callable[..., Any]]] = []

        def load(module: Any, given: Any, prefix: str) -> None:
            local = {**metadata.get(prefix[:-1], {}), "_writes": writes, **({"assign_to_params_buffers": True} if assign else {})}
            module._load_from_state_dict(given, prefix, local, True, missing, unexpected, errors)
            for name, below in module._modules.items():
                if below is not None:
                    path = f"{prefix}{name}."
                    load(below, {k: v for k, v in given.items() if k.startswith(path)}, path)
            hooks.extend((module, hook) for hook in module._load_state_dict_post_hooks.values())

        def check() -> None:
            named = (("Missing", missing), ("Unexpected", unexpected)) if strict else ()
            keyed = [f"{kind} key(s) in state_dict: " + ", ".join(f'"{k}"' for k in keys) + ". " for kind, keys in named if keys]
            head = unexpected[0].split(".")[0] + "." if strict and unexpected else ""
            if head and missing and unexpected == [head + k for k in missing]:  # as DataParallel and compile leave them
                keyed.append(f'nn.modules.utils.consume_prefix_in_state_dict_if_present(state_dict, "{head}") takes the prefix off.')
            if keyed or errors:
                found = StateDictError("\n\t".join([f"Error(s) in loading state_dict for {type(self).__name__}:", *keyed, *errors]))
                if any("size mism" in e for e in errors):  # beside the message, which is PyTorch's
                    found.add_note("Load what fits with strict=False, when these keys are taken out.")
                raise found

        load(self, given, "")
        if errors or not hooks:  # hooks may take keys off the lists, and see the module loaded
            check()
        for write in writes:
            write()
        result = _IncompatibleKeys(missing, unexpected)
        for module, hook in hooks:
            if hook(module, result) is not None:
                raise AssertedError("Hooks of register_load_state_dict_post_hook are not expected to return new values")
        check()
        return result

    def _load_from_state_dict(
        self, state_dict: Any, prefix: str, local_metadata: Any, strict: bool, missing_keys: list[str], unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:  # fmt: skip
        """Plan the copies of one module; subclasses may change `state_dict` first."""
        for hook in list(self._load_state_dict_pre_hooks.values()):
            hook(state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs)
        own_writes: list[Callable[[], None]] = []  # done here when a subclass calls with metadata of its own
        writes, assign = local_metadata.get("_writes", own_writes), local_metadata.get("assign_to_params_buffers", False)
        own = _saved(self)
        for name, target in own.items():
            key = prefix + name
            if key in state_dict:
                _plan(self, name, key, target, state_dict[key], assign, writes, error_msgs)
            else:
                missing_keys.append(key)
        extra = prefix + _EXTRA_STATE_KEY_SUFFIX
        if _has_extra(self, "set") and extra in state_dict:
            writes.append(lambda: self.set_extra_state(state_dict[extra]))
        elif _has_extra(self, "set"):
            missing_keys.append(extra)
        elif extra in state_dict:
            unexpected_keys.append(extra)
        for key in state_dict:
            if key.startswith(prefix) and key != extra:
                first, dot, _ = key[len(prefix) :].partition(".")
                if first not in (self._modules if dot else own):
                    unexpected_keys.append(key)
        for write in own_writes:
            write()

    def register_state_dict_pre_hook(self, hook: Callable[..., Any]) -> Handle:
        """Call ``hook(module, prefix, keep_vars)`` before a state dict is made."""
        return add(self, "_state_dict_pre_hooks", hook)

    def register_state_dict_post_hook(self, hook: Callable[..., Any]) -> Handle:
        """Call ``hook(module, state_dict, prefix, metadata)`` after it is made."""
        hook._from_public_api = True  # type: ignore[attr-defined]
        return add(self, "_state_dict_hooks", hook)

    def _register_state_dict_hook(self, hook: Callable[..., Any]) -> Handle:
        """The form of old programs: what the hook returns takes the place of the state dict."""
        return add(self, "_state_dict_hooks", hook)

    def register_load_state_dict_post_hook(self, hook: Callable[..., Any]) -> Handle:
        """Call ``hook(module, incompatible_keys)`` after loading."""
        return add(self, "_load_state_dict_post_hooks", hook)

    def register_load_state_dict_pre_hook(self, hook: Callable[..., Any]) -> Handle:
        """Call ``hook(module, state_dict, prefix, metadata, strict, missing, unexpected, errors)`` before loading."""
        return self._register_load_state_dict_pre_hook(hook, with_module=True)

    def _register_load_state_dict_pre_hook(self, hook: Callable[..., Any], with_module: bool = False) -> Handle:
        """The form of old programs: the hook sees the module only when asked."""
        return add(self, "_load_state_dict_pre_hooks", partial(hook, self) if with_module else hook)


def _saved(module: Any) -> dict[str, Any]:
    """What of a module a state dict holds: parameters, then persistent buffers, where they are there."""
    kept = {**module._parameters, **{n: b for n, b in module._buffers.items() if n not in module._non_persistent_buffers_set}}
    return {name: t for name, t in kept.items() if t is not None}


def _has_extra(module: Any, way: str) -> bool:
    name = f"{way}_extra_state"
    return getattr(type(module), name) is not getattr(_State, name)


def _plan(
    module: Any, name: str, key: str, target: Any, value: Any, assign: bool, writes: list[Callable[[], None]], errors: list[str]
) -> None:
    """Check one tensor, and note the copy for when all have been checked."""
    if not isinstance(value, Tensor):
        errors.append(
            f'While copying the parameter named "{key}", expected Tensor or Tensor-like object from checkpoint but received {type(value)}'
        )
        return
    if is_lazy(value):
        if not is_lazy(target):
            what = "it is uninitialized in the checkpoint. Run a forward before saving. "
            errors.append(f'While copying the parameter named "{key}": {what}')
        return
    if is_lazy(target):
        writes.append(lambda: target.materialize(value.shape))
    elif target._a.ndim == 0 and value._a.ndim == 1:
        value = value[0]
    elif value._a.shape != target._a.shape:
        shapes = f"{value.shape} from checkpoint, the shape in current model is {target.shape}."
        errors.append(f"size mismatch for {key}: copying a param with shape {shapes}")
        return
    elif not assign and value.is_meta and not target.is_meta:
        errors.append(f'While copying the parameter named "{key}": Cannot copy out of meta tensor; no data!')
        return
    elif not assign and target.is_meta and not value.is_meta:
        text = f"for {key}: copying from a non-meta parameter in the checkpoint to a meta parameter in the current model"
        warnings.warn(f"{text}, which is a no-op. (Did you mean to pass `assign=True` to take what is in the checkpoint?)", stacklevel=4)

    def write() -> None:
        if assign and name in module._parameters:
            new = value if isinstance(value, Parameter) else Parameter(value)
            return setattr(module, name, new.requires_grad_(target.requires_grad))
        if assign:
            return setattr(module, name, value)
        with no_grad():
            target.copy_(value)

    writes.append(write)
