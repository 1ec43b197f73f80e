"""Accuracy of architectures with weights inherited from a super-network."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import torch

from hwnas.accuracy.interval import Floats, wilson
from hwnas.data import Dataset, Split
from hwnas.supernet.base import Supernet
from hwnas.supernet.calibration import CALIBRATION_IMAGES, calibrate, calibration_images
from hwnas.torch_tools import threads, to_input

if TYPE_CHECKING:
    from hwnas.supernet.mixed import MixedLoss

#: Pixels (height x width x images) of one forward pass: with fewer, starting a layer costs more than its work.
PIXELS = 2**17


class SupernetAccuracy:
    """Share of images that sub-nets classify right: a search objective (`name`, `unit`, `direction`, `expensive`, and a call).

    Every sub-net is calibrated on the same training images before it is judged, one at a time on the same batches, so that an architecture
    gets the same number in any order and any company. The super-network's active sub-net and mode are left as they were found, its
    calibration is not.
    """

    name: ClassVar[str] = "accuracy"
    unit: ClassVar[str] = ""
    direction: ClassVar[Literal["max"]] = "max"
    expensive: ClassVar[bool] = True
    bounds: ClassVar[tuple[float, float]] = (0.0, 1.0)

    def __init__(self, supernet: Supernet, dataset: Dataset, *, calibration: int = CALIBRATION_IMAGES) -> None:
        dataset.require(supernet.space.input_shape, supernet.space.classes, "the super-network")
        self.supernet, self.dataset = supernet, dataset
        self._calibration = to_input(calibration_images(dataset, calibration))

    def __call__(self, archs: npt.ArrayLike) -> tuple[Floats, Floats, Floats]:
        """Validation accuracy (0..1) of architectures `(n, n_choices)`: values, and the low and high ends of their 90 % Wilson intervals.

        All three are of shape `(n,)`. Raises InputError for an illegal architecture before any is judged.
        """
        return self._score(archs, self.dataset.validation)

    def test(self, archs: npt.ArrayLike) -> tuple[Floats, Floats, Floats]:
        """The same on the test images, which no search may see: for reports."""
        return self._score(archs, self.dataset.test)

    def prepare(self, arch: npt.ArrayLike) -> None:
        """Makes one architecture active and calibrates it as scoring does: what is exported next has the accuracy that was scored."""
        self.supernet.activate(np.asarray(arch))
        calibrate(self.supernet, self._calibration)

    def mixed_loss(self) -> MixedLoss:
        """What differentiable search goes down: the cross-entropy on the validation images of networks whose choices are mixtures.

        Raises InputError for a super-network whose choices cannot be mixed.
        """
        from hwnas.supernet.mixed import MixedLoss

        return MixedLoss(self.supernet, self.dataset.validation)

    def _score(self, archs: npt.ArrayLike, split: Split) -> tuple[Floats, Floats, Floats]:
        rows = self.supernet.space.canonical(archs)
        active, training = self.supernet.active, self.supernet.training
        try:
            self.supernet.eval()
            with threads(1):  # as in a worker of the search: the same sums in the same order
                correct = [self._correct(row, split) for row in rows]
        finally:
            self.supernet.activate(active)
            self.supernet.train(training)
        low, high = wilson(correct, len(split))
        return np.array(correct, dtype=np.float64) / len(split), low, high

    def _correct(self, row: npt.NDArray[np.int64], split: Split) -> int:
        self.prepare(row)
        size, correct = max(1, PIXELS // self.dataset.resolution**2), 0
        with torch.inference_mode():
            for start in range(0, len(split), size):  # bytes become floats batch by batch: a large split would not fit as floats
                predictions = self.supernet(to_input(split.images[start : start + size])).argmax(1).numpy()
                correct += int((predictions == split.labels[start : start + size]).sum())
        return correct
