"""Strategies: which sub-nets they train, and with which gradients."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from device_profiles.errors import InputError
from hwnas.data import Dataset
from hwnas.spaces import MobileNetSpace, Stage
from hwnas.spaces.sharing import SharingSpace
from hwnas.supernet import calibrate, train
from hwnas.supernet.alone import Alone
from hwnas.supernet.base import Supernet
from hwnas.supernet.elastic import ElasticBatchNorm2d
from hwnas.supernet.grouped import GroupedSupernet
from hwnas.supernet.grouping import Grouping, children
from hwnas.supernet.initialise import initialise
from hwnas.supernet.mobilenet import MobileNetSupernet
from hwnas.supernet.strategies import (
    STRATEGIES,
    Batch,
    Fair,
    Grouped,
    Manas,
    OnePath,
    OrderedDropout,
    Progressive,
    Sandwich,
    StandAlone,
    Strategy,
    make,
)  # fmt: skip
from hwnas.supernet.strategies.manas import Agents
from hwnas.torch_tools import to_input


@pytest.fixture
def batch(digits: Dataset) -> Batch:
    images, labels = to_input(digits.train.images[:32]), torch.from_numpy(digits.train.labels[:32])
    return Batch(images, labels, np.random.default_rng(3), 0.5, 0.1)


def gradients(supernet: Supernet) -> dict[str, torch.Tensor]:
    found = {name: torch.zeros_like(p) if p.grad is None else p.grad.clone() for name, p in supernet.named_parameters()}
    supernet.zero_grad()
    return found


@pytest.mark.parametrize("name", STRATEGIES)
def test_every_strategy_keeps_the_contract(name: str, space: MobileNetSpace, batch: Batch) -> None:
    strategy = make(name)
    supernet = strategy.supernet(space)
    initialise(supernet, torch.Generator().manual_seed(1))
    assert isinstance(strategy, Strategy)
    assert strategy.name == name
    assert (type(strategy).__doc__ or "").count("20") >= 1  # the paper and its year
    before = {key: value.clone() for key, value in supernet.state_dict().items()}
    passes = strategy.step(supernet.train(), batch)
    assert passes
    for one in passes:
        assert one.architecture == supernet.architecture(one.architecture)
        assert np.isfinite(one.loss)
        assert 0 <= one.correct <= 32
    assert all(torch.equal(value, before[key]) for key, value in supernet.state_dict().items())  # the optimiser's work is left alone
    assert sum(float(g.abs().sum()) for g in gradients(supernet).values()) > 0
    again = make(name)
    again.load_state(strategy.state())
    assert again.options() == strategy.options()


def test_sandwich_trains_the_largest_the_smallest_and_random_ones(supernet: MobileNetSupernet, space: MobileNetSpace, batch: Batch) -> None:
    passes = Sandwich(random=3).step(supernet.train(), batch)
    expected = [space.largest()[0], space.smallest()[0], *space.sample(3, np.random.default_rng(3))]
    assert [p.architecture for p in passes] == [tuple(a.tolist()) for a in expected]


@pytest.mark.parametrize("distill", [True, False])
def test_sandwich_adds_up_the_gradients_of_its_losses(
    supernet: MobileNetSupernet, space: MobileNetSpace, batch: Batch, distill: bool
) -> None:
    supernet.train()
    Sandwich(random=1, distill=distill).step(supernet, batch)
    found = gradients(supernet)
    supernet.activate(space.largest())
    logits = supernet(batch.images)
    total = F.cross_entropy(logits, batch.labels, label_smoothing=0.1)
    teacher = logits.detach().softmax(1)
    for arch in (space.smallest()[0], space.sample(1, np.random.default_rng(3))[0]):
        supernet.activate(arch)
        student = supernet(batch.images)
        soft = -(teacher * student.log_softmax(1)).sum(1).mean()
        total = total + (soft if distill else F.cross_entropy(student, batch.labels, label_smoothing=0.1))
    total.backward()  # type: ignore[no-untyped-call]
    for name, gradient in gradients(supernet).items():
        assert torch.allclose(found[name], gradient, rtol=1e-3, atol=1e-6), name


def test_one_path_trains_one_uniform_sub_net(supernet: MobileNetSupernet, space: MobileNetSpace, batch: Batch) -> None:
    supernet.train()
    strategy = OnePath()
    passes = [strategy.step(supernet, batch) for _ in range(3)]
    assert [len(p) for p in passes] == [1, 1, 1]
    rng = np.random.default_rng(3)
    assert [p[0].architecture for p in passes] == [tuple(space.sample(1, rng)[0].tolist()) for _ in range(3)]


@pytest.mark.parametrize("name", STRATEGIES)
def test_what_a_strategy_learned_decides_its_next_steps(name: str, space: MobileNetSpace, batch: Batch) -> None:
    """Two steps, the state handed over, and the next two steps are those of the strategy that went on by itself."""
    supernet = make(name).supernet(space).train()
    initialise(supernet, torch.Generator().manual_seed(1))
    batch = replace(batch, held_out=(batch.images, batch.labels))
    first, second = make(name), make(name)
    for _ in range(2):
        first.step(supernet, batch)
    second.load_state({key: tensor.clone() for key, tensor in first.state().items()})
    rngs = [np.random.default_rng(9), np.random.default_rng(9)]
    for _ in range(2):
        steps = []
        for strategy, rng in zip((first, second), rngs, strict=True):
            supernet.zero_grad()
            steps.append((strategy.step(supernet, replace(batch, rng=rng)), gradients(supernet)))
        assert steps[0][0] == steps[1][0]
        assert all(torch.equal(steps[0][1][key], steps[1][1][key]) for key in steps[0][1])
    assert {key: tensor.tolist() for key, tensor in first.state().items()} == {key: t.tolist() for key, t in second.state().items()}


def test_strict_fairness_draws_every_value_equally_often_and_adds_up_the_gradients(
    supernet: MobileNetSupernet, batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    strategy, rng = Fair(), np.random.default_rng(0)
    counts = [np.zeros(n, int) for n in (2, 3, 5)]
    for _ in range(6):
        for column, count in zip(strategy._draw([2, 3, 5], rng).T, counts, strict=True):
            count += np.bincount(column, minlength=len(count))
        assert all(count.max() - count.min() <= 1 for count in counts)
    assert [count.tolist() for count in counts] == [[15, 15], [10, 10, 10], [6] * 5]
    passes = Fair().step(supernet.train(), batch)
    assert len(passes) == 2
    found = gradients(supernet)
    for one in passes:
        supernet.activate(one.architecture)
        F.cross_entropy(supernet(batch.images), batch.labels, label_smoothing=0.1).backward()  # type: ignore[no-untyped-call]
    assert all(torch.allclose(found[key], g, rtol=1e-3, atol=1e-6) for key, g in gradients(supernet).items())


def test_progressive_shrinking_opens_one_dimension_after_the_other(
    supernet: MobileNetSupernet, space: MobileNetSpace, batch: Batch
) -> None:
    strategy = Progressive(largest=0.2)
    words = [choice.name.rpartition(".")[2] for choice in space.choices]
    most = space.cardinalities - 1
    opened = []
    for progress in (0.2, 0.45, 0.65, 0.85):
        low = strategy.lowest(space, progress)
        opened.append({word for word, a, b in zip(words, low, most, strict=True) if a < b})
    assert opened == [{"kernel"}, {"kernel", "depth"}, {"kernel", "depth", "expansion"}, {"kernel", "depth", "expansion", "width"}]
    assert not strategy.lowest(space, 1.0).any()
    largest = tuple(space.largest()[0].tolist())
    assert [p.architecture for p in strategy.step(supernet.train(), replace(batch, progress=0.1))] == [largest]
    assert strategy.state() == {}
    later = strategy.step(supernet, replace(batch, progress=0.99))
    assert len(later) == 2
    teacher = strategy.state()
    with torch.no_grad():
        supernet.classifier.weight.zero_()
    strategy.step(supernet, replace(batch, progress=0.99))
    assert float(teacher["network.classifier.weight"].abs().sum()) > 0  # a copy, which stays as it was


def test_ordered_dropout_needs_masks(batch: Batch, space: MobileNetSpace) -> None:
    supernet = Alone(space, space.largest()[0]).train()
    with pytest.raises(InputError, match="cannot run a sub-net per image"):
        OrderedDropout().step(supernet, batch)
    with pytest.raises(InputError, match="in one process"):
        OrderedDropout().step(MobileNetSupernet(space), replace(batch, total=64))


def test_grouped_steps_touch_one_group_alone(space: MobileNetSpace, batch: Batch) -> None:
    strategy = Grouped(groups=3, prefix=1)
    supernet = strategy.supernet(space).train()
    architecture = strategy.step(supernet, batch)[0].architecture
    group = Grouping(space, 3).of(architecture)
    moved = {name.split(".")[1] for name, p in supernet.named_parameters() if p.grad is not None and not name.startswith("members.0.stem")}
    assert moved == {str(group)}
    assert any(p.grad is not None for name, p in supernet.named_parameters() if name.startswith("members.0.stem"))  # shared by all


def test_the_pieces_of_a_drawn_network_are_its_cells(batch: Batch) -> None:
    space = SharingSpace(10, 1, 8, width=4, cells=2, stem=6)
    pieces = space.supernet().pieces()
    assert list(pieces) == ["stem", "cell1", "cell2", "head"]
    grouped = Grouped(groups=4, prefix=2).supernet(space)
    assert isinstance(grouped, GroupedSupernet)
    first, last = (grouped.member(i) for i in (0, 3))
    paths = [path for paths in pieces.values() for path in paths]
    assert set(paths) == {f"layers.{name}" for name, _ in first.get_submodule("layers").named_children()}
    shared = {path for path in paths if first.get_submodule(path) is last.get_submodule(path)}
    assert shared == {*pieces["stem"], *pieces["cell1"]}
    with pytest.raises(InputError, match=r"prefix 5 is more than the 4 pieces of sharing64: stem, cell1, cell2, head"):
        Grouped(groups=4, prefix=5).supernet(space)


def test_orders_of_turns(space: MobileNetSpace, batch: Batch) -> None:
    tiny = MobileNetSpace((Stage((8, 12), (1,), (3, 5), (2,), 1),), 10, 1, 8, stem=8, head=16)
    everyone = {tuple(row) for row in children(tiny).tolist()}
    assert len(everyone) == tiny.size == 4
    for order in ("fixed", "reshuffled"):
        strategy = Grouped(groups=2, order=order)
        supernet = strategy.supernet(tiny).train()
        turns = [strategy.step(supernet, batch)[0].architecture for _ in range(24)]
        rounds = [turns[i : i + 4] for i in range(0, 24, 4)]
        assert all(set(turn) == everyone for turn in rounds)
        assert (len({tuple(turn) for turn in rounds}) == 1) == (order == "fixed")
    with pytest.raises(InputError, match="unknown order"):
        Grouped(order="random")


@pytest.mark.parametrize("name", ["manas", "manas_ls"])
def test_agents_come_to_prefer_what_has_the_lower_loss(name: str, space: MobileNetSpace) -> None:
    """A world in which the loss is a sum over the choices: every agent should find its own best value."""
    strategy = make(name)
    assert isinstance(strategy, Agents)
    rng, best = np.random.default_rng(0), np.random.default_rng(1).integers(0, space.cardinalities)
    for _ in range(800):
        draws = rng.random(len(best))
        drawn = np.minimum((strategy.policy(space).cumsum(axis=1) <= draws[:, None]).sum(axis=1), space.cardinalities - 1)
        active = space.active(drawn[None])[0]
        strategy.learn(space, drawn, active, 0.1 * float((drawn != best)[active].mean()) + 0.005 * rng.normal() - 0.05)
    policy = strategy.policy(space)
    assert np.allclose(policy.sum(axis=1), 1)
    if name == "manas_ls":
        assert np.allclose(policy[np.arange(len(best)), best], 1 / (1 + 1 / 2))  # Zipf for two values
    assert (policy.argmax(axis=1) == best).mean() >= 0.75
    assert strategy.recommend(space) == tuple(space.canonical(policy.argmax(axis=1))[0].tolist())


def test_agents_are_judged_on_images_that_no_weight_was_trained_on(space: MobileNetSpace, digits: Dataset, batch: Batch) -> None:
    strategy, seen = Manas(), []
    supernet = MobileNetSupernet(space).train()
    supernet.register_forward_pre_hook(lambda _net, inputs: seen.append(inputs[0]))
    held_out = to_input(digits.train.images[32:64])
    for _ in range(2):
        strategy.step(supernet, replace(batch, held_out=(held_out, batch.labels)))
    assert [torch.equal(images, held_out) for images in seen] == [False, True, False]
    with pytest.raises(InputError, match="kept for judging"):
        Manas(held_out=0.0)


def test_stand_alone_is_the_plain_network_trained_as_any_other(space: MobileNetSpace, digits: Dataset) -> None:
    arch = tuple(space.smallest()[0].tolist())
    alone = train(space, digits, strategy=StandAlone(arch), epochs=1)
    assert alone.active == arch
    assert sum(p.numel() for p in alone.parameters()) == space.network(arch).params + sum(
        m.channels for m in alone.modules() if isinstance(m, ElasticBatchNorm2d)
    )
    images = to_input(digits.validation.images[:50])
    calibrate(alone, digits.train.images[:256])
    plain = alone.extract()
    assert not any(isinstance(m, ElasticBatchNorm2d) for m in plain.modules())
    assert torch.allclose(plain(images), alone(images), atol=1e-5)
    with pytest.raises(InputError, match="stand-alone architecture"):
        alone.activate(space.largest())


def test_names_and_options_are_checked() -> None:
    with pytest.raises(InputError, match="unknown strategy 'onepath': did you mean 'one_path'"):
        make("onepath")
    with pytest.raises(InputError, match="unknown option of grouped 'group': did you mean 'groups'"):
        make("grouped", {"group": 3})
    with pytest.raises(InputError, match="a value of a wrong kind"):
        make("grouped", {"groups": "three"})
    with pytest.raises(InputError, match="must not be negative"):
        Sandwich(random=-1)
    own = Sandwich(random=5, distill=False)
    assert make(own) is own
    assert own.options() == {"random": 5, "distill": False}
