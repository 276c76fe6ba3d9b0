"""Settings of the documentation site (`make docs`)."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

project = "Dovetail"
author = "The Dovetail authors"
copyright = author
extensions = ["myst_nb", "sphinx_design", "sphinx_copybutton", "sphinx.ext.viewcode"]
extensions += ["_ext.pages", "_ext.reference", "_ext.coverage", "_ext.mathml", "_ext.pad"]
extensions += ["_ext.notebooks", "_ext.registry", "_ext.live", "_ext.backlinks"]
extensions += ["_ext.imports"]
exclude_patterns = ["_build", "_ext"]
nitpicky = False
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 100
toc_object_entries_show_parents = "hide"
add_module_names = False
viewcode_line_numbers = True

CHINESE = "'Noto Sans CJK SC', 'PingFang SC', 'Microsoft YaHei'"

# Pages. Links inside stay inside: nothing is loaded from another host, formulas are MathML.
source_suffix = {".md": "myst-nb"}
myst_enable_extensions = ["colon_fence", "dollarmath", "attrs_inline", "deflist"]
myst_heading_anchors = 3
html_math_renderer = "mathml"
html_title = "Dovetail"
html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_logo = "_static/logo.svg"
html_favicon = "_static/favicon.svg"
html_show_sphinx = False
html_copy_source = False
templates_path = ["_templates"]
pygments_style = "a11y-high-contrast-light"
pygments_dark_style = "github-dark"
html_theme_options = {
    "sidebar_hide_name": False,
    "light_css_variables": {
        "color-brand-primary": "#8a4b1f",
        "color-brand-content": "#96501f",
        "color-brand-visited": "#7a5a3c",
        "color-api-name": "#8a4b1f",
        "color-api-pre-name": "#6b5a49",
        "font-stack": f"system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', {CHINESE}, sans-serif",
        "font-stack--monospace": f"ui-monospace, 'Cascadia Code', 'SF Mono', Menlo, Consolas, 'DejaVu Sans Mono', {CHINESE}, monospace",
    },
    "dark_css_variables": {
        "color-brand-primary": "#e6a96b",
        "color-brand-content": "#e9b27c",
        "color-brand-visited": "#cfa27d",
        "color-api-name": "#e9b27c",
    },
}
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

# Pages that run. Outputs are kept as long as neither the page nor any source of the packages changes.
nb_execution_mode = "cache"
nb_execution_timeout = 600
nb_execution_raise_on_error = True
nb_execution_in_temp = True
nb_merge_streams = True
os.environ.setdefault("MATPLOTLIBRC", str(HERE / "matplotlibrc"))
os.environ["DOVETAIL_DOCS"] = str(HERE)
# the kernel in _ext/kernels: quiet, and one thread for the matrix products
os.environ["JUPYTER_PATH"] = str(HERE / "_ext")


def _fingerprint() -> str:
    digest = hashlib.sha256()
    for top in ("core", "plugins", "examples"):
        for path in sorted((HERE.parent / top).rglob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


_kept = HERE / "_build" / "executed" / _fingerprint()
for _old in set(_kept.parent.glob("*")) - {_kept}:
    shutil.rmtree(_old, ignore_errors=True)
nb_execution_cache_path = str(_kept)
