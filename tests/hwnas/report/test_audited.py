"""What an audit says stands in every report of a run with that super-network."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hwnas.audit import RESULT
from hwnas.audit_numbers import conclusions
from hwnas.audit_words import rankings, sentences
from hwnas.report.data import collect
from hwnas.report.markdown import markdown
from hwnas.report.model import ReportData
from hwnas.report.page import render
from hwnas.run import Run

SPEC = {"supernet": {"path": "../supernet", "sha256": "abc"}}


def audit(curve: bool = True) -> dict[str, Any]:
    """An audit of eight architectures whose inherited accuracies are a little wrong."""
    truth = np.linspace(0.5, 0.9, 8)
    inherited = truth[[1, 0, 2, 3, 4, 5, 7, 6]] - 0.1
    rows = [
        {"architecture": [i], "stratum": i // 4, "macs": 10**6 * 2**i, "params": 10 + i, "inherited": {"value": v, "low": 0, "high": 1}}
        for i, v in enumerate(inherited.tolist())
    ]
    alone = np.stack([truth + 0.001, truth - 0.001], axis=1)
    found = conclusions(rows, alone, [inherited, truth], [truth], np.random.default_rng(0))
    more = {"calibration": {"images": [16, 32], "accuracy": [0.5, 0.6], "error": 0.02, "plateau": 32}} if curve else {}
    return {"checkpoint_sha256": "abc", "options": {"seeds": 2}, **found, **more}


@pytest.fixture
def page(make_run: Callable[..., Run]) -> Callable[[Any], ReportData]:
    """`page(audit)`: what a report shows with this content of the audit's file, None being no file."""

    def of(content: Any) -> ReportData:
        run = make_run([], **SPEC)
        folder = run.path.parent / "supernet"
        folder.mkdir()
        if content is not None:
            (folder / RESULT).write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
        return collect(run, run.path / "report.html")

    return of


def test_it_stands_on_the_page_and_in_the_markdown(page: Callable[[Any], ReportData]) -> None:
    data = page(audit())
    assert data.audit is not None
    assert "audit" not in data.missing
    html, text = render(data, plotly_js=""), markdown(data)
    for words in (
        "8 architectures, 2 trainings of each", "super-network against the truth", "random ranking", "truth against truth with other seeds",
        "super-networks of 2 last epochs", "super-networks of 2 seeds", "Own minus inherited accuracy: +10.0",
        "its first choice is truly number 2", "needs 32 images",
    ):  # fmt: skip
        assert words in html, words
        assert words in text.replace("\\", ""), words


def test_the_numbers_are_those_of_the_audit() -> None:
    found = audit(curve=False)
    rows = dict(rankings(found))
    assert rows["super-network against the truth"].startswith(f"{found['ranking']['tau']['value']:.2f} (")
    assert rows["super-networks of 2 seeds"] == f"{found['stability']['seeds']['tau']:.2f}"
    assert not any("calibrate" in text for text in sentences(found))


def test_a_super_network_that_was_not_audited_misses_that(page: Callable[[Any], ReportData], tmp_path: Path) -> None:
    data = page(None)
    assert data.audit is None
    assert "has not been looked at" in data.missing["audit"].what
    assert data.missing["audit"].command == f"hwnas audit {tmp_path}/run/../supernet"
    assert "has not been looked at" in render(data, plotly_js="")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (audit() | {"checkpoint_sha256": "of other weights"}, "has not been looked at"),
        ("{", "cannot be read"),
        ({"checkpoint_sha256": "abc"}, "is damaged: KeyError"),
        (audit() | {"gap": {"mean": "much"}}, "is damaged"),
        (audit() | {"ranking": []}, "is damaged"),
    ],
    ids=["other weights", "no JSON", "nothing in it", "a text for a number", "a list for an object"],
)
def test_an_audit_that_cannot_be_shown_never_stops_the_rest(page: Callable[[Any], ReportData], content: Any, words: str) -> None:
    data = page(content)
    assert data.audit is None
    assert words in data.missing["audit"].what
    assert data.missing["audit"].command


def test_a_run_without_a_super_network_misses_no_audit(make_run: Callable[..., Run]) -> None:
    run = make_run([])
    assert "audit" not in collect(run, run.path / "report.html").missing
