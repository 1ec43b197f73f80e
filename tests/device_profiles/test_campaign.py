from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from device_profiles import onnx_io
from device_profiles.builder import NetworkBuilder
from device_profiles.campaign import Campaign, Outcome
from device_profiles.errors import DeviceError, InputError
from device_profiles.operators import Network, Operator, Tensor
from device_profiles.plan import Plan, WholeNetwork, make_plan
from device_profiles.profile import DeviceProfile
from device_profiles.protocol import Protocol, copies_for
from device_profiles.runtimes import RuntimeCrash, RuntimeProcess
from device_profiles.seal import seal

QUICK = Protocol(block_ms=1.0, min_rounds=3, max_rounds=4, call_us=50.0, max_copies=4, prelude_rounds=5, quiet=0.0)


def plan_for(runtime: RuntimeProcess, networks: list[Network]) -> Plan:
    models = [(net.name, onnx_io.network_model(net)) for net in networks]
    whole = [WholeNetwork(name, model, runtime.executed_graph(model)) for name, model in models]
    return make_plan([w.executed for w in whole], whole)


def run(plan: Plan, path: Path, runtime: RuntimeProcess, **options: Any) -> Outcome:
    return Campaign(plan, path, runtime, settings=QUICK, **options).run()


@pytest.fixture
def plan(runtime: RuntimeProcess, network: Network) -> Plan:
    return plan_for(runtime, [network])


