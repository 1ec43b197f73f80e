"""Costs of several devices, the worst of them, and the fronts that follow."""

from __future__ import annotations

import runpy
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest

from device_profiles.errors import InputError
from hwnas.devices import Worst, by_device, per_device, recomputed
from hwnas.front import non_dominated
from hwnas.objectives import Objective, as_objectives
from hwnas.run import Run
from hwnas.search import search

toy = SimpleNamespace(**runpy.run_path(str(Path(__file__).parent / "search" / "toy_space.py")))
SPACE = toy.ToySpace()


class Table:
    """Prices with an interval of 10 % either way."""

    def __init__(self, fn):
        self.fn = fn

    def price(self, archs):
        return self.fn(archs)

    def interval(self, archs):
        return np.stack([0.9 * self.fn(archs), 1.1 * self.fn(archs)], axis=1)


@dataclass
class Predictor:
    """What a run records of a device, and its costs."""

    device_name_: str
    path_: Path | None
    fn: object
    compiled: int = 0
    origin_: ClassVar[dict[str, object]] = {"runtime": {"name": "onnxruntime"}}

    @property
    def latency_ms(self):
        return SimpleNamespace(name="latency_ms", unit="ms", predictor=self, compile=self.compile)

    def compile(self, space):
        self.compiled += 1
        return Table(self.fn)


def deep_is_dear(archs):
    """Another device: the first blocks are slow, the widths cost nothing there."""
    return 0.3 + 0.4 * archs[:, 0]


def pair(folder=None):
    where = {name: None if folder is None else folder / f"{name}.json" for name in ("pi", "xeon")}
    return {"pi": Predictor("pi4/onnxruntime/1t", where["pi"], toy.latency), "xeon": Predictor("xeon/ort/1t", where["xeon"], deep_is_dear)}


def costs(folder=None, references=None):
    return per_device({name: device.latency_ms for name, device in pair(folder).items()}, references)


def test_every_device_has_a_cost_of_its_own_name_and_the_worst_is_the_highest():
    pi, xeon, worst = as_objectives(costs(), SPACE)
    assert [o.name for o in (pi, xeon, worst)] == ["pi_latency_ms", "xeon_latency_ms", "worst_latency_ms"]
    assert {o.unit for o in (pi, xeon, worst)} == {"ms"}
    archs = SPACE.sample(50, np.random.default_rng(0))
    found, both = worst.evaluate(archs), [toy.latency(archs), deep_is_dear(archs)]
    np.testing.assert_array_equal(found.values, np.max(both, axis=0))
    np.testing.assert_allclose(found.lows, 0.9 * np.max(both, axis=0))
    np.testing.assert_allclose(found.highs, 1.1 * np.max(both, axis=0))


def test_a_space_is_compiled_once_for_each_device():
    devices = pair()
    as_objectives(per_device({name: device.latency_ms for name, device in devices.items()}), SPACE)
    assert [device.compiled for device in devices.values()] == [1, 1]


def test_the_worst_may_be_relative_to_what_each_device_may_take_or_to_its_largest_network():
    archs = SPACE.sample(50, np.random.default_rng(0))
    *_, worst = as_objectives(costs(references={"pi": 2.0, "xeon": 0.5}), SPACE)
    assert (worst.name, worst.unit) == ("worst_latency_share", "")
    np.testing.assert_allclose(worst.evaluate(archs).values, np.maximum(toy.latency(archs) / 2, deep_is_dear(archs) / 0.5))
    assert worst.spec()["references"] == [2.0, 0.5]
    *_, worst = as_objectives(costs(references="largest"), SPACE)
    assert worst.evaluate(SPACE.largest()).values.tolist() == [1.0]
    assert worst.evaluate(archs).values.max() <= 1


