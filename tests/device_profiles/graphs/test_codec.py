"""The codec against the onnx package: what one writes the other reads, byte for byte."""

from __future__ import annotations

import glob
import os
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from device_profiles.builder import NetworkBuilder
from device_profiles.errors import InputError
from device_profiles.graphs import codec, graph, messages, models, tensors, wire
from device_profiles.operators import Operator, Tensor

LIGHT = sorted(glob.glob(os.path.join(os.path.dirname(onnx.__file__), "backend", "test", "data", "light", "*.onnx")))


def again(data: bytes) -> bytes:
    return codec.decode(messages.ModelProto, data).encode()


def canonical(data: bytes) -> bytes:
    return bytes(onnx.load_from_string(data).SerializeToString(deterministic=True))


@pytest.mark.parametrize("path", LIGHT, ids=[Path(p).stem for p in LIGHT])
def test_real_models_survive_byte_for_byte(path: str) -> None:
    data = Path(path).read_bytes()
    assert canonical(again(data)) == canonical(data)
    inferred = onnx.shape_inference.infer_shapes(onnx.load_from_string(data)).SerializeToString()
    assert again(inferred) == canonical(inferred)


def test_every_message_of_a_model_survives() -> None:
    """Functions, sparse tensors, metadata, subgraphs, sequences: what is not understood is kept as it is."""
    inner = helper.make_graph([helper.make_node("Neg", ["x"], ["n"])], "inner", [], [helper.make_tensor_value_info("n", 1, None)])
    nodes = [
        helper.make_node("If", ["c"], ["y"], then_branch=inner, else_branch=inner),
        helper.make_node("Own", ["y"], ["z"], domain="own", i=-5, f=0.5, s="ä", floats=[1.0, -2.5], strings=["a", "b"]),
        helper.make_node("Constant", [], ["k"], value=numpy_helper.from_array(np.arange(3.0), "k")),
    ]
    nodes[1].attribute.append(helper.make_attribute("none", [], attr_type=onnx.AttributeProto.INTS))
    made = helper.make_graph(nodes, "g",
                             [helper.make_tensor_value_info("x", 1, ["N", 3]), helper.make_tensor_sequence_value_info("s", 1, None)],
                             [helper.make_tensor_value_info("z", 1, None)], [helper.make_tensor("w", 7, [2], [-1, 2**40])])  # fmt: skip
    function = helper.make_function("own", "Own", ["a"], ["b"], [helper.make_node("Relu", ["a"], ["b"])], [helper.make_opsetid("", 18)])
    model = helper.make_model(made, functions=[function], opset_imports=[helper.make_opsetid("", 18), helper.make_opsetid("own", 1)])
    helper.set_model_props(model, {"who": "nobody"})
    assert again(model.SerializeToString()) == model.SerializeToString(deterministic=True)
    own = codec.decode(messages.ModelProto, model.SerializeToString()).graph.node[1]
    for mine, theirs in zip(own.attribute, nodes[1].attribute, strict=True):
        assert graph.attribute_value(mine) == helper.get_attribute_value(theirs)


