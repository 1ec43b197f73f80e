"""Families of operator kinds: which kernels cost alike. Fixed and ordered, so that saved predictors keep their columns."""

from __future__ import annotations

from device_profiles.operators import Operator

#: Kinds by family, without domain prefixes and without `Fused` / `Nhwc`. New kinds are appended to their family, nothing is ever moved: the
#: position of a kind within its family is one of its features. Convolutions are split further by their shape, see `family`.
KINDS_BY_FAMILY: dict[str, tuple[str, ...]] = {
    "conv": ("Conv", "ConvInteger", "QLinearConv"),
    "deconv": ("ConvTranspose", "QLinearConvTranspose"),
    "matmul": (
        "Gemm", "MatMul", "MatMulInteger", "QLinearMatMul", "QGemm", "MatMulNBits", "DynamicQuantizeMatMul", "MatMulIntegerToFloat",
        "TransposeMatMul", "Einsum", "GemmFloat8",
    ),
    "attention": ("Attention", "MultiHeadAttention", "GroupQueryAttention", "QAttention", "PackedAttention", "LSTM", "GRU", "RNN"),
    "pool": ("MaxPool", "AveragePool", "LpPool", "QLinearAveragePool"),
    "global_pool": ("GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool", "QLinearGlobalAveragePool"),
    "norm": (
        "LayerNormalization", "BatchNormalization", "InstanceNormalization", "GroupNormalization", "SkipLayerNormalization",
        "SimplifiedLayerNormalization", "SkipSimplifiedLayerNormalization", "LpNormalization", "LRN", "GroupNorm", "SkipGroupNorm",
        "EmbedLayerNormalization", "RMSNormalization", "MeanVarianceNormalization",
    ),
    "softmax": ("Softmax", "LogSoftmax", "Hardmax", "QLinearSoftmax"),
    "reduce": (
        "ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp",
        "ReduceSumSquare", "ArgMax", "ArgMin", "CumSum", "TopK",
    ),
    "binary": (
        "Add", "Sub", "Mul", "Div", "Max", "Min", "Pow", "Sum", "Mean", "QLinearAdd", "QLinearMul", "PRelu", "Mod", "And", "Or", "Xor",
        "Equal", "Greater", "Less", "GreaterOrEqual", "LessOrEqual", "Where", "BiasAdd",
    ),
    "unary": (
        "Relu", "LeakyRelu", "Clip", "Abs", "Neg", "Ceil", "Floor", "Round", "Sign", "Not", "HardSigmoid", "HardSwish", "ThresholdedRelu",
        "Sqrt", "Reciprocal", "Cast", "IsNaN", "IsInf",
    ),
    "transcendental": (
        "Sigmoid", "Tanh", "Erf", "Exp", "Log", "Gelu", "FastGelu", "QuickGelu", "BiasGelu", "BiasSplitGelu", "Elu", "Selu", "Celu",
        "Softplus", "Softsign", "Mish", "Swish", "Silu", "Sin", "Cos", "Tan", "QLinearSigmoid", "QLinearLeakyRelu",
    ),
    "reorder": ("ReorderInput", "ReorderOutput", "Transpose", "DepthToSpace", "SpaceToDepth", "ChannelShuffle"),
    "copy": (
        "Concat", "Slice", "Split", "Pad", "Gather", "GatherElements", "GatherND", "Expand", "Tile", "Resize", "Upsample", "ScatterND",
        "ScatterElements", "QLinearConcat", "GridSample", "RoiAlign", "Trilu", "OneHot", "Compress", "ReverseSequence",
    ),
    "quantize": ("QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear"),
    "reshape": (
        "Flatten", "Reshape", "Squeeze", "Unsqueeze", "Identity", "Dropout", "Shape", "Constant", "ConstantOfShape", "Size", "Range",
    ),
}  # fmt: skip

#: Families in the order of their feature columns: convolutions by shape, then the others, then what nobody listed.
FAMILIES: tuple[str, ...] = ("conv", "pointwise", "depthwise", "grouped", *(f for f in KINDS_BY_FAMILY if f != "conv"), "other")

_FAMILY = {kind: family for family, kinds in KINDS_BY_FAMILY.items() for kind in kinds}
_CODE = {kind: position for kinds in KINDS_BY_FAMILY.values() for position, kind in enumerate(kinds, 1)}

#: Relative work per element of an element-wise function, fused or not: 1 compares and adds, 2 divides, 3 evaluates polynomials.
_WORK = {
    "Relu": 1.0, "LeakyRelu": 1.0, "Clip": 1.0, "HardSigmoid": 1.0, "HardSwish": 1.0,
    "Div": 2.0, "Sqrt": 2.0, "Reciprocal": 2.0,
}  # fmt: skip

#: Relative work per element of an activation that is applied to the results of another kernel: a `Relu` is a bound that the kernel keeps
#: anyway, every other one is a pass of its own over the results. The ratios are those of onnxruntime's blocked convolutions on a Xeon (0.17
#: to 0.35 ns per result); `HardSigmoid` was too rare there to tell, and is put between its neighbours.
_FUSED_WORK = {"Relu": 0.0, "Clip": 1.0, "LeakyRelu": 1.2, "HardSigmoid": 1.3, "HardSwish": 1.5}


def short_kind(op: Operator) -> str:
    """The kind without domain, `Nhwc` and `Fused`: what the kernel computes."""
    return op.kind.rsplit(".", 1)[-1].removeprefix("Nhwc").removeprefix("Fused")


def kind_code(kind: str) -> float:
    """A number for a short kind: its position within its family from 1, 0 for a kind that is not listed."""
    return float(_CODE.get(kind, 0))


def kind_family(kind: str) -> str:
    """The family of a short kind, convolutions not yet told apart; `other` when it is not listed."""
    return _FAMILY.get(kind, "other")


def element_work(kind: str) -> float:
    """Steps per element of an element-wise function by short kind; 0 for "" (none)."""
    if not kind:
        return 0.0
    return _WORK.get(kind, 3.0 if _FAMILY.get(kind) in ("transcendental", "softmax") else 1.0)


def fused_work(kind: str) -> float:
    """Steps per element of an activation that is part of another kernel, by short kind; 0 for "" (none)."""
    return _FUSED_WORK.get(kind, element_work(kind))


def activation_of(op: Operator) -> str:
    """The activation that is part of a kernel, by short kind; "" when there is none."""
    return str(op.attribute("activation", "") or op.attribute("fused_activation", ""))
