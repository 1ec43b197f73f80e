"""Small things around torch that leave its global state as it was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt
import torch

from device_profiles.errors import InputError


@contextmanager
def threads(number: int | None) -> Iterator[None]:
    """Runs with `number` threads per torch operator (None: as it is) and puts the old number back."""
    if number is None:
        yield
        return
    if number < 1:
        raise InputError(f"threads must be at least 1, got {number}")
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def to_input(images: npt.NDArray[np.uint8] | torch.Tensor) -> torch.Tensor:
    """Pixels 0..255 `(n, c, h, w)` as what every network here takes: float32 of 0..1, channels last in memory."""
    tensor = images if isinstance(images, torch.Tensor) else torch.from_numpy(np.ascontiguousarray(images))
    if tensor.dtype == torch.uint8:
        tensor = tensor.to(torch.float32).div_(255)
    return tensor.contiguous(memory_format=torch.channels_last)
