"""A wheel built from the tree installs and runs where nothing else is installed."""

from __future__ import annotations

import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    # A copy of what git tracks: a build in the tree itself would leave its folders there.
    source = folder / "source"
    files = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in files.splitlines():
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", str(folder), str(source)]
    subprocess.run(command, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


def test_wheel_holds_code_types_and_page_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names}
    assert {t for t in tops if not t.endswith(".dist-info")} == {"hwnas", "predictors", "device_profiles"}
    assert "hwnas/report/page.html.j2" in names
    assert "hwnas/report/style.css" in names
    for package in ("hwnas", "predictors", "device_profiles"):
        assert f"{package}/py.typed" in names


def test_wheel_runs_in_an_environment_with_only_its_base_dependencies(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "env", with_pip=True)
    python = str(tmp_path / "env" / "bin" / "python")
    constraints = str(ROOT / "constraints.txt")
    subprocess.run([python, "-m", "pip", "install", "--quiet", "-c", constraints, str(wheel)], check=True, capture_output=True)
    installed = subprocess.run([python, "-m", "pip", "freeze"], capture_output=True, text=True, check=True).stdout.lower()
    assert "torch" not in installed
    assert "xgboost" not in installed
    script = str(tmp_path / "env" / "bin" / "hwnas")
    shown = subprocess.run([script, "--help"], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert "quickstart" in shown.stdout
    refused = subprocess.run(
        [script, "train", "--space", "mobilenet-small", "--data", "digits"], capture_output=True, text=True, cwd=tmp_path
    )
    assert refused.returncode == 2
    assert "hwnas[train]" in refused.stderr
    assert len(refused.stderr.strip().splitlines()) == 1
