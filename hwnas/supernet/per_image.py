"""A batch through a MobileNet super-network in one pass, every image by a sub-net of its own.

Values are kept channel by channel, `(channels, images, pixels)`, 0 where an image has no channel, and within a block as bands (see
`hwnas.supernet.bands`), so that little is computed that no sub-net computes; images without a block pass it by.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F

from device_profiles.errors import InputError
from hwnas.spaces.base import Archs
from hwnas.spaces.mobilenet_blocks import round_channels
from hwnas.supernet.band_layers import narrow, per_row, pick, widen
from hwnas.supernet.band_norm import band_norm
from hwnas.supernet.bands import Band, counts, filled, lay_out, places, whole
from hwnas.supernet.resize import resized

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hwnas.supernet.elastic import ElasticBatchNorm2d, ElasticConv2d
    from hwnas.supernet.mobilenet import ElasticBottleneck, ElasticSqueeze, MobileNetSupernet

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Shapes:
    """One block for every image that has it, all `(n,)`."""

    c_in: Ints
    c_out: Ints
    kernel: Ints
    expansion: Ints

    @property
    def hidden(self) -> Ints:
        """Channels of the depthwise convolution."""
        return self.c_in * self.expansion

    @property
    def expanding(self) -> int:
        """How many images have an expansion."""
        return int(np.count_nonzero(self.expansion > 1))

    def order(self) -> Ints:
        """Images with an expansion first, and in both parts the widest first."""
        return np.lexsort((-self.hidden, self.expansion == 1))

    def of(self, images: Ints) -> Shapes:
        """The same for some of the images."""
        return Shapes(self.c_in[images], self.c_out[images], self.kernel[images], self.expansion[images])


class Held:
    """The latest values of every image: tensors `(channels, images, pixels)` and which images each of them holds."""

    def __init__(self, x: torch.Tensor, side: tuple[int, int]) -> None:
        self.side = side
        self.parts = [(np.arange(x.shape[1]), x)]

    def take(self, images: Ints) -> torch.Tensor:
        """The values of these images."""
        parts = self.parts if not np.isin(images, self.parts[-1][0]).all() else self.parts[-1:]
        place = np.empty(len(self.parts[0][0]), dtype=np.int64)
        first = 0
        for members, _ in parts:
            place[members] = first + np.arange(len(members))
            first += len(members)
        whole_batch = torch.cat([x for _, x in parts], 1) if len(parts) > 1 else parts[0][1]
        return pick(whole_batch, torch.from_numpy(place[images]).to(whole_batch.device))

    def put(self, images: Ints, x: torch.Tensor, side: tuple[int, int]) -> None:
        """Replaces the values of these images."""
        self.parts = [*(self.parts if len(images) < len(self.parts[0][0]) else []), (images, x)]
        self.side = side


def forward_each(net: MobileNetSupernet, images: torch.Tensor, archs: Archs) -> torch.Tensor:
    """Logits `(n, classes)` of pixels 0..1 `(n, c, h, w)`; row i of `archs` is the sub-net of image i, all of one resolution.

    Raises InputError where resolutions differ. Computed in the precision of the weights, whatever autocast says.
    """
    space, columns = net.space, _columns(net, archs)
    sides = np.unique(columns["resolution"])
    if len(sides) > 1:
        raise InputError(f"the images of a batch need one resolution, these sub-nets have {', '.join(map(str, sides))}")
    with torch.autocast(images.device.type, enabled=False):
        x = net.stem(resized(images, int(sides[0])))
        held = Held(x.transpose(0, 1).flatten(2).contiguous(), (x.shape[2], x.shape[3]))
        c_in, everyone = np.full(len(archs), space.stem), np.arange(len(archs))
        for s, stage in enumerate(space.stages, 1):
            for b in range(1, stage.max_depth + 1):
                name = f"stage{s}.block{b}"
                shapes = Shapes(c_in, columns[f"stage{s}.width"], columns[f"{name}.kernel"], columns[f"{name}.expansion"])
                having = np.flatnonzero(b <= columns[f"stage{s}.depth"])
                if len(having):
                    having = having[shapes.of(having).order()]
                    block = _Block(net._block(name.replace(".", "_")), shapes.of(having), stage.stride if b == 1 else 1)
                    held.put(having, *block.run(held.take(having), held.side))
                c_in = shapes.c_out
        return _head(net, held.take(everyone))


def _columns(net: MobileNetSupernet, archs: Archs) -> Mapping[str, Ints]:
    """The value of every choice for every image, also of what there is no choice about, `(n,)` each."""
    fixed = {name: np.full(len(archs), value) for name, value in net.space.values(archs[0]).items()}
    return fixed | {choice.name: np.array(choice.values)[archs[:, i]] for i, choice in enumerate(net.space.choices)}


def _head(net: MobileNetSupernet, x: torch.Tensor) -> torch.Tensor:
    """What follows the blocks; all images have all of its channels."""
    numbers, activation = np.full(x.shape[1], net.space.head), net.space.activation
    y = (_matrix(net.head.conv) @ x.flatten(1)).view(-1, x.shape[2])
    y = _normal(y, net.head.norm, [whole(numbers, net.space.head, x)], numbers, activation)
    y = y.view(net.space.head, x.shape[1], -1).mean(2).T
    if net.mix is not None:
        y = y @ _matrix(net.mix).T
        y = F.relu(y) if activation == "Relu" else F.hardswish(y)
    logits: torch.Tensor = net.classifier(y)
    return logits


class _Block:
    """One block for the images that have it, in the order of `Shapes.order`."""

    def __init__(self, block: ElasticBottleneck, shapes: Shapes, stride: int) -> None:
        self.block, self.shapes, self.stride = block, shapes, stride
        self.images, self.hidden = len(shapes.kernel), int(shapes.hidden.max())

    def run(self, x: torch.Tensor, side: tuple[int, int]) -> tuple[torch.Tensor, tuple[int, int]]:
        """The result `(channels, images, pixels)` of `x`, with height and width of both."""
        block, first, hidden = self.block, self.shapes.expanding, self.shapes.hidden
        activation = block.depthwise.activation
        made = lay_out(hidden[:first], x.shape[2], x)
        kept = lay_out(hidden[first:], x.shape[2], x, first, made[-1].end if made else 0)
        bands = [*made, *kept]
        weight = None if block.expand is None or not made else _matrix(block.expand.conv)[: int(hidden[:first].max())]
        y = widen(x, weight, made, kept, filled(bands[-1].end))
        if block.expand is not None and made:
            y = _normal(y, block.expand.norm, made, hidden[:first], activation)
        channels, images = places(bands)
        y, side = self._depthwise(y, bands, channels, images, side)
        y = _normal(y, block.depthwise.norm, bands, hidden, activation)
        if block.squeeze is not None:
            y = _squeezed(block.squeeze, y, torch.from_numpy(channels * self.images + images).to(x.device), hidden)
        y = narrow(y, _matrix(block.project.conv)[:, : self.hidden], bands, self.images)
        c_out = len(y)
        band = whole(self.shapes.c_out, c_out, x)
        y = _normal(y.flatten(0, 1), block.project.norm, [band], self.shapes.c_out, "").view(c_out, self.images, -1)
        return (y if self.stride > 1 else self._residual(x, y)), side

    def _depthwise(
        self, x: torch.Tensor, bands: Sequence[Band], channels: Ints, images: Ints, side: tuple[int, int]
    ) -> tuple[torch.Tensor, tuple[int, int]]:
        """The depthwise convolution, every row with the kernel of its image: smaller ones are larger ones with zeros around."""
        conv, sizes = self.block.depthwise.conv, np.unique(self.shapes.kernel)
        largest, kinds = int(sizes[-1]), np.searchsorted(sizes, self.shapes.kernel)
        kernels = torch.stack([_grown(conv.first(self.hidden, int(size)), largest) for size in sizes], 1)
        chosen = np.zeros(len(x), dtype=np.int64)
        chosen[: len(channels)] = channels * len(sizes) + kinds[images]
        which = torch.from_numpy(np.arange(len(sizes))[:, None] == kinds).to(x)
        weight = per_row(kernels, torch.from_numpy(chosen).to(x.device), which, bands).view(-1, 1, largest, largest)
        y = F.conv2d(x.view(1, -1, *side), weight, None, self.stride, largest // 2, groups=len(x))
        return y.view(len(x), -1), (y.shape[2], y.shape[3])

    def _residual(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """The input is added where an image has as many channels behind the block as before it."""
        flags = torch.from_numpy(self.shapes.c_in == self.shapes.c_out).to(x)[:, None]
        more = len(y) - len(x)
        x = F.pad(x, (0, 0, 0, 0, 0, more)) if more > 0 else x[: len(y)]
        return torch.addcmul(y, x, flags)


def _normal(x: torch.Tensor, norm: ElasticBatchNorm2d, bands: Sequence[Band], numbers: Ints, activation: str) -> torch.Tensor:
    """Batch-norm by the statistics of every channel over the images that have it, `numbers` `(n,)` of channels being what they have."""
    channels = max(band.high for band in bands)
    number = counts(numbers, channels, x) * x.shape[1]
    return band_norm(x, norm.weight[:channels], norm.bias[:channels], number, bands, norm.eps, activation)


def _squeezed(squeeze: ElasticSqueeze, x: torch.Tensor, cells: torch.Tensor, hidden: Ints) -> torch.Tensor:
    """Squeeze-excite of the rows that have a cell, channel * images + image."""
    x, channels = x[: len(cells)], int(hidden.max())
    means = x.new_zeros(channels * len(hidden)).index_copy(0, cells, x.mean(1)).view(channels, -1)
    squeezed = np.array([round_channels(number / 4) for number in hidden])
    most = int(squeezed.max())
    inside = torch.from_numpy(np.arange(most)[:, None] < squeezed).to(x)
    reduce, expand = squeeze.reduce, squeeze.expand
    assert reduce.bias is not None
    assert expand.bias is not None
    y = F.relu(torch.addmm(reduce.bias[:most, None], _matrix(reduce)[:most, :channels], means)) * inside
    gates = F.hardsigmoid(torch.addmm(expand.bias[:channels, None], _matrix(expand)[:channels, :most], y))
    return x * gates.flatten().index_select(0, cells)[:, None]


def _matrix(conv: ElasticConv2d) -> torch.Tensor:
    """The weights of a 1x1 convolution, `(c_out, c_in)`."""
    return conv.weight.flatten(1)


def _grown(weight: torch.Tensor, side: int) -> torch.Tensor:
    """Kernels `(channels, 1, k, k)` with zeros around, `(channels, side * side)`."""
    more = (side - weight.shape[-1]) // 2
    return F.pad(weight, (more, more, more, more)).flatten(1)
