"""Sphinx configuration."""

project = "hwnas"
extensions = ["myst_parser", "sphinx.ext.autodoc"]
html_theme = "furo"
html_title = "hwnas"
exclude_patterns = ["_build"]
myst_heading_anchors = 3

# Docstrings write names between single backquotes.
default_role = "literal"
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
python_maximum_signature_line_length = 100
# Signatures can be read without the packages that only run them.
autodoc_mock_imports = ["torch", "safetensors"]
