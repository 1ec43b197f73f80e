"""The numeric gate: the time of a runtime is accepted only for a result that is right.

What is right is what onnxruntime computes on the CPU from the same model, weights and inputs. A softmax at the end is taken off for the
comparison: where its inputs are large it hides a wrong result (all probability is in one place anyway) and makes one of rounding alone (a
part in a million of inputs of 10^9 moves all of it to another place). The softmax itself is compared when it is measured alone.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from device_profiles.graphs.graph import parse
from device_profiles.graphs.messages import TensorType, TypeProto, ValueInfoProto
from device_profiles.runtimes.base import Array

#: Largest difference that is accepted, relative to the largest magnitude of the output, by runtime. Sums in another order differ by far
#: less in float32 (about 1e-6 per operator); TF32 has 10 bits of mantissa and bfloat16 7, and their errors add up over layers.
TOLERANCE = {"torch-cuda-tf32": 1e-2, "torch-cuda-bf16": 1e-1}
DEFAULT_TOLERANCE = 1e-3

#: Of whole numbers, which a sum on the edge between two steps rounds to either one: so many may be a step away from those of the reference.
OTHER_STEPS = 0.01

#: The runtime that says what is right; it is not compared with itself.
REFERENCE = "onnxruntime"


#: Kinds that hand on the numbers they get.
_SAME_NUMBERS = frozenset({"Identity", "Dropout", "Reshape", "Flatten", "Squeeze", "Unsqueeze"})


def before_softmax(data: bytes) -> bytes | None:
    """The model whose outputs, where a softmax makes them, are the inputs of that softmax; None when that changes nothing."""
    model = parse(data)
    maker = {value: node for node in model.graph.node for value in node.output}
    changed = False
    for index, output in enumerate(model.graph.output):
        node = maker.get(output.name)
        while node is not None and node.op_type in _SAME_NUMBERS and node.input[0] in maker:
            node = maker[node.input[0]]
        if node is not None and node.op_type in ("Softmax", "LogSoftmax") and node.input[0] in maker and output.type is not None:
            element = output.type.tensor_type.elem_type if output.type.tensor_type is not None else 1
            model.graph.output[index] = ValueInfoProto(name=node.input[0], type=TypeProto(tensor_type=TensorType(elem_type=element)))
            changed = True
    return model.encode() if changed else None


def wrong_result(runtime: str, outputs: Sequence[Array], reference: Sequence[Array]) -> str | None:
    """What is wrong with the outputs of a runtime, in one line; None when they agree with those of the reference."""
    tolerance = TOLERANCE.get(runtime, DEFAULT_TOLERANCE)
    if len(outputs) != len(reference):
        return f"wrong result: {len(outputs)} outputs, {REFERENCE} gives {len(reference)}"
    for index, (mine, right) in enumerate(zip(outputs, reference, strict=True)):
        if mine.shape != right.shape:
            return f"wrong result: output {index} has shape {mine.shape}, {REFERENCE} gives {right.shape}"
        a, b = mine.astype(np.float64), right.astype(np.float64)
        finite = np.isfinite(b)
        if not np.array_equal(np.isfinite(a), finite):
            return f"wrong result: output {index} is finite in other places than that of {REFERENCE}"
        if not finite.any():
            continue
        scale = max(float(np.abs(b[finite]).max()), 1e-30)
        apart = np.abs(a[finite] - b[finite])
        if right.dtype.kind in "iu" and apart.max() <= 1 and (apart > 0).sum() <= max(1, OTHER_STEPS * apart.size):
            continue
        worst = float(apart.max()) / scale
        if worst > tolerance:
            return f"wrong result: output {index} differs from that of {REFERENCE} by {worst:.2g} of its scale ({tolerance:g} is accepted)"
    return None
