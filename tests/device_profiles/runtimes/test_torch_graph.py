"""Every translated kind of node against onnxruntime."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

from device_profiles.errors import DeviceError

torch = pytest.importorskip("torch")
from device_profiles.runtimes.torch_graph import torch_module  # noqa: E402
from device_profiles.runtimes.torch_ops import TRANSLATIONS  # noqa: E402

RNG = np.random.default_rng(0)
X = (2, 4, 9, 11)


def weights(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


CASES: list[tuple[str, tuple[int, ...], list[np.ndarray], dict[str, Any], int]] = [
    ("Conv", X, [weights(6, 4, 3, 3), weights(6)], {"pads": [1, 1, 1, 1], "strides": [2, 1]}, 20),
    ("Conv", X, [weights(6, 4, 3, 2)], {"pads": [0, 1, 2, 1]}, 20),
    ("Conv", X, [weights(4, 1, 3, 3)], {"group": 4, "auto_pad": "SAME_UPPER", "strides": [2, 2]}, 20),
    ("Conv", X, [weights(4, 2, 3, 3)], {"group": 2, "auto_pad": "SAME_LOWER", "dilations": [1, 1], "strides": [2, 2]}, 20),
    ("Conv", (2, 3, 20), [weights(5, 3, 4)], {"dilations": [2]}, 20),
    ("ConvTranspose", X, [weights(4, 3, 3, 3), weights(3)], {"strides": [2, 2], "pads": [1, 1, 1, 1], "output_padding": [1, 1]}, 20),
    ("MaxPool", X, [], {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [0, 0, 1, 1]}, 20),
    ("MaxPool", X, [], {"kernel_shape": [2, 3], "strides": [2, 2], "ceil_mode": 1}, 20),
    ("AveragePool", X, [], {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}, 20),
    ("AveragePool", X, [], {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "count_include_pad": 1}, 20),
    ("AveragePool", X, [], {"kernel_shape": [5, 5], "pads": [0, 1, 2, 2], "strides": [2, 2]}, 20),
    ("AveragePool", X, [], {"kernel_shape": [5, 5], "pads": [0, 1, 2, 2], "count_include_pad": 1}, 20),
    ("BatchNormalization", X, [weights(4), weights(4), weights(4), abs(weights(4))], {"epsilon": 1e-3}, 20),
    ("LayerNormalization", (2, 5, 16), [weights(16), weights(16)], {"axis": -1}, 20),
    ("InstanceNormalization", X, [weights(4), weights(4)], {}, 20),
    ("LRN", X, [], {"size": 3, "alpha": 0.3, "beta": 0.6, "bias": 2.0}, 20),
    ("Gemm", (3, 8), [weights(5, 8), weights(5)], {"transB": 1}, 20),
    ("Gemm", (8, 3), [weights(8, 5), weights(3, 1)], {"transA": 1, "alpha": 0.5, "beta": 2.0}, 20),
    ("MatMul", (2, 3, 8), [weights(8, 5)], {}, 20),
    ("Softmax", X, [], {}, 20),
    ("Softmax", X, [], {"axis": 1}, 11),
    ("LogSoftmax", X, [], {"axis": 1}, 20),
    ("Clip", X, [np.float32(-0.5), np.float32(0.7)], {}, 20),
    ("Clip", X, [], {"min": 0.0, "max": 0.4}, 6),
    ("Slice", X, [ints(1, -6), ints(9, 9999), ints(2, 3), ints(2, 3)], {}, 20),
    ("Pad", X, [ints(0, 0, 1, 2, 0, 1, 0, 3), np.float32(0.5)], {}, 20),
    ("Pad", X, [ints(0, 0, 1, 2, 0, 0, 0, 3)], {"mode": "reflect"}, 20),
    ("Pad", X, [ints(0, 0, 1, 2, 0, 0, 0, 3)], {"mode": "edge"}, 20),
    ("Reshape", X, [ints(0, -1, 11)], {}, 20),
    ("Flatten", X, [], {"axis": 2}, 20),
    ("Flatten", X, [], {"axis": 0}, 20),
    ("Unsqueeze", X, [ints(0, 3)], {}, 20),
    ("Squeeze", (2, 1, 4), [ints(1)], {}, 20),
    ("Transpose", X, [], {"perm": [0, 2, 3, 1]}, 20),
    ("Transpose", X, [], {}, 20),
    ("ReduceMean", X, [ints(2, 3)], {"keepdims": 0}, 20),
    ("ReduceMean", X, [], {"axes": [1]}, 13),
    ("ReduceSum", X, [ints(1)], {}, 20),
    ("ReduceMax", X, [ints(-1)], {}, 20),
    ("ReduceMin", X, [ints(-1)], {}, 20),
    ("GlobalAveragePool", X, [], {}, 20),
    ("GlobalMaxPool", X, [], {}, 20),
    ("PRelu", X, [weights(4, 1, 1)], {}, 20),
    ("HardSigmoid", X, [], {"alpha": 0.3}, 20),
    ("LeakyRelu", X, [], {"alpha": 0.2}, 20),
    ("Elu", X, [], {"alpha": 0.7}, 20),
    ("Gelu", X, [], {}, 20),
    ("Gelu", X, [], {"approximate": "tanh"}, 20),
    ("Concat", X, [weights(2, 3, 9, 11)], {"axis": 1}, 20),
    *[(kind, X, [weights(1, 4, 1, 1)], {}, 20) for kind in ("Add", "Sub", "Mul", "Div", "Sum", "Max", "Min")],
    *[(kind, X, [], {}, 20) for kind in ("Relu", "Sigmoid", "Tanh", "Exp", "Abs", "Neg", "Erf", "Reciprocal", "Softplus")],
    ("Mish", X, [], {}, 20),
    ("HardSwish", X, [], {}, 20),
    ("Identity", X, [], {}, 20),
    ("Dropout", X, [], {}, 20),
]  # fmt: skip


def model_of(
    kind: str, shape: tuple[int, ...], constants: list[np.ndarray], attributes: dict[str, Any], opset: int, outputs: int = 1
) -> bytes:
    names = [f"c{i}" for i in range(len(constants))]
    made = [f"y{i}" for i in range(outputs)]
    graph = helper.make_graph(
        [helper.make_node(kind, ["x", *names], made, **attributes)], "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)], [helper.make_empty_tensor_value_info(y) for y in made],
        [numpy_helper.from_array(np.asarray(c), n) for n, c in zip(names, constants, strict=True)],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    return bytes(onnx.shape_inference.infer_shapes(model).SerializeToString())


def assert_agrees(model: bytes, shape: tuple[int, ...]) -> None:
    x = weights(*shape)
    module, _ = torch_module(model)
    with torch.inference_mode():
        mine = module(torch.from_numpy(x))
    right = ort.InferenceSession(model).run(None, {"x": x})
    assert len(mine) == len(right)
    for a, b in zip(mine, right, strict=True):
        np.testing.assert_allclose(a.numpy(), b, rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize(("kind", "shape", "constants", "attributes", "opset"), CASES, ids=[f"{i}-{c[0]}" for i, c in enumerate(CASES)])
def test_a_node_computes_what_onnxruntime_computes(
    kind: str, shape: tuple[int, ...], constants: list[np.ndarray], attributes: dict[str, Any], opset: int
) -> None:
    assert_agrees(model_of(kind, shape, constants, attributes, opset), shape)


def test_split() -> None:
    assert_agrees(model_of("Split", X, [ints(1, 3)], {"axis": 1}, 20, outputs=2), X)


@pytest.mark.parametrize("kind", ["Sqrt", "Log", "Pow"])
def test_functions_of_positive_numbers(kind: str) -> None:
    nodes = [helper.make_node("Abs", ["x"], ["a"]), helper.make_node(kind, ["a", "e"] if kind == "Pow" else ["a"], ["y"])]
    value = [helper.make_tensor_value_info(n, TensorProto.FLOAT, X) for n in "xy"]
    graph = helper.make_graph(nodes, "g", value[:1], value[1:], [numpy_helper.from_array(np.float32(1.5), "e")])
    assert_agrees(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=8).SerializeToString(), X)


def test_every_translation_is_tested() -> None:
    assert set(TRANSLATIONS) == {case[0] for case in CASES} | {"Split", "Sqrt", "Log", "Pow"}


def test_constants_that_are_computed_from_constants() -> None:
    nodes = [
        helper.make_node("ConstantOfShape", ["s"], ["w"], value=helper.make_tensor("v", TensorProto.FLOAT, [1], [0.5])),
        helper.make_node("Mul", ["x", "w"], ["y"]),
    ]
    value = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [2, 3]) for n in "xy"]
    graph = helper.make_graph(nodes, "g", value[:1], value[1:], [numpy_helper.from_array(ints(2, 3), "s")])
    assert_agrees(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=8).SerializeToString(), (2, 3))


def test_what_is_not_translated_is_named() -> None:
    with pytest.raises(DeviceError, match="CumSum"):
        torch_module(model_of("CumSum", X, [np.int64(1)], {}, 20))
