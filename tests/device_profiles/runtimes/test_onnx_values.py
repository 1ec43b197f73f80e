from __future__ import annotations

import numpy as np

from device_profiles import onnx_io
from device_profiles.operators import Network
from device_profiles.runtimes.onnx_values import computed_values


def test_every_value_is_there_as_it_is_computed(network: Network) -> None:
    inputs = {name: np.ones(tensor.shape, np.float32) for name, tensor in network.inputs.items()}
    values = computed_values(onnx_io.network_model(network), inputs)
    assert list(values) == [output for node in network.nodes for output in node.outputs]
    for node in network.nodes:
        for name, tensor in zip(node.outputs, node.operator.outputs, strict=True):
            assert values[name].shape == tensor.shape
        if node.operator.kind == "Relu":
            np.testing.assert_array_equal(values[node.outputs[0]], np.maximum(values[node.inputs[0]], 0))
