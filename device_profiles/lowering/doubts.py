"""Patterns that the runtime rewrites under conditions that are not modelled here: a graph that holds one is unsure."""

from __future__ import annotations

from device_profiles.lowering.draft import Draft, Step, Unsure


def refuse_unmodelled(draft: Draft) -> None:
    """Raises Unsure, with the pattern's name, for a graph as it is written."""
    for step in draft.steps():
        for kinds, pattern, found in _PATTERNS:
            if step.kind in kinds and found(draft, step):
                raise Unsure(pattern)


def _follows(draft: Draft, step: Step, *kinds: str) -> bool:
    """Whether nothing but a step of these kinds reads what a step makes."""
    after = draft.only_reader(step.outputs[0])
    return after is not None and after.kind in kinds


def _comes_after(draft: Draft, step: Step, *kinds: str) -> bool:
    """Whether a step reads what a step of these kinds makes."""
    return any(maker.kind in kinds for value in step.inputs if (maker := draft.maker.get(value)) is not None)


def _relu_clip(draft: Draft, step: Step) -> bool:
    return _follows(draft, step, "Clip")


def _reciprocal(draft: Draft, step: Step) -> bool:
    return draft.constant(step.inputs[0]) and _follows(draft, step, "Mul")


def _norm_of_product(draft: Draft, step: Step) -> bool:
    return _comes_after(draft, step, "MatMul", "Gemm", "Reshape", "Transpose")


def _transposed_gemm(draft: Draft, step: Step) -> bool:
    return _comes_after(draft, step, "Transpose") or _follows(draft, step, "Transpose", "Sum")


def _tanh_gelu(draft: Draft, step: Step) -> bool:
    after = draft.only_reader(step.outputs[0])
    return after is not None and after.kind == "Add" and any(map(draft.constant, after.inputs))


def _biased_gelu(draft: Draft, step: Step) -> bool:
    add = draft.maker.get(step.inputs[0])
    if add is None or add.kind != "Add" or draft.only_reader(add.outputs[0]) is not step:
        return False
    product = {maker.kind for value in add.inputs if (maker := draft.maker.get(value)) is not None}
    return any(len(draft.shape(value)) == 1 for value in add.inputs) and product != {"MatMul"}


def _attention_with_mask(draft: Draft, step: Step) -> bool:
    readers = [reader.kind for reader in draft.readers.get(step.outputs[0], ())]
    return readers.count("MatMul") == 3 and readers.count("Add") == 1


def _gather_and_slice(draft: Draft, step: Step) -> bool:
    return {"Gather", "Slice"} <= {reader.kind for reader in draft.readers.get(step.outputs[0], ())}


_PATTERNS = (
    (("Relu",), "Relu before Clip", _relu_clip),
    (("Div",), "a quotient of a constant before a product", _reciprocal),
    (("BatchNormalization",), "BatchNormalization behind a product of matrices", _norm_of_product),
    (("Gemm",), "a transpose beside a Gemm", _transposed_gemm),
    (("Tanh",), "Gelu by Tanh", _tanh_gelu),
    (("Gelu", "Erf"), "a bias before Gelu", _biased_gelu),
    (("LayerNormalization",), "attention with a mask", _attention_with_mask),
    (("Reshape",), "a gather and a slice of one value", _gather_and_slice),
)
