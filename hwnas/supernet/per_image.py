"""A batch through a MobileNet super-network in one pass, every image by a sub-net of its own.

Width and expansion are masks: channels that an image does not have are zero, which is what a narrower layer computes. Images with the same
kernel go through the depthwise convolution together, and images without a block pass it by, so that neither costs much more than in a
sub-net. Images that go together are filled up to a multiple of `STEP` with some that count for nothing: for every new size of a batch
oneDNN would compile its convolutions anew, which takes longer than to run them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F

from device_profiles.errors import InputError
from hwnas.spaces.base import Archs
from hwnas.supernet.masked_norm import masked_norm

if TYPE_CHECKING:
    from hwnas.supernet.elastic import ElasticBatchNorm2d, ElasticConv2d
    from hwnas.supernet.mobilenet import ElasticBottleneck, MobileNetSupernet

Ints = npt.NDArray[np.int64]

#: Batches within a batch are filled up to a multiple of this.
STEP = 8


@dataclass(frozen=True, slots=True)
class Shapes:
    """One block for every image that has it, all `(n,)`; `width` is the number of channels that the block's output tensor has."""

    c_in: Ints
    c_out: Ints
    kernel: Ints
    expansion: Ints
    stride: int
    width: int

    @property
    def hidden(self) -> Ints:
        """Channels of the depthwise convolution."""
        return self.c_in * self.expansion

    @property
    def residual(self) -> Ints:
        """1 where the input is added to the output."""
        return np.where(self.c_in == self.c_out, int(self.stride == 1), 0)

    def rows(self, which: Ints, number: int) -> Shapes:
        """The same for some of the images; those from `number` on have no channels."""
        real = np.arange(len(which)) < number
        c_in, c_out = np.where(real, self.c_in[which], 0), np.where(real, self.c_out[which], 0)
        return Shapes(c_in, c_out, self.kernel[which], self.expansion[which], self.stride, self.width)


def forward_each(net: MobileNetSupernet, images: torch.Tensor, archs: Archs) -> torch.Tensor:
    """Logits `(n, classes)` of pixels 0..1 `(n, c, h, w)`; row i of `archs` is the sub-net of image i.

    Raises InputError for a space with several resolutions, squeeze-excite, another activation than ReLU, or a layer behind the pooling:
    there a masked channel is not what a narrower network computes, or images do not fit into one batch.
    """
    space = net.space
    if space.mix or len(space.resolutions) > 1 or {space.activation, *(stage.activation for stage in space.stages)} != {"Relu"}:
        raise InputError(f"{space.name} cannot run a sub-net per image: that needs one resolution, ReLU and no layer behind the pooling")
    if any(stage.squeeze for stage in space.stages):
        raise InputError(f"{space.name} cannot run a sub-net per image: its squeeze-excite has no masks; choose another strategy")
    column = {name: np.full(len(archs), value) for name, value in space.values(archs[0]).items()}  # also what there is no choice about
    column |= {choice.name: np.array(choice.values)[archs[:, i]] for i, choice in enumerate(space.choices)}
    x, c_in = net.stem(images), np.full(len(archs), space.stem)
    for s, stage in enumerate(space.stages, 1):
        c_out, depth = column[f"stage{s}.width"], column[f"stage{s}.depth"]
        for b in range(1, stage.max_depth + 1):
            name = f"stage{s}.block{b}"
            shapes = Shapes(
                c_in, c_out, column[f"{name}.kernel"], column[f"{name}.expansion"], stage.stride if b == 1 else 1, int(c_out.max())
            )  # fmt: skip
            x = _some(x, np.flatnonzero(b <= depth), partial(_block, net._block(name.replace(".", "_")), shapes))
            c_in = c_out
    net.head.select(x.shape[1], space.head)
    x = net.head(x)
    logits: torch.Tensor = net.classifier(F.adaptive_avg_pool2d(x, 1).flatten(1))
    return logits


def _some(x: torch.Tensor, rows: Ints, function: Callable[[torch.Tensor, Ints, int], torch.Tensor]) -> torch.Tensor:
    """`function` of the images in `rows`, the others as they are; the function keeps the shape unless it gets all images.

    It gets the images, their rows, and how many of both count: the rest fills up.
    """
    if len(rows) == len(x):
        return function(x, rows, len(rows))
    if not len(rows):
        return x
    filled = _filled(rows)
    y = function(_gather(x, filled), filled, len(rows))
    return x.index_copy(0, torch.from_numpy(rows).to(x.device), y[: len(rows)])


