"""The battery: whatever the lowering calls sure must be what the runtime executes, operator by operator."""

from __future__ import annotations

import glob
import os
from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from device_profiles import atlas, lowering, onnx_io
from device_profiles.builder import NetworkBuilder
from device_profiles.graphs.models import network_model
from device_profiles.operators import Tensor
from device_profiles.runtimes import RuntimeProcess
from hwnas import spaces

#: The real models of the onnx package, without those whose weights fill hundreds of megabytes.
LIGHT = sorted(
    path
    for path in glob.glob(os.path.join(os.path.dirname(onnx.__file__), "backend", "test", "data", "light", "*.onnx"))
    if not path.endswith(("alexnet.onnx", "vgg19.onnx", "zfnet512.onnx"))
)

#: Families of which every network is sure; of the others some are.
SURE = ("vgg", "resnet", "bottleneck", "inception", "squeezenet", "cross_stage", "separable", "inverted", "fused_inverted")


def compare(model: bytes | Path, block: int, asked: RuntimeProcess) -> bool:
    """Whether the lowering is sure of a model; when it is, it must be right."""
    try:
        mine = lowering.lower_file(*onnx_io.read_traced(model), block)
    except lowering.Unsure:
        return False
    data = model if isinstance(model, bytes) else model.read_bytes()
    real = asked.executed_graph(onnx_io.name_nodes(data))
    assert Counter(op.key for op in mine.operators) == Counter(op.key for op in real.operators)
    return True


@pytest.mark.parametrize("family", sorted(atlas.FAMILIES))
def test_families_of_the_atlas(family: str, block: int, asked: RuntimeProcess) -> None:
    for seed in (0, 1):
        sure = compare(network_model(atlas.network(family, np.random.default_rng(seed))), block, asked)
        assert sure or family not in SURE


@pytest.mark.parametrize("name", sorted(spaces.SPACES))
def test_networks_of_the_spaces(name: str, block: int, asked: RuntimeProcess) -> None:
    space = spaces.load(name)
    for row in space.sample(2, np.random.default_rng(0)):
        compare(network_model(space.network(row)), block, asked)


@pytest.mark.parametrize("path", LIGHT, ids=[Path(p).stem for p in LIGHT])
def test_real_models(path: str, block: int, asked: RuntimeProcess) -> None:
    compare(Path(path), block, asked)


def test_a_network_and_its_file_are_lowered_alike(block: int) -> None:
    for family in SURE:
        network = atlas.network(family, np.random.default_rng(5))
        from_file = lowering.lower_file(*onnx_io.read_traced(network_model(network)), block)
        assert Counter(op.key for op in lowering.lower_network(network, block).operators) == Counter(op.key for op in from_file.operators)


def test_what_is_lowered_can_be_run_in_its_order(block: int) -> None:
    network = atlas.network("cross_stage", np.random.default_rng(2))
    known = set(network.inputs)
    lowered = lowering.lower_network(network, block)
    for node in lowered.nodes:
        assert all(
            value in known or tensor is None or tensor.constant for value, tensor in zip(node.inputs, node.operator.inputs, strict=True)
        )
        known.update(node.outputs)
    assert set(lowered.outputs) <= known


def single(kind: str, dtype: int = TensorProto.FLOAT, **attributes: object) -> bytes:
    """A model of one operator without weights."""
    graph = helper.make_graph(
        [helper.make_node(kind, ["x"], ["y"], **attributes)], "g",
        [helper.make_tensor_value_info("x", dtype, [1, 8, 4, 4])], [helper.make_tensor_value_info("y", dtype, None)],
    )  # fmt: skip
    return bytes(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10).SerializeToString())


@pytest.mark.parametrize("model", [single("Det"), single("Relu", TensorProto.FLOAT16)], ids=["kind", "dtype"])
def test_what_is_not_modelled_is_unsure(model: bytes) -> None:
    with pytest.raises(lowering.Unsure):
        lowering.lower_file(*onnx_io.read_traced(model), 16)


def test_constants_that_callers_may_replace_make_it_unsure() -> None:
    net = NetworkBuilder("n", {"x": Tensor((1, 16, 8, 8))})
    model = onnx.load_from_string(network_model(net.build(net.conv("c", "x", 16, 3))))
    weight = model.graph.initializer[0]
    model.graph.input.append(helper.make_tensor_value_info(weight.name, weight.data_type, numpy_helper.to_array(weight).shape))
    with pytest.raises(lowering.Unsure, match="anew"):
        lowering.lower_file(*onnx_io.read_traced(model.SerializeToString()), 16)


@pytest.mark.parametrize(
    ("device", "runtime", "block"),
    [
        ({"architecture": "x86_64", "isa": ["avx2", "avx512f"]}, {"name": "onnxruntime", "version": "1.31.1"}, 16),
        ({"architecture": "x86_64", "isa": ["avx2"]}, {"name": "onnxruntime", "version": "1.31.1"}, None),
        ({"architecture": "x86_64", "isa": []}, {"name": "onnxruntime", "version": "1.31.1"}, None),
        ({"architecture": "aarch64", "isa": []}, {"name": "onnxruntime", "version": "1.31.1"}, None),
        ({"architecture": "x86_64", "isa": ["avx2"]}, {"name": "onnxruntime", "version": "1.2.3"}, None),
        ({"architecture": "x86_64", "isa": ["avx2"]}, {"name": "onnxruntime-cuda", "version": "1.31.1"}, None),
        ({"architecture": "x86_64", "isa": ["avx2"]}, {"name": "openvino", "version": "1.31.1"}, None),
    ],
)
def test_where_it_is_used(device: dict[str, object], runtime: dict[str, object], block: int | None) -> None:
    assert lowering.block_of(device, runtime) == block
