"""Modules of PyTorch's that only ported programs ask for; the manifest says under which names of ``dovetail`` they are reached."""
