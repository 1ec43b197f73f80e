"""Networks of a MobileNet-like space that nobody has to search for, beside which a search has to be worth it.

One kernel, one expansion for all blocks, width, depth and resolution scaled together: what a team takes that scales MobileNetV2 by hand
(Sandler et al., CVPR 2018, sections 4 and 6.1; Howard et al., MobileNets, 2017, sections 3.3 and 3.4).
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from device_profiles.errors import InputError
from hwnas.devices import by_device
from hwnas.finish import accuracy_of, device_of
from hwnas.objectives import as_constraints, as_objectives
from hwnas.report.data import REFERENCES
from hwnas.run import Run
from hwnas.search.base import Problem
from hwnas.search.evaluation import Evaluator
from hwnas.spaces import MobileNetSpace, from_spec
from hwnas.spaces.base import Archs, Choice
from hwnas.storage import Writer

#: The kernel of every block of MobileNetV2.
KERNEL = 3
#: What is scaled, by the last word of the names of choices.
_SCALED = ("width", "depth", "expansion", "resolution")


def uniform(space: MobileNetSpace) -> Archs:
    """Every network whose blocks are all alike but for their place: one level of width, depth, expansion and resolution; `(n, n_choices)`.

    A level is a place between the least and the most of each choice, so that a stage with two widths and one with three scale together.
    """
    leaves = [choice.name.rsplit(".", 1)[-1] for choice in space.choices]
    levels = {
        name: max([len(c.values) for c, leaf in zip(space.choices, leaves, strict=True) if leaf == name], default=1) for name in _SCALED
    }
    rows = []
    for chosen in product(*(range(count) for count in levels.values())):
        share = {name: level / max(1, levels[name] - 1) for name, level in zip(levels, chosen, strict=True)}
        rows.append([_index(choice, leaf, share) for choice, leaf in zip(space.choices, leaves, strict=True)])
    return np.unique(space.canonical(np.array(rows, dtype=np.int64)), axis=0)


def _index(choice: Choice, leaf: str, share: dict[str, float]) -> int:
    if leaf in share:
        return round(share[leaf] * (len(choice.values) - 1))
    return choice.values.index(KERNEL) if KERNEL in choice.values else 0


def evaluate(run: Run, device: Path | None = None, progress: Callable[[float, str], None] | None = None) -> Run:
    """Evaluates the uniform networks by the objectives of a run, with its super-network and device, into `references` in its folder.

    What is there already is not evaluated again. Raises InputError for a space that is not MobileNet-like, and when the super-network, the
    images or the device are not where they were.
    """
    space = from_spec(run.spec["space"])
    if not isinstance(space, MobileNetSpace):
        raise InputError(f"hand-made networks are known for MobileNet-like spaces only, and {run.path} searched {space.name}")
    objectives = as_objectives(_objectives(run, device), space)
    evaluator = Evaluator(Problem(space, objectives, as_constraints(run.spec.get("constraints") or (), objectives)))
    folder, archs = run.path / REFERENCES, uniform(space)
    if not Run.exists(folder):
        Run.create(folder, {**run.spec, "algorithm": "hand-made", "evaluations": len(archs), "options": {}}, objectives)
    found = Run.open(folder)
    known = {row.architecture for row in found.rows()}
    missing = [i for i, arch in enumerate(archs.tolist()) if tuple(arch) not in known]
    done = len(known)
    with Writer(found.database) as writer:
        for group in evaluator([i + 1 for i in missing], archs[missing]) if missing else ():
            writer.add(group)
            done += len(group)
            if progress is not None:
                progress(done / len(archs), f"{done} of {len(archs)} hand-made networks")
        writer.set_spec(stopped=f"exhausted: all {len(archs)} uniform networks of the space")
    return found


def _objectives(run: Run, device: Path | None) -> list[Any]:
    """What the run optimised, from its super-network and its device. Raises InputError for an objective that neither has."""
    if by_device(run.objectives):
        raise InputError(f"{run.path} was searched for several devices: hand-made networks belong to the run of one, in its devices/NAME")
    found: list[Any] = []
    for name in run.names():
        if name == "accuracy":
            found.append(accuracy_of(run))
        elif name in ("latency_ms", "energy_mj"):
            found.append(getattr(device_of(run, device), name))
        else:
            raise InputError(f"{name} of {run.path} came from code of your own: hand-made networks cannot be evaluated by it")
    return found
