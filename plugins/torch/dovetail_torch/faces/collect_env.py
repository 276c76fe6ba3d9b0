"""``dovetail.utils.collect_env``: what a report of a problem says about the machine."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sys
from collections import namedtuple
from typing import Any

import dovetail as dv

__all__ = ["SystemEnv", "get_env_info", "get_pretty_env_info", "main", "pretty_str"]

_PACKAGES = ("numpy", "cupy-cuda13x", "cupy-cuda12x", "ml_dtypes", "opt_einsum", "scipy", "safetensors")
SystemEnv = namedtuple("SystemEnv", "torch_version python_version os cpu_count cuda_available nvidia_gpu_models packages plugins")


def get_env_info() -> Any:
    """The versions of Dovetail, Python and packages, the machine, and the plugins, by PyTorch's field names where it has them.

    >>> get_env_info().cuda_available == str(dv.cuda.is_available())
    True
    """
    packages = {name: _version(name) for name in _PACKAGES}
    return SystemEnv(
        torch_version=f"dovetail {dv.__version__}",
        python_version=f"{sys.version.splitlines()[0]} ({platform.architecture()[0]} runtime)",
        os=platform.platform(),
        cpu_count=os.cpu_count(),
        cuda_available=str(dv.cuda.is_available()),
        nvidia_gpu_models=", ".join(dv.cuda.get_device_name(i) for i in range(dv.cuda.device_count())) or "none",
        packages=", ".join(f"{name} {version}" for name, version in packages.items() if version),
        plugins=", ".join(plugin.label for plugin in dv.plugins.installed()),
    )


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""


def pretty_str(envinfo: Any) -> str:
    """The same in lines."""
    return "\n".join(f"{name.replace('_', ' ')}: {value}" for name, value in envinfo._asdict().items())


def get_pretty_env_info() -> str:
    """`get_env_info` in lines."""
    return pretty_str(get_env_info())


def main() -> None:
    """Print it."""
    print("Collecting environment information...")
    print(get_pretty_env_info())
