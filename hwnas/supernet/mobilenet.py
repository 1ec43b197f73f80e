"""The super-network of the elastic MobileNet space."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import partial

import torch
import torch.nn.functional as F
from torch import nn

from hwnas.spaces.base import Archs
from hwnas.spaces.mobilenet import MobileNetSpace
from hwnas.spaces.mobilenet_blocks import Block, round_channels
from hwnas.supernet.base import Architecture, Supernet
from hwnas.supernet.elastic import ElasticBatchNorm2d, ElasticConv2d, ElasticLinear
from hwnas.supernet.initialise import initialise
from hwnas.supernet.resize import resized
from hwnas.supernet.sorting import Order, mobilenet_order

_IN_PLACE: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {"Relu": F.relu_, "HardSwish": partial(F.hardswish, inplace=True)}
_PLAIN: dict[str, type[nn.ReLU | nn.Hardswish]] = {"Relu": nn.ReLU, "HardSwish": nn.Hardswish}


class ConvNorm(nn.Module):
    """An elastic convolution, batch-norm, and an activation by its ONNX name ("" for none)."""

    def __init__(
        self,
        c_in: int,
        c_out: int,
        kernel: int,
        *,
        stride: int = 1,
        depthwise: bool = False,
        activation: str = "Relu",
        kernels: Sequence[int] = (),
    ) -> None:
        super().__init__()
        self.conv = ElasticConv2d(c_in, c_out, kernel, stride=stride, depthwise=depthwise, kernels=kernels)
        self.norm = ElasticBatchNorm2d(c_out)
        self.activation = activation

    def select(self, c_in: int, c_out: int, kernel: int = 1) -> None:
        """Uses this many channels and this kernel from now on."""
        self.conv.select(c_in, c_out, kernel)
        self.norm.select(c_out)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Convolution, batch-norm and activation of `(n, c, h, w)`."""
        y = self.norm(self.conv(x))
        return _IN_PLACE[self.activation](y) if self.activation else y

    def build(self) -> list[tuple[str, nn.Module]]:
        """The plain layers, by name."""
        layers: list[tuple[str, nn.Module]] = [("conv", self.conv.build()), ("norm", self.norm.build())]
        return [*layers, (self.activation.lower(), _PLAIN[self.activation](inplace=True))] if self.activation else layers


class ElasticSqueeze(nn.Module):
    """Squeeze-excite: every channel is scaled by what two 1x1 convolutions make of the means of all (Hu et al., CVPR 2018, section 3)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.reduce = ElasticConv2d(channels, round_channels(channels / 4), 1, bias=True)
        self.expand = ElasticConv2d(round_channels(channels / 4), channels, 1, bias=True)

    def select(self, block: Block) -> None:
        """Takes the shapes of `block` from now on."""
        self.reduce.select(block.hidden, block.squeezed, 1)
        self.expand.select(block.squeezed, block.hidden, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """`(n, c, h, w)` with every channel scaled."""
        return x * F.hardsigmoid(self.expand(F.relu(self.reduce(F.adaptive_avg_pool2d(x, 1)))))

    def build(self) -> Squeeze:
        """The plain layers."""
        return Squeeze(self.reduce.build(), self.expand.build())


class Squeeze(nn.Module):
    """Squeeze-excite of a stand-alone sub-net."""

    def __init__(self, reduce: nn.Conv2d, expand: nn.Conv2d) -> None:
        super().__init__()
        self.gate = nn.Sequential(nn.AdaptiveAvgPool2d(1), reduce, nn.ReLU(inplace=True), expand, nn.Hardsigmoid())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """`(n, c, h, w)` with every channel scaled."""
        gate: torch.Tensor = self.gate(x)
        return x * gate


class ElasticBottleneck(nn.Module):
    """Expand (1x1), depthwise, project (1x1); the input is added where shapes allow (Sandler et al., CVPR 2018, section 3.3)."""

    def __init__(
        self,
        c_in: int,
        hidden: int,
        c_out: int,
        kernel: int,
        stride: int,
        activation: str = "Relu",
        squeeze: bool = False,
        kernels: Sequence[int] = (),
    ) -> None:
        super().__init__()
        self.expand = ConvNorm(c_in, hidden, 1, activation=activation) if hidden > c_in else None
        self.depthwise = ConvNorm(hidden, hidden, kernel, stride=stride, depthwise=True, activation=activation, kernels=kernels)
        self.squeeze = ElasticSqueeze(hidden) if squeeze else None
        self.project = ConvNorm(hidden, c_out, 1, activation="")
        self.expands, self.residual = self.expand is not None, False

    def select(self, block: Block) -> None:
        """Takes the shapes of `block` from now on."""
        self.expands = block.expands
        if self.expand is not None and block.expands:
            self.expand.select(block.c_in, block.hidden)
        self.depthwise.select(block.hidden, block.hidden, block.kernel)
        if self.squeeze is not None:
            self.squeeze.select(block)
        self.project.select(block.hidden, block.c_out)
        self.residual = block.residual

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The selected block, of `(n, c, h, w)`."""
        y: torch.Tensor = self.depthwise(self.expand(x) if self.expand is not None and self.expands else x)
        if self.squeeze is not None:
            y = self.squeeze(y)
        y = self.project(y)
        return x + y if self.residual else y

    def build(self) -> Bottleneck:
        """The plain block."""
        layers = [(f"expand_{name}", layer) for name, layer in self.expand.build()] if self.expand is not None and self.expands else []
        layers += [(f"depthwise_{name}", layer) for name, layer in self.depthwise.build()]
        if self.squeeze is not None:
            layers.append(("squeeze", self.squeeze.build()))
        layers += [(f"project_{name}", layer) for name, layer in self.project.build()]
        return Bottleneck(OrderedDict(layers), self.residual)


