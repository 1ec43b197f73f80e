"""All values that an ONNX model computes, as onnxruntime computes them from the inputs that every runtime gets."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnxruntime as ort

from device_profiles.graphs.graph import parse
from device_profiles.graphs.messages import ValueInfoProto
from device_profiles.runtimes.base import Array


def computed_values(model: bytes, inputs: Mapping[str, Array]) -> dict[str, Array]:
    """The floating-point results of all nodes by name, in the order of the nodes; nothing is fused."""
    proto = parse(model)
    names = dict.fromkeys(value for node in proto.graph.node for value in node.output if value)
    stated = {value.name: value for value in (*proto.graph.output, *proto.graph.value_info)}
    proto.graph.output = [stated.get(name, ValueInfoProto(name=name)) for name in names]
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = ort.InferenceSession(proto.encode(), options, providers=["CPUExecutionProvider"])
    results = dict(zip(names, session.run(None, dict(inputs)), strict=True))
    return {name: array for name, array in results.items() if isinstance(array, np.ndarray) and array.dtype == np.float32}
