from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="session")
def hwnasbench_samples() -> dict[str, Any]:
    """Published rows of HW-NAS-Bench, kept outside the project."""
    base = os.environ.get("HWNAS_DATA") or Path(__file__).parents[4] / "shared" / "data"
    path = Path(base) / "hwnasbench_samples" / "samples.json"
    if not path.is_file():
        pytest.skip(f"the published samples are not here ({path}); HWNAS_DATA names another folder")
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content
