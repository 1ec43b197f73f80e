"""Which axis of an isolated operator is the batch.

pnnx finds the axis from convolutions and poolings and carries it along the graph; an addition that stands alone would be taken for one of
four-dimensional tensors, whose channels ncnn does not pack. So a pooling that nobody asks for is hung on every input, and taken off again.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from device_profiles.graphs.messages import ModelProto, NodeProto, ValueInfoProto
from device_profiles.graphs.tensors import from_array

_PREFIX = "hwnas.batch."


def with_batch_marks(model: ModelProto, shapes: Mapping[str, tuple[int, ...]]) -> ModelProto:
    """The model with a pooling on every input whose first axis is a batch, and its result as a further output; changed in place.

    `shapes`: of the inputs by name. Two, four and five dimensions have a batch, as in networks of convolutions; three have one if the first
    is 1: it may be the heads of an attention otherwise.
    """
    graph = model.graph
    for name, shape in shapes.items():
        if not (len(shape) in (2, 4, 5) or (len(shape) == 3 and shape[0] == 1)):
            continue
        marked, result = name, f"{_PREFIX}{name}"
        if len(shape) == 2:  # poolings want something to pool
            marked = f"{result}.image"
            graph.initializer.append(from_array(np.array([2], np.int64), f"{result}.axes"))
            graph.node.append(NodeProto(op_type="Unsqueeze", name=marked, input=[name, f"{result}.axes"], output=[marked]))
        graph.node.append(NodeProto(op_type="GlobalMaxPool", name=result, input=[marked], output=[result]))
        graph.output.append(ValueInfoProto(name=result))
    return model
