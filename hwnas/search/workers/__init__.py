"""Where expensive objectives are computed: in the process of the search, in processes beside it, or on a Ray cluster."""

from __future__ import annotations

import math
from collections.abc import Sequence

from device_profiles.errors import InputError
from hwnas.objectives import Objective
from hwnas.search.workers.base import Answer, Here, Workers
from hwnas.search.workers.schedule import Job, Schedule

__all__ = ["Answer", "Here", "Job", "Schedule", "Workers", "make_workers"]


def make_workers(objectives: Sequence[Objective], workers: int = 1, timeout_s: float | None = None, ray: str | None = None) -> Workers:
    """So many workers for these objectives: on the Ray cluster at the address `ray` ("local" starts one), else on this machine.

    One worker without a time limit is the process of the search itself; all others are processes of their own.
    Raises InputError for a number or a time that cannot be, and when ray is not installed; DeviceError when there is no such cluster.
    """
    if isinstance(workers, bool) or not isinstance(workers, int) or workers < 1:
        raise InputError(f"workers is a whole number of at least 1, got {workers!r}")
    if timeout_s is not None and (isinstance(timeout_s, bool) or not 0 < timeout_s < math.inf):
        raise InputError(f"timeout_s is a positive number of seconds, got {timeout_s!r}")
    if ray is not None:
        from hwnas.search.workers.on_ray import OnRay

        return OnRay(objectives, workers, ray, timeout_s)
    if workers == 1 and timeout_s is None:
        return Here(objectives)
    from hwnas.search.workers.processes import Processes

    return Processes(objectives, workers, timeout_s)
