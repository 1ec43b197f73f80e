"""The whole loop on real images, beside two things that one would do without it: what is gained at equal measured latency, at what cost?

    python benchmarks/whole_loop.py            # minutes: 3,000 images of CIFAR-10, one seed
    python benchmarks/whole_loop.py --full     # hours: 20,000 images, three seeds; --images 0 takes all of them

The ways, on the same space, images and device:

- hwnas: profile, fit, train, audit, search by accuracy and predicted latency, verify, export;
- macs: the same super-network, algorithm, seed and number of evaluations, with MACs in place of the latency;
- family: MobileNetV2 scaled by hand in width, depth and expansion. Its members are chosen by what hwnas knows of them, inherited accuracy
  and predicted latency, which is more than somebody who scales by hand knows; they pay for their own training only.

`--points` candidates of each way, evenly along its front, are trained from scratch on the same images for the same number of epochs, and
all of them, of all seeds, are measured in one campaign, interleaved. Within a limit a way offers the candidate that is best on the
validation images; it is judged on the test images. Results are given with inherited weights too. CIFAR-10 is looked for in `cifar10`
below `HWNAS_DATA`, else below ../shared/data; where it is not, the digits are used. A run that was stopped goes on in --work.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from common import save, table
from whole_loop_tables import WAYS, agreement, gains, levels, minutes

import hwnas
import predictors
from device_profiles.profile import DeviceProfile
from device_profiles.runtimes import RuntimeProcess
from hwnas import data, profiling, references, spaces
from hwnas.audit import audit
from hwnas.export import export_front
from hwnas.finetune import finetune
from hwnas.finetuned import slug
from hwnas.objectives import Objective, as_objective
from hwnas.provenance import provenance
from hwnas.quickstart import Ledger
from hwnas.run import Run
from hwnas.verify import SETTINGS
from hwnas.verify.place import Here
from hwnas.verify.points import measurements

CIFAR = Path(os.environ.get("HWNAS_DATA", Path(__file__).parents[2] / "shared" / "data")) / "cifar10"
#: Begins the name of the phase in which a candidate is trained.
ALONE = "alone "

Arch = tuple[int, ...]


@dataclass(frozen=True)
class Budget:
    """What is spent: images (0: all), epochs of every training, evaluations of every search, candidates of every way, seconds."""

    images: int = 3000
    epochs: int = 6
    evaluations: int = 60
    points: int = 4
    seeds: int = 1
    audited: int = 6
    profile_s: float = 90.0
    verify_s: float = 40.0
    measure_s: float = 60.0


FULL = Budget(images=20_000, epochs=15, evaluations=300, points=6, seeds=3, audited=8, profile_s=600, verify_s=240, measure_s=600)


def images_in(work: Path, number: int) -> str:
    """CIFAR-10, of which the first `number` training images (classes are balanced in every prefix); digits where it is not there."""
    if not CIFAR.is_dir():
        return "digits"
    if not number:
        return str(CIFAR)
    folder = work / f"cifar10-{number}"
    folder.mkdir(parents=True, exist_ok=True)
    for word in ("train", "test"):
        with np.load(next(CIFAR.glob(f"*{word}*.npz"))) as whole:
            offsets = whole["offsets"][: number + 1]
            cut = {"jpeg": whole["jpeg"][: offsets[-1]], "offsets": offsets, "labels": whole["labels"][:number]}
            np.savez(folder / f"{word}.npz", **cut, classes=whole["classes"])
    return str(folder)


@contextmanager
def phase(ledger: Ledger, name: str) -> Iterator[None]:
    """A phase of the ledger that says when it begins."""
    print(f"  {name}", flush=True)
    with ledger.phase(name):
        yield


class Loop:
    """The three ways on one space, one data set and this device, in the folder `work`."""

    def __init__(self, work: Path, space: Any, dataset: data.Dataset, budget: Budget) -> None:
        self.work, self.space, self.dataset, self.budget = work, space, dataset, budget
        self.ledger = Ledger(work)
        self.device = self._device()
        with phase(self.ledger, "price the space"):
            self.latency = as_objective(self.device.latency_ms, space)
        self.macs = Objective("macs", "", "min", False, lambda archs: self.latency.source.column("macs", archs), origin="modelled")

    def _device(self) -> predictors.NetworkPredictor:
        profile, device = self.work / "profile.jsonl", self.work / "device.json"
        if not device.exists():
            with phase(self.ledger, "profile"), RuntimeProcess("onnxruntime", 1) as runtime:
                plan = profiling.plan_space(self.space, runtime)
                profiling.profile(plan, profile, runtime, budget_s=self.budget.profile_s)
            with phase(self.ledger, "fit"):
                predictors.NetworkPredictor().fit(DeviceProfile.read(profile)).save(device)
        return predictors.load(device)

    def seed(self, seed: int) -> dict[str, Any]:
        """Everything but the measuring of candidates: who they are by way, what each is worth, what it took, what verification said."""
        print(f"seed {seed}", flush=True)
        folder = self.work / f"seed-{seed}"
        ledger = Ledger(folder)
        supernet, tau = self._train(folder / "supernet", seed, ledger)
        runs = self._search(folder, hwnas.accuracy(supernet), seed, ledger)
        verdict = self._verify(runs["hwnas"], ledger)
        with phase(ledger, "family"):
            runs["family"] = references.evaluate(runs["hwnas"])
        chosen = {way: [runs[way].front()[i].architecture for i in self._places(runs[way])] for way in WAYS}
        worth = {}
        for arch in sorted({arch for archs in chosen.values() for arch in archs}):
            with phase(ledger, ALONE + slug(arch)):
                worth[arch] = finetune(runs["hwnas"], arch, epochs=self.budget.epochs, from_scratch=True)
        with phase(ledger, "export"):
            exported = export_front(runs["hwnas"], self._places(runs["hwnas"]))
        return {
            "chosen": chosen, "candidates": {way: [slug(arch) for arch in archs] for way, archs in chosen.items()}, "worth": worth,
            "seconds": {**self.ledger.seconds, **ledger.seconds}, "tau": tau, "verdict": verdict,
            "largest_difference": max(each.model.max_difference for each in exported),
        }  # fmt: skip

    def _train(self, out: Path, seed: int, ledger: Ledger) -> tuple[Any, Any]:
        """The super-network, and how well it ranks: Kendall's tau with its interval."""
        recipe = {"flip": True, "shift": 2} if self.dataset.channels == 3 else {}
        with phase(ledger, "train"):
            supernet = hwnas.train(self.space, self.dataset, epochs=self.budget.epochs, seed=seed, out=out, resume=True, **recipe)
        with phase(ledger, "audit"):
            audited = audit(out, architectures=self.budget.audited, strata=2, seeds=1, supernets=0)
        return supernet, audited["ranking"]["tau"]

    def _search(self, folder: Path, scorer: Any, seed: int, ledger: Ledger) -> dict[str, Run]:
        """The front of accuracy against latency, and that against MACs."""
        found = {}
        for name, cost, sources in (("hwnas", self.latency, [scorer, self.device.latency_ms]), ("macs", self.macs, [scorer])):
            with phase(ledger, f"search {name}"):
                found[name] = hwnas.search(
                    self.space, [scorer, cost], (), "nsga2", self.budget.evaluations, seed,
                    out=folder / name, resume=True, extra_spec=provenance(sources),
                )  # fmt: skip
        return found

    def _verify(self, run: Run, ledger: Ledger) -> dict[str, Any]:
        """What measuring the front again said; that of an earlier call where there is one."""
        written = run.path / "verify.json"
        with phase(ledger, "verify"):
            verdict = json.loads(written.read_text()) if written.exists() else run.verify(self.device, budget_s=self.budget.verify_s)
        return {name: verdict[name] for name in ("verdict", "reasons", "within_10", "within_5", "spearman", "front_regret", "as_searched")}

    def _places(self, run: Run) -> list[int]:
        """Positions evenly along the front of a run, both ends among them."""
        length = len(run.front())
        places: list[int] = np.unique(np.linspace(0, length - 1, min(length, self.budget.points)).round().astype(int)).tolist()
        return places

    def measure(self, archs: Sequence[Arch]) -> dict[Arch, Any]:
        """All candidates in one campaign: the measured latency of each, a Quantity in ms."""
        folder = self.work / "candidates"
        folder.mkdir(exist_ok=True)
        place = Here(folder, self.device, SETTINGS)
        place.measure(self.space, archs, self.budget.measure_s)
        found = measurements(self.space, place.profile(), dict.fromkeys(archs, "candidate"))
        if len(found) < len(archs):
            raise SystemExit(f"{len(archs) - len(found)} of {len(archs)} candidates were not measured: give more --measure-s")
        return {arch: measured.latency_ms for arch, measured in found.items()}

    def rows(self, seeds: Sequence[Mapping[str, Any]], measured: Mapping[Arch, Any]) -> list[dict[str, Any]]:
        """One row per seed, way and candidate: what it costs and what it is worth."""
        return [
            {"seed": number, "way": way, **self._row(arch, found["worth"][arch], measured[arch])}
            for number, found in enumerate(seeds)
            for way in WAYS
            for arch in found["chosen"][way]
        ]

    def _row(self, arch: Arch, worth: Mapping[str, Any], latency: Any) -> dict[str, Any]:
        encoded, inherited = np.array([arch]), worth["inherited"]
        return {
            "architecture": slug(arch), "macs": float(self.macs.fn(encoded)[0]),
            "predicted_ms": float(self.latency.evaluate(encoded).values[0]),
            "measured_ms": latency.value, "low_ms": latency.low, "high_ms": latency.high,
            "inherited_validation": inherited["validation"]["value"], "inherited_test": inherited["test"]["value"],
            "trained_validation": worth["validation"]["value"], "trained_test": worth["test"]["value"],
        }  # fmt: skip


