"""What the documents show is true: their blocks run, their commands and options exist, their tables name what there is."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from hwnas.search.algorithms import ALGORITHMS
from hwnas.spaces import SPACES
from hwnas.supernet.strategies import STRATEGIES

ROOT = Path(__file__).parents[2]
DOCUMENTS = {path.stem: path.read_text(encoding="utf-8") for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))}

#: Documents whose blocks run one after the other in one folder: each begins where those before it ended.
STORY = ("quickstart", "deploying", "numbers", "predictors", "own")
#: The README's block has a test of its own; those of the architecture show signatures. All others know the names of the last of the story.
ELSEWHERE = ("README", "architecture")
#: Shorter, not different: small images, one epoch, a few evaluations, seconds of measuring.
SHORTER = (
    (r"\b(resolution[ =])32\b", r"\g<1>8"), (r"\b(epochs[ =])\d+", r"\g<1>1"), (r"\b(evaluations[ =])\d+", r"\g<1>8"),
    (r"--budget \w+", "--budget 4s"), (r"--architectures \d+", "--architectures 4"),
)  # fmt: skip


def blocks(text: str) -> list[tuple[str, str]]:
    """The kind and the content of every fenced block that runs."""
    return re.findall(r"^```(sh|python)\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def shown(text: str) -> list[str]:
    """Every command of hwnas in a block, an indented line, or between backquotes."""
    lines = [line for kind, block in blocks(text) if kind == "sh" for line in block.splitlines()]
    lines += re.findall(r"^    (hwnas .*)$", text, re.MULTILINE)
    return [line for line in [*lines, *re.findall(r"`(hwnas [^`]+)`", text)] if line.startswith("hwnas ")]


def run_command(line: str, cli: Any) -> None:
    """Runs a line of a document; a verdict may be negative here, where nothing was measured for long."""
    words = shlex.split(line, comments=True)
    if words[0] == "python":
        subprocess.run([sys.executable, *words[1:]], check=True, timeout=120)
        return
    assert words[0] == "hwnas", f"a block that runs holds commands of hwnas and python only: {line}"
    code, _, err = cli(*words[1:])
    assert code in ((0, 1) if words[1] == "verify" else (0,)), (line, err)


def run_document(name: str, names: dict[str, Any], cli: Any) -> dict[str, Any]:
    """Runs the blocks of a document in their order; returns what its Python knows at the end."""
    text = DOCUMENTS[name]
    for pattern, less in SHORTER:
        text = re.sub(pattern, less, text)
    for kind, block in blocks(text):
        if kind == "python":
            exec(compile(block, f"docs/{name}.md", "exec"), names)
        for line in block.splitlines() if kind == "sh" else ():
            run_command(line, cli)
    return names


def test_every_block_runs(cli: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    for name in STORY:
        if name == "predictors":  # a model of the reader's
            shutil.copy("knee.onnx", "model.onnx")
        last = run_document(name, {}, cli)
    for made in ("front/report.html", "front/verify.json", "supernet/audit.json", "knee.onnx", "front.svg", "own/function/run.sqlite"):
        assert Path(made).stat().st_size > 0, made
    for name in DOCUMENTS.keys() - {*STORY, *ELSEWHERE}:
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        run_document(name, dict(last), cli)


@pytest.fixture(scope="module")
def options(cli: Any) -> Any:
    """`options(command)`: the options that its help names."""

    @cache
    def found(command: str) -> set[str]:
        code, out, _ = cli(command, "--help")
        assert code == 0, command
        return set(re.findall(r"--[a-z0-9-]+", out))

    return found


@pytest.mark.parametrize("name", DOCUMENTS)
def test_commands_and_options_exist(options: Any, name: str) -> None:
    for line in shown(DOCUMENTS[name]):
        assert set(re.findall(r"--[a-z0-9-]+", line.split("#")[0])) <= options(line.split()[1]), line


@pytest.mark.parametrize("name", DOCUMENTS)
def test_files_that_are_linked_are_there(name: str) -> None:
    folder = ROOT if name == "README" else ROOT / "docs"
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", DOCUMENTS[name]):
        assert (folder / target).exists(), target


@pytest.mark.parametrize(
    ("heading", "known"), [("Search", ALGORITHMS), ("Training of shared weights", STRATEGIES), ("Search spaces", SPACES)]
)
def test_the_tables_of_algorithms_name_what_there_is(heading: str, known: dict[str, Any]) -> None:
    (section,) = re.findall(rf"^## {heading}\n(.*?)(?=^## |\Z)", DOCUMENTS["algorithms"], re.DOTALL | re.MULTILINE)
    cells = re.findall(r"^\| (`[^|]*) \|", section, re.MULTILINE)
    assert {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)} == set(known)


def test_the_pages_are_built_without_a_warning(tmp_path: Path) -> None:
    for package in ("sphinx", "myst_parser", "furo"):
        pytest.importorskip(package, reason="needs the extra docs")
    places = ["-d", str(tmp_path / "cache"), str(ROOT / "docs"), str(tmp_path / "html")]
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", "-q", "-W", "-b", "html", *places], capture_output=True, text=True, cwd=ROOT, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "html" / "api.html").stat().st_size > 10_000
