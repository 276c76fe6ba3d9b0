"""The `dovetail` command line: the core's own commands by name, each imported when it is run."""

from __future__ import annotations

__all__ = ["COMMANDS", "main"]

#: Command → (target, summary). The commands of plugins come from their manifests; they cannot take these names.
COMMANDS: dict[str, tuple[str, str]] = {
    "doctor": ("dovetail.cli.manage:doctor", "Look at the installation: versions, folders, plugins, what plugins check themselves."),
    "plugins": ("dovetail.cli.plugins:plugins", "See which plugins are installed and what they bring."),
    "search": ("dovetail.cli.manage:search", "Find models, datasets and everything else that plugins bring, by words."),
    "weights": ("dovetail.cli.weights:weights", "See, fetch and pin the trained weights that plugins bring."),
}


def main() -> None:
    """Run the command line; the entry point of the `dovetail` script."""
    from .main import dovetail

    dovetail(prog_name="dovetail")
