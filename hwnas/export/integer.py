"""8-bit versions of exported models: judged on images that were held out, measured beside the originals, and written."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx

from device_profiles.quantity import Quantity
from device_profiles.runtimes.process import RuntimeProcess
from hwnas.data import Dataset
from hwnas.export import metadata
from hwnas.export.calibration import Calibration
from hwnas.export.int8 import Scheme, quantised
from hwnas.export.measure import Costs, elsewhere, measure
from hwnas.export.scores import Scores, compared, pixels_of, right
from hwnas.export.subnet import ExportReport
from hwnas.run import Run
from hwnas.supernet.checkpoint import write_atomically

Progress = Callable[[float, str], None]

#: Written behind the name of a model for its 8-bit version.
ENDING = "-int8"


@dataclass(frozen=True, slots=True)
class Int8:
    """What is asked for: the user's calibration images (None: images trained on), seconds for measuring, who is told what disturbs it."""

    calibration: str | os.PathLike[str] | None = None
    budget_s: float | None = None
    notice: Callable[[str], object] | None = None


@dataclass(frozen=True, slots=True)
class Int8Report:
    """An 8-bit model: its accuracy on held-out images by split, and its costs on the device, before and after.

    `calibrated_on` says how many images of what; `measured_on` names the device, empty where nothing was measured.
    """

    path: Path
    bytes: int
    sha256: str
    scheme: Scheme
    calibrated_on: str
    accuracy: Mapping[str, Scores]
    measured_on: str
    before: Costs
    after: Costs

    def to_json(self) -> dict[str, Any]:
        """The report as JSON."""
        scores = {split: {key: q.to_json() for key, q in found._asdict().items()} for split, found in self.accuracy.items()}
        return {
            "path": str(self.path), "bytes": self.bytes, "sha256": self.sha256, "scheme": self.scheme.to_json(),
            "calibrated_on": self.calibrated_on, "accuracy": scores, "measured_on": self.measured_on,
            "before": self.before.to_json(), "after": self.after.to_json(),
        }  # fmt: skip

    def extras(self) -> list[tuple[str, Quantity]]:
        """What the run keeps about the point."""
        costs = {"latency_ms": self.after.latency_ms, "memory_mb": self.after.memory_mb, "energy_mj": self.after.energy_mj}
        found = [(f"int8_{split}_accuracy", scores.after) for split, scores in self.accuracy.items()]
        return found + [(f"int8_{name}", quantity) for name, quantity in costs.items() if quantity is not None]


@dataclass(frozen=True, slots=True)
class _Draft:
    """A model that was exported and its 8-bit version, not written yet; `side` is that of the images it takes."""

    source: ExportReport
    model: onnx.ModelProto
    facts: Mapping[str, Any]

    @property
    def side(self) -> int:
        """Pixels of every side of the images."""
        return int(self.facts["preprocessing"]["resolution"])


class Integers:
    """Turns exported models of one run into 8-bit ones."""

    def __init__(self, run: Run, dataset: Dataset, calibration: Calibration, wanted: Int8) -> None:
        self.run, self.dataset, self.calibration, self.wanted = run, dataset, calibration, wanted
        record = run.spec.get("device")
        self.device: dict[str, Any] = record if isinstance(record, dict) else {}
        self.scheme = Scheme.for_device((self.device.get("device") or {}).get("isa") or [])
        self.calibrated_on = f"{len(calibration.images)} images: {calibration.source}"

    def write(self, sources: Sequence[ExportReport], update: Progress) -> list[Int8Report]:
        """Writes NAME-int8.onnx beside every NAME.onnx, in order; all are judged and measured before the first is written."""
        drafts: list[_Draft] = []
        scores: list[dict[str, Scores]] = []
        for number, source in enumerate(sources):
            update(number / len(sources), f"8-bit version of {source.path.name} and its accuracy, {number + 1} of {len(sources)}")
            drafts.append(self._drafted(source))
            scores.append(self._scores(drafts[-1]))
        name, costs = self._measured(drafts, update)
        reports = [self._finished(draft, found, name, costs) for draft, found in zip(drafts, scores, strict=True)]
        self.run.add_extras([(s.architecture, *item) for s, report in zip(sources, reports, strict=True) for item in report.extras()])
        self.run.write_front()
        return reports

    def _drafted(self, source: ExportReport) -> _Draft:
        facts = metadata.read(source.path)
        pixels = pixels_of(self.calibration.images, int(facts["preprocessing"]["resolution"]))
        return _Draft(source, quantised(source.path.read_bytes(), pixels, self.scheme), facts)

    def _scores(self, draft: _Draft) -> dict[str, Scores]:
        plain, integers = draft.source.path.read_bytes(), draft.model.SerializeToString()
        splits = {"validation": self.dataset.validation, "test": self.dataset.test}
        return {name: compared(right(plain, split, draft.side), right(integers, split, draft.side)) for name, split in splits.items()}

    def _measured(self, drafts: Sequence[_Draft], update: Progress) -> tuple[str, dict[str, Costs]]:
        """The name of the device and the costs by stem; none where this machine is not the device of the run."""
        contents: dict[str, bytes] = {}
        for draft in drafts:
            stem = draft.source.path.stem
            contents |= {stem: _bare(onnx.load(draft.source.path)), stem + ENDING: _bare(draft.model)}
        runtime = self.device.get("runtime") or {}
        with RuntimeProcess(str(runtime.get("name", "onnxruntime")), int(runtime.get("threads", 1))) as process:
            if other := elsewhere(self.device, process):
                problem = f"not measured: this is not the device of the run ({'; '.join(other)}); hwnas profile --onnx measures files there"
                return "", dict.fromkeys(contents, Costs(problem=problem))
            profile, told = drafts[0].source.path.with_name("int8.jsonl"), self.wanted.notice
            costs = measure(contents, profile, process, budget_s=self.wanted.budget_s, progress=update, notice=told)
            return str(self.device.get("name") or "this machine"), costs

    def _finished(self, draft: _Draft, scores: dict[str, Scores], name: str, costs: Mapping[str, Costs]) -> Int8Report:
        """Writes the model with everything known about it in its metadata."""
        source = draft.source
        before, after = (costs[source.path.stem + ending] for ending in ("", ENDING))
        made = {
            "scheme": self.scheme.to_json(), "calibrated_on": self.calibrated_on, "from_sha256": source.sha256, "measured_on": name,
            "accuracy": {split: found.after.to_json() for split, found in scores.items()}, **after.to_json(),
        }  # fmt: skip
        content = metadata.write(draft.model, {**draft.facts, "int8": made})
        path = source.path.with_name(f"{source.path.stem}{ENDING}.onnx")
        write_atomically(path, content)
        digest = hashlib.sha256(content).hexdigest()
        return Int8Report(path, len(content), digest, self.scheme, self.calibrated_on, scores, name, before, after)


def _bare(model: onnx.ModelProto) -> bytes:
    """The model without its metadata: what is measured belongs to the graph and its weights alone."""
    bare = onnx.ModelProto()
    bare.CopyFrom(model)
    return metadata.write(bare, {})
