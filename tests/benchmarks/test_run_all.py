"""Whoever runs all benchmarks runs all of them, with arguments that they take."""

from __future__ import annotations

import ast
import runpy
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "benchmarks"


def test_none_is_left_out():
    found = runpy.run_path(str(FOLDER / "run_all.py"))
    programs = {path.name for path in FOLDER.glob("*.py") if '__name__ == "__main__"' in path.read_text(encoding="utf-8")}
    assert found["MINUTES"].keys() | found["HOURS"].keys() == programs - {"run_all.py"}


def test_arguments_are_known():
    found = runpy.run_path(str(FOLDER / "run_all.py"))
    for name, arguments in {**found["MINUTES"], **found["HOURS"]}.items():
        text = (FOLDER / name).read_text(encoding="utf-8")
        words = [node.value for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
        for option in (word for word in arguments.split() if word.startswith("--")):
            assert option in words or option[2:].replace("-", "_") in words or option[2:] in words, (name, option)
