"""A cell in which every edge of a small graph holds one operation: what its operations do together, as numbers.

The paths from the input to the output say more about accuracy than the edges one by one: White et al., BANANAS, AAAI 2021, section 3.2.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from hwnas.objectives import Floats
from hwnas.spaces.base import Archs


@dataclass(frozen=True)
class Cell:
    """The edges `(from, to)` between nodes 0 (the input) to the highest (the output), one per choice, and the names of the operations.

    `cut` is the operation that carries nothing; names that hold `conv` are the ones with weights; `plain` copies its input.
    """

    edges: tuple[tuple[int, int], ...]
    operations: tuple[str, ...]
    cut: str = "none"
    plain: str = "skip_connect"

    @cached_property
    def paths(self) -> tuple[tuple[int, ...], ...]:
        """Every way from the input to the output, as indices of edges."""
        last = max(end for _, end in self.edges)
        ways: list[tuple[int, ...]] = [()]
        done: list[tuple[int, ...]] = []
        while ways:
            way = ways.pop()
            here = self.edges[way[-1]][1] if way else 0
            if here == last:
                done.append(way)
                continue
            ways += [(*way, i) for i, (start, _) in enumerate(self.edges) if start == here]
        return tuple(sorted(done))

    def features(self, archs: Archs) -> Floats:
        """What matters of `(n, n_edges)` operations, edges that lead nowhere left out; shape `(n, f)`.

        Per operation the number of living edges; whether there is a living path; the number of them; the most convolutions on one; per kind
        of convolution the most on one path and the sum over all; the sum of other operations; paths without convolution; that only copy.
        """
        cut, plain = self.operations.index(self.cut), self.operations.index(self.plain)
        alive = np.stack([(archs[:, path] != cut).all(axis=1) for path in self.paths], axis=1)  # (n, paths)
        carries = np.stack([alive[:, [e in path for path in self.paths]].any(axis=1) for e in range(len(self.edges))], axis=1)
        counts = {op: self._along(archs == op, alive) for op in range(len(self.operations)) if op != cut}
        weighted = [op for op in counts if "conv" in self.operations[op]]
        convolutions: npt.NDArray[np.int64] = np.sum([counts[op] for op in weighted], axis=0)
        other = np.sum([count for op, count in counts.items() if op not in (*weighted, plain)], axis=0)
        columns = [((archs == op) & carries).sum(axis=1) for op in counts]
        # Cells without any path are few and like no other: on a standardised scale this sets them far apart from those with one.
        columns += [alive.any(axis=1), alive.sum(axis=1), convolutions.max(axis=1)]
        for op in weighted:
            columns += [counts[op].max(axis=1), counts[op].sum(axis=1)]
        columns += [np.asarray(other).sum(axis=-1) * np.ones(len(archs))]
        columns += [(alive & (convolutions == 0)).sum(axis=1), (alive & (convolutions == 0) & (other == 0)).sum(axis=1)]
        return np.stack(columns, axis=1).astype(np.float64)

    def _along(self, is_op: npt.NDArray[np.bool_], alive: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
        """How often an operation occurs on each living path, shape `(n, paths)`."""
        counts = np.stack([is_op[:, path].sum(axis=1) for path in self.paths], axis=1)
        return np.where(alive, counts, 0)
