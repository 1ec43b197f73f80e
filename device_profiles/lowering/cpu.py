"""onnxruntime on a CPU with all optimisations: which of them run, in which order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from device_profiles.graphs.graph import Trace
from device_profiles.graphs.models import OPSET
from device_profiles.graphs.modern import modern
from device_profiles.lowering.activations import fuse_activations, fuse_gemm_activations
from device_profiles.lowering.conv_add import fuse_sums
from device_profiles.lowering.conv_weights import fold_into_weights
from device_profiles.lowering.defaults import CREATED, stated_defaults
from device_profiles.lowering.doubts import refuse_unmodelled
from device_profiles.lowering.draft import Draft, Unsure
from device_profiles.lowering.duplicates import merge_duplicates
from device_profiles.lowering.folding import fold_constants
from device_profiles.lowering.gates import GELU_OPSET, expand_functions, fuse_gelu, fuse_quick_gelu
from device_profiles.lowering.gathers import split_gathers
from device_profiles.lowering.linear import fuse_bias
from device_profiles.lowering.nchwc import Nchwc
from device_profiles.lowering.norms import fuse_skips
from device_profiles.lowering.products import fuse_scales, fuse_transposes
from device_profiles.lowering.reshapes import merge_reshapes
from device_profiles.lowering.simplify import remove_idle, remove_passes
from device_profiles.lowering.slices import split_slices
from device_profiles.lowering.transposes import Transposes
from device_profiles.operators import Network, Tensor

#: The versions of the runtime that this was compared with.
VERSIONS = frozenset({"1.31.1"})

#: Kinds that the runtime runs as they are written, where nothing else here takes them in.
_AS_WRITTEN = frozenset({
    "Add", "Sub", "Mul", "Div", "Relu", "Sigmoid", "Tanh", "LeakyRelu", "Elu", "HardSigmoid", "Clip", "Softmax", "Conv", "MaxPool",
    "AveragePool", "GlobalAveragePool", "GlobalMaxPool", "Concat", "Split", "Flatten", "Reshape", "Gemm", "ReduceMean", "LRN",
    "BatchNormalization", "Sum", "Gelu", "MatMul", "Transpose", "LayerNormalization", "Squeeze", "Unsqueeze", "Slice",
    "InstanceNormalization", "ReduceSum", "Resize", "Gather", "Erf",
})  # fmt: skip

#: Element types that are modelled; others are converted or quantised in ways of their own.
_DTYPES = frozenset({"float32", "int64", "bool"})


def block_of(device: Mapping[str, Any], runtime: Mapping[str, Any]) -> int | None:
    """Channels per block of the runtime's layout on a device (see `fingerprint`); None where this lowering is not to be used.

    It is used for the versions of onnxruntime in `VERSIONS` on x86-64 processors whose vectors have 512 bits: what it was compared with.
    """
    if (
        runtime.get("name") != "onnxruntime"
        or runtime.get("version") not in VERSIONS
        or device.get("architecture") not in ("x86_64", "AMD64")
    ):
        return None
    return 16 if "avx512f" in device.get("isa", ()) else None


def lower_file(network: Network, trace: Trace, block: int) -> Network:
    """What the runtime executes for a file that was read by `onnx_io.read_traced`. Raises Unsure when that is not known."""
    if trace.overridable:
        raise Unsure("callers may give constants anew")
    draft = Draft(network, trace.tensors)
    for number, node in enumerate((*trace.folded, *network.nodes)):
        draft.write(number, node, node.inputs, dict(node.operator.attributes))
    return _lower(draft, trace.opset, block)


def lower_network(network: Network, block: int) -> Network:
    """What the runtime executes for a network as `models.network_model` writes it. Raises Unsure when that is not known."""
    tensors: dict[str, Tensor] = dict(network.inputs)
    draft = Draft(network, tensors)
    for number, node in enumerate(network.nodes):
        operator = modern(node.operator)
        names = [*node.inputs, *[""] * (len(operator.inputs) - len(node.inputs))]
        for position, tensor in enumerate(operator.inputs):
            names[position] = names[position] or (f"{node.outputs[0]}.input{position}" if tensor is not None else "")
            if tensor is not None:
                draft.tensors[names[position]] = tensor
        draft.tensors.update(zip(node.outputs, operator.outputs, strict=True))
        draft.write(number, node, names, dict(operator.attributes))
    return _lower(draft, OPSET, block)


def _lower(draft: Draft, opset: int, block: int) -> Network:
    draft.changed = False
    read = {value for step in draft.steps() for value in (*step.inputs, *step.outputs) if value}
    if any(draft.tensors[value].dtype not in _DTYPES for value in read):
        raise Unsure("numbers of other types than float32")
    remove_passes(draft)
    merge_duplicates(draft)
    fold_constants(draft)
    expand_functions(draft)
    refuse_unmodelled(draft)
    while _first_level(draft, opset):
        pass
    _second_level(draft, opset)
    left = {step.kind for step in draft.steps()} - _AS_WRITTEN - CREATED.keys()
    if left:
        raise Unsure(f"operators of kind {', '.join(sorted(left))}")
    Nchwc(draft, block).run()
    fuse_sums(draft)
    kinds = {step.kind for step in draft.steps()} if draft.changed else set[str]()
    return draft.network({**stated_defaults(kinds, opset), **CREATED})


def _first_level(draft: Draft, opset: int) -> bool:
    """What is done before steps are given to kernels; it is repeated until nothing changes."""
    changed = [remove_idle(draft), fold_into_weights(draft), merge_duplicates(draft), fold_constants(draft), fuse_bias(draft)]
    changed.append(merge_reshapes(draft))
    if opset >= GELU_OPSET:
        changed.append(fuse_gelu(draft, opset))
    changed.append(Transposes(draft, opset).run())
    return any(changed)


def _second_level(draft: Draft, opset: int) -> None:
    """What is done with the kernels of this processor in mind."""
    Transposes(draft, opset).run()
    fuse_gemm_activations(draft)
    fuse_activations(draft)
    if opset < GELU_OPSET:
        fuse_gelu(draft, opset)
    split_gathers(draft, opset)
    split_slices(draft, opset)
    fuse_transposes(draft)
    fuse_skips(draft)
    fuse_quick_gelu(draft)
    fuse_scales(draft)