class Bottleneck(nn.Sequential):
    """The plain block of a stand-alone sub-net."""

    def __init__(self, layers: OrderedDict[str, nn.Module], residual: bool) -> None:
        super().__init__(layers)
        self.residual = residual

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The layers in order, of `(n, c, h, w)`, and the input on top where there is a residual."""
        y: torch.Tensor = super().forward(x)  # type: ignore[no-untyped-call]
        return x + y if self.residual else y


class MobileNetSupernet(Supernet):
    """Shared weights of a `MobileNetSpace`; the active sub-net is what `space.network(active)` describes, with batch-norm not yet folded.

    Weights are drawn from `seed`.
    """

    space: MobileNetSpace

    def __init__(self, space: MobileNetSpace, *, seed: int = 0) -> None:
        super().__init__(space)
        self.stem = ConvNorm(space.input_shape[0], space.stem, 3, stride=2, activation=space.activation)
        self.blocks = nn.ModuleDict()
        c_in = space.stem
        for s, stage in enumerate(space.stages, 1):
            for b in range(1, stage.max_depth + 1):
                c_out, stride = max(stage.widths), stage.stride if b == 1 else 1
                self.blocks[f"stage{s}_block{b}"] = ElasticBottleneck(
                    c_in, c_in * max(stage.expansions), c_out, max(stage.kernels), stride, stage.activation, stage.squeeze,
                    stage.kernels if space.kernel_transforms else (),
                )  # fmt: skip
                c_in = c_out
        self.head = ConvNorm(c_in, space.head, 1, activation=space.activation)
        self.mix = ElasticConv2d(space.head, space.mix, 1) if space.mix else None
        self.classifier = ElasticLinear(space.mix or space.head, space.classes)
        initialise(self, torch.Generator().manual_seed(seed))
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload] # half the time of the default order on a CPU, and what build() uses
        self.path: list[str] = []
        self.side = space.input_shape[1]
        self.configure(self.active)

    def configure(self, architecture: Architecture) -> None:
        """Selects the blocks of the architecture and their shapes."""
        values = self.space.values(architecture)  # once: a step of a small sub-net is not much longer
        blocks = self.space.blocks_of(values)
        self.path = [block.name.replace(".", "_") for block in blocks]
        for name, block in zip(self.path, blocks, strict=True):
            self._block(name).select(block)
        self.head.select(blocks[-1].c_out, self.space.head)
        self.side = values["resolution"]

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Logits `(n, classes)` of pixels 0..1, `(n, c, h, w)`, which are brought to the resolution of the architecture."""
        x = self.stem(resized(images, self.side))
        for name in self.path:
            x = self.blocks[name](x)
        x = F.adaptive_avg_pool2d(self.head(x), 1)
        if self.mix is not None:
            x = _IN_PLACE[self.space.activation](self.mix(x))
        return self.classifier(x.flatten(1))  # type: ignore[no-any-return]

    def forward_each(self, images: torch.Tensor, archs: Archs) -> torch.Tensor:
        """Logits `(n, classes)`, each image by a sub-net of its own, in one pass."""
        from hwnas.supernet.per_image import forward_each

        return forward_each(self, images, archs)

    def channel_order(self, dimension: str) -> Order:
        """By what reads them: the projection of their block (`expansion`), or the blocks behind and the head (`width`)."""
        return mobilenet_order(self, dimension)

    def build(self) -> nn.Module:
        """Plain layers: stem, blocks, head, pooling, classifier."""
        layers: list[tuple[str, nn.Module]] = [(f"stem_{name}", layer) for name, layer in self.stem.build()]
        layers += [(name, self._block(name).build()) for name in self.path]
        layers += [(f"head_{name}", layer) for name, layer in self.head.build()]
        layers += [("pool", nn.AdaptiveAvgPool2d(1))]
        if self.mix is not None:
            layers += [("mix", self.mix.build()), ("mix_activation", _PLAIN[self.space.activation](inplace=True))]
        layers += [("flatten", nn.Flatten()), ("classifier", self.classifier.build())]
        return nn.Sequential(OrderedDict(layers))

    def _block(self, name: str) -> ElasticBottleneck:
        block = self.blocks[name]
        assert isinstance(block, ElasticBottleneck)
        return block
