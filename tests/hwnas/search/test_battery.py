"""What every algorithm must keep: a new one in ALGORITHMS is tested by itself."""

from __future__ import annotations

import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from device_profiles.errors import InputError
from hwnas.run import Run
from hwnas.search import ALGORITHMS, Problem, search
from hwnas.search.algorithms import make

HERE = Path(__file__).parent
toy = SimpleNamespace(**runpy.run_path(str(HERE / "toy_space.py")))
SPACE = toy.ToySpace()
PAIR = (toy.score(), toy.cost())

pytestmark = pytest.mark.parametrize("algorithm", sorted(name for name, kind in ALGORITHMS.items() if kind.general))


def run_of(algorithm, path, evaluations=90, objectives=PAIR, **more):
    return search(SPACE, objectives, algorithm=algorithm, evaluations=evaluations, out=path, **{"seed": 1, **more})


def test_says_what_it_is(algorithm):
    kind = ALGORITHMS[algorithm]
    for text in (kind.description, kind.paper):
        assert text
        assert "\n" not in text


def test_spends_the_budget_on_different_canonical_architectures(algorithm, tmp_path):
    run = run_of(algorithm, tmp_path)
    archs = run.evaluations()["architecture"]
    assert len(archs) == len(np.unique(archs, axis=0)) == 90
    np.testing.assert_array_equal(SPACE.canonical(archs), archs)
    assert run.evaluations()["id"].tolist() == list(range(1, 91))
    assert run.spec["stopped"] == "budget: 90 evaluations"


def test_the_same_seed_gives_the_same_run_and_another_seed_another(algorithm, tmp_path):
    one, same, other = (toy.table(run_of(algorithm, tmp_path / str(i), seed=seed)) for i, seed in enumerate((1, 1, 2)))
    assert one == same
    assert one != other


def test_neither_reads_nor_moves_the_global_random_state(algorithm, tmp_path):
    np.random.seed(0)  # noqa: NPY002
    one = toy.table(run_of(algorithm, tmp_path / "one"))
    np.random.seed(1)  # noqa: NPY002
    before = np.random.get_state()[1].tolist()  # noqa: NPY002
    assert toy.table(run_of(algorithm, tmp_path / "two")) == one
    assert np.random.get_state()[1].tolist() == before  # noqa: NPY002


def test_the_hash_seed_changes_nothing(algorithm, tmp_path):
    code = (
        f"import runpy, sys, types; toy = types.SimpleNamespace(**runpy.run_path({str(HERE / 'toy_space.py')!r}))\n"
        "from hwnas.search import search\n"
        f"search(toy.ToySpace(), [toy.score(), toy.cost()], ['latency_ms <= 1.5'], {algorithm!r}, 60, 1, out=sys.argv[1])"
    )
    tables = []
    for seed in ("1", "2"):
        out = tmp_path / seed
        subprocess.run([sys.executable, "-c", code, str(out)], env={**os.environ, "PYTHONHASHSEED": seed}, check=True, timeout=60)
        tables.append(toy.table(Run.open(out)))
    assert tables[0] == tables[1] == toy.table(run_of(algorithm, tmp_path / "here", 60, constraints=["latency_ms <= 1.5"]))


def test_cheap_constraints_hold_and_nothing_expensive_is_spent_on_what_breaks_them(algorithm, tmp_path):
    asked = []

    def watched(archs):
        asked.extend(archs.tolist())
        return toy.accuracy(archs)

    run = run_of(algorithm, tmp_path, objectives=(toy.score(watched), toy.cost()), constraints=["latency_ms <= 1.1", "latency_ms > 0.5"])
    rows = run.evaluations()
    ok = rows["status"] == "ok"
    assert len(rows) == 90
    assert ok.sum() >= 20
    assert (rows["latency_ms"][ok] <= 1.1).all()
    assert (rows["latency_ms"][ok] > 0.5).all()
    assert len(asked) == ok.sum()
    assert np.isnan(rows["accuracy"][~ok]).all()


def test_expensive_constraints_decide_the_status(algorithm, tmp_path):
    rows = run_of(algorithm, tmp_path, constraints=["accuracy >= 0.9"]).evaluations()
    assert set(rows["status"]) <= {"ok", "infeasible"}
    np.testing.assert_array_equal(rows["status"] == "ok", rows["accuracy"] >= 0.9)
    assert (rows["status"] == "ok").any()


def sometimes(archs):
    """NaN, infinite, out of bounds, an exception or out of memory for some architectures, by their first choices."""
    case = int(archs[0, 1] + archs[0, 2])
    if case == 1:
        raise RuntimeError("device lost\nat 0x7f00deadbeef")
    if case == 2:
        raise MemoryError
    return np.array([{3: np.nan, 4: np.inf, 5: 1.7}.get(case, toy.accuracy(archs)[0])])


