"""How far a super-network can be trusted: its ranking of architectures against trainings of each on its own.

What is reported follows the studies of Zhang et al., Deeper Insights into Weight Sharing in Neural Architecture Search, 2020 (arXiv
2001.01431), section 3, and Xie et al., Weight-Sharing Neural Architecture Search: A Battle to Shrink the Optimization Gap, ACM Computing
Surveys 2021.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from device_profiles.errors import InputError
from hwnas.audit_numbers import conclusions
from hwnas.audit_trainings import Trainings
from hwnas.spaces.base import Archs, SearchSpace

if TYPE_CHECKING:
    from hwnas.accuracy import SupernetAccuracy

#: The result, in the folder of the checkpoint.
RESULT = "audit.json"
#: Architectures of which those to be trained are chosen, by cost.
POOL = 300


@dataclass(frozen=True, slots=True)
class Options:
    """What is trained: `architectures` of `strata` equal slices of the space by MACs, each with `seeds` seeds, and `supernets` more
    super-networks with other seeds; for `epochs`, None being as many as the super-network was trained. `seed` chooses the architectures.
    """

    architectures: int = 12
    strata: int = 3
    seeds: int = 2
    supernets: int = 1
    epochs: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.strata < 1 or self.architectures < 2 * self.strata:
            raise InputError(f"an audit needs two architectures per stratum or more, got {self.architectures} in {self.strata} strata")
        if self.seeds < 1 or self.supernets < 0 or self.seed < 0 or (self.epochs is not None and self.epochs < 1):
            raise InputError(f"an audit needs seeds >= 1, supernets >= 0, epochs >= 1, got {self.seeds}, {self.supernets}, {self.epochs}")


def audit(
    checkpoint: str | os.PathLike[str],
    data: str | os.PathLike[str] | None = None,
    *,
    progress: Callable[[float, str], None] | None = None,
    **options: Any,
) -> dict[str, Any]:
    """Trains some architectures on their own and says how well the super-network of a training's folder ranks them.

    `options` are those of `Options`. Every training uses the recipe of the checkpoint. The result is returned and written to `audit.json`
    in that folder. Finished trainings are kept there, and one that was interrupted goes on: an audit that was killed trains nothing twice.
    Raises InputError for a folder without a checkpoint, other images than it was trained on, wrong options, and a space with too few
    architectures.
    """
    from hwnas.accuracy import load_accuracy
    from hwnas.supernet.calibration import calibration_curve
    from hwnas.supernet.checkpoint import FILE, read, write_atomically

    settings, folder = _options(options), Path(checkpoint)
    if not folder.is_dir():
        raise InputError(f"an audit is kept beside its checkpoint: give the folder of a training, not {folder}")
    scorer, metadata = load_accuracy(folder, data), read(folder)[1]
    if "recipe" not in metadata or metadata["strategy"]["name"] == "stand_alone":
        raise InputError(f"{folder} does not hold a super-network that was trained here, so there is nothing to audit")
    digest = hashlib.sha256((folder / FILE).read_bytes()).hexdigest()
    archs, strata = choose(scorer.supernet.space, settings)
    rows = _rows(scorer, archs, strata)
    trainings = Trainings(folder, scorer, metadata, settings.epochs, progress or (lambda share, message: None))
    trainings.planned = len(archs) * settings.seeds + settings.supernets
    alone = np.array([[trainings.alone(arch, seed) for seed in range(settings.seeds)] for arch in archs])
    supernets = [trainings.supernet(archs, seed) for seed in range(settings.supernets)]
    result = {
        "format": 1,
        "checkpoint_sha256": digest,
        "options": asdict(settings),
        "strategy": metadata["strategy"],
        "recipe": trainings.recipe,
        "images": len(scorer.dataset.validation),
        **conclusions(rows, alone, trainings.last_epochs(archs), supernets, np.random.default_rng(settings.seed)),
        "calibration": calibration_curve(scorer.supernet, scorer.dataset, archs),
    }
    write_atomically(folder / RESULT, (json.dumps(result, indent=1, allow_nan=False) + "\n").encode())
    return result


def _options(options: Mapping[str, Any]) -> Options:
    try:
        return Options(**options)
    except TypeError as error:
        raise InputError(f"an audit has the options {', '.join(Options.__dataclass_fields__)}, got {', '.join(options)}") from error


def choose(space: SearchSpace, options: Options) -> tuple[Archs, npt.NDArray[np.int64]]:
    """Architectures `(n, n_choices)` in the order of their MACs and the stratum of each, `(n,)`: random ones of equal slices by MACs.

    Raises InputError when the space has too few architectures.
    """
    rng = np.random.default_rng(options.seed)
    pool = np.unique(np.concatenate([space.smallest(), space.largest(), space.sample(POOL, rng)]), axis=0)
    if len(pool) < options.architectures:
        raise InputError(f"{space.name} showed {len(pool)} architectures, fewer than the {options.architectures} to audit")
    order = np.argsort([space.network(row).macs for row in pool], kind="stable")
    rows, strata = [], []
    for stratum, slice_ in enumerate(np.array_split(order, options.strata)):
        number = len(range(stratum, options.architectures, options.strata))  # nearly the same of each
        rows.append(slice_[np.sort(rng.choice(len(slice_), number, replace=False))])
        strata.append(np.full(number, stratum))
    return pool[np.concatenate(rows)], np.concatenate(strata)


def _rows(scorer: SupernetAccuracy, archs: Archs, strata: npt.NDArray[np.int64]) -> list[dict[str, Any]]:
    """What is known of each architecture before any is trained on its own."""
    found = zip(archs, strata.tolist(), *(column.tolist() for column in scorer(archs)), strict=True)
    rows = []
    for arch, stratum, value, low, high in found:
        network = scorer.supernet.space.network(arch)
        inherited = {"value": value, "low": low, "high": high}
        rows.append(
            {"architecture": arch.tolist(), "stratum": stratum, "macs": network.macs, "params": network.params, "inherited": inherited}
        )
    return rows
