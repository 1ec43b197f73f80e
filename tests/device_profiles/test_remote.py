"""Measuring over a real ssh server on 127.0.0.1: streamed, cut, refused, locked."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import psutil
import pytest

from device_profiles import kit, remote
from device_profiles.append import Appender
from device_profiles.boards import board
from device_profiles.boards.shipped import Shipped
from device_profiles.builder import NetworkBuilder
from device_profiles.errors import DeviceError, InputError
from device_profiles.graphs import models
from device_profiles.operators import Tensor
from device_profiles.profile import DeviceProfile

SSHD = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:/usr/bin")


@dataclass
class Server:
    """A running sshd: the client's configuration file, the home folder on the board, the server's process."""

    config: Path
    home: Path
    process: subprocess.Popen[bytes]

    @property
    def cache(self) -> Path:
        return self.home / ".cache" / "hwnas"

    def python(self, line: str) -> None:
        """What `python3` is on the board."""
        script = self.cache / "venv" / "bin" / "python3"
        script.parent.mkdir(parents=True, exist_ok=True)
        script.write_text(f'#!/bin/sh\nexec {line} "$@"\n')
        script.chmod(0o755)

    def cut(self) -> int:
        """Kills the server's side of every connection; returns how many."""
        sessions = [p for p in psutil.Process(self.process.pid).children(recursive=True) if p.name().startswith("sshd")]
        for session in sessions:
            session.kill()
        return len(sessions)


