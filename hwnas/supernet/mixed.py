"""A MobileNet super-network in which every choice is a mixture of its values, differentiable in the shares of the mixture.

The values of elastic layers lie within each other: a narrower layer is the first channels of a wider one, a smaller kernel the centre of a
larger one. So a mixture of widths or expansions is a mask over channels (Wan et al., FBNetV2, CVPR 2020: channel masking), one of kernels
a mixture of their weights, for a convolution is linear in them (Stamoulis et al., Single-Path NAS, ECML PKDD 2019), and one of depths is a
factor on the branch beside the residual connection. A pass takes the memory of the largest sub-net, whatever the number of values; only
resolutions do not lie within each other: each takes a pass of its own, and the logits are mixed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from device_profiles.errors import InputError
from hwnas.data import Split
from hwnas.spaces.mobilenet_blocks import Stage, round_channels
from hwnas.supernet.base import Supernet
from hwnas.supernet.mobilenet import _IN_PLACE, ElasticBottleneck, MobileNetSupernet
from hwnas.supernet.resize import resized
from hwnas.torch_tools import to_input

#: Images of a batch on which a mixture is judged.
BATCH = 64


class MixedLoss:
    """Cross-entropy of mixtures on random batches of images that no weight was trained on, by the statistics of the batch.

    Raises InputError for a super-network whose choices are not mixed here.
    """

    def __init__(self, supernet: Supernet, images: Split, batch: int = BATCH) -> None:
        self.supernet, self.images, self.batch = mixable(supernet), images, min(batch, len(images))

    def __call__(self, shares: Sequence[torch.Tensor], rng: np.random.Generator) -> torch.Tensor:
        """The loss on a new batch; `shares` hold, for every choice of the space, those of its values, which add up to 1."""
        rows = rng.choice(len(self.images), self.batch, replace=False)
        names = (choice.name for choice in self.supernet.space.choices)
        logits = forward_mixed(self.supernet, to_input(self.images.images[rows]), dict(zip(names, shares, strict=True)))
        return F.cross_entropy(logits, torch.from_numpy(self.images.labels[rows]))


def mixable(supernet: Supernet) -> MobileNetSupernet:
    """The super-network as one whose choices can be mixed. Raises InputError where they cannot."""
    if not isinstance(supernet, MobileNetSupernet):
        raise InputError(
            f"the choices of {supernet.space.name} cannot be mixed: that takes a MobileNet-like space trained as one super-network"
        )
    return supernet


def forward_mixed(net: MobileNetSupernet, images: torch.Tensor, shares: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """Logits `(n, classes)` of pixels 0..1 `(n, c, h, w)`; `shares` hold by choice what each of its values counts, `(values,)`.

    With all of the weight on one value of every choice these are the logits of that sub-net in training mode. The super-network is left as
    it was found.
    """
    training, space = net.training, net.space
    resolution = shares.get("resolution", images.new_ones(1)).to(images)
    try:
        net.train()
        passes = [_Mixture(net, resized(images, side), shares).logits() for side in space.resolutions]
        return torch.stack([share * logits for share, logits in zip(resolution, passes, strict=True)]).sum(0)
    finally:
        net.train(training)
        net.configure(net.active)


@dataclass(frozen=True)
class _Sizes:
    """Possible numbers of channels and how much each counts, `(k,)`."""

    numbers: tuple[int, ...]
    shares: torch.Tensor

    def mask(self, channels: int) -> torch.Tensor:
        """What each of so many channels counts, `(channels, 1, 1)`: the sum over the numbers that include it."""
        inside = torch.arange(channels)[:, None] < torch.tensor(self.numbers)
        return (inside.to(self.shares) @ self.shares)[:, None, None]

    def times(self, other: _Sizes) -> _Sizes:
        """Every number with every factor."""
        numbers = tuple(a * b for a in self.numbers for b in other.numbers)
        return _Sizes(numbers, (self.shares[:, None] * other.shares).flatten())

    def only(self, which: Sequence[bool]) -> _Sizes:
        """Some of them."""
        rows = [i for i, on in enumerate(which) if on]
        return _Sizes(tuple(self.numbers[i] for i in rows), self.shares[rows])

    def equals(self, other: _Sizes) -> torch.Tensor | None:
        """How much both being the same number counts; None where they never are."""
        pairs = [(i, j) for i, a in enumerate(self.numbers) for j, b in enumerate(other.numbers) if a == b]
        return torch.stack([self.shares[i] * other.shares[j] for i, j in pairs]).sum() if pairs else None


class _Mixture:
    """One pass of images `(n, c, h, w)` of one resolution."""

    def __init__(self, net: MobileNetSupernet, images: torch.Tensor, shares: Mapping[str, torch.Tensor]) -> None:
        self.net, self.space, self.images, self.shares = net, net.space, images, shares

    def logits(self) -> torch.Tensor:
        """The whole network."""
        net, space = self.net, self.space
        x, sizes = net.stem(self.images), self._sizes("stem", (space.stem,))
        for s, stage in enumerate(space.stages, 1):
            width = self._sizes(f"stage{s}.width", stage.widths)
            for b in range(1, stage.max_depth + 1):
                block, stride = net._block(f"stage{s}_block{b}"), stage.stride if b == 1 else 1
                y = self._branch(block, x, sizes, f"stage{s}.block{b}", stage) * width.mask(max(stage.widths))
                if b == 1:
                    kept = sizes.equals(width) if stride == 1 else None
                    x = y if kept is None else y + kept * _channels(x, max(stage.widths))
                else:
                    x = x + self._there(f"stage{s}.depth", stage.depths, b) * y
                sizes = width
        net.head.select(x.shape[1], space.head)
        x = F.adaptive_avg_pool2d(net.head(x), 1)
        if net.mix is not None:
            x = _IN_PLACE[space.activation](net.mix(x))
        result: torch.Tensor = net.classifier(x.flatten(1))
        return result

    def _branch(self, block: ElasticBottleneck, x: torch.Tensor, sizes: _Sizes, name: str, stage: Stage) -> torch.Tensor:
        """Expand, depthwise, squeeze-excite, project. Channels are masked once only: what one that is left out would do is known."""
        expansion = self._sizes(f"{name}.expansion", stage.expansions)
        hidden, most = sizes.times(expansion), x.shape[1] * max(stage.expansions)
        kernels = self._sizes(f"{name}.kernel", stage.kernels)
        parts: list[torch.Tensor] = []
        if block.expand is not None:
            block.expand.select(x.shape[1], most)
            wide = sizes.times(expansion.only([e > 1 for e in expansion.numbers]))
            parts.append(self._depthwise(block, block.expand(x), kernels) * wide.mask(most))
        if 1 in stage.expansions:  # no first convolution
            plain = sizes.times(expansion.only([e == 1 for e in expansion.numbers]))
            parts.append(_channels(self._depthwise(block, x, kernels) * plain.mask(x.shape[1]), most))
        y = parts[0] if len(parts) == 1 else parts[0] + parts[1]
        if block.squeeze is not None:
            squeezed = _Sizes(tuple(round_channels(number / 4) for number in hidden.numbers), hidden.shares)
            width = round_channels(most / 4)
            block.squeeze.reduce.select(most, width, 1)
            block.squeeze.expand.select(width, most, 1)
            gate = F.relu(block.squeeze.reduce(F.adaptive_avg_pool2d(y, 1))) * squeezed.mask(width)
            y = y * F.hardsigmoid(block.squeeze.expand(gate))
        block.project.select(most, max(stage.widths))
        result: torch.Tensor = block.project(y)
        return result

    def _depthwise(self, block: ElasticBottleneck, x: torch.Tensor, kernels: _Sizes) -> torch.Tensor:
        """The depthwise convolution with a mixture of its kernels, batch-norm and activation, of all channels of `x`."""
        conv, channels, largest = block.depthwise.conv, x.shape[1], max(kernels.numbers)
        weights = []
        for size, share in zip(kernels.numbers, kernels.shares, strict=True):
            conv.select(channels, channels, size)
            weights.append(share * F.pad(conv.selected(), ((largest - size) // 2,) * 4))
        y = F.conv2d(x, torch.stack(weights).sum(0), None, conv.stride, largest // 2, 1, channels)
        block.depthwise.norm.select(channels)
        return _IN_PLACE[block.depthwise.activation](block.depthwise.norm(y))

    def _sizes(self, name: str, values: Sequence[int]) -> _Sizes:
        """A choice, or what there is no choice about."""
        found = self.shares.get(name)
        return _Sizes(tuple(values), self.images.new_ones(len(values)) if found is None else found.to(self.images))

    def _there(self, name: str, depths: Sequence[int], b: int) -> torch.Tensor:
        """How much the depths count that include block `b`."""
        depth = self._sizes(name, depths)
        return depth.only([number >= b for number in depths]).shares.sum() if min(depths) < b else self.images.new_ones(())


def _channels(x: torch.Tensor, number: int) -> torch.Tensor:
    """The first channels, zeros where there are fewer."""
    return x[:, :number] if x.shape[1] >= number else F.pad(x, (0, 0, 0, 0, 0, number - x.shape[1]))
