"""Training single architectures of a run: what goes on from inherited weights, what is kept, and what is deployed."""

from __future__ import annotations

import importlib
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from device_profiles.errors import InputError
from hwnas import finetuned
from hwnas.accuracy import SupernetAccuracy
from hwnas.finish import accuracy_of, export_pick, pick, weights_of
from hwnas.report.data import collect
from hwnas.report.views import table
from hwnas.run import Run

torch = pytest.importorskip("torch")


@pytest.fixture
def run(walk: Any, tmp_path: Path) -> Run:
    shutil.copytree(walk.folder, tmp_path / "walk", ignore=shutil.ignore_patterns("p.jsonl*"))
    return Run.open(tmp_path / "walk" / "run")


def train(run: Run, which: str = "best", **options: Any) -> dict[str, Any]:
    return importlib.import_module("hwnas.finetune").finetune(run, pick(run, which), **options)  # type: ignore[no-any-return]


def weights(path: str | Path) -> dict[str, Any]:
    return finetuned.load(Path(path)).state_dict()


def test_both_accuracies_are_kept_and_the_trained_weights_are_deployed(run: Run, tmp_path: Path) -> None:
    arch = pick(run, "best")
    inherited = run.extras()[arch]["test_accuracy"]
    found = train(run, epochs=2)
    known = run.extras()[arch]
    assert known["test_accuracy"] == inherited
    assert known["finetuned_test_accuracy"].to_json() == found["test"]
    assert known["finetuned_accuracy"].to_json() == found["validation"]
    assert found["deployed"]
    assert found["inherited"]["test"] == inherited.to_json()
    scorer = accuracy_of(run)
    own = SupernetAccuracy(weights_of(run, arch, scorer), scorer.dataset)
    assert own.test([list(arch)])[0][0] == found["test"]["value"]
    written = export_pick(run, "best", tmp_path / "best.onnx")
    assert written.max_difference < 1e-4
    shutil.rmtree(run.path / "finetuned")
    assert export_pick(run, "best", tmp_path / "inherited.onnx").sha256 != written.sha256
    columns, _ = table(collect(run, run.path / "report.html"), [])
    assert [column.sub for column in columns if "alone" in column.sub] == ["test, trained alone, %"]
    assert '"finetuned_test_accuracy"' in (run.path / "front.json").read_text()


def test_inherited_weights_are_where_it_begins_or_new_ones_of_the_same_seed(run: Run, tmp_path: Path) -> None:
    module = importlib.import_module("hwnas.finetune")
    scorer, arch = accuracy_of(run), pick(run, "best")
    given = scorer.supernet.extract(arch).network.state_dict()
    recipe = train(run, epochs=1)["settings"]["recipe"]
    assert recipe["learning_rate"] == pytest.approx(0.05)
    assert train(run, epochs=1, from_scratch=True)["settings"]["recipe"]["learning_rate"] in (None, 0.5)
    settings = {"recipe": recipe | {"average": 0.9}, "distilled": False}
    begun = module._trainer(tmp_path, scorer, arch, settings | {"from": "inherited"})
    own = begun.supernet.network.state_dict()
    assert own
    assert all(torch.equal(tensor, given[name]) for name, tensor in own.items())
    assert all(torch.equal(tensor, given[name.removeprefix("network.")]) for name, tensor in begun.average.items())
    new, again = (module._trainer(tmp_path, scorer, arch, settings | {"from": "scratch"}).supernet.state_dict() for _ in range(2))
    assert all(torch.equal(tensor, again[name]) for name, tensor in new.items())
    assert any(not torch.equal(tensor, given[name.removeprefix("network.")]) for name, tensor in new.items())


def test_a_training_that_is_killed_goes_on_to_the_same_weights(run: Run) -> None:
    class Killed(BaseException):
        pass

    def kill(step: int, steps: int, numbers: dict[str, float]) -> None:
        if numbers["epoch"] == 3:
            raise Killed

    whole = weights(train(run, epochs=4, distil=True)["weights"])
    shutil.rmtree(run.path / "finetuned")
    with pytest.raises(Killed):
        train(run, epochs=4, distil=True, progress=kill)
    assert finetuned.best(run.path, pick(run, "best")) is None
    steps: list[int] = []
    again = train(run, epochs=4, distil=True, progress=lambda step, steps_, numbers: steps.append(int(numbers["epoch"])))
    assert min(steps) == 3
    assert all(torch.equal(tensor, weights(again["weights"])[name]) for name, tensor in whole.items())
    assert [path.suffix for path in (run.path / "finetuned").iterdir()] == [".safetensors"]


