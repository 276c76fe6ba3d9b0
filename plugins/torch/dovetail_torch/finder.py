"""The import of ``torch``, ``torchvision`` and ``torchtext`` answered with Dovetail and its plugins, from `install` to `uninstall`."""

from __future__ import annotations

import contextlib
import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from dovetail.errors import DovetailError
from dovetail.size import Spoken

from .faces.torch_version import TorchVersion
from .moved import above_others, beside, counterpart

__all__ = ["HOMES", "Missing", "install", "installed", "uninstall"]

#: Package that programs import → package that answers, and the distribution that brings it.
HOMES = {
    "torch": ("dovetail", "dovetail"),
    "torchvision": ("dovetail_vision", "dovetail-vision"),
    "torchtext": ("dovetail_text", "dovetail-text"),
    "functorch": ("dovetail_torch.faces.functorch", "dovetail"),
}
_VERSIONS = {"torch": "2.13.0+dovetail", "torchvision": "0.28.0+dovetail", "torchtext": "0.18.0+dovetail", "functorch": "2.13.0+dovetail"}


class Missing(DovetailError, ModuleNotFoundError):
    """A module of PyTorch's that has no counterpart here."""


class _Face(ModuleType):
    """The top module of a package as programs see it: the counterpart's names, under PyTorch's own version."""

    def __init__(self, name: str, home: ModuleType) -> None:
        super().__init__(name, home.__doc__)
        self.__dict__.update(__path__=[], __file__=home.__file__, _home=home, __version__=TorchVersion(_VERSIONS[name]))
        self.__dict__[name] = self  # torch.torch, as programs that were renamed by a tool have it

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name not in ("__config__", "__future__"):
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        try:
            if name == "ops" and self.__name__ == "torch":  # Dovetail's own module of that name is another thing
                return beside(name)
            return getattr(self.__dict__["_home"], name)
        except AttributeError:
            if self.__name__ == "torch":
                with contextlib.suppress(AttributeError):
                    return beside(name)
            from .advice import remedy

            raise AttributeError(f"{self.__name__}.{name}: Dovetail does not have it; {remedy(f'{self.__name__}.{name}')}") from None

    def __dir__(self) -> list[str]:
        return sorted({*dir(self.__dict__["_home"]), "__version__"})


class _Loader(Loader):
    """Gives the counterpart itself, so that classes are the same by either name."""

    def __init__(self, module: ModuleType) -> None:
        self.module, self.spec = module, module.__spec__  # a face has none, and keeps the one that the import gives it

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return self.module

    def exec_module(self, module: ModuleType) -> None:
        """Nothing runs again. A module below that has a function's name is named now: its import would put it in the function's place."""
        said = module.__spec__
        for name, below in [*sys.modules.items()] if said else ():
            above, _, last = name.rpartition(".")
            if above == module.__name__ and below is not getattr(module, last, below):
                sys.modules.setdefault(f"{said.name}.{last}", below)
        module.__spec__ = self.spec or said  # the import system has put the other name's in its place


class _Spec(ModuleSpec):
    """Says the counterpart's package, against which its own relative imports are resolved even while it is looked at."""

    @property
    def parent(self) -> str | None:
        home = getattr(self.loader, "spec", None)
        return ModuleSpec.parent.__get__(self) if home is None else home.parent


class _Finder(MetaPathFinder):
    """First on ``sys.meta_path`` while installed."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        top, _, rest = fullname.partition(".")
        if top not in HOMES:
            return None
        home, distribution = HOMES[top]
        try:
            module = counterpart(home, rest)
        except ModuleNotFoundError as error:
            from .advice import remedy

            if not (f"{error.name}.").startswith((f"{home}.", "dovetail.", f"{rest.partition('.')[0]}.")):
                raise  # a module of the program's own, or of a library, that the counterpart needs
            what = "there is no counterpart" if rest else f"{distribution} is not installed"
            raise Missing(f"import {fullname}", what, remedy(fullname) if rest else f"pip install {distribution}") from None
        if rest and above_others(rest) and not hasattr(module, "__path__"):
            module.__path__ = []
        return _Spec(fullname, _Loader(module if rest else _Face(top, module)), is_package=hasattr(module, "__path__"))


_FINDER = _Finder()
_BEFORE: dict[str, ModuleType] = {}


def installed() -> bool:
    """Whether ``import torch`` gives Dovetail."""
    return _FINDER in sys.meta_path


def install() -> None:
    """Let ``import torch``, ``torchvision`` and ``torchtext`` give Dovetail and its plugins, in this process; twice is harmless.

    What was imported under these names before is set aside until `uninstall`.

    >>> install()
    >>> import torch
    >>> torch.ones(2).sum().item(), torch.__version__
    (2.0, '2.13.0+dovetail')
    >>> uninstall()
    """
    if installed():
        return
    _BEFORE.update(_taken())
    for name in _BEFORE:
        del sys.modules[name]
    sys.meta_path.insert(0, _FINDER)
    Spoken.package = "torch"  # types and sizes print as programs know them


def uninstall() -> None:
    """Undo `install`: the names mean what they meant before."""
    if not installed():
        return
    sys.meta_path.remove(_FINDER)
    Spoken.package = "dovetail"
    for name in _taken():
        del sys.modules[name]
    sys.modules.update(_BEFORE)
    _BEFORE.clear()


def _taken() -> dict[str, ModuleType]:
    return {name: module for name, module in sys.modules.items() if name.partition(".")[0] in HOMES}
