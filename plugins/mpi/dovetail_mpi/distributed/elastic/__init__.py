"""What programs for ``torchrun`` import; `dovetail launch` starts ranks, and starts them again."""

__all__: list[str] = []
