"""Replays, their summary and their files."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import numpy as np
import pytest

from device_profiles.errors import InputError
from hwnas.replay import Comparison, Course, compare
from hwnas.replay.files import as_csv, as_html, write_files
from hwnas.search.tables.table import make_table


def grid():
    archs = np.indices((3,) * 5).reshape(5, -1).T
    latency = 1.0 + archs @ [1.0, 0.5, 0.2, 0.1, 0.7]
    numbers = {"accuracy": {"": 1 - 0.5 * np.exp(-archs @ [0.3, 0.1, 0.4, 0.2, 0.1])}, "latency_ms": {"a": latency, "b": latency**2}}
    return make_table("<grid>", {f"c{i}": archs[:, i] for i in range(5)}, numbers)


@pytest.fixture(scope="module")
def found():
    return compare(grid(), ["nsga2", "surrogate"], seeds=4, evaluations=40)


def test_random_search_is_always_there_and_everything_is_repeatable(found):
    assert list(found.courses) == ["nsga2", "surrogate", "random"]
    again = compare(grid(), ["nsga2", "surrogate", "random"], seeds=4, evaluations=40)
    for name, courses in found.courses.items():
        for one, two in zip(courses, again.courses[name], strict=True):
            np.testing.assert_array_equal(one.hypervolume, two.hypervolume)
            assert len(one.hypervolume) == 40
            assert (np.diff(one.hypervolume) >= 0).all()
            assert (np.diff(one.seconds) >= 0).all()
            assert one.hypervolume[-1] <= found.volume * (1 + 1e-12)


def test_rows_tell_the_better_from_the_worse(found):
    rows = {row["algorithm"]: row for row in found.rows()}
    assert rows["surrogate"]["hypervolume"] > rows["random"]["hypervolume"]
    assert rows["surrogate"]["p_against_random"] < 0.2  # four seeds against four
    assert rows["random"]["p_against_random"] is None
    for row in rows.values():
        assert row["hypervolume_low"] <= row["hypervolume"] <= row["hypervolume_high"] <= 1 + 1e-12


def test_the_reference_is_fixed_and_can_be_given():
    given = compare(grid(), [], seeds=1, evaluations=5, objectives={"accuracy": None, "latency_ms": "b"}, reference={"latency_ms": 9.0})
    assert given.reference["latency_ms"] == 9.0
    assert given.objectives["latency_ms"] == "b"


def without(table, missing, value):
    accuracy = table.column("accuracy").copy()
    accuracy[missing] = value
    return replace(table, columns={**table.columns, "accuracy": {"": accuracy}})


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_rows_without_an_objective_are_left_out_and_counted(value):
    whole = compare(grid(), [], seeds=1, evaluations=300, reference={"accuracy": 0.4, "latency_ms": 9.0})
    lacking = compare(without(grid(), [0, 7, 242], value), [], seeds=1, evaluations=300, reference={"accuracy": 0.4, "latency_ms": 9.0})
    assert (whole.left_out, lacking.left_out) == (0, 3)
    assert (whole.evaluations, lacking.evaluations) == (243, 240)
    assert lacking.volume < whole.volume  # the smallest and the largest are gone
    assert lacking.courses["random"][0].hypervolume[-1] == pytest.approx(lacking.volume)
    assert "3 rows without one of them left out" in as_html(lacking)


def test_constraints_hold_for_the_true_front_too():
    bounded = compare(grid(), [], seeds=1, evaluations=500, constraints=["latency_ms <= 2.5"])
    assert bounded.courses["random"][0].hypervolume[-1] == pytest.approx(bounded.volume)


def test_medians_and_bands_by_hand():
    courses = [Course("random", s, np.array(v), np.zeros(len(v))) for s, v in enumerate(([0.0, 1.0], [1.0, 2.0], [2.0]))]
    comparison = Comparison("t", {}, (), {}, 2.0, 2, {"random": courses})
    np.testing.assert_allclose(comparison.band("random"), [[0.25, 0.75], [0.5, 1.0], [0.75, 1.0]])
    assert comparison.rows()[0]["evaluations_to_99"] == 2


def test_the_rank_test_by_hand():
    courses = {
        name: [Course(name, s, np.array([start + s, 10.0]), np.zeros(2)) for s in range(4)] for name, start in (("nsga2", 5), ("random", 0))
    }
    comparison = Comparison("t", {}, (), {}, 10.0, 2, courses)
    assert comparison.rank_test("nsga2", "random") == pytest.approx(2 / 70)  # all four above all four
    assert comparison.rank_test("random", "random") == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"algorithms": ["nsga"]}, "did you mean 'nsga[23]'"),
        ({"seeds": 0}, "at least one seed"),
        ({"objectives": {"energy_mj": None}}, "unknown column of <grid>"),
        ({"reference": {"energy_mj": 1.0}}, "unknown objective in a reference"),
        ({"constraints": ["latency_ms <= 0.1"]}, "no architecture with latency_ms <= 0.1 found"),
        (
            {"reference": {"latency_ms": 0.5}},
            "no row of <grid> is better than the reference in every objective: give another than accuracy",
        ),
    ],
)
def test_wrong_questions_end_in_one_line(arguments, message):
    with pytest.raises(InputError, match=message):
        compare(grid(), **{"algorithms": ["random"], "seeds": 1, "evaluations": 5, **arguments})


def test_a_table_without_one_whole_row_is_refused():
    with pytest.raises(InputError, match="<grid> has no row with accuracy and latency_ms: none of its 243 rows can be compared"):
        compare(without(grid(), slice(None), np.nan), [], seeds=1, evaluations=5)


def test_csv_holds_every_course(found):
    rows = list(csv.DictReader(io.StringIO(as_csv(found))))
    assert len(rows) == 3 * 4 * 40
    assert float(rows[39]["hypervolume"]) == found.courses["nsga2"][0].hypervolume[-1]


def test_html_stands_alone_and_is_escaped(found, tmp_path):
    page = as_html(found)
    assert "<grid>" not in page
    assert "&lt;grid&gt;" in page
    assert page.count("<svg") == 2
    assert "http" not in page.replace("http://www.w3.org", "")
    assert [path.name for path in write_files(found, tmp_path / "out")] == ["comparison.csv", "comparison.html", "comparison.svg"]
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="is a file, not a folder"):
        write_files(found, tmp_path / "file")
