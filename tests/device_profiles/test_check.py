"""The device here is made up: its times are counted, not taken from the clock, so that what changed is known."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from device_profiles import check as module
from device_profiles.builder import NetworkBuilder
from device_profiles.campaign import Campaign
from device_profiles.check import Check, check
from device_profiles.check_plan import MAX_OPERATORS, carried_ms, chosen_operators, shares
from device_profiles.errors import DeviceError, InputError
from device_profiles.items import background_items
from device_profiles.operators import Tensor
from device_profiles.plan import Plan
from device_profiles.profile import DeviceProfile
from device_profiles.protocol import Protocol
from device_profiles.runtimes import RuntimeProcess
from device_profiles.seal import seal, unseal

FLOOR = background_items()[0].model()
CANARIES = {item.model() for item in background_items()[1:]}


class MadeUp:
    """A runtime whose kernels take a time that follows from their model; `factor(kind)` scales them, kind None for the canaries.

    A real child process stands behind it and is never asked to time anything.
    """

    inner = RuntimeProcess("onnxruntime", 1)

    def __init__(self, factor: Callable[[str | None], float] = lambda kind: 1.0, noise: float = 0.0, version: str = "1.0") -> None:
        self.factor, self.noise, self.version = factor, noise, version
        self.models: list[bytes] = []
        self.rng = np.random.default_rng(0)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def fingerprint(self) -> dict[str, Any]:
        return {"name": "onnxruntime", "version": self.version, "threads": 1, "provider": "made up"}

    def load(self, model: bytes, isolated: bool) -> int:
        assert isolated
        self.models.append(model)
        return len(self.models) - 1

    def unload(self, handle: int) -> None:
        pass

    def block(self, handle: int, **options: Any) -> tuple[np.ndarray[Any, Any], None]:
        model = self.models[handle]
        if model == FLOOR:
            return np.full(50, 1000, dtype=np.int64), None
        nodes = onnx.load_from_string(model).graph.node
        kind = None if model in CANARIES else nodes[0].op_type
        each = 20_000 + len(model) / len(nodes)
        noise = 1 + self.noise * self.rng.random()
        return np.full(20, int(1000 + len(nodes) * each * self.factor(kind) * noise), dtype=np.int64), None


SETTINGS = Protocol(max_rounds=12, prelude_rounds=5, quiet=0.0)


@pytest.fixture(scope="module", autouse=True)
def _end_the_child() -> Iterator[None]:
    yield
    MadeUp.inner.close()


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    net = NetworkBuilder("n", {"x": Tensor((1, 8, 8, 8))})
    x = "x"
    for i in range(30):
        x = net.activation(f"r{i}", net.conv(f"c{i}", x, 8 + 4 * (i % 15), 1 + 2 * (i % 2)))
    network = net.build(net.linear("fc", net.flatten("f", x), 10))
    path = tmp_path_factory.mktemp("check") / "p.jsonl"
    operators = tuple({op.key: op for op in network.operators}.values())
    Campaign(Plan(operators, ()), path, MadeUp(), settings=SETTINGS).run()  # type: ignore[arg-type]
    return path


def checked(path: Path, runtime: MadeUp) -> Check:
    return check(path, runtime, 10.0)  # type: ignore[arg-type]


def test_the_same_device_holds(measured: Path) -> None:
    found = checked(measured, MadeUp())
    assert (found.verdict, found.reasons, found.differences, found.to_measure_again) == ("holds", (), (), [])
    assert found.ratio.value == pytest.approx(1, abs=0.01)
    assert sum(kind.share for kind in found.kinds) == pytest.approx(1)
    assert json.loads(json.dumps(found.to_json(), allow_nan=False))["verdict"] == "holds"


def test_a_slower_device_is_explained_by_the_canaries(measured: Path) -> None:
    found = checked(measured, MadeUp(lambda kind: 1.2))
    assert found.verdict == "changed"
    assert found.canaries is not None
    assert (found.ratio.value, found.canaries.value) == pytest.approx((1.2, 1.2), rel=0.02)
    assert found.left.value == pytest.approx(1, abs=0.02)
    assert found.to_measure_again == []


def test_kernels_that_changed_are_named(measured: Path) -> None:
    found = checked(measured, MadeUp(lambda kind: 0.7 if kind == "Relu" else 1.0, version="2.0"))
    assert found.differences == ("onnxruntime is 2.0 here and was 1.0 in the profile",)
    assert found.verdict == "changed"
    assert found.to_measure_again == ["Relu"]
    by_kind = {kind.kind: kind for kind in found.kinds}
    assert by_kind["Relu"].left.value == pytest.approx(0.7, rel=0.02)
    assert by_kind["Conv"].left.value == pytest.approx(1.0, rel=0.02)
    assert any("Relu takes 70" in reason for reason in found.reasons)


def test_another_version_that_changes_nothing_holds(measured: Path) -> None:
    found = checked(measured, MadeUp(version="2.0"))
    assert (found.verdict, len(found.differences)) == ("holds", 1)


def test_noise_is_not_judged(measured: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MAX_ROUNDS", 7)
    found = checked(measured, MadeUp(noise=1.5))
    assert found.verdict == "undecided"
    assert "too noisy" in found.reasons[0]


def test_a_profile_of_too_few_rounds_is_a_bad_witness(measured: Path, tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    with path.open("wb") as file:
        for text in measured.read_bytes().splitlines():
            line = unseal(text)
            file.write(seal({**line, "warnings": ["few rounds: 3 of 6"]} if line["type"] == "operator" else line))
    assert checked(path, MadeUp()).verdict == "holds"
    found = checked(path, MadeUp(lambda kind: 1.3))
    assert found.verdict == "undecided"
    assert "100% of the compared time" in found.reasons[0]


def test_a_clock_that_steps_changes_nothing(measured: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    days = itertools.count()
    monkeypatch.setattr(time, "time", lambda: 1.7e9 - 86400.0 * next(days))
    assert checked(measured, MadeUp()).verdict == "holds"


def rewritten(path: Path, to: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    first, rest = path.read_bytes().split(b"\n", 1)
    header = json.loads(first)
    change(header)
    to.write_bytes(seal(header) + rest)
    return to


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda h: h["device"].update(cpu="Another 9000"), "its processor is Another 9000, here"),
        (lambda h: h["device"].update(isa=["abacus"]), "instruction sets is abacus"),
        (lambda h: h["runtime"].update(threads=64), "threads 64"),
        (lambda h: h["runtime"].update(name="other"), "name other"),
        (lambda h: h["protocol"].update(block_ms=1e9), "block_ms"),
        (lambda h: h["protocol"].update(max_copies="many"), "max_copies"),
        (lambda h: h.update(origin="published"), "published"),
    ],
)
def test_another_device_is_refused_in_one_line(measured: Path, tmp_path: Path, change: Any, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        checked(rewritten(measured, tmp_path / "p.jsonl", change), MadeUp())
    assert "\n" not in str(caught.value)


def test_another_number_of_cores_is_said_but_measured(measured: Path, tmp_path: Path) -> None:
    found = checked(rewritten(measured, tmp_path / "p.jsonl", lambda h: h["device"].update(cores=512)), MadeUp())
    assert found.verdict == "holds"
    assert any("number of cores" in text and "512" in text for text in found.differences)


def test_nothing_that_runs_any_more_is_a_failure_of_the_device(measured: Path) -> None:
    from device_profiles.runtimes import RuntimeFailure

    class Refusing(MadeUp):
        def load(self, model: bytes, isolated: bool) -> int:
            if model != FLOOR and model not in CANARIES:
                raise RuntimeFailure("not implemented")
            return super().load(model, isolated)

    with pytest.raises(DeviceError, match="not implemented"):
        checked(measured, Refusing())


def test_a_profile_without_operators(measured: Path, tmp_path: Path) -> None:
    (tmp_path / "p.jsonl").write_bytes(measured.read_bytes().split(b"\n")[0] + b"\n")
    with pytest.raises(InputError, match=r"no operator.*hwnas profile"):
        checked(tmp_path / "p.jsonl", MadeUp())
    with pytest.raises(InputError, match="longer budget"):
        check(measured, MadeUp(), 0.5)  # type: ignore[arg-type]


def test_the_choice_is_the_same_every_time_and_holds_every_kind(measured: Path) -> None:
    profile, settings = DeviceProfile.read(measured), Protocol()
    chosen = chosen_operators(profile, settings, 50.0)
    assert chosen == chosen_operators(DeviceProfile.read(measured), settings, 50.0)
    assert 0 < len(chosen) <= MAX_OPERATORS
    assert {op.kind for op in chosen} == {"Conv", "Relu", "Flatten", "Gemm"}
    carried = carried_ms(profile)
    convolutions = sorted((m for m in profile.operators() if m.operator.kind == "Conv"), key=lambda m: -carried[m.key])
    assert convolutions[0].operator in chosen
    assert sum(shares(profile).values()) == pytest.approx(1)
    assert len(chosen_operators(profile, settings, 4.0)) < len(chosen)
    assert chosen_operators(profile, settings, 1.0) == []
