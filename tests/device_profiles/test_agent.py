"""The profiling script by itself: what it measures, what it says, what it refuses."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path

import pytest

from device_profiles import agent
from device_profiles.boards import board, disk, shipped
from device_profiles.boards.console import Progress
from device_profiles.durations import seconds, spoken
from device_profiles.errors import DeviceError, InputError
from device_profiles.graphs import models
from device_profiles.operators import Network
from device_profiles.plan import WholeNetwork, make_plan
from device_profiles.profile import DeviceProfile
from device_profiles.protocol import Protocol
from device_profiles.runtimes import RuntimeProcess
from hwnas import profiling, shipping, spaces


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr("signal.signal", lambda number, handler: None)
    return tmp_path / "home"


@pytest.fixture
def file(tmp_path: Path, network: Network) -> Path:
    path = tmp_path / "small.onnx"
    path.write_bytes(models.network_model(network))
    return path


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = agent.main([str(argument) for argument in arguments])
    shown = capsys.readouterr()
    return code, shown.out, shown.err


def test_the_same_plan_as_on_the_host(file: Path, runtime: RuntimeProcess) -> None:
    """What a device elsewhere measures bears the same keys as what is measured here, for files and for spaces."""
    here = profiling.plan_files([file], runtime)
    there, notes = shipped.plan_models(shipping.file_models([file]), runtime, None, lambda share, message: None)
    assert not notes
    assert [op.key for op in there.operators] == [op.key for op in here.operators]
    assert [net.name for net in there.networks] == [net.name for net in here.networks]
    space = spaces.load("mobilenet-small", classes=10, resolution=16, channels=1)
    here = profiling.plan_space(space, runtime)
    there, _ = shipped.plan_models(shipping.space_models(space), runtime, profiling.WHOLE_NETWORKS, lambda share, message: None)
    assert [op.key for op in there.operators] == [op.key for op in here.operators]
    assert [net.name for net in there.networks] == [net.name for net in here.networks]


def test_measures_a_file_says_what_it_did_and_goes_on(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], home: Path) -> None:
    out, status = tmp_path / "p.jsonl", tmp_path / "status"
    code, text, errors = run(capsys, "--out", out, "--budget", "3s", "--run", "one", "--status", status, file)
    assert code == 0, errors
    profile = DeviceProfile.read(out)
    assert profile.operators()
    assert f"device      {profile.device_name}" in text
    assert "hwnas fit" not in text  # it is driven from elsewhere, where the profile has another name
    assert "this will write at most" in errors
    assert json.loads(status.read_text())["code"] == 0
    before = {line["key"] for line in profile.lines}
    code, text, _ = run(capsys, "--out", out, "--budget", "3s", file)
    assert code == 0
    assert "hwnas fit p.jsonl" in text
    assert before < {line["key"] for line in DeviceProfile.read(out).lines} or "unfinished" not in text
    assert (home / ".cache" / "hwnas" / "campaign.lock").exists()


def test_wrong_input_is_one_line(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty.onnx").write_bytes(b"")
    (tmp_path / "text.onnx").write_text("a letter")
    shutil.copy(file, tmp_path / "home.onnx")
    (tmp_path / "sub").mkdir()
    shutil.copy(file, tmp_path / "sub" / "small.onnx")
    out = tmp_path / "p.jsonl"
    for words, arguments in {
        "--threads must be 1": ["--threads", 0, file],
        "not a duration": ["--budget", "soon", file],
        "No such file": [tmp_path / "none.onnx"],
        "empty": [tmp_path / "empty.onnx"],
        "not": [tmp_path / "text.onnx"],
        "two models are called small": [file, tmp_path / "sub" / "small.onnx"],
    }.items():
        code, _, errors = run(capsys, "--out", out, *arguments)
        assert code == 2, words
        assert words in errors
        assert len([line for line in errors.splitlines() if line.startswith("hwnas: ")]) == 1
    assert not out.exists()


def test_second_campaign_on_one_board_is_refused(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lock = board.BoardLock.take()
    assert lock is not None
    assert board.BoardLock.take() is None
    lock.describe(tmp_path / "first.jsonl", "", 4711)
    code, _, errors = run(capsys, "--out", tmp_path / "p.jsonl", file)
    lock.release()
    assert code == 3
    assert f"process 4711 into {tmp_path / 'first.jsonl'}" in errors
    again = board.BoardLock.take()
    assert again is not None
    again.release()


def test_full_disk_is_refused_before_anything_is_written(
    file: Path, network: Network, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, settings = make_plan([network], [WholeNetwork("n", b"", network)]), Protocol()
    said = disk.check_before_measuring(plan, settings, None, tmp_path / "new" / "p.jsonl")
    assert str(tmp_path) in said
    shorter = disk.check_before_measuring(plan, settings, 1.0, tmp_path / "p.jsonl")
    assert float(shorter.split()[5]) < float(said.split()[5])
    monkeypatch.setattr(disk.shutil, "disk_usage", lambda folder: shutil._ntuple_diskusage(10**9, 10**9, 1000))  # type: ignore[attr-defined]
    code, _, errors = run(capsys, "--out", tmp_path / "p.jsonl", file)
    assert code == 3
    assert "the disk is too full" in errors
    assert not (tmp_path / "p.jsonl").exists()
    with pytest.raises(DeviceError, match="make room"):
        disk.check_before_measuring(plan, settings, None, tmp_path / "p.jsonl")


def test_what_a_campaign_writes_is_within_the_estimate(file: Path, tmp_path: Path, runtime: RuntimeProcess) -> None:
    settings = Protocol(block_ms=0.2, min_calls=2, warmup_calls=0, max_rounds=8, prelude_rounds=2, quiet=0.0)
    plan = profiling.plan_files([file], runtime)
    estimate = float(disk.check_before_measuring(plan, settings, None, tmp_path / "p.jsonl").split()[5]) * 1e6
    profiling.profile(plan, tmp_path / "p.jsonl", runtime, settings=settings)
    assert 0.2 * estimate < (tmp_path / "p.jsonl").stat().st_size < 1.2 * estimate + 5e4


def test_a_model_that_does_not_run_is_left_out_with_a_note(network: Network, runtime: RuntimeProcess) -> None:
    good = shipped.Shipped("good", models.network_model(network))
    bad = shipped.Shipped("bad", good.model.replace(b"GlobalAveragePool", b"GlobalAverageXool"))
    plan, notes = shipped.plan_models([bad, good], runtime, None, lambda share, message: None)
    assert [net.name for net in plan.networks] == ["good"]
    assert notes[0].startswith("left out bad: ")
    with pytest.raises(InputError, match="runs none of the 1 models"):
        shipped.plan_models([bad], runtime, None, lambda share, message: None)


def test_progress_on_a_plain_stream_says_what_is_left() -> None:
    now = [0.0]
    stream = io.StringIO()
    progress = Progress(stream, every_s=5.0, clock=lambda: now[0])
    for second in range(41):
        now[0] = float(second)
        progress(second / 100, "working")
    lines = stream.getvalue().splitlines()
    assert len(lines) == 9
    assert lines[-1] == " 40%  working, about 60 s left"
    hurried = Progress(stream, budget_s=50.0, clock=lambda: now[0])
    now[0] += 20
    assert hurried.left_s(0.1) == 30.0


def test_progress_on_a_terminal_is_one_line() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    stream, now = Terminal(), [0.0]
    progress = Progress(stream, clock=lambda: now[0])
    for share in (0.1, 0.2, 0.3):
        now[0] += 1
        progress(share, "working")
    progress.end()
    assert stream.getvalue().count("\r") == 3
    assert stream.getvalue().count("\n") == 1


def test_durations() -> None:
    assert [seconds(text) for text in ("90", "90s", "1.5m", "2 h", None)] == [90.0, 90.0, 90.0, 7200.0, None]
    assert [spoken(s) for s in (45, 720, 11_100)] == ["45 s", "12 min", "3 h 05 min"]
    for text in ("", "0s", "-1s", "1d", "٣s"):
        with pytest.raises(InputError, match="not a duration"):
            seconds(text)
