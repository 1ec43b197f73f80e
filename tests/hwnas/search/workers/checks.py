"""What every kind of worker must keep, as functions of the arguments that `search` takes for it.

Run as a program, `checks.py FOLDER JSON`, it does the checks `ON_RAY` with those arguments and prints, as JSON, what became of each: in a
process of its own, for Ray leaves threads and handlers behind.
"""

from __future__ import annotations

import json
import os
import runpy
import signal
import subprocess
import sys
import time
import traceback
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from device_profiles.errors import DeviceError
from hwnas.objectives import HERE, Objective
from hwnas.search import search

toy = SimpleNamespace(**runpy.run_path(str(Path(__file__).parents[1] / "toy_space.py")))
SPACE = toy.ToySpace()
PAIR = (toy.score(), toy.cost())


def run_of(out, where, objectives=PAIR, algorithm="random", evaluations=24, **more):
    return search(SPACE, objectives, algorithm=algorithm, evaluations=evaluations, seed=1, out=out, **where, **more)


def check_rows_are_those_of_one_worker(out, where):
    for algorithm in ("random", "nsga2", "surrogate", "local"):
        settings = {"algorithm": algorithm, "evaluations": 60, "constraints": ["latency_ms <= 1.9", "accuracy >= 0.75"]}
        one = toy.table(run_of(out / algorithm / "one", {}, **settings))
        assert {row[-2] for row in one} == {"ok", "infeasible"}
        assert toy.table(run_of(out / algorithm / "many", where, **settings)) == one


def uneven(archs):
    """The first of a batch take longest, so that answers come in another order than they were asked for."""
    time.sleep(0.05 if archs[0, 0] > 3 else 0.0)
    return toy.accuracy(archs)


def check_the_order_of_answers_changes_nothing(out, where):
    seen = []
    one = toy.table(run_of(out / "one", {}, algorithm="nsga2", evaluations=60))
    run = run_of(out / "many", where, (toy.score(uneven), toy.cost()), "nsga2", 60, progress=lambda p: seen.append(p.done))
    assert toy.table(run) == one
    assert seen == sorted(seen)
    assert seen[-1] == 60
    rows = run.evaluations()
    assert (rows["seconds"][rows["architecture"][:, 0] > 3] >= 0.05).all()
    assert all(started.endswith("Z") for started in rows["started"])


ERRORS = {
    0: "accuracy is nan", 1: "accuracy: RuntimeError: device lost", 2: "accuracy: MemoryError:",
    3: "accuracy is 1.7, outside its bounds 0 to 1",
}  # fmt: skip


def case_of(archs):
    return (archs @ np.arange(1, archs.shape[1] + 1)) % 9


def bad(archs):
    """Every way to fail, also those that take a process along."""
    case = int(case_of(archs)[0])
    if case == 1:
        raise RuntimeError("device lost")
    if case == 2:
        raise MemoryError
    if case == 4:
        os.kill(os.getpid(), signal.SIGKILL)
    if case == 5:
        os._exit(3)
    return np.array([{0: np.nan, 3: 1.7}.get(case, toy.accuracy(archs)[0])])


def check_whatever_fails_is_recorded_and_counted_and_never_on_the_front(out, where):
    last = []
    run = run_of(out, where, (toy.score(bad), toy.cost()), evaluations=30, progress=last.append)
    rows = run.evaluations()
    cases = case_of(rows["architecture"])
    assert set(range(6)) <= set(cases.tolist())
    np.testing.assert_array_equal(rows["status"] == "failed", cases < 6)
    assert last[-1].failed == (cases < 6).sum()
    for error, case in zip(rows["error"], cases.tolist(), strict=True):
        if case in (4, 5):
            assert error.startswith("accuracy: its "), error
            assert ("SIGKILL" if case == 4 else "exit status 3") in error or "Ray worker died" in error
        else:
            assert error == ERRORS.get(case)
    failed = {tuple(arch) for arch in rows["architecture"][cases < 6].tolist()}
    assert not failed & {point.architecture for point in run.front()}
    np.testing.assert_array_equal(rows["accuracy"][cases >= 6], toy.accuracy(rows["architecture"][cases >= 6]))


def hanging(archs):
    if case_of(archs)[0] in (0, 1):
        time.sleep(600)
    return toy.accuracy(archs)


def check_what_takes_too_long_is_stopped(out, where):
    run = run_of(out, {**where, "timeout_s": 1.5}, (toy.score(hanging), toy.cost()), evaluations=8)
    rows = run.evaluations()
    late = case_of(rows["architecture"]) < 2
    assert late.any()
    np.testing.assert_array_equal(rows["status"] == "failed", late)
    assert set(rows["error"][late]) == {"accuracy: no answer within 1.5 s"}
    assert (rows["seconds"][late] >= 1.5).all()


def timed(folder, name, device):
    """An objective that writes down from when to when it computed."""

    def measure(archs):
        begin = time.monotonic()
        time.sleep(0.03)
        (folder / f"{name}-{'-'.join(map(str, archs[0]))}").write_text(json.dumps([begin, time.monotonic()]))
        return toy.latency(archs)

    return Objective(name, "ms", "min", True, measure, (0.0, 10.0), timed_on=device)


