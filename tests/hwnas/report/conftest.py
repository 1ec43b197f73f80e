"""Run folders to report on: written through `hwnas.run`, with numbers of the size that a small CPU and the digits images give."""

from __future__ import annotations

import json
import math
import runpy
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from device_profiles.quantity import Quantity
from hwnas.export import metadata
from hwnas.objectives import Objective
from hwnas.references import uniform
from hwnas.report import write_comparison, write_report
from hwnas.report.architectures import Description
from hwnas.report.model import Audited, Link, Missing, Pair, Phase, ReportData, Verification
from hwnas.run import Run
from hwnas.spaces import MobileNetSpace, Stage
from hwnas.storage import Evaluation, Writer

#: Every way out of text into markup that a template can leave open.
HOSTILE = "</script></style><script>alert(1)</script><img src=x onerror=alert(1)>\"' onmouseover='alert(1)<!-- \u2028 {{ 7*7 }} %{x}"

#: A space of these tests' own: what they expect must not change with the spaces that are shipped.
STAGES = (
    Stage((16, 24), (1, 2), (3, 5), (2, 3, 4), 1),
    Stage((24, 32, 40), (1, 2, 3), (3, 5), (2, 3, 4), 2),
    Stage((32, 48, 64), (1, 2, 3), (3, 5), (2, 3, 4), 2),
)
SPACE = MobileNetSpace(STAGES, classes=10, channels=1, resolution=8, stem=16, head=128)
IMAGES = 360
SPEC = {
    "space": SPACE.spec(), "algorithm": "nsga2", "seed": 7, "evaluations": 240, "constraints": ["latency_ms <= 0.2"],
    "versions": {"hwnas": "0.1.0", "python": "3.11.2", "onnxruntime": "1.31.1"},
    "device": {"name": "xeon-2.80ghz/onnxruntime/1t", "cpu": "Intel(R) Xeon(R) @ 2.80GHz", "cores": 2, "threads": 1},
    "data": {
        "name": "digits", "sha256": "3f1a9c0b7e", "classes": [str(i) for i in range(10)],
        "images": {"train": 1077, "validation": 360, "test": 360},
    },
    "hypervolume_reference": {"accuracy": 0.0, "latency_ms": 0.2},
    "command": ["/venv/bin/hwnas", "search", "--supernet", "supernet", "--device", "device.json", "--evaluations", "240", "--out", "run"],
    "stopped": "budget: 240 evaluations",
}  # fmt: skip


def nothing(archs: Any) -> Any:
    """The function of an objective that is never called."""
    raise AssertionError(archs)


OBJECTIVES = [
    Objective("accuracy", "", "max", True, nothing, origin="measured"),
    Objective("latency_ms", "ms", "min", False, nothing),
]


def latency_ms(arch: tuple[int, ...]) -> float:
    """A latency that grows with MACs and with depth, in the range of tens of microseconds."""
    net = SPACE.network(arch)
    return 0.012 + net.macs / 5.2e6 + len(net.nodes) * 4e-4


def share(rng: np.random.Generator, true: float) -> tuple[float, float, float]:
    """An accuracy counted on `IMAGES` images, with its 90 % Wilson interval."""
    p, n, z = rng.binomial(IMAGES, true) / IMAGES, IMAGES, 1.645
    middle, half = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return p, max(0.0, (middle - half) / (1 + z * z / n)), min(1.0, (middle + half) / (1 + z * z / n))


def rows(n: int, seed: int, skill: float) -> list[Evaluation]:
    """`n` evaluations; with `skill` above 0 later ones gather near good architectures."""
    rng = np.random.default_rng(seed)
    archs = {tuple(row): None for row in SPACE.sample(4 * n, rng).tolist()}
    found = []
    for i, arch in enumerate(list(archs)[:n], 1):
        latency = latency_ms(arch)
        quality = rng.uniform(0, 1 - skill * i / n)
        if skill and rng.random() < 0.35 * i / n:
            latency *= 0.6
        estimates = (share(rng, 0.992 - 0.0028 / latency * 0.4 - 0.05 * quality), (latency, latency * 0.95, latency * 1.055))
        found.append(Evaluation(i, arch, estimates, "ok", started=f"2026-11-21T10:{i // 60 % 60:02d}:{i % 60:02d}+00:00", seconds=0.05))
    return found


