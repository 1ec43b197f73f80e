from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from device_profiles.errors import InputError
from device_profiles.operators import Network
from hwnas.spaces import load as load_space
from hwnas.spaces.mobilenet import MobileNetSpace, Stage
from predictors import cost_table
from predictors.cost_table import CostTable
from predictors.network import NetworkPredictor


@pytest.fixture(scope="module")
def table(lab: SimpleNamespace, space: SimpleNamespace, predictor: NetworkPredictor) -> CostTable:
    return predictor.compile(space, lab.fusing)


def test_equals_the_graph_path(lab: SimpleNamespace, table: CostTable) -> None:
    assert table.check(lab.fusing, 50, np.random.default_rng(0)) < 1e-12
    assert table.deviation == 0


def test_intervals_equal_the_graph_path(
    lab: SimpleNamespace, space: SimpleNamespace, predictor: NetworkPredictor, table: CostTable
) -> None:
    archs = space.sample(20, np.random.default_rng(1))
    expected = [predictor.predict(lab.fusing(space.network(arch))).latency_ms for arch in archs]
    np.testing.assert_allclose(table.interval(archs), [[q.low, q.high] for q in expected])


def test_macs_and_params_are_those_of_the_network_as_written(space: SimpleNamespace, table: CostTable) -> None:
    archs = space.sample(20, np.random.default_rng(2))
    networks = [space.network(arch) for arch in archs]
    assert table.column("macs", archs).tolist() == [net.macs for net in networks]
    assert table.column("params", archs).tolist() == [net.params for net in networks]
    assert table.column("latency_ms", archs).tolist() == table.price(archs).tolist()


def test_with_the_real_runtime_and_the_space_of_the_quickstart(predictor: NetworkPredictor) -> None:
    space = load_space("mobilenet-small", classes=10, resolution=16, channels=1)
    calls: list[float] = []
    table = predictor.compile(space, progress=lambda share, _: calls.append(share))
    with predictor.lowering() as lower:
        assert table.check(lower, 8, np.random.default_rng(3)) < 1e-3
    assert calls == sorted(calls)
    assert calls[-1] == 1.0


def test_choices_that_do_nothing_do_not_change_the_price(space: SimpleNamespace, table: CostTable) -> None:
    raw = np.random.default_rng(4).integers(0, space.cardinalities, size=(500, len(space.choices)))
    assert not np.array_equal(raw, space.canonical(raw))
    assert table.price(raw).tolist() == table.price(space.canonical(raw)).tolist()