def _filled(rows: Ints) -> Ints:
    """The rows, and the first of them again and again up to a multiple of `STEP`."""
    return np.concatenate([rows, np.repeat(rows[:1], -len(rows) % STEP)])


def _gather(x: torch.Tensor, rows: Ints) -> torch.Tensor:
    """Some of the images, as rows of numbers in their order in memory: more than twice as fast as `x[rows]` when derivatives are taken."""
    _, channels, height, width = x.shape
    flat = x.permute(0, 2, 3, 1).reshape(len(x), -1).index_select(0, torch.from_numpy(rows).to(x.device))
    return flat.view(len(rows), height, width, channels).permute(0, 3, 1, 2)


def _block(block: ElasticBottleneck, everyone: Shapes, x: torch.Tensor, having: Ints, number: int) -> torch.Tensor:
    shapes = everyone.rows(having, number)
    hidden = int(shapes.hidden.max())
    inside = _mask(shapes.hidden, hidden, x)
    y = _some(_channels(x, hidden), np.flatnonzero(shapes.expansion > 1), lambda _part, rows, n: _expanded(block, x, inside, rows, n))
    y = _normalised(_by_kernel(block.depthwise.conv, y, shapes.kernel), block.depthwise.norm, inside, relu=True)
    y = _normalised(_conv(block.project.conv, y, shapes.width), block.project.norm, _mask(shapes.c_out, shapes.width, x))
    if shapes.stride > 1:
        return y
    return torch.addcmul(y, _channels(x, shapes.width), torch.from_numpy(shapes.residual).to(x)[:, None, None, None])


def _expanded(block: ElasticBottleneck, x: torch.Tensor, inside: torch.Tensor, rows: Ints, number: int) -> torch.Tensor:
    if number < len(x):
        x, inside = _gather(x, rows), inside[torch.from_numpy(rows).to(x.device)]
        inside[number:] = 0
    assert block.expand is not None  # some image expands, so the block can
    return _normalised(_conv(block.expand.conv, x, inside.shape[1]), block.expand.norm, inside, relu=True)


def _by_kernel(conv: ElasticConv2d, x: torch.Tensor, kernels: Ints) -> torch.Tensor:
    """A depthwise convolution in which every image has a kernel size of its own."""
    sizes = np.unique(kernels)
    if len(sizes) == 1:
        return _depthwise(conv, x, int(sizes[0]))
    groups = [np.flatnonzero(kernels == size) for size in sizes]
    filled = [_filled(rows) for rows in groups]
    parts = torch.cat([_depthwise(conv, _gather(x, rows), int(size)) for size, rows in zip(sizes, filled, strict=True)])
    places, first = np.empty(len(x), dtype=np.int64), 0
    for rows, more in zip(groups, filled, strict=True):
        places[rows] = first + np.arange(len(rows))
        first += len(more)
    return _gather(parts, places)


def _depthwise(conv: ElasticConv2d, x: torch.Tensor, kernel: int) -> torch.Tensor:
    conv.select(x.shape[1], x.shape[1], kernel)
    y: torch.Tensor = conv(x)
    return y


def _conv(conv: ElasticConv2d, x: torch.Tensor, c_out: int) -> torch.Tensor:
    conv.select(x.shape[1], c_out, conv.weight.shape[-1])
    y: torch.Tensor = conv(x)
    return y


def _channels(x: torch.Tensor, number: int) -> torch.Tensor:
    """The first channels, zeros where there are fewer."""
    return x[:, :number] if x.shape[1] >= number else F.pad(x, (0, 0, 0, 0, 0, number - x.shape[1]))


def _mask(numbers: Ints, channels: int, like: torch.Tensor) -> torch.Tensor:
    """1 for the first `numbers[i]` channels of image i, else 0: `(n, channels, 1, 1)`."""
    return torch.from_numpy(np.arange(channels) < numbers[:, None]).to(like)[:, :, None, None]


def _normalised(x: torch.Tensor, norm: ElasticBatchNorm2d, mask: torch.Tensor, relu: bool = False) -> torch.Tensor:
    channels = x.shape[1]
    return masked_norm(x, norm.weight[:channels], norm.bias[:channels], mask, norm.eps, relu=relu)
