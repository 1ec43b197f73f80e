"""Families whose kernels runtimes have no fast way for: uneven channels, other axes, places told by indices; every size drawn at random."""

from __future__ import annotations

from device_profiles.atlas.draw import Draw
from device_profiles.atlas.sketch import Sketch, integers
from device_profiles.atlas.tokens import mlp
from device_profiles.operators import Node, Operator, Tensor


def mixed_kernels(s: Sketch, x: str, d: Draw) -> str:
    """Depthwise kernels of several sizes on uneven parts of the channels, groups of few channels (MixNet, BMVC 2019; DPN, NeurIPS 2017)."""
    act = d.pick("relu", "silu", "hardswish")
    x = s.conv_act(x, d.whole(10, 36), 3, act, 2)
    for stage, channels in enumerate(d.widths(4, 14, 40)):
        for block in range(d.whole(1, 2)):
            stride = 2 if stage and not block else 1
            way, width = d.pick((_mixed_block, channels + d.whole(-3, 3)), (_grouped_block, channels))
            x = way(s, x, width, stride, act, d)
    return s.conv_act(x, d.round(256, 768), 1, act)


def _mixed_block(s: Sketch, x: str, channels: int, stride: int, act: str, d: Draw) -> str:
    hidden = s.shape(x)[1] * d.pick(2, 3, 6)
    y = s.conv_act(x, hidden, 1, act)
    parts = d.whole(2, 4)
    sizes = [hidden // parts] * (parts - 1) + [hidden - hidden // parts * (parts - 1)]
    pieces = [s.convolve(piece, s.shape(piece)[1], 3 + 2 * i, stride, s.shape(piece)[1]) for i, piece in enumerate(s.split(y, sizes))]
    return s.convolve(s.act(s.concat(pieces), act), channels)


def _grouped_block(s: Sketch, x: str, channels: int, stride: int, act: str, d: Draw) -> str:
    groups = d.pick(8, 16, 32)
    width = groups * d.pick(2, 3, 4, 6)
    y = s.conv_act(s.conv_act(x, width, 1, act), width, 3, act, stride, groups)
    if d.pick(0, 1):  # every channel gives two
        y = s.convolve(y, 2 * width, d.pick(3, 7), 1, width)
    return s.convolve(y, channels)


def talking_heads(s: Sketch, x: str, d: Draw) -> str:
    """Heads that are mixed before and after a softmax along a middle axis (CaiT, ICCV 2021), or keys that are (CoaT, ICCV 2021)."""
    heads, width, patch = d.pick(2, 4, 8), d.pick(8, 16, 32), d.pick(8, 14, 16)
    features = heads * width
    x = s.tokens(s.convolve(s.pool(x, "AveragePool", 3, 2), features, patch // 2 // 2 * 2 + 1, patch // 2))
    for _ in range(d.whole(2, 4)):
        y = s.layer_norm(x)
        x = s.join("Add", x, _mixed_heads(s, y, heads) if s.shape(x)[1] < 300 and d.pick(0, 1) else _factored(s, y, heads))
        x = s.join("Add", x, mlp(s, s.layer_norm(x), d.pick(2, 4), "gelu"))
    return s.layer_norm(x)


def _mixed_heads(s: Sketch, x: str, heads: int) -> str:
    _, n, features = s.shape(x)
    q, k, v = (s.transpose(s.reshape(s.linear(x, features), 1, n, heads, features // heads), 0, 2, 1, 3) for _ in range(3))
    scores = s.transpose(s.product(s.scaled("Mul", q, (features // heads) ** -0.5), s.transpose(k, 0, 1, 3, 2)), 0, 2, 3, 1)
    weights = s.op("Softmax", (s.linear(scores, heads),), (1, n, n, heads), axis=2)
    y = s.product(s.transpose(s.linear(weights, heads), 0, 3, 1, 2), v)
    return s.linear(s.reshape(s.transpose(y, 0, 2, 1, 3), 1, n, features), features)


def _factored(s: Sketch, x: str, heads: int) -> str:
    _, n, features = s.shape(x)
    width = features // heads
    qkv = s.transpose(s.reshape(s.linear(x, 3 * features), 1, n, 3, heads, width), 2, 0, 3, 1, 4)
    q, k, v = (s.op("Squeeze", (part,), (1, heads, n, width), integers(0)) for part in s.split(qkv, [1, 1, 1], axis=0))
    y = s.product(q, s.product(s.transpose(s.op("Softmax", (k,), s.shape(k), axis=2), 0, 1, 3, 2), v))
    return s.linear(s.reshape(s.transpose(y, 0, 2, 1, 3), 1, n, features), features)


def unfolded(s: Sketch, x: str, d: Draw) -> str:
    """Patches that overlap, gathered by rows and then by columns, as features of tokens (T2T-ViT, ICCV 2021; TNT, NeurIPS 2021)."""
    x = s.convolve(x, d.round(4, 16), d.pick(3, 7), d.pick(2, 4))
    for _ in range(d.whole(1, 2)):
        x = _patches(s, x, *d.pick((3, 2), (4, 4), (7, 4)))
        height, wide = s.shape(x)[2:]
        x = s.linear(s.tokens(x), d.pick(48, 64, 96))
        x = s.join("Add", x, mlp(s, s.layer_norm(x), d.pick(1, 2, 4), "gelu"))
        x = s.image(x, height, wide)
    return s.layer_norm(s.tokens(x))


def _patches(s: Sketch, x: str, kernel: int, stride: int) -> str:
    _, channels, height, wide = s.shape(x)
    rows, columns = (height - kernel) // stride + 1, (wide - kernel) // stride + 1
    y = s.op("Gather", (x,), (1, channels, kernel, rows, wide), Tensor((kernel, rows), "int64", constant=True), axis=2)
    shape = (1, channels, kernel, rows, kernel, columns)
    y = s.op("Gather", (y,), shape, Tensor((kernel, columns), "int64", constant=True), axis=4)
    return s.reshape(s.transpose(y, 0, 1, 2, 4, 3, 5), 1, channels * kernel * kernel, rows, columns)


def recurrent(s: Sketch, x: str, d: Draw) -> str:
    """Rows and columns read in both directions, one step after another (Sequencer, NeurIPS 2022)."""
    features, kind = d.pick(32, 48, 64, 96), d.pick("LSTM", "LSTM", "GRU")
    x = s.convolve(x, features, 7, d.pick(6, 8, 14))
    height, wide = s.shape(x)[2:]
    x = s.tokens(x)
    for _ in range(d.whole(1, 3)):
        hidden, y = features // d.pick(1, 2, 4), s.reshape(s.layer_norm(x), height, wide, features)
        down = _read(s, y, hidden, kind)
        across = s.transpose(_read(s, s.transpose(y, 1, 0, 2), hidden, kind), 1, 0, 2)
        y = s.linear(s.reshape(s.concat([down, across], axis=2), 1, height * wide, 4 * hidden), features)
        x = s.join("Add", x, y)
        x = s.join("Add", x, mlp(s, s.layer_norm(x), 3, "gelu"))
    return s.layer_norm(x)


def _read(s: Sketch, x: str, hidden: int, kind: str) -> str:
    """`(steps, sequences, features)` read in both directions, `(steps, sequences, 2 * hidden)`."""
    steps, sequences, features = s.shape(x)
    gates = hidden * {"LSTM": 4, "GRU": 3}[kind]
    weights = [Tensor(shape, constant=True) for shape in ((2, gates, features), (2, gates, hidden), (2, 2 * gates))]
    more: dict[str, int] = {"linear_before_reset": 1} if kind == "GRU" else {}
    y = s.op(kind, (x,), (steps, 2, sequences, hidden), *weights, direction="bidirectional", hidden_size=hidden, **more)
    return s.reshape(s.transpose(y, 0, 2, 1, 3), steps, sequences, 2 * hidden)


def placed_positions(s: Sketch, x: str, d: Draw) -> str:
    """Attention to which relative positions are added in a part of the scores, written back by index (MViTv2, CVPR 2022)."""
    heads, width = d.pick(1, 2, 4), d.pick(16, 32)
    features = heads * width
    x = s.convolve(x, features, 7, d.pick(14, 16, 24))
    height, wide = s.shape(x)[2:]
    x = s.tokens(x)
    for _ in range(d.whole(1, 3)):
        x = s.join("Add", x, _placed(s, s.layer_norm(x), (height, wide), heads))
        x = s.join("Add", x, mlp(s, s.layer_norm(x), 4, "gelu"))
    return s.layer_norm(x)


def _placed(s: Sketch, x: str, size: tuple[int, int], heads: int) -> str:
    _, n, features = s.shape(x)
    height, wide = size
    width = features // heads
    q, k, v = (s.transpose(s.reshape(s.linear(x, features), 1, n, heads, width), 0, 2, 1, 3) for _ in range(3))
    scores = s.product(s.scaled("Mul", q, width**-0.5), s.transpose(k, 0, 1, 3, 2))
    image = s.reshape(q, 1, heads, height, wide, width)
    shape, table = (1, heads, height, wide, height), Tensor((height, height, width), constant=True)
    rows = s.op("Einsum", (image,), shape, table, equation="byhwc,hkc->byhwk")
    shown = s.reshape(scores, 1, heads, height, wide, height, wide)
    shown = s.join("Add", shown, s.op("Unsqueeze", (rows,), (1, heads, height, wide, height, 1), integers(-1)))
    scores = _written_back(s, scores, s.reshape(shown, 1, heads, n, n))
    return s.linear(s.reshape(s.transpose(s.product(s.softmax(scores), v), 0, 2, 1, 3), 1, n, features), features)


def _written_back(s: Sketch, data: str, updates: str) -> str:
    """All elements of a value replaced, each at a place that is told: what exporters make of an assignment to a slice."""
    tensor, name = s.values[data], s.name_of("ScatterND")
    places = Tensor((*tensor.shape, len(tensor.shape)), "int64", constant=True)
    operator = Operator("ScatterND", (tensor, places, s.values[updates]), (tensor,), (("reduction", "none"),))
    s.nodes.append(Node(operator, name, (data, f"{name}.places", updates), (f"{name}.out",)))
    s.values[f"{name}.out"] = tensor
    return f"{name}.out"
