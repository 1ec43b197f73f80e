"""How far accuracies with shared weights are from those of networks trained on their own, as an audit found it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from device_profiles.errors import InputError

#: Architectures below which a line through them says nothing.
_FEWEST = 4


@dataclass(frozen=True, slots=True)
class RankingError:
    """Own accuracy = a constant + `slope` times the inherited one, give or take `sd` (a standard deviation); 0..1 all of them."""

    slope: float
    sd: float

    @classmethod
    def of(cls, audit: Mapping[str, Any]) -> RankingError | None:
        """From the content of an audit.json; None where its architectures are too few, or all inherit the same accuracy.

        The line is fitted by least squares; of what it leaves open, the part that comes from the seeds of the trainings is taken off. A
        falling line counts as a flat one. Raises InputError when it is no audit.
        """
        try:
            rows = audit["architectures"]
            inherited = np.array([float(row["inherited"]["value"]) for row in rows])
            alone = np.array([[float(value) for value in row["alone"]] for row in rows])
            noise = float(audit.get("noise") or 0.0)
            if alone.ndim != 2 or not alone.size or not (np.isfinite(alone).all() and np.isfinite(inherited).all() and noise >= 0):
                raise ValueError("its accuracies are no table of numbers")
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(f"this is no audit: {type(error).__name__}: {error}") from error
        if len(inherited) < _FEWEST or np.ptp(inherited) == 0:
            return None
        truth, centred = alone.mean(axis=1), inherited - inherited.mean()
        slope = max(0.0, float(centred @ truth / (centred @ centred)))
        left = float(np.square(truth - truth.mean() - slope * centred).sum()) / (len(truth) - 2)
        return cls(slope, math.sqrt(max(0.0, left - noise**2 / alone.shape[1])))


def ranking_error(folder: Path, checkpoint_sha256: str | None) -> RankingError | None:
    """That of the audit kept beside a checkpoint; None where there is none, or it is about other weights.

    Raises InputError when the audit is damaged.
    """
    found = read_audit(folder, checkpoint_sha256)
    return None if found is None else RankingError.of(found)


def read_audit(folder: Path, checkpoint_sha256: str | None) -> dict[str, Any] | None:
    """The audit kept beside a checkpoint; None where there is none, or it is about other weights.

    Raises InputError when it cannot be read.
    """
    from hwnas.audit import RESULT

    path = folder / RESULT
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: cannot be read as an audit: {error}") from error
    return found if isinstance(found, dict) and found.get("checkpoint_sha256") == checkpoint_sha256 else None
