from __future__ import annotations

import onnx
import pytest

from device_profiles.graphs.graph import parse
from device_profiles.graphs.models import operator_model
from device_profiles.operators import Operator, Tensor
from device_profiles.runtimes.ncnn_batch import with_batch_marks


@pytest.mark.parametrize(
    ("shape", "kinds"),
    [
        ((1, 4, 8, 8), ["GlobalMaxPool"]), ((4, 4, 8, 8), ["GlobalMaxPool"]), ((1, 16), ["Unsqueeze", "GlobalMaxPool"]),
        ((1, 7, 16), ["GlobalMaxPool"]), ((1, 4, 2, 8, 8), ["GlobalMaxPool"]), ((12, 7, 16), []), ((3,), []),
    ],
)  # fmt: skip
def test_inputs_with_a_batch_are_marked_by_a_pooling(shape: tuple[int, ...], kinds: list[str]) -> None:
    proto = parse(operator_model(Operator("Relu", (Tensor(shape),), (Tensor(shape),))))
    marked = with_batch_marks(proto, {"x0": shape})
    assert [node.op_type for node in marked.graph.node] == ["Relu", *kinds]
    assert len(marked.graph.output) == 1 + bool(kinds)
    onnx.checker.check_model(onnx.load_model_from_string(_typed(marked.encode())))


def _typed(model: bytes) -> bytes:
    inferred: bytes = onnx.shape_inference.infer_shapes(onnx.load_model_from_string(model), strict_mode=True).SerializeToString()
    return inferred
