"""Workers on a Ray cluster of this machine: the checks of every kind of worker."""

from __future__ import annotations

import json
import os
import runpy
import signal
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import pytest

from device_profiles.errors import InputError

HERE = Path(__file__).parent
checks = SimpleNamespace(**runpy.run_path(str(HERE / "checks.py")))


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    if find_spec("ray") is None:
        pytest.skip("ray is not installed")
    command = [sys.executable, str(HERE / "checks.py"), str(tmp_path_factory.mktemp("ray")), json.dumps({"workers": 2, "ray": "local"})]
    paths = os.pathsep.join([str(HERE.parents[3]), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": paths}, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)  # nothing else is written there
    if "cannot start" in found:
        pytest.skip(found["cannot start"])
    return found


@pytest.mark.parametrize("check", sorted(checks.ON_RAY))
def test_like_every_kind(check, results):
    assert results[check] == ""


def test_ctrl_c_leaves_no_process_of_the_cluster(results, tmp_path):
    code, error = checks.stopped(tmp_path, {"workers": 2, "ray": "local"}, signal.SIGINT)
    assert code == -signal.SIGINT, error
    assert error.strip().endswith("KeyboardInterrupt")


def test_without_ray_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(InputError, match=r'evaluating on Ray needs ray: pip install "hwnas\[ray\]"'):
        checks.run_of(tmp_path / "run", {"workers": 2, "ray": "local"})
    assert list(tmp_path.iterdir()) == []
