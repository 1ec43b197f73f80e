"""A score without training as an objective of a search: a zero-cost proxy, or the size of the network."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from device_profiles.errors import InputError, unknown
from hwnas.accuracy.interval import Floats
from hwnas.data import Dataset
from hwnas.spaces.base import Archs, SearchSpace

if TYPE_CHECKING:
    import torch

    from hwnas.supernet.base import Supernet

#: Scores that need no weights: of the network as it is priced.
COUNTS: dict[str, Callable[[Any], float]] = {
    "parameter_count": lambda network: float(network.params),
    "mac_count": lambda network: float(network.macs),
}
#: Every score, and what it looks at.
SCORES = {
    "synflow": "positive weights and an image of ones (Tanaka et al., NeurIPS 2020)",
    "naswot": "which activations images share (Mellor et al., ICML 2021)",
    "grad_norm": "the gradient of one batch (Abdelfattah et al., ICLR 2021)",
    "parameter_count": "how many parameters",
    "mac_count": "how many multiply-adds",
}


class ZeroCost:
    """One of `SCORES` of the architectures of a space; more is better. It stands in for an accuracy but is none: only its order counts.

    Every architecture gets weights of its own, drawn from `seed`, and the same `images` training images of `dataset`, drawn from `seed`
    too; only `naswot` and `grad_norm` need them. One thread, no global random state: an architecture gets the same number in any order.
    Raises InputError for an unknown score, for one that lacks its images, and for data that do not fit the space.
    """

    unit: ClassVar[str] = ""
    direction: ClassVar[Literal["max"]] = "max"
    expensive: ClassVar[bool] = True
    origin: ClassVar[str] = "modelled"

    def __init__(self, space: SearchSpace, score: str, dataset: Dataset | None = None, *, images: int = 64, seed: int = 0) -> None:
        if score not in SCORES:
            raise unknown("score without training", score, SCORES)
        if dataset is None and score in ("naswot", "grad_norm"):
            raise InputError(f"{score} needs images: pass the data that the networks are to learn")
        if dataset is not None:
            dataset.require(space.input_shape, space.classes, space.name)
        if images < 2 or seed < 0:
            raise InputError(f"a score without training needs at least 2 images and a seed of at least 0, got {images} and {seed}")
        self.space, self.name, self.data, self.images, self.seed = space, score, dataset, images, seed
        self._supernet: Supernet | None = None

    def __call__(self, archs: npt.ArrayLike) -> Floats:
        """The score of architectures `(n, n_choices)`, shape `(n,)`."""
        rows = self.space.canonical(archs)
        if self.name in COUNTS:
            return np.array([COUNTS[self.name](self.space.network(row)) for row in rows], dtype=np.float64)
        from hwnas.torch_tools import threads

        with threads(1):
            return np.array([self._score(row) for row in rows], dtype=np.float64)

    def record(self) -> dict[str, Any]:
        """What a run's spec says of it."""
        digest = None if self.data is None else self.data.sha256
        return {"kind": self.name, "space": self.space.name, "images": self.images, "seed": self.seed, "data": digest}

    def _score(self, row: Archs) -> float:
        """A stand-alone network of this architecture with fresh weights, looked at."""
        import torch

        from hwnas.accuracy.proxies import PROXIES
        from hwnas.supernet.initialise import initialise

        if self._supernet is None:
            self._supernet = self.space.supernet()
        network = self._supernet.extract(row)
        initialise(network, torch.Generator().manual_seed(self.seed))
        return PROXIES[self.name](network, *self._batch())

    def _batch(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Images `(n, c, h, w)` of 0..1 and labels `(n,)`; without data one image of zeros, for its shape."""
        import torch

        from hwnas.torch_tools import to_input

        if self.data is None:
            return torch.zeros((1, *self.space.input_shape)), torch.zeros(1, dtype=torch.int64)
        train = self.data.train
        rows = np.random.Generator(np.random.PCG64(self.seed)).permutation(len(train))[: self.images]
        return to_input(train.images[rows]), torch.from_numpy(train.labels[rows])
