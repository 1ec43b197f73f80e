"""Families of networks for small devices, with every size drawn at random."""

from __future__ import annotations

from device_profiles.atlas.draw import Draw
from device_profiles.atlas.sketch import Sketch


def separable(s: Sketch, x: str, d: Draw) -> str:
    """Depthwise and pointwise convolutions in turn (MobileNet, Howard et al., 2017)."""
    act = d.pick("relu", "relu6", "leaky")
    x = s.conv_act(x, d.round(8, 40), 3, act, 2)
    for stage, channels in enumerate(d.widths(5, 16, 64)):
        for block in range(d.whole(1, 3)):
            stride = 2 if stage and not block else 1
            x = s.conv_act(x, s.shape(x)[1], d.pick(3, 3, 5), act, stride, s.shape(x)[1])
            x = s.conv_act(x, channels, 1, act)
    return x


def inverted(s: Sketch, x: str, d: Draw) -> str:
    """Inverted bottlenecks of mixed kernels, expansions and activations, with or without squeeze-excite (MobileNetV2, V3, EfficientNet)."""
    act, excite, gate = d.pick("relu", "relu6", "hardswish", "silu"), d.pick(0, 1), d.pick("sigmoid", "hardsigmoid")
    x = s.conv_act(x, d.round(16, 40), 3, act, 2)
    for stage, channels in enumerate(d.widths(5, 12, 40)):
        for block in range(d.whole(1, 3)):
            stride = 2 if stage and not block else 1
            x = _inverted_block(s, x, channels, stride, (act, excite, gate), d)
    return s.conv_act(x, d.round(256, 1280), 1, act)


def _inverted_block(s: Sketch, x: str, channels: int, stride: int, style: tuple[str, int, str], d: Draw) -> str:
    act, excite, gate = style
    inputs, kernel, expand = s.shape(x)[1], d.pick(3, 3, 5, 7), d.pick(1, 3, 4, 6)
    hidden = inputs * expand
    y = s.conv_act(x, hidden, 1, act) if expand > 1 else x
    y = s.conv_act(y, hidden, kernel, act, stride, hidden)
    y = s.squeeze_excite(y, max(8, hidden // d.pick(4, 16, 24)), "relu" if gate == "hardsigmoid" else act, gate) if excite else y
    y = s.convolve(y, channels)
    return s.join("Add", y, x) if stride == 1 and inputs == channels else y


def fused_inverted(s: Sketch, x: str, d: Draw) -> str:
    """Inverted bottlenecks whose first two convolutions are one (EfficientNetV2, Tan & Le, ICML 2021), then plain ones."""
    act = d.pick("silu", "relu", "relu6")
    x = s.conv_act(x, d.round(16, 32), 3, act, 2)
    for stage, channels in enumerate(d.widths(4, 16, 40)):
        for block in range(d.whole(1, 3)):
            stride, inputs = (2 if stage and not block else 1), s.shape(x)[1]
            if stage > 2:
                x = _inverted_block(s, x, channels, stride, (act, 1, "sigmoid"), d)
                continue
            y = s.convolve(s.conv_act(x, inputs * d.pick(2, 4), 3, act, stride), channels)
            x = s.join("Add", y, x) if stride == 1 and inputs == channels else y
    return s.conv_act(x, d.round(256, 1024), 1, act)


def shuffle(s: Sketch, x: str, d: Draw) -> str:
    """Half of the channels is worked on, then both halves are shuffled (ShuffleNetV2, Ma et al., ECCV 2018)."""
    x = s.pool(s.conv_act(x, d.pick(16, 24, 32), 3, "relu", 2), "MaxPool", 3, 2)
    for channels in d.widths(3, 32, 128):
        half = channels // 2
        side = s.convolve(x, s.shape(x)[1], 3, 2, s.shape(x)[1])
        x = _shuffled(s, s.concat([s.conv_act(side, half, 1, "relu"), _shuffle_branch(s, x, half, 2)]))
        for _ in range(d.whole(1, 4)):
            left, right = s.split(x, [half, half])
            x = _shuffled(s, s.concat([left, _shuffle_branch(s, right, half, 1)]))
    return s.conv_act(x, d.round(256, 1024), 1, "relu")


def _shuffle_branch(s: Sketch, x: str, channels: int, stride: int) -> str:
    y = s.conv_act(x, channels, 1, "relu")
    return s.conv_act(s.convolve(y, channels, 3, stride, channels), channels, 1, "relu")


def _shuffled(s: Sketch, x: str) -> str:
    _, channels, height, width = s.shape(x)
    y = s.transpose(s.reshape(x, 1, 2, channels // 2, height, width), 0, 2, 1, 3, 4)
    return s.reshape(y, 1, channels, height, width)


def ghost(s: Sketch, x: str, d: Draw) -> str:
    """Half of the channels are cheap functions of the other half (GhostNet, Han et al., CVPR 2020)."""
    x = s.conv_act(x, d.pick(16, 24), 3, "relu", 2)
    for stage, channels in enumerate(d.widths(4, 16, 48)):
        for block in range(d.whole(1, 2)):
            stride, inputs = (2 if stage and not block else 1), s.shape(x)[1]
            hidden = channels * d.pick(2, 4, 6)
            y = _ghost_module(s, x, hidden, "relu", d)
            y = s.convolve(y, hidden, 3, 2, hidden) if stride == 2 else y
            y = s.squeeze_excite(y, max(8, hidden // 4), "relu", "hardsigmoid") if d.pick(0, 1) else y
            y = _ghost_module(s, y, channels, "", d)
            x = s.join("Add", y, x) if stride == 1 and inputs == channels else y
    return s.conv_act(x, d.round(256, 1024), 1, "relu")


def _ghost_module(s: Sketch, x: str, channels: int, act: str, d: Draw) -> str:
    half = channels // 2
    first = s.act(s.convolve(x, half), act)
    return s.concat([first, s.act(s.convolve(first, half, d.pick(3, 5), 1, half), act)])


def partial(s: Sketch, x: str, d: Draw) -> str:
    """A convolution over a quarter of the channels, two linear layers over all (FasterNet, Chen et al., CVPR 2023)."""
    act = d.pick("relu", "gelu")
    x = s.convolve(x, d.round(24, 64), 3, 4)
    for stage, channels in enumerate(d.widths(4, 32, 72)):
        x = s.convolve(x, channels, 3, 2) if stage else s.convolve(x, channels)
        part = max(4, channels // 4)
        for _ in range(d.whole(1, 3)):
            first, rest = s.split(x, [part, channels - part])
            y = s.concat([s.convolve(first, part, 3, bias=False), rest])
            x = s.join("Add", x, s.convolve(s.act(s.convolve(y, channels * 2), act), channels))
    return x


def large_kernel(s: Sketch, x: str, d: Draw) -> str:
    """Large depthwise kernels and two pointwise layers, in the layout of images (ConvNeXt without its norms, RepLKNet, ConvMixer)."""
    act, kernel = d.pick("gelu", "relu", "silu"), d.pick(5, 7, 9, 11)
    x = s.convolve(x, d.round(24, 64), 3, 4)
    for stage, channels in enumerate(d.widths(4, 24, 64)):
        x = s.convolve(x, channels, 3, 2) if stage else s.convolve(x, channels)
        for _ in range(d.whole(1, 3)):
            y = s.convolve(x, channels, kernel, 1, channels)
            y = s.convolve(s.act(s.convolve(y, channels * d.pick(2, 3, 4)), act), channels)
            x = s.join("Add", x, s.weighted("Mul", y, channels, 1, 1) if d.pick(0, 1) else y)
    return x
