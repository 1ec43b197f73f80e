from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from hwnas.report import write_report
from hwnas.report.data import collect
from hwnas.report.markdown import code, markdown, plain
from hwnas.report.model import ReportData
from hwnas.run import Run


def test_the_whole_front_and_the_picks_are_tables(full_run: Run, tmp_path: Path) -> None:
    text = write_report(full_run.path, tmp_path / "report.md").read_text(encoding="utf-8")
    lines = text.splitlines()
    tables = [line for line in lines if line.startswith("|")]
    assert lines[0] == "# What to deploy on xeon-2.80ghz/onnxruntime/1t"
    start = lines.index("## Every point of the front") + 4
    assert all(lines[start + i].startswith(f"| {i} ") for i in range(len(full_run.front())))
    assert any("Knee" in line for line in tables)
    assert any("Measured twice" in line for line in tables)
    assert any("| Total |" in line for line in tables)


def test_rows_have_as_many_cells_as_their_heading(full_run: Run, three_run: Run) -> None:
    for run in (full_run, three_run):
        width = 0
        for line in markdown(collect(run, run.path / "report.md")).splitlines():
            cells = line.replace("\\|", "").count("|") if line.startswith("|") else 0
            assert cells == width or not width or not cells, line
            width = cells


def test_nothing_in_it_is_markup(full_run: Run, hostile: Callable[[ReportData], ReportData]) -> None:
    text = markdown(hostile(collect(full_run, full_run.path / "report.md")))
    outside = "".join(part for i, part in enumerate(text.split("`")) if i % 2 == 0)
    assert "<" not in outside
    assert "alert" in outside


def test_texts_and_commands_are_quoted() -> None:
    assert plain("a|b *c* [d](e)\n# f") == "a\\|b \\*c\\* \\[d\\](e) # f"
    assert [plain(text) for text in ("- a", "# a", "1. a", "0.5 ms", "-")] == ["\\- a", "\\# a", "1\\. a", "0.5 ms", "\\-"]
    assert plain("<b>&amp;") == "&lt;b&gt;&amp;amp;"
    assert code("hwnas verify run") == "`hwnas verify run`"
    assert code("a ``b`` c") == "``` a ``b`` c ```"
