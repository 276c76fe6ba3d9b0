"""Which function serves which kind of tensor: the table behind every function of v2, open to kinds of one's own."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import PIL.Image

from dovetail import Tensor
from dovetail.errors import TypeMismatch, ValueRangeError

from ....tv_tensors import BoundingBoxes, Image, KeyPoints, Mask, TVTensor, Video, wrap

__all__ = ["attach", "dispatched", "face", "is_pure_tensor", "kernel_for", "register_kernel"]

Function = Callable[..., Any]
REGISTRY: dict[Function, dict[type, Function]] = {}
_BUILT_IN = (Image, Video, Mask, BoundingBoxes, KeyPoints, TVTensor)
_KNOWN = ("format", "canvas_size", "clamping_mode")


def is_pure_tensor(inpt: Any) -> bool:
    """Whether it is a tensor that does not say what it is."""
    return isinstance(inpt, Tensor) and not isinstance(inpt, TVTensor)


def dispatched(function: Function, *kinds: type, name: str = "inpt") -> Function:
    """A function of PIL images and tensors that also takes images and videos (or ``kinds``), and what is attached to it."""

    @functools.wraps(function)
    def call(inpt: Any = None, *args: Any, **kwargs: Any) -> Any:
        inpt = kwargs.pop(name, None) if inpt is None else inpt
        if isinstance(inpt, TVTensor):
            return kernel_for(call, type(inpt))(inpt, *args, **kwargs)
        return function(inpt, *args, **kwargs)

    first, *others = inspect.signature(function).parameters.values()
    call.__signature__ = inspect.Signature([first.replace(name=name), *others])  # type: ignore[attr-defined]
    own = dict.fromkeys((Tensor, PIL.Image.Image), function)
    REGISTRY[call] = own | dict.fromkeys(kinds or (Image, Video), _rewrapped(function))
    return call


def _rewrapped(function: Function) -> Function:
    def call(inpt: Any, *args: Any, **kwargs: Any) -> Any:
        out = function(inpt.as_subclass(Tensor), *args, **kwargs)
        return tuple(wrap(part, like=inpt) for part in out) if isinstance(out, tuple) else wrap(out, like=inpt)

    return call


def attach(functional: Function, kind: type) -> Callable[[Function], Function]:
    """Make a kernel of plain tensors serve a kind: it is given those arguments that it names, and what the tensor knows of itself.

    A kernel that returns two things returns the new canvas size as the second.
    """
    signature = inspect.signature(functional)

    def decorate(kernel: Function) -> Function:
        wanted = list(inspect.signature(kernel).parameters)[1:]

        def call(inpt: Any, *args: Any, **kwargs: Any) -> Any:
            given = signature.bind(inpt, *args, **kwargs).arguments
            given |= {name: getattr(inpt, name) for name in _KNOWN if hasattr(inpt, name)}
            out = kernel(inpt.as_subclass(Tensor), **{name: given[name] for name in wanted if name in given})
            return wrap(out[0], like=inpt, canvas_size=out[1]) if isinstance(out, tuple) else wrap(out, like=inpt)

        REGISTRY[functional][kind] = call
        return kernel

    return decorate


def kernel_for(functional: Function, kind: type, passing: bool = False) -> Function:
    """What serves a class or the nearest one above it. Raises a TypeMismatch (TypeError) where nothing does, unless ``passing``."""
    table = REGISTRY.get(functional)
    if table is None:
        return functional
    for above in kind.__mro__:
        if above in table:
            return table[above]
        if above is TVTensor:  # a kind of one's own is not taken for an image
            break
    if passing:
        return lambda inpt, *args, **kwargs: inpt
    names = ", ".join(sorted(known.__name__ for known in table))
    raise TypeMismatch(functional.__name__, f"inpt is {kind.__name__}", f"expected one of {names}", "register_kernel adds kinds")


def register_kernel(functional: Function | str, tv_tensor_cls: type) -> Callable[[Function], Function]:
    """Decorate what a function of ``v2.functional`` (or its name) does to a class of tensors of one's own.

    The kernel gets the tensor and, by name, the arguments of the function, and returns a tensor of the class. Raises a ValueRangeError
    (ValueError) for a function or a class that takes none.

    >>> import dovetail
    >>> from dovetail_vision.transforms.v2 import RandomHorizontalFlip
    >>> from dovetail_vision.tv_tensors import TVTensor, wrap
    >>> class Depth(TVTensor): pass
    >>> @register_kernel("horizontal_flip", Depth)
    ... def flipped(depth):
    ...     return wrap(depth.flip(-1), like=depth)
    >>> RandomHorizontalFlip(p=1.0)(dovetail.tensor([1, 2]).as_subclass(Depth))
    Depth([2, 1])
    """
    from .. import functional as everything

    found = getattr(everything, functional, None) if isinstance(functional, str) else functional
    if found not in REGISTRY:
        what = f"functional is {functional if isinstance(functional, str) else getattr(functional, '__name__', functional)!r}"
        raise ValueRangeError("register_kernel", what, "expected a function of transforms.v2.functional that takes tensors, or its name")
    if not (isinstance(tv_tensor_cls, type) and issubclass(tv_tensor_cls, TVTensor)) or tv_tensor_cls in _BUILT_IN:
        raise ValueRangeError("register_kernel", f"tv_tensor_cls is {tv_tensor_cls!r}", "expected a subclass of TVTensor of your own")
    if tv_tensor_cls in REGISTRY[found]:
        what = f"{found.__name__} has a kernel for {tv_tensor_cls.__name__} already"
        raise ValueRangeError("register_kernel", what, "expected one kernel a class")

    signature = inspect.signature(found)

    def decorate(kernel: Function) -> Function:
        def call(inpt: Any, *args: Any, **kwargs: Any) -> Any:
            _, *given = signature.bind(inpt, *args, **kwargs).arguments.items()
            return kernel(inpt, **dict(given))

        REGISTRY[found][tv_tensor_cls] = call
        return kernel

    return decorate


def face(functional: Function, kind: str) -> Function:
    """A function for plain tensors that hold an image or a video, under torchvision's name of it."""
    function = REGISTRY[functional][Tensor]
    first, *others = inspect.signature(function).parameters.values()

    def call(*args: Any, **kwargs: Any) -> Any:
        return function(kwargs.pop(kind), *args, **kwargs) if kind in kwargs else function(*args, **kwargs)

    call.__name__ = call.__qualname__ = f"{functional.__name__}_{kind}"
    call.__doc__ = f"``{functional.__name__}`` of a plain tensor that holds {'an image' if kind == 'image' else 'a video'}."
    call.__signature__ = inspect.Signature([first.replace(name=kind), *others])  # type: ignore[attr-defined]
    return call
