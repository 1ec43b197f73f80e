"""What follows a search: the device and the super-network of a run, test scores of its front, and the files to deploy."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from device_profiles.errors import InputError, unknown
from device_profiles.quantity import Quantity
from hwnas.report.picks import ONE_POINT, choose
from hwnas.run import Run
from hwnas.spaces import from_spec

if TYPE_CHECKING:
    from hwnas.accuracy import SupernetAccuracy
    from hwnas.export import ExportReport
    from hwnas.supernet import Supernet
    from predictors import NetworkPredictor

#: Points of a front that have a name; a number is the position along the front, from the cheapest.
PICKS = ("best", "cheapest", "knee", "fastest")


def device_of(run: Run, path: str | os.PathLike[str] | None = None) -> NetworkPredictor:
    """The predictor that the run was searched with, from where it was then or from `path`. Raises InputError when it is not there.

    Also for a run for several devices.
    """
    import predictors

    several = run.spec.get("devices")
    if several:
        text = f"{run.path} was searched for {' and '.join(several)}"
        raise InputError(f"{text}: name one of them, such as hwnas verify {run.path} --device {next(iter(several))}")
    path = _recorded(run, "device") if path is None else path
    if path is None:
        raise InputError(f"{run.path} does not say where its device.json is; name it with --device")
    return predictors.load(path)


def _recorded(run: Run, name: str) -> Path | None:
    """Where the run says that its device or super-network is; a relative path starts at the run folder."""
    path = (run.spec.get(name) or {}).get("path")
    return None if path is None else run.path / path


def accuracy_of(run: Run) -> SupernetAccuracy:
    """The accuracy that the run was searched with. Raises InputError when the super-network or the images are not where they were."""
    from hwnas.accuracy import load_accuracy

    recorded = _recorded(run, "supernet")
    if recorded is None:
        raise InputError(f"{run.path} was not searched with a super-network, so there are no weights")
    return load_accuracy(recorded)


def score_front(run: Run, accuracy: SupernetAccuracy) -> None:
    """Adds what reports show of the front and no search may see, where it is missing: accuracy on test images, MACs and parameters."""
    front = run.front()
    if not len(front):
        return
    archs = [p.architecture for p in front if not {"test_accuracy", "macs", "params"} <= p.extras.keys()]
    space = from_spec(run.spec["space"])
    items: list[tuple[Sequence[int], str, Quantity]] = []
    for arch, value, low, high in zip(archs, *(accuracy.test(archs) if archs else ((),) * 3), strict=True):
        network = space.network(arch)
        items.append((arch, "test_accuracy", Quantity(float(value), float(low), float(high), "measured")))
        items += [(arch, name, exact(number)) for name, number in (("macs", network.macs), ("params", network.params))]
    if items:
        run.add_extras(items)
    run.write_front()


def exact(number: float) -> Quantity:
    """A number that is counted, not measured."""
    return Quantity(float(number), float(number), float(number), "modelled")


def pick(run: Run, which: str | int) -> tuple[int, ...]:
    """The architecture of a named point of the front (`PICKS`), or of a position from 0, the cheapest.

    Raises InputError for anything else, and for an empty front.
    """
    front = run.front()
    if not len(front):
        raise InputError(f"the front of {run.path} is empty; there is nothing to pick")
    text = str(which)
    if text.lstrip("-").isdigit():
        if not 0 <= int(text) < len(front):
            raise InputError(f"there is no point {text} on the front; it has points 0 to {len(front) - 1}")
        return front[int(text)].architecture
    gain = front.directions.index("max") if "max" in front.directions else None
    gains = [0.0] * len(front) if gain is None else front.values[:, gain].tolist()
    chosen = choose(gains, ONE_POINT, front.knee_index())
    if text not in chosen:
        raise unknown("pick", text, [*chosen, "a number"])
    return front[chosen[text]].architecture


def weights_of(run: Run, arch: Sequence[int], accuracy: SupernetAccuracy) -> Supernet:
    """What holds the weights of an architecture that are deployed: a training of its own (see `hwnas.finetuned`), or the super-network."""
    from hwnas import finetuned

    own = finetuned.best(run.path, arch)
    return accuracy.supernet if own is None else finetuned.load(own)


def export_pick(run: Run, which: str | int, path: str | os.PathLike[str]) -> ExportReport:
    """Writes one point of the front as ONNX and the program that runs it; see `hwnas.export.export_front`, which does more."""
    from hwnas.export import export_front

    return export_front(run, [which], path)[0].model
