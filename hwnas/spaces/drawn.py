"""A space whose networks are drawn: `blueprint` is written once, costs and super-network follow."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from device_profiles.operators import Network
from hwnas.spaces.base import Archs, SearchSpace
from hwnas.spaces.blueprint import Blueprint, Layer, merge


class DrawnSpace(SearchSpace):
    """Subclasses set what a `SearchSpace` sets and implement `blueprint`."""

    @abstractmethod
    def blueprint(self, arch: Sequence[int] | Archs) -> Blueprint:
        """The drawing of one architecture; every layer is named `<part>/<something>`, equal names share their weights."""

    def widest(self) -> Archs:
        """Architectures `(n, n_choices)` that together hold every shared layer at its full size.

        By default those that show every configuration of every part. A space with many overrides it, so that its super-network is built
        faster.
        """
        from predictors.covering import covering

        return covering(self, np.random.default_rng(0))

    def shared_layers(self) -> Mapping[str, Layer]:
        """Every layer with weights that the super-network holds, by name, at its full size."""
        return merge([self.blueprint(arch) for arch in self.widest()])

    def network(self, arch: Sequence[int] | Archs) -> Network:
        """The drawing as ONNX operators, batch-norm folded into the convolutions."""
        return self.blueprint(arch).network(f"{self.name}-{'.'.join(map(str, np.asarray(arch).ravel().tolist()))}")

    def supernet(self) -> Any:
        """The weight-sharing super-network that runs the drawings. Imports torch."""
        from hwnas.supernet.drawn import DrawnSupernet

        return DrawnSupernet(self)
