"""An ONNX model written so that pnnx understands it."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from device_profiles.graphs.graph import parse
from device_profiles.graphs.messages import AttributeProto, ModelProto
from device_profiles.graphs.wire import strip_weights
from device_profiles.runtimes.ncnn_batch import with_batch_marks

#: From this version on weights need not be listed as inputs.
_IR_VERSION = 4

#: Until this operator set the axis of a softmax was 1 unless told, which pnnx does not know.
_OLD_SOFTMAX = 12


def pnnx_source(model: bytes, shapes: Mapping[str, tuple[int, ...]], isolated: bool) -> bytes:
    """The model without weights among its inputs and with defaults written out; unchanged, and not copied, where nothing is to be done.

    `shapes`: of the inputs, by name. `isolated`: marks which axis of them is the batch, see `ncnn_batch`.
    """
    if not isolated and not _write_out(parse(strip_weights(model)), shapes):
        return model
    proto = parse(model)
    _write_out(proto, shapes)
    return (with_batch_marks(proto, shapes) if isolated else proto).encode()


def _write_out(proto: ModelProto, inputs: Collection[str]) -> bool:
    """Changes the model in place; whether there was anything to change."""
    listed = [value for value in proto.graph.input if value.name in inputs]
    changed = len(listed) < len(proto.graph.input)
    proto.graph.input = listed
    proto.ir_version = max(proto.ir_version, _IR_VERSION)
    defaults = {"Pad": AttributeProto(name="mode", type=3, s=b"constant")}
    if max((opset.version for opset in proto.opset_import if opset.domain in ("", "ai.onnx")), default=0) <= _OLD_SOFTMAX:
        defaults["Softmax"] = AttributeProto(name="axis", type=2, i=1)
    for node in proto.graph.node:
        default = defaults.get(node.op_type)
        if default is not None and all(attribute.name != default.name for attribute in node.attribute):
            node.attribute.append(default)
            changed = True
    return changed
