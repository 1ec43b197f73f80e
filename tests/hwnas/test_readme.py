"""What the README shows runs."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


def test_the_python_block_runs(walk: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (block,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    # Shorter, not different: one epoch and a few evaluations.
    shorter = block.replace('strategy="sandwich"', 'strategy="sandwich", epochs=1').replace("evaluations=200", "evaluations=6")
    assert shorter != block
    assert "evaluations=6" in shorter
    shutil.copy(walk.device, tmp_path / "device.json")
    monkeypatch.chdir(tmp_path)
    exec(compile(shorter, "README.md", "exec"), {})
    assert (tmp_path / "best.onnx").stat().st_size > 1000
    assert (tmp_path / "report.html").exists()
    assert (tmp_path / "runs" / "front" / "verify.json").exists()


def test_every_command_shown_exists(cli: Any) -> None:
    shown = set(re.findall(r"^    hwnas (\w+)", README, re.MULTILINE))
    assert {"profile", "fit", "predict", "train", "search", "verify", "export", "report"} <= shown
    for command in shown:
        code, out, _ = cli(command, "--help")
        assert code == 0
        options = set(re.findall(r"--[a-z-]+", out))
        for line in re.findall(rf"^    hwnas {command}\b.*$", README, re.MULTILINE):
            assert set(re.findall(r"--[a-z-]+", line)) <= options, line


def test_pictures_and_links_are_there() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (Path(__file__).parents[2] / target).exists(), target
