"""Sound for Dovetail: clips, a log-mel transform, spoken commands and a small network that knows them; see dovetail.toml."""

__version__ = "0.1.0"
