"""Promises about the source as a whole: its size, its layers, what it may call and what it may import."""
