"""The contract of a super-network: activation, calibration, extraction."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from device_profiles.errors import InputError
from hwnas.data import Dataset
from hwnas.spaces import MobileNetSpace
from hwnas.supernet import SubNet, Supernet, UncalibratedError, calibrate
from hwnas.supernet.mobilenet import MobileNetSupernet
from hwnas.torch_tools import to_input


@pytest.fixture
def images(digits: Dataset) -> torch.Tensor:
    return to_input(digits.train.images[:40])


def test_the_largest_sub_net_is_active_at_first(supernet: MobileNetSupernet, space: MobileNetSpace) -> None:
    assert supernet.active == tuple(space.largest()[0].tolist())
    assert not supernet.calibrated


def test_activate_takes_rows_lists_and_batches_of_one_and_makes_them_canonical(supernet: MobileNetSupernet, space: MobileNetSpace) -> None:
    row = np.array([0, 0, 1, 1, 1, 1, 1, 0, 0, 1, 1, 1])
    for form in (row, row[None], row.tolist()):
        supernet.activate(form)
        assert supernet.active == tuple(space.canonical(row)[0].tolist()) != tuple(row.tolist())


@pytest.mark.parametrize("wrong", [[9] + [0] * 11, [0] * 11, [[0] * 12] * 2, [0.5] * 12])
def test_an_illegal_architecture_changes_nothing(supernet: MobileNetSupernet, images: torch.Tensor, wrong: list[int]) -> None:
    calibrate(supernet, images)
    before = supernet.eval()(images)
    for act in (supernet.activate, supernet.extract):
        with pytest.raises(InputError):
            act(wrong)
    assert torch.equal(supernet(images), before)


def test_predictions_of_an_uncalibrated_sub_net_are_refused(supernet: MobileNetSupernet, images: torch.Tensor) -> None:
    supernet.eval()
    with pytest.raises(UncalibratedError, match=r"not calibrated.*calibrate\(supernet, images\)"):
        supernet(images)
    assert issubclass(UncalibratedError, InputError)
    supernet.train()
    assert supernet(images).shape == (40, 10)  # its own statistics serve in training


def test_calibration_ends_with_activation(supernet: MobileNetSupernet, images: torch.Tensor) -> None:
    calibrate(supernet, images)
    supernet.eval()(images)
    supernet.activate(supernet.active)
    with pytest.raises(UncalibratedError):
        supernet(images)


def test_calibration_ends_with_a_training_step(supernet: MobileNetSupernet, images: torch.Tensor) -> None:
    optimiser = torch.optim.SGD(supernet.parameters(), lr=0.1)
    calibrate(supernet, images)
    supernet.train()(images).sum().backward()
    assert supernet.calibrated  # nothing has changed yet
    optimiser.step()
    assert not supernet.calibrated
    with pytest.raises(UncalibratedError):
        supernet.require_calibrated()


def test_calibration_ends_with_new_weights(supernet: MobileNetSupernet, images: torch.Tensor) -> None:
    calibrate(supernet, images)
    supernet.load_state_dict({k: v.clone() for k, v in supernet.state_dict().items()}, assign=True)
    assert not supernet.calibrated
    calibrate(supernet, images)
    with torch.no_grad():
        supernet.classifier.bias.add_(1)
    assert not supernet.calibrated
    calibrate(supernet, images)
    assert not copy.deepcopy(supernet).calibrated  # rather once too often than never


@settings(max_examples=15)
@given(seed=st.integers(0, 10**6))
def test_an_extracted_sub_net_computes_what_the_active_one_does(seed: int, digits: Dataset) -> None:
    space = MobileNetSpace.from_spec(SPEC)
    supernet = trained(MobileNetSupernet(space, seed=seed), digits)
    images = to_input(digits.train.images[:40])
    supernet.activate(space.sample(1, np.random.default_rng(seed)))
    calibrate(supernet, images)
    for mode in (True, False):
        supernet.train(mode)
        subnet = supernet.extract()
        assert subnet.training is mode
        assert subnet.calibrated
        assert torch.allclose(subnet(images), supernet(images), rtol=0, atol=1e-5)


def test_extracting_another_architecture_gives_a_fresh_module_and_disturbs_nothing(
    supernet: MobileNetSupernet, space: MobileNetSpace, images: torch.Tensor
) -> None:
    calibrate(supernet, images)
    expected = supernet.eval()(images)
    subnet = supernet.extract(space.smallest())
    assert isinstance(subnet, SubNet)
    assert not subnet.calibrated
    assert subnet.architecture == tuple(space.smallest()[0].tolist())
    norms = [module for module in subnet.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    assert all(torch.equal(n.running_mean, torch.zeros(n.num_features)) for n in norms if n.running_mean is not None)
    assert all(torch.equal(n.running_var, torch.ones(n.num_features)) for n in norms if n.running_var is not None)
    assert torch.equal(supernet(images), expected)  # still active, still calibrated
    supernet.activate(space.smallest())
    assert torch.equal(subnet.train()(images), supernet.train()(images))


def test_an_extracted_sub_net_is_a_copy(supernet: MobileNetSupernet, images: torch.Tensor) -> None:
    calibrate(supernet, images)
    expected = supernet.eval()(images).detach()
    subnet = supernet.extract().train()
    optimiser = torch.optim.SGD(subnet.parameters(), lr=1.0)
    subnet(images).square().sum().backward()
    optimiser.step()
    assert torch.equal(supernet(images), expected)
    assert not {p.data_ptr() for p in subnet.parameters()} & {p.data_ptr() for p in supernet.parameters()}


def test_building_and_extracting_leave_the_global_random_state_alone(space: MobileNetSpace, images: torch.Tensor) -> None:
    before = torch.random.get_rng_state()
    supernet = MobileNetSupernet(space)
    calibrate(supernet, images)
    supernet.extract()
    assert torch.equal(torch.random.get_rng_state(), before)


SPEC = MobileNetSpace.from_spec(
    {
        "kind": "mobilenet", "classes": 10, "channels": 1, "resolution": 8, "stem": 8, "head": 16,
        "stages": [
            {"widths": [8, 12], "depths": [1, 2], "kernels": [3, 5], "expansions": [2, 3], "stride": 1},
            {"widths": [8, 16], "depths": [1, 2], "kernels": [3, 5, 7], "expansions": [2, 3], "stride": 2},
        ],
    }
).spec()  # fmt: skip


def trained(supernet: Supernet, digits: Dataset) -> Supernet:
    """A few large steps, so that no scale, shift or bias is what it was at first."""
    images, labels = to_input(digits.train.images[:64]), torch.from_numpy(digits.train.labels[:64])
    optimiser = torch.optim.SGD(supernet.parameters(), lr=0.5)
    for _ in range(3):
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(supernet.train()(images), labels).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    return supernet
