"""`hwnas compare` and `hwnas search --table` on a table of a user."""

from __future__ import annotations

import contextlib
import io
import json
import sys

import numpy as np
import pytest

from hwnas.cli import main


def hwnas(*arguments, monkeypatch):
    out, err = io.StringIO(), io.StringIO()
    monkeypatch.setattr(sys, "argv", ["hwnas", *map(str, arguments)])
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), pytest.raises(SystemExit) as stop:
        main()
    return int(stop.value.code or 0), out.getvalue(), err.getvalue()


@pytest.fixture
def table(tmp_path):
    lines = ["depth,width,kernel,accuracy,latency_ms"]
    for i, j, k in np.ndindex(3, 4, 2):
        lines.append(f"{i + 1},{8 * (j + 1)},k{3 + 2 * k},{0.5 + 0.1 * i + 0.05 * j + 0.02 * k},{1 + i * (j + 1) + 0.5 * k}")
    (tmp_path / "table.csv").write_text("\n".join(lines) + "\n")
    return tmp_path / "table.csv"


def test_compare_prints_json_and_writes_files(table, tmp_path, monkeypatch):
    options = ("--algorithms", "nsga2", "--seeds", 2, "--evaluations", 12, "--out", tmp_path / "out", "--json")
    code, out, _ = hwnas("compare", "--table", table, *options, monkeypatch=monkeypatch)
    assert code == 0
    found = json.loads(out)
    assert [row["algorithm"] for row in found["algorithms"]] == ["nsga2", "random"]
    assert found["objectives"] == {"accuracy": None, "latency_ms": None}
    assert (tmp_path / "out" / "comparison.html").exists()


def test_search_takes_a_table_and_resumes(table, tmp_path, monkeypatch):
    arguments = ("search", "--table", table, "--out", tmp_path / "run", "--algorithm", "auto", "--seed", 1)
    code, out, err = hwnas(*arguments, "--evaluations", 10, monkeypatch=monkeypatch)
    assert code == 0, err
    assert "algorithm surrogate, for accuracy and latency_ms are not" in out
    code, out, err = hwnas(*arguments, "--evaluations", 15, "--resume", "--json", monkeypatch=monkeypatch)
    assert code == 0, err
    assert json.loads(out)["counts"]["ok"] == 15


def test_the_report_of_a_table_promises_nothing_that_a_table_does_not_have(table, tmp_path, monkeypatch):
    arguments = ("search", "--table", table, "--out", tmp_path / "run", "--seed", 1, "--evaluations", 10)
    assert hwnas(*arguments, monkeypatch=monkeypatch)[0] == 0
    for name in ("report.html", "report.md"):
        code, _, err = hwnas("report", tmp_path / "run", "--out", tmp_path / name, monkeypatch=monkeypatch)
        assert code == 0, err
        page = (tmp_path / name).read_text()
        assert "come from a recorded table" in page
        assert "the device of table" in page
        for absent in ("hwnas verify", "hwnas export", "predictions", "an unnamed device"):
            assert absent not in page, (name, absent)


def test_workers_and_a_time_limit_change_nothing(table, tmp_path, monkeypatch):
    arguments = ("search", "--table", table, "--algorithm", "nsga2", "--seed", 1, "--evaluations", 24, "--json")
    fronts = []
    for name, more in (("one", ()), ("two", ("--workers", 2)), ("late", ("--timeout", "60s"))):
        code, out, err = hwnas(*arguments, "--out", tmp_path / name, *more, monkeypatch=monkeypatch)
        assert code == 0, err
        fronts.append(json.loads(out)["front"])
    assert fronts[0] == fronts[1] == fronts[2]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("compare", "--algorithms", "nsga2", "--table", "none.csv"), "cannot read none.csv: No such file"),
        (("search", "--out", "run"), "a search needs --supernet and --device, or --table"),
        (("search", "--out", "run", "--table", "t.csv", "--supernet", "s"), "--supernet or --table, not both"),
        (("search", "--out", "run", "--table", "t.csv", "--timeout", "soon"), "not a duration: 'soon'"),
    ],
)
def test_wrong_input_is_one_line(arguments, message, monkeypatch):
    code, out, err = hwnas(*arguments, monkeypatch=monkeypatch)
    assert code == 2
    assert message in err
    assert out == ""
    assert len(err.strip().splitlines()) == 1


def test_wrong_columns_and_references_are_one_line(table, monkeypatch):
    for option, value, message in (
        ("--objectives", "accuracy,energy_mj", "unknown column of table 'energy_mj'"),
        ("--reference", "latency_ms", "write NAME=NUMBER"),
        ("--constraint", "latency_ms<=0", "no architecture with latency_ms <= 0 found"),
    ):
        code, _, err = hwnas("compare", "--table", table, "--algorithms", "random", option, value, monkeypatch=monkeypatch)
        assert code == 2
        assert message in err


def test_rows_without_an_accuracy_are_counted_and_left_out(table, monkeypatch):
    lines = table.read_text().splitlines()
    for missing, place in (("nan", 5), ("", 9)):
        fields = lines[place].split(",")
        lines[place] = ",".join([*fields[:3], missing, fields[4]])
    table.write_text("\n".join(lines) + "\n")
    arguments = ("compare", "--table", table, "--algorithms", "random", "--seeds", 1, "--evaluations", 30)
    code, out, err = hwnas(*arguments, monkeypatch=monkeypatch)
    assert code == 0, err
    assert out.splitlines()[0] == "left out: 2 of 24 rows, without accuracy or latency_ms"
    assert "100.00% at the end" in out
    _, out, _ = hwnas(*arguments, "--json", monkeypatch=monkeypatch)
    assert json.loads(out)["left_out"] == 2


def test_what_failed_is_counted_where_a_user_looks(table, tmp_path, monkeypatch):
    lines = table.read_text().splitlines()
    fields = lines[5].split(",")
    lines[5] = ",".join([*fields[:3], "nan", fields[4]])
    table.write_text("\n".join(lines) + "\n")
    arguments = ("search", "--table", table, "--out", tmp_path / "run", "--algorithm", "random", "--seed", 1)
    code, out, err = hwnas(*arguments, "--workers", 2, "--evaluations", 24, monkeypatch=monkeypatch)
    assert code == 0, err
    assert "after 24 evaluations, 1 of them failed (seed 1)" in out
    assert "24 evaluated, 1 failed, front " in err
    assert ", hypervolume " in err