def scaled_by_hand() -> list[Evaluation]:
    """The uniform networks, none of them better than what a search finds."""
    found = []
    for i, arch in enumerate(map(tuple, uniform(SPACE).tolist()), 1):
        latency = latency_ms(arch)
        accuracy = 0.985 - 0.0035 / latency * 0.4
        found.append(Evaluation(i, arch, ((accuracy, accuracy - 0.01, accuracy + 0.01), (latency, latency * 0.95, latency * 1.05)), "ok"))
    return found


def write_model(path: Path, architecture: tuple[int, ...]) -> None:
    """A small ONNX file with the metadata of an exported one."""
    make = onnx.helper
    value = make.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1])
    result = make.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1])
    graph = make.make_graph([make.make_node("Relu", ["x"], ["y"])], "model", [value], [result], doc_string="x" * 52_000)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(metadata.write(make.make_model(graph), {"architecture": {"indices": list(architecture)}}))


def write_run(path: Path, evaluations: list[Evaluation], objectives: list[Objective] = OBJECTIVES, **spec: Any) -> Run:
    """A run folder that holds exactly these evaluations."""
    run = Run.create(path, {**SPEC, **spec}, objectives)
    if evaluations:
        with Writer(run.database) as writer:
            writer.add(evaluations)
    return run


def verify(run: Run, rng: np.random.Generator, noise: float = 0.035) -> None:
    """A verify.json in which the device was a little slower than predicted."""
    points = []
    chosen = [("front", p.architecture, p.objectives["latency_ms"]) for p in run.front()]
    chosen += [("random", r.architecture, Quantity(*(r.estimates[1] or ()), "predicted")) for r in run.rows()[:8]]
    for role, arch, predicted in chosen:
        value = predicted.value * (1.01 + noise * rng.standard_normal())
        measured = Quantity(value, value * 0.99, value * 1.012, "measured")
        both = {"predicted_ms": predicted.to_json(), "measured_ms": measured.to_json()}
        points.append({"architecture": list(arch), "role": role, **both, "error": predicted.value / value - 1})
    close = [abs(p["error"]) for p in points]
    (run.path / "verify.json").write_text(json.dumps({
        "verdict": "pass", "reasons": [], "points": points, "coverage": 0.9,
        "within_5": sum(e < 0.05 for e in close) / len(close), "within_10": sum(e < 0.1 for e in close) / len(close),
        "mape": sum(close) / len(close), "spearman": 0.991, "kendall": 0.942,
        "repeat_ceiling": {"within_5": 1.0, "within_10": 1.0, "mape": 0.011, "spearman": 1.0, "kendall": 0.988},
        "violated": [], "front_regret": 0.004,
    }))  # fmt: skip


