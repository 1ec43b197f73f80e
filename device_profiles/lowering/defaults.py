"""Attributes that the runtime states although a file does not: defaults of the operator set that the file is written in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache

import onnx.defs
from onnx import AttributeProto

from device_profiles.lowering.draft import Unsure
from device_profiles.operators import AttributeValue

#: Kinds that the runtime makes itself.
CREATED: dict[str, dict[str, AttributeValue]] = {
    "microsoft.FusedConv": {},
    "microsoft.QuickGelu": {},
    "microsoft.Gelu": {},
    "microsoft.FusedMatMul": {},
    "microsoft.FusedGemm": {},
    "microsoft.SkipLayerNormalization": {},
    "nchwc.Conv": {},
    "nchwc.MaxPool": {},
    "nchwc.AveragePool": {},
    "nchwc.GlobalAveragePool": {},
    "nchwc.GlobalMaxPool": {},
    "nchwc.Upsample": {},
    "nchwc.ReorderInput": {"channels_last": 0},
    "nchwc.ReorderOutput": {"channels_last": 0},
}


def stated_defaults(kinds: Iterable[str], opset: int) -> dict[str, Mapping[str, AttributeValue]]:
    """Kind -> its attributes with defaults, for standard kinds. Raises Unsure for a kind that the operator set does not have."""
    return {kind: _defaults(kind, opset) for kind in kinds if "." not in kind}


@lru_cache(maxsize=1024)
def _defaults(kind: str, opset: int) -> Mapping[str, AttributeValue]:
    try:
        schema = onnx.defs.get_schema(kind, opset)
    except onnx.defs.SchemaError as error:
        raise Unsure(f"operator {kind} is none of operator set {opset}") from error
    found: dict[str, AttributeValue] = {}
    for name, attribute in schema.attributes.items():
        default = attribute.default_value
        if default.type == AttributeProto.INT:
            found[name] = default.i
        elif default.type == AttributeProto.FLOAT:
            found[name] = default.f
        elif default.type == AttributeProto.STRING:
            found[name] = default.s.decode()
    return found
