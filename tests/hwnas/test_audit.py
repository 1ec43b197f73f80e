"""Auditing a checkpoint: which architectures, with which recipe, and nothing twice."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from device_profiles.errors import InputError
from hwnas import audit_trainings, data
from hwnas.audit import RESULT, Options, audit, choose
from hwnas.spaces import MobileNetSpace, Stage, load

torch = pytest.importorskip("torch")
SMALL = {"architectures": 4, "strata": 2, "seeds": 2, "supernets": 1}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import hwnas

    space = MobileNetSpace((Stage((4, 8), (1, 2), (3,), (1, 2), 1),), 10, 1, 8, stem=4, head=8)
    out = tmp_path_factory.mktemp("audit") / "supernet"
    hwnas.train(space, data.load("digits"), out=out, epochs=2, batch_size=128, strategy="one_path")
    return out


class Killed(BaseException):
    """Stands for a kill."""


def test_architectures_are_of_every_slice_by_cost_and_the_same_every_time() -> None:
    space = load("mobilenet-small")
    archs, strata = choose(space, Options(architectures=10, strata=3))
    macs = np.array([space.network(row).macs for row in archs])
    assert strata.tolist() == [0] * 4 + [1] * 3 + [2] * 3
    assert len(np.unique(archs, axis=0)) == 10
    assert macs[strata == 0].max() <= macs[strata == 1].min() <= macs[strata == 1].max() <= macs[strata == 2].min()
    assert np.array_equal(archs, choose(space, Options(architectures=10, strata=3))[0])
    assert not np.array_equal(archs, choose(space, Options(architectures=10, strata=3, seed=1))[0])


def test_an_audit_that_is_killed_trains_nothing_twice(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = importlib.import_module("hwnas.supernet.train")
    calls: list[tuple[str, int]] = []
    real = module.train

    def watched(*arguments: Any, **options: Any) -> Any:
        calls.append((options["strategy"].name, options["seed"]))
        return real(*arguments, **options)

    monkeypatch.setattr(module, "train", watched)
    shares: list[float] = []

    def kill(share: float, _message: str) -> None:
        shares.append(share)
        if share > 0.5:
            raise Killed

    with pytest.raises(Killed):
        audit(trained, progress=kill, **SMALL)
    done = len(json.loads((trained / audit_trainings.FINISHED).read_text()))
    assert 0 < done < 9
    assert not (trained / RESULT).exists()
    before = len(calls)
    found = audit(trained, **SMALL)
    assert len(calls) - before == 9 - done
    again = audit(trained, **SMALL)
    assert len(calls) - before == 9 - done
    assert again == found == json.loads((trained / RESULT).read_text())
    assert {seed for _, seed in calls} == {1, 2}  # never the super-network's own seed 0
    assert shares == sorted(shares)
    assert not (trained / audit_trainings.RUNNING).exists()


def test_the_result_says_everything(trained: Path, cli: Any) -> None:
    code, out, err = cli("audit", trained, "--architectures", 4, "--strata", 2)
    assert code == 0, err
    words_wanted = ("Kendall's tau", "random ranking", "truth against truth", "last epochs", "of 2 seeds", "own minus inherited", "number")
    for words in (*words_wanted, "images to calibrate"):
        assert words in out
    code, out, _ = cli("audit", trained, "--data", "digits", "--architectures", 4, "--strata", 2, "--json")
    found = json.loads(out)
    assert code == 0
    assert found["recipe"]["epochs"] == 2
    assert found["stability"]["epochs"]["n"] == 2
    assert len(found["architectures"]) == 4
    assert all(len(row["alone"]) == 2 and 0 <= row["inherited"]["low"] <= row["inherited"]["value"] for row in found["architectures"])
    assert len(found["checkpoint_sha256"]) == 64
    assert found["calibration"]["plateau"] in found["calibration"]["images"]


def test_what_cannot_be_audited_is_refused(trained: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the folder of a training"):
        audit(trained / "supernet.safetensors")
    with pytest.raises(InputError, match="no super-network checkpoint"):
        audit(tmp_path)
    with pytest.raises(InputError, match="two architectures per stratum"):
        audit(trained, architectures=5, strata=3)
    with pytest.raises(InputError, match="an audit has the options"):
        audit(trained, k=5)
    with pytest.raises(InputError, match="fewer than the 100"):
        audit(trained, architectures=100)
    (tmp_path / audit_trainings.FINISHED).write_text('{"a": {"accuracy": [7]}}')
    with pytest.raises(InputError, match="not a list of finished trainings"):
        audit_trainings._read(tmp_path / audit_trainings.FINISHED)
