"""Points of a run's front as files to deploy: ONNX, a program that runs it, and on demand the same in 8-bit integers."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from device_profiles.errors import InputError
from hwnas.export import metadata
from hwnas.export.calibration import calibration_of
from hwnas.export.integer import Int8, Int8Report, Integers
from hwnas.export.subnet import ExportReport, export
from hwnas.finish import PICKS, accuracy_of, pick, weights_of
from hwnas.run import Run
from hwnas.supernet.checkpoint import write_atomically

if TYPE_CHECKING:
    from hwnas.accuracy import SupernetAccuracy

#: Called as `progress(share done, message)`.
Progress = Callable[[float, str], None]


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written for one point: the model, the program that runs it, and the 8-bit model with what it costs and loses."""

    model: ExportReport
    program: Path
    int8: Int8Report | None = None

    def to_json(self) -> dict[str, Any]:
        """The report of the model, and beside it `program` and `int8`."""
        return {**self.model.to_json(), "program": str(self.program), "int8": None if self.int8 is None else self.int8.to_json()}


def export_front(
    run: Run,
    picks: Sequence[str | int] | None = None,
    out: str | os.PathLike[str] | None = None,
    *,
    int8: Int8 | None = None,
    accuracy: SupernetAccuracy | None = None,
    progress: Progress | None = None,
) -> list[Exported]:
    """Writes points of the front, all of them without `picks`, with the weights that were trained for a point alone, otherwise those it
    inherited, and the images that the run was searched with.

    `out` is the file of a single pick, otherwise a folder; without it, `models` in the run folder. A point that was picked by several
    names is written once. What `int8` finds is kept with the run, for its report. Raises InputError for a wrong pick, images that do not
    fit, or a place that cannot be written, before anything is written; DeviceError when a file does not compute the same.
    """
    update = progress or (lambda share, message: None)
    chosen = _chosen(run, picks)
    paths = _paths(run, list(chosen.values()), picks is not None, None if out is None else Path(out))
    scorer = accuracy_of(run) if accuracy is None else accuracy
    images = None if int8 is None else calibration_of(scorer.dataset, int8.calibration)
    written: list[Exported] = []
    for number, (arch, path) in enumerate(zip(chosen, paths, strict=True)):
        update(number / len(paths), f"{path.name}, {number + 1} of {len(paths)}")
        model = export(weights_of(run, arch, scorer), arch, path, dataset=scorer.dataset, origin=metadata.origin_of(run, arch))
        written.append(Exported(model, _write_program(path)))
    if int8 is None or images is None:
        return written
    reports = Integers(run, scorer.dataset, images, int8).write([each.model for each in written], update)
    return [Exported(each.model, each.program, report) for each, report in zip(written, reports, strict=True)]


def _chosen(run: Run, picks: Sequence[str | int] | None) -> dict[tuple[int, ...], str]:
    """The architectures that are meant, each with the name of its file."""
    last = max(len(run.front()) - 1, 0)
    found: dict[tuple[int, ...], str] = {}
    for which in range(last + 1) if picks is None else picks:
        arch = pick(run, which)  # says why when there is nothing to pick
        found.setdefault(arch, str(which) if which in PICKS else f"point-{int(which):0{len(str(last))}d}")
    return found


def _paths(run: Run, names: Sequence[str], picked: bool, out: Path | None) -> list[Path]:
    """The files to write. Raises InputError when several points should go into one file."""
    folder = run.path / "models" if out is None else out
    if out is not None and picked and len(names) == 1 and not out.is_dir():
        return [out]
    if folder.suffix == ".onnx" or (folder.exists() and not folder.is_dir()):
        raise InputError(f"{folder} is one file, and there are {len(names)} points to write: give a folder")
    return [folder / f"{name}.onnx" for name in names]


def _write_program(model: Path) -> Path:
    """The program beside a model: the text of `hwnas.export.inference`, which imports nothing of hwnas."""
    text = resources.files("hwnas.export").joinpath("inference.py").read_bytes()
    program = model.with_name(f"infer_{model.stem}.py")
    write_atomically(program, text)
    return program