def test_failures_are_recorded_and_never_on_the_front(algorithm, tmp_path):
    run = run_of(algorithm, tmp_path, objectives=(toy.score(sometimes), toy.cost()))
    rows = run.evaluations()
    failed = rows["status"] == "failed"
    expected = np.isin(rows["architecture"][:, 1] + rows["architecture"][:, 2], [1, 2, 3, 4, 5])
    np.testing.assert_array_equal(failed, expected)
    assert failed.any()
    assert not failed.all()
    errors = set(rows["error"][failed])
    assert errors <= {
        "accuracy: RuntimeError: device lost at 0x...", "accuracy: MemoryError:", "accuracy is nan", "accuracy is inf",
        "accuracy is 1.7, outside its bounds 0 to 1",
    }  # fmt: skip
    assert all(error is None for error in rows["error"][~failed])
    front = run.front()
    assert np.isfinite(front.values).all()
    assert not {tuple(arch) for arch in rows["architecture"][failed].tolist()} & {point.architecture for point in front}


def interrupted(algorithm, path, at, **more):
    """A run that ctrl-c stopped at the `at`-th expensive evaluation."""
    count = 0

    def impatient(archs):
        nonlocal count
        count += 1
        if count == at:
            os.kill(os.getpid(), signal.SIGINT)
        return toy.accuracy(archs)

    with pytest.raises(KeyboardInterrupt):
        run_of(algorithm, path, objectives=(toy.score(impatient), toy.cost()), **more)


def test_ctrl_c_anywhere_leaves_a_run_that_resumes_to_the_same_rows(algorithm, tmp_path):
    whole = toy.table(run_of(algorithm, tmp_path / "whole"))
    for at in (1, 2, 24, 25, 41, 88):
        out = tmp_path / str(at)
        interrupted(algorithm, out, at)
        there = toy.table(Run.open(out))
        assert at - 2 <= len(there) <= at
        assert there == whole[: len(there)]
        evaluated = []

        def watched(archs, evaluated=evaluated):
            evaluated.extend(map(tuple, archs.tolist()))
            return toy.accuracy(archs)

        run = run_of(algorithm, out, objectives=(toy.score(watched), toy.cost()), resume=True, seed=None)
        assert toy.table(run) == whole
        assert len(evaluated) == 90 - len(there)  # nothing that was stored is evaluated again
        assert run.spec["stopped"] == "budget: 90 evaluations"


def test_resume_replays_failures_and_violations_too(algorithm, tmp_path):
    settings = {"objectives": (toy.score(sometimes), toy.cost()), "constraints": ["accuracy >= 0.7", "latency_ms <= 1.6"]}
    whole = toy.table(run_of(algorithm, tmp_path / "whole", **settings))
    assert {row[-2] for row in whole} == {"ok", "infeasible", "failed"}
    for stop in (30, 55):
        stopping = [0]

        def halt(progress, stop=stop, stopping=stopping):
            stopping[0] += 1
            if progress.done >= stop:
                raise KeyboardInterrupt

        out = tmp_path / str(stop)
        with pytest.raises(KeyboardInterrupt):
            run_of(algorithm, out, progress=halt, **settings)
        assert len(toy.table(Run.open(out))) < 90
        assert toy.table(run_of(algorithm, out, resume=True, **settings)) == whole


def test_a_larger_budget_continues_a_smaller_one(algorithm, tmp_path):
    whole = toy.table(run_of(algorithm, tmp_path / "whole", 90))
    run = run_of(algorithm, tmp_path / "grown", 37)
    assert toy.table(run) == whole[:37]
    assert toy.table(run_of(algorithm, tmp_path / "grown", 90, resume=True)) == whole
    assert run.spec["evaluations"] == 90


def slow(archs):
    time.sleep(0.001)
    return toy.accuracy(archs)


def test_kill_9_at_random_moments_changes_nothing(algorithm, tmp_path):
    objectives = (toy.score(slow), toy.cost())
    whole = toy.table(run_of(algorithm, tmp_path / "whole", objectives=objectives))
    rng, kills, out = np.random.default_rng(0), 0, tmp_path / "killed"
    fork = multiprocessing.get_context("fork")
    for _ in range(30):
        child = fork.Process(target=run_of, args=(algorithm, out), kwargs={"objectives": objectives, "resume": True})
        child.start()
        child.join(timeout=rng.uniform(0.0, 0.1))
        if child.is_alive():
            os.kill(child.pid, signal.SIGKILL)
            child.join()
        if child.exitcode == 0:
            break
        kills += 1
        if Run.exists(out):
            there = toy.table(Run.open(out))
            assert there == whole[: len(there)]
    assert kills > 0
    assert toy.table(run_of(algorithm, out, objectives=objectives, resume=True)) == whole
    assert sorted(path.name for path in out.iterdir()) == ["run.sqlite"]


