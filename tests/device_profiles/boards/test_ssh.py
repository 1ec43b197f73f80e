"""The `ssh` program from this end: which names it is given, and what becomes of what it says."""

from __future__ import annotations

from pathlib import Path

import pytest

from device_profiles.boards import ssh
from device_profiles.errors import HwnasError, InputError


@pytest.mark.parametrize("host", ["-oProxyCommand=x", "a b", "a\nb", "", "pi@-x", "a;b", "$(x)", "board\x00", "x" * 300])
def test_names_that_are_no_hosts(host: str) -> None:
    with pytest.raises(InputError, match="not a host") as caught:
        ssh.Ssh(host)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("host", ["board", "pi@board.local", "10.0.0.7", "pi@[fe80::1%eth0]"])
def test_names_that_are_hosts(host: str) -> None:
    assert ssh.check_host(host) == host


def test_arguments_reach_the_board_as_they_are() -> None:
    words = ["a b", "$(x)", "'", "-n", ""]
    assert ssh.words(*words) == "'a b' '$(x)' ''\"'\"'' -n ''"
    assert ssh.python(words).endswith(ssh.words(*words))


def test_what_ssh_says_becomes_one_line(tmp_path: Path) -> None:
    said = {
        b"pi@b: Permission denied (publickey,password).\n": "ssh-copy-id",
        b"@@@\r\nHost key verification failed.\r\n": "host key",
        b"ssh: Could not resolve hostname b: no\n": "resolve",
        b"\x1b[31mKilled by signal\x1b[0m\n": "connection failed",
        b"": "connection failed",
    }
    for index, (text, words) in enumerate(said.items()):
        path = tmp_path / str(index)
        path.write_bytes(text)
        with path.open("rb") as errors:
            error: HwnasError = ssh.Ssh("b").failure(ssh.FAILED, errors)
        assert words in str(error)
        assert str(error).isprintable()
