"""From torch layers to an ONNX graph that reads as the search space describes it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import onnx
import torch

from device_profiles.errors import DeviceError, InputError
from device_profiles.onnx_io import IR_VERSION
from device_profiles.operators import Network
from hwnas.export.quiet import quiet
from hwnas.supernet.base import SubNet
from hwnas.supernet.fold import fold_batch_norm

#: What torch writes without converting.
OPSET = 18


def to_onnx(subnet: SubNet, input_shape: tuple[int, int, int]) -> onnx.ModelProto:
    """The sub-net as an ONNX model with batch-norm folded, without traces of the exporter (such as paths of source files)."""
    folded = copy.deepcopy(subnet).eval()
    fold_batch_norm(folded)
    with quiet():
        program = torch.onnx.export(
            folded, (torch.zeros(1, *input_shape),), dynamo=True, external_data=False, opset_version=OPSET, verbose=False,
            input_names=["input"], output_names=["logits"],
            custom_translation_table={torch.ops.aten.adaptive_avg_pool2d.default: _pool_operator()},
        )  # fmt: skip
    if program is None:
        raise DeviceError("torch.onnx.export returned nothing")
    model: onnx.ModelProto = program.model_proto
    model.ir_version = IR_VERSION  # newer defaults are refused by released runtimes
    _restore_flatten(model)
    strip(model)
    onnx.checker.check_model(model, full_check=True)
    return model


def adopt_names(model: onnx.ModelProto, network: Network) -> None:
    """Names the nodes as the search space names them, where both have the same operators in the same order."""
    if [node.op_type for node in model.graph.node] == [node.operator.kind for node in network.nodes]:
        for exported, described in zip(model.graph.node, network.nodes, strict=True):
            exported.name = described.name


def strip(model: onnx.ModelProto) -> None:
    """Removes doc strings and the exporter's metadata: stack traces with paths of this machine."""
    graph = model.graph
    for item in (model, graph):
        item.doc_string = ""
        del item.metadata_props[:]
    for item in (*graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer):
        item.doc_string = ""
        del item.metadata_props[:]


def _pool_operator() -> Callable[..., Any]:
    """Global pooling as one operator; the exporter's own translation is a mean and reshapes, which is another kernel at another price."""
    from onnxscript import opset18

    def pool(x: Any, output_size: Sequence[int]) -> Any:
        """Adaptive pooling to 1 x 1 as the operator that runtimes know."""
        if set(output_size) != {1}:
            raise InputError(f"only global pooling to 1 x 1 can be exported, got {tuple(output_size)}")
        return opset18.GlobalAveragePool(x)

    return pool


def _restore_flatten(model: onnx.ModelProto) -> None:
    """Turns a Reshape to two dimensions that keeps the batch back into the Flatten that it was, and drops its shape constant."""
    shapes = {value.name: [d.dim_value for d in value.type.tensor_type.shape.dim] for value in model.graph.value_info}
    for node in model.graph.node:
        before, after = (shapes.get(name, []) for name in (node.input[0], node.output[0])) if node.op_type == "Reshape" else ([], [])
        if len(after) == 2 and before[:1] == after[:1]:
            del node.attribute[:], node.input[1:]
            node.op_type = "Flatten"  # its axis is 1 unless it says otherwise
    used = {name for node in model.graph.node for name in node.input}
    kept = [constant for constant in model.graph.initializer if constant.name in used]
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)
