"""Families of plain and residual convolutional networks, with every size drawn at random."""

from __future__ import annotations

from device_profiles.atlas.draw import Draw
from device_profiles.atlas.sketch import Sketch


def vgg(s: Sketch, x: str, d: Draw) -> str:
    """Convolutions and pooling, nothing else (Simonyan & Zisserman, ICLR 2015); leaky and deeper ones are of the Darknet kind."""
    act, kernel = d.pick("relu", "relu", "leaky"), d.pick(3, 3, 5)
    for channels in d.widths(d.pick(4, 5), 16, 96):
        for _ in range(d.whole(1, 3)):
            x = s.conv_act(x, channels, kernel if channels < 128 else 3, act)
        x = s.pool(x, "MaxPool", d.pick(2, 3), 2) if d.pick(0, 1) else s.conv_act(x, channels, 3, act, 2)
    return x


def classic(s: Sketch, x: str, d: Draw) -> str:
    """Large first kernels, norms between channels, hidden layers behind all pixels (Krizhevsky et al., NIPS 2012; VGG, ICLR 2015)."""
    x = s.conv_act(x, d.round(16, 64), d.pick(7, 11), "relu", d.pick(2, 4))
    for channels in d.widths(d.pick(2, 3), 24, 96):
        x = s.op("LRN", (x,), s.shape(x), size=5, alpha=1e-4, beta=0.75, bias=1.0)
        x = s.pool(x, "MaxPool", 3, 2)
        for _ in range(d.whole(1, 2)):
            x = s.conv_act(x, channels, d.pick(3, 5), "relu", 1, d.pick(1, 1, 2))
    while s.shape(x)[2] > 7:
        x = s.pool(x, "MaxPool", 3, 2)
    x = s.flatten(s.name_of("Flatten"), x)
    for _ in range(d.whole(1, 2)):
        x = s.act(s.linear(x, d.round(128, 1024)), "relu")
    return x


def resnet(s: Sketch, x: str, d: Draw) -> str:
    """Residual blocks of two convolutions (He et al., CVPR 2016)."""
    act = d.pick("relu", "relu", "silu", "leaky")
    x = stem(s, x, d, act)
    for stage, channels in enumerate(d.widths(4, 24, 96)):
        for block in range(d.whole(1, 3)):
            stride = 2 if stage and not block else 1
            y = s.convolve(s.conv_act(x, channels, 3, act, stride), channels, 3)
            x = s.act(s.join("Add", y, shortcut(s, x, channels, stride, d)), act)
    return x


