"""In which order jobs begin and end, with workers that a test drives by hand."""

from __future__ import annotations

import numpy as np
import pytest

from hwnas.objectives import HERE, Objective
from hwnas.search.workers import Answer, Job, Schedule, Workers


class Puppets(Workers):
    """Workers that answer in the order that `choose` says: from places to the one that is ready."""

    def __init__(self, devices, size, choose=min, timeout_s=None):
        super().__init__([Objective(f"o{i}", "", "min", True, len, timed_on=d) for i, d in enumerate(devices)], size, timeout_s)
        self.choose, self.log, self.busy = choose, [], {}

    def start(self, place, objective, arch):
        assert place not in self.busy
        self.busy[place] = objective
        self.log.append((objective, int(arch[0, 0]), sorted(self.busy.values())))

    def wait(self, seconds):
        place = self.choose(self.busy)
        if place is None:
            return []
        value = float(self.busy.pop(place))
        return [(place, "it died" if value == 9 else Answer((value,) * 3, None, "then", 0.5))]

    def stop(self, place):
        self.log.append(("stopped", place))
        del self.busy[place]

    def close(self):
        pass


def jobs(*lefts, objectives=2):
    return [Job(i, np.array([i]), [None] * objectives, None, list(left), 1.0) for i, left in enumerate(lefts)]


def test_one_worker_takes_them_in_order_and_one_after_the_other():
    workers = Puppets([None, None], 1)
    done = list(Schedule(jobs([0, 1], [], [0, 1], []), workers))
    assert [job.number for job in done] == [0, 1, 2, 3]
    assert [entry[:2] for entry in workers.log] == [(0, 0), (1, 0), (0, 2), (1, 2)]
    assert done[0].estimates == [(0.0,) * 3, (1.0,) * 3]
    assert [job.seconds for job in done] == [2.0, 1.0, 2.0, 1.0]
    assert [job.started for job in done] == ["then", "", "then", ""]


def test_all_places_work_and_what_has_begun_goes_first():
    workers = Puppets([None, None], 2, choose=max)
    done = list(Schedule(jobs([0, 1], [0, 1], [0, 1]), workers))
    assert [job.number for job in done] == [1, 2, 0]
    assert [entry[:2] for entry in workers.log] == [(0, 0), (0, 1), (1, 1), (0, 2), (1, 2), (1, 0)]


def test_a_device_is_for_one_at_a_time_and_others_go_on():
    workers = Puppets(["board", None], 3, choose=max)
    done = list(Schedule(jobs([0], [0], [1], [1]), workers))
    assert len(done) == 4
    assert [entry[:2] for entry in workers.log[:3]] == [(0, 0), (1, 2), (1, 3)]
    assert all(running.count(0) <= 1 for *_, running in workers.log)


def test_what_is_timed_here_is_alone_and_nothing_overtakes_it():
    workers = Puppets([HERE, None], 3)
    done = list(Schedule(jobs([1], [0], [1], [1], [0]), workers))
    assert len(done) == 5
    assert [entry[1] for entry in workers.log] == [0, 1, 2, 3, 4]
    assert all(running == [0] for objective, _, running in workers.log if objective == 0)
    assert workers.log[3][2] == [1, 1]


def test_a_lost_answer_fails_its_job_alone():
    workers = Puppets([None] * 10, 2)
    done = list(Schedule(jobs([0, 9, 1], [0, 1], objectives=10), workers))
    (lost,) = (job for job in done if job.error)
    assert (lost.number, lost.error, lost.left) == (0, "o9: it died", [])
    assert lost.estimates[0] == (0.0,) * 3
    assert lost.estimates[1] is None


@pytest.mark.parametrize("size", [1, 3])
def test_what_takes_too_long_is_stopped_and_its_place_goes_on(size):
    def quick(busy):
        return next((place for place, objective in busy.items() if objective == 1), None)

    workers = Puppets([None, None], size, choose=quick, timeout_s=0.01)
    done = list(Schedule(jobs([0], [1], [0], [1], [1]), workers))
    assert {job.number: job.error for job in done} == {
        0: "o0: no answer within 0.01 s", 1: None, 2: "o0: no answer within 0.01 s", 3: None, 4: None,
    }  # fmt: skip
    assert len([entry for entry in workers.log if entry[0] == "stopped"]) == 2
    assert all(job.seconds >= 1.01 for job in done if job.error)