@pytest.mark.parametrize(("blocks", "widths", "size"), [(1, 1, 1), (1, 3, 3), (3, 2, 14), (3, 4, 84)])
def test_a_small_space_is_exhausted_and_the_search_ends(algorithm, tmp_path, blocks, widths, size):
    space = toy.ToySpace(blocks, widths)
    run = search(space, PAIR, algorithm=algorithm, evaluations=500, seed=0, out=tmp_path)
    assert len(run.evaluations()) == space.size == size
    assert run.spec["stopped"] == f"exhausted: all {size} architectures of the space were evaluated"


def test_a_small_feasible_region_is_exhausted_and_the_search_ends(algorithm, tmp_path):
    run = run_of(algorithm, tmp_path, constraints=["latency_ms <= 0.39"])
    usable = run.evaluations()["status"] == "ok"
    assert usable.sum() == 6  # depth 1 with widths 0, 1, 2; depth 2 with at most one width of 1
    assert run.spec["stopped"].startswith("exhausted")


def test_what_nothing_can_meet_ends_with_the_nearest_bound(algorithm, tmp_path):
    with pytest.raises(
        InputError, match=r"no architecture with latency_ms <= 0.01 found: the smallest latency_ms seen is 0.2; try latency_ms <= 0.2$"
    ):
        run_of(algorithm, tmp_path / "cheap", constraints=["latency_ms <= 0.01"])
    assert not (tmp_path / "cheap").exists()
    best = (
        r"none of the 90 architectures evaluated is usable: 90 do not meet accuracy >= 0.999 \(the nearest would meet accuracy >= 0.9\d+\)"
    )
    with pytest.raises(InputError, match=best):
        run_of(algorithm, tmp_path / "expensive", constraints=["accuracy >= 0.999"])
    assert Run.open(tmp_path / "expensive").counts()["infeasible"] == 90


def test_an_objective_that_always_fails_ends_the_search_soon(algorithm, tmp_path):
    def broken(archs):
        raise ValueError("no weights")

    with pytest.raises(InputError, match="its first 20 architectures all failed: accuracy: ValueError: no weights"):
        run_of(algorithm, tmp_path, objectives=(toy.score(broken), toy.cost()))
    assert Run.open(tmp_path).counts() == {"ok": 0, "infeasible": 0, "failed": 20}


def test_a_constant_objective_is_searched_all_the_same(algorithm, tmp_path):
    run = run_of(algorithm, tmp_path, objectives=(toy.score(lambda archs: np.full(len(archs), 0.5)), toy.cost()))
    assert run.counts()["ok"] == 90
    assert len(run.front()) == 1


@pytest.mark.parametrize("count", [1, 3])
def test_takes_one_objective_or_three(algorithm, tmp_path, count):
    macs = toy.cost(lambda archs: toy.latency(archs) ** 2 + archs[:, 0], "macs", "")
    run = run_of(algorithm, tmp_path, objectives=(toy.cost(), toy.score(), macs)[:count])
    assert run.counts()["ok"] == 90
    assert len(run.front()) >= 1
    assert run.hypervolume_course()[1][-1] > 0


def optimiser_of(algorithm, constraints=()):
    return make(algorithm, Problem(SPACE, PAIR, constraints), 0, {})


def test_can_be_asked_again_before_it_is_told(algorithm):
    optimiser = optimiser_of(algorithm)
    seen = np.concatenate([optimiser.ask(7) for _ in range(12)])
    assert len(seen) > 7
    np.testing.assert_array_equal(SPACE.canonical(seen), seen)
    assert len(np.unique(seen, axis=0)) == len(seen)


def test_can_be_told_in_pieces_and_in_another_order(algorithm):
    optimiser = optimiser_of(algorithm)
    for _ in range(15):
        first, second = optimiser.ask(5), optimiser.ask(3)
        assert len(first) <= 5
        assert len(second) <= 3
        for archs in (second, first[::-1]):
            values = np.column_stack([-toy.accuracy(archs), toy.latency(archs)])
            values[0, 0] = np.nan
            optimiser.tell(archs, values, np.zeros(len(archs)))


def test_asking_is_linear_in_the_number_of_evaluations(algorithm):
    """Counts allocations, not seconds: what an ask leaves behind must not grow with what was asked before."""
    space = toy.ToySpace(12, 8)
    optimiser = make(algorithm, Problem(space, PAIR), 0, {})
    calls = []
    for _ in range(3):
        count = 0

        def counter(frame, event, arg):
            nonlocal count
            count += 1

        sys.setprofile(counter)
        try:
            for _ in range(10):
                archs = optimiser.ask(optimiser.batch)
                optimiser.tell(archs, np.column_stack([-toy.accuracy(archs), toy.latency(archs)]), np.zeros(len(archs)))
        finally:
            sys.setprofile(None)
        calls.append(count / optimiser.batch)
    assert calls[2] < 2 * calls[1]
