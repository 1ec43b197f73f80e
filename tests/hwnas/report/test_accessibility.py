"""The pages as axe-core judges them, which finds what people with assistive software stumble over.

    HWNAS_AXE=1 python -m pytest tests/hwnas/report/test_accessibility.py

fetches axe-core through npm.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.hwnas.report.browser import Browser

AXE = "axe-core@4.14.1"
NPM = shutil.which("npm")
pytestmark = [
    pytest.mark.skipif(not os.environ.get("HWNAS_AXE"), reason="fetches axe-core from npm: set HWNAS_AXE=1"),
    pytest.mark.skipif(NPM is None, reason="needs npm: apt-get install npm"),
]

#: Everything that can be opened is open.
OPEN = """
document.querySelectorAll(".toggle[aria-expanded=false]").forEach((button) => button.click());
document.querySelectorAll("details").forEach((each) => { each.open = true; });
"""
VIOLATIONS = """
axe.run(document, {resultTypes: ["violations"]}).then((found) => found.violations.map((v) => [
  v.impact, v.id, v.nodes.length, v.nodes.slice(0, 2).map((n) => n.html.slice(0, 160) + " " + n.failureSummary),
]))
"""


@pytest.fixture(scope="module")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The checker as one script."""
    folder = tmp_path_factory.mktemp("axe")
    command = [str(NPM), "install", "--prefix", str(folder), "--no-audit", "--no-fund", "--ignore-scripts", AXE]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return (folder / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")


@pytest.fixture(params=["light", "dark"])
def scheme(browser: Browser, request: pytest.FixtureRequest) -> Iterator[str]:
    """The colours that the reader prefers."""
    browser.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": request.param}])
    yield request.param
    browser.call("Emulation.setEmulatedMedia", features=[])


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("which", ["page", "board", "comparison"])
def test_axe_finds_nothing(browser: Browser, axe: str, scheme: str, which: str, width: int, request: pytest.FixtureRequest) -> None:
    path: Path = request.getfixturevalue(which)
    browser.goto(path, width)
    browser.js(OPEN)
    browser.settle()
    browser.js(f"{axe};0")
    assert browser.js(VIOLATIONS) == []
