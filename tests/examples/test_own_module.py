"""The example of a module of the user's own is a super-network in every respect."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from hwnas import data, spaces
from hwnas.accuracy import SupernetAccuracy
from hwnas.supernet import calibrate, load, train

OWN = f"{Path(__file__).parents[2] / 'examples' / 'own_module.py'}:Deep"


def test_a_module_of_ones_own_is_trained_judged_and_extracted(tmp_path: Path) -> None:
    digits = data.load("digits")
    space = spaces.load(OWN, classes=10, resolution=8, channels=1)
    train(space, digits, strategy="one_path", epochs=3, batch_size=128, optimiser="adamw", out=tmp_path)
    supernet, metadata = load(tmp_path)
    images = torch.rand(6, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    for depth in range(4):
        supernet.activate([depth])
        calibrate(supernet, images)
        for mode in (True, False):
            supernet.train(mode)
            subnet = supernet.extract()
            assert torch.allclose(subnet(images), supernet(images), rtol=0, atol=1e-5)
        assert sum(p.numel() for p in subnet.parameters()) == space.network([depth]).params
    losses = [epoch["loss"] for epoch in metadata["history"]]
    assert losses[-1] < losses[0]
    accuracy = SupernetAccuracy(supernet, digits)(np.array([[0], [3]]))[0]
    assert 0.05 < accuracy.min() <= accuracy.max() < 0.9  # hardly trained
