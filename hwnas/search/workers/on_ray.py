"""Places that are actors of a Ray cluster: on this machine, or on many.

Moritz et al., Ray: A Distributed Framework for Emerging AI Applications, OSDI 2018.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from device_profiles.errors import DeviceError, InputError
from hwnas.objectives import Objective
from hwnas.search.estimate import one_line
from hwnas.search.workers.base import Answer, Workers, compute
from hwnas.spaces.base import Archs

#: The address that means a cluster on this machine, which ends with the search.
LOCAL = "local"
#: Seconds within which a cluster must give a place.
PATIENCE_S = 120.0


class OnRay(Workers):
    """As many actors as places, one processor each, made when first needed and anew after one that died or was stopped.

    Ray pickles the objectives on their way to its own processes, so all that they need must be there too. A cluster that the program is
    connected to already is used as it is. Raises InputError when ray is not installed, DeviceError when there is no cluster, or one that
    is too small.
    """

    def __init__(self, objectives: Sequence[Objective], size: int, address: str, timeout_s: float | None = None) -> None:
        super().__init__(objectives, size, timeout_s)
        self._actors: dict[int, Any] = {}
        self._asked: dict[Any, int] = {}
        ray = self._ray = _loaded()
        self._mine = not ray.is_initialized()
        if self._mine:
            self._connect(address)
        try:
            self._check_size()
            self._shared = ray.put(tuple(objectives))
        except BaseException:
            self.close()
            raise
        self._kind = ray.remote(num_cpus=1, max_restarts=0)(_Actor)

    def start(self, place: int, objective: int, arch: Archs) -> None:
        """Send it to the actor of that place."""
        actor = self._actors.get(place) or self._make(place)
        self._asked[actor.compute.remote(objective, arch)] = place

    def wait(self, seconds: float | None) -> list[tuple[int, Answer | str]]:
        """What actors have answered, or that they died."""
        ready, _ = self._ray.wait(list(self._asked), num_returns=1, timeout=seconds)
        return [self._receive(reference) for reference in ready]

    def stop(self, place: int) -> None:
        """Kill the actor of that place."""
        self._asked = {reference: asked for reference, asked in self._asked.items() if asked != place}
        self._ray.kill(self._actors.pop(place), no_restart=True)

    def close(self) -> None:
        """Kill all actors, and end the cluster or the connection if this made it."""
        while self._actors:
            self.stop(next(iter(self._actors)))
        if self._mine:
            self._ray.shutdown()

    def _connect(self, address: str) -> None:
        own: dict[str, Any] = {"address": address}
        if address == LOCAL:
            own |= {"num_cpus": self.size, "include_dashboard": False}
        try:
            self._ray.init(log_to_driver=False, logging_level="ERROR", **own)
        except Exception as error:
            with suppress(Exception):  # half a cluster may be up; what is told is why it is not whole
                self._ray.shutdown()
            raise DeviceError(f"no Ray cluster at {address!r}: {one_line(error)}") from error

    def _check_size(self) -> None:
        processors = int(self._ray.cluster_resources().get("CPU", 0))
        if processors < self.size:
            raise DeviceError(f"the Ray cluster has {processors} processors, too few for {self.size} workers")

    def _make(self, place: int) -> Any:
        """A new actor, once it is there: the time that its process takes to start is not the evaluation's."""
        actor = self._kind.remote(self._shared)
        try:
            self._ray.get(actor.ready.remote(), timeout=PATIENCE_S)
        except self._ray.exceptions.RayError as error:
            self._ray.kill(actor, no_restart=True)
            raise DeviceError(f"the Ray cluster gave no worker: {one_line(error)}") from error
        self._actors[place] = actor
        return actor

    def _receive(self, reference: Any) -> tuple[int, Answer | str]:
        place = self._asked.pop(reference)
        try:
            return place, Answer(*self._ray.get(reference))
        except self._ray.exceptions.RayError:  # its text names processes, and is another one every time
            self.stop(place)
            return place, "its Ray worker died, as it does when memory runs out"


def _loaded() -> Any:
    """The package, told to be quiet, which it must be before it is imported."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # a search tells nobody that it runs
    # Else it writes on standard output, where results go, what the row of the evaluation says already.
    os.environ.setdefault("RAY_DEDUP_LOGS_SKIP_REGEX", "A worker died or was killed")
    try:
        import ray
    except ImportError as error:
        raise InputError('evaluating on Ray needs ray: pip install "hwnas[ray]"') from error
    return ray


class _Actor:
    """What runs on the cluster."""

    def __init__(self, objectives: Sequence[Objective]) -> None:
        self.objectives = objectives

    def ready(self) -> None:
        """Answers as soon as it is there."""

    def compute(self, objective: int, arch: Archs) -> tuple[Any, ...]:
        """One objective of one architecture, as plain values."""
        return tuple(compute(self.objectives[objective], arch))
