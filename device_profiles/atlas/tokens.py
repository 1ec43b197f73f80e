"""Families of networks that work on tokens: attention, mixers, and hybrids with convolutions; every size drawn at random."""

from __future__ import annotations

import math

from device_profiles.atlas.draw import Draw
from device_profiles.atlas.sketch import Sketch, integers
from device_profiles.operators import Tensor


def transformer(s: Sketch, x: str, d: Draw) -> str:
    """Patches, then attention and linear layers in turn (ViT, Dosovitskiy et al., ICLR 2021; DeiT)."""
    heads, width = d.pick(2, 3, 4, 6, 8), d.pick(16, 24, 32, 48, 64)
    features, patch, scaled = heads * width, d.pick(14, 16, 16, 32), d.pick(0, 1)
    x = _patches(s, x, features, patch)
    if d.pick(0, 1):  # a token that stands for the class
        x = _prepend(s, x)
    x = s.weighted("Add", x, *s.shape(x))
    ratio, act = d.pick(2, 3, 4), d.pick("gelu", "gelu", "silu")
    for _ in range(d.whole(2, 5)):
        y = attention(s, s.layer_norm(x), heads, d)
        x = s.join("Add", x, s.weighted("Mul", y, features) if scaled else y)
        x = s.join("Add", x, mlp(s, s.layer_norm(x), ratio, act))
    return s.layer_norm(x)


