"""Ordered dropout: every image of the batch has a sub-net of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F

from device_profiles.errors import InputError
from hwnas.supernet.base import Supernet
from hwnas.supernet.strategies.base import Batch, Pass, Strategy


@dataclass
class OrderedDropout(Strategy):
    """Every step trains one uniformly drawn sub-net per image, all in a single pass in which each image has its own channels.

    Yang, Liao & Sze, NetAdaptV2: Efficient Neural Architecture Search with Fast Super-Network Training and Architecture Optimization,
    CVPR 2021, section 3.2. Outputs of dropped channels are zero and nothing is rescaled. Batch-norm sees the images that
    have a channel. Where resolution is a choice, all images of a batch have that of the first. Works for super-networks with
    `forward_each`, in float32.
    """

    name: ClassVar[str] = "ordered_dropout"

    def step(self, supernet: Supernet, batch: Batch) -> list[Pass]:
        """One pass; it bears the name of the sub-net with the greatest loss, the one to look at should the loss be no number."""
        if batch.total > len(batch.labels):
            raise InputError("ordered_dropout needs all images of a batch in one process: start it without torchrun")
        archs = supernet.space.sample(len(batch.labels), batch.rng)
        sides = [i for i, choice in enumerate(supernet.space.choices) if choice.name == "resolution"]
        archs[:, sides] = archs[0, sides]
        logits = supernet.forward_each(batch.images, archs)
        losses = F.cross_entropy(logits, batch.labels, reduction="none", label_smoothing=batch.label_smoothing)
        loss = losses.mean()
        batch.backward(loss)
        worst = int(losses.detach().nan_to_num(nan=torch.inf).argmax())
        return [Pass(supernet.architecture(archs[worst]), loss.item(), int((logits.argmax(1) == batch.labels).sum()))]
