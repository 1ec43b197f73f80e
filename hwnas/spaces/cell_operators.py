"""The operators of NASNet-like cells (Zoph et al., CVPR 2018, section 3), each drawn as ReLU, convolution, batch-norm."""

from __future__ import annotations

from device_profiles.errors import unknown
from hwnas.spaces.blueprint import Blueprint

#: What `operator` can draw.
OPERATORS = (
    "identity", "max_pool_3x3", "avg_pool_3x3", "sep_conv_3x3", "sep_conv_5x5", "sep_conv_7x7", "dil_conv_3x3", "dil_conv_5x5",
    "conv_1x7_7x1",
)  # fmt: skip


def operator(draw: Blueprint, name: str, x: str, kind: str, stride: int = 1) -> str:
    """One operator from `x`, which keeps the channels and, but for the stride, the side; separable convolutions are applied twice."""
    channels, size = draw.channels(x), int(kind[-1]) if kind[-1].isdigit() else 1
    match kind.split("_")[0]:
        case "identity" if stride == 1:
            return x
        case "identity":
            return relu_conv(draw, name, x, channels, stride=stride)
        case "max":
            return draw.max_pool(f"{name}.pool", x, 3, stride)
        case "avg":
            return draw.avg_pool(f"{name}.pool", x, 3, stride)
        case "sep":
            return _separable(draw, f"{name}.second", _separable(draw, f"{name}.first", x, size, stride), size)
        case "dil":
            return _separable(draw, name, x, size, stride, dilation=2)
        case "conv":
            y = draw.conv(f"{name}.row", draw.activation(f"{name}.relu1", x), channels, (1, 7))
            return draw.conv(f"{name}.column", draw.activation(f"{name}.relu2", y), channels, (7, 1), stride=stride)
    raise unknown("operator", kind, OPERATORS)


def relu_conv(draw: Blueprint, name: str, x: str, channels: int, kernel: int = 1, stride: int = 1) -> str:
    """ReLU, convolution, batch-norm."""
    return draw.conv(f"{name}.conv", draw.activation(f"{name}.relu", x), channels, kernel, stride=stride)


def _separable(draw: Blueprint, name: str, x: str, kernel: int, stride: int = 1, dilation: int = 1) -> str:
    """ReLU, depthwise, 1x1, batch-norm."""
    y, channels = draw.activation(f"{name}.relu", x), draw.channels(x)
    y = draw.conv(f"{name}.depthwise", y, channels, kernel, stride=stride, dilation=dilation, depthwise=True, norm=False)
    return draw.conv(f"{name}.pointwise", y, channels)
