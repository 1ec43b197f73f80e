"""What an audit concludes, on accuracies whose answer is known."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from hwnas.audit_numbers import conclusions

TRUTH = np.linspace(0.5, 0.9, 12)


def rows(inherited: Any) -> list[dict[str, Any]]:
    return [
        {
            "architecture": [i],
            "stratum": i // 4,
            "macs": 1000 * 2**i,
            "params": 10 + i,
            "inherited": {"value": float(v), "low": 0, "high": 1},
        }
        for i, v in enumerate(inherited)
    ]


def concluded(inherited: Any, alone: Any = None, epochs: Any = (), supernets: Any = ()) -> dict[str, Any]:
    alone = np.stack([TRUTH + 0.001, TRUTH - 0.001], axis=1) if alone is None else alone
    found = conclusions(rows(inherited), alone, epochs, supernets, np.random.default_rng(0))
    json.dumps(found, allow_nan=False)
    return found


def test_a_super_network_that_is_right_is_told_so() -> None:
    found = concluded(TRUTH - 0.1)
    assert found["ranking"]["tau"]["value"] == pytest.approx(1)
    assert found["ranking"]["ceiling"]["value"] == pytest.approx(1)
    assert abs(found["ranking"]["chance"]["value"]) < 0.1
    assert [s["n"] for s in found["ranking"]["strata"]] == [4, 4, 4]
    assert found["ranking"]["top"]["n"] == 3
    assert found["gap"]["mean"] == pytest.approx(0.1)
    assert found["gap"]["std"] == pytest.approx(0)
    assert found["selection"] == {"regret": 0.0, "rank_of_first": 1, "rank_of_three": 1}
    assert found["noise"] == pytest.approx(0.001 * 2**0.5)
    assert found["architectures"][0]["alone"] == pytest.approx([0.501, 0.499])


def test_a_super_network_that_holds_the_large_ones_back() -> None:
    found = concluded(TRUTH - np.linspace(0, 0.5, 12))
    assert found["ranking"]["tau"]["value"] == pytest.approx(-1)
    assert found["gap"]["correlation"]["macs"] == pytest.approx(1)
    assert found["selection"]["regret"] == pytest.approx(0.4)
    assert found["selection"]["rank_of_first"] == 12


def test_a_good_ranking_of_bad_ones_alone_shows_in_the_top() -> None:
    inherited = TRUTH.copy()
    inherited[-3:] = TRUTH[-3:][::-1]
    found = concluded(inherited)
    assert found["ranking"]["tau"]["value"] > 0.8
    assert found["ranking"]["top"]["tau"]["value"] == pytest.approx(-1)


def test_stability_over_epochs_and_seeds() -> None:
    found = concluded(TRUTH, epochs=[TRUTH, -TRUTH], supernets=[TRUTH**2])
    assert found["stability"]["epochs"] == {"n": 2, "tau": pytest.approx(-1), "truth_tau": pytest.approx([1, -1])}
    assert found["stability"]["seeds"] == {"n": 2, "tau": pytest.approx(1), "truth_tau": pytest.approx([1, 1])}


def test_what_cannot_be_ranked_is_said_to_be_nothing() -> None:
    found = concluded(np.full(12, 0.1), alone=TRUTH[:, None])
    assert found["ranking"]["tau"] is None
    assert found["ranking"]["ceiling"] is None
    assert found["noise"] is None
    assert found["stability"]["seeds"] == {"n": 1, "tau": None, "truth_tau": [None]}