def _keygen(path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    if SSHD is None or shutil.which("ssh") is None:
        pytest.skip("no OpenSSH server and client here (apt-get install openssh-server)")
    folder = tmp_path_factory.mktemp("sshd")
    for name in ("host", "user", "stranger"):
        _keygen(folder / name)
    shutil.copy(folder / "user.pub", folder / "authorized_keys")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # the server's empty folder; the package's service would make it
    home = folder / "home"
    home.mkdir()
    (folder / "sshd_config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nPidFile none\nAuthorizedKeysFile {folder}/authorized_keys\n"
        f"StrictModes no\nUsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin yes\nSetEnv HOME={home}\n"
    )
    common = f"HostName 127.0.0.1\nPort {port}\nIdentitiesOnly yes\nUserKnownHostsFile {folder}/known\nStrictHostKeyChecking accept-new\n"
    nobody = f"Host absent\nHostName 127.0.0.1\nPort 1\nHost board two\nIdentityFile {folder}/user\n"
    (folder / "config").write_text(f"{nobody}Host refused\nIdentityFile {folder}/stranger\nHost *\n{common}")
    process = subprocess.Popen([SSHD, "-D", "-f", str(folder / "sshd_config"), "-E", str(folder / "log")])
    try:
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        probed = subprocess.run(
            ["ssh", "-F", str(folder / "config"), "-o", "BatchMode=yes", "board", "echo $HOME"], capture_output=True, text=True
        )
        if probed.stdout.strip() != str(home):
            pytest.skip(f"no ssh server can be run here: {probed.stderr.strip()[-200:]} {(folder / 'log').read_text()[-200:]}")
        yield Server(folder / "config", home, process)
    finally:
        process.terminate()
        process.wait()


@pytest.fixture
def server(running: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    """The server with a board that works and has nothing on it yet; this process has the board's home too, to see its lock."""
    shutil.rmtree(running.home / ".cache", ignore_errors=True)
    running.python(sys.executable)
    monkeypatch.setenv("HOME", str(running.home))
    return running


@pytest.fixture(scope="module")
def model() -> Shipped:
    net = NetworkBuilder("small", {"input": Tensor((1, 3, 16, 16))})
    x = net.activation("relu", net.conv("conv", "input", 16, 3, 2))
    return Shipped("small/1x3x16x16", models.network_model(net.build(net.global_pool("pool", net.conv("conv2", x, 16, 3)))))


def job(server: Server, model: Shipped, **changes: object) -> remote.Job:
    return replace(remote.Job([model], config=server.config, patience_s=60.0), **changes)  # type: ignore[arg-type]


def silent(host: str, share: float, message: str) -> None:
    pass


def measure(
    server: Server, model: Shipped, out: Path, watch: Callable[[str, float, str], None] = silent, host: str = "board"
) -> remote.HostResult:
    (result,) = remote.profile_hosts([host], out, job(server, model), watch)
    return result


def test_profile_with_the_connection_cut_half_way_is_the_profile_without(server: Server, model: Shipped, tmp_path: Path) -> None:
    whole = measure(server, model, tmp_path / "whole.jsonl")
    assert whole.error is None, whole.error
    assert "measured" in whole.text
    on_board = next(server.cache.glob("*.jsonl"))
    assert on_board.read_bytes() == (tmp_path / "whole.jsonl").read_bytes()
    on_board.unlink()

    cuts: list[int] = []
    out, messages = tmp_path / "cut.jsonl", []

    def watch(host: str, share: float, message: str) -> None:
        messages.append(message)
        if share > 0 and not cuts:
            cuts.append(server.cut())

    result = measure(server, model, out, watch)
    assert result.error is None, result.error
    assert cuts
    assert cuts[0] >= 1
    assert any("connection lost" in message for message in messages)
    profile = DeviceProfile.read(out)  # raises when a key occurs twice
    keys = [line["key"] for line in profile.lines]
    assert sorted(keys) == sorted(line["key"] for line in DeviceProfile.read(tmp_path / "whole.jsonl").lines)
    assert next(server.cache.glob("*.jsonl")).read_bytes() == out.read_bytes()
    assert not processes(server)


def processes(server: Server) -> list[str]:
    """Programs that still run in the folder of the board, after a moment to end in."""
    left: list[str] = []
    for _ in range(40):
        left = []
        for process in psutil.process_iter(["cmdline", "cwd"]):
            if process.info["cwd"] == str(server.cache):
                left.append(" ".join(process.info["cmdline"] or []))
        if not left:
            break
        time.sleep(0.25)
    return left


def test_second_campaign_on_the_board_is_refused_by_name(server: Server, model: Shipped, tmp_path: Path) -> None:
    lock = board.BoardLock.take()
    assert lock is not None
    lock.describe(Path("/home/pi/first.jsonl"), "", 4711)
    result = measure(server, model, tmp_path / "p.jsonl")
    lock.release()
    assert isinstance(result.error, DeviceError)
    assert "4711 into /home/pi/first.jsonl" in str(result.error)
    assert "\n" not in str(result.error)


def test_campaign_that_goes_on_without_us_is_taken_up_not_started_twice(server: Server, model: Shipped, tmp_path: Path) -> None:
    measured = threading.Event()

    def watch(host: str, share: float, message: str) -> None:
        if share > 0:
            measured.set()

    first: list[remote.HostResult] = []
    impatient = job(server, model, patience_s=0.0)
    thread = threading.Thread(target=lambda: first.extend(remote.profile_hosts(["board"], tmp_path / "p.jsonl", impatient, watch)))
    thread.start()
    assert measured.wait(60)
    pid = board.holder()["pid"]
    server.cut()
    thread.join(60)
    assert "goes on" in str(first[0].error)
    result = measure(server, model, tmp_path / "p.jsonl")
    assert result.error is None
    assert board.holder()["pid"] == pid
    assert len(DeviceProfile.read(tmp_path / "p.jsonl").networks()) == 1


def test_stopping_here_stops_the_board(server: Server, model: Shipped, tmp_path: Path) -> None:
    def watch(host: str, share: float, message: str) -> None:
        if share > 0:
            raise_in_main.set()

    raise_in_main = threading.Event()
    drive = remote._Drive("board", tmp_path / "p.jsonl", job(server, model), kit.build_kit([model]), kit.identity([model], None), watch)
    thread = threading.Thread(target=drive.run)
    thread.start()
    assert raise_in_main.wait(60)
    drive.interrupt()
    thread.join(30)
    assert not thread.is_alive()
    assert not processes(server)
    lock = board.BoardLock.take()
    assert lock is not None
    lock.release()


def test_two_names_of_one_board_share_its_one_campaign(server: Server, model: Shipped, tmp_path: Path) -> None:
    results = remote.profile_hosts(["board", "two"], tmp_path / "p.jsonl", job(server, model, budget="3s"), silent)
    assert [result.error for result in results] == [None, None]
    assert (tmp_path / "p-board.jsonl").read_bytes() == (tmp_path / "p-two.jsonl").read_bytes()
    assert len(list(server.cache.glob("*.jsonl"))) == 1


@pytest.mark.parametrize(
    ("host", "words"), [("refused", "set up a key: ssh-keygen -t ed25519 && ssh-copy-id refused"), ("absent", "connection failed")]
)
def test_hosts_that_do_not_let_us_in(server: Server, model: Shipped, host: str, words: str, tmp_path: Path) -> None:
    result = measure(server, model, tmp_path / "p.jsonl", host=host)
    assert isinstance(result.error, DeviceError)
    assert words in str(result.error)
    assert "\n" not in str(result.error)


def test_boards_that_lack_what_is_needed(server: Server, model: Shipped, tmp_path: Path) -> None:
    server.python(f"{sys.executable} -I -S")
    result = measure(server, model, tmp_path / "p.jsonl")
    assert isinstance(result.error, DeviceError)
    assert "pip install numpy onnxruntime" in str(result.error)


@pytest.mark.parametrize("runtime", ["openvino", "torch"])
def test_another_runtime_that_the_board_has(runtime: str, server: Server, model: Shipped, tmp_path: Path) -> None:
    pytest.importorskip(runtime)
    asked = job(server, model, runtime=runtime, energy="none", budget="3s")
    (result,) = remote.profile_hosts(["board"], tmp_path / "p.jsonl", asked, silent)
    assert result.error is None, result.error
    profile = DeviceProfile.read(tmp_path / "p.jsonl")
    assert profile.header["runtime"]["name"] == runtime
    assert profile.operators() or profile.networks()  # a busy machine may not get to all within the budget
    assert not profile.failures()
    assert profile.header["energy"] == "unavailable"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"runtime": "openvino"}, f"the runtime openvino is not installed here: {sys.executable} -m pip install openvino"),
        ({"runtime": "openvin"}, "did you mean 'openvino'"),
        ({"energy": "rapll"}, "did you mean 'rapl'"),
        ({"energy": "log:/home/pi/none.csv"}, "/home/pi/none.csv cannot be read"),
    ],
)
def test_what_the_board_lacks_is_one_line(changes: dict[str, object], words: str, server: Server, model: Shipped, tmp_path: Path) -> None:
    (server.home / "sitecustomize.py").write_text("import sys\nsys.modules['openvino'] = None\n")
    server.python(f"env PYTHONPATH={server.home} {sys.executable}")
    try:
        (result,) = remote.profile_hosts(["board"], tmp_path / "p.jsonl", job(server, model, **changes), silent)
        problem = result.error
    except InputError as error:
        problem = error  # what can be seen from here is refused before anything starts
    assert problem is not None
    assert words in str(problem)
    assert "\n" not in str(problem)
    assert not (tmp_path / "p.jsonl").exists()


