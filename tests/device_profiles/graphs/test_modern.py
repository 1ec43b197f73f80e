from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

from device_profiles import onnx_io
from device_profiles.graphs.models import OPSET, network_model
from device_profiles.graphs.modern import GONE, MOVED, modern
from device_profiles.operators import Operator, Tensor

LIGHT = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"

#: Kinds that are given up, or hold graphs: they are not written.
NOT_WRITTEN = {"Upsample", "Scan", "DFT"}


def test_every_attribute_that_onnx_moved_or_gave_up_is_known() -> None:
    versions: dict[str, dict[int, onnx.defs.OpSchema]] = defaultdict(dict)
    for schema in onnx.defs.get_all_schemas_with_history():
        if schema.domain == "" and schema.since_version <= OPSET:
            versions[schema.name][schema.since_version] = schema
    for kind, known in versions.items():
        newest, oldest = known[max(known)], max((v for v in known if v <= 7), default=min(known))
        gone = {a for v, s in known.items() if v >= oldest for a in s.attributes} - set(newest.attributes)
        if kind not in NOT_WRITTEN:
            assert gone == set(MOVED.get(kind, {})) | set(GONE.get(kind, ())), kind
        for attribute, position in MOVED.get(kind, {}).items():
            assert newest.inputs[position].name.lower().removeprefix("constant_") in (attribute, attribute.lower())


@pytest.mark.parametrize("file", sorted(LIGHT.glob("light_*.onnx")), ids=lambda file: file.stem)
def test_networks_of_operator_set_9_are_written_as_valid_models(file: Path) -> None:
    network = onnx_io.read_network(file)
    model = onnx.load_model_from_string(network_model(network))
    onnx.checker.check_model(model, full_check=True)
    again = onnx_io.read_network(model.SerializeToString())
    assert again.macs == network.macs
    assert again.params == network.params
    assert [node.operator.outputs for node in again.nodes] == [node.operator.outputs for node in network.nodes]


def test_the_networks_are_there() -> None:
    if not LIGHT.exists():
        pytest.skip("this onnx package came without its networks")
    assert len(list(LIGHT.glob("light_*.onnx"))) == 9


X = (2, 4, 6, 8)
OLD: list[tuple[str, int, dict[str, object]]] = [
    ("Clip", 6, {"min": -0.5, "max": 0.25}),
    ("Clip", 6, {"max": 0.25}),
    ("Pad", 10, {"pads": [0, 0, 1, 2, 0, 0, 1, 0], "value": 0.5}),
    ("Slice", 9, {"starts": [1, 2], "ends": [4, 7], "axes": [2, 3]}),
    ("Unsqueeze", 11, {"axes": [0, 2]}),
    ("ReduceSum", 11, {"axes": [1], "keepdims": 0}),
    ("ReduceMean", 13, {"axes": [2, 3]}),
    ("Split", 11, {"axis": 1, "split": [1, 3]}),
    ("Split", 11, {"axis": 1}),
    ("TopK", 9, {"k": 3}),
    ("Softmax", 9, {"axis": 3}),
    ("Dropout", 10, {"ratio": 0.3}),
]


@pytest.mark.parametrize(("kind", "opset", "attributes"), OLD, ids=[f"{kind}-{index}" for index, (kind, _, _) in enumerate(OLD)])
def test_an_old_operator_computes_the_same_when_written_anew(kind: str, opset: int, attributes: dict[str, object]) -> None:
    outputs = ["y", "z"] if kind in ("Split", "TopK") else ["y"]
    types = [TensorProto.FLOAT, TensorProto.INT64 if kind == "TopK" else TensorProto.FLOAT]
    graph = helper.make_graph(
        [helper.make_node(kind, ["x"], outputs, name="n", **attributes)], "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, X)],
        [helper.make_tensor_value_info(name, element, None) for name, element in zip(outputs, types, strict=False)],
    )  # fmt: skip
    old = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8).SerializeToString()
    new = network_model(onnx_io.read_network(old))
    x = np.random.default_rng(0).standard_normal(X).astype(np.float32)
    results = [ort.InferenceSession(model, providers=["CPUExecutionProvider"]).run(None, {"x": x}) for model in (old, new)]
    for a, b in zip(*results, strict=True):
        assert np.array_equal(a, b)
    onnx.checker.check_model(onnx.load_model_from_string(new), full_check=True)


def test_the_axis_of_an_old_softmax_is_stated() -> None:
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, (1, 10, 1, 1)) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Softmax", ["x"], ["y"])], "g", values[:1], values[1:])
    for opset, attributes in ((9, (("axis", 1),)), (13, ())):
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
        assert onnx_io.read_network(model.SerializeToString()).nodes[0].operator.attributes == attributes


def test_a_modern_operator_is_left_alone() -> None:
    x, bound = Tensor(X), Tensor((), constant=True, values=(0.5,))
    clip = Operator("Clip", (x, None, bound), (x,))
    assert modern(clip) is clip
    assert numpy_helper.to_array(onnx.load_model_from_string(onnx_io.operator_model(clip)).graph.initializer[0]) == 0.5
