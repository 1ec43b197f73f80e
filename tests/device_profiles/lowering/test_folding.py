from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from device_profiles import lowering, onnx_io
from device_profiles.runtimes import RuntimeProcess


def model_of(nodes: list[object], constants: dict[str, object], opset: int = 18) -> bytes:
    graph = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 8, 4, 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.array(v, dtype=np.int64), n) for n, v in constants.items()],
    )  # fmt: skip
    return bytes(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10).SerializeToString())


def flattened(steps: int) -> bytes:
    """A reshape whose shape is computed from that of its input, as exporters write it."""
    node = helper.make_node
    nodes = [
        node("Relu", ["x"], ["r"], name="r"),
        node("Shape", ["r"], ["s"], name="s"),
        node("Gather", ["s", "zero"], ["n"], name="g"),
        node("Mul", ["n", "one"], ["m"], name="m"),
        node("Unsqueeze", ["m", "axes"], ["u"], name="u"),
        node("Concat", ["u", "rest"], ["shape"], name="c", axis=0),
        node("Reshape", ["r", "shape"], ["f"], name="f"),
        node("Elu", ["f"], ["y"], name="e"),
    ]
    return model_of(nodes, {"zero": 0, "one": 1, "axes": [0], "rest": [-1] if steps else [128]})


@pytest.mark.parametrize("steps", [0, 1])
def test_shapes_that_are_computed(steps: int, block: int, asked: RuntimeProcess) -> None:
    model = flattened(steps)
    mine = lowering.lower_file(*onnx_io.read_traced(model), block)
    assert [op.kind for op in mine.operators] == ["Relu", "Reshape", "Elu"]
    assert Counter(op.key for op in mine.operators) == Counter(op.key for op in asked.executed_graph(model).operators)
