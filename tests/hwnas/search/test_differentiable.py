"""Differentiable search as an algorithm: what it needs, and what it arrives at."""

from __future__ import annotations

import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from device_profiles.errors import InputError
from hwnas.front import hypervolume, non_dominated
from hwnas.objectives import Objective, as_objectives
from hwnas.run import Run
from hwnas.search import ALGORITHMS, Problem, search
from hwnas.search.additive import Additive
from hwnas.search.algorithms import make
from hwnas.search.differentiable import halves

torch = pytest.importorskip("torch")
toy = SimpleNamespace(**runpy.run_path(str(Path(__file__).parent / "toy_space.py")))
SPACE = toy.ToySpace(4, 3)
LOST = np.array([[0.9, 0.5, 0.3, 0.2], [0.3, 0.2, 0.1, 0.0], [0.3, 0.1, 0.05, 0.0], [0.3, 0.15, 0.1, 0.0], [0.3, 0.2, 0.12, 0.0]])


class Scorer:
    """An accuracy whose loss is a number per value: what a super-network is to the search, without one."""

    name, unit, direction, expensive, bounds = "accuracy", "", "max", True, (0.0, 1.0)

    def __call__(self, archs):
        depth = archs[:, 0]
        loss = LOST[0][depth] + sum(LOST[i + 1][archs[:, i + 1]] * (i <= depth) for i in range(4))
        return np.exp(-0.5 * loss)

    def mixed_loss(self):
        def loss(shares, rng):
            there = [shares[0][i:].sum() for i in range(4)]
            return shares[0] @ torch.from_numpy(LOST[0]) + sum(
                there[i] * (share @ torch.from_numpy(LOST[i + 1][:3])) for i, share in enumerate(shares[1:])
            )

        return loss


def cost():
    """0.2 for every block and more the wider it is; nothing beyond the depth."""
    depth, width = np.divmod(np.arange(12), 3)
    model = Additive(SPACE, tuple(np.where(i <= depth, 0.2 + 0.3 * width, 0.0) for i in range(4)), 0.4)
    return Objective("latency_ms", "ms", "min", False, model, source=model)


PAIR = (Scorer(), cost())


def go(out, evaluations=40, **more):
    return search(
        SPACE, PAIR, algorithm="differentiable", evaluations=evaluations, out=out, **{"seed": 1, "options": {"steps": 25}, **more}
    )


def test_says_what_it_is_and_that_it_does_not_take_any_problem():
    kind = ALGORITHMS["differentiable"]
    assert not kind.general
    assert all(text and "\n" not in text for text in (kind.description, kind.paper))


def test_many_weights_give_a_front_close_to_the_true_one(tmp_path):
    pytest.importorskip("moocore")
    run = go(tmp_path, 30, options={"steps": 60})
    every = np.unique(SPACE.canonical(np.indices(SPACE.cardinalities).reshape(5, -1).T), axis=0)
    values = np.column_stack([-Scorer()(every), cost().evaluate(every).values])
    true = values[non_dominated(values)]
    assert run.front().hypervolume({"accuracy": 0.3, "latency_ms": 4.0}) > 0.95 * hypervolume(true, [-0.3, 4.0])
    optimiser = make("differentiable", Problem(SPACE, as_objectives(PAIR, SPACE)), 0, {"steps": 60})
    arrived = SPACE.canonical(np.concatenate([optimiser._arrived(weight, 0) for weight in (0.02, 0.1, 0.3, 0.6, 1.0, 2.0)]))
    reached = np.column_stack([-Scorer()(arrived), cost().evaluate(arrived).values])
    on_front = [np.isclose(row, true).all(axis=1).any() for row in reached]
    assert sum(on_front) >= 5, on_front


def test_the_same_seed_gives_the_same_run_resumed_or_not(tmp_path):
    whole = toy.table(go(tmp_path / "whole"))
    assert toy.table(go(tmp_path / "again")) == whole
    assert toy.table(go(tmp_path / "other", seed=2)) != whole
    part = go(tmp_path / "part", 13)
    assert toy.table(part) == whole[:13]
    assert toy.table(go(tmp_path / "part", resume=True, seed=None)) == whole


def test_constraints_on_costs_hold(tmp_path):
    run = go(tmp_path, constraints=["latency_ms <= 1.2"])
    assert (run.evaluations()["latency_ms"] <= 1.2).all()
    assert run.counts()["ok"] == 40 or run.spec["stopped"].startswith("exhausted")


def test_a_small_space_is_exhausted(tmp_path):
    run = go(tmp_path, 500, options={"steps": 5})
    assert run.spec["stopped"] == f"exhausted: all {SPACE.size} architectures of the space were evaluated"


