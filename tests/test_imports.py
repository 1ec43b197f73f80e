"""The direction of imports, and that importing a package costs nothing heavy."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ORDER = ("device_profiles", "predictors", "hwnas")
HEAVY = ("torch", "sklearn", "xgboost", "scipy", "pandas", "pymoo", "plotly", "onnx", "onnxruntime")


def imported(path: Path) -> set[str]:
    """The top-level names that a file imports, anywhere in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.split(".")[0])
    return names


@pytest.mark.parametrize("package", ORDER)
def test_imports_point_downwards(package: str) -> None:
    above = set(ORDER[ORDER.index(package) + 1 :])
    files = list((ROOT / package).rglob("*.py"))
    assert files
    for file in files:
        assert not imported(file) & above, f"{file.relative_to(ROOT)} imports upwards"


def test_no_pickle_and_no_relative_imports() -> None:
    for package in ORDER:
        for file in (ROOT / package).rglob("*.py"):
            assert not imported(file) & {"pickle", "cloudpickle", "dill", "joblib", "shelve", "marshal"}, file
            levels = [n.level for n in ast.walk(ast.parse(file.read_text())) if isinstance(n, ast.ImportFrom)]
            assert not any(levels), file


@pytest.mark.parametrize(
    ("package", "never"), [("device_profiles", {"torch", "sklearn", "xgboost", "scipy", "pandas"}), ("predictors", {"torch"})]
)
def test_packages_below_never_name_what_only_the_top_needs(package: str, never: set[str]) -> None:
    # PyTorch is also a runtime that is measured, in a child process of its own.
    measured = set((ROOT / "device_profiles" / "runtimes").glob("torch*.py"))
    for file in set((ROOT / package).rglob("*.py")) - measured:
        assert not imported(file) & never, file


@pytest.mark.parametrize(
    "module",
    [*ORDER, "hwnas.spaces", "hwnas.search", "hwnas.run", "hwnas.front", "hwnas.objectives", "hwnas.report", "hwnas.data", "hwnas.cli"],
)
def test_importing_loads_nothing_heavy(module: str) -> None:
    code = f"import sys, {module}; print([m for m in {HEAVY!r} if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert ast.literal_eval(result.stdout) == []