def test_objectives_may_be_devices_too():
    named = per_device({"pi": toy.cost(), "xeon": toy.cost(deep_is_dear)})
    pi, xeon, worst = as_objectives(named, SPACE)
    assert isinstance(pi, Objective)
    archs = SPACE.sample(20, np.random.default_rng(0))
    np.testing.assert_array_equal(worst.evaluate(archs).values, np.maximum(pi.evaluate(archs).values, xeon.evaluate(archs).values))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "at least two, got none"),
        ({"pi": toy.cost()}, "at least two, got pi_latency_ms"),
        ({"pi": toy.cost(), "Pi": toy.cost()}, "two devices are called pi and Pi: their names must differ by more than capitals"),
        ({"pi": toy.cost(), "worst": toy.cost()}, "a device cannot be called worst"),
        (
            {"pi": toy.cost(), "my board": toy.cost()},
            "a device is called by at most 31 letters, digits and underscores, such as pi4, got 'my board'",
        ),
        (
            {"pi": toy.cost(), "xeon": toy.cost(name="energy_mj", unit="mJ")},
            r"pi_latency_ms and xeon_energy_mj \(ms and mJ\) are not one cost",
        ),
        ({"pi": toy.cost(), "xeon": toy.score()}, "accuracy cannot differ by device"),
        ({"pi": toy.cost(), "xeon": "latency_ms"}, "not a cost of a device: 'latency_ms'"),
    ],
    ids=["none", "one", "capitals", "worst", "space", "quantities", "accuracy", "text"],
)
def test_what_cannot_be_compared_is_refused(given, message):
    with pytest.raises(InputError, match=message):
        per_device(given)


def test_wrong_references_are_refused():
    for references, message in (
        ({"pi": 2.0, "xenon": 1.0}, "unknown device 'xenon': did you mean 'xeon'"),
        ({"pi": 2.0}, "the worst of pi, xeon needs a positive reference for each, got None for xeon"),
        ({"pi": 2.0, "xeon": 0.0}, "got 0.0 for xeon"),
    ):
        with pytest.raises(InputError, match=message):
            costs(references=references)


def test_two_costs_of_one_name_are_refused_and_so_is_a_constraint_on_another_device(tmp_path):
    pi, xeon, worst = costs()
    with pytest.raises(InputError, match="objective pi_latency_ms is given twice"):
        search(SPACE, [toy.score(), pi, pi], out=tmp_path / "twice")
    with pytest.raises(InputError, match="unknown objective in a constraint 'fpga_latency_ms': did you mean"):
        search(SPACE, [toy.score(), pi, xeon, worst], ["fpga_latency_ms <= 3"], out=tmp_path / "other")
    assert list(tmp_path.iterdir()) == []


def test_one_run_has_a_front_for_every_device_and_the_robust_one(tmp_path):
    """On all architectures of a small space, each once: the fronts are those of all of them."""
    space = toy.ToySpace(3, 3)
    run = search(space, [toy.score(), *costs()], evaluations=100, seed=0, out=tmp_path)
    rows = run.evaluations()
    assert len(rows) == space.size
    fronts = run.fronts()
    assert list(fronts) == ["pi", "xeon", "worst"]
    for device, front in fronts.items():
        name = f"{device}_latency_ms"
        assert front.names == ("accuracy", name)
        every = np.column_stack([-rows["accuracy"], rows[name]])
        true = np.unique(every[non_dominated(every)], axis=0)
        np.testing.assert_array_equal(np.unique(front.costs(), axis=0), true)
        assert (np.diff(front.values[:, 1]) >= 0).all()
    whole = {point.architecture for point in run.front()}
    assert all(point.architecture in whole for front in fronts.values() for point in front)


