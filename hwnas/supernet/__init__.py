"""Weight-sharing super-networks: one set of weights for every architecture of a space. Imports torch."""

from hwnas.supernet.base import SubNet, Supernet, UncalibratedError
from hwnas.supernet.calibration import calibrate, calibration_curve, calibration_images
from hwnas.supernet.checkpoint import load
from hwnas.supernet.sorting import sort_channels
from hwnas.supernet.strategies import STRATEGIES
from hwnas.supernet.train import DivergedError, train

__all__ = [
    "STRATEGIES", "DivergedError", "SubNet", "Supernet", "UncalibratedError", "calibrate", "calibration_curve", "calibration_images",
    "load", "sort_channels", "train",
]  # fmt: skip
