"""An attribute that is left out is one that the kernel would take anyway."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnx.defs
import onnxruntime
import pytest
from onnxruntime.capi import onnxruntime_pybind11_state as state

from device_profiles.graphs import models
from device_profiles.graphs.graph import neutral
from device_profiles.operators import Operator, Tensor

VALUES: tuple[Any, ...] = ("NOTSET", 0, 1, 1.0, 0.9, (1, 1), (0, 0, 0, 0))


def defaults() -> list[tuple[str, str, Any]]:
    """Kind, attribute and its default, of every standard operator and of those that the runtime makes."""
    schemas = [*onnx.defs.get_all_schemas_with_history(), *getattr(state, "get_all_operator_schema", list)()]
    found = []
    for schema in schemas:
        for name, attribute in schema.attributes.items():
            proto = getattr(attribute, "default_value", None) or onnx.AttributeProto.FromString(attribute._default_value)
            if isinstance(proto, bytes):
                proto = onnx.AttributeProto.FromString(proto)
            value = onnx.helper.get_attribute_value(proto) if proto.type else None
            found.append((schema.name, name, value.decode() if isinstance(value, bytes) else value))
    return found


def test_what_is_left_out_is_the_default_of_the_operator() -> None:
    wrong = [
        (kind, name, value, default)
        for kind, name, default in defaults()
        for value in VALUES
        if neutral(kind, name, value) and default is not None and not isinstance(default, list) and default != pytest.approx(value)
    ]
    assert not wrong


@pytest.mark.parametrize(
    ("kind", "scale"), [("microsoft.QuickGelu", 1.0), ("microsoft.QuickGelu", 1.702), ("HardSigmoid", 1.0), ("Elu", 1.0)]
)
def test_an_isolated_operator_computes_what_the_network_does(kind: str, scale: float) -> None:
    kept = () if neutral(kind.rsplit(".", 1)[-1], "alpha", scale) else (("alpha", scale),)
    x = Tensor((1, 8))
    session = onnxruntime.InferenceSession(models.operator_model(Operator(kind, (x,), (x,), kept)), providers=["CPUExecutionProvider"])
    given = np.linspace(-3, 3, 8, dtype=np.float32)[None]
    (found,) = session.run(None, {session.get_inputs()[0].name: given})
    with np.errstate(over="ignore"):
        right = {
            "microsoft.QuickGelu": given / (1 + np.exp(-scale * given)),
            "HardSigmoid": np.clip(scale * given + 0.5, 0, 1),
            "Elu": np.where(given < 0, scale * np.expm1(given), given),
        }[kind]
    np.testing.assert_allclose(found, right, rtol=1e-4, atol=1e-5)
