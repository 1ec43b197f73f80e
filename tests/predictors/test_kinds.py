from __future__ import annotations

from device_profiles.operators import Operator
from predictors.kinds import FAMILIES, KINDS_BY_FAMILY, element_work, fused_work, kind_code, kind_family, short_kind


def test_every_kind_is_listed_once() -> None:
    kinds = [kind for group in KINDS_BY_FAMILY.values() for kind in group]
    assert len(set(kinds)) == len(kinds)


def test_columns_of_saved_predictors_keep_their_place() -> None:
    """Appending is fine; whoever moves a family or a kind must give device.json a new schema."""
    assert FAMILIES[:8] == ("conv", "pointwise", "depthwise", "grouped", "deconv", "matmul", "attention", "pool")
    assert FAMILIES[-1] == "other"
    assert [kind_code(kind) for kind in ("Conv", "MatMul", "Relu", "Transpose", "unheard of")] == [1, 2, 1, 3, 0]


def test_short_kinds() -> None:
    names = {"nchwc.Conv": "Conv", "microsoft.FusedConv": "Conv", "microsoft.NhwcFusedConv": "Conv", "Add": "Add", "a.b.Odd": "Odd"}
    assert {kind: short_kind(Operator(kind, (), ())) for kind in names} == names


def test_unknown_kinds_are_other() -> None:
    assert kind_family("Odd") == "other"
    assert element_work("Odd") == 1.0


def test_functions_cost_more_than_comparisons() -> None:
    assert 0 == element_work("") < element_work("Relu") < element_work("Div") < element_work("Sigmoid")


def test_activations_inside_a_kernel_are_told_apart_and_a_bound_is_free() -> None:
    costs = [fused_work(kind) for kind in ("Relu", "Clip", "LeakyRelu", "HardSigmoid", "HardSwish", "Sigmoid")]
    assert costs == sorted(set(costs))
    assert fused_work("") == fused_work("Relu") == 0
    assert element_work("Relu") == element_work("HardSwish")  # alone both wait for memory
