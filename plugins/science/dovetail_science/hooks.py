"""What happens when: MATLAB files, and the plugin's checks."""

from __future__ import annotations

from typing import Any

from dovetail.extend import hookimpl


@hookimpl
def open_weights(path: str) -> dict[str, Any]:
    """Read a `.mat` file for ``dovetail.load``."""
    from .matlab import read

    return read(path)


@hookimpl
def save_weights(path: str, tensors: dict[str, Any]) -> bool:
    """Write a `.mat` file for ``dovetail.save``."""
    from .matlab import write

    write(path, tensors)
    return True


@hookimpl
def doctor() -> list[tuple[str, bool, str]]:
    """Say which SciPy there is, and that it computes."""
    import scipy
    from scipy.special import gammainc

    well = abs(float(gammainc(1.0, 1.0)) - 0.6321205588) < 1e-9
    return [("SciPy", well, scipy.__version__ if well else f"{scipy.__version__} computes gammainc(1, 1) wrongly; reinstall it")]
