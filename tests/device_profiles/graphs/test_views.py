"""Views are timed on one element: alone they would copy what a network does not move."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest

from device_profiles.graphs import models
from device_profiles.graphs.views import VIEWS, as_in_a_network
from device_profiles.items import Item, plan_items
from device_profiles.operators import Operator, Tensor
from device_profiles.plan import Plan
from device_profiles.protocol import Protocol
from device_profiles.runtimes import RuntimeProcess

X = Tensor((1, 640, 640))


def axes(*values: int) -> Tensor:
    return Tensor((len(values),), "int64", constant=True, values=values)


SEEN = [
    Operator("Reshape", (X, axes(640, -1, 4)), (Tensor((640, 160, 4)),)),
    Operator("Reshape", (X, axes(0, 0, 10, 64)), (Tensor((1, 640, 10, 64)),)),
    Operator("Flatten", (X,), (Tensor((640, 640)),), (("axis", 2),)),
    Operator("Squeeze", (X, axes(0)), (Tensor((640, 640)),)),
    Operator("Squeeze", (X,), (Tensor((640, 640)),), (("axes", (0,)),)),
    Operator("Unsqueeze", (X, axes(1, 4)), (Tensor((1, 1, 640, 640, 1)),)),
    Operator("Identity", (X,), (X,)),
]

LEFT = [
    Operator("Squeeze", (X,), (Tensor((640, 640)),)),
    Operator("Reshape", (X, Tensor((2,), "int64")), (Tensor((640, 640)),)),
    Operator("Identity", (), (X,)),
    Operator("Identity", (X,), (X, X)),
    Operator("Relu", (X,), (X,)),
    Operator("Transpose", (X,), (X,), (("perm", (0, 2, 1)),)),
]


@pytest.mark.parametrize("operator", SEEN, ids=lambda operator: operator.key[:40])
def test_a_view_of_one_element_is_a_model_of_the_same_kind(operator: Operator) -> None:
    small = as_in_a_network(operator)
    assert (small.kind, small.attributes) == (operator.kind, operator.attributes)
    session = onnxruntime.InferenceSession(models.operator_model(small), providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()
    (found,) = session.run(None, {given.name: np.ones(given.shape, np.float32)})
    assert found.shape == (1,) * len(operator.outputs[0].shape)


@pytest.mark.parametrize("operator", LEFT, ids=lambda operator: operator.key[:40])
def test_what_moves_or_is_not_known_stays(operator: Operator) -> None:
    assert as_in_a_network(operator) is operator


def test_a_view_takes_no_longer_the_more_it_shows(runtime: RuntimeProcess) -> None:
    assert {operator.kind for operator in SEEN} == VIEWS
    copies = Operator("Neg", (X,), (X,))
    items = plan_items(Plan((*SEEN, copies), ()), Protocol())
    assert all((item.copies > 1) == (item.key != copies.key) for item in items)
    times = {item.key: median_ns(runtime, item) / item.copies for item in items}
    alone = times.pop(copies.key)
    assert max(times.values()) < alone / 4


def median_ns(runtime: RuntimeProcess, item: Item) -> float:
    handle = runtime.load(item.model(), item.isolated)
    times = runtime.time(handle, warmup=3, block_ns=0, min_calls=15, max_calls=15)
    runtime.unload(handle)
    return float(np.median(times))
