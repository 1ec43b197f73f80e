from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "pi.json"
    path.write_text(json.dumps({"ir_k3": {"16-112": 1250, "24-56": 300}}))
    return path


def test_a_table_becomes_a_profile_that_is_not_fitted(cli: Any, table: Path, tmp_path: Path) -> None:
    out = tmp_path / "p.jsonl"
    code, text, err = cli("import", table, "--out", out, "--json")
    assert code == 0, err
    assert json.loads(text) == {"profile": str(out), "origin": "published", "entries": 2, "costs": ["latency_ms"], "operators": 0}
    code, _, err = cli("fit", out, "--out", tmp_path / "d.json")
    assert code == 2
    assert "published, not measured" in err
    assert "Traceback" not in err
    code, _, err = cli("import", table, "--out", out)
    assert (code, "already" in err) == (2, True)
    code, text, _ = cli("import", table, "--out", tmp_path / "q.jsonl", "--format", "fbnet")
    assert code == 0
    assert "2 entries with latency_ms" in text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["import", "none.json", "--out", "p.jsonl"], "No such file"),
        (["import", "pi.json", "--out", "p.jsonl", "--format", "fbnett"], "did you mean 'fbnet'"),
        (["import", "pi.json", "--out", "p.jsonl", "--format", "ofa"], "no 'mean'"),
    ],
)
def test_wrong_input_is_one_line(
    cli: Any, table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    code, _, err = cli(*arguments)
    assert code == 2
    assert words in err
    assert len(err.splitlines()) == 1


def test_help_lists_it(cli: Any) -> None:
    code, text, _ = cli("--help")
    assert code == 0
    assert "import" in text
