"""Formulas as MathML, which browsers draw by themselves: no script, and nothing loaded from elsewhere."""

from __future__ import annotations

from typing import Any

from docutils import nodes
from docutils.utils.math import latex2mathml

__all__ = ["setup"]


def _write(self: Any, node: Any, block: bool) -> None:
    tree = latex2mathml.tex2mathml(node.astext(), as_block=block)
    self.body.append(f'<div class="math-block">{tree}</div>' if block else tree)
    raise nodes.SkipNode


def setup(app: Any) -> None:
    """Give Sphinx the renderer `mathml`."""
    inline, block = (lambda self, node: _write(self, node, False)), (lambda self, node: _write(self, node, True))
    app.add_html_math_renderer("mathml", inline_renderers=(inline, None), block_renderers=(block, None))
