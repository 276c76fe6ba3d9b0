"""Lowerings, one file a family: functions ``(g, *arguments of the op) -> Ref``, named in the manifest under ``[lowerings]``."""
