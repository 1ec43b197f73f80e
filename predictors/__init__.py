"""From measured facts to a price: predictors of what networks cost on a device."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

# Needs numpy alone, and must come first: importing the module of the same name later would put it in the place of the function.
from predictors.covering import covering

if TYPE_CHECKING:
    from predictors.accelerators import CrossbarTiles, SystolicArray
    from predictors.boosted import BoostedTrees
    from predictors.cost import Cost
    from predictors.cost_table import CostTable
    from predictors.lookup import LookupTable
    from predictors.network import NetworkPredictor
    from predictors.prediction import Prediction
    from predictors.roofline import Roofline
    from predictors.store import load
    from predictors.transfer import Transfer

__all__ = [
    "BoostedTrees", "Cost", "CostTable", "CrossbarTiles", "LookupTable", "NetworkPredictor", "Prediction", "Roofline", "SystolicArray",
    "Transfer", "covering", "load",
]  # fmt: skip

_WHERE = {
    "BoostedTrees": "boosted", "Cost": "cost", "CostTable": "cost_table", "CrossbarTiles": "accelerators", "LookupTable": "lookup",
    "NetworkPredictor": "network", "Prediction": "prediction", "Roofline": "roofline", "SystolicArray": "accelerators",
    "Transfer": "transfer", "load": "store",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    """Loads scikit-learn and xgboost only when something that needs them is asked for."""
    if name not in _WHERE:
        raise AttributeError(f"module 'predictors' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"predictors.{_WHERE[name]}"), name)