def windows(s: Sketch, x: str, d: Draw) -> str:
    """Attention within windows, tokens merged between stages (Swin, Liu et al., ICCV 2021)."""
    window, width, act = d.pick(4, 7, 8), d.pick(16, 24, 32), "gelu"
    features = width * d.pick(1, 2, 3)
    side = s.shape(x)[2] // 4 // window * window
    x = s.layer_norm(_patches(s, x, features, 4))
    x = s.op("Slice", (x,), (1, side * side, features), integers(0), integers(side * side), integers(1))
    for stage in range(d.pick(2, 3)):
        if stage and side % (2 * window) == 0:
            x, side = _merged(s, x, side), side // 2
        for _ in range(d.whole(1, 2)):
            y = _windowed(s, s.layer_norm(x), side, window, s.shape(x)[2] // width, d)
            x = s.join("Add", x, y)
            x = s.join("Add", x, mlp(s, s.layer_norm(x), 4, act))
    return s.layer_norm(x)


def pyramid(s: Sketch, x: str, d: Draw) -> str:
    """Stages of attention whose keys and values are taken from a smaller image (PVT, Wang et al., ICCV 2021; SegFormer, Twins)."""
    width, features = d.pick(16, 24, 32), 0
    for stage in range(d.pick(3, 4)):
        features = max(features, width * d.whole(1, 2) * (stage + 1))
        x = s.convolve(x, features, 7 if not stage else 3, 4 if not stage else 2)
        height, wide = s.shape(x)[2:]
        t, shrink = s.layer_norm(s.tokens(x)), max(1, 8 >> stage)
        for _ in range(d.whole(1, 2)):
            t = s.join("Add", t, _reduced(s, s.layer_norm(t), (height, wide), features // width, shrink))
            t = s.join("Add", t, _mixed_mlp(s, s.layer_norm(t), (height, wide), d))
        x = s.image(t, height, wide)
    return x


def mixer(s: Sketch, x: str, d: Draw) -> str:
    """Linear layers over tokens and over features in turn (MLP-Mixer, Tolstikhin et al., NeurIPS 2021; ResMLP)."""
    features = d.pick(96, 128, 192, 256, 384, 512)
    x = _patches(s, x, features, d.pick(16, 16, 32))
    count = s.shape(x)[1]
    for _ in range(d.whole(2, 5)):
        y = s.transpose(s.layer_norm(x), 0, 2, 1)
        y = s.linear(s.act(s.linear(y, d.pick(1, 2) * count // 2), "gelu"), count)
        x = s.join("Add", x, s.transpose(y, 0, 2, 1))
        x = s.join("Add", x, mlp(s, s.layer_norm(x), d.pick(2, 4), "gelu"))
    return s.layer_norm(x)


def channels_last(s: Sketch, x: str, d: Draw) -> str:
    """Large depthwise kernels, then a norm and linear layers with channels last (ConvNeXt, Liu et al., CVPR 2022)."""
    x = s.convolve(x, d.round(24, 96), 4 + 1, 4)
    kernel, scaled, act = d.pick(5, 7, 7), d.pick(0, 1, 1), d.pick("gelu", "gelu", "silu", "relu")
    for stage, channels in enumerate(d.widths(d.pick(3, 4), 32, 80)):
        x = s.convolve(x, channels, 3, 2) if stage else s.convolve(x, channels)
        for _ in range(d.whole(1, 3)):
            y = s.layer_norm(s.transpose(s.convolve(x, channels, kernel, 1, channels), 0, 2, 3, 1))
            y = mlp(s, y, d.pick(2, 3, 4), act)
            y = s.transpose(s.weighted("Mul", y, channels) if scaled else y, 0, 3, 1, 2)
            x = s.join("Add", x, y)
    return x


def pooling(s: Sketch, x: str, d: Draw) -> str:
    """Pooling mixes, pointwise layers compute; norms over groups, written as exporters write them (PoolFormer, Yu et al., CVPR 2022)."""
    x = s.convolve(x, d.round(24, 64), 7, 4)
    for stage, channels in enumerate(d.widths(4, 32, 72)):
        x = s.convolve(x, channels, 3, 2) if stage else s.convolve(x, channels)
        for _ in range(d.whole(1, 2)):
            y = _group_norm(s, x)
            y = s.join("Sub", s.pool(y, "AveragePool", 3, 1), y)
            x = s.join("Add", x, s.weighted("Mul", y, channels, 1, 1))
            y = s.convolve(s.act(s.convolve(_group_norm(s, x), channels * 4), "gelu"), channels)
            x = s.join("Add", x, s.weighted("Mul", y, channels, 1, 1))
    return x


def hybrid(s: Sketch, x: str, d: Draw) -> str:
    """Convolutions first, attention over the small images of the last stages (LeViT, MobileViT, EfficientFormer)."""
    act = d.pick("hardswish", "silu", "gelu", "relu")
    channels = d.widths(4, 24, 48)
    x = s.conv_act(s.conv_act(x, channels[0] // 2 or 4, 3, act, 2), channels[0], 3, act, 2)
    for stage, width in enumerate(channels):
        x = s.conv_act(x, width, 3, act, 2) if stage else x
        height, wide = s.shape(x)[2:]
        for _ in range(d.whole(1, 2)):
            if stage < 2:
                y = s.conv_act(s.convolve(x, width, 3, 1, width), width * 4, 1, act)
                x = s.join("Add", x, s.convolve(y, width))
                continue
            t, heads = s.tokens(x), d.pick(2, 4)
            y = _projected(s, s.layer_norm(t), heads, max(8, width // heads // 4 * 4), act)
            t = s.join("Add", t, y)
            t = s.join("Add", t, mlp(s, t, 2, act))
            x = s.image(t, height, wide)
    return x


def linear_attention(s: Sketch, x: str, d: Draw) -> str:
    """Attention without softmax over images, its cost linear in pixels (EfficientViT, Cai et al., ICCV 2023)."""
    act, dim = d.pick("hardswish", "relu", "silu"), d.pick(8, 16, 32)
    x = s.conv_act(x, d.round(8, 32), 3, act, 2)
    for stage, width in enumerate(d.widths(4, 16, 40)):
        middle = s.shape(x)[1] * 4
        x = s.convolve(s.conv_act(s.conv_act(x, middle, 1, act), middle, 3, act, 2, middle), width)
        if stage < 2:
            continue
        heads = max(1, width // dim)
        height, wide = s.shape(x)[2:]
        qkv = s.convolve(x, 3 * heads * dim, bias=False)
        local = s.convolve(
            s.convolve(qkv, 3 * heads * dim, 5, 1, 3 * heads * dim, bias=False), 3 * heads * dim, 1, 1, 3 * heads, bias=False
        )
        y = s.reshape(s.concat([qkv, local]), 1, 2 * heads, 3 * dim, height * wide)
        q, k, v = s.split(s.transpose(y, 0, 1, 3, 2), [dim] * 3, axis=3)
        q, k = s.act(q, "relu"), s.act(k, "relu")
        y = s.product(q, s.product(s.transpose(k, 0, 1, 3, 2), v))
        y = s.join("Div", y, s.scaled("Add", s.op("ReduceSum", (q,), (*s.shape(q)[:3], 1), integers(3)), 1e-3))
        y = s.reshape(s.transpose(y, 0, 1, 3, 2), 1, 2 * heads * dim, height, wide)
        x = s.join("Add", x, s.convolve(y, width))
    return s.conv_act(x, d.round(256, 768), 1, act)


def attention(s: Sketch, x: str, heads: int, d: Draw) -> str:
    """Scaled dot-product attention over tokens `(batch, n, features)`, one of the ways in which exporters write it."""
    batch, n, features = s.shape(x)
    width, way = features // heads, d.pick("split", "gather")
    qkv = s.reshape(s.linear(x, 3 * features), batch, n, 3, heads, width)
    qkv = s.transpose(qkv, 2, 0, 3, 1, 4)
    if way == "split":
        parts = s.split(qkv, [1, 1, 1], axis=0)
        q, k, v = (s.op("Squeeze", (part,), (batch, heads, n, width), integers(0)) for part in parts)
    else:
        index = [Tensor((), "int64", True, (i,)) for i in range(3)]
        q, k, v = (s.op("Gather", (qkv,), (batch, heads, n, width), i, axis=0) for i in index)
    q = s.scaled("Mul", q, width**-0.5)
    weights = s.softmax(s.product(q, s.transpose(k, 0, 1, 3, 2)))
    y = s.reshape(s.transpose(s.product(weights, v), 0, 2, 1, 3), batch, n, features)
    return s.linear(y, features)


def mlp(s: Sketch, x: str, ratio: float, act: str) -> str:
    """Two linear layers with an activation between them."""
    features = s.shape(x)[-1]
    return s.linear(s.act(s.linear(x, int(features * ratio)), act), features)


def _patches(s: Sketch, x: str, features: int, patch: int) -> str:
    _, channels, height, width = s.shape(x)
    size = (height // patch, width // patch)
    weights = [Tensor((features, channels, patch, patch), constant=True), Tensor((features,), constant=True)]
    y = s.op("Conv", (x,), (1, features, *size), *weights, kernel_shape=(patch, patch), strides=(patch, patch))
    return s.tokens(y)


def _prepend(s: Sketch, x: str) -> str:
    _, count, features = s.shape(x)
    zero = s.op("Slice", (x,), (1, 1, features), integers(0), integers(1), integers(1))
    return s.op("Concat", (zero, x), (1, count + 1, features), axis=1)


def _windowed(s: Sketch, x: str, side: int, window: int, heads: int, d: Draw) -> str:
    features, count = s.shape(x)[2], side // window
    y = s.transpose(s.reshape(x, 1, count, window, count, window, features), 0, 1, 3, 2, 4, 5)
    y = attention(s, s.reshape(y, count * count, window * window, features), max(1, heads), d)
    y = s.transpose(s.reshape(y, 1, count, count, window, window, features), 0, 1, 3, 2, 4, 5)
    return s.reshape(y, 1, side * side, features)


def _merged(s: Sketch, x: str, side: int) -> str:
    features = s.shape(x)[2]
    y = s.transpose(s.reshape(x, 1, side // 2, 2, side // 2, 2, features), 0, 1, 3, 4, 2, 5)
    y = s.layer_norm(s.reshape(y, 1, side * side // 4, 4 * features))
    return s.linear(y, 2 * features, bias=False)


def _reduced(s: Sketch, x: str, size: tuple[int, int], heads: int, shrink: int) -> str:
    _, n, features = s.shape(x)
    width, source = features // heads, x
    if shrink > 1 and size[0] >= shrink:
        grid = (size[0] // shrink, size[1] // shrink)
        weights = [Tensor((features, features, shrink, shrink), constant=True), Tensor((features,), constant=True)]
        image = s.image(x, *size)
        image = s.op("Conv", (image,), (1, features, *grid), *weights, kernel_shape=(shrink, shrink), strides=(shrink, shrink))
        source = s.layer_norm(s.tokens(image))
    m = s.shape(source)[1]
    q = s.transpose(s.reshape(s.linear(x, features), 1, n, heads, width), 0, 2, 1, 3)
    k, v = (s.reshape(s.linear(source, features), 1, m, heads, width) for _ in range(2))
    scores = s.scaled("Mul", s.product(q, s.transpose(k, 0, 2, 3, 1)), width**-0.5)
    y = s.product(s.softmax(scores), s.transpose(v, 0, 2, 1, 3))
    return s.linear(s.reshape(s.transpose(y, 0, 2, 1, 3), 1, n, features), features)


def _mixed_mlp(s: Sketch, x: str, size: tuple[int, int], d: Draw) -> str:
    features = s.shape(x)[2]
    hidden = features * d.pick(2, 4, 8)
    y = s.linear(x, hidden)
    if d.pick(0, 1):
        y = s.tokens(s.convolve(s.image(y, *size), hidden, 3, 1, hidden))
    return s.linear(s.act(y, "gelu"), features)


def _projected(s: Sketch, x: str, heads: int, width: int, act: str) -> str:
    _, n, features = s.shape(x)
    qkv = s.reshape(s.linear(x, heads * width * 4), 1, n, heads, 4 * width)
    q, k, v = s.split(s.transpose(qkv, 0, 2, 1, 3), [width, width, 2 * width], axis=3)
    scores = s.scaled("Mul", s.product(q, s.transpose(k, 0, 1, 3, 2)), 1 / math.sqrt(width))
    scores = s.weighted("Add", scores, 1, heads, n, n)
    y = s.product(s.softmax(scores), v)
    return s.linear(s.act(s.reshape(s.transpose(y, 0, 2, 1, 3), 1, n, 2 * heads * width), act), features)


def _group_norm(s: Sketch, x: str) -> str:
    shape = s.shape(x)
    vectors = [Tensor((1,), constant=True)] * 2
    y = s.reshape(x, 1, 1, shape[1] * shape[2] * shape[3])
    y = s.op("InstanceNormalization", (y,), s.shape(y), *vectors, epsilon=1e-5)
    y = s.weighted("Mul", s.reshape(y, *shape), shape[1], 1, 1)
    return s.weighted("Add", y, shape[1], 1, 1)