def test_profile_holds_every_item_once_and_repeats_nothing(plan: Plan, runtime: RuntimeProcess, tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    outcome = run(plan, path, runtime)
    assert (outcome.failed, outcome.unfinished, outcome.already) == (0, 0, 0)
    assert outcome.measured == len(plan.operators) + 1
    profile = DeviceProfile.read(path)
    assert {m.key for m in profile.operators()} == {op.key for op in plan.operators}
    (whole,) = profile.networks()
    assert whole.latency_ms.value > 0
    assert whole.macs == plan.networks[0].executed.macs
    assert sum(count for _, count in whole.operators) == len(plan.networks[0].executed.nodes)
    assert not path.with_name("p.jsonl.journal").exists()
    for m in profile.operators():
        assert QUICK.min_rounds <= len(m.samples_ms) <= QUICK.max_rounds
        assert m.latency_ms.low <= m.latency_ms.value <= m.latency_ms.high
    before = path.read_bytes()
    again = run(plan, path, runtime)
    assert (again.measured, again.already) == (0, outcome.measured)
    assert path.read_bytes() == before


def test_more_can_be_added_later(plan: Plan, runtime: RuntimeProcess, tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    run(plan, path, runtime)
    before = path.read_bytes()
    net = NetworkBuilder("other", {"x": Tensor((1, 16, 8, 8))})
    outcome = run(plan_for(runtime, [net.build(net.conv("c", "x", 16, 1))]), path, runtime)
    assert outcome.measured >= 2
    assert path.read_bytes().startswith(before)
    DeviceProfile.read(path)


def test_unfinished_rounds_are_kept(plan: Plan, runtime: RuntimeProcess, tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    seen: list[str] = []

    def stop(share: float, message: str) -> None:
        seen.append(message)
        if len(seen) == QUICK.prelude_rounds + 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(plan, path, runtime, progress=stop)
    journal = path.with_name("p.jsonl.journal")
    kept = [json.loads(line) for line in journal.read_text().splitlines()]
    assert len(kept) == 2 * (len(plan.operators) + 1 + 3) + 3 * QUICK.prelude_rounds
    assert [line["round"] for line in kept if line["key"] == "floor"] == list(range(QUICK.prelude_rounds + 2))
    run(plan, path, runtime)
    profile = DeviceProfile.read(path)
    assert len(profile.operators()) == len(plan.operators)
    first = next(line for line in kept if line["key"] == "network/small")["ms"]
    assert profile.networks()[0].samples_ms[0].tolist() == pytest.approx(first, rel=1e-5)


SCRIPT = """
import sys
from pathlib import Path
from device_profiles import onnx_io
from device_profiles.builder import NetworkBuilder
from device_profiles.campaign import Campaign
from device_profiles.operators import Tensor
from device_profiles.plan import WholeNetwork, make_plan
from device_profiles.protocol import Protocol, copies_for
from device_profiles.runtimes import RuntimeProcess
with RuntimeProcess() as runtime:
    net = NetworkBuilder("n", {"x": Tensor((1, 16, 8, 8))})
    x = "x"
    for i in range(12):
        x = net.conv(f"c{i}", x, 16 + 16 * (i % 5), 1 + 2 * (i % 3))
    model = onnx_io.network_model(net.build(x))
    whole = WholeNetwork("n", model, runtime.executed_graph(model))
    settings = Protocol(block_ms=3.0, min_rounds=4, max_rounds=4, prelude_rounds=4, quiet=0.0)
    Campaign(make_plan([whole.executed], [whole]), Path(sys.argv[1]), runtime, settings=settings).run()
"""


def test_killed_again_and_again_it_ends_and_measures_nothing_twice(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    journal, kills, timed = path.with_name("p.jsonl.journal"), 0, 0
    for attempt in range(30):
        child = subprocess.Popen([sys.executable, "-c", SCRIPT, str(path)])
        # Kill it as soon as it has made some progress, at no particular byte.
        start = time.monotonic()
        while child.poll() is None and time.monotonic() - start < 60:
            size = journal.stat().st_size if journal.exists() else 0
            if size > timed + 900 + 37 * attempt:
                child.send_signal(signal.SIGKILL)
                kills += 1
                timed = size
                break
            time.sleep(0.002)
        if child.wait() == 0:
            break
        if path.exists() and path.read_bytes().count(b"\n") > 1:
            keys = [m.key for m in DeviceProfile.read(path).operators()]
            assert len(set(keys)) == len(keys)
    profile = DeviceProfile.read(path)
    assert kills >= 2
    assert len(profile.networks()) == 1
    assert not journal.exists()
    assert all(len(m.samples_ms) == 4 for m in profile.operators())
    assert {op.key for op, _ in profile.networks()[0].operators} == {m.key for m in profile.operators()}


def test_an_operator_that_crashes_the_runtime_is_recorded_and_the_rest_is_measured(
    plan: Plan, runtime: RuntimeProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    poison, load = plan.operators[0], runtime.load
    poisoned = onnx_io.operator_model(poison, copies_for(poison, QUICK))

    def crashing(model: bytes, isolated: bool) -> int:
        if model == poisoned:
            child = runtime._child
            assert child is not None
            os.kill(child.pid, signal.SIGSEGV)
            child.wait()
        return load(model, isolated)

    monkeypatch.setattr(runtime, "load", crashing)
    outcome = run(plan, tmp_path / "p.jsonl", runtime)
    assert outcome.failed == 1
    profile = DeviceProfile.read(tmp_path / "p.jsonl")
    (failure,) = profile.failures()
    assert failure["key"] == poison.key
    assert "SIGSEGV" in failure["error"]
    assert Operator.from_json(failure["operator"]) == poison
    assert {m.key for m in profile.operators()} == {op.key for op in plan.operators[1:]}
    assert len(profile.networks()) == 1


def test_budget_is_kept_and_what_matters_most_comes_first(runtime: RuntimeProcess, tmp_path: Path) -> None:
    net = NetworkBuilder("n", {"x": Tensor((1, 16, 16, 16))})
    x = "x"
    for i in range(60):
        x = net.conv(f"c{i}", x, 16 + 16 * (i % 31), 1)
    plan = plan_for(runtime, [net.build(x)])
    settings = Protocol(block_ms=10.0, min_rounds=3, max_rounds=50, quiet=0.0)
    # How much of the plan a second buys depends on the machine and on who else uses it: the budget grows until something is done, and the
    # plan is far longer than that.
    budget_s, measured = 1.5, set[str]()
    while not measured:
        outcome = Campaign(plan, tmp_path / "p.jsonl", runtime, settings=settings, budget_s=budget_s).run()
        measured, budget_s = {m.key for m in DeviceProfile.read(tmp_path / "p.jsonl").operators()}, 1.5 * budget_s
    assert len(measured) < len(plan.operators)
    assert outcome.unfinished > 0
    assert plan.operators[0].key in measured
    assert plan.operators[-1].key not in measured
    later = Campaign(plan, tmp_path / "p.jsonl", runtime, settings=replace(settings, max_rounds=3)).run()
    assert later.unfinished == 0


def test_another_device_is_refused(plan: Plan, runtime: RuntimeProcess, tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    run(plan, path, runtime)
    first, rest = path.read_bytes().split(b"\n", 1)
    header = json.loads(first)
    header["device"]["cpu"] = "Another 9000"
    path.write_bytes(seal(header) + rest)
    with pytest.raises(InputError, match=r"another device.*Another 9000"):
        run(plan, path, runtime)


def test_two_profilers_on_one_file(plan: Plan, runtime: RuntimeProcess, tmp_path: Path) -> None:
    from device_profiles.append import Appender

    with Appender(tmp_path / "p.jsonl"), pytest.raises(DeviceError, match="another process"):
        run(plan, tmp_path / "p.jsonl", runtime)


def test_a_folder_that_cannot_be_written(plan: Plan, runtime: RuntimeProcess, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        run(plan, tmp_path / "file" / "p.jsonl", runtime)


def test_crash_errors_are_device_errors() -> None:
    assert issubclass(RuntimeCrash, DeviceError)
    assert DeviceError("x").exit_code == 3