def conclude(loop: Loop, seeds: Sequence[Mapping[str, Any]], options: Mapping[str, Any], name: str) -> None:
    """Measures the candidates, prints the tables and writes the file."""
    with phase(loop.ledger, "measure"):
        measured = loop.measure(sorted({arch for found in seeds for archs in found["chosen"].values() for arch in archs}))
    rows = loop.rows(seeds, measured)
    parts = {
        "candidates": rows, "test accuracy at equal latency": levels(rows, len(seeds)), "gains": gains(rows, len(seeds)),
        "agreement with measured latency": agreement(rows), "minutes": minutes(seeds, ALONE),
    }  # fmt: skip
    for title, part in parts.items():
        print(f"\n{title}\n{table(part)}")
    facts = [{key: found[key] for key in ("verdict", "tau", "largest_difference", "seconds")} for found in seeds]
    for number, fact in enumerate(facts):
        shown = {key: value for key, value in fact["verdict"].items() if key != "as_searched"}
        print(f"\nseed {number}: verification {shown}")
        print(f"audit: tau {fact['tau']}; exports differ by {fact['largest_difference']:.1e}")
    save(name, {"options": options, "data": loop.dataset.summary(), "space": loop.space.name, **parts, "seeds": facts})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="hours instead of minutes")
    parser.add_argument("--data", help="what hwnas.data.load takes, in place of CIFAR-10")
    parser.add_argument("--space", default="mobilenet-small", help="a MobileNet-like space")
    parser.add_argument("--resolution", type=int, default=32)
    parser.add_argument("--work", type=Path, default=Path("runs/whole_loop"))
    for field in fields(Budget):
        kind = float if field.name.endswith("_s") else int
        told = f"{field.default}; with --full {getattr(FULL, field.name)}"
        parser.add_argument(f"--{field.name.replace('_', '-')}", type=kind, help=told)
    options = vars(parser.parse_args())
    given = {field.name: options[field.name] for field in fields(Budget) if options[field.name] is not None}
    budget = replace(FULL if options["full"] else Budget(), **given)
    images = options["data"] or images_in(options["work"], budget.images)
    dataset = data.load(images, resolution=options["resolution"])
    space = spaces.load(options["space"], classes=dataset.classes, resolution=dataset.resolution, channels=dataset.channels)
    loop = Loop(options["work"], space, dataset, budget)
    found = [loop.seed(seed) for seed in range(budget.seeds)]
    conclude(loop, found, {"full": options["full"], **asdict(budget)}, "whole_loop" if options["full"] else "whole_loop_small")


if __name__ == "__main__":
    main()