def test_a_run_records_its_devices_and_resumes_where_they_were_moved(tmp_path):
    objectives = [toy.score(), *costs(tmp_path / "devices")]
    run = search(SPACE, objectives, ["worst_latency_ms <= 2"], "nsga2", 40, 3, out=tmp_path / "run")
    spec = run.spec
    assert {name: record["name"] for name, record in spec["devices"].items()} == {"pi": "pi4/onnxruntime/1t", "xeon": "xeon/ort/1t"}
    assert spec["devices"]["pi"]["path"] == "../devices/pi.json"
    assert "device" not in spec
    assert [record.get("device") for record in spec["objectives"]] == [None, "pi", "xeon", "worst"]
    assert spec["objectives"][3]["worst_of"] == ["pi_latency_ms", "xeon_latency_ms"]
    assert (run.evaluations()["worst_latency_ms"][run.evaluations()["status"] == "ok"] <= 2).all()
    moved = [toy.score(), *costs(tmp_path / "elsewhere")]
    again = search(SPACE, moved, ["worst_latency_ms <= 2"], "nsga2", 60, None, out=tmp_path / "run", resume=True)
    whole = search(SPACE, objectives, ["worst_latency_ms <= 2"], "nsga2", 60, 3, out=tmp_path / "whole")
    assert toy.table(again) == toy.table(whole)
    other = [toy.score(), *per_device({"pi": pair()["pi"].latency_ms, "board": pair()["xeon"].latency_ms})]
    with pytest.raises(InputError, match="was made with"):
        search(SPACE, other, ["worst_latency_ms <= 2"], "nsga2", 60, None, out=tmp_path / "run", resume=True)


def test_the_devices_are_recorded_when_only_the_worst_is_searched_for(tmp_path):
    worst = costs(tmp_path)[-1]
    run = search(SPACE, [toy.score(), worst], evaluations=20, seed=0, out=tmp_path / "run")
    assert list(run.spec["devices"]) == ["pi", "xeon"]
    assert list(run.fronts()) == ["worst"]


def test_the_fronts_are_in_front_json(tmp_path):
    import json

    run = search(SPACE, [toy.score(), *costs()], evaluations=60, seed=0, out=tmp_path)
    run.write_front()
    written = json.loads((tmp_path / "front.json").read_text())
    front = run.front()
    for device, positions in written["fronts"].items():
        assert [front[i].architecture for i in positions] == [point.architecture for point in run.fronts()[device]]


def test_what_needs_one_device_says_so(tmp_path):
    run = search(SPACE, [toy.score(), *costs()], evaluations=20, seed=0, out=tmp_path)
    with pytest.raises(InputError, match=r"was searched for pi and xeon: name one of them, such as hwnas verify .* --device pi"):
        run.verify()


def test_drawn_values_keep_the_worst_what_it_is():
    *_, worst = as_objectives(costs(references={"pi": 2.0, "xeon": 1.0}), SPACE)
    records = [{"name": "accuracy"}, {"name": "pi_latency_ms", "device": "pi"}, {"name": "xeon_latency_ms", "device": "xeon"}, worst.spec()]
    values = np.random.default_rng(0).random((5, 7, 4))
    found = recomputed(values, records)
    np.testing.assert_array_equal(found[..., 3], np.maximum(values[..., 1] / 2, values[..., 2]))
    np.testing.assert_array_equal(found[..., :3], values[..., :3])
    alone = recomputed(values[..., [0, 3]], [records[0], records[3]])
    np.testing.assert_array_equal(alone, values[..., [0, 3]])


def test_the_chance_of_a_point_does_not_grow_with_an_objective_that_says_nothing_new(tmp_path):
    """The worst of the devices dominates where they do: with it or without it the chances are about the same."""
    both = [toy.score(), *costs()[:2]]
    run = search(SPACE, both, evaluations=60, seed=0, out=tmp_path / "two")
    more = search(SPACE, [*both, Worst(tuple(both[1:]), "latency_ms")], algorithm="random", evaluations=1, seed=0, out=tmp_path / "three")
    rows = run.rows()
    from hwnas.storage import Evaluation, Writer

    worst = [tuple(max(a, b) for a, b in zip(*row.estimates[1:], strict=True)) for row in rows]
    with Writer(more.database) as writer, writer.transaction() as db:
        db.execute("DELETE FROM evaluations")
        db.execute("DELETE FROM timings")
    with Writer(more.database) as writer:
        writer.add([Evaluation(r.id, r.architecture, (*r.estimates, w), r.status) for r, w in zip(rows, worst, strict=True)])
    one, other = run.chances(), Run.open(more.path).chances()
    assert one.keys() == other.keys()
    assert max(abs(one[key] - other[key]) for key in one) < 0.08


def test_a_run_for_one_device_has_no_fronts():
    assert by_device([{"name": "accuracy"}, {"name": "latency_ms"}]) == {}
