"""What `verify` says in a terminal, and what it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hwnas.cli.verify import verdict_text

SCORES = {"within_10": 1.0, "within_5": 0.5, "mape": 0.033, "spearman": 0.8, "front_regret": 0.0}
DONE = {"measured": 9, "front": 3, "within_10": 0.667, "mape": 0.064, "front_regret": None}


def verdict(**changes: Any) -> dict[str, Any]:
    plain = {
        "verdict": "pass", "reasons": [], **SCORES, "repeat_ceiling": SCORES, "drift": None, "as_timed": SCORES, "iterations": [DONE],
        "stopped": "the predictions hold", "corrected": None, "dropped": [],
    }  # fmt: skip
    return {**plain, **changes}


def test_a_verdict_without_corrections_says_nothing_of_rounds() -> None:
    text = verdict_text(verdict())
    assert text.startswith("verdict: pass")
    assert "3.3%" in text
    assert "round" not in text
    assert "device now" not in text


def test_corrections_are_shown_round_by_round_with_what_left_the_front() -> None:
    dropped = [{"architecture": [1, 2], "constraint": "latency_ms <= 2", "measured_ms": 2.1234567}]
    corrected = {"device": "device.corrected.json", "how": "head"}
    drift = {"value": 1.08, "low": 1.07, "high": 1.09}
    text = verdict_text(verdict(iterations=[DONE, {**DONE, **SCORES}], corrected=corrected, dropped=dropped, drift=drift))
    lines = text.splitlines()
    first, second = (next(line for line in lines if line.strip().startswith(number)) for number in ("1  ", "2  "))
    assert first.split() == ["1", "9", "3", "66.7%", "6.4%", "-"]
    assert second.split()[3] == "100.0%"
    assert "device.corrected.json" in text
    assert "left the front: [1, 2], latency_ms <= 2 but 2.123 ms measured" in text
    assert "+8.0%" in text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--ssh-config", "none", "--host", "board"), "there is no such ssh configuration"),
        (("--host", "-oProxyCommand=x"), "host"),
        (("--profile", "none.jsonl"), "none.jsonl"),
        (("--device", "gone.json"), "gone.json"),
        (("--iterations", "0"), "iterations"),
        (("--budget", "soon"), "90s"),
    ],
)
def test_wrong_input_is_one_line_and_leaves_the_run_alone(
    walk: Any, cli: Any, tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    before = sorted((path.name, path.stat().st_size) for path in walk.run.iterdir())
    code, _, err = cli("verify", walk.run, *arguments)
    assert code == 2, err
    assert words in err
    assert len([line for line in err.strip().splitlines() if line.startswith("hwnas: ")]) == 1
    assert sorted((path.name, path.stat().st_size) for path in walk.run.iterdir()) == before