@pytest.mark.parametrize("n", [0, 1, cost_table._CHUNK, cost_table._CHUNK + 1, 3 * cost_table._CHUNK - 5])
def test_chunks_do_not_show(space: SimpleNamespace, table: CostTable, n: int) -> None:
    archs = space.sample(n, np.random.default_rng(5))
    prices = table.price(archs)
    assert prices.shape == (n,)
    assert table.interval(archs).shape == (n, 2)
    for i in {0, n // 2, n - 1} & set(range(n)):
        assert prices[i] == table.price(archs[i : i + 1])[0]


@pytest.mark.parametrize("kind", [np.int8, np.uint16, np.int32, np.int64, np.float64])
def test_any_integers_in_any_order(space: SimpleNamespace, table: CostTable, kind: type) -> None:
    archs = space.sample(50, np.random.default_rng(6))
    expected = table.price(archs).tolist()
    assert table.price(archs.astype(kind)).tolist() == expected
    assert table.price(np.asfortranarray(archs.astype(kind))).tolist() == expected
    assert table.price(archs.tolist()).tolist() == expected


def test_one_architecture_alone(space: SimpleNamespace, table: CostTable) -> None:
    assert table.price(space.smallest()[0]).shape == (1,)


@pytest.mark.parametrize(("column", "value"), [(0, -1), (0, 2), (5, 99), (21, -5)])
def test_illegal_choices_are_named(space: SimpleNamespace, table: CostTable, column: int, value: int) -> None:
    archs = space.sample(30, np.random.default_rng(7))
    archs[17, column] = value
    with pytest.raises(InputError, match=space.choices[column].name):
        table.price(archs)


def test_wrong_shapes_and_halves_are_refused(space: SimpleNamespace, table: CostTable) -> None:
    for wrong in (np.zeros((3, 5), int), np.full((2, len(space.choices)), 0.5)):
        with pytest.raises(InputError):
            table.price(wrong)


def test_unknown_columns_and_parts_are_named(table: CostTable) -> None:
    with pytest.raises(InputError, match="did you mean 'macs'"):
        table.column("mac", np.zeros((1, 22), int))
    with pytest.raises(InputError, match="did you mean 'head'"):
        table.part_prices("heads")


def test_part_prices_are_the_configurations_of_a_part(space: SimpleNamespace, table: CostTable) -> None:
    assert table.names == tuple(part.name for part in space.parts)
    assert len(table.part_prices("stem")) == 1
    assert len(table.part_prices("head")) == 3
    second = table.part_prices("stage1.block2").reshape(2, 2, 2, 3)  # width, depth, kernel, expansion
    assert (second[:, 0] == 0).all()  # depth 1: there is no second block
    assert (second[:, 1] > 0).all()


def test_a_runtime_that_looks_at_neighbours_is_noticed(lab: SimpleNamespace, space: SimpleNamespace, predictor: NetworkPredictor) -> None:
    """The stem becomes another kernel when the network is deep: no table of parts can know; the deviation says so and widens intervals."""

    def moody(network: Network) -> Network:
        executed = lab.fusing(network)
        if len(executed.nodes) < 20:
            return executed
        slower = replace(executed.nodes[0], operator=lab.conv(64, 64, 28, kernel=3))
        return replace(executed, nodes=(slower, *executed.nodes[1:]))

    table = predictor.compile(space, moody)
    assert table.deviation > 0.01
    assert table.check(moody, 30, np.random.default_rng(8)) > 0.001
    steady = predictor.compile(space, lab.fusing)
    archs = space.sample(5, np.random.default_rng(9))
    assert (table.interval(archs)[:, 1] / table.price(archs) > steady.interval(archs)[:, 1] / steady.price(archs)).all()


def test_a_node_of_no_part_stops_compiling(lab: SimpleNamespace, space: SimpleNamespace, predictor: NetworkPredictor) -> None:
    def stray(network: Network) -> Network:
        executed = lab.fusing(network)
        first = replace(executed.nodes[0], name="x", inputs=("elsewhere", "u", "v"), outputs=("nowhere",))
        return replace(executed, nodes=(first, *executed.nodes[1:]))

    with pytest.raises(InputError, match="belongs to no part"):
        predictor.compile(space, stray)


def test_a_configuration_never_shown_is_not_free(space: SimpleNamespace, table: CostTable) -> None:
    holes = CostTable(space, np.full((4, table._size), np.nan), 0.0, table._doubt, 0.0, table._predict)
    with pytest.raises(InputError, match="never shown"):
        holes.price(space.smallest())


def test_large_tables_are_indexed_in_double(monkeypatch: pytest.MonkeyPatch, space: SimpleNamespace, table: CostTable) -> None:
    archs = space.sample(100, np.random.default_rng(10))
    single = table.price(archs).tolist()
    monkeypatch.setattr(cost_table, "_EXACT", 10)
    assert table.price(archs).tolist() == single


def test_a_larger_space(lab: SimpleNamespace, predictor: NetworkPredictor) -> None:
    stages = [Stage((16, 24), (1, 2, 3, 4), (3, 5, 7), (3, 4), 2 if i < 4 else 1) for i in range(5)]
    space = MobileNetSpace(stages, classes=10, channels=3, resolution=64)
    assert (len(space.choices), len(space.parts)) == (50, 22)
    table: CostTable = predictor.compile(space, identity)
    assert table.check(identity, 10, np.random.default_rng(11)) < 1e-12


def identity(network: Network) -> Network:
    return network
