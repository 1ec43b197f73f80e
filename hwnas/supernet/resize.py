"""Images at the resolution of an architecture."""

from __future__ import annotations

import torch
import torch.nn.functional as F


def resized(images: torch.Tensor, side: int) -> torch.Tensor:
    """Images `(n, c, h, w)` at `(n, c, side, side)`, bilinear with a filter that widens when shrinking; those of that size as they are."""
    if tuple(images.shape[-2:]) == (side, side):
        return images
    return F.interpolate(images, (side, side), mode="bilinear", align_corners=False, antialias=True)
