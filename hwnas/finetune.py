"""Training single architectures of a run: further from the weights they inherited, or from scratch.

What a search compares are inherited weights; what is deployed may be trained for longer, alone. Once-for-All (Cai et al., ICLR 2020,
section 4) finds that its sub-nets gain little by that; super-networks that were trained for less gain more, so both accuracies are kept.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from device_profiles.errors import InputError
from device_profiles.quantity import Quantity
from hwnas import finetuned
from hwnas.search.lock import run_lock
from hwnas.spaces.base import SearchSpace
from hwnas.supernet import checkpoint
from hwnas.supernet.base import Architecture, SubNet, Supernet
from hwnas.supernet.recipe import Recipe
from hwnas.supernet.strategies import Batch, Pass, StandAlone
from hwnas.supernet.strategies.base import distilled
from hwnas.supernet.trainer import Progress, Trainer
from hwnas.torch_tools import threads

if TYPE_CHECKING:
    from hwnas.accuracy import SupernetAccuracy
    from hwnas.run import Run

#: The learning rate of weights that were inherited, as a share of that with which they were trained: they need no large steps any more.
FURTHER = 0.1

#: How much the labels count beside a teacher whose predictions count 1, as in Once-for-All.
_LABELS = 1.0


class Taught(StandAlone):
    """Trains one architecture on the labels and on the soft predictions of a calibrated teacher.

    Hinton, Vinyals and Dean, Distilling the Knowledge in a Neural Network, 2015, section 2, at temperature 1.
    """

    def __init__(self, architecture: Architecture, teacher: Supernet) -> None:
        super().__init__(architecture)
        self.teacher = teacher

    def step(self, supernet: Supernet, batch: Batch) -> list[Pass]:
        """One pass of the network, beside one of the teacher."""
        with torch.no_grad():
            soft = self.teacher(batch.images).softmax(1)
        return [distilled(supernet, batch, soft, _LABELS)]


def finetune(
    run: Run, arch: Sequence[int], *, epochs: int | None = None, from_scratch: bool = False, distil: bool = False,
    progress: Progress | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Trains one architecture of a run on its own, and records its accuracies beside those with inherited weights.

    The recipe is that of the super-network, for as many `epochs` unless told otherwise; inherited weights go on at a tenth of its learning
    rate, `from_scratch` begins with new ones at all of it. `distil` adds the soft predictions of the largest sub-net to the labels. The
    weights go to `finetuned/` in the run folder, where `export` finds those that are best on the validation images; the run's extras get
    `finetuned_accuracy` (validation) and `finetuned_test_accuracy`. An interrupted training goes on when started again, and one that is
    finished is not repeated. Returns the record of the training with `weights` (its file), `inherited` and `deployed` (whether
    export takes it).

    Raises InputError when the super-network or its images are gone, or were not trained here, and for an architecture of another space.
    """
    from hwnas.finish import accuracy_of

    scorer = accuracy_of(run)
    assert scorer.supernet.folder is not None
    metadata = checkpoint.read(scorer.supernet.folder)[1]
    if "recipe" not in metadata or metadata["strategy"]["name"] == StandAlone.name:
        raise InputError(f"{scorer.supernet.folder} does not hold a super-network that was trained here, so there is no recipe to train by")
    architecture = scorer.supernet.architecture(list(arch))
    settings = {
        "recipe": asdict(_recipe(metadata, epochs, from_scratch)), "from": "scratch" if from_scratch else "inherited", "distilled": distil,
        "data_sha256": metadata["data"]["sha256"], "supernet_sha256": _sha256(checkpoint.checkpoint_file(scorer.supernet.folder)),
    }  # fmt: skip
    target = finetuned.weights_file(run.path, architecture, f"{settings['from']}{'-distilled' if distil else ''}")
    if not (target.exists() and finetuned.record(target)["settings"] == settings):
        _train(target, scorer, architecture, settings, progress)
    return _note(run, scorer, architecture, target)