@pytest.fixture(scope="session")
def full_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run with everything: baseline, test accuracies, verification, ledger, one exported model, front files."""
    run = write_run(tmp_path_factory.mktemp("runs") / "digits-nsga2", rows(240, 7, 0.9))
    write_run(run.path / "baseline", rows(240, 8, 0.0), algorithm="random")
    rng = np.random.default_rng(1)
    accuracies = [
        (p.architecture, "test_accuracy", Quantity(*share(rng, p.objectives["accuracy"].value - 0.004), "measured")) for p in run.front()
    ]
    run.add_extras(accuracies)
    verify(run, rng)
    phases = (("profiling", 83.2, "312 operators, 12 networks"), ("fitting", 2.4, ""), ("training", 96.1, "40 epochs, sandwich rule"),
              ("search", 31.7, "240 evaluations"), ("baseline", 28.9, "random search"), ("verification", 12.8, ""))  # fmt: skip
    for phase in phases:
        run.add_phase(*phase)
    run.write_front()
    write_run(run.path / "references", scaled_by_hand(), algorithm="hand-made")
    write_model(run.path / "models" / "knee.onnx", run.front().knee().architecture)
    return run


@pytest.fixture
def make_run(tmp_path: Path) -> Callable[..., Run]:
    """`make_run(evaluations, **spec)`: a run folder of its own."""
    return lambda evaluations, **spec: write_run(tmp_path / "run", evaluations, **spec)


@pytest.fixture
def hostile() -> Callable[[ReportData], ReportData]:
    """The same data with hostile text in everything that a file or a person can name."""
    return _hostile


def _hostile(data: ReportData) -> ReportData:
    about = Description(HOSTILE, (HOSTILE,), data.front[0].description.parts)
    parts = [replace(part, name=HOSTILE, choices=((HOSTILE, HOSTILE),), output=HOSTILE) for part in about.parts]
    extras = {HOSTILE: Quantity(1, 1, 1, "measured"), "test_accuracy": Quantity(0.9, 0.8, 1, "measured")}
    front = [replace(p, extras=extras, description=replace(about, parts=tuple(parts)), model=Link("./x", HOSTILE, 1)) for p in data.front]
    objectives = [replace(o, label=HOSTILE, unit=HOSTILE) for o in data.objectives]
    pairs = [Pair((0,), HOSTILE, Quantity(1, 1, 1, "predicted"), Quantity(1, 1, 1, "measured"))]
    verification = Verification(False, [HOSTILE], pairs, {"mape": 0.1}, {}, [HOSTILE])
    return ReportData(
        HOSTILE, HOSTILE, [(HOSTILE, HOSTILE)], HOSTILE, HOSTILE, objectives, objectives[0], objectives[1], front, 1, front, {"ok": 1},
        [(HOSTILE, 1)], front, front, data.search_course, data.baseline_course, HOSTILE, verification, [Phase(HOSTILE, 1, HOSTILE)],
        [(HOSTILE, [(HOSTILE, HOSTILE)])], [Link("./x", HOSTILE, 1)], [Link("./x", HOSTILE, 1)],
        {key: Missing(HOSTILE, HOSTILE) for key in ("verification", "evaluations", "front", "baseline", "references", "phases", "models")},
        audit=Audited(HOSTILE, [(HOSTILE, HOSTILE)], [HOSTILE]),
    )  # fmt: skip


@pytest.fixture(scope="session")
def three_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run with a third objective, the number of MACs, on another device and with the same networks as `full_run`."""
    macs = Objective("macs", "", "min", False, nothing)
    found = []
    for row in rows(240, 7, 0.9):
        work = float(SPACE.network(row.architecture).macs)
        accuracy, latency = row.estimates
        assert latency is not None
        slower = tuple(2.5 * value for value in latency)
        found.append(replace(row, estimates=(accuracy, slower, (work, work, work))))
    spec = {"device": {"name": "cortex-a76/onnxruntime/1t"}, "hypervolume_reference": {"accuracy": 0.0, "latency_ms": 0.5, "macs": 1e7}}
    run = write_run(tmp_path_factory.mktemp("runs") / "board", found, [*OBJECTIVES, macs], **spec, constraints=[])
    run.write_front()
    return run


@pytest.fixture(name="write_model")
def _write_model() -> Callable[[Path, tuple[int, ...]], None]:
    """`write_model(path, architecture)`: a small ONNX file that names its architecture."""
    return write_model


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """One tab of Chromium; see `browser.py`."""
    found = runpy.run_path(str(Path(__file__).parent / "browser.py"))
    if found["CHROMIUM"] is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    browser = found["Browser"](tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


@pytest.fixture(scope="session")
def page(full_run: Run) -> Path:
    """The report of `full_run`."""
    return write_report(full_run.path)


@pytest.fixture(scope="session")
def board(three_run: Run) -> Path:
    """The report of `three_run`."""
    return write_report(three_run.path)


@pytest.fixture(scope="session")
def comparison(full_run: Run, three_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page that compares the two."""
    return write_comparison(full_run.path, three_run.path, tmp_path_factory.mktemp("compare") / "compare.html")
