from __future__ import annotations

import pytest

from device_profiles.atlas.sketch import Sketch
from device_profiles.lowering.draft import Draft, Unsure, single
from device_profiles.operators import Network, Tensor


def draft() -> Draft:
    s = Sketch("s", (3, 8, 8))
    network = s.build(s.act(s.act(s.act("input", "relu"), "tanh"), "elu"))
    found = Draft(network, s.values)
    for number, node in enumerate(network.nodes):
        found.write(number, node, node.inputs, dict(node.operator.attributes))
    return found


def test_steps_know_who_reads_them() -> None:
    d = draft()
    relu, tanh, elu = d.steps()
    assert d.only_reader(relu.outputs[0]) is tanh
    assert d.only_reader(elu.outputs[0]) is None
    d.absorb(relu, tanh)
    assert [step.kind for step in d.steps()] == ["Relu", "Elu"]
    assert d.only_reader(relu.outputs[0]) is elu
    assert d.maker[elu.inputs[0]] is relu


def test_steps_are_ordered_by_what_they_read() -> None:
    d = draft()
    relu, tanh, _ = d.steps()
    between = d.new_value(Tensor((1, 3, 8, 8)), "between")
    d.add("Neg", [relu.outputs[0]], [between], {})
    d.feed(tanh, 0, between)
    assert [step.kind for step in d.ordered()] == ["Relu", "Neg", "Tanh", "Elu"]


def test_numbers_that_are_not_known_are_not_guessed() -> None:
    d = Draft(Network((), {}, ()), {"c": Tensor((), constant=True), "x": Tensor((1,)), "w": Tensor((3,), constant=True)})
    assert d.scalar("x") is None
    assert d.scalar("w") is None
    with pytest.raises(Unsure, match="'c'"):
        d.scalar("c")


def test_fractions_have_32_bits() -> None:
    assert single(0.1) == pytest.approx(0.10000000149, abs=1e-12)
    assert single((0.1, 1.0)) == (single(0.1), 1.0)
    assert single(3) == 3
