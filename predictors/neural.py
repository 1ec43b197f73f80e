"""`NeuralRatio`: a small neural network of how the measured time relates to the base; what trees and interpolation are compared with."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPRegressor

from predictors.estimator import Self, Vector
from predictors.linear import Scaling
from predictors.over_base import OverBase


class NeuralRatio(OverBase):
    """A perceptron with two hidden layers on the features that `LinearRatio` uses.

    Parameters: `base` (default `Roofline()`), `width` of the hidden layers, `penalty` on the squared weights, `epochs`, `seed`.

    Learned: `base_`, `scaling_`, `layers_` (weights and biases in order).
    """

    def __init__(self, base: Any = None, width: int = 64, penalty: float = 0.1, epochs: int = 200, seed: int = 0) -> None:
        self.base = base
        self.width = width
        self.penalty = penalty
        self.epochs = epochs
        self.seed = seed

    def fit(self: Self, X: npt.ArrayLike, y: npt.ArrayLike) -> Self:
        """Learns from features `(n, n_features)` and times `(n,)`."""
        model: Any = self
        features, ratio = model._fit_base(X, y)
        model.scaling_ = Scaling(features)
        size = (model.width, model.width)
        network = MLPRegressor(
            hidden_layer_sizes=size, alpha=model.penalty, max_iter=model.epochs, random_state=model.seed, learning_rate_init=3e-3
        )
        # In units of its spread, so that a target in microseconds and one in years are learned alike.
        centre, spread = float(ratio.mean()), float(ratio.std()) or 1.0
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # the number of epochs is a parameter
            network.fit(model.scaling_(features), (ratio - centre) / spread)
        model.layers_ = list(zip(network.coefs_, network.intercepts_, strict=True))
        last, bias = model.layers_[-1]
        model.layers_[-1] = (last * spread, bias * spread + centre)
        return self

    def predict(self, X: npt.ArrayLike) -> Vector:
        """Times of rows `(m, n_features)`, shape `(m,)`, in the unit of the `y` of `fit`."""
        features = self._validate_predict(X)
        values = self.scaling_(features)
        for number, (weights, biases) in enumerate(self.layers_):
            # Not a matrix product: what a row gives must not depend on the others, to the last bit.
            values = np.einsum("ij,jk->ik", values if number == 0 else np.maximum(values, 0.0), weights) + biases
        return self._times(features, values[:, 0])
