from __future__ import annotations

import pytest

from device_profiles.builder import NetworkBuilder
from device_profiles.errors import InputError
from device_profiles.items import background_items, plan_items
from device_profiles.operators import Network, Tensor
from device_profiles.plan import Plan, WholeNetwork, make_plan, spread
from device_profiles.protocol import Protocol


def chain(name: str, *widths: int) -> Network:
    net, x = NetworkBuilder(name, {"x": Tensor((1, 16, 8, 8))}), "x"
    for i, width in enumerate(widths):
        x = net.conv(f"c{i}", x, width, 3)
    return net.build(x)


def test_distinct_operators_heaviest_first() -> None:
    plan = make_plan([chain("a", 16, 16, 256), chain("b", 16, 16)])
    assert len(plan.operators) == 2
    assert plan.operators[0].outputs[0].shape[1] == 16  # all of one network and a little of the other
    often = make_plan([chain("a", *[32] * 30, 64)])
    assert often.operators[0].outputs[0].shape[1] == 32  # cheaper than the other, but thirty times
    assert make_plan([]).operators == ()


def test_a_kernel_of_which_nothing_is_known_comes_before_more_of_the_same() -> None:
    net, x = NetworkBuilder("n", {"x": Tensor((1, 64, 16, 16))}), "x"
    for i, width in enumerate((64, 66, 68, 70, 72, 74)):
        x = net.conv(f"c{i}", x, width, 3)
    x = net.activation("relu", x)
    plan = make_plan([net.build(net.conv("p", x, 128, 3, 2))])
    strides = [op.attribute("strides", (1, 1)) for op in plan.operators if op.kind == "Conv"]
    assert strides[:2] == [(1, 1), (2, 2)]  # though each of the others takes twice the time


def test_order_does_not_depend_on_the_order_of_networks() -> None:
    networks = [chain("a", 16, 32), chain("b", 64, 16), chain("c", 16)]
    assert make_plan(networks).operators == make_plan(networks[::-1]).operators


def test_spread_takes_the_ends_and_between() -> None:
    networks = [WholeNetwork(str(w), b"", chain(str(w), w)) for w in (16, 512, 64, 128, 32, 256)]
    assert [n.name for n in spread(networks, 3)] == ["16", "64", "512"]
    assert [n.name for n in spread(networks, 99)] == ["16", "32", "64", "128", "256", "512"]
    assert [n.name for n in spread(networks, 1)] == ["16"]


def test_two_networks_of_one_name_are_refused() -> None:
    same = [WholeNetwork("resnet50/1x3x224x224", b"", chain("a", width)) for width in (8, 16)]
    with pytest.raises(InputError, match="two networks are called resnet50/1x3x224x224; give each a name of its own"):
        make_plan([network.executed for network in same], same)


def test_items_mix_networks_into_operators_and_lose_none() -> None:
    networks = tuple(WholeNetwork(f"n{w}", b"", chain(f"n{w}", w)) for w in (16, 32, 48))
    plan = Plan(make_plan([n.executed for n in networks] + [chain("x", 64, 80, 96, 112, 128)]).operators, networks)
    items = plan_items(plan, Protocol())
    assert sorted(i.key for i in items) == sorted([*(op.key for op in plan.operators), "network/n16", "network/n32", "network/n48"])
    assert not items[0].isolated
    assert plan_items(Plan((), networks), Protocol())[2].key == "network/n48"
    assert [i.key for i in background_items()] == ["floor", "canary/conv", "canary/add"]
