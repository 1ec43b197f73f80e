"""Batch-norm statistics for the active sub-net.

The running statistics of shared weights mix those of all sub-nets that were trained and fit none of them (Yu & Huang, Universally Slimmable
Networks, ICCV 2019, section 3.3), so every sub-net gets its own, from a fixed set of training images, before it is judged.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from device_profiles.errors import InputError
from hwnas.data import Dataset, Images
from hwnas.spaces.base import Archs
from hwnas.supernet.base import Supernet
from hwnas.supernet.batches import batches_per_epoch
from hwnas.supernet.elastic import ElasticBatchNorm2d
from hwnas.torch_tools import to_input

#: Training images that `calibration_images` picks; more change the accuracy by less than its interval.
CALIBRATION_IMAGES = 256
#: Numbers of images at which the curve of accuracy against calibration is taken.
NUMBERS = (16, 32, 64, 128, 256, 512, 1024, 2048)


def calibrate(supernet: Supernet, images: Images | torch.Tensor, *, batch_size: int | None = None) -> None:
    """Estimates the batch-norm statistics of the active sub-net and marks it calibrated until its weights or its architecture change.

    `images` are `(n, c, h, w)`: uint8 pixels 0..255, or float pixels 0..1. With one batch (`batch_size=None`) every layer gets the exact
    mean and variance over all images: eval mode then computes on these images what training mode computes. Batches of about `batch_size`
    need less memory; their means and variances are merged by count, exact for the first layer and close for the deeper ones.
    Raises InputError when there are not two images for a variance.
    """
    pixels = to_input(images)
    if len(pixels) < 2 or (batch_size is not None and batch_size < 2):
        raise InputError(f"calibrate needs at least 2 images in a batch, got {len(pixels)} images and batch_size {batch_size}")
    norms = [module for module in supernet.modules() if isinstance(module, ElasticBatchNorm2d)]
    supernet.forget_calibration()
    supernet.measuring = True
    try:
        for norm in norms:
            norm.begin()
        with torch.inference_mode():
            for batch in torch.tensor_split(pixels, batches_per_epoch(len(pixels), batch_size or len(pixels))):
                supernet(batch)
    finally:
        supernet.measuring = False
        for norm in norms:
            norm.end()
    supernet.mark_calibrated()


def calibration_images(dataset: Dataset, number: int = CALIBRATION_IMAGES) -> Images:
    """The same `number` training images every time (all when there are fewer), in the classes' shares as nearly as whole numbers allow."""
    if number < 2:
        raise InputError(f"at least 2 images are needed to calibrate, got {number}")
    labels = dataset.train.labels
    if number >= len(labels):
        return dataset.train.images
    order = np.argsort(labels, kind="stable")  # equal steps through images sorted by class take from each class its share
    chosen: npt.NDArray[np.int64] = order[(np.arange(number) * len(labels)) // number]
    return dataset.train.images[np.sort(chosen)]


def calibration_curve(supernet: Supernet, dataset: Dataset, archs: Archs, numbers: Sequence[int] = NUMBERS) -> dict[str, Any]:
    """Mean validation accuracy of architectures `(n, n_choices)` against the number of images that calibrate them, and the plateau.

    `{"images": [...], "accuracy": [...], "error": half the mean 90 % interval of one accuracy, "plateau": the fewest images whose accuracy,
    and that of all larger numbers, is within `error` of the last one}`. Numbers beyond the training images are left out.
    """
    from hwnas.accuracy.supernet import SupernetAccuracy

    images = sorted({min(number, len(dataset.train)) for number in numbers})
    scores = [SupernetAccuracy(supernet, dataset, calibration=number)(archs) for number in images]
    means = [float(values.mean()) for values, _, _ in scores]
    error = float(np.mean((scores[-1][2] - scores[-1][1]) / 2))
    far = [i for i, mean in enumerate(means) if abs(mean - means[-1]) > error]
    return {"images": images, "accuracy": means, "error": error, "plateau": images[far[-1] + 1 if far else 0]}
