"""The super-network of the elastic MobileNet space."""

from __future__ import annotations

from collections import OrderedDict

import torch
import torch.nn.functional as F
from torch import nn

from hwnas.spaces.mobilenet import Block, MobileNetSpace
from hwnas.supernet.base import Architecture, Supernet
from hwnas.supernet.elastic import ElasticBatchNorm2d, ElasticConv2d, ElasticLinear
from hwnas.supernet.initialise import initialise


class ConvNorm(nn.Module):
    """An elastic convolution, batch-norm, and ReLU where `relu`."""

    def __init__(self, c_in: int, c_out: int, kernel: int, *, stride: int = 1, depthwise: bool = False, relu: bool = True) -> None:
        super().__init__()
        self.conv = ElasticConv2d(c_in, c_out, kernel, stride=stride, depthwise=depthwise)
        self.norm = ElasticBatchNorm2d(c_out)
        self.relu = relu

    def select(self, c_in: int, c_out: int, kernel: int = 1) -> None:
        """Uses this many channels and this kernel from now on."""
        self.conv.select(c_in, c_out, kernel)
        self.norm.select(c_out)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.norm(self.conv(x))
        return F.relu_(y) if self.relu else y

    def build(self) -> list[tuple[str, nn.Module]]:
        """The plain layers, by name."""
        layers: list[tuple[str, nn.Module]] = [("conv", self.conv.build()), ("norm", self.norm.build())]
        return [*layers, ("relu", nn.ReLU(inplace=True))] if self.relu else layers


class ElasticBottleneck(nn.Module):
    """Expand (1x1), depthwise, project (1x1); the input is added where shapes allow (Sandler et al., CVPR 2018, section 3.3)."""

    def __init__(self, c_in: int, hidden: int, c_out: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.expand = ConvNorm(c_in, hidden, 1)
        self.depthwise = ConvNorm(hidden, hidden, kernel, stride=stride, depthwise=True)
        self.project = ConvNorm(hidden, c_out, 1, relu=False)
        self.expands, self.residual = True, False

    def select(self, block: Block) -> None:
        """Takes the shapes of `block` from now on."""
        self.expands = block.expands
        self.expand.select(block.c_in, block.hidden)
        self.depthwise.select(block.hidden, block.hidden, block.kernel)
        self.project.select(block.hidden, block.c_out)
        self.residual = block.residual

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.project(self.depthwise(self.expand(x) if self.expands else x))
        return x + y if self.residual else y

    def build(self) -> Bottleneck:
        """The plain block."""
        parts = ("expand", "depthwise", "project") if self.expands else ("depthwise", "project")
        layers = [(f"{part}_{name}", layer) for part in parts for name, layer in getattr(self, part).build()]
        return Bottleneck(OrderedDict(layers), self.residual)


class Bottleneck(nn.Sequential):
    """The plain block of a stand-alone sub-net."""

    def __init__(self, layers: OrderedDict[str, nn.Module], residual: bool) -> None:
        super().__init__(layers)
        self.residual = residual

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = super().forward(x)  # type: ignore[no-untyped-call]
        return x + y if self.residual else y


class MobileNetSupernet(Supernet):
    """Shared weights of a `MobileNetSpace`; the active sub-net is what `space.network(active)` describes, with batch-norm not yet folded.

    Weights are drawn from `seed`.
    """

    space: MobileNetSpace

    def __init__(self, space: MobileNetSpace, *, seed: int = 0) -> None:
        super().__init__(space)
        self.stem = ConvNorm(space.input_shape[0], space.stem, 3, stride=2)
        self.blocks = nn.ModuleDict()
        c_in = space.stem
        for s, stage in enumerate(space.stages, 1):
            for b in range(1, stage.max_depth + 1):
                c_out, stride = max(stage.widths), stage.stride if b == 1 else 1
                self.blocks[f"stage{s}_block{b}"] = ElasticBottleneck(c_in, c_in * max(stage.expansions), c_out, max(stage.kernels), stride)
                c_in = c_out
        self.head = ConvNorm(c_in, space.head, 1)
        self.classifier = ElasticLinear(space.head, space.classes)
        initialise(self, torch.Generator().manual_seed(seed))
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload] # half the time of the default order on a CPU, and what build() uses
        self.path: list[str] = []
        self.configure(self.active)

    def configure(self, architecture: Architecture) -> None:
        """Selects the blocks of the architecture and their shapes."""
        blocks = self.space.blocks(architecture)
        self.path = [block.name.replace(".", "_") for block in blocks]
        for name, block in zip(self.path, blocks, strict=True):
            self._block(name).select(block)
        self.head.select(blocks[-1].c_out, self.space.head)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Logits `(n, classes)` of pixels 0..1, `(n, c, h, w)`."""
        x = self.stem(images)
        for name in self.path:
            x = self.blocks[name](x)
        x = F.adaptive_avg_pool2d(self.head(x), 1).flatten(1)
        return self.classifier(x)  # type: ignore[no-any-return]

    def build(self) -> nn.Module:
        """Plain layers: stem, blocks, head, pooling, classifier."""
        layers: list[tuple[str, nn.Module]] = [(f"stem_{name}", layer) for name, layer in self.stem.build()]
        layers += [(name, self._block(name).build()) for name in self.path]
        layers += [(f"head_{name}", layer) for name, layer in self.head.build()]
        layers += [("pool", nn.AdaptiveAvgPool2d(1)), ("flatten", nn.Flatten()), ("classifier", self.classifier.build())]
        return nn.Sequential(OrderedDict(layers))

    def _block(self, name: str) -> ElasticBottleneck:
        block = self.blocks[name]
        assert isinstance(block, ElasticBottleneck)
        return block
