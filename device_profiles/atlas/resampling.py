"""Families that enlarge, pad, normalise and regroup their images in ways the others do not; every size drawn at random."""

from __future__ import annotations

from device_profiles.atlas.draw import Draw
from device_profiles.atlas.sketch import Sketch, integers, scalar
from device_profiles.atlas.tokens import attention, mlp
from device_profiles.operators import Tensor


def decoder(s: Sketch, x: str, d: Draw) -> str:
    """An image made small and large again, with what was seen on the way down beside it (U-Net, Ronneberger et al., MICCAI 2015; FPN)."""
    act, side = d.pick("relu", "silu", "leaky", "gelu"), s.shape(x)[2]
    if d.pick(0, 1):  # as networks do that see an image in two sizes
        x = s.resize(x, [16 * d.whole(side * 3 // 64, side * 5 // 64)] * 2, d.pick("linear", "cubic"))
    x, seen = s.conv_act(x, d.round(4, 20), 3, act, 2), list[str]()
    for channels in d.widths(d.pick(2, 3), 8, 40):
        seen.append(x)
        x = s.conv_act(x, channels, 3, act, 2)
    ways = list[str]()
    for other in reversed(seen):  # two ways each, and none again before all were: few networks shall hold them all
        larger = []
        for _ in range(2):
            ways = ways or ["nearest", "linear", "cubic", "transposed", "shuffled"]
            larger.append(_larger(s, x, ways.pop(d.whole(0, len(ways) - 1)), d))
        x = s.conv_act(s.concat([*larger, other]), s.shape(other)[1], 3, act)
    return x


def _larger(s: Sketch, x: str, how: str, d: Draw) -> str:
    _, channels, height, width = s.shape(x)
    if how == "transposed":
        kernel = d.pick(2, 4)
        weights = [Tensor((channels, channels, kernel, kernel), constant=True), Tensor((channels,), constant=True)]
        shape = (1, channels, 2 * height, 2 * width)
        return s.op(
            "ConvTranspose", (x,), shape, *weights, kernel_shape=(kernel, kernel), strides=(2, 2), pads=((kernel - 2) // 2,) * 4
        )  # fmt: skip
    if how == "shuffled":  # Shi et al., CVPR 2016
        x = s.convolve(x, 4 * channels)
        return s.op("DepthToSpace", (x,), (1, channels, 2 * height, 2 * width), blocksize=2, mode="CRD")
    return s.upsample(x, 2, how)


def cosine_attention(s: Sketch, x: str, d: Draw) -> str:
    """Attention between features or tokens of length one, and activations of squares (XCiT, NeurIPS 2021; Swin V2; MetaFormer)."""
    width, heads, act = d.pick(16, 24, 32), d.pick(2, 3, 4), d.pick("star", "gelu", "softplus")
    x = s.conv_act(s.convolve(x, d.round(12, 40), 3, 2), heads * width, 3, "gelu", d.pick(4, 8))
    height, wide = s.shape(x)[2:]
    x = s.tokens(x)
    for _ in range(d.whole(2, 4)):
        x = s.join("Add", x, _cosine(s, s.layer_norm(x), heads, d))
        y = s.image(s.layer_norm(x), height, wide)
        x = s.join("Add", x, s.tokens(s.convolve(y, heads * width, 3, 1, heads * width)))
        y = _starred(s, s.linear(s.layer_norm(x), heads * width * d.pick(2, 4)), act)
        x = s.join("Add", x, s.linear(y, heads * width))
    return x


def _cosine(s: Sketch, x: str, heads: int, d: Draw) -> str:
    _, n, features = s.shape(x)
    width, between = features // heads, d.pick("features", "tokens")
    order = (0, 2, 3, 1) if between == "features" else (0, 2, 1, 3)
    q, k, v = (s.transpose(s.reshape(s.linear(x, features), 1, n, heads, width), *order) for _ in range(3))
    q, k = _unit(s, q), _unit(s, k)
    rows = s.shape(q)[2]
    if d.pick(0, 1):
        scores = s.op("Einsum", (q, k), (1, heads, rows, rows), equation="bhik,bhjk->bhij")
    else:
        scores = s.product(q, s.transpose(k, 0, 1, 3, 2))
    y = s.product(s.softmax(s.weighted("Mul", scores, heads, 1, 1)), v)
    back = (0, 3, 1, 2) if between == "features" else (0, 2, 1, 3)
    return s.linear(s.reshape(s.transpose(y, *back), 1, n, features), features)


def _unit(s: Sketch, x: str) -> str:
    """Vectors of length one along the last dimension, as exporters write them."""
    shape = s.shape(x)
    length = s.op("ReduceL2", (x,), (*shape[:-1], 1), integers(-1), keepdims=1)
    length = s.op("Clip", (length,), s.shape(length), scalar(1e-12))
    return s.join("Div", x, s.op("Expand", (length,), shape, integers(*shape)))


def _starred(s: Sketch, x: str, act: str) -> str:
    if act == "star":  # a relu(x)^2 + b, Yu et al., TPAMI 2024
        return s.scaled("Add", s.scaled("Mul", s.scaled("Pow", s.act(x, "relu"), 2.0), 0.9), -0.4)
    return s.op("Softplus", (x,), s.shape(x)) if act == "softplus" else s.act(x, act)


def padded_windows(s: Sketch, x: str, d: Draw) -> str:
    """Windows of images that are padded to fit, a token for the whole image in each, the largest of neighbours (Swin, GC ViT, Hiera)."""
    width, side = d.pick(16, 24, 32), d.pick(5, 6, 7, 9)
    x = s.convolve(x, width * d.pick(1, 2), 5, 4)
    for stage in range(d.pick(2, 3)):
        if stage:
            x = s.convolve(s.norm(x), 2 * s.shape(x)[1], 3, 2)
        for _ in range(d.whole(1, 2)):
            x = s.join("Add", x, _in_padded_windows(s, x, side, s.shape(x)[1] // width, d))
            x = s.join("Add", x, s.convolve(s.act(s.convolve(x, 2 * s.shape(x)[1]), "gelu"), s.shape(x)[1]))
    _, channels, height, wide = s.shape(x)
    if height % 2 == 0 and wide % 2 == 0:
        y = s.reshape(x, 1, channels, height // 2, 2, wide // 2, 2)
        x = s.op("ReduceMax", (y,), (1, channels, height // 2, wide // 2), integers(3, 5), keepdims=0)
    return x


def _in_padded_windows(s: Sketch, x: str, side: int, heads: int, d: Draw) -> str:
    _, channels, height, wide = s.shape(x)
    rows, columns = -(-height // side), -(-wide // side)
    pads = integers(0, 0, 0, 0, 0, 0, rows * side - height, columns * side - wide)
    y = s.op("Pad", (x,), (1, channels, rows * side, columns * side), pads, mode="constant")
    y = s.transpose(s.reshape(y, 1, channels, rows, side, columns, side), 0, 2, 4, 3, 5, 1)
    y = s.layer_norm(s.reshape(y, rows * columns, side * side, channels))
    whole = s.reshape(s.mean(x), 1, channels)
    whole = s.op("Unsqueeze", (whole,), (1, 1, channels), integers(0))
    whole = s.op("Tile", (whole,), (rows * columns, 1, channels), integers(rows * columns, 1, 1))
    y = attention(s, s.concat([whole, y]), heads, d)
    y = s.op("Slice", (y,), (rows * columns, side * side, channels), integers(1), integers(side * side + 1), integers(1))
    y = mlp(s, y, 1, "gelu") if d.pick(0, 1) else y
    y = s.transpose(s.reshape(y, 1, rows, columns, side, side, channels), 0, 5, 1, 3, 2, 4)
    y = s.reshape(y, 1, channels, rows * side, columns * side)
    return s.op("Slice", (y,), (1, channels, height, wide), integers(0, 0), integers(height, wide), integers(2, 3))
