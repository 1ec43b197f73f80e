"""A device that does not exist: operators, times that follow a simple law, profiles of them, and a runtime that fuses."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from types import SimpleNamespace

import numpy as np
import pytest

from device_profiles.operators import Network, Node, Operator, Tensor
from device_profiles.profile import DeviceProfile
from hwnas.spaces.mobilenet import MobileNetSpace, Stage
from predictors.network import NetworkPredictor

CALL_MS, DISPATCH_MS = 0.004, 0.0002


def conv(c_in: int, c_out: int, size: int, kernel: int = 1, stride: int = 1, groups: int = 1, kind: str = "nchwc.Conv") -> Operator:
    """A convolution as onnxruntime executes it, with bias and a fused Relu."""
    out = (size + 2 * (kernel // 2) - kernel) // stride + 1
    weight = Tensor((c_out, c_in // groups, kernel, kernel), constant=True)
    attributes: dict[str, int | str | tuple[int, ...]] = {"activation": "Relu", "kernel_shape": (kernel, kernel)}
    if kernel > 1:
        attributes["pads"] = (kernel // 2,) * 4
    if stride > 1:
        attributes["strides"] = (stride, stride)
    if groups > 1:
        attributes["group"] = groups
    inputs = (Tensor((1, c_in, size, size)), weight, Tensor((c_out,), constant=True))
    return Operator(kind, inputs, (Tensor((1, c_out, out, out)),), tuple(sorted(attributes.items())))


def gemm(rows: int, inner: int, columns: int) -> Operator:
    """A fully connected layer."""
    inputs = (Tensor((rows, inner)), Tensor((columns, inner), constant=True), Tensor((columns,), constant=True))
    return Operator("Gemm", inputs, (Tensor((rows, columns)),), (("transB", 1),))


def elementwise(kind: str, *shape: int) -> Operator:
    """An operator of one input and one output of equal shape."""
    return Operator(kind, (Tensor(shape),), (Tensor(shape),))


def true_ms(op: Operator) -> float:
    """What an operator costs on this device: a roofline with a kernel cost, and less efficiency for narrow depthwise kernels."""
    rate = 2e9 if op.attribute("group", 1) > 1 else 3e10
    moved = (op.read_bytes + op.written_bytes) / 2e10
    return 1e3 * (3e-7 + math.hypot(op.macs / rate, moved))


def some_operators(n: int, seed: int = 0) -> list[Operator]:
    """`n` different operators of several families."""
    rng = np.random.default_rng(seed)
    found: dict[str, Operator] = {}
    while len(found) < n:
        c, o, size = (int(rng.choice(values)) for values in ([16, 32, 48, 64, 96, 128], [16, 32, 64, 128, 192], [4, 7, 8, 14, 16, 28]))
        op = [
            lambda c=c, o=o, size=size: conv(c, o, size),
            lambda c=c, o=o, size=size: conv(c, o, size, kernel=3, stride=int(rng.integers(1, 3))),
            lambda c=c, size=size: conv(c, c, size, kernel=int(rng.choice([3, 5])), groups=c),
            lambda c=c, o=o: gemm(1, c * 4, o),
            lambda c=c, size=size: elementwise("Sigmoid", 1, c, size, size),
        ][int(rng.integers(5))]()
        found.setdefault(op.key, op)
    return list(found.values())


def chain(operators: Sequence[Operator], name: str = "net") -> Network:
    """Operators one after another; their shapes need not fit, prices do not look."""
    nodes = tuple(
        Node(op, f"n{i}", (f"v{i}", *(f"w{i}.{j}" for j in range(1, len(op.inputs)))), (f"v{i + 1}",)) for i, op in enumerate(operators)
    )
    return Network(nodes, {"v0": Tensor((1,))}, (f"v{len(nodes)}",), name)


@dataclass
class FakeDevice:
    """Times operators and networks with a little noise, and writes profiles."""

    noise: float = 0.01
    seed: int = 0

    def samples(self, ms: float, rng: np.random.Generator) -> list[list[float]]:
        rounds = ms * np.exp(np.abs(rng.normal(0, self.noise, (8, 1)))) * np.array([[1.0, 1.02, 1.1]])
        return [[float(v) for v in row] for row in rounds]

    def line(self, ms: float, rng: np.random.Generator) -> dict[str, object]:
        samples = self.samples(ms, rng)
        value = min(row[0] for row in samples)
        quantity = {"value": value, "low": value * (1 - self.noise), "high": value * (1 + self.noise), "origin": "measured"}
        return {"status": "ok", "latency_ms": quantity, "median_ms": value, "p95_ms": value, "samples_ms": samples}

    def network_ms(self, operators: Sequence[Operator]) -> float:
        return CALL_MS + sum(true_ms(op) + DISPATCH_MS for op in operators)

    def profile(
        self, operators: Sequence[Operator], networks: Sequence[Sequence[Operator]] = (), failed: Sequence[Operator] = ()
    ) -> DeviceProfile:
        rng = np.random.default_rng(self.seed)
        lines: list[dict[str, object]] = [
            {"type": "operator", "key": op.key, "operator": op.to_json(), "floor_ms": CALL_MS / 2, **self.line(true_ms(op), rng)}
            for op in operators
        ]
        lines += [
            {"type": "operator", "key": op.key, "status": "failed", "operator": op.to_json(), "error": "crashed: SIGSEGV"} for op in failed
        ]
        for i, ops in enumerate(networks):
            net = chain(ops, f"net{i}")
            facts = {"macs": net.macs, "params": net.params, "peak_activation_bytes": 1.0}
            counts = [[op.to_json(), n] for op, n in net.counts()]
            line = {"type": "network", "key": f"network/{i}", "name": net.name, "operators": counts, **facts}
            lines.append({**line, **self.line(self.network_ms(ops), rng)})
        header = {
            "type": "header", "schema": 1, "device": {"cpu": "imaginary"}, "runtime": {"name": "onnxruntime", "threads": 1},
            "protocol": {"block_ms": 10.0},
        }  # fmt: skip
        return DeviceProfile(header, lines, "ab" * 32)


def some_networks(operators: Sequence[Operator], n: int, seed: int = 1) -> list[list[Operator]]:
    """`n` random sequences of the operators."""
    rng = np.random.default_rng(seed)
    return [[operators[int(i)] for i in rng.integers(0, len(operators), int(rng.integers(5, 25)))] for _ in range(n)]


def fusing(network: Network) -> Network:
    """Like onnxruntime: activations go into convolutions, convolutions are blocked, names are kept in part, nodes are inserted."""
    nodes: list[Node] = []
    renamed: dict[str, str] = {}
    for node in network.nodes:
        inputs = tuple(renamed.get(name, name) for name in node.inputs)
        if node.operator.kind == "Relu" and nodes and nodes[-1].outputs == inputs:
            last = nodes.pop()
            attributes = tuple(sorted((*last.operator.attributes, ("activation", "Relu"))))
            nodes.append(replace(last, operator=replace(last.operator, attributes=attributes), name=f"{node.outputs[0]}_nchwc"))
            renamed[node.outputs[0]] = last.outputs[0]
        elif node.operator.kind == "Conv":
            token = f"reorder_token_{len(nodes)}"
            weights = tuple(f"reorder_weight_{len(nodes)}_{i}" for i in range(1, len(inputs)))
            operator = replace(node.operator, kind="nchwc.Conv")
            nodes.append(Node(operator, f"{node.outputs[0]}_nchwc", (inputs[0], *weights), (token,)))
            renamed[node.outputs[0]] = token
        elif node.operator.kind == "GlobalAveragePool":
            token = f"reorder_token_{len(nodes)}"
            nodes.append(Node(replace(node.operator, kind="nchwc.GlobalAveragePool"), f"{node.outputs[0]}_nchwc", inputs, (token,)))
            back = Operator("nchwc.ReorderOutput", node.operator.outputs, node.operator.outputs)
            nodes.append(Node(back, "ReorderOutput", (token,), node.outputs))
        else:
            nodes.append(replace(node, inputs=inputs))
    return Network(tuple(nodes), network.inputs, network.outputs, network.name)


@pytest.fixture(scope="session")
def device() -> FakeDevice:
    return FakeDevice()


@pytest.fixture(scope="session")
def profile(device: FakeDevice) -> DeviceProfile:
    """60 operators and 12 networks of them."""
    operators = some_operators(60)
    return device.profile(operators, some_networks(operators, 12))


@pytest.fixture(scope="session")
def predictor(profile: DeviceProfile) -> NetworkPredictor:
    return NetworkPredictor().fit(profile)


@pytest.fixture(scope="session")
def space() -> MobileNetSpace:
    """Three stages, 22 choices, 10 parts; every width fills the blocks of 16 channels."""
    stages = [
        Stage(widths=(16, 32), depths=(1, 2), kernels=(3, 5), expansions=(2, 3, 4), stride=1),
        Stage(widths=(32, 48, 64), depths=(1, 2, 3), kernels=(3, 5), expansions=(2, 3, 4), stride=2),
        Stage(widths=(32, 48, 64), depths=(1, 2, 3), kernels=(3, 5), expansions=(2, 3, 4), stride=2),
    ]
    return MobileNetSpace(stages, classes=10, channels=1, resolution=16, stem=16, head=128)


@pytest.fixture(scope="session")
def lab() -> SimpleNamespace:
    """The functions of this file, for tests to call."""
    return SimpleNamespace(**{f.__name__: f for f in (conv, gemm, elementwise, true_ms, some_operators, some_networks, chain, fusing)})
