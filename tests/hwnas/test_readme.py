"""What the README shows in Python runs; what it says of commands and files is looked at with the documents."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
#: Shorter, not different: one epoch, a few evaluations, seconds of measuring.
SHORTER = {'strategy="sandwich"': 'strategy="sandwich", epochs=1', "evaluations=200": "evaluations=6", "budget_s=60": "budget_s=5"}


def test_the_python_block_runs(walk: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (block,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    for text, less in SHORTER.items():
        assert text in block
        block = block.replace(text, less)
    shutil.copy(walk.device, tmp_path / "device.json")
    monkeypatch.chdir(tmp_path)
    exec(compile(block, "README.md", "exec"), {})
    assert (tmp_path / "best.onnx").stat().st_size > 1000
    assert (tmp_path / "report.html").exists()
    assert (tmp_path / "runs" / "front" / "verify.json").exists()


def test_the_way_from_a_device_to_a_report_is_shown() -> None:
    shown = set(re.findall(r"^    hwnas (\w+)", README, re.MULTILINE))
    assert {"profile", "fit", "predict", "train", "search", "verify", "export", "report"} <= shown
