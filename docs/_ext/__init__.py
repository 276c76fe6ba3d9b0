"""What the documentation site needs beside Sphinx: the reference, pages that are completed when read, and formulas."""