def test_a_file_that_is_not_the_boards_is_not_continued(server: Server, model: Shipped, tmp_path: Path) -> None:
    with Appender(tmp_path / "p.jsonl") as other:
        other.append({"type": "header", "schema": 1})
    result = measure(server, model, tmp_path / "p.jsonl")
    assert isinstance(result.error, InputError)
    assert "choose another --out" in str(result.error)


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        ("Welcome to the board", "login shell"),
        ('D {"type":"header"}', "damaged"),
        ("E 1", "no JSON object"),
        ("E {", "not JSON"),
        ("E {}", "no end"),
        ('E {"code": 3, "text": "hwnas: the disk is \\u001b[31mtoo full"}', "disk is [31mtoo full"),
        ('E {"code": 0, "text": "done"}', "no complete line"),
    ],
)
def test_boards_that_send_something_else(sent: str, words: str, model: Shipped, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = tmp_path / "ssh"
    fake.write_text(f"#!/bin/sh\ncat > /dev/null &\ncat <<'EOF'\n{sent}\nEOF\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    (result,) = remote.profile_hosts(["board"], tmp_path / "p.jsonl", remote.Job([model], patience_s=0.0), silent)
    assert result.error is not None
    assert words in str(result.error)
    assert not (tmp_path / "p.jsonl").exists()


def test_one_file_per_host(tmp_path: Path) -> None:
    out = tmp_path / "p.jsonl"
    assert remote.out_paths(out, ["pi"]) == [out]
    assert [p.name for p in remote.out_paths(out, ["pi@one", "two"])] == ["p-pi_one.jsonl", "p-two.jsonl"]
    with pytest.raises(InputError, match="twice"):
        remote.out_paths(out, ["pi", "pi"])
