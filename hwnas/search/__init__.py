"""Search: optimisers behind ask/tell, and the loop that drives them into a run folder; `hwnas.search(...)` runs it.

No torch, pymoo or moocore is imported here.
"""

from hwnas.callable_module import make_callable
from hwnas.search.algorithms import ALGORITHMS
from hwnas.search.base import Optimiser, Problem, failed
from hwnas.search.loop import search
from hwnas.search.progress import Progress

__all__ = ["ALGORITHMS", "Optimiser", "Problem", "Progress", "failed", "search"]

make_callable(__name__, "search")
