"""A model of one operator that is steered by indices runs, and reads all over what they point into."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest

from device_profiles.graphs import models
from device_profiles.operators import Operator, Tensor

X = Tensor((1, 40, 16))

OPERATORS = [
    Operator("Gather", (X, Tensor((70,), "int64", constant=True)), (Tensor((1, 70, 16)),), (("axis", 1),)),
    Operator("Gather", (X, Tensor((70,), "int32", constant=True)), (Tensor((1, 40, 70)),), (("axis", -1),)),
    Operator("GatherElements", (X, Tensor((1, 90, 16), "int64", constant=True)), (Tensor((1, 90, 16)),), (("axis", 1),)),
    Operator("GatherND", (X, Tensor((80, 2), "int64", constant=True)), (Tensor((80, 16)),)),
    Operator("GatherND", (X, Tensor((1, 80, 1), "int64", constant=True)), (Tensor((1, 80, 16)),), (("batch_dims", 1),)),
    Operator("ScatterND", (X, Tensor((1, 30, 2), "int64", constant=True), Tensor((1, 30, 16))), (X,)),
    Operator("ScatterElements", (X, Tensor((1, 9, 16), "int64", constant=True), Tensor((1, 9, 16))), (X,), (("axis", 1),)),
]


@pytest.mark.parametrize("operator", OPERATORS, ids=lambda operator: operator.key[:40])
def test_indices_are_legal_and_spread(operator: Operator) -> None:
    session = onnxruntime.InferenceSession(models.operator_model(operator), providers=["CPUExecutionProvider"])
    feeds = {v.name: np.arange(np.prod(v.shape)).reshape(v.shape).astype(np.float32) + 1 for v in session.get_inputs()}
    (output,) = session.run(None, feeds)
    assert output.shape == operator.outputs[0].shape
    assert len(np.unique(output)) > 100
