"""Networks that nobody has to search for: which they are, and their evaluation by the objectives of a run."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from device_profiles.errors import InputError
from hwnas import spaces
from hwnas.finish import accuracy_of
from hwnas.references import evaluate, uniform
from hwnas.report.data import collect
from hwnas.run import Run
from hwnas.spaces import MobileNetSpace, Stage


def space(kernels: tuple[int, ...] = (3, 5)) -> MobileNetSpace:
    stages = (Stage((8, 12, 16), (1, 2), kernels, (2, 3), 1), Stage((16, 24), (1, 2, 3), kernels, (2, 3), 2))
    return MobileNetSpace(stages, 10, 1, 16, resolutions=(8, 16))


def test_all_blocks_are_alike_and_everything_scales_together() -> None:
    found = uniform(space())
    assert len(np.unique(found, axis=0)) == len(found)
    for row in found:
        values = space().decode(row)
        assert {value for name, value in values.items() if name.endswith("kernel")} == {3}
        assert len({value for name, value in values.items() if name.endswith("expansion")}) == 1
        assert (values["stage1.width"], values["stage2.width"]) in {(8, 16), (12, 16), (16, 24)}
        assert (values["stage1.depth"], values["stage2.depth"]) in {(1, 1), (1, 2), (2, 3)}
    assert len(found) == 3 * 3 * 2 * 2


def test_the_smallest_with_kernel_3_is_among_them_and_a_space_without_it_takes_its_first() -> None:
    rows = {tuple(row) for row in uniform(space()).tolist()}
    assert tuple(space().smallest()[0].tolist()) in rows
    big = uniform(space(kernels=(5, 7)))
    assert {v for row in big for name, v in space(kernels=(5, 7)).decode(row).items() if name.endswith("kernel")} == {5}


@pytest.fixture(scope="module")
def run(walk: Any, tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("references") / "walk"
    shutil.copytree(walk.folder, folder)
    return Run.open(folder / "run")


def test_they_are_evaluated_as_the_search_evaluated(run: Run, cli: Any) -> None:
    code, _, err = cli("report", run.path, "--references", "--out", run.path / "r.html")
    assert code == 0, err
    found = Run.open(run.path / "references")
    rows = {row.architecture: row for row in found.rows()}
    assert set(rows) == {tuple(row) for row in uniform(spaces.from_spec(run.spec["space"])).tolist()}  # type: ignore[arg-type]
    arch = next(iter(rows))
    assert rows[arch].numbers()[0, 0] == accuracy_of(run)([arch])[0][0]
    data = collect(run, run.path / "report.html")
    assert data.references
    assert "references" not in data.missing
    assert "networks that need no search" in (run.path / "r.html").read_text(encoding="utf-8")


def test_what_is_there_is_not_evaluated_again(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    before = Run.open(run.path / "references").rows()
    monkeypatch.setattr("hwnas.search.evaluation.Evaluator.__call__", lambda *_: pytest.fail("evaluated again"))
    assert evaluate(run).rows() == before


def test_other_spaces_have_none(tmp_path: Path, run: Run) -> None:
    from hwnas.storage import Writer

    copy = tmp_path / "run"
    shutil.copytree(run.path, copy)
    with Writer(copy / "run.sqlite") as writer:
        writer.set_spec(space=spaces.load("nasbench201").spec())
    with pytest.raises(InputError, match="MobileNet-like spaces only"):
        evaluate(Run.open(copy))
