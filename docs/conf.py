"""Sphinx configuration."""

project = "hwnas"
extensions = ["myst_parser"]
html_theme = "furo"
html_title = "hwnas"
exclude_patterns = ["_build"]
myst_heading_anchors = 3
