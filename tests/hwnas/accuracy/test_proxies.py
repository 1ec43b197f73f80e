"""Zero-cost proxies against networks small enough to work out by hand."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from hwnas.accuracy.proxies import grad_norm, naswot, synflow

NO_LABELS = torch.zeros(1, dtype=torch.int64)


def linear(*rows: list[float]) -> nn.Linear:
    layer = nn.Linear(len(rows[0]), len(rows), bias=False)
    layer.weight = nn.Parameter(torch.tensor(rows))
    return layer


def test_synflow_of_two_layers() -> None:
    """Ones through |1 -2; 3 4| give 3 and 7, through |5 -6| 57, and that is the flow through each of the two layers."""
    network = nn.Sequential(linear([1.0, -2.0], [3.0, 4.0]), nn.ReLU(), linear([5.0, -6.0]))
    assert synflow(network, torch.zeros(3, 2), NO_LABELS) == pytest.approx(math.log1p(57 + 57))
    assert network[0].weight[0, 1].item() == -2.0  # the network itself is left alone


def test_synflow_of_a_deep_network_stays_finite() -> None:
    network = nn.Sequential(*(linear(*[[100.0] * 100] * 100) for _ in range(60)))
    assert synflow(network, torch.zeros(1, 100), NO_LABELS) == pytest.approx(math.log(60) + 60 * math.log(1e4) + math.log(100))


class Functional(nn.Module):
    """A kink applied by a function, as in networks that are run from a drawing."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.relu(x)


@pytest.mark.parametrize("network", [nn.ReLU(), Functional(), nn.Sequential(nn.Hardswish())])
def test_naswot_of_two_images(network: nn.Module) -> None:
    """Codes 101 and 110 share one of three places: |3 1; 1 3| has the determinant 8."""
    images = torch.tensor([[1.0, -1.0, 2.0], [3.0, 1.0, -2.0]])
    assert naswot(network, images, NO_LABELS) == pytest.approx(math.log(8), abs=1e-5)


def test_naswot_adds_up_layers_and_punishes_what_tells_no_images_apart() -> None:
    images = torch.tensor([[1.0, -1.0, 2.0], [3.0, 1.0, -2.0]])
    twice = nn.Sequential(nn.ReLU(), nn.ReLU())  # |6 2; 2 6|: what is above 0 stays above 0
    assert naswot(twice, images, NO_LABELS) == pytest.approx(math.log(32), abs=1e-5)
    assert naswot(nn.ReLU(), images.abs(), NO_LABELS) < math.log(8) - 5


def test_grad_norm_of_one_image() -> None:
    """With equal logits the gradient is (1/2 - 1, 1/2) x (3, 4), of norm 5 / sqrt 2; a second layer without use adds nothing."""
    network = linear([0.0, 0.0], [0.0, 0.0])
    assert grad_norm(network, torch.tensor([[3.0, 4.0]]), NO_LABELS) == pytest.approx(5 / math.sqrt(2))
    unused = nn.Module()
    unused.first, unused.second = network, linear([1.0])
    unused.forward = network.forward  # type: ignore[method-assign]
    assert grad_norm(unused, torch.tensor([[3.0, 4.0]]), NO_LABELS) == pytest.approx(5 / math.sqrt(2))
