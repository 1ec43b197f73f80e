"""`BoostedTrees`: gradient-boosted trees on how the measured time relates to the base (XGBoost: Chen and Guestrin, KDD 2016)."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import numpy.typing as npt
import xgboost

from device_profiles.errors import InputError
from predictors.estimator import Self, Vector
from predictors.features import FEATURES, Matrix
from predictors.over_base import OverBase
from predictors.roofline import Roofline

#: More of these is never cheaper, all else equal. The base grows with them too, so the product of both does.
MONOTONE = ("macs", "element_steps", "read_bytes", "written_bytes", "weight_bytes")

#: XGBoost computes in float32.
_LARGEST = 1e30


class BoostedTrees(OverBase):
    """Trees on `log(measured / base)`: the base carries the scale, the trees what it cannot know.

    Parameters: `base` (default `Roofline()`), and those of the trees; `monotone` forbids that more MACs or bytes make an operator cheaper.
    One thread, fixed seed: the same data give the same trees.

    Learned: `base_`, `booster_`.
    """

    def __init__(
        self,
        base: Any = None,
        rounds: int = 150,
        learning_rate: float = 0.12,
        depth: int = 6,
        subsample: float = 0.8,
        monotone: bool = True,
        seed: int = 0,
    ) -> None:
        self.base = base
        self.rounds = rounds
        self.learning_rate = learning_rate
        self.depth = depth
        self.subsample = subsample
        self.monotone = monotone
        self.seed = seed

    def fit(self: Self, X: npt.ArrayLike, y: npt.ArrayLike) -> Self:
        """Learns from features `(n, n_features)` and times `(n,)`."""
        features, ratio = self._fit_base(X, y)
        matrix = xgboost.DMatrix(_float32(features), label=ratio, nthread=1)
        self.booster_ = xgboost.train(_parameters(self), matrix, num_boost_round=self.rounds)
        return self

    def predict(self, X: npt.ArrayLike) -> Vector:
        """Times of rows `(m, n_features)`, shape `(m,)`, in the unit of the `y` of `fit`."""
        features = self._validate_predict(X)
        ratio = np.asarray(self.booster_.inplace_predict(_float32(features)), dtype=np.float64)
        return self._times(features, ratio)

    def to_json(self) -> dict[str, Any]:
        """The trees as XGBoost writes them to JSON; the base is stored by the caller."""
        return {"parameters": self.get_params(deep=False) | {"base": None}, "booster": json.loads(self.booster_.save_raw("json"))}

    @classmethod
    def from_json(cls, data: dict[str, Any], base: Roofline) -> BoostedTrees:
        """The inverse of `to_json`. Raises InputError when XGBoost does not read the trees."""
        model = cls(**data["parameters"])
        model.operators_, model.base_, model.n_features_in_ = True, base, len(FEATURES)
        try:
            model.booster_ = xgboost.Booster({"nthread": 1}, model_file=bytearray(json.dumps(data["booster"]).encode()))
        except xgboost.core.XGBoostError as error:
            raise InputError(f"xgboost {xgboost.__version__} does not read these trees: {str(error).splitlines()[0][:120]}") from error
        return model


def _float32(X: Matrix) -> npt.NDArray[np.float32]:
    return np.clip(X, -_LARGEST, _LARGEST).astype(np.float32)


def _parameters(model: Any) -> dict[str, Any]:
    parameters = {
        "max_depth": model.depth, "eta": model.learning_rate, "subsample": model.subsample, "colsample_bytree": 0.8, "tree_method": "hist",
        "min_child_weight": 1, "lambda": 1.0, "seed": model.seed, "nthread": 1, "verbosity": 0,
    }  # fmt: skip
    if model.monotone and model.operators_:
        parameters["monotone_constraints"] = "(" + ",".join("1" if name in MONOTONE else "0" for name in FEATURES) + ")"
    return parameters
