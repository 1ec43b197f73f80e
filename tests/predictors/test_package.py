from __future__ import annotations

import subprocess
import sys

import pytest

import predictors


def test_every_name_is_there() -> None:
    assert all(getattr(predictors, name) is not None for name in predictors.__all__)
    assert callable(predictors.load)
    assert callable(predictors.covering)


def test_unknown_names_are_attribute_errors() -> None:
    with pytest.raises(AttributeError, match="no attribute 'lode'"):
        predictors.lode  # noqa: B018


def test_the_function_is_found_whatever_was_imported_first() -> None:
    code = "import predictors.cost_table, predictors.covering; from predictors import covering; print(type(covering).__name__)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "function\n"
