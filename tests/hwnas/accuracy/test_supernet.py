"""Accuracy with inherited weights: calibrated, repeatable, and on the right images."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from device_profiles.errors import InputError
from hwnas import data
from hwnas.accuracy.interval import wilson
from hwnas.accuracy.supernet import SupernetAccuracy
from hwnas.data import Dataset
from hwnas.objectives import Objective
from hwnas.spaces import MobileNetSpace, Stage
from hwnas.supernet import Supernet, calibrate, calibration_images, train
from hwnas.torch_tools import to_input


@pytest.fixture(scope="module")
def space() -> MobileNetSpace:
    stages = (Stage((8, 12), (1, 2), (3, 5), (2, 3), 1), Stage((8, 16), (1, 2), (3, 5), (2, 3), 2))
    return MobileNetSpace(stages, 10, 1, 8, stem=8, head=16)


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return data.load("digits")


@pytest.fixture(scope="module")
def supernet(space: MobileNetSpace, digits: Dataset) -> Supernet:
    return train(space, digits, epochs=3, batch_size=32, learning_rate=0.3, shift=0)


@pytest.fixture
def score(supernet: Supernet, digits: Dataset) -> SupernetAccuracy:
    return SupernetAccuracy(supernet, digits)


def test_it_is_what_a_calibrated_sub_net_gets_right(
    score: SupernetAccuracy, supernet: Supernet, space: MobileNetSpace, digits: Dataset
) -> None:
    archs = space.sample(4, np.random.default_rng(0))
    for split, found in ((digits.validation, score(archs)[0]), (digits.test, score.test(archs)[0])):
        for arch, value in zip(archs, found, strict=True):
            supernet.activate(arch)
            calibrate(supernet, calibration_images(digits))
            with torch.no_grad():
                right = supernet.eval()(to_input(split.images)).argmax(1).numpy() == split.labels
            assert value == right.mean()
    assert found.min() > 0.7  # far above one in ten: training and calibration work


def test_without_calibration_the_same_weights_are_worth_less(score: SupernetAccuracy, supernet: Supernet, digits: Dataset) -> None:
    calibrated = score(supernet.space.largest())[0][0]
    supernet.activate(supernet.space.smallest())
    calibrate(supernet, calibration_images(digits))
    supernet.activate(supernet.space.largest())
    supernet.mark_calibrated()  # a lie: these are the statistics of another sub-net
    with torch.no_grad():
        right = supernet.eval()(to_input(digits.validation.images)).argmax(1).numpy() == digits.validation.labels
    assert right.mean() < calibrated - 0.1


def test_an_architecture_gets_the_same_number_in_any_company(score: SupernetAccuracy, supernet: Supernet, space: MobileNetSpace) -> None:
    archs = space.sample(5, np.random.default_rng(1))
    together = score(archs)
    backwards = score(archs[::-1])
    supernet.activate(space.smallest())
    supernet.train()
    for i, arch in enumerate(archs):
        alone = score(arch)
        assert [a[0] for a in alone] == [t[i] for t in together] == [b[4 - i] for b in backwards]
    assert supernet.active == tuple(space.smallest()[0].tolist())
    assert supernet.training


def test_smaller_batches_change_nothing(score: SupernetAccuracy, space: MobileNetSpace, monkeypatch: pytest.MonkeyPatch) -> None:
    archs = space.sample(2, np.random.default_rng(4))
    whole = score(archs)[0]
    monkeypatch.setattr("hwnas.accuracy.supernet.PIXELS", 64 * 100)
    assert np.array_equal(score(archs)[0], whole)


def test_choices_that_do_nothing_change_nothing(score: SupernetAccuracy, space: MobileNetSpace) -> None:
    row = np.array([0, 0, 1, 1, 1, 1, 1, 0, 0, 1, 1, 1])
    assert score(row) == score(space.canonical(row))


def test_intervals_are_those_of_the_split(score: SupernetAccuracy, space: MobileNetSpace, digits: Dataset) -> None:
    values, lows, highs = score(space.largest())
    assert values.dtype == lows.dtype == highs.dtype == np.float64
    assert values.shape == lows.shape == highs.shape == (1,)
    expected = wilson(round(float(values[0]) * 359), 359)
    assert (lows[0], highs[0]) == expected


def test_search_never_sees_the_test_images(supernet: Supernet, digits: Dataset, space: MobileNetSpace) -> None:
    hidden = replace(digits, test=data.Split(np.zeros_like(digits.test.images), digits.test.labels))
    archs = space.sample(3, np.random.default_rng(2))
    assert np.array_equal(SupernetAccuracy(supernet, hidden)(archs)[0], SupernetAccuracy(supernet, digits)(archs)[0])


def test_it_serves_as_an_objective(score: SupernetAccuracy, space: MobileNetSpace) -> None:
    objective = Objective(score.name, score.unit, score.direction, score.expensive, score)
    found = objective.evaluate(space.sample(2, np.random.default_rng(3)))
    assert (objective.name, objective.unit, objective.direction, objective.expensive) == ("accuracy", "", "max", True)
    assert found.values.shape == (2,)
    assert score(np.empty((0, len(space.choices)), dtype=np.int64))[0].shape == (0,)


def test_prepare_leaves_the_sub_net_active_and_calibrated(score: SupernetAccuracy, supernet: Supernet, space: MobileNetSpace) -> None:
    score.prepare(space.smallest()[0])
    assert supernet.active == tuple(space.smallest()[0].tolist())
    assert supernet.calibrated


def test_what_does_not_fit_is_refused(score: SupernetAccuracy, supernet: Supernet, space: MobileNetSpace) -> None:
    with pytest.raises(InputError, match="the super-network is for 10 classes"):
        SupernetAccuracy(supernet, data.load("digits", resolution=9))
    with pytest.raises(InputError, match="cannot have index 7"):
        score(np.vstack([space.smallest(), np.full((1, 12), 7)]))