def test_two_costs_are_weighed_alike(tmp_path):
    other = Objective("energy_mj", "mJ", "min", False, cost().source, source=cost().source)
    run = search(SPACE, [*PAIR, other], algorithm="differentiable", evaluations=20, seed=0, out=tmp_path, options={"steps": 30})
    assert run.counts()["ok"] == 20


@pytest.mark.parametrize(
    ("objectives", "message"),
    [
        (
            (toy.score(), cost()),
            r"differentiable takes one accuracy with the weights of a super-network, hwnas.accuracy\(supernet\), and costs",
        ),
        ((Scorer(),), "differentiable needs a cost beside the accuracy, such as device.latency_ms"),
        ((Scorer(), toy.cost()), "costs that are sums over the parts of toy, and latency_ms is not"),
        (
            (Scorer(), Objective("gain", "", "max", False, cost().source, source=cost().source)),
            "costs that are sums over the parts of toy, and gain is not",
        ),
        (
            (Scorer(), Objective("less", "", "min", False, m := Additive(SPACE, cost().source.tables, -9.0), source=m)),
            "costs above 0, and the parts of less add up to -8.8 at least",
        ),
    ],
    ids=["no weights", "no cost", "no sum", "a gain", "below 0"],
)
def test_what_it_cannot_work_with_is_refused_before_anything_is_written(objectives, message, tmp_path):
    with pytest.raises(InputError, match=message):
        search(SPACE, objectives, algorithm="differentiable", evaluations=5, out=tmp_path / "run")
    assert not Run.exists(tmp_path / "run")


def test_weights_of_the_cost_are_spread_ever_more_densely():
    assert [halves(i) for i in range(1, 8)] == [1 / 2, 1 / 4, 3 / 4, 1 / 8, 5 / 8, 3 / 8, 7 / 8]


def test_a_super_network_is_searched_by_its_gradients(tmp_path):
    """On a trained one of a tiny space: at the same cost what the gradients arrive at is not worse than what chance finds."""
    pytest.importorskip("safetensors")
    import hwnas
    from hwnas.spaces import MobileNetSpace, Stage

    space = MobileNetSpace((Stage((4, 8), (1, 2), (3, 5), (1, 3), 1), Stage((8, 16), (1, 2), (3, 5), (1, 3), 2)), 10, 1, 8, stem=8, head=16)
    supernet = hwnas.train(space, "digits", out=tmp_path / "supernet", epochs=2, seed=0)
    scorer = hwnas.accuracy(supernet)
    macs = Objective("macs", "", "min", False, counted := Counted(space), source=counted)
    run = search(space, [scorer, macs], algorithm="differentiable", evaluations=10, seed=0, out=tmp_path / "run", options={"steps": 10})
    again = search(space, [scorer, macs], algorithm="differentiable", evaluations=10, seed=0, out=tmp_path / "again", options={"steps": 10})
    assert toy.table(run) == toy.table(again)
    assert run.counts()["ok"] == 10
    archs = run.evaluations()["architecture"]
    optimiser = make("differentiable", Problem(space, as_objectives([scorer, macs], space)), 0, {"steps": 60})
    cheap, accurate = (space.canonical(optimiser._arrived(weight, 0)) for weight in (3.0, 1e-4))
    assert counted(cheap)[0] < counted(accurate)[0]
    assert scorer(accurate)[0][0] > scorer(cheap)[0][0]
    assert len(np.unique(archs, axis=0)) == 10


class Counted(Additive):
    """Multiply-adds as a table per part, counted on the networks that show every configuration."""

    def __init__(self, space):
        from predictors.covering import canonical_configurations, covering

        tables = [np.zeros(int(np.prod(space.cardinalities[list(part.choices)], dtype=np.int64))) for part in space.parts]
        names = [part.name for part in space.parts]
        limits = space.cardinalities
        for arch in covering(space, np.random.default_rng(0)):
            counts = dict.fromkeys(names, 0.0)
            for node in space.network(arch).nodes:
                counts[node.name.split("/")[0]] += node.operator.macs
            for table, part in zip(tables, space.parts, strict=True):
                index = 0
                for choice in part.choices:
                    index = index * int(limits[choice]) + int(arch[choice])
                table[index] = counts[part.name]
        for table, part in zip(tables, space.parts, strict=True):
            rows = canonical_configurations(space, part)
            index = np.zeros(len(rows), dtype=np.int64)
            for column, choice in zip(rows.T, part.choices, strict=True):
                index = index * int(limits[choice]) + column
            table[:] = table[index]
        super().__init__(space, tuple(tables), 0.0)
