"""`dovetail demo`: a small network learns the handwritten digits, shows what it learned, and is loaded again from its file."""