def bottleneck(s: Sketch, x: str, d: Draw) -> str:
    """Bottlenecks, their middle in groups, with or without squeeze-excite (ResNeXt, Xie, CVPR 2017; RegNet, Radosavovic, CVPR 2020)."""
    act, excite, ratio = d.pick("relu", "relu", "silu"), d.pick(0, 0, 1), d.pick(1, 2, 4)
    x, group, parts = stem(s, x, d, act), d.pick(0, 8, 16, 24, 32), d.pick(1, 2, 4)
    for stage, middle in enumerate(d.widths(4, 24, 64)):
        width = group or middle // parts
        middle = max(1, round(middle / width)) * width
        for block in range(d.whole(1, 3)):
            stride = 2 if stage and not block else 1
            y = s.conv_act(x, middle, 1, act)
            y = s.conv_act(y, middle, 3, act, stride, middle // width)
            y = s.squeeze_excite(y, max(8, middle // 16), "relu", "sigmoid") if excite else y
            y = s.convolve(y, middle * ratio)
            x = s.act(s.join("Add", y, shortcut(s, x, middle * ratio, stride, d)), act)
    return x


def densenet(s: Sketch, x: str, d: Draw) -> str:
    """Every layer reads all before it (Huang et al., CVPR 2017); the norms stand before the convolutions and cannot be folded."""
    growth, folded, middle = d.pick(12, 16, 24, 32), d.pick(0, 1), d.pick(0, 2, 4)
    x = stem(s, x, d, "relu")
    for stage in range(d.pick(3, 4)):
        if stage:
            x = s.pool(_normed(s, s.convolve(x, max(8, s.shape(x)[1] // 2)), folded), "AveragePool", 2, 2)
        for _ in range(d.whole(2, 6)):
            y = _normed(s, x, folded)
            y = s.conv_act(y, middle * growth, 1, "relu") if middle else y
            x = s.concat([x, s.convolve(y, growth, 3)])
    return x


def inception(s: Sketch, x: str, d: Draw) -> str:
    """Branches of different kernels, rectangular ones among them, side by side (Szegedy et al., CVPR 2016)."""
    x = s.pool(s.conv_act(s.conv_act(x, d.round(24, 48), 3, "relu", 2), d.round(48, 96), 3, "relu"), "MaxPool", 3, 2)
    for stage, width in enumerate(d.widths(3, 32, 72)):
        x = s.pool(x, "MaxPool", 3, 2) if stage else x
        for _ in range(d.whole(1, 3)):
            size, narrow = d.pick(3, 5, 7), d.round(0.5 * width, width)
            first = s.conv_act(x, width, 1, "relu")
            rows = s.conv_act(s.conv_act(s.conv_act(x, narrow, 1, "relu"), narrow, (1, size), "relu"), width, (size, 1), "relu")
            twice = s.conv_act(s.conv_act(s.conv_act(x, narrow, 1, "relu"), width, 3, "relu"), width, 3, "relu")
            pooled = s.conv_act(s.pool(x, d.pick("AveragePool", "MaxPool"), 3, 1), width, 1, "relu")
            x = s.concat([first, rows, twice, pooled][: d.pick(3, 4)])
    return x


def squeezenet(s: Sketch, x: str, d: Draw) -> str:
    """Squeeze, then expand with two kernels (Iandola et al., 2016)."""
    x = s.pool(s.conv_act(x, d.round(32, 96), d.pick(3, 7), "relu", 2), "MaxPool", 3, 2)
    for stage, width in enumerate(d.widths(3, 32, 96)):
        x = s.pool(x, "MaxPool", 3, 2) if stage else x
        for _ in range(d.whole(1, 3)):
            y = s.conv_act(x, max(8, width // 4), 1, "relu")
            x = s.concat([s.conv_act(y, width, 1, "relu"), s.conv_act(y, width, 3, "relu")])
    return x


def cross_stage(s: Sketch, x: str, d: Draw) -> str:
    """Half of the channels go round each stage (CSPNet, Wang et al., CVPRW 2020), as in the YOLO backbones."""
    act = d.pick("silu", "leaky", "relu", "hardswish")
    x = s.conv_act(x, d.round(16, 48), d.pick(3, 6 - 1), act, 2)
    for channels in d.widths(4, 32, 80):
        x = s.conv_act(x, channels, 3, act, 2)
        half = channels // 2
        around = s.conv_act(x, half, 1, act)
        y = s.conv_act(x, half, 1, act)
        for _ in range(d.whole(1, 2)):
            y = s.join("Add", s.conv_act(s.conv_act(y, half, 1, act), half, 3, act), y)
        x = s.conv_act(s.concat([y, around]), channels, 1, act)
    return x


def multi_resolution(s: Sketch, x: str, d: Draw) -> str:
    """Branches of several resolutions that exchange what they found (HRNet, Wang et al., TPAMI 2020; feature pyramids)."""
    x = s.conv_act(s.conv_act(x, d.round(24, 64), 3, "relu", 2), d.round(24, 64), 3, "relu", 2)
    widths = d.widths(d.pick(2, 3), 16, 40)
    fine = s.conv_act(x, widths[0], 3, "relu")
    branches = [fine]
    for width in widths[1:]:
        branches.append(s.conv_act(branches[-1], width, 3, "relu", 2))
    for _ in range(d.whole(1, 2)):
        grown = []
        for branch in branches:
            channels = s.shape(branch)[1]
            y = s.convolve(s.conv_act(branch, channels, 3, "relu"), channels, 3)
            grown.append(s.act(s.join("Add", y, branch), "relu"))
        coarse = [s.upsample(s.convolve(b, widths[0]), 2**i) for i, b in enumerate(grown) if i]
        for other in coarse:
            grown[0] = s.join("Add", grown[0], other)
        branches = [s.act(grown[0], "relu"), *grown[1:]]
    return s.conv_act(branches[-1], d.round(96, 256), 1, "relu")


def stem(s: Sketch, x: str, d: Draw, act: str) -> str:
    """The first layers: a quarter, a half, or all of the resolution is left."""
    if d.pick(0, 1):
        return s.pool(s.conv_act(x, d.round(24, 64), 7, act, 2), "MaxPool", 3, 2)
    return s.conv_act(s.conv_act(x, d.round(16, 48), 3, act, 2), d.round(24, 64), 3, act, d.pick(1, 2))


def shortcut(s: Sketch, x: str, channels: int, stride: int, d: Draw) -> str:
    """The input as it is where shapes allow, else through a convolution of size one, the stride before it or in it."""
    if stride == 1 and s.shape(x)[1] == channels:
        return x
    if stride > 1 and s.shape(x)[2] % 2 == 0 and s.shape(x)[3] % 2 == 0 and d.pick(0, 0, 1):
        _, inputs, height, width = s.shape(x)
        x = s.op("AveragePool", (x,), (1, inputs, height // 2, width // 2), kernel_shape=(2, 2), strides=(2, 2))
        stride = 1
    return s.convolve(x, channels, 1, stride)


def _normed(s: Sketch, x: str, folded: int) -> str:
    return s.act(x if folded else s.norm(x), "relu")
