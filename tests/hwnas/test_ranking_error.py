from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from device_profiles.errors import InputError
from hwnas.ranking_error import RankingError, ranking_error


def audit(inherited: Any, alone: Any, noise: float | None = None) -> dict[str, Any]:
    rows = [{"inherited": {"value": float(x)}, "alone": [float(y) for y in ys]} for x, ys in zip(inherited, alone, strict=True)]
    return {"architectures": rows, "noise": noise, "checkpoint_sha256": "ab"}


def test_a_shift_is_no_error_of_ranking() -> None:
    x = np.linspace(0.5, 0.8, 8)
    found = RankingError.of(audit(x, (x + 0.1)[:, None]))
    assert found is not None
    assert found.slope == pytest.approx(1.0)
    assert found.sd == pytest.approx(0.0, abs=1e-9)


def test_what_remains_is_found_and_the_noise_of_seeds_is_taken_off() -> None:
    rng = np.random.default_rng(0)
    x = rng.uniform(0.5, 0.8, 4000)
    truth = 0.4 + 0.5 * x + rng.normal(0, 0.03, 4000)
    seeds = truth[:, None] + rng.normal(0, 0.02, (4000, 2))
    found = RankingError.of(audit(x, seeds, noise=0.02))
    assert found is not None
    assert found.slope == pytest.approx(0.5, abs=0.02)
    assert found.sd == pytest.approx(0.03, rel=0.05)


def test_a_falling_line_counts_as_flat_and_too_little_says_nothing() -> None:
    x = np.linspace(0.5, 0.8, 8)
    falling = RankingError.of(audit(x, -x[:, None]))
    assert falling is not None
    assert falling.slope == 0.0
    assert falling.sd > 0.05
    assert RankingError.of(audit(x[:3], x[:3, None])) is None
    assert RankingError.of(audit([0.5] * 8, x[:, None])) is None


def test_only_the_audit_of_the_same_weights_counts(tmp_path: Path) -> None:
    x = np.linspace(0.5, 0.8, 8)
    assert ranking_error(tmp_path, "ab") is None
    (tmp_path / "audit.json").write_text(json.dumps(audit(x, x[:, None])))
    assert ranking_error(tmp_path, "ab") is not None
    assert ranking_error(tmp_path, "cd") is None


@pytest.mark.parametrize("text", ["{", "[" * 100_000, '{"checkpoint_sha256": "ab", "architectures": [{"alone": "x"}]}'])
def test_a_damaged_audit_is_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "audit.json").write_text(text)
    with pytest.raises(InputError, match="audit"):
        ranking_error(tmp_path, "ab")