def test_operator_models_are_read_by_the_onnx_package_and_keep_their_keys() -> None:
    net = NetworkBuilder("all", {"x": Tensor((1, 8, 12, 12)), "half": Tensor((2, 4), "float16")})
    x = net.conv("conv", "x", 8, 3, 2, groups=2)
    net.node(
        "Clip",
        "clip",
        (x,),
        (1, 8, 6, 6),
        {"low": Tensor((), constant=True, values=(0.0,)), "high": Tensor((), constant=True, values=(6.0,))},
    )
    net.node("Gemm", "gemm", ("half",), (2, 3), {"w": Tensor((4, 3), "float16", True)}, alpha=0.25)
    shape = {"shape": Tensor((2,), "int64", True, (1, -1))}
    net.node("Reshape", "reshape", (x,), (1, 288), shape)
    net.node("Cast", "cast", (x,), (1, 8, 6, 6), to=1)
    net.node("LpPool", "pool", (x,), (1, 8, 5, 5), kernel_shape=(2, 2), auto_pad="VALID")
    for node in net.nodes:
        data = models.operator_model(node.operator, copies=2)
        assert canonical(data) == data
        onnx.checker.check_model(onnx.load_from_string(data))
        model = graph.parse(data)
        read = graph.graph_network(model, graph.known_tensors(model), "again")
        assert [op.key for op in read.operators] == [node.operator.key] * 2


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16, np.int64, np.int32, np.int8, np.uint8, np.bool_])
@pytest.mark.parametrize("raw", [True, False])
def test_constants_are_read_as_the_onnx_package_reads_them(dtype: type, raw: bool) -> None:
    array = np.array([[0, 1, 2], [3, -4 if np.dtype(dtype).kind in "if" else 4, 1]]).astype(dtype)
    number = helper.np_dtype_to_tensor_dtype(array.dtype)
    proto = numpy_helper.from_array(array, "c") if raw else helper.make_tensor("c", number, array.shape, array.ravel().tolist())
    mine = codec.decode(messages.TensorProto, proto.SerializeToString())
    np.testing.assert_array_equal(tensors.to_array(mine), array)
    assert tensors.to_array(mine).dtype == array.dtype
    assert tensors.from_array(array, "c").encode() == numpy_helper.from_array(array, "c").SerializeToString()


def test_numbers_of_types_are_those_of_onnx() -> None:
    names = {"float": "float32", "double": "float64"}
    for name, number in TensorProto.DataType.items():
        if number in tensors.DTYPES:
            assert tensors.DTYPES[number] == names.get(name.lower(), name.lower())


@pytest.mark.parametrize("dtype", ["bfloat16", "int4", "float8e4m3fn", "float8e5m2", "uint4"])
def test_weights_of_types_that_numpy_lacks_are_finite(dtype: str) -> None:
    operator = Operator("Cast", (Tensor((3, 5), dtype, constant=True),), (Tensor((3, 5)),), (("to", 1),))
    (weight,) = onnx.load_from_string(models.operator_model(operator)).graph.initializer
    assert np.isfinite(numpy_helper.to_array(weight).astype(np.float32)).all()


def test_what_no_model_can_hold_is_one_line() -> None:
    with pytest.raises(InputError, match="string"):
        models.operator_model(Operator("Own", (Tensor((2,), "string", constant=True),), (Tensor((2,)),)))
    with pytest.raises(InputError, match="fill its shape"):
        tensors.to_array(messages.TensorProto(dims=[3], data_type=1, name="c", raw_data=b"1234"))
    with pytest.raises(InputError, match="nested"):
        codec.decode(messages.ModelProto, _nested(200))


def _nested(depth: int) -> bytes:
    data = messages.GraphProto(name="leaf").encode()
    for _ in range(depth):
        for number in (6, 5, 1):
            data = wire.encode_field(number, data)
    return wire.encode_field(7, data)


def _good() -> bytes:
    net = NetworkBuilder("n", {"x": Tensor((1, 2, 6, 6))})
    x = net.activation("relu", net.conv("conv", "x", 4, 3))
    return models.network_model(net.build(net.linear("fc", net.flatten("flat", x), 3)))


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_corrupted_bytes_are_an_input_error_or_a_model(data: st.DataObject) -> None:
    good = bytearray(_good())
    for _ in range(data.draw(st.integers(0, 5))):
        good[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(good[: data.draw(st.integers(0, len(good)))])
    try:
        model = graph.parse(cut)
        network = graph.graph_network(model, graph.known_tensors(model), "n")
    except InputError as error:
        assert "\n" not in str(error)
        return
    assert network.nodes
    assert codec.decode(messages.ModelProto, model.encode()).encode() == model.encode()


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_an_input_error_or_a_message(data: bytes) -> None:
    try:
        message = codec.decode(messages.ModelProto, data)
    except InputError as error:
        assert "\n" not in str(error)
        return
    assert message.encode() == codec.decode(messages.ModelProto, message.encode()).encode()