def _recipe(metadata: Mapping[str, Any], epochs: int | None, from_scratch: bool) -> Recipe:
    recipe = Recipe.of(metadata["recipe"] | {"epochs": epochs if epochs is not None else metadata["plan"]["done"]})
    return recipe if from_scratch else Recipe.of(asdict(recipe) | {"learning_rate": FURTHER * recipe.peak})


def _train(target: Path, scorer: SupernetAccuracy, architecture: Architecture, settings: dict[str, Any], progress: Progress | None) -> None:
    """Trains to the end and writes the weights; the training in progress lies beside them until then."""
    from hwnas.accuracy import SupernetAccuracy

    key = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:12]
    running = target.with_name(f"{target.name.removesuffix('.safetensors')}.{key}.running")
    try:
        running.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot make the folder {running}: {error.strerror}") from error
    with run_lock(running, advice="choose another point"):
        trainer = _trainer(running, scorer, architecture, settings)
        with threads(1):
            trainer.run(running, progress, None)
        network, dataset = trainer.supernet.eval(), scorer.dataset
        network.activate(architecture)
        scores = SupernetAccuracy(network, dataset)
        accuracies = {
            "validation": _quantity(scores, architecture, test=False).to_json(),
            "test": _quantity(scores, architecture, test=True).to_json(),
        }
        entry = {"architecture": list(architecture), "epochs": trainer.plan.done, "settings": settings, **accuracies}
        tensors = {checkpoint.WEIGHT + name: tensor for name, tensor in checkpoint.weights(network).items()}
        checkpoint.save(target, tensors, {**trainer.metadata(), finetuned.ENTRY: entry})
    shutil.rmtree(running, ignore_errors=True)


def _trainer(running: Path, scorer: SupernetAccuracy, architecture: Architecture, settings: Mapping[str, Any]) -> Trainer:
    """The training, taken up where it was interrupted or begun."""
    space: SearchSpace = scorer.supernet.space
    strategy = StandAlone(architecture)
    subnet = scorer.supernet.extract(architecture)
    if settings["distilled"]:
        scorer.supernet.eval()
        scorer.prepare(space.largest()[0])
        strategy = Taught(architecture, scorer.supernet)
    trainer = Trainer(space, scorer.dataset, strategy, Recipe.of(settings["recipe"]), torch.device("cpu"))
    if (running / checkpoint.FILE).exists():
        trainer.restore(running / checkpoint.FILE)
    elif settings["from"] == "inherited":
        _inherit(trainer, subnet)
    return trainer


def _inherit(trainer: Trainer, subnet: SubNet) -> None:
    """Begins with the weights of a sub-net. Raises InputError when its layers are not those of a network of its own."""
    given, own = subnet.network.state_dict(), checkpoint.weights(trainer.supernet)
    found = {name: given[name.removeprefix("network.")] for name in own if name.removeprefix("network.") in given}
    checkpoint.load_weights(trainer.supernet, found, "the super-network")
    for name, weight in trainer.average.items():
        weight.copy_(own[name])


def _note(run: Run, scorer: SupernetAccuracy, architecture: Architecture, target: Path) -> dict[str, Any]:
    """Writes what the deployed weights of an architecture are worth into the run."""
    best = finetuned.best(run.path, architecture)
    assert best is not None
    deployed, known = finetuned.record(best), run.extras().get(architecture, {})
    inherited = {"validation": _quantity(scorer, architecture, test=False)}
    inherited["test"] = known["test_accuracy"] if "test_accuracy" in known else _quantity(scorer, architecture, test=True)
    items = [("finetuned_accuracy", deployed["validation"]), ("finetuned_test_accuracy", deployed["test"])]
    extras = [(architecture, name, Quantity.from_json(value)) for name, value in items]
    run.add_extras([*extras, (architecture, "test_accuracy", inherited["test"])])
    run.write_front()
    before = {split: quantity.to_json() for split, quantity in inherited.items()}
    return {**finetuned.record(target), "weights": str(target), "inherited": before, "deployed": target == best}


def _quantity(scorer: SupernetAccuracy, architecture: Architecture, test: bool) -> Quantity:
    value, low, high = (scorer.test if test else scorer)([list(architecture)])
    return Quantity(float(value[0]), float(low[0]), float(high[0]), "measured")


def _sha256(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
