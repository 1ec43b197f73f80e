"""Accelerators as formulas: latency, energy and area of designs that need not exist, for the searches that measured devices serve too."""

from __future__ import annotations

from predictors.accelerators.base import Accelerator, AcceleratorPrediction, OperatorCost
from predictors.accelerators.crossbar import CrossbarTiles
from predictors.accelerators.mesh import Mesh
from predictors.accelerators.refitted import Refitted
from predictors.accelerators.systolic import SystolicArray

__all__ = ["Accelerator", "AcceleratorPrediction", "CrossbarTiles", "Mesh", "OperatorCost", "Refitted", "SystolicArray"]
