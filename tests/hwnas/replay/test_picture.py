"""The picture of a comparison: where curves run, and that it is a whole file."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from hwnas.replay import Comparison, Course
from hwnas.replay.picture import BOTTOM, COLOURS, LEFT, RIGHT, TOP, svg

NAMESPACE = "{http://www.w3.org/2000/svg}"


def comparison(courses, volume=1.0):
    """Courses of `{name: hypervolumes}`, one seed each, ten evaluations to a second."""
    drawn = {name: [Course(name, 0, np.array(v), np.arange(1, len(v) + 1) / 10)] for name, v in courses.items()}
    return Comparison("t", {}, (), {}, volume, max(map(len, courses.values())), drawn)


def curve(text, number):
    lines = ElementTree.fromstring(text).findall(f"{NAMESPACE}polyline")
    return np.array([list(map(float, pair.split(","))) for pair in lines[number].get("points").split()])


def test_what_is_missing_goes_down_by_equal_steps_for_equal_factors():
    points = curve(svg(comparison({"a": [0.0, 0.9, 0.99, 0.999, 1.0]})), 0)
    third = (BOTTOM - TOP) / 3
    np.testing.assert_allclose(points[:, 1], [TOP, TOP + third, TOP + 2 * third, BOTTOM, BOTTOM], atol=0.1)
    assert points[0, 0] == LEFT
    assert points[-1, 0] == RIGHT
    np.testing.assert_allclose(points[1, 0] - LEFT, (RIGHT - LEFT) * np.log(2) / np.log(5), atol=0.1)


@pytest.mark.parametrize("against", ["evaluations", "seconds"])
def test_names_and_axes_are_there_and_escaped(against):
    text = svg(comparison({"<best>": [0.5] * 200, "random": [0.1] * 1000}), against)
    assert "&lt;best&gt;" in text
    assert all(colour in text for colour in COLOURS[:2])
    assert {"100 %", "10 %", "1 %", "0.1 %"} <= set(re.findall(r">([\d.]+ %)<", text))
    assert f"missing hypervolume against {against}" in text


def test_a_long_course_has_no_more_points_than_a_picture_has_pixels():
    assert len(curve(svg(comparison({"a": np.linspace(0, 1, 50_000)})), 0)) <= 300


def test_one_evaluation_is_a_picture_too():
    assert curve(svg(comparison({"a": [0.5]})), 0).shape == (1, 2)
