"""Calibration: exact, fixed, and over when anything changes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from device_profiles.errors import InputError
from hwnas.data import Dataset
from hwnas.spaces import MobileNetSpace
from hwnas.supernet import calibrate, calibration_curve, calibration_images, train
from hwnas.supernet.mobilenet import MobileNetSupernet
from hwnas.torch_tools import to_input


def test_in_one_batch_eval_mode_computes_what_training_mode_computes(
    supernet: MobileNetSupernet, space: MobileNetSpace, digits: Dataset
) -> None:
    images = to_input(digits.train.images[:100])
    for arch in [space.smallest()[0], space.largest()[0], *space.sample(3, np.random.default_rng(0))]:
        supernet.activate(arch)
        calibrate(supernet, images)
        assert torch.allclose(supernet.eval()(images), supernet.train()(images), rtol=1e-4, atol=1e-6)


def test_statistics_of_another_sub_net_would_be_wrong(supernet: MobileNetSupernet, space: MobileNetSpace, digits: Dataset) -> None:
    images = to_input(digits.train.images[:100])
    supernet.activate(space.smallest())
    calibrate(supernet, images)
    right = supernet.eval()(images)
    supernet.activate(space.largest())
    calibrate(supernet, images)
    supernet.activate(space.smallest())
    supernet.mark_calibrated()  # a lie, to see what the contract protects from
    assert not torch.allclose(supernet(images), right, rtol=0.05, atol=1e-4)


def test_bytes_and_floats_calibrate_alike_and_the_mode_is_kept(supernet: MobileNetSupernet, digits: Dataset) -> None:
    pixels = digits.train.images[:50]
    supernet.train()
    calibrate(supernet, pixels)
    assert supernet.training
    first = supernet.eval()(to_input(pixels))
    calibrate(supernet, to_input(pixels))
    assert not supernet.training
    assert torch.equal(supernet(to_input(pixels)), first)


def test_smaller_batches_come_close(supernet: MobileNetSupernet, digits: Dataset) -> None:
    images = to_input(digits.train.images[:240])
    calibrate(supernet, images)
    whole = supernet.eval()(images)
    calibrate(supernet, images, batch_size=80)
    assert (supernet(images) - whole).abs().max() < 0.2 * whole.std()


def test_no_batch_is_left_with_a_single_image(supernet: MobileNetSupernet, digits: Dataset) -> None:
    seen: list[int] = []
    supernet.register_forward_pre_hook(lambda _m, inputs: seen.append(len(inputs[0])))
    calibrate(supernet, digits.train.images[:9], batch_size=2)
    assert sum(seen) == 9
    assert min(seen) >= 2


def test_an_interrupted_calibration_does_not_count(supernet: MobileNetSupernet, digits: Dataset) -> None:
    calibrate(supernet, digits.train.images[:20])
    with pytest.raises(RuntimeError):
        calibrate(supernet, np.zeros((20, 3, 8, 8), np.uint8))  # three channels where one is expected
    assert not supernet.calibrated
    assert not supernet.measuring


@pytest.mark.parametrize(("images", "batch"), [(np.zeros((1, 1, 8, 8), np.uint8), None), (np.zeros((9, 1, 8, 8), np.uint8), 1)])
def test_nothing_to_calibrate_with(supernet: MobileNetSupernet, images: np.ndarray, batch: int | None) -> None:
    with pytest.raises(InputError, match="at least 2 images"):
        calibrate(supernet, images, batch_size=batch)


def test_calibration_images_are_fixed_and_hold_every_class_in_its_share(digits: Dataset) -> None:
    chosen = calibration_images(digits, 100)
    assert np.array_equal(chosen, calibration_images(digits, 100))
    known = {image.tobytes(): label for image, label in zip(digits.train.images, digits.train.labels, strict=True)}
    labels = [known[image.tobytes()] for image in chosen]
    shares = np.bincount(digits.train.labels) / len(digits.train) * 100
    assert np.abs(np.bincount(labels) - shares).max() <= 1
    assert calibration_images(digits, 10**6) is digits.train.images
    with pytest.raises(InputError, match="at least 2 images"):
        calibration_images(digits, 1)


def test_the_curve_says_how_many_images_are_enough(space: MobileNetSpace, digits: Dataset) -> None:
    supernet = train(space, digits, epochs=4, batch_size=32, strategy="one_path")
    archs = np.concatenate([space.smallest(), space.largest()])
    curve = calibration_curve(supernet, digits, archs, (2, 64, 512, 10**6))
    assert curve["images"] == [2, 64, 512, len(digits.train)]
    assert curve["accuracy"][0] < curve["accuracy"][-1]
    assert curve["plateau"] in curve["images"][1:]
    later = curve["accuracy"][curve["images"].index(curve["plateau"]) :]
    assert all(abs(value - later[-1]) <= curve["error"] for value in later)
