"""What the real runtime executes, against which the lowering is compared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

import onnxruntime
import pytest

from device_profiles import lowering, onnx_io
from device_profiles.atlas.sketch import Sketch
from device_profiles.fingerprint import device_fingerprint
from device_profiles.graphs.models import network_model
from device_profiles.runtimes import RuntimeProcess

Agrees = Callable[[Sketch, str], list[str]]


@pytest.fixture(scope="session")
def block() -> int:
    found = lowering.block_of(device_fingerprint(), {"name": "onnxruntime", "version": onnxruntime.__version__})
    if found is None:
        pytest.skip(f"the lowering was not compared with onnxruntime {onnxruntime.__version__} on this processor")
    return found


@pytest.fixture(scope="session")
def asked() -> Iterator[RuntimeProcess]:
    with RuntimeProcess() as process:
        yield process


@pytest.fixture
def agrees(block: int, asked: RuntimeProcess) -> Agrees:
    """Lowers the network of a sketch from its file and as it is, compares both with the runtime, and returns the kinds of the operators."""

    def compare(sketch: Sketch, *results: str) -> list[str]:
        network = sketch.build(*results)
        model = network_model(network)
        real = Counter(op.key for op in asked.executed_graph(model).operators)
        mine = lowering.lower_file(*onnx_io.read_traced(model), block)
        assert Counter(op.key for op in mine.operators) == real
        assert Counter(op.key for op in lowering.lower_network(network, block).operators) == real
        return sorted(op.kind for op in mine.operators)

    return compare
