"""Channels in the order of their importance, so that narrower sub-nets inherit the most important ones.

As Once-for-All does before it shrinks widths (Cai et al., ICLR 2020, section 3.3): the importance of a channel is the sum of the absolute
weights that read it. What the largest network computes does not change.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch

from device_profiles.errors import unknown

if TYPE_CHECKING:
    from hwnas.supernet.base import Supernet
    from hwnas.supernet.mobilenet import ElasticBottleneck, MobileNetSupernet

#: The dimensions of a space whose channels can be sorted: those between two convolutions of a block, and those between blocks.
DIMENSIONS = ("expansion", "width")


class Order:
    """New places: for weights by name, which of the old rows (output channels) and columns (input channels) come first."""

    def __init__(self) -> None:
        self.rows: dict[str, torch.Tensor] = {}
        self.columns: dict[str, torch.Tensor] = {}

    def apply(self, tensors: Mapping[str, torch.Tensor]) -> None:
        """Moves the rows and columns of the tensors of these names, in place; others, and names that are missing, stay as they are."""
        with torch.no_grad():
            for name, tensor in tensors.items():
                if name in self.rows:
                    tensor.copy_(tensor[self.rows[name]])
                if name in self.columns:
                    tensor.copy_(tensor[:, self.columns[name]])


def sort_channels(supernet: Supernet, dimension: str, *beside: Mapping[str, torch.Tensor]) -> None:
    """Sorts the channels of one of `DIMENSIONS` by falling importance, in the weights and in tensors of the same names `beside` them.

    The sums of an optimiser and averages of the weights are such tensors. Raises InputError for a super-network whose channels have no
    order, or an unknown dimension.
    """
    order = supernet.channel_order(dimension)
    for tensors in (dict(supernet.named_parameters()), *beside):
        order.apply(tensors)


def mobilenet_order(net: MobileNetSupernet, dimension: str) -> Order:
    """The order of the channels of a MobileNet super-network. Raises InputError for an unknown dimension."""
    if dimension not in DIMENSIONS:
        raise unknown("dimension", dimension, DIMENSIONS)
    order = Order()
    if dimension == "expansion":
        for name in net.blocks:
            block = net._block(name)
            if block.expand is not None:  # without it these are the channels between blocks
                _inside(order, name, _falling(block.project.conv.weight.abs().sum((0, 2, 3))))
        return order
    for s, stage in enumerate(net.space.stages, 1):
        names = [f"stage{s}_block{b}" for b in range(1, stage.max_depth + 1)]
        readers = [name for name in (*names[1:], f"stage{s + 1}_block1") if name in net.blocks]
        places = _falling(sum((_read(net._block(name)) for name in readers), _head(net, s)))
        for name in names:
            for layer in ("conv.weight", "norm.weight", "norm.bias"):
                order.rows[f"blocks.{name}.project.{layer}"] = places
        for name in readers:
            _entering(order, name, net._block(name), places)
        if s == len(net.space.stages):
            order.columns["head.conv.weight"] = places
    return order


def _falling(importance: torch.Tensor) -> torch.Tensor:
    return importance.detach().argsort(descending=True, stable=True)


def _read(block: ElasticBottleneck) -> torch.Tensor:
    """The importance of the channels that come into a block."""
    if block.expand is not None:
        return block.expand.conv.weight.abs().sum((0, 2, 3))
    return block.depthwise.conv.weight.abs().sum((1, 2, 3))


def _head(net: MobileNetSupernet, stage: int) -> torch.Tensor:
    """What the head reads of a stage: of the last one only."""
    weight = net.head.conv.weight.abs().sum((0, 2, 3))
    return weight if stage == len(net.space.stages) else weight.new_zeros(())


def _entering(order: Order, name: str, block: ElasticBottleneck, places: torch.Tensor) -> None:
    """Tells a block the new places of the channels that come into it.

    A sub-net that does not expand reads them with the first channels of the depthwise convolution, so these move along.
    """
    order.columns[f"blocks.{name}.expand.conv.weight"] = places
    others = torch.arange(len(places), block.depthwise.conv.weight.shape[0], device=places.device)
    _inside(order, name, torch.cat([places, others]))


def _inside(order: Order, name: str, places: torch.Tensor) -> None:
    """Tells a block the new places of the channels of its depthwise convolution."""
    rows = [f"{part}.{layer}" for part in ("expand", "depthwise") for layer in ("conv.weight", "norm.weight", "norm.bias")]
    order.rows |= {f"blocks.{name}.{row}": places for row in (*rows, "squeeze.expand.weight", "squeeze.expand.bias")}
    order.columns |= {f"blocks.{name}.{column}": places for column in ("squeeze.reduce.weight", "project.conv.weight")}
