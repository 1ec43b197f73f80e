"""Models of an expensive objective, refitted as evaluations come, and what to evaluate next because of them; numpy only, no training."""

from hwnas.search.surrogate.gaussian_process import GaussianProcess
from hwnas.search.surrogate.improvement import Cells, expected_improvement

__all__ = ["Cells", "GaussianProcess", "expected_improvement"]
