"""Activations that run inside the kernel of the convolution before them."""

from __future__ import annotations

from collections.abc import Mapping

from device_profiles.lowering.draft import Draft, Step, Unsure
from device_profiles.operators import AttributeValue

#: Activations without numbers that a convolution computes itself; those with numbers are in `activation_attributes`.
PLAIN = ("Relu", "Sigmoid", "Tanh")

#: The least and the largest number of 32 bits: the bounds of a Clip that has none.
LEAST, MOST = -3.4028234663852886e38, 3.4028234663852886e38

#: Activations that a Gemm computes itself, and those of which that depends.
_GEMM_PLAIN = ("Relu", "Sigmoid", "Tanh", "Softplus", "Softsign")
_GEMM_NUMBERS = ("Elu", "HardSigmoid", "LeakyRelu", "Selu", "ThresholdedRelu")


def fuse_activations(draft: Draft) -> None:
    """Conv + activation -> microsoft.FusedConv, where nothing else reads the convolution."""
    for conv in draft.steps("Conv"):
        after = draft.only_reader(conv.outputs[0])
        attributes = None if after is None else activation_attributes(draft, after)
        if after is not None and attributes is not None and draft.tensors[conv.outputs[0]].dtype == "float32":
            conv.kind = "microsoft.FusedConv"
            conv.attributes = {**conv.attributes, **attributes}
            draft.absorb(conv, after)


def activation_attributes(draft: Draft, step: Step) -> Mapping[str, AttributeValue] | None:
    """What a convolution states about an activation that it computes itself; None for a step that it does not compute."""
    if step.kind in PLAIN:
        return {"activation": step.kind}
    numbers = _numbers(draft, step)
    return None if numbers is None else {"activation": step.kind, "activation_params": numbers}


def _numbers(draft: Draft, step: Step) -> tuple[float, ...] | None:
    given = step.attributes
    if step.kind == "LeakyRelu":
        return (_number(given.get("alpha", 0.01)),)
    if step.kind == "HardSigmoid":
        return (_number(given.get("alpha", 0.2)), _number(given.get("beta", 0.5)))
    if step.kind == "Clip" and len(step.inputs) == 1:
        return (_number(given.get("min", LEAST)), _number(given.get("max", MOST)))
    if step.kind == "Clip":
        bounds = [step.inputs[i] if len(step.inputs) > i else "" for i in (1, 2)]
        if all(not value or draft.constant(value) for value in bounds):
            low, high = (draft.scalar(value) if value else limit for value, limit in zip(bounds, (LEAST, MOST), strict=True))
            return None if low is None or high is None else (low, high)
    return None


def _number(value: AttributeValue) -> float:
    assert isinstance(value, int | float)
    return float(value)


def fuse_gemm_activations(draft: Draft) -> None:
    """Gemm + activation -> microsoft.FusedGemm, where nothing else reads the product."""
    for gemm in draft.steps("Gemm"):
        after = draft.only_reader(gemm.outputs[0])
        if after is None or draft.tensors[gemm.outputs[0]].dtype != "float32":
            continue
        if after.kind in _GEMM_NUMBERS:
            raise Unsure(f"{after.kind} behind a Gemm")  # with some operator sets it is fused, with others it is not
        if after.kind in _GEMM_PLAIN:
            gemm.kind = "microsoft.FusedGemm"
            gemm.attributes = {**gemm.attributes, "activation": after.kind}
            draft.absorb(gemm, after)