def spans(folder, name):
    return sorted(json.loads(path.read_text()) for path in folder.glob(f"{name}-*"))


def overlap(one, other):
    return any(a < d and c < b for a, b in one for c, d in other if [a, b] != [c, d])


def check_one_timing_at_a_time_on_a_device(out, where):
    notes = out / "notes"
    notes.mkdir(parents=True)
    kinds = {"board_ms": "board", "again_ms": "board", "other_ms": "another board", "free_ms": None}
    run_of(out / "run", where, [timed(notes, name, device) for name, device in kinds.items()], evaluations=12)
    found = {name: spans(notes, name) for name in kinds}
    assert {len(each) for each in found.values()} == {12}
    board = found["board_ms"] + found["again_ms"]
    assert not overlap(board, board)
    assert not overlap(found["other_ms"], found["other_ms"])
    everything = [span for each in found.values() for span in each]
    assert overlap(everything, everything)  # there is more than one worker


def check_nothing_is_computed_beside_a_timing_on_this_machine(out, where):
    notes = out / "notes"
    notes.mkdir(parents=True)
    run_of(out / "run", where, [timed(notes, "free_ms", None), timed(notes, "here_ms", HERE)], evaluations=12)
    assert not overlap(spans(notes, "here_ms"), spans(notes, "here_ms") + spans(notes, "free_ms"))
    assert len(spans(notes, "here_ms")) == 12


def check_what_was_done_out_of_order_is_kept_when_the_search_is_stopped(out, where):
    whole = toy.table(run_of(out / "whole", {}, evaluations=30))

    def halt(progress):
        if progress.done >= 7:
            raise KeyboardInterrupt

    try:
        run_of(out / "stopped", where, (toy.score(uneven), toy.cost()), evaluations=30, progress=halt)
    except KeyboardInterrupt:
        from hwnas.run import Run

        there = toy.table(Run.open(out / "stopped"))
        assert 7 <= len(there) < 30
        assert set(there) <= set(whole)
        assert toy.table(run_of(out / "stopped", where, evaluations=30, resume=True)) == whole
    else:
        raise AssertionError("nothing was stopped")


CHECKS = {name: check for name, check in list(globals().items()) if name.startswith("check_")}
#: What asks something of the workers themselves and not of the schedule: an actor of Ray takes seconds to start.
ON_RAY = {
    check.__name__: check
    for check in (
        check_the_order_of_answers_changes_nothing,
        check_whatever_fails_is_recorded_and_counted_and_never_on_the_front,
        check_what_takes_too_long_is_stopped,
    )
}


ENDLESS = """
import json, runpy, sys
from pathlib import Path
runpy.run_path(sys.argv[1])["endless"](Path(sys.argv[2]), json.loads(sys.argv[3]))
"""


def endless(out, where):
    """A search whose evaluations never end; each writes down its process."""

    def evaluate(archs):
        (out / f"worker-{os.getpid()}").write_text("")
        time.sleep(600)

    run_of(out / "run", where, (toy.score(evaluate), toy.cost()))


def stopped(out, where, number):
    """The exit code and the standard error of an endless search that a signal has ended, once no worker is left."""
    command = [sys.executable, "-c", ENDLESS, __file__, str(out), json.dumps(where)]
    paths = os.pathsep.join([str(Path(__file__).parents[4]), *filter(None, [os.environ.get("PYTHONPATH")])])
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True, env={**os.environ, "PYTHONPATH": paths})
    wait_until(lambda: len(list(out.glob("worker-*"))) == where["workers"])
    os.killpg(process.pid, number)  # as a terminal does for ctrl-c
    error = process.communicate(timeout=60)[1]
    for path in out.glob("worker-*"):
        wait_until(lambda path=path: gone(int(path.name.removeprefix("worker-"))))
    wait_until(lambda: not session(process.pid))
    return process.returncode, error


def session(leader):
    """The processes of a session."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, _, number = path.read_text().rpartition(")")[2].split()[:4]
        except OSError:
            continue
        found += [path.parent.name] if int(number) == leader and state not in "ZX" else []
    return found


def gone(pid):
    """Whether a process does nothing any more; a zombie waits for whoever adopted it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True


def wait_until(true, limit_s=90.0):
    deadline = time.monotonic() + limit_s
    while not true():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


def main(folder, where):
    try:
        run_of(folder / "own", where, evaluations=4)
    except DeviceError as error:
        print(json.dumps({"cannot start": str(error)}))
        return
    import ray

    assert not ray.is_initialized()  # the cluster of a search ends with it
    ray.init(num_cpus=3, include_dashboard=False, log_to_driver=False)  # one for all checks: each takes seconds to start
    results = {}
    for name, check in ON_RAY.items():
        try:
            check(folder / name, where)
            results[name] = ""
        except Exception:
            results[name] = traceback.format_exc()
    assert ray.is_initialized()  # and one that was there before stays
    print(json.dumps(results))


if __name__ == "__main__":
    main(Path(sys.argv[1]), json.loads(sys.argv[2]))
