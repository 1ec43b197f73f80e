"""Accuracy from NN-Degree by three numbers, fitted on some 25 trained networks.

    theta(g) = 1 / (a + exp(b / g + c))

rises with g and saturates at 1 / (a + exp(c)); Li, Mandal, Ogras and Marculescu, FLASH, ACM TECS 2021, section 3.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from device_profiles.errors import InputError
from hwnas.accuracy.nn_degree import Floats, NNDegree
from hwnas.objectives import Estimates
from hwnas.spaces.base import Archs, SearchSpace

#: Parameters, and the fewest samples that leave a degree of freedom to judge the fit by.
PARAMETERS, FEWEST = 3, 4
#: Values of a, as shares of the largest that accuracies allow, among which the fit begins.
STARTS = np.linspace(0.0, 0.99, 34)
#: One end of a 90 % interval.
END = 0.95
#: The exponential beyond which a float is infinite.
LARGEST = 700.0


@dataclass(frozen=True)
class Theta:
    """The fitted curve: `parameters` are a, b and c for `scale / g`; `deviation` is that of the residuals, on `samples` points."""

    parameters: Floats
    covariance: Floats
    deviation: float
    scale: float
    samples: int

    @classmethod
    def fit(cls, degrees: npt.ArrayLike, accuracies: npt.ArrayLike) -> Theta:
        """Non-linear least squares on `(n,)` degrees and accuracies; a is kept at 0 or above, so that the curve has no pole.

        Raises InputError for fewer than 4 samples or degrees that do not differ, and for accuracies that are not above 0 and at most 1.
        """
        from scipy.optimize import least_squares

        g, y = (np.asarray(x, dtype=np.float64).ravel() for x in (degrees, accuracies))
        if g.shape != y.shape or len(g) < FEWEST or np.ptp(g) == 0:
            raise InputError(
                f"an accuracy from NN-Degree is fitted on {FEWEST} or more networks of different degrees, got {len(g)} and {len(y)}"
            )
        if not ((g > 0) & (y > 0) & (y <= 1)).all():
            raise InputError("an accuracy from NN-Degree is fitted on accuracies above 0 and at most 1")
        scale = float(np.median(g))
        x = scale / g
        found = least_squares(
            lambda p: _theta(p, x) - y, _start(x, y), lambda p: _gradient(p, x), bounds=([0.0, -np.inf, -np.inf], np.inf), x_scale="jac"
        )
        variance = 2 * float(found.cost) / (len(g) - PARAMETERS)
        information = found.jac.T @ found.jac
        return cls(found.x, variance * np.linalg.pinv(information, hermitian=True), variance**0.5, scale, len(g))

    @property
    def abc(self) -> tuple[float, float, float]:
        """a, b and c as the formula has them."""
        a, b, c = self.parameters.tolist()
        return a, b * self.scale, c

    def predict(self, degrees: npt.ArrayLike) -> Estimates:
        """Accuracies of `(n,)` degrees with the ends of their 90 % intervals for one network, which hold what the fit leaves open too."""
        from scipy.special import stdtrit

        x = self.scale / np.asarray(degrees, dtype=np.float64)
        slopes = _gradient(self.parameters, x)
        spread = np.sqrt(self.deviation**2 + np.maximum(((slopes @ self.covariance) * slopes).sum(axis=1), 0.0))
        half = float(stdtrit(self.samples - PARAMETERS, END)) * spread
        value = _theta(self.parameters, x)
        return Estimates(*(np.clip(end, 0.0, 1.0) for end in (value, value - half, value + half)))


class DegreeAccuracy:
    """Accuracy of the architectures of a space as NN-Degree and a few trained ones tell it: an objective of a search that costs nothing.

    `fit` first; then it is called like every accuracy. Raises InputError for a space without NN-Degree.
    """

    name: ClassVar[str] = "accuracy"
    unit: ClassVar[str] = ""
    direction: ClassVar[Literal["max"]] = "max"
    expensive: ClassVar[bool] = False
    bounds: ClassVar[tuple[float, float]] = (0.0, 1.0)
    origin: ClassVar[str] = "predicted"

    def __init__(self, space: SearchSpace) -> None:
        self.space, self.degree = space, NNDegree(space)

    def fit(self, archs: npt.ArrayLike, accuracies: npt.ArrayLike) -> DegreeAccuracy:
        """Fits the curve on architectures `(n, n_choices)` and their accuracies `(n,)`, 0..1; see `Theta.fit`."""
        self.theta_ = Theta.fit(self.degree(self.space.validate(archs)), accuracies)
        return self

    def predict(self, archs: Archs) -> Estimates:
        """Accuracies of `(n, n_choices)` architectures and the ends of their 90 % intervals, each `(n,)`."""
        if not hasattr(self, "theta_"):
            raise InputError("this accuracy was not fitted: call fit(archs, accuracies) with some 25 trained networks first")
        return self.theta_.predict(self.degree(archs))

    __call__ = predict

    def record(self) -> dict[str, Any]:
        """What a run's spec says of it: the curve, and how well and on how many networks it was fitted."""
        a, b, c = self.theta_.abc
        fitted = {"a": a, "b": b, "c": c, "deviation": self.theta_.deviation, "samples": self.theta_.samples}
        return {"kind": "nn-degree", "space": self.space.name, **fitted}


def _theta(parameters: Floats, x: Floats) -> Floats:
    a, b, c = parameters
    return np.asarray(1.0 / (a + np.exp(np.clip(b * x + c, -LARGEST, LARGEST))))


def _gradient(parameters: Floats, x: Floats) -> Floats:
    """The derivatives by a, b and c, `(n, 3)`."""
    exponential = np.exp(np.clip(parameters[1] * x + parameters[2], -LARGEST, LARGEST))
    theta = 1.0 / (parameters[0] + exponential)
    return -np.stack([theta * theta, theta * theta * exponential * x, theta * theta * exponential], axis=1)


def _start(x: Floats, y: Floats) -> Floats:
    """Where least squares begins: for a given a the rest is a line, log(1 / theta - a) = b x + c; the best of several a."""
    found = []
    for a in STARTS / y.max():
        design = np.stack([x, np.ones_like(x)], axis=1)
        b, c = np.linalg.lstsq(design, np.log(1.0 / y - a), rcond=None)[0]
        parameters = np.array([a, b, c])
        found.append((float(np.square(_theta(parameters, x) - y).sum()), parameters))
    return min(found, key=lambda pair: pair[0])[1]
