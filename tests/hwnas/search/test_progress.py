"""What a progress callback sees adds up."""

from __future__ import annotations

import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from hwnas.front import hypervolume, non_dominated
from hwnas.search.base import Problem
from hwnas.search.budget import Budget
from hwnas.search.progress import Tracker
from hwnas.storage import Evaluation

toy = SimpleNamespace(**runpy.run_path(str(Path(__file__).parent / "toy_space.py")))


def test_counts_front_best_and_hypervolume():
    tracker = Tracker(Problem(toy.ToySpace(), (toy.score(), toy.cost())), {"accuracy": 0.0, "latency_ms": 5.0})
    empty = tracker.report(Budget(9, None))
    assert (empty.done, empty.total, empty.share, empty.hypervolume, empty.front_size, empty.best) == (0, 9, 0.0, 0.0, 0, {})
    rng = np.random.default_rng(0)
    values = np.column_stack([rng.uniform(0, 1, 30), rng.uniform(0, 6, 30)])
    rows = [Evaluation(i + 1, (i,), tuple((v, v, v) for v in row), "ok") for i, row in enumerate(values.tolist())]
    rows += [Evaluation(31, (31,), (None, None), "failed", "first"), Evaluation(32, (32,), (None, (9.0, 9.0, 9.0)), "infeasible")]
    for row in rows:
        tracker.add([row])
    report, costs = tracker.report(Budget(40, None)), values * [-1, 1]
    assert (report.done, report.share, report.failed, report.infeasible, tracker.first_error) == (32, 0.8, 1, 1, "first")
    assert report.front_size == non_dominated(costs).sum()
    assert report.hypervolume == pytest.approx(hypervolume(costs, [0.0, 5.0]))
    assert report.best == {"accuracy": values[:, 0].max(), "latency_ms": values[:, 1].min()}