def test_what_is_trained_is_not_trained_again_unless_asked_otherwise(run: Run) -> None:
    first = train(run, epochs=1)
    written = Path(first["weights"]).stat().st_mtime_ns
    steps: list[int] = []
    assert train(run, epochs=1, progress=lambda step, *_: steps.append(step)) == first
    assert steps == []
    assert Path(first["weights"]).stat().st_mtime_ns == written
    assert train(run, epochs=2, progress=lambda step, *_: steps.append(step))["epochs"] == 2
    assert steps


def test_a_teacher_changes_what_is_learned(run: Run) -> None:
    alone, taught = train(run, epochs=1), train(run, epochs=1, distil=True)
    assert {Path(found["weights"]).name.split(".")[1] for found in (alone, taught)} == {"inherited", "inherited-distilled"}
    a, b = weights(alone["weights"]), weights(taught["weights"])
    assert any(not torch.equal(a[name], b[name]) for name in a)


def test_of_several_trainings_the_best_on_validation_images_is_deployed(run: Run) -> None:
    arch = pick(run, "best")
    train(run, epochs=1)
    train(run, epochs=1, from_scratch=True)
    records = {path: finetuned.record(path) for path in (run.path / "finetuned").iterdir()}
    best = finetuned.best(run.path, arch)
    assert len(records) == 2
    assert best is not None
    assert records[best]["validation"]["value"] == max(record["validation"]["value"] for record in records.values())
    assert run.extras()[arch]["finetuned_test_accuracy"].to_json() == records[best]["test"]


def test_the_command_trains_the_points_it_is_given(run: Run, cli: Any) -> None:
    code, out, err = cli("finetune", run.path, "--pick", "best", "--pick", "0", "--epochs", 1, "--distil", "--json")
    assert code == 0, err
    trained = json.loads(out)["trained"]
    assert {tuple(found["architecture"]) for found in trained} == {pick(run, "best"), pick(run, 0)}
    code, out, err = cli("finetune", run.path, "--pick", "best", "--epochs", 1, "--distil")
    assert code == 0, err
    assert "inherited" in out
    assert "trained" in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(("--pick", "kneee"), "did you mean 'knee'"), (("--pick", "999"), "points 0 to"), (("--epochs", "0"), "epochs")],
)
def test_wrong_input_is_one_line(run: Run, cli: Any, arguments: tuple[str, ...], words: str) -> None:
    code, _, err = cli("finetune", run.path, *arguments)
    assert code == 2
    assert words in err
    assert not (run.path / "finetuned").exists()


def test_weights_that_are_gone_damaged_or_of_something_else(run: Run, tmp_path: Path) -> None:
    arch = pick(run, "best")
    target = finetuned.weights_file(run.path, arch, "inherited")
    target.parent.mkdir()
    target.write_bytes(b"not a checkpoint")
    with pytest.raises(InputError, match="not a readable checkpoint"):
        export_pick(run, "best", tmp_path / "x.onnx")
    shutil.copy(run.path.parent / "supernet" / "supernet.safetensors", target)
    with pytest.raises(InputError, match="not written by `hwnas finetune`"):
        finetuned.best(run.path, arch)
    shutil.rmtree(run.path.parent / "supernet")
    with pytest.raises(InputError, match="no super-network checkpoint"):
        train(run, epochs=1)


def test_a_run_on_recorded_numbers_has_no_weights(tmp_path: Path) -> None:
    from hwnas.objectives import Objective

    objectives = [Objective("latency_ms", "ms", "min", False, np.sum)]
    run = Run.create(tmp_path / "run", {"seed": 0, "hypervolume_reference": {"latency_ms": 1.0}}, objectives)
    with pytest.raises(InputError, match="no weights"):
        importlib.import_module("hwnas.finetune").finetune(run, [0])
